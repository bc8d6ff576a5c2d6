"""What is made of two runs of one hook. That real runs agree is test_replay."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from mcp_multiplayer.errors import Unavailable
from mcp_multiplayer.sandbox.call import (
    Effect,
    Failed,
    Finished,
    HookCall,
    HookResult,
    Limits,
    Said,
    Turn,
)
from mcp_multiplayer.sandbox.host.determinism_check import Twice, run_twice
from mcp_multiplayer.sandbox.host.fair_queue import Owner

CALL = HookCall("class A: pass", "on_init", state={"n": 1})
FETCH = Effect("fetch", b"q", b"r")


@dataclass
class Pool:
    """Answers what it is told to, and remembers what it was asked."""

    answer: HookResult | Exception
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    asked: dict[str, Any] = field(default_factory=dict)
    cancelled: bool = False

    def __post_init__(self) -> None:
        self.gate.set()

    async def run(self, call: HookCall, **asked: Any) -> HookResult:
        self.asked = asked
        self.entered.set()
        if "recording" in asked:
            asked["recording"].begun.set()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def twice(first: Any, second: Any, **kwargs: Any) -> Twice:
    one = first if isinstance(first, Pool) else Pool(first)
    two = second if isinstance(second, Pool) else Pool(second)
    made: Callable[..., Any] = run_twice
    return await made(one, two, CALL, **kwargs)  # type: ignore[no-any-return]


async def test_both_run_at_once() -> None:
    first, second = Pool(Finished()), Pool(Finished())
    first.gate.clear()
    running = asyncio.create_task(twice(first, second))
    await second.entered.wait()
    assert not running.done()
    first.gate.set()
    assert (await running).seen == "same"


async def test_the_second_is_answered_what_the_first_is() -> None:
    first, second = Pool(Finished(effects=(FETCH,))), Pool(Finished(effects=(FETCH,)))
    assert (await twice(first, second)).seen == "same"
    assert "tape" not in first.asked and second.asked["tape"] is first.asked["recording"]


async def test_both_runs_have_the_owner_and_the_limits_of_the_room() -> None:
    first, second, limits = Pool(Finished()), Pool(Finished()), Limits(fuel=7)
    await twice(first, second, owner=Owner("alice"), limits=limits)
    for pool in (first, second):
        assert (pool.asked["owner"], pool.asked["limits"]) == (Owner("alice"), limits)


def said(body: Any, **kwargs: Any) -> Finished:
    return Finished(said=(Said("bot", {"v": body}, **kwargs),))


SAME: list[tuple[HookResult, HookResult]] = [
    (said(1), said(1)),
    (said(1.0), said(1)),
    (said({"a": 1, "b": 2}), said({"b": 2, "a": 1})),
    (Finished(prints="x"), Finished(prints="y")),
    (Finished(state={"n": 1}), Finished()),
    (Failed("KeyError", 3, "at 0x1"), Failed("KeyError", 3, "at 0x2")),
    (Failed("KeyError", 3, draws=1), Failed("KeyError", 3, draws=2)),
    (Failed("FuelLimit", 3), Failed("FuelLimit", 3)),
]
DIFFERENT: list[tuple[HookResult, HookResult]] = [
    (said(1), said(True)),
    (said([1, 2]), said([2, 1])),
    (said(1), Finished()),
    (said(1, to=("a",)), said(1)),
    (said(1, to=("a",), private={"x": 1}), said(1, to=("a",), private={"x": 2})),
    (Finished(state={"n": 2}), Finished()),
    (Finished(turn=Turn(("a",), 1.0)), Finished(turn=Turn(("a",), 2.0))),
    (Finished(turn=Turn(("a",), expect="x")), Finished(turn=Turn(("a",)))),
    (Finished(end={"winners": []}), Finished()),
    (Finished(timers={"x": 1.0}), Finished(timers={"x": None})),
    (Finished(draws=1), Finished(draws=2)),
    (Finished(effects=(FETCH,)), Finished()),
    (Failed("KeyError", 3), Failed("KeyError", 4)),
    (Failed("KeyError", 3), Failed("IndexError", 3)),
    (Failed("KeyError", 3), Finished()),
]


@pytest.mark.parametrize(("first", "second"), SAME)
async def test_what_no_log_holds_may_differ(first: HookResult, second: HookResult) -> None:
    assert await twice(first, second) == Twice(first, "same")


@pytest.mark.parametrize(("first", "second"), DIFFERENT)
async def test_whatever_a_log_holds_has_to_be_the_same(
    first: HookResult, second: HookResult
) -> None:
    seen = await twice(first, second)
    assert seen.seen == "different" and isinstance(seen.result, Failed)
    assert (seen.result.error, seen.result.effects) == ("NonDeterministic", first.effects)


async def test_the_author_hears_what_was_asked_the_second_time() -> None:
    again = Failed("NonDeterministic", text="it asked GET /y where GET /x was recorded")
    seen = await twice(Finished(effects=(FETCH,)), again)
    assert isinstance(seen.result, Failed) and seen.result.text == again.text


@pytest.mark.parametrize(
    "second",
    [
        Failed("TimeLimit", killed=True),
        Failed("Crashed", killed=True),
        Failed("MemoryLimit", killed=True),
        Unavailable("no worker"),
    ],
)
async def test_a_second_run_that_was_killed_leaves_the_first(second: Any) -> None:
    assert await twice(said(1), second) == Twice(said(1), "killed")


async def test_a_first_run_that_was_killed_does_not_wait_for_a_second() -> None:
    first, second = Pool(Failed("TimeLimit", killed=True)), Pool(Finished())
    first.gate.clear()
    second.gate.clear()
    running = asyncio.create_task(twice(first, second))
    await second.entered.wait()
    first.gate.set()
    assert (await running).seen == "killed" and second.cancelled


async def test_no_worker_for_the_first_run_is_the_hosts_own_fault() -> None:
    second = Pool(Finished())
    second.gate.clear()
    with pytest.raises(Unavailable):
        await twice(Unavailable("no worker"), second)


async def test_the_second_run_begins_when_the_first_has_a_worker() -> None:
    """Else it would wait for answers in time of its own, and be killed for it."""
    first, second = Slow(Finished()), Pool(Finished())
    running = asyncio.create_task(twice(first, second))
    await first.queued.wait()
    for _ in range(9):
        await asyncio.sleep(0)
    assert not second.entered.is_set()
    first.worker.set()
    assert (await running).seen == "same"


class Slow(Pool):
    """Has no worker at first."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.queued, self.worker = asyncio.Event(), asyncio.Event()

    async def run(self, call: HookCall, **asked: Any) -> HookResult:
        self.queued.set()
        await self.worker.wait()
        return await super().run(call, **asked)
