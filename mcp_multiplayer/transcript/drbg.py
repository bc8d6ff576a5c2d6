"""How a 32-byte key becomes dice.

Each hook draws from a stream of its own, whose key follows from the epoch's. Every draw is one
HMAC-SHA256 under that key and a counter, so anybody who knows the key can repeat the n-th draw
without the ones before it. Always one block per call: what a later call gets never depends on
what was drawn.
"""

from __future__ import annotations

import hashlib
import hmac

LABEL = b"mpx/draw/1"
SIZE = 32  #: bytes of a block


def hook_key(epoch_key: bytes, nth: int) -> bytes:
    """The key of one hook's stream. ``nth`` counts the bot's hooks of the epoch that drew and
    ended well before it: nothing that a server or a member could choose."""
    return hmac.digest(epoch_key, f"mpx/hook/1\n{nth}".encode(), hashlib.sha256)


def block(key: bytes, position: int) -> bytes:
    """The 32 bytes of one draw of a hook's stream."""
    return hmac.digest(key, LABEL + position.to_bytes(8, "big"), hashlib.sha256)


def scale(drawn: bytes, n: int) -> int:
    """A whole number from 0 to n - 1; off uniform by less than 2**-64."""
    return int.from_bytes(drawn[:16], "big") * n >> 128


def unit(drawn: bytes) -> float:
    """A float from 0 up to, not including, 1 with 53 random bits."""
    return (int.from_bytes(drawn[:8], "big") >> 11) / (1 << 53)


class Drbg:
    """The stream of one hook, and how many blocks were taken from it."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.count = 0

    def take(self, blocks: int = 1) -> bytes:
        """The next blocks, one after the other."""
        first, self.count = self.count, self.count + blocks
        return b"".join(block(self._key, n) for n in range(first, self.count))
