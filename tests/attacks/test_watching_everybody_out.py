"""One network opens streams until nobody else can watch. Stopped by edge/proxy/watchers.py and
edge/api/events.py."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from mcp_multiplayer.edge.api import events
from mcp_multiplayer.edge.proxy.app import WATCHED_PER_MINUTE
from mcp_multiplayer.edge.proxy.watchers import Watchers
from mcp_multiplayer.oauth_proxy import create_app
from tests.edge.api.house import open_house
from tests.edge.harness import Upstream, lab, serving, settings_for


def test_each_sender_has_its_share_and_gives_places_back() -> None:
    watchers = Watchers(most=3, each=2)
    assert watchers.enter("a") and watchers.enter("a")
    assert not watchers.enter("a")
    assert watchers.enter("b")
    assert not watchers.enter("c")
    watchers.leave("a")
    assert watchers.enter("c")


async def test_a_full_house_says_so_and_a_place_is_free_when_a_page_is_closed(
    tmp_path: Path,
) -> None:
    upstream = Upstream()
    async with (
        serving(upstream) as port,
        serving(
            create_app(settings_for(tmp_path, mcp_port=port, max_watchers_per_address=1))
        ) as outer,
        httpx.AsyncClient(base_url=f"http://localhost:{outer}", timeout=60) as http,
    ):
        first = asyncio.create_task(http.get("/events?do=hang"))
        await upstream.waiting.wait()
        refused = await http.get("/events?do=hang")
        assert (refused.status_code, refused.json()["error"]) == (429, "RATE_LIMITED")
        first.cancel()
        await upstream.left.wait()
        answers = [(await http.get("/events")).status_code]
        while answers[-1] == 429 and len(answers) < 1000:  # until the proxy has seen it, too
            answers.append((await http.get("/events")).status_code)
        assert answers[-1] == 200


async def test_streams_that_are_opened_and_closed_are_counted(tmp_path: Path) -> None:
    upstream = Upstream()
    async with serving(upstream) as port, lab(tmp_path, mcp_port=port) as it:
        codes = [(await it.http.get("/events")).status_code for _ in range(WATCHED_PER_MINUTE + 1)]
        assert (codes[:-1], codes[-1]) == ([200] * WATCHED_PER_MINUTE, 429)


async def test_pages_of_a_player_that_are_opened_and_closed_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "OPENED_PER_MINUTE", 3)
    async with open_house(tmp_path) as house:
        host, guest = house.account(), house.account()
        room = await house.room(host, join_as="alice")
        await house.rest(
            host, "update_channel", channel_id=room["channel_id"], ops=[{"op": "close"}]
        )
        address = f"/events?channel_id={room['channel_id']}"
        codes = [
            (await house.http.get(address, headers=house.statement(host))).status_code
            for _ in range(4)
        ]
        assert codes == [200, 200, 200, 429]
        refused = await house.http.get(address, headers=house.statement(guest))
        assert refused.status_code == 403


async def test_a_player_has_so_many_pages_and_no_more(tmp_path: Path) -> None:
    async with open_house(tmp_path, max_streams_per_account=2) as house:
        pair = await house.pair()
        alice, bob = house.statement(pair.alice), house.statement(pair.bob)
        address = f"/events?channel_id={pair.id}"
        async with (
            house.http.stream("GET", address, headers=alice) as one,
            house.http.stream("GET", address, headers=alice) as two,
        ):
            assert one.status_code == two.status_code == 200
            third = await house.http.get(address, headers=alice)
            assert (third.status_code, third.json()["error"]) == (429, "RATE_LIMITED")
            async with house.http.stream("GET", address, headers=bob) as other:
                assert other.status_code == 200
