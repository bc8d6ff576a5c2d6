"""How many watch rooms at the same time without an account.

On the other side is one network that opens streams until nobody else can watch
(`tests/attacks/test_watching_everybody_out.py`): each has its share, and all together a bound.
"""

from __future__ import annotations

from collections import Counter


class Watchers:
    """Counts open streams by sender. ``most`` in all, ``each`` of a sender."""

    def __init__(self, most: int, each: int) -> None:
        self._most = most
        self._each = each
        self._open: Counter[str] = Counter()

    def enter(self, sender: str) -> bool:
        """Take a place, or say that there is none."""
        if self._open.total() >= self._most or self._open[sender] >= self._each:
            return False
        self._open[sender] += 1
        return True

    def leave(self, sender: str) -> None:
        """Give the place back."""
        self._open[sender] -= 1
        if not self._open[sender]:
            del self._open[sender]
