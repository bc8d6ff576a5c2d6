"""Waiting for a channel costs one future, and no notification is missed."""

from __future__ import annotations

import asyncio

from mcp_multiplayer.service.notifier import Notifier
from tests.harness import turns


async def test_a_condition_that_holds_already_waits_for_nothing() -> None:
    notifier = Notifier()
    assert await notifier.until(lambda: True, 0) is True
    assert await notifier.until(lambda: True, 1000) is True
    assert len(notifier) == 0


async def test_without_time_nobody_waits() -> None:
    assert await Notifier().until(lambda: False, 0) is False
    assert await Notifier().until(lambda: False, -1) is False


async def test_a_notification_wakes_everybody_whose_condition_holds_and_nobody_else() -> None:
    notifier, said = Notifier(), 0
    first = asyncio.create_task(notifier.until(lambda: said >= 1, 1000))
    second = asyncio.create_task(notifier.until(lambda: said >= 2, 1000))
    await turns()
    assert len(notifier) == 2
    said = 1
    notifier.notify()
    assert await first is True
    await turns()
    assert not second.done()
    said = 2
    notifier.notify()
    assert await second is True


async def test_a_wait_ends_with_its_time() -> None:
    notifier = Notifier()
    assert await notifier.until(lambda: False, 0.001) is False
    assert len(notifier) == 0


async def test_what_came_true_without_a_ring_is_seen_when_time_is_up() -> None:
    notifier, looks = Notifier(), iter([False, True])
    assert await notifier.until(lambda: next(looks), 0.001) is True


async def test_a_waiter_that_is_cancelled_is_forgotten() -> None:
    notifier = Notifier()
    task = asyncio.create_task(notifier.until(lambda: False, 1000))
    await turns()
    task.cancel()
    await turns()
    assert task.cancelled()
    assert len(notifier) == 0
    notifier.notify()


async def test_a_ring_between_being_woken_and_waiting_again_is_not_missed() -> None:
    notifier, said = Notifier(), 0
    task = asyncio.create_task(notifier.until(lambda: said == 2, 1000))
    await turns()
    said = 1
    notifier.notify()
    said = 2  # before the waiter has run
    notifier.notify()
    assert await task is True


async def test_a_thousand_idle_waiters_are_a_thousand_futures() -> None:
    notifier, open_ = Notifier(), False
    tasks = [asyncio.create_task(notifier.until(lambda: open_, 1000)) for _ in range(1000)]
    await turns()
    assert len(notifier) == 1000
    open_ = True
    notifier.notify()
    assert all(await asyncio.gather(*tasks))
    assert len(notifier) == 0
