"""How a 32-byte key becomes dice. Changes only with the version of the transcript format.

Every draw is one HMAC-SHA256 under the key and a counter, so anybody who knows
the key can repeat the n-th draw without the ones before it. Always one block per
call: the position after a call never depends on what was drawn.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import MutableSequence
from typing import Any

LABEL = b"mpx/draw/1"


def block(key: bytes, position: int) -> bytes:
    """The 32 bytes of one draw."""
    return hmac.digest(key, LABEL + position.to_bytes(8, "big"), hashlib.sha256)


def scale(drawn: bytes, n: int) -> int:
    """A whole number from 0 to n - 1; off uniform by less than 2**-64."""
    return int.from_bytes(drawn[:16], "big") * n >> 128


def unit(drawn: bytes) -> float:
    """A float from 0 up to, not including, 1 with 53 random bits."""
    return (int.from_bytes(drawn[:8], "big") >> 11) / (1 << 53)


class Draws:
    """A key and how many draws were taken from it."""

    def __init__(self, key: bytes, position: int = 0) -> None:
        self.key = key
        self.position = position

    def take(self) -> bytes:
        """The next block."""
        drawn = block(self.key, self.position)
        self.position += 1
        return drawn

    def below(self, n: int) -> int:
        """A whole number from 0 to n - 1, for n up to 2**64."""
        if not 1 <= n <= 1 << 64:
            raise ValueError("below(n) needs 1 <= n <= 2**64")
        return scale(self.take(), n)

    def random(self) -> float:
        """A float from 0 up to, not including, 1."""
        return unit(self.take())

    def shuffle(self, items: MutableSequence[Any]) -> None:
        """Fisher-Yates from the top, in place: one draw for each item but one."""
        for i in range(len(items) - 1, 0, -1):
            j = self.below(i + 1)
            items[i], items[j] = items[j], items[i]
