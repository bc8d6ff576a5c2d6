"""An account may call so often a second; a quiet one may catch up; others are not touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_multiplayer.edge.api import ratelimit
from mcp_multiplayer.edge.api.ratelimit import Limiter
from mcp_multiplayer.errors import RateLimited
from tests.edge.api.house import open_house


class Clock:
    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def spend(limiter: Limiter, account: str) -> int:
    """Call until refused and say how often it went well."""
    for count in range(1_000):
        try:
            limiter.take(account)
        except RateLimited:
            return count
    raise AssertionError("never refused")


def test_a_quiet_account_may_make_two_seconds_worth_at_once() -> None:
    assert spend(Limiter(20, now=Clock()), "a") == 40


def test_what_is_spent_comes_back_with_time() -> None:
    clock = Clock()
    limiter = Limiter(20, now=clock)
    spend(limiter, "a")
    clock.at += 0.5
    assert spend(limiter, "a") == 10


def test_a_refusal_says_when_the_next_call_is_free_and_it_is() -> None:
    clock = Clock()
    limiter = Limiter(4, now=clock)
    spend(limiter, "a")
    with pytest.raises(RateLimited) as caught:
        limiter.take("a")
    clock.at += caught.value.retry_after
    limiter.take("a")


def test_one_account_cannot_spend_anothers_calls() -> None:
    limiter = Limiter(5, now=Clock())
    spend(limiter, "a")
    assert spend(limiter, "b") == 10


def test_a_rate_below_one_lets_the_first_call_through() -> None:
    assert spend(Limiter(0.1, now=Clock()), "a") == 1


def test_zero_switches_it_off() -> None:
    limiter = Limiter(0, now=Clock())
    for _ in range(1_000):
        limiter.take("a")


def test_it_remembers_a_bounded_number_of_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratelimit, "_REMEMBERED", 10)
    limiter = Limiter(1, now=Clock())
    for number in range(100):
        limiter.take(f"account {number}")
    assert len(limiter._left) == 10


async def test_over_rest_it_is_429_with_retry_after(tmp_path: Path) -> None:
    async with open_house(tmp_path, rate_limit=1) as house:
        account = house.account()
        said = [await house.rest(account, "health_check") for _ in range(3)]
    assert [one.status for one in said] == [200, 200, 429]
    assert said[2].refused == "RATE_LIMITED"
    assert said[2].headers["Retry-After"] == "1"
