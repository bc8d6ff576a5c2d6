"""The dice of one hook, on the host's side.

The host, a server and an offline verifier alike, holds the key, makes every draw and counts it. On
the other side is a worker that may have fallen to its bot: it is told the blocks it asks for,
and they say nothing of any it has not asked for, its own or another hook's.
"""

from __future__ import annotations

from typing import Any

from mcp_multiplayer.sandbox.protocol.wire import Broken
from mcp_multiplayer.transcript.drbg import Drbg

BLOCKS = 1 << 16  #: of one hook
AT_ONCE = 1 << 12  #: of one question: 5 ms of the host's time
#: A question costs a hook 0.1 ms, and ten times that beside others that compute. So a hook that
#: draws on and on, number by number, is told lots of blocks from its 65th call on; all of a lot are
#: counted, and belong to nobody else whether they are used or not.
SINGLY = 64
LOT = 64
_QUESTIONS = SINGLY + BLOCKS // LOT + BLOCKS // AT_ONCE


class Dice:
    """Whom a hook asks for blocks; ``count`` is how many it was told."""

    def __init__(self, key: bytes) -> None:
        self._draws = Drbg(key)
        self._asked = 0

    @property
    def count(self) -> int:
        return self._draws.count

    def take(self, blocks: int) -> bytes:
        """The next blocks, for code of ours in the same process."""
        return self._draws.take(blocks)

    def answer(self, blocks: int) -> dict[str, Any]:
        """The next blocks as a worker reads them; `Broken` for more than our own code asks for,
        which stops before (`sandbox.worker.rng`)."""
        self._asked += 1
        if self._asked > _QUESTIONS or self.count + blocks > BLOCKS:
            raise Broken("more draws than any hook has")
        return {"blocks": self.take(blocks).hex()}
