"""One network opens streams until nobody else can watch. Stopped by edge/proxy/watchers.py and
edge/api/events.py."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx

from mcp_multiplayer.edge.proxy.watchers import Watchers
from mcp_multiplayer.oauth_proxy import create_app
from tests.edge.api.house import open_house
from tests.edge.harness import Upstream, serving, settings_for


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
