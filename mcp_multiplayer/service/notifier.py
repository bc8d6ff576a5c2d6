"""Who waits for a channel, and how an append wakes them.

Waiting costs one future and no thread. They are notified after an append is durable, so
nobody is woken by an untruth; whoever is woken looks again and may go back to wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Notifier:
    """One channel's waiting readers."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def notify(self) -> None:
        """Wake everybody who waits now."""
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def close(self) -> None:
        """Wake everybody, for good: from here on no wait begins."""
        self._closed = True
        self.notify()

    async def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Return True as soon as ``condition`` holds, False when ``seconds`` have passed or when
        nobody shall wait any more.

        The condition is looked at once before waiting and after every notification; there is no
        await between the look and the wait, so none can be missed.
        """
        if condition():
            return True
        if seconds <= 0 or self._closed:
            return False
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while (left := deadline - loop.time()) > 0:
            future: asyncio.Future[None] = loop.create_future()
            self._waiting.add(future)
            timer = loop.call_later(left, _expire, future)
            try:
                await future
            finally:
                timer.cancel()
                self._waiting.discard(future)
            if condition():
                return True
            if self._closed:
                return False
        return False


def _expire(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
