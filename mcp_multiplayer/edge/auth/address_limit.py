"""How often an address may try.

Kept in memory: a restart forgets it, and no stranger can cause one. Bounded: a flood of
addresses pushes out the oldest entries, which is why guesses are bounded over all
addresses as well.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

MAX_ADDRESSES = 10_000

REGISTRATIONS_PER_HOUR = 200  #: per address; hosted clients share a few
AUTHORIZATIONS_PER_HOUR = 600
INVITE_CARDS_PER_MINUTE = 60
ISSUES_PER_HOUR = 600  #: per client with client credentials, and per grant that refreshes

FREE_GUESSES = 3  #: wrong passcodes per address before waiting begins
FIRST_WAIT = 2.0  #: seconds; doubles with every further wrong one
LONGEST_WAIT = 900.0
GUESSES_PER_MINUTE = 60  #: wrong passcodes of all addresses together
FORGET_GUESSES = 3600.0  #: seconds without a wrong passcode


def network(address: str) -> str:
    """Return what counts as one sender: an IPv4 address, or the /64 an IPv6 user owns."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


class Quota:
    """So many times per window and address. Fixed windows: simple, at worst twice the number."""

    def __init__(
        self, limit: int, seconds: float, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit, self._seconds, self._now = limit, seconds, now
        self._counts: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, address: str) -> float:
        """Count one try; return 0, or the seconds to wait when there were too many."""
        key, now = network(address), self._now()
        with self._lock:
            ends, count = self._counts.get(key, (0.0, 0))
            if ends <= now:
                ends, count = now + self._seconds, 0
            if count >= self._limit:
                return ends - now
            self._counts[key] = (ends, count + 1)
            self._counts.move_to_end(key)
            if len(self._counts) > MAX_ADDRESSES:
                self._counts.popitem(last=False)
        return 0.0


class Guesses:
    """Slows down whoever types wrong passcodes, one address and all of them together.

    While an address waits, even the right passcode is not looked at; a wait that the right
    word ends would slow nobody who guesses.
    """

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._wrong: OrderedDict[str, tuple[int, float, float]] = OrderedDict()
        self._window = (0.0, 0)  #: ends, wrong ones of all addresses in it
        self._lock = threading.Lock()

    def attempt(self, address: str, right: Callable[[], bool]) -> tuple[bool, float]:
        """Return (let in, seconds to wait); ``right`` is asked only when nobody has to wait."""
        key, now = network(address), self._now()
        # One at a time: parallel guesses must not all pass before the first is counted.
        with self._lock:
            wait = self._wait(key, now)
            if wait > 0:
                return False, wait
            if right():
                self._wrong.pop(key, None)
                return True, 0.0
            self._count(key, now)
            return False, self._wait(key, now)

    def _wait(self, key: str, now: float) -> float:
        ends, wrong = self._window
        everybody = ends - now if wrong >= GUESSES_PER_MINUTE else 0.0
        return max(everybody, self._wrong.get(key, (0, 0.0, now))[1] - now, 0.0)

    def _count(self, key: str, now: float) -> None:
        ends, wrong = self._window
        self._window = (ends, wrong + 1) if ends > now else (now + 60.0, 1)
        count, _, last = self._wrong.get(key, (0, 0.0, now))
        count = 1 if now - last > FORGET_GUESSES else count + 1
        wait = 0.0
        if count >= FREE_GUESSES:
            wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(count - FREE_GUESSES, 20))
        self._wrong[key] = (count, now + wait, now)
        self._wrong.move_to_end(key)
        if len(self._wrong) > MAX_ADDRESSES:
            self._wrong.popitem(last=False)
