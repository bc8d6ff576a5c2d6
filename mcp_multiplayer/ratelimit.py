"""How often somebody may do something: a token bucket for each key.

The only limiter there is: calls of an account, registrations of an address, messages that the bots
of a channel hear. Kept in memory: a restart forgets it, and no stranger can cause one. Bounded: a
flood of keys pushes out those that were quiet for longest, who then begin with a full bucket.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

REMEMBERED = 10_000  #: keys
_ROUNDING = 1e-9  #: tokens


class RateLimit:
    """At most ``burst`` at once for each key (default: ``limit``), and ``limit`` in ``seconds`` in
    the long run. A limit of 0 is none. May be used from any thread."""

    def __init__(
        self,
        limit: float,
        seconds: float,
        *,
        burst: float | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate = limit / seconds
        self._burst = limit if burst is None else burst
        self._now = now
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # key -> (tokens, at)
        self._lock = threading.Lock()

    def give(self, key: str, cost: float = 1.0) -> None:
        """Give back what was taken for something that turned out not to count."""
        with self._lock:
            if key in self._left:
                left, at = self._left[key]
                self._left[key] = (min(max(self._burst, cost), left + cost), at)

    def take(self, key: str, cost: float = 1.0) -> float:
        """Take ``cost`` of the key's tokens and return 0, or take nothing and return the seconds
        until there are enough. A cost above the burst is met by a bucket that holds so much."""
        if not self._rate:
            return 0.0
        most, now = max(self._burst, cost), self._now()
        with self._lock:
            left, at = self._left.pop(key, (most, now))
            left = min(most, left + max(0.0, now - at) * self._rate)
            short = cost - left
            wait = short / self._rate if short > _ROUNDING else 0.0
            self._left[key] = (left if wait else max(0.0, left - cost), now)
            if len(self._left) > REMEMBERED:
                self._left.popitem(last=False)
        return wait
