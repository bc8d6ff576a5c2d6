"""What is answered when the server is about to end, over REST and MCP of both eras."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from mcp_multiplayer.edge.api import dispatch, render_text
from mcp_multiplayer.service import channel_manager
from tests.edge.api.house import MODES, House, Said, open_house, via_client

WAIT_MS = 45_000
#: Hooks that do not end while a test lasts.
SPINNER = """
class Spinner:
    def on_join(self, player):
        while player == 'bob':
            pass
    def on_message(self, msg):
        while True:
            pass
"""

Call = Callable[..., Awaitable[Said]]


@pytest_asyncio.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """A server of this test's own, for it will be stopped."""
    monkeypatch.setattr(channel_manager, "CLOSING", 0.0)
    async with open_house(tmp_path, bot_hook_seconds=60, bot_hook_fuel=10**12) as made:
        yield made


@asynccontextmanager
async def every_way(house: House, account: Callable[[], str]) -> AsyncIterator[list[Call]]:
    """REST, one bare request, and a client of each era, connected."""
    async with AsyncExitStack() as stack:
        ways: list[Call] = [partial(house.rest, account()), partial(house.tool, account())]
        for mode in MODES:
            client = await stack.enter_async_context(house.client(account(), mode))
            await client.list_tools()  # else it does so when the first answer is there
            ways.append(partial(via_client, client))
        yield ways


async def asked(house: House, calls: list[Awaitable[Said]]) -> list[asyncio.Future[Said]]:
    """Make the calls; come back when they have reached the server."""
    futures: list[asyncio.Future[Said]] = [asyncio.ensure_future(call) for call in calls]
    for _ in range(3):
        await house.rest(house.account(), "list_channels")
    assert not any(future.done() for future in futures)
    return futures


def told(said: Said) -> str:
    """What a caller reads of the end, the same in data and text."""
    assert said.status == 200
    sentence = str(said.data["restarting"])
    assert not said.text or f"restarting: {sentence}." in said.lines
    return sentence


async def test_a_wait_is_answered_with_its_cursor_and_to_be_repeated(house: House) -> None:
    pair = await house.pair()
    read = await house.rest(pair.alice, "sync_messages", channel_id=pair.id)
    wish = {"channel_id": pair.id, "cursor": read.data["cursor"], "timeout_ms": WAIT_MS}
    async with every_way(house, lambda: pair.alice) as ways:
        futures = await asked(house, [way("sync_messages", **wish) for way in ways])
        await house.face.stop()
        for said in await asyncio.gather(*futures):
            assert told(said) == render_text.RESTARTING
            assert (said.data["messages"], said.data["cursor"]) == ([], wish["cursor"])
            assert "stop waiting" not in said.data["next"]
        # A wait that comes now is answered as well, and so is what needs none.
        for way in ways:
            assert told(await way("sync_messages", **wish)) == render_text.RESTARTING
            none = await way("sync_messages", **{**wish, "timeout_ms": 0})
            assert "restarting" not in none.data


async def test_a_wait_that_has_something_to_say_says_it(house: House) -> None:
    pair = await house.pair()
    wish = {"channel_id": pair.id, "cursor": 0, "timeout_ms": WAIT_MS}
    await house.face.stop()
    async with every_way(house, lambda: pair.alice) as ways:
        for way in ways:
            said = await way("sync_messages", **wish)
            assert said.data["messages"]
            assert "restarting" not in said.data


async def test_a_post_that_waits_for_its_turn_is_told_whether_to_repeat_it(house: House) -> None:
    pair = await house.pair(bot_preset="GuessBot", bot_params={"high": 10**9})  # no guess hits it
    begun = await house.rest(pair.alice, "sync_messages", channel_id=pair.id)
    while not begun.data["view"]["turn"]:
        more = {"channel_id": pair.id, "cursor": begun.data["cursor"], "timeout_ms": WAIT_MS}
        begun = await house.rest(pair.alice, "sync_messages", **more)
    wish = {"channel_id": pair.id, "body": "guess 50", "wait_ms": WAIT_MS}
    cursor = begun.data["cursor"]
    moved = asyncio.ensure_future(house.rest(pair.alice, "post_message", **wish, cursor=cursor))
    other = {**wish, "body": "talk"}
    seen = ""
    while "judge" not in seen:
        read = await house.rest(pair.bob, "sync_messages", channel_id=pair.id)
        seen = str(read.data["messages"])
    talked = await asked(house, [house.rest(pair.alice, "post_message", **other)])
    while "talk" not in seen:
        read = await house.rest(pair.bob, "sync_messages", channel_id=pair.id)
        seen = str(read.data["messages"])
    await house.face.stop()
    assert told(await moved).startswith(render_text.RESTARTING)
    assert told(await talked[0]) == render_text.RESTARTING_AFTER  # it had nothing to be known by


async def test_who_waits_for_a_referee_is_told_that_it_is_done(house: House) -> None:
    host, guest = house.account(), house.account()
    room = await house.room(host, join_as="alice", bot_code=SPINNER)
    wish = {"channel_id": room["channel_id"], "body": "hello", "cursor": room["cursor"]}
    joined = await asked(house, [house.tool(guest, "join_channel", invite_code=room["invites"][0])])
    queued = await asked(house, [house.tool(host, "post_message", **wish)])
    await house.face.stop()
    said = await joined[0]
    assert told(said) == render_text.RESTARTING
    assert said.data["pending"] is True
    assert (await queued[0]).refused == "UNAVAILABLE"  # its turn had not come
    late = await house.rest(host, "post_message", **wish)
    assert (late.refused, late.status, late.headers["retry-after"]) == ("UNAVAILABLE", 503, "2")


async def test_work_that_takes_longer_is_given_up_and_to_be_repeated(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "LAST_WORK", 0.0)
    wish = {"bot_code": SPINNER, "events": [{"join": "bob"}]}
    async with every_way(house, house.account) as ways:
        futures = await asked(house, [way("try_bot", **wish) for way in ways])
        await house.face.stop()
        for said in await asyncio.gather(*futures):
            assert said.refused == "UNAVAILABLE"
            assert said.data["retry_after"] == 2
