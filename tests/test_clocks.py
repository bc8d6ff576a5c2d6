"""Clocks of referees ring when time is up: with nobody there, after a restart, and once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from mcp_multiplayer.channel.model import DAY
from mcp_multiplayer.channel.ops import read_ops
from mcp_multiplayer.demo.pair import SERVER, Pair, eventually
from mcp_multiplayer.errors import HeadMoved, Unavailable
from mcp_multiplayer.sandbox.call import Finished, HookCall, HookResult, Said, Turn
from mcp_multiplayer.service.replica import CLOCK, Replica
from mcp_multiplayer.storage.base import Append, Store, Table
from mcp_multiplayer.storage.sqlite import SqliteStore
from tests.harness import (
    Clock,
    CountingStore,
    Hook,
    House,
    Mint,
    entries,
    quiet,
    turns,
    until,
    verified,
)
from tests.players import rest

SECONDS = 60


def turn(*players: str, seconds: float | None = SECONDS) -> Hook:
    """A hook that gives the turn, with a clock."""
    return lambda call: Finished(turn=Turn(players, seconds, "a move"))


def rang(call: HookCall) -> HookResult:
    """Says which clock rang, and ends the game."""
    said = Said("bot", {"text": f"{call.args[0]} at {call.now:.0f}"})
    return Finished(said=(said,), end={"winners": ["bob"], "reason": "time"})


def clocks(**seconds: float | None) -> Hook:
    return lambda call: Finished(timers=seconds)


async def game(house: House, **hooks: Hook) -> Replica:
    """alice has a minute for her move; when it is over, bob has won."""
    script: dict[str, Hook] = {"on_start": turn("alice"), "on_timer": rang} | hooks
    return await house.room(house.pool.script("Judge", **script))


async def look(house: House, seconds: float = 0.0) -> None:
    """Let time pass, and do what the loop would do then."""
    house.clock.advance(seconds)
    house.channels.alarms.look()
    await settled(house)


async def settled(house: House) -> None:
    await turns()
    await house.channels.lines.finish()


def index(house: House) -> dict[str, int]:
    """When referees' clocks run out; the day on which a seed comes out is days away."""
    dues = {channel: int(due) for channel, due in house.store.find(Table.TIMER, CLOCK)}
    soon = house.channels.now_ms() + 6 * DAY
    return {channel: due for channel, due in dues.items() if due < soon}


def rings(house: House) -> list[str]:
    return [heard for heard in house.pool.heard() if heard.startswith("on_timer")]


async def test_when_a_turn_is_over_its_referee_is_told_once_with_nobody_there(
    house: House,
) -> None:
    room = await game(house)
    due = int((house.clock.at + SECONDS) * 1000)
    assert room.channel.turn and room.channel.turn.deadline == due
    assert index(house) == {room.channel_id: due}
    await look(house, SECONDS - 0.001)
    assert rings(house) == []
    await look(house, 0.001)
    await look(house, SECONDS)
    assert rings(house) == ["on_timer turn"]
    assert house.pool.calls[-1].now == due / 1000
    assert room.channel.result == {"winners": ["bob"], "reason": "time"}
    (tick,) = entries(house.store, room.channel_id, "tick")
    assert (tick["bot"], tick["name"], tick["ts"]) == ("judge", "turn", due)
    assert index(house) == {}
    verified(house.store, room.channel_id)


async def test_the_time_is_in_the_log_in_ms(house: House) -> None:
    room = await game(house, on_init=clocks(a=1.5, b=None))
    init, start = entries(house.store, room.channel_id, "run")
    now = int(house.clock.at * 1000)
    assert init["timers"] == {"a": now + 1500, "b": None}
    assert start["turn"] == {
        "players": ["alice"],
        "expect": "a move",
        "deadline": now + SECONDS * 1000,
    }


async def test_whoever_waits_for_the_turn_wakes_when_the_clock_gives_it(house: House) -> None:
    room = await game(house, on_timer=turn("bob"))
    waiting = asyncio.create_task(
        house.channels.sync_messages(
            "B", room.channel_id, cursor=room.channel.messages, wait=1000, until_my_turn=True
        )
    )
    await turns()
    assert not waiting.done()
    await look(house, SECONDS)
    (told,) = (await waiting).page.messages
    assert (told.body["type"], told.body["players"]) == ("turn", ["bob"])


@pytest.mark.parametrize(
    "move",
    [turn("bob", seconds=None), turn(), lambda call: Finished(end={"winners": []})],
    ids=["another turn", "no turn", "the end"],
)
async def test_a_move_in_time_stops_the_clock(house: House, move: Hook) -> None:
    room = await game(house, on_message=move)
    await house.channels.post_message("A", room.channel_id, "in time")
    assert index(house) == {}
    await look(house, 10 * SECONDS)
    assert rings(house) == []


async def test_each_turn_has_a_clock_of_its_own(house: House) -> None:
    room = await game(house, on_message=turn("bob"))
    house.clock.advance(SECONDS - 1)
    await house.channels.post_message("A", room.channel_id, "just in time")
    await look(house, SECONDS - 1)
    assert rings(house) == []
    await look(house, 1)
    assert rings(house) == ["on_timer turn"]


async def test_a_referee_has_clocks_by_name(house: House) -> None:
    plan = iter([clocks(b=None, c=30), quiet, quiet])
    hooks: dict[str, Hook] = {"on_init": clocks(a=10, b=20), "on_timer": lambda c: next(plan)(c)}
    await house.room(house.pool.script("Judge", **hooks))
    for _ in range(50):
        await look(house, 1)
    assert rings(house) == ["on_timer a", "on_timer c"]
    assert index(house) == {}


async def test_clocks_that_ran_out_together_ring_one_after_the_other(house: House) -> None:
    """The first one's hook may stop the next."""
    stop: Hook = lambda call: Finished(timers={"b": None})  # noqa: E731
    await house.room(
        house.pool.script("Judge", on_init=clocks(a=1, b=2, c=3), on_timer=stop),
    )
    await look(house, 100)
    assert rings(house) == ["on_timer a", "on_timer c"]


async def test_the_clock_of_a_referee_that_was_removed_rings_no_more(house: House) -> None:
    source = house.pool.script("Judge", on_init=clocks(a=5), on_timer=quiet)
    room = await house.room(source, account="A", join_as="alice", slots=("invite:alice",))
    await house.channels.update_channel(
        "A", room.channel_id, read_ops([{"op": "remove_bot", "bot_id": "judge"}]), bots={}
    )
    assert index(house) == {}
    await look(house, 100)
    assert rings(house) == []


async def test_a_clock_that_nobody_hears_leaves_its_tick_and_nothing_else(house: House) -> None:
    room = await house.room(house.pool.script("Judge", on_start=turn("alice")))
    await look(house, SECONDS)
    assert len(entries(house.store, room.channel_id, "tick")) == 1
    assert room.channel.turn
    assert index(house) == {}


# --- in what order -------------------------------------------------------------------------


async def test_a_move_made_in_time_counts_however_long_it_waits(house: House) -> None:
    gate = asyncio.Event()

    async def hold(call: HookCall) -> None:
        await gate.wait()

    order: Callable[[], list[str]] = lambda: house.pool.heard()[-3:]  # noqa: E731
    room = await game(house, on_message=quiet)
    house.pool.before = hold
    posts = []
    for text in ("slow", "in time"):
        posts.append(asyncio.create_task(house.channels.post_message("A", room.channel_id, text)))
        await turns()
    house.clock.advance(SECONDS)
    house.channels.alarms.look()
    await turns()
    assert rings(house) == [], "its turn comes after what came before it"
    gate.set()
    await asyncio.gather(*posts)
    await settled(house)
    assert order() == ["on_message slow", "on_message in time", "on_timer turn"]
    verified(house.store, room.channel_id)


async def test_a_late_move_finds_the_clock_run_out(house: House) -> None:
    """Even when the message is there before the loop has looked at the clock."""
    room = await game(house, on_message=quiet)
    house.clock.advance(SECONDS + 1)
    await house.channels.post_message("A", room.channel_id, "too late")
    assert house.pool.heard()[-2:] == ["on_timer turn", "on_message too late"]


async def test_no_clock_rings_while_hooks_are_due_that_might_stop_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_multiplayer.service.channel_manager.HANDLED", 0.001)
    monkeypatch.setattr("mcp_multiplayer.service.sequencer.RETRY_HOOKS", 0.1)
    room = await game(house, on_message=turn("bob", seconds=None))
    broken = True

    async def fail(call: HookCall) -> None:
        if broken:
            raise Unavailable("no worker")

    house.pool.before = fail
    assert (await house.channels.post_message("A", room.channel_id, "in time")).pending
    house.clock.advance(SECONDS)
    house.channels.alarms.look()
    await turns(200)
    assert entries(house.store, room.channel_id, "tick") == []
    assert len(house.pool.calls) < 10, "nor is anything tried without a pause"
    broken = False
    await until(lambda: room.settled == room.head.size)
    await look(house, SECONDS)
    assert rings(house) == []


async def test_clocks_take_no_more_of_the_server_than_messages_may(
    store: Store, clock: Clock, mint: Mint
) -> None:
    house = House(store, clock, mint, hooks_per_minute=2)
    again: Hook = clocks(a=1)
    room = await house.room(house.pool.script("Judge", on_init=again, on_timer=again))
    for _ in range(60):
        await look(house, 2)
    assert len(rings(house)) == 2 + 2 * 2 - 1, "two at once, then two a minute"
    await until(lambda: room.settled == room.head.size)
    await house.channels.close()


# --- restarts and crashes ------------------------------------------------------------------


async def restarted(house: House) -> None:
    """As after a restart: nothing in memory, and nobody comes."""
    house.channels.alarms.close()
    house.start()
    house.channels.start_clocks()


async def test_a_clock_survives_a_restart_on_the_same_file(
    tmp_path: Path, clock: Clock, mint: Mint
) -> None:
    house = House(SqliteStore(tmp_path / "channels.db"), clock, mint)
    room = await game(house)
    await house.channels.close()
    clock.advance(SECONDS - 1)
    house.store = SqliteStore(tmp_path / "channels.db")
    await restarted(house)
    await look(house)
    assert rings(house) == []
    await look(house, 1)
    assert rings(house) == ["on_timer turn"]
    assert house.channels.room(room.channel_id).channel.status == "ended"
    await house.channels.close()


async def test_a_clock_that_ran_out_meanwhile_rings_at_the_start(house: House) -> None:
    room = await game(house)
    house.clock.advance(7 * 86_400)
    await restarted(house)
    await until(lambda: rings(house) == ["on_timer turn"])
    await settled(house)
    (tick,) = entries(house.store, room.channel_id, "tick")
    assert tick["ts"] == int(house.clock.at * 1000)
    await restarted(house)
    await look(house, 86_400)
    assert rings(house) == ["on_timer turn"]


@pytest.mark.parametrize("hook", [rang, quiet], ids=["speaks", "is silent"])
async def test_a_crash_between_tick_and_hook_runs_the_hook_with_nobody_there(
    house: House, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_multiplayer.service.sequencer.RETRY_HOOKS", 3600.0)
    room = await game(house, on_timer=hook)

    async def die(call: HookCall) -> None:
        raise Unavailable("the process is gone")

    house.pool.before = die
    await look(house, SECONDS)
    assert len(entries(house.store, room.channel_id, "tick")) == 1
    house.pool.before = None
    house.pool.calls.clear()
    await restarted(house)
    await until(lambda: rings(house) == ["on_timer turn"])
    await settled(house)
    assert len(entries(house.store, room.channel_id, "tick")) == 1
    assert index(house) == {}
    await restarted(house)
    await look(house)
    assert rings(house) == ["on_timer turn"]


async def test_a_tick_that_could_not_be_written_is_written_later(
    store: Store, clock: Clock, mint: Mint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_multiplayer.service.sequencer.RETRY_HOOKS", 0.0)
    counted = CountingStore(store)
    house = House(counted, clock, mint)
    await game(house)
    counted.fail = [Unavailable("the disk is full")] * 3
    clock.advance(SECONDS)
    house.channels.alarms.look()
    await until(lambda: rings(house) == ["on_timer turn"])
    await settled(house)
    assert counted.fail == []
    await house.channels.close()


async def test_two_nodes_that_wait_for_the_same_clock_ring_once(
    store: Store, clock: Clock, mint: Mint
) -> None:
    one, two = House(store, clock, Mint("one")), House(store, clock, Mint("two"))
    room = await game(one)
    two.pool = one.pool
    two.start()
    two.channels.room(room.channel_id)
    await settled(two)
    clock.advance(SECONDS)
    for house in (one, two):
        house.channels.alarms.look()
    await settled(one)
    await settled(two)
    assert len(entries(store, room.channel_id, "tick")) == 1
    assert len(entries(store, room.channel_id, "run")) == 2
    verified(store, room.channel_id)


async def test_the_index_of_clocks_is_put_right_though_another_writer_was_first(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it names a clock that has rung, and every start looks there for nothing."""
    await game(house, on_timer=quiet)
    append, late = house.store.append, [HeadMoved("late")]

    def first_late(change: Append) -> Future[None]:
        if late and not change.leaves and not change.unconditional:
            failed: Future[None] = Future()
            failed.set_exception(late.pop())
            return failed
        return append(change)

    monkeypatch.setattr(house.store, "append", first_late)
    await look(house, SECONDS)
    assert rings(house) == ["on_timer turn"]
    assert late == [] and index(house) == {}


# --- the real pair -------------------------------------------------------------------------

WAITER = """
class Waiter:
    def on_start(self):
        self.ctx.set_turn([self.ctx.players[0]], seconds=self.params["seconds"], expect="a word")
        self.ctx.set_timer("first", 1)
    def on_message(self, msg):
        self.ctx.set_turn([self.ctx.players[1]], seconds=86400)
    def on_timer(self, name):
        self.ctx.post("bot", {"rang": name})
        if name == "turn":
            self.ctx.end({"winners": [self.ctx.players[1]], "reason": "time"})
"""


@pytest.mark.servers
async def test_over_the_wire_a_second_is_a_second_and_a_killed_server_forgets_no_clock(
    tmp_path: Path,
) -> None:
    pair = Pair(tmp_path / "pair")
    try:
        await asyncio.to_thread(pair.start)
        async with rest(pair.base, "alice") as alice, rest(pair.base, "bob") as bob:

            async def play(seconds: float) -> tuple[str, dict[str, Any]]:
                made = await alice.call(
                    "create_channel",
                    bot_code=WAITER,
                    bot_params={"seconds": seconds},
                    join_as="alice",
                )
                joined = await bob.call("join_channel", invite_code=made["invites"][0])
                return made["channel_id"], joined

            room, joined = await play(1.5)
            assert joined["view"]["turn"]["deadline"].endswith("Z")
            over = await bob.call("sync_messages", channel_id=room, cursor=1, until="my_turn")
            over |= await bob.call("get_channel_info", channel_id=room)
            assert over["view"]["result"]["winners"] == ["bob"]
            told = await bob.call("sync_messages", channel_id=room, cursor=0, timeout_ms=0)
            rung = [one["body"]["rang"] for one in told["messages"] if "rang" in one["body"]]
            assert rung == ["first", "turn"]

            room, _ = await play(3)
            pair.kill(SERVER)  # the clock runs on while nobody is there
            await asyncio.to_thread(pair.wait)
            record = tmp_path / "pair" / "data" / "channels.db"

            def index() -> list[tuple[str, bytes]]:
                store = SqliteStore(record)
                try:
                    return store.find(Table.TIMER, CLOCK)
                finally:
                    store.close()

            await asyncio.to_thread(eventually, lambda: index() == [], "the clock to ring unasked")
            info = await bob.call("get_channel_info", channel_id=room)
            assert info["view"]["result"]["reason"] == "time"
    finally:
        pair.stop()
