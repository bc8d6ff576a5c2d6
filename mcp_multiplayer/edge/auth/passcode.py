"""The passcode: who may enter at all.

On the other side is somebody who guesses. He learns nothing but "wrong" and waits longer
each time (`tests/attacks/test_passcode_brute_force.py`).
"""

from __future__ import annotations

import logging

from mcp_multiplayer.edge.auth import secret
from mcp_multiplayer.edge.auth.address_limit import Guesses

log = logging.getLogger(__name__)


class Passcode:
    """Open when there is no passcode. ``mark`` is what those who were let in carry."""

    def __init__(self, passcode: str, key: bytes, *, guesses: Guesses | None = None) -> None:
        self._passcode = passcode
        self.mark = secret.admission(key, passcode)
        self._guesses = guesses or Guesses()

    @property
    def locked(self) -> bool:
        return bool(self._passcode)

    def admits(self, mark: str) -> bool:
        """Return whether something that carries ``mark`` was let in by today's passcode."""
        return not self.locked or secret.same(mark, self.mark)

    def knock(self, passcode: str, address: str) -> tuple[bool, float]:
        """Return (let in, seconds to wait before the next try)."""
        if not self.locked:
            return True, 0.0
        opened, wait = self._guesses.attempt(address, lambda: secret.same(passcode, self._passcode))
        if not opened:
            log.info("wrong or too early passcode; next try in %.0f s", wait)
        return opened, wait
