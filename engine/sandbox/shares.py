"""Who gets the next worker. Changes when workers are shared out otherwise.

On the other side are accounts that open many rooms whose referees never stop. No owner
holds more than half of the places, and a free place goes round the owners who wait, so
that the rooms of one account never keep another's waiting for more than a hook's time.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque


class Shares:
    """Places for ``total`` workers at once. The owner "" is the server itself: no half for it."""

    def __init__(self, total: int) -> None:
        self._free = total
        self._most = max(1, total // 2)
        self._held: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    async def take(self, owner: str) -> None:
        """Return when ``owner`` has a place. Cancelling gives up its turn."""
        if self._free and not self._waiting.get(owner) and self._may(owner):
            self._hold(owner)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(owner, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give(owner)  # it was given a place and did not live to use it
            else:
                self._forget(owner, turn)
            raise

    def give(self, owner: str) -> None:
        """Give a place of ``owner``'s back; whoever may have it next is woken."""
        self._free += 1
        self._held[owner] -= 1
        if not self._held[owner]:
            del self._held[owner]
        self._next()

    def _next(self) -> None:
        for owner in list(self._waiting):
            if not self._free:
                return
            if self._may(owner):
                turn = self._waiting[owner].popleft()
                self._waiting.move_to_end(owner)
                if not self._waiting[owner]:
                    del self._waiting[owner]
                self._hold(owner)
                turn.set_result(None)

    def _may(self, owner: str) -> bool:
        return not owner or self._held[owner] < self._most

    def _hold(self, owner: str) -> None:
        self._free -= 1
        self._held[owner] += 1

    def _forget(self, owner: str, turn: asyncio.Future[None]) -> None:
        line = self._waiting.get(owner)
        if line is not None and turn in line:
            line.remove(turn)
            if not line:
                del self._waiting[owner]
