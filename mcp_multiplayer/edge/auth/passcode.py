"""The passcode: who may enter at all.

On the other side is somebody who guesses. He learns nothing but "wrong" and waits longer
each time (`tests/attacks/test_passcode_brute_force.py`).
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from mcp_multiplayer import ratelimit

log = logging.getLogger(__name__)

FREE_GUESSES = 3  #: wrong passcodes per sender before waiting begins
FIRST_WAIT = 2.0  #: seconds; doubles with every further wrong one
LONGEST_WAIT = 900.0
GUESSES_PER_MINUTE = 60  #: wrong passcodes of all senders together
FORGET_GUESSES = 3600.0  #: seconds without a wrong passcode


class Guesses:
    """Slows down whoever types wrong passcodes, one sender and all of them together.

    While a sender waits, even the right passcode is not looked at; a wait that the right
    word ends would slow nobody who guesses. Bounded as `ratelimit` is, so a flood of senders
    pushes out the oldest; that is why guesses are bounded over all of them as well.
    """

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._wrong: OrderedDict[str, tuple[int, float, float]] = OrderedDict()
        self._window = (0.0, 0)  #: ends, wrong ones of all senders in it
        self._lock = threading.Lock()

    def attempt(self, sender: str, right: Callable[[], bool]) -> tuple[bool, float]:
        """Return (let in, seconds to wait); ``right`` is asked only when nobody has to wait."""
        now = self._now()
        # One at a time: parallel guesses must not all pass before the first is counted.
        with self._lock:
            wait = self._wait(sender, now)
            if wait > 0:
                return False, wait
            if right():
                self._wrong.pop(sender, None)
                return True, 0.0
            self._count(sender, now)
            return False, self._wait(sender, now)

    def _wait(self, sender: str, now: float) -> float:
        ends, wrong = self._window
        everybody = ends - now if wrong >= GUESSES_PER_MINUTE else 0.0
        return max(everybody, self._wrong.get(sender, (0, 0.0, now))[1] - now, 0.0)

    def _count(self, sender: str, now: float) -> None:
        ends, wrong = self._window
        self._window = (ends, wrong + 1) if ends > now else (now + 60.0, 1)
        count, _, last = self._wrong.get(sender, (0, 0.0, now))
        count = 1 if now - last > FORGET_GUESSES else count + 1
        wait = 0.0
        if count >= FREE_GUESSES:
            wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(count - FREE_GUESSES, 20))
        self._wrong[sender] = (count, now + wait, now)
        self._wrong.move_to_end(sender)
        if len(self._wrong) > ratelimit.REMEMBERED:
            self._wrong.popitem(last=False)


class Passcode:
    """The passcode of a server that has one. ``mark`` is what those who were let in carry.

    A passcode is short and chosen by people, so its mark is keyed: oauth.db alone gives no way to
    try guesses. Whatever carries another mark has to be let in again.
    """

    def __init__(self, passcode: str, key: bytes, *, guesses: Guesses | None = None) -> None:
        self._passcode = passcode
        self.mark = hmac.new(key, b"admission:" + passcode.encode(), hashlib.sha256).hexdigest()
        self._guesses = guesses or Guesses()

    def admits(self, mark: str) -> bool:
        """Return whether something that carries ``mark`` was let in by today's passcode."""
        return _same(mark, self.mark)

    def check(self, passcode: str, sender: str) -> tuple[bool, float]:
        """Return (let in, seconds to wait before the next try)."""
        opened, wait = self._guesses.attempt(sender, lambda: _same(passcode, self._passcode))
        if not opened:
            log.info("wrong or too early passcode; next try in %.0f s", wait)
        return opened, wait


def _same(one: str, other: str) -> bool:
    """Compare without telling by the time it takes where they differ, or how long they are."""
    return hmac.compare_digest(
        hashlib.sha256(one.encode("utf-8", "replace")).digest(),
        hashlib.sha256(other.encode("utf-8", "replace")).digest(),
    )
