"""A key may be taken so often; a quiet one may catch up; others are not touched."""

from __future__ import annotations

import pytest

from mcp_multiplayer import ratelimit
from mcp_multiplayer.ratelimit import RateLimit


class Clock:
    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def spend(limit: RateLimit, key: str) -> int:
    """Take until refused and say how often it went well."""
    for count in range(1_000):
        if limit.take(key):
            return count
    raise AssertionError("never refused")


def test_a_quiet_key_may_take_its_burst_at_once() -> None:
    assert spend(RateLimit(20, 1, burst=40, now=Clock()), "a") == 40
    assert spend(RateLimit(200, 3600, now=Clock()), "a") == 200


def test_what_is_spent_comes_back_with_time() -> None:
    clock = Clock()
    limit = RateLimit(20, 1, burst=40, now=clock)
    spend(limit, "a")
    clock.at += 0.5
    assert spend(limit, "a") == 10


def test_a_wait_is_the_time_until_the_next_is_free_and_no_longer() -> None:
    clock = Clock()
    limit = RateLimit(4, 64, now=clock)
    spend(limit, "a")
    wait = limit.take("a")
    assert wait == 16
    clock.at += wait - 1
    assert limit.take("a") == pytest.approx(1)
    clock.at += 1
    assert limit.take("a") == 0


def test_what_costs_more_takes_more_and_a_refusal_takes_nothing() -> None:
    limit = RateLimit(10, 10, now=Clock())
    assert limit.take("a", 7) == 0
    assert limit.take("a", 4) == 1
    assert limit.take("a", 3) == 0


def test_what_costs_more_than_the_burst_is_let_through_once() -> None:
    clock = Clock()
    limit = RateLimit(10, 10, now=clock)
    assert limit.take("a", 12) == 0
    assert limit.take("a", 12) == 12
    clock.at += 12
    assert limit.take("a", 12) == 0


def test_one_key_cannot_spend_anothers() -> None:
    limit = RateLimit(5, 1, now=Clock())
    spend(limit, "a")
    assert spend(limit, "b") == 5


def test_a_clock_that_is_set_back_takes_nothing_away() -> None:
    clock = Clock()
    limit = RateLimit(5, 1, now=clock)
    limit.take("a")
    clock.at -= 50
    assert spend(limit, "a") == 4


def test_zero_switches_it_off() -> None:
    limit = RateLimit(0, 1, now=Clock())
    assert not any(limit.take("a") for _ in range(1_000))


def test_it_remembers_a_bounded_number_of_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratelimit, "REMEMBERED", 10)
    limit = RateLimit(1, 1, now=Clock())
    for number in range(100):
        limit.take(f"key {number}")
    assert len(limit._left) == 10
