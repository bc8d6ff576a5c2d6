"""Places for workers: they go to whoever used least CPU lately, and nobody holds them all."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_multiplayer.sandbox.host import fair_queue as module
from mcp_multiplayer.sandbox.host.fair_queue import (
    BUSY,
    HALF_LIFE,
    LEAST,
    PROVEN,
    RECENT,
    SERVER,
    SHORT,
    FairQueue,
    Owner,
    Place,
)

HOME, AWAY = "home", "away"
SPIN = 5.0  #: seconds: as long as a hook may go on
ECHO = 0.03  #: CPU seconds of a hook that answers at once


@dataclass
class Queue:
    """Places with a clock moved by hand. ``served``: who got one, in order."""

    total: int = LEAST
    at: float = 1000.0
    served: list[Owner] = field(default_factory=list)
    tasks: list[asyncio.Task[Place]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.shares = FairQueue(self.total, now=lambda: self.at)
        self.held: deque[Place] = deque()

    async def ask(self, owner: Owner, job: str = "on_message") -> asyncio.Task[Place]:
        task = asyncio.create_task(self.shares.take(owner, job))
        task.add_done_callback(self._note)
        self.tasks.append(task)
        for _ in range(3):
            await asyncio.sleep(0)
        return task

    def _note(self, task: asyncio.Task[Place]) -> None:
        if not task.cancelled():
            self.held.append(task.result())
            self.served.append(task.result().owner)

    async def run(self, owner: Owner, cpu: float, job: str = "on_message") -> None:
        """A hook that nobody else's delays."""
        place = await self.shares.take(owner, job)
        self.at += cpu
        self.shares.give(place, cpu)

    async def end(self, cpu: float, place: Place | None = None) -> None:
        """The longest running hook ends, or this one; it took so much CPU."""
        place = place or self.held[0]
        self.held.remove(place)
        self.shares.give(place, cpu)
        for _ in range(3):
            await asyncio.sleep(0)

    async def close(self) -> None:
        """Nobody waits any more and nobody holds anything."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        while self.held:
            await self.end(ECHO)


def crowd(network: str, count: int = 50, name: str = "spinner") -> list[Owner]:
    return [Owner(f"{name} {n}", network) for n in range(count)]


@pytest.mark.parametrize("total", [4, 8, 13, 128])
async def test_fifty_accounts_of_one_network_leave_a_place_to_every_other(total: int) -> None:
    queue = Queue(total)
    for owner in crowd(HOME, 3 * total):
        await queue.ask(owner)
    assert len(queue.held) < total
    assert (await queue.ask(Owner("neighbour", AWAY))).done()
    await queue.close()


@pytest.mark.parametrize("total", [4, 8, 13, 128])
async def test_newcomers_leave_a_place_to_who_is_known_in_their_network(total: int) -> None:
    queue = Queue(total)
    resident = Owner("resident", HOME)
    await queue.run(resident, ECHO)
    for owner in crowd(HOME, 3 * total):
        await queue.ask(owner)
    assert (await queue.ask(resident)).done()
    await queue.close()


async def test_what_an_account_did_in_another_hook_says_little_of_this_one() -> None:
    """Fifty bots that greet at once and spin when they are spoken to are no residents."""
    queue = Queue()
    for owner in crowd(HOME):
        await queue.run(owner, ECHO, "on_init")
        await queue.run(owner, ECHO, "on_join")
    resident = Owner("resident", HOME)
    for _ in range(PROVEN):
        await queue.run(resident, ECHO, "of another room")
    for owner in crowd(HOME):
        await queue.ask(owner)
    assert (await queue.ask(resident)).done()
    await queue.close()


async def test_whoever_spun_is_no_resident_until_its_hooks_are_short_again() -> None:
    queue = Queue()
    owner = Owner("turncoat", HOME)
    await queue.run(owner, ECHO)
    await queue.run(owner, SPIN)
    for other in crowd(HOME):
        await queue.ask(other)
    waiting = await queue.ask(owner)
    assert not waiting.done()
    await queue.close()
    for _ in range(4 * RECENT):
        await queue.run(owner, ECHO)
    for other in crowd(HOME, name="others"):
        await queue.ask(other)
    assert (await queue.ask(owner)).done()
    await queue.close()


async def test_the_network_that_used_less_goes_first_whoever_waits_longer() -> None:
    queue = Queue(1)
    await queue.run(Owner("a", HOME), 3.0)
    await queue.run(Owner("b", AWAY), 1.0)
    await queue.ask(Owner("x", "third"))
    await queue.ask(Owner("never seen", HOME))
    await queue.ask(Owner("b", AWAY))
    await queue.end(ECHO)
    await queue.end(ECHO)
    assert [owner.network for owner in queue.served] == ["third", AWAY, HOME]
    await queue.close()


async def test_within_a_network_the_account_that_used_less_goes_first() -> None:
    queue = Queue(1)
    one, two, new = Owner("one", HOME), Owner("two", HOME), Owner("new", HOME)
    await queue.run(one, 3.0)
    await queue.run(two, 1.0)
    await queue.ask(Owner("x", HOME))
    for owner in (one, two, new):
        await queue.ask(owner)
    for _ in range(3):
        await queue.end(ECHO)
    assert queue.served[1:] == [new, two, one]
    await queue.close()


async def test_what_was_used_fades_by_half() -> None:
    queue = Queue(1)
    early, late = Owner("early", HOME), Owner("late", AWAY)
    await queue.run(early, 3.0)
    queue.at += HALF_LIFE
    await queue.run(late, 2.0)  # early's are 1.5 by now
    await queue.ask(Owner("x", "third"))
    await queue.ask(late)
    await queue.ask(early)
    await queue.end(ECHO)
    assert queue.served[-1] == early
    await queue.close()


async def test_what_still_runs_counts() -> None:
    """Else a hook would cost nothing until it ends, and twenty at once would not."""
    queue = Queue()
    other = Owner("other", AWAY)
    await queue.run(other, 1.0)
    await queue.ask(Owner("spinner", HOME))
    for name in ("third", "fourth", "fifth"):
        await queue.ask(Owner("x", name))
    queue.at += 2.0
    await queue.ask(Owner("second", HOME))
    await queue.ask(other)
    await queue.end(ECHO, queue.held[-1])
    assert queue.served[-1] == other
    await queue.close()


async def test_waiting_in_a_place_costs_too() -> None:
    """A hook that waits for the network uses no CPU, and keeps a place from others."""
    queue = Queue(1)
    waiter, worker = Owner("waiter", HOME), Owner("worker", AWAY)
    place = await queue.shares.take(waiter)
    queue.at += SPIN
    queue.shares.give(place, 0.01)
    await queue.run(worker, 0.1)
    await queue.ask(Owner("x", "third"))
    await queue.ask(waiter)
    await queue.ask(worker)
    await queue.end(ECHO)
    assert queue.served[-1] == worker
    await queue.close()


async def test_waiting_long_is_not_being_short() -> None:
    queue = Queue()
    waiter = Owner("waiter", HOME)
    place = await queue.shares.take(waiter, "on_message")
    queue.at += SPIN
    queue.shares.give(place, 0.01)
    for owner in crowd(HOME):
        await queue.ask(owner)
    assert not (await queue.ask(waiter)).done()
    await queue.close()


async def test_a_worker_that_nobody_could_measure_costs_its_time() -> None:
    queue = Queue()
    unlucky = Owner("unlucky", HOME)
    place = await queue.shares.take(unlucky, "on_message")
    queue.at += 1.0
    queue.shares.give(place, None)
    for owner in crowd(HOME):
        await queue.ask(owner)
    assert not (await queue.ask(unlucky)).done()
    await queue.close()


async def test_busy_networks_leave_a_place_to_a_quiet_one_together() -> None:
    queue = Queue()
    networks = [f"botnet {n}" for n in range(8)]
    for name in networks:
        queue.shares.give(await queue.shares.take(Owner("a", name)), BUSY)
    for name in networks:
        for n in range(4):
            await queue.ask(Owner(str(n), name))
    assert len(queue.held) == LEAST - 1
    assert (await queue.ask(Owner("neighbour", AWAY))).done()
    await queue.close()


async def test_an_account_gets_half_of_the_places() -> None:
    queue = Queue(8)
    greedy = Owner("greedy", HOME)
    await queue.run(greedy, ECHO)
    for _ in range(12):
        await queue.ask(greedy)
    assert len(queue.held) == 4
    await queue.close()


async def test_the_server_itself_may_hold_all_and_goes_first() -> None:
    queue = Queue()
    for _ in range(LEAST):
        assert (await queue.ask(SERVER)).done()
    await queue.ask(Owner("a", HOME))
    await queue.ask(SERVER)
    await queue.end(100.0)
    assert queue.served[-1] == SERVER
    await queue.close()


async def test_the_server_is_not_among_the_accounts_without_a_network() -> None:
    queue = Queue()
    for _ in range(2):
        await queue.ask(SERVER)
    await queue.ask(Owner("old login", ""))
    assert len(queue.held) == 3
    await queue.close()


async def test_who_gives_up_waiting_keeps_nobody_waiting() -> None:
    queue = Queue(1)
    await queue.ask(Owner("a"))
    gone = await queue.ask(Owner("b"))
    following = await queue.ask(Owner("c"))
    gone.cancel()
    await asyncio.sleep(0)
    await queue.end(ECHO)
    await asyncio.wait_for(following, 5)
    await queue.close()


async def test_a_place_given_to_who_gave_up_is_not_lost() -> None:
    shares = FairQueue(1)
    place = await shares.take(Owner("a"))
    late = asyncio.create_task(shares.take(Owner("b")))
    await asyncio.sleep(0)
    shares.give(place, ECHO)  # b has it now, but has not run yet
    late.cancel()
    with pytest.raises(asyncio.CancelledError):
        await late
    await asyncio.wait_for(shares.take(Owner("c")), 5)


async def test_a_place_that_comes_free_while_its_next_taker_gives_up_is_not_lost() -> None:
    shares = FairQueue(1)
    place = await shares.take(Owner("a"))
    gone = asyncio.create_task(shares.take(Owner("b")))
    await asyncio.sleep(0)
    gone.cancel()  # it waits no more, and has not run since
    shares.give(place, ECHO)
    with pytest.raises(asyncio.CancelledError):
        await gone
    await asyncio.wait_for(shares.take(Owner("c")), 5)


async def test_accounts_without_end_are_not_remembered_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 10)
    monkeypatch.setattr(module, "JOBS", 10)
    queue = Queue()
    await queue.ask(Owner("holds on", HOME))
    for n in range(100):
        await queue.run(Owner(str(n), str(n)), ECHO)
        await queue.run(Owner("writer", AWAY), ECHO, str(n))
    assert len(queue.shares._accounts) <= 12
    assert len(queue.shares._networks) <= 12
    assert Owner("holds on", HOME) in queue.shares._accounts
    assert len(queue.shares._accounts[Owner("writer", AWAY)]._jobs) == 10
    await queue.close()


owners = st.builds(Owner, st.sampled_from("abc"), st.sampled_from(["", HOME, AWAY]))


@given(
    st.lists(st.tuples(owners | st.just(SERVER), st.sampled_from([0.0, ECHO, SHORT, SPIN]))),
    st.integers(1, 9),
)
def test_whoever_comes_everybody_is_served(asked: list[tuple[Owner, float]], total: int) -> None:
    async def play() -> None:
        at, held = 0.0, 0
        shares = FairQueue(total, now=lambda: at)

        async def one(owner: Owner, cpu: float) -> None:
            nonlocal at, held
            place = await shares.take(owner)
            held += 1
            assert held <= total
            await asyncio.sleep(0)
            at += cpu
            held -= 1
            shares.give(place, cpu)

        await asyncio.wait_for(asyncio.gather(*(one(*who) for who in asked)), 20)
        assert not shares._waiting and not shares._held and shares._free == total

    asyncio.run(play())
