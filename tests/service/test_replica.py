"""A room in memory is the fold of its log, however it came to be loaded."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from mcp_multiplayer.channel import erasure, snapshot
from mcp_multiplayer.channel.events import Msg, Rename
from mcp_multiplayer.errors import BrokenLog
from mcp_multiplayer.sandbox.call import Finished
from mcp_multiplayer.service.channel_manager import ChannelManager
from mcp_multiplayer.service.messages import page
from mcp_multiplayer.service.replica import RECENT, Memory, Replica, decode
from mcp_multiplayer.storage.base import Append, Leaf, Row, Store, Table
from mcp_multiplayer.storage.memory import MemoryStore
from mcp_multiplayer.transcript.canonical_json import Canonical, canonical
from tests.harness import (
    Clock,
    CountingStore,
    House,
    Mint,
    leaves,
    manager,
    opened,
    quiet,
)


async def filled(channels: ChannelManager, messages: int) -> Replica:
    """A room where A (alice) has posted until there are so many messages."""
    room, codes = await opened(channels)
    await channels.join_channel("A", codes["alice"])
    while room.channel.messages < messages:
        await channels.post_message("A", room.channel_id, f"text {room.channel.messages + 1}")
    return room


def same(one: Replica, other: Replica) -> None:
    assert one.channel == other.channel
    assert (one.head, one.head.root) == (other.head, other.head.root)


async def test_a_room_that_was_never_opened_is_none(store: Store) -> None:
    assert Replica.load(store, "chn_none") is None


@pytest.mark.parametrize("messages", [1, 255, 256, 257, 513])
async def test_a_loaded_room_is_the_room_that_was_left(messages: int, mint: Mint) -> None:
    store = MemoryStore()
    room = await filled(manager(store, Clock(), mint), messages)
    loaded = Replica.load(store, room.channel_id)
    assert loaded
    same(loaded, room)
    names = frozenset({"bob"})
    assert page(loaded, names, 0, 500) == page(room, names, 0, 500)


async def test_a_snapshot_may_be_thrown_away(channels: ChannelManager) -> None:
    room = await filled(channels, 300)
    gone = Row(Table.SNAPSHOT, room.channel_id, "latest", None)
    channels.store.append(Append(room.channel_id, 0, b"", (), [gone], unconditional=True)).result()
    loaded = Replica.load(channels.store, room.channel_id)
    assert loaded
    same(loaded, room)


async def test_a_snapshot_of_another_form_is_not_read(channels: ChannelManager) -> None:
    room = await filled(channels, 300)
    kept = channels.store.get(Table.SNAPSHOT, room.channel_id, "latest")
    assert kept
    old = json.dumps({**json.loads(kept), "form": snapshot.FORM - 1, "channel": {}}).encode()
    row = Row(Table.SNAPSHOT, room.channel_id, "latest", old)
    channels.store.append(Append(room.channel_id, 0, b"", (), [row], unconditional=True)).result()
    loaded = Replica.load(channels.store, room.channel_id)
    assert loaded
    same(loaded, room)


@pytest.mark.parametrize("messages", [300, 700])
async def test_a_cold_start_reads_what_came_after_the_snapshot(messages: int, mint: Mint) -> None:
    store = CountingStore(MemoryStore())
    room = await filled(manager(store, Clock(), mint), messages)
    store.leaves_read = 0
    assert Replica.load(store, room.channel_id)
    assert store.leaves_read <= snapshot.EVERY + 1


#: What a referee hears decides how far its own cursor lags behind the log.
HOOKS: dict[str, dict[str, Any]] = {
    "hears every message": {"on_message": quiet},
    "answers every message": {"on_message": lambda call: Finished(draws=1)},
    "heard its start only": {"on_init": lambda call: Finished(state={"n": 1})},
    "hears nothing ever": {"on_leave": quiet},
}


@pytest.mark.parametrize("hooks", HOOKS)
async def test_a_cold_start_beside_a_referee_reads_no_more(
    hooks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_multiplayer.channel.snapshot.EVERY", 32)
    store = CountingStore(MemoryStore())
    house = House(store)
    room = await house.room(house.pool.script("Judge", **HOOKS[hooks]))
    worst = 0
    for _ in range(70):  # every place at which a snapshot may stand in the log
        await house.channels.post_message("A", room.channel_id, "hi")
        store.leaves_read = 0
        loaded = Replica.load(store, room.channel_id)
        assert loaded
        worst = max(worst, store.leaves_read)
        same(loaded, room)
    assert worst <= 32 + 4
    assert store.get(Table.SNAPSHOT, room.channel_id, "latest")


async def test_after_a_cold_start_no_hook_is_heard_twice_or_left_out(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_multiplayer.channel.snapshot.EVERY", 16)
    house = House(store)
    heard: list[str] = []

    def note(call: Any) -> Finished:
        heard.append(call.args[0]["body"]["text"])
        return Finished(state={"n": len(heard)})

    room = await house.room(house.pool.script("Judge", on_message=note))
    for n in range(100):
        await house.channels.post_message("A", room.channel_id, f"{n}")
        if n % 7 == 6:
            house.start()
    assert heard == [f"{n}" for n in range(100)]


async def test_messages_beyond_those_in_memory_come_from_the_store(mint: Mint) -> None:
    room = await filled(manager(MemoryStore(), Clock(), mint), RECENT + 100)
    newest = room.channel.messages
    for after, limit in ((0, 5), (50, 100), (newest - RECENT - 1, 3), (newest - 3, 50)):
        got = [one.id for one in room.messages_after(after, limit)]
        assert got == list(range(after + 1, min(after + limit, newest) + 1))
    assert room.messages_after(newest, 5) == []
    assert room.messages_after(0, 0) == []


async def test_drafts_change_nothing_until_they_are_adopted(channels: ChannelManager) -> None:
    room = await filled(channels, 3)
    before = (room.channel, room.head, len(room.unsettled))
    draft = room.draft([(Rename("one"), 5)])
    draft = room.draft([(Rename("two"), 5)], base=draft)
    assert (room.channel, room.head, len(room.unsettled)) == before
    assert [step.messages[0].body["name"] for step in draft.steps] == ["one", "two"]
    assert draft.channel.name == "two"
    room.adopt(draft)
    assert room.channel.name == "two"
    assert room.head.size == before[1].size + 2


async def test_time_never_runs_backwards_in_a_log(channels: ChannelManager, clock: Clock) -> None:
    room = await filled(channels, 3)
    clock.advance(-3600)
    posted = await channels.post_message("A", room.channel_id, "earlier")
    assert posted.ts == 1_800_000_000_000


async def test_bytes_other_than_those_appended_are_found_out(channels: ChannelManager) -> None:
    room = await filled(channels, 3)
    leaf = leaves(channels.store, room.channel_id)[-1]
    assert leaf.data
    with pytest.raises(BrokenLog, match="other bytes"):
        decode(leaf._replace(data=leaf.data.replace(b"text", b"test")))


async def test_a_log_is_folded_by_what_is_left_where_words_were_erased(mint: Mint) -> None:
    store = MemoryStore()
    room = await filled(manager(store, Clock(), mint), 8)
    kept = leaves(store, room.channel_id)
    said = [one for one in kept if isinstance(decode(one), Msg)]
    for gone in (said[-1:], said[1:3], said):
        other = MemoryStore()
        changed = [_erased(one) if one in gone else one for one in kept]
        other.append(Append(room.channel_id, 0, b"", changed)).result()
        loaded = Replica.load(other, room.channel_id)
        assert loaded
        assert loaded.head.root == room.head.root
        assert replace(loaded.channel, bytes=0) == replace(room.channel, bytes=0)
        got = page(loaded, frozenset({"bob"}), 0, 50).messages
        assert [one.id for one in got] == list(range(1, 9))
        lost = {one.messages for one in gone}
        assert all((one.body == {"erased": True}) == (one.id in lost) for one in got)


def _erased(leaf: Leaf) -> Leaf:
    left = erasure.left(json.loads(leaf.data), decode(leaf))
    return leaf._replace(data=canonical(left), erased=True)


async def test_marks_only_move_forward(channels: ChannelManager) -> None:
    room = await filled(channels, 5)
    room.mark("s0", 4)
    room.mark("s0", 2)
    assert room.marks["s0"] == 5  # what it was given when it posted
    assert room.marks_change()
    assert room.marks_change() is None


async def test_marks_survive_a_restart(channels: ChannelManager) -> None:
    room = await filled(channels, 5)
    channels.flush_marks()
    channels.store.append(Append(room.channel_id, 0, b"", (), (), unconditional=True)).result()
    loaded = Replica.load(channels.store, room.channel_id)
    assert loaded
    assert loaded.marks["s0"] == 5


def test_a_referees_memory_is_read_back_as_it_was_written() -> None:
    store = MemoryStore()
    memory = Memory(Canonical.of({"n": [1, None, "é"]}), entry=7, hook=2)
    row = memory.row("chn_x", 3)
    store.append(Append("chn_x", 0, b"", (), [row], unconditional=True)).result()
    room = Replica(store, "chn_x")
    room.load_memories()
    assert room.memories == {3: memory}


def test_a_room_in_a_log_line_shows_nobodys_words() -> None:
    room = Replica(MemoryStore(), "chn_x")
    room.memories[1] = Memory(Canonical.of({"secret": "the queen"}), 1, 0)
    assert "queen" not in repr(room)
