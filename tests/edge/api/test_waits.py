"""A wait ends at once when its client goes away or cancels the request, over every way in."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from unittest import mock

import httpx
import pytest

from mcp_multiplayer.edge import identity
from mcp_multiplayer.edge.api import mcp_call
from mcp_multiplayer.edge.api.patience import Patience
from mcp_multiplayer.edge.identity import Caller
from tests.edge.api.house import PUBLIC, House, Pair

pytestmark = pytest.mark.asyncio(loop_scope="module")

WAIT_MS = 45_000
SOON = 20.0  #: seconds, on a machine however busy; a wait that nobody ends takes longer
MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
WAYS = ["rest", "legacy", "legacy through the library", "modern", "modern through the library"]


def headers(house: House, account: str, client: str = "app") -> dict[str, str]:
    return {identity.HEADER: house.signer.sign(Caller(account, PUBLIC, client))}


def wait(house: House, pair: Pair, way: str, *, id: int = 7, client: str = "app") -> httpx.Request:
    """Alice waits for what never comes."""
    asked = {"channel_id": pair.id, "cursor": pair.joined["cursor"], "timeout_ms": WAIT_MS}
    signed = headers(house, pair.alice, client)
    if way == "rest":
        return house.http.build_request("GET", "/sync_messages", params=asked, headers=signed)
    params: dict[str, Any] = {"name": "sync_messages", "arguments": asked}
    modern = way.startswith("modern")
    version = "2026-07-28" if modern else "2025-11-25"
    signed |= {"Mcp-Protocol-Version": version, "Accept": "application/json, text/event-stream"}
    if modern:
        params["_meta"] = MODERN
        signed |= {"Mcp-Method": "tools/call", "Mcp-Name": "sync_messages"}
    body = {"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}
    return house.http.build_request("POST", "/mcp", json=body, headers=signed)


async def cancel(house: House, account: str, client: str = "app", id: int = 7) -> None:
    body = {
        "jsonrpc": "2.0",
        "method": "notifications/cancelled",
        "params": {"requestId": id, "reason": "time is up"},
    }
    signed = headers(house, account, client) | {"Mcp-Protocol-Version": "2025-11-25"}
    answer = await house.http.post("/mcp", json=body, headers=signed)
    assert answer.status_code == 202


async def under_way(house: House, *futures: asyncio.Future[Any]) -> None:
    for _ in range(3):
        await house.rest(house.account(), "list_channels")
    assert not any(future.done() for future in futures)


@pytest.mark.parametrize("way", WAYS)
async def test_a_client_that_goes_away_frees_its_wait_and_is_remembered(
    house: House, way: str
) -> None:
    pair = await house.pair()
    left: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def gave_up(self: Patience, client_id: str, waited: float) -> None:
        left.set_result(client_id)

    short = frozenset() if "library" in way else mcp_call.VERSIONS
    with (
        mock.patch.object(Patience, "gave_up", gave_up),
        mock.patch.object(mcp_call, "VERSIONS", short),
    ):
        async with httpx.AsyncClient(base_url=house.url, timeout=60) as http:
            future = asyncio.ensure_future(http.send(wait(house, pair, way)))
            await under_way(house, future)
            future.cancel()
        async with asyncio.timeout(SOON):
            assert await left == "app"


@pytest.mark.parametrize("way", ["legacy", "legacy through the library"])
async def test_a_cancelled_request_is_not_answered_and_its_wait_is_freed(
    house: House, way: str
) -> None:
    pair = await house.pair()
    short = frozenset() if "library" in way else mcp_call.VERSIONS
    with mock.patch.object(mcp_call, "VERSIONS", short):
        future = asyncio.ensure_future(house.http.send(wait(house, pair, way)))
        await under_way(house, future)
        await cancel(house, pair.alice)
        async with asyncio.timeout(SOON):
            answer = await future
    assert (answer.status_code, answer.content) == (202, b"")
    again = await house.rest(pair.alice, "sync_messages", channel_id=pair.id, timeout_ms=0)
    assert again.status == 200


@pytest.mark.parametrize("who", ["another account", "another client", "another request"])
async def test_nobody_elses_wait_is_ended_by_a_cancellation(house: House, who: str) -> None:
    pair = await house.pair()
    future = asyncio.ensure_future(house.http.send(wait(house, pair, "legacy")))
    await under_way(house, future)
    await cancel(
        house,
        pair.bob if who == "another account" else pair.alice,
        "other" if who == "another client" else "app",
        8 if who == "another request" else 7,
    )
    await under_way(house, future)
    await house.rest(pair.bob, "post_message", channel_id=pair.id, body="here I am")
    async with asyncio.timeout(SOON):
        assert "here I am" in (await future).text


async def test_where_two_programs_share_a_login_neither_ends_the_others_wait(house: House) -> None:
    pair = await house.pair()
    async with httpx.AsyncClient(base_url=house.url, timeout=60) as http:
        futures = [
            asyncio.ensure_future(one.send(wait(house, pair, "legacy")))
            for one in (house.http, http)
        ]
        await under_way(house, *futures)
        await cancel(house, pair.alice)
        await under_way(house, *futures)
        await house.rest(pair.bob, "post_message", channel_id=pair.id, body="here I am")
        async with asyncio.timeout(SOON):
            for answer in await asyncio.gather(*futures):
                assert "here I am" in answer.text


async def test_what_was_seen_of_a_client_stands_in_next(house: House) -> None:
    pair = await house.pair(bot_preset="GuessBot", bot_params={"high": 10**9})
    asked = {"channel_id": pair.id, "cursor": pair.joined["cursor"], "timeout_ms": 0}
    with mock.patch.object(Patience, "of", lambda self, client_id: 4_000):
        said = [await house.rest(who, "sync_messages", **asked) for who in (pair.alice, pair.bob)]
    nexts = sorted(one.data["next"].partition("(")[0] for one in said)
    assert nexts == ["post_message", "sync_messages"]
    for one in said:
        assert one.data["next"].endswith(("wait_ms=4000)", "timeout_ms=4000)"))
    assert json.dumps(said[0].data).count("45000") == 0
