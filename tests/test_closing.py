"""The end of a server: nobody waits on, nothing acknowledged is lost, a hook may not hold it up."""

from __future__ import annotations

import asyncio

import pytest

from mcp_multiplayer.errors import Restarting
from mcp_multiplayer.sandbox.call import Finished, HookCall, HookResult, Said
from mcp_multiplayer.service import channel_manager
from tests.harness import House, entries, turns, verified

AT_ONCE = 8.0  #: seconds; whoever is not told waits for 12


def answer(call: HookCall) -> HookResult:
    (message,) = call.args
    return Finished(said=(Said("bot", {"text": f"seen {message['body']['text']}"}),))


class Held:
    """Hooks begin, and end when told to."""

    def __init__(self) -> None:
        self.begun, self.go = asyncio.Event(), asyncio.Event()

    async def __call__(self, call: HookCall) -> None:
        if call.hook == "on_message":
            self.begun.set()
            await self.go.wait()


async def said(house: House, channel_id: str) -> list[str]:
    return [entry["m"]["b"]["text"] for entry in entries(house.store, channel_id, "msg")]


async def test_a_hook_that_runs_ends_and_what_waits_behind_it_is_refused(house: House) -> None:
    room = await house.room(house.pool.script("Judge", on_message=answer))
    house.pool.before = held = Held()
    post = house.channels.post_message
    first = asyncio.ensure_future(post("A", room.channel_id, "one", cursor=2))
    await held.begun.wait()
    second = asyncio.ensure_future(post("B", room.channel_id, "two", cursor=2))
    await turns()
    house.channels.stop()
    posted = await asyncio.wait_for(first, AT_ONCE)
    assert (posted.pending, posted.cut) == (True, True)
    with pytest.raises(Restarting):
        await second
    with pytest.raises(Restarting):
        await post("B", room.channel_id, "three")
    held.go.set()
    await house.channels.lines.finish()
    assert await said(house, room.channel_id) == ["one"]
    assert house.channels.room(room.channel_id).settled == room.head.size
    house.start()  # another server on the same store: the same calls again
    assert (await house.channels.post_message("A", room.channel_id, "one", cursor=2)).msg_id == (
        posted.msg_id
    )
    assert not (await house.channels.post_message("B", room.channel_id, "two", cursor=2)).cut
    assert await said(house, room.channel_id) == ["one", "two"]
    verified(house.store, room.channel_id)


async def test_a_hook_that_does_not_end_is_left_to_the_next_start(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel_manager, "CLOSING", 0.0)
    monkeypatch.setattr(house.store, "close", lambda: None)  # it is opened again below
    room = await house.room(house.pool.script("Judge", on_message=answer))
    house.pool.before = held = Held()
    waiting = asyncio.ensure_future(
        house.channels.post_message("A", room.channel_id, "one", cursor=2)
    )
    await held.begun.wait()
    house.channels.stop()
    assert (await asyncio.wait_for(waiting, AT_ONCE)).pending
    await asyncio.wait_for(house.channels.close(), 30)
    house.pool.before = None
    house.start()
    again = await house.channels.post_message("A", room.channel_id, "one", cursor=2)
    assert not again.pending
    assert [m.body["text"] for m in again.page.messages if m.kind == "bot"] == ["seen one"]
    verified(house.store, room.channel_id)


async def test_a_wait_that_was_cut_short_is_no_empty_wait(house: House) -> None:
    room = await house.room()
    sync = house.channels.sync_messages
    first = await sync("A", room.channel_id, cursor=room.channel.messages, wait=0.01)
    assert (first.empty_waits, first.cut) == (1, False)
    waiting = asyncio.ensure_future(
        sync("A", room.channel_id, cursor=room.channel.messages, wait=45, until_my_turn=True)
    )
    await turns()
    house.channels.stop()
    synced = await asyncio.wait_for(waiting, AT_ONCE)
    assert (synced.empty_waits, synced.cut) == (1, True)
    assert synced.page.cursor == room.channel.messages
