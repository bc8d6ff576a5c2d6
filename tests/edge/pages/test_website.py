"""Pages of rooms as programs ask for them: what anybody may see, and nothing of other rooms."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from mcp_multiplayer.oauth_proxy import create_app
from tests.edge.api.house import House, open_house
from tests.edge.harness import serving, settings_for

HTML, MARKDOWN = {"Accept": "text/html"}, {"Accept": "text/markdown"}


@asynccontextmanager
async def site(data: Path, **settings: Any) -> AsyncIterator[tuple[House, httpx.AsyncClient]]:
    """A server with rooms, and its proxy."""
    async with open_house(data) as house:
        inner = int(house.url.rpartition(":")[2])
        app = create_app(settings_for(data, mcp_port=inner, **settings))
        async with (
            serving(app) as port,
            httpx.AsyncClient(base_url=f"http://localhost:{port}") as http,
        ):
            yield house, http


async def test_agents_read_a_listed_room_as_text(tmp_path: Path) -> None:
    async with site(tmp_path) as (house, http):
        room = await house.room(
            house.account(),
            bot_preset="TicTacToeBot",
            join_as="alice",
            listed=True,
            name="Duel <b>",
        )
        path = f"/watch/{room['channel_id']}"
        read = await http.get(path, headers=MARKDOWN)
        assert read.headers["content-type"].startswith("text/markdown")
        for fact in ('# Room "Duel <b>"', "Players: alice", "TicTacToeBot", room["terms"], "log: "):
            assert fact in read.text
        shown = await http.get(path, headers=HTML)
        assert "Duel &lt;b&gt;" in shown.text and "Duel <b>" not in shown.text
        assert 'property="og:title"' in shown.text


async def test_the_page_of_a_room_that_is_not_listed_says_nothing_of_it(tmp_path: Path) -> None:
    async with site(tmp_path) as (house, http):
        room = await house.room(house.account(), join_as="alice", name="Secret name")
        nobodys = "chn_" + "a" * len(room["channel_id"].removeprefix("chn_"))
        for kind in ("watch", "room"):
            answers = [
                await http.get(f"/{kind}/{one}", headers=HTML)
                for one in (room["channel_id"], nobodys)
            ]
            texts = [
                answer.text.replace(room["channel_id"], "X").replace(nobodys, "X")
                for answer in answers
            ]
            assert texts[0] == texts[1]
            assert "noindex" in texts[0]


async def test_with_the_pages_off_there_is_no_page_of_a_room(tmp_path: Path) -> None:
    async with site(tmp_path, web="off") as (house, http):
        room = await house.room(house.account(), join_as="alice", listed=True)
        for path in ("/rooms", f"/room/{room['channel_id']}", f"/watch/{room['channel_id']}"):
            assert (await http.get(path, headers=HTML)).status_code == 404
