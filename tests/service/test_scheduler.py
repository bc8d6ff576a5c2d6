"""Alarms ring when they are due, for channels that nobody has in memory."""

from __future__ import annotations

import asyncio

import pytest

from mcp_multiplayer.service.scheduler import AGAIN, AT_ONCE, Scheduler
from tests.harness import Clock, until


class Bells:
    """Alarms by a clock that stands still, and who was rung for."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.rung: list[str] = []
        self.alarms = Scheduler(self.now, self.rung.append)

    def now(self) -> int:
        return int(self.clock() * 1000)

    def after(self, seconds: float) -> list[str]:
        """Who is rung for when so much time has passed."""
        self.clock.advance(seconds)
        self.rung.clear()
        self.alarms.look()
        return list(self.rung)


@pytest.fixture
def bells(clock: Clock) -> Bells:
    return Bells(clock)


async def test_each_rings_once_in_the_order_of_time(bells: Bells) -> None:
    now = bells.now()
    for channel, seconds in (("c", 30), ("a", 10), ("b", 20)):
        bells.alarms.set(channel, now + seconds * 1000)
    assert bells.after(9.9) == []
    assert bells.after(0.1) == ["a"]
    assert bells.after(3600) == ["b", "c"]
    assert bells.after(3600) == []


async def test_the_last_word_holds(bells: Bells) -> None:
    now = bells.now()
    for seconds in (5, 50, 20, 20):
        bells.alarms.set("moved", now + seconds * 1000)
    bells.alarms.set("gone", now + 5000)
    bells.alarms.set("gone", None)
    bells.alarms.set("never set", None)
    assert bells.after(19) == []
    assert bells.after(1) == ["moved"]
    assert bells.after(100) == []


async def test_what_holds_no_more_takes_no_room(bells: Bells) -> None:
    now = bells.now()
    for n in range(10_000):
        bells.alarms.set("restless", now + 10**9 + n)
    assert len(bells.alarms._heap) <= 2 + AT_ONCE
    assert bells.after(10**6 + 9.999) == ["restless"]


async def test_one_rooms_fault_does_not_stop_the_others(
    bells: Bells, caplog: pytest.LogCaptureFixture
) -> None:
    rung: list[str] = []

    def ring(channel: str) -> None:
        rung.append(channel)
        if channel == "broken":
            raise OSError("its log cannot be read")

    bells.alarms._ring = ring
    for channel in ("broken", "whole"):
        bells.alarms.set(channel, bells.now())
    bells.after(0)
    assert rung == ["broken", "whole"]
    assert "nobody could be told" in caplog.text
    bells.after(AGAIN / 1000)
    assert rung == ["broken", "whole", "broken"]


async def test_after_a_long_pause_others_get_the_loop_in_between(bells: Bells) -> None:
    for n in range(3 * AT_ONCE):
        bells.alarms.set(f"{n}", bells.now())
    bells.alarms.look()
    assert len(bells.rung) == AT_ONCE
    await until(lambda: len(bells.rung) == 3 * AT_ONCE)


async def test_the_loop_wakes_it_by_itself_and_never_after_the_end(clock: Clock) -> None:
    bells, closed = Bells(clock), Bells(clock)
    for each in (closed, bells):
        each.alarms.set("a", each.now())
    closed.alarms.close()
    closed.alarms.set("b", closed.now())
    await until(lambda: bells.rung == ["a"])
    await asyncio.sleep(0)
    assert closed.rung == []
