"""What is signed, under which key, and what has to be written down before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mcp_multiplayer.errors import ChannelClosed, Unavailable
from mcp_multiplayer.sandbox.call import Finished, HookCall, HookResult, Said
from mcp_multiplayer.service.channel_manager import ChannelManager
from mcp_multiplayer.service.log_keys import LogKey, LogKeys
from mcp_multiplayer.service.replica import Replica
from mcp_multiplayer.service.rollback_guard import RollbackGuard
from mcp_multiplayer.service.sequencer import NoBots
from mcp_multiplayer.service.signing import Signing
from mcp_multiplayer.storage.base import Append
from mcp_multiplayer.storage.memory import MemoryStore
from mcp_multiplayer.transcript import checkpoint
from mcp_multiplayer.transcript import entries as chain
from tests.harness import (
    Clock,
    CountingStore,
    House,
    Mint,
    entries,
    leaves,
    manager,
    opened,
    turns,
    until,
)

OLD, NEW = LogKey(b"\1" * 32), LogKey(b"\2" * 32)


class Held(NoBots):
    """Referees that are slow."""

    def __init__(self) -> None:
        self.go = asyncio.Event()

    async def hear(self, room: Replica, owner: Any) -> None:
        await self.go.wait()


@pytest.fixture
def heads(tmp_path: Path) -> RollbackGuard:
    return RollbackGuard(tmp_path / "signed-heads")


Start = Callable[..., ChannelManager]


@pytest_asyncio.fixture
async def start(heads: RollbackGuard, clock: Clock, mint: Mint) -> AsyncIterator[Start]:
    """Start a server on a store, with these log keys."""
    started: list[ChannelManager] = []

    def begin(store: CountingStore, *keys: LogKey) -> ChannelManager:
        custody = Signing(b"d" * 32, LogKeys(*(keys or (OLD,))), heads)
        started.append(manager(store, clock, mint, custody=custody))
        return started[-1]

    yield begin
    for one in started:
        await one.lines.finish()


async def table(channels: ChannelManager) -> str:
    room, codes = await opened(channels)
    await channels.join_channel("A", codes["alice"])
    await channels.join_channel("B", codes["bob"])
    return room.channel_id


def older(store: CountingStore, channel_id: str, size: int) -> CountingStore:
    """A store as it was when the log had ``size`` entries."""
    made = MemoryStore()
    last = b""
    for leaf in leaves(store, channel_id)[:size]:
        made.append(Append(channel_id, leaf.number, last, (leaf,))).result()
        last = leaf.hash
    return CountingStore(made)


async def test_a_head_is_signed_by_the_key_that_the_log_has_at_that_size(start: Start) -> None:
    store = CountingStore(MemoryStore())
    channel_id = await table(start(store))
    channels = start(store, NEW, OLD)
    channels.referees = held = Held()
    room = channels.room(channel_id)
    await until(lambda: bool(entries(store, channel_id, "key")))
    early = room.last_head()
    held.go.set()
    await channels.lines.finish()
    late = room.last_head()
    origin = room.channel.origin
    for head, key in ((early, OLD), (late, NEW)):
        opened_note = checkpoint.open_note(head.note or "", [key.vkey(origin)])
        assert checkpoint.read_checkpoint(opened_note.text).size == head.size
    assert (early.size, late.size) == (3, 4)


async def test_a_head_that_could_not_be_recorded_is_signed_when_it_can(
    start: Start, heads: RollbackGuard, monkeypatch: pytest.MonkeyPatch
) -> None:
    channels = start(CountingStore(MemoryStore()))
    room = channels.room(await table(channels))
    await channels.post_message("A", room.channel_id, "x")

    def full(*_: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr(heads, "record", full)
        assert room.last_head().note is None
    assert room.last_head().note is not None


async def test_nothing_happens_in_a_room_before_its_losses_are_written_down(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it could grow past the head that was signed, and be signed as another log."""
    monkeypatch.setattr("mcp_multiplayer.service.sequencer.RETRY_HOOKS", 0.0)
    store = CountingStore(MemoryStore())
    channels = start(store)
    channel_id = await table(channels)
    for n in range(3):
        await channels.post_message("A", channel_id, f"{n}")
    signed = channels.room(channel_id).last_head()
    assert (signed.size, signed.note is None) == (6, False)
    before = older(store, channel_id, 4)
    before.fail = [Unavailable("the disk is full")]
    again = start(before)
    posts = [again.post_message("A", channel_id, f"other {n}") for n in range(5)]
    done = await asyncio.gather(*posts, return_exceptions=True)
    assert [type(one) for one in done] == [Unavailable] * 5
    room = again.room(channel_id)
    await until(lambda: not room.fresh)
    with pytest.raises(ChannelClosed, match="lost"):
        await again.post_message("A", channel_id, "other")
    assert [entry["t"] for entry in entries(before, channel_id)][4:] == ["restored"]
    assert room.last_head().note is None


async def test_whoever_looks_whenever_sees_one_head_of_a_size_and_none_within_a_step() -> None:
    """Between any two steps of the loop somebody reads, while members talk and referees answer."""
    house = House(CountingStore(MemoryStore()))

    def judge(call: HookCall) -> HookResult:
        (message,) = call.args
        over: dict[str, Any] | None = (
            {"winners": []} if message["body"].get("text") == "over" else None
        )
        return Finished(said=(Said("bot", {"text": "heard"}),), draws=1, end=over)

    async def slow(call: HookCall) -> None:
        await turns(3)

    house.pool.before = slow
    room = await house.room(house.pool.script("Judge", on_message=judge))
    seen: set[tuple[int, bytes, str]] = set()
    done = False

    async def look() -> None:
        while not done:
            head = room.last_head()
            assert head.note is not None
            seen.add((head.size, head.root, head.note))
            await asyncio.sleep(0)

    reader = asyncio.create_task(look())
    words = [f"{n}" for n in range(8)] + ["over"]
    for _ in range(3):
        wishes = [
            house.channels.post_message("AB"[n % 2], room.channel_id, w)
            for n, w in enumerate(words)
        ]
        await asyncio.gather(*wishes)
    await house.channels.leave_channel("B", room.channel_id, None)
    done = True
    await reader
    log = entries(house.store, room.channel_id)
    assert len({size for size, _, _ in seen}) == len(seen) > 20
    data = [leaf.data for leaf in leaves(house.store, room.channel_id)]
    for size, root, _ in seen:
        last = log[size - 1]
        assert "more" not in last and last["t"] != "msg", "a hook was due"
        assert chain.verify(data[:size]).root == root
    assert "reveal" in [entry["t"] for entry in log]
    await house.channels.close()
