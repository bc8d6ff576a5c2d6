"""How many calls a second an account may make (RATE_LIMIT). Counted before addresses,
for all of a vendor's users share a few of those."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from mcp_multiplayer.errors import RateLimited

_REMEMBERED = 10_000  #: accounts; whoever was forgotten starts with a full allowance
BURST_SECONDS = 2.0  #: an account that was quiet may make this many seconds' worth at once


class Limiter:
    """A token bucket for each account; ``rate`` 0 switches it off."""

    def __init__(self, rate: float, *, now: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._most = max(1.0, rate * BURST_SECONDS)
        self._now = now
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, account: str) -> None:
        """Count one call, or raise `RateLimited` with the time until the next is free."""
        if not self._rate:
            return
        now = self._now()
        left, at = self._left.pop(account, (self._most, now))
        left = min(self._most, left + (now - at) * self._rate)
        allowed = left >= 1
        self._left[account] = (left - 1 if allowed else left, now)
        if len(self._left) > _REMEMBERED:
            self._left.popitem(last=False)
        if not allowed:
            raise RateLimited(
                f"more than {self._rate:g} calls a second", retry_after=(1 - left) / self._rate
            )
