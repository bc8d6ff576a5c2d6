"""One task drains each channel's queue: what it promises to those who wait in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from mcp_multiplayer.errors import (
    BadMessage,
    HeadMoved,
    NotMember,
    RateLimited,
    SlotAlreadyFilled,
    Unavailable,
)
from mcp_multiplayer.service.channel_manager import ChannelManager
from mcp_multiplayer.service.replica import Replica
from mcp_multiplayer.service.sequencer import REPEAT_MS, RETRY_HOOKS, WAITING, NoBots
from mcp_multiplayer.storage.base import Store, Table
from tests.harness import (
    Clock,
    CountingStore,
    House,
    Mint,
    entries,
    manager,
    opened,
    quiet,
    turns,
    until,
    verified,
)


class Gate:
    """Referees that hold the queue until told."""

    def __init__(self) -> None:
        self.open = asyncio.Event()

    def admit(self, room: Replica) -> None:
        pass

    def pause(self, room: Replica) -> float:
        return 0.0

    async def hear(self, room: Replica, owner: Any) -> None:
        await self.open.wait()


@pytest.fixture
def counted(store: Store) -> CountingStore:
    return CountingStore(store)


@pytest_asyncio.fixture
async def channels(
    counted: CountingStore, clock: Clock, mint: Mint
) -> AsyncIterator[ChannelManager]:
    made = manager(counted, clock, mint)
    yield made
    await made.close()


async def table(channels: ChannelManager) -> str:
    """A room where A is alice and B is bob."""
    room, codes = await opened(channels)
    await channels.join_channel("A", codes["alice"])
    await channels.join_channel("B", codes["bob"])
    return room.channel_id


def said(store: Store, channel_id: str) -> list[str]:
    return [entry["m"]["b"]["text"] for entry in entries(store, channel_id, "msg")]


async def test_whatever_waits_in_a_room_without_referees_is_one_append(
    channels: ChannelManager, counted: CountingStore
) -> None:
    channel_id = await table(channels)
    counted.appends.clear()
    posts = [channels.post_message("A", channel_id, f"{n}") for n in range(50)]
    done = await asyncio.gather(*posts)
    assert counted.appends == [50]
    assert [post.msg_id for post in done] == list(range(3, 53))
    assert said(counted, channel_id) == [f"{n}" for n in range(50)]
    verified(counted, channel_id)


async def test_in_a_room_with_a_referee_posts_go_one_at_a_time(store: Store) -> None:
    counted = CountingStore(store)
    house = House(counted)
    room = await house.room(house.pool.script("Judge", on_message=quiet))
    counted.appends.clear()
    await asyncio.gather(
        *(house.channels.post_message("A", room.channel_id, f"{n}") for n in range(5))
    )
    assert counted.appends == [1] * 5
    await house.channels.close()


async def test_a_refusal_in_a_batch_is_its_own_posters_alone(channels: ChannelManager) -> None:
    channel_id = await table(channels)
    wishes = [
        channels.post_message("A", channel_id, "one"),
        channels.post_message("A", channel_id, "two", kind="system"),
        channels.post_message("A", channel_id, "three", to=["zed"]),
        channels.post_message("A", channel_id, "four"),
    ]
    done = await asyncio.gather(*wishes, return_exceptions=True)
    assert [type(one) for one in done[1:3]] == [BadMessage, BadMessage]
    assert said(channels.store, channel_id) == ["one", "four"]


async def test_the_next_item_is_decided_on_what_the_one_before_it_did(
    channels: ChannelManager,
) -> None:
    channel_id = await table(channels)
    done = await asyncio.gather(
        channels.leave_channel("A", channel_id, None),
        channels.post_message("A", channel_id, "still here?"),
        return_exceptions=True,
    )
    assert isinstance(done[1], NotMember)
    assert said(channels.store, channel_id) == []


async def test_a_queue_that_is_full_takes_nobody_in(channels: ChannelManager) -> None:
    channel_id = await table(channels)
    channels.referees = gate = Gate()
    posts = [
        asyncio.create_task(channels.post_message("A", channel_id, f"{n}")) for n in range(WAITING)
    ]
    await turns()
    with pytest.raises(RateLimited) as refused:
        await channels.post_message("B", channel_id, "one too many")
    assert refused.value.retry_after > 0
    gate.open.set()
    await asyncio.gather(*posts)
    assert len(said(channels.store, channel_id)) == WAITING
    assert await channels.post_message("B", channel_id, "now")


async def test_a_post_whose_turn_does_not_come_is_taken_out_and_its_poster_told(
    channels: ChannelManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel_id = await table(channels)
    channels.referees = gate = Gate()
    first = asyncio.create_task(channels.post_message("A", channel_id, "first"))
    await turns()
    monkeypatch.setattr("mcp_multiplayer.service.sequencer.PATIENCE", 0.0)
    with pytest.raises(RateLimited, match="still busy") as refused:
        await channels.post_message("B", channel_id, "late")
    assert refused.value.retry_after > 0
    gate.open.set()
    await first
    assert said(channels.store, channel_id) == ["first"]


async def test_a_full_queue_is_full_for_its_own_channel_only(channels: ChannelManager) -> None:
    full, other = await table(channels), await table(channels)
    channels.referees = gate = Gate()
    posts = [asyncio.create_task(channels.post_message("A", full, "x")) for _ in range(WAITING)]
    waiting = asyncio.create_task(channels.post_message("A", other, "fine"))
    await turns()
    assert not waiting.done()
    gate.open.set()
    assert (await waiting).msg_id == 3
    await asyncio.gather(*posts)


async def test_cancelling_a_request_cancels_nothing(channels: ChannelManager) -> None:
    channel_id = await table(channels)
    channels.referees = gate = Gate()
    task = asyncio.create_task(channels.post_message("A", channel_id, "sent"))
    await turns()
    task.cancel()
    await turns()
    assert task.cancelled()
    gate.open.set()
    await channels.lines.finish()
    assert said(channels.store, channel_id) == ["sent"]


async def test_cancelling_the_opening_of_a_room_opens_it_all_the_same(
    channels: ChannelManager,
) -> None:
    channels.referees = gate = Gate()
    task = asyncio.create_task(opened(channels, account="A", join_as="alice"))
    await turns()
    task.cancel()
    await turns()
    gate.open.set()
    await channels.lines.finish()
    ((room, seats),) = channels.rooms_of("A").rooms
    assert [seat.label for seat in seats] == ["alice"]
    assert (await channels.post_message("A", room.channel_id, "here")).pending is False


async def test_when_the_store_refuses_every_caller_is_told_and_the_queue_goes_on(
    channels: ChannelManager, counted: CountingStore
) -> None:
    channel_id = await table(channels)
    counted.fail = [Unavailable("the disk is full")]
    posts = [channels.post_message("A", channel_id, f"{n}") for n in range(3)]
    done = await asyncio.gather(*posts, return_exceptions=True)
    assert [type(one) for one in done] == [Unavailable] * 3
    assert said(counted, channel_id) == []
    assert (await channels.post_message("A", channel_id, "again")).msg_id == 3
    verified(counted, channel_id)


async def test_a_fault_of_our_own_is_an_unavailable_server_and_not_a_dead_queue(
    channels: ChannelManager, counted: CountingStore, caplog: pytest.LogCaptureFixture
) -> None:
    channel_id = await table(channels)
    counted.fail = [RuntimeError("a bug")]
    with pytest.raises(Unavailable):
        await channels.post_message("A", channel_id, "one")
    assert "a step failed" in caplog.text
    assert (await channels.post_message("A", channel_id, "two")).msg_id == 3


async def test_a_room_that_could_not_be_written_was_not_opened(
    channels: ChannelManager, counted: CountingStore
) -> None:
    counted.fail = [Unavailable("the disk is full")]
    with pytest.raises(Unavailable):
        await opened(channels, account="A")
    assert channels.rooms_of("A").rooms == ()


# --- another writer ------------------------------------------------------------------------


async def test_two_managers_on_one_store_both_write_and_nothing_is_lost(
    store: Store, clock: Clock
) -> None:
    one, two = manager(store, clock, Mint("one")), manager(store, clock, Mint("two"))
    channel_id = await table(one)
    for round_ in range(5):
        await asyncio.gather(
            *(one.post_message("A", channel_id, f"one {round_} {n}") for n in range(3)),
            *(two.post_message("B", channel_id, f"two {round_} {n}") for n in range(3)),
        )
    assert sorted(said(store, channel_id)) == sorted(
        f"{who} {round_} {n}" for who in ("one", "two") for round_ in range(5) for n in range(3)
    )
    verified(store, channel_id)
    await two.lines.finish()
    await one.lines.finish()


async def test_what_another_writer_decided_first_is_decided_on(store: Store, clock: Clock) -> None:
    one, two = manager(store, clock, Mint("one")), manager(store, clock, Mint("two"))
    room, codes = await opened(one)
    two.room(room.channel_id)
    await one.join_channel("B", codes["bob"])
    with pytest.raises(SlotAlreadyFilled):
        await two.join_channel("C", codes["bob"])
    assert two.room(room.channel_id).channel == one.room(room.channel_id).channel


@pytest.mark.parametrize("with_key", [True, False])
async def test_a_post_that_is_repeated_to_another_writer_is_the_same_post(
    store: Store, clock: Clock, with_key: bool
) -> None:
    one, two = manager(store, clock, Mint("one")), manager(store, clock, Mint("two"))
    channel_id = await table(one)
    two.room(channel_id)
    repeat = {"idempotency_key": "k"} if with_key else {"cursor": 2}
    first = await one.post_message("A", channel_id, "once", **repeat)
    again = await two.post_message("A", channel_id, "once", **repeat)
    assert (first.msg_id, first.ts) == (again.msg_id, again.ts)
    assert said(store, channel_id) == ["once"]


async def test_who_is_late_again_and_again_decides_again_and_again(
    channels: ChannelManager, counted: CountingStore
) -> None:
    channel_id = await table(channels)
    counted.fail = [HeadMoved("late")] * 5
    assert (await channels.post_message("A", channel_id, "patience")).msg_id == 3
    assert said(counted, channel_id) == ["patience"]


# --- repeated posts ------------------------------------------------------------------------


async def test_a_repeated_post_is_recognised_for_ten_minutes(
    channels: ChannelManager, clock: Clock
) -> None:
    channel_id = await table(channels)
    first = await channels.post_message("A", channel_id, "x", idempotency_key="k")
    clock.advance(REPEAT_MS / 1000 - 1)
    again = await channels.post_message("A", channel_id, "x", idempotency_key="k")
    assert again.msg_id == first.msg_id
    clock.advance(2)
    later = await channels.post_message("A", channel_id, "x", idempotency_key="k")
    assert later.msg_id == first.msg_id + 1


async def test_a_repeat_that_waits_in_the_same_batch_is_the_same_post(
    channels: ChannelManager,
) -> None:
    channel_id = await table(channels)
    posts = [channels.post_message("A", channel_id, "x", cursor=2) for _ in range(5)]
    done = await asyncio.gather(*posts)
    assert {post.msg_id for post in done} == {3}


async def test_repeats_too_old_to_be_asked_for_are_forgotten(
    channels: ChannelManager, clock: Clock
) -> None:
    channel_id = await table(channels)
    for n in range(10):
        await channels.post_message("A", channel_id, "x", idempotency_key=f"{n}")
    clock.advance(REPEAT_MS / 1000 + 1)
    await channels.post_message("A", channel_id, "x", idempotency_key="new")
    assert len(channels.store.scan(Table.POSTED, channel_id)) == 1
    assert len(channels.room(channel_id).posted) == 1


async def test_a_key_used_again_and_again_keeps_no_other_from_being_forgotten(
    channels: ChannelManager, clock: Clock
) -> None:
    channel_id = await table(channels)
    for n in range(3):
        await channels.post_message("A", channel_id, "x", idempotency_key="again")
        for m in range(5):
            await channels.post_message("A", channel_id, "x", idempotency_key=f"{n} {m}")
        clock.advance(REPEAT_MS / 1000 + 1)
    await channels.post_message("A", channel_id, "x", idempotency_key="again")
    assert len(channels.store.scan(Table.POSTED, channel_id)) == 1
    assert len(channels.room(channel_id).posted) == 1


async def test_repeats_are_forgotten_in_the_order_they_were_made_after_a_restart_too(
    channels: ChannelManager, clock: Clock, mint: Mint
) -> None:
    channel_id = await table(channels)
    for n in range(10):
        await channels.post_message("A", channel_id, "x", idempotency_key=f"{n}")
        clock.advance(50)
    other = manager(channels.store, clock, mint)
    assert [one.msg_id for one in other.room(channel_id).posted.values()] == list(range(3, 13))
    clock.advance(200)
    await other.post_message("A", channel_id, "x", idempotency_key="new")
    assert len(channels.store.scan(Table.POSTED, channel_id)) == 8


# --- hooks ---------------------------------------------------------------------------------


async def test_hooks_that_we_could_not_run_are_tried_again_by_themselves(
    channels: ChannelManager, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("mcp_multiplayer.service.sequencer.RETRY_HOOKS", 0.0)
    channel_id = await table(channels)
    failures = iter([Unavailable("no sandbox"), None])

    class Failing(Gate):
        async def hear(self, room: Replica, owner: Any) -> None:
            if fault := next(failures, None):
                raise fault

    channels.referees = Failing()
    posted = await channels.post_message("A", channel_id, "x")
    room = channels.room(channel_id)
    await until(lambda: room.settled == room.head.size)
    assert not posted.pending
    assert "could not be run" in caplog.text


async def test_hooks_are_tried_again_once_however_many_posts_found_them_broken(
    channels: ChannelManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_multiplayer.service.channel_manager.HANDLED", 0.0)
    channel_id = await table(channels)
    timers: list[float] = []
    loop = asyncio.get_running_loop()
    call_later = loop.call_later

    def note(delay: float, *args: Any, **kwargs: Any) -> asyncio.TimerHandle:
        timers.append(delay)
        return call_later(delay, *args, **kwargs)

    class Broken(Gate):
        async def hear(self, room: Replica, owner: Any) -> None:
            raise Unavailable("no sandbox")

    channels.referees = Broken()
    monkeypatch.setattr(loop, "call_later", note)
    for _ in range(5):
        assert (await channels.post_message("A", channel_id, "x")).pending
    assert timers.count(RETRY_HOOKS) == 1
    channels.referees = NoBots()


async def test_a_queue_that_is_empty_is_forgotten(channels: ChannelManager) -> None:
    channel_id = await table(channels)
    await channels.post_message("A", channel_id, "x")
    await turns()
    assert not channels.lines.busy(channels.room(channel_id))
