"""How many workers a pool should have ready: as many as were at work at once lately.

A worker that is made while a hook waits for it costs that hook several times what it takes itself,
and one that waits costs memory. So a rush keeps what it needs, and a quiet hour gives it back.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

HALF_LIFE = 10.0  #: seconds after which half of a rush is forgotten


class Load:
    """The most at once, fading."""

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._most, self._at = 0.0, now()

    def see(self, at_once: int) -> None:
        """So many are at work now."""
        self._most, self._at = max(float(at_once), self._faded()), self._now()

    def lately(self) -> int:
        """The most at work at once, as far as it is not forgotten."""
        return round(self._faded())

    def _faded(self) -> float:
        return self._most * math.exp2((self._at - self._now()) / HALF_LIFE)
