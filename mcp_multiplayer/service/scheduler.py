"""When each channel must be looked at although nobody asks: one heap, one timer of the loop. It
knows channels by their ids only, so a room need not be in memory while its clock runs. What is here
is a copy: clocks are in the log, and `Table.TIMER` says at a start which channels have one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush

log = logging.getLogger(__name__)

NAP = 30.0  #: seconds; the time of day may jump, so nobody sleeps longer than this
AT_ONCE = 32  #: channels rung before others get the loop; after a long pause there may be many
AGAIN = 60_000  #: ms until a channel is rung again that could not be


class Scheduler:
    """``ring`` is called with the id of each channel whose time has come; it sets the next
    alarm itself. ``now`` is the time of day in ms."""

    def __init__(self, now: Callable[[], int], ring: Callable[[str], None]) -> None:
        self._now = now
        self._ring = ring
        self._due: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []  #: also what was set before and holds no more
        self._nap: asyncio.TimerHandle | None = None
        self._closed = False

    def set(self, channel_id: str, due: int | None) -> None:
        """Ring for this channel at ``due`` (ms since the epoch) and at no other time."""
        if self._closed or self._due.get(channel_id) == due:
            return
        if due is None:
            del self._due[channel_id]
        else:
            self._due[channel_id] = due
            heappush(self._heap, (due, channel_id))
            if len(self._heap) > 2 * len(self._due) + AT_ONCE:
                self._heap = [(at, channel) for channel, at in self._due.items()]
                heapify(self._heap)
        self._sleep()

    def look(self) -> None:
        """Ring for every channel that is due, and sleep until the next one is."""
        for channel_id in self._take():
            try:
                self._ring(channel_id)
            except Exception:  # one room's fault must not stop the clocks of the others
                log.exception("the clock of %s rang and nobody could be told", channel_id)
                self.set(channel_id, self._now() + AGAIN)
        self._sleep()

    def close(self) -> None:
        self._closed = True
        self._wake()

    def _take(self) -> Iterator[str]:
        now = self._now()
        for _ in range(AT_ONCE):
            next_one = self._next()
            if next_one is None or next_one[0] > now:
                return
            _, channel_id = heappop(self._heap)
            del self._due[channel_id]
            yield channel_id

    def _next(self) -> tuple[int, str] | None:
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heappop(self._heap)
        return self._heap[0] if self._heap else None

    def _sleep(self) -> None:
        self._wake()
        next_one = self._next()
        if next_one is not None and not self._closed:
            left = max(0, next_one[0] - self._now()) / 1000
            loop = asyncio.get_running_loop()
            self._nap = loop.call_later(min(left, NAP), self.look)

    def _wake(self) -> None:
        if self._nap is not None:
            self._nap.cancel()
            self._nap = None
