"""How long each OAuth client waits for an answer, as far as it was seen to give up.

A client that gives up on a wait learns nothing, and its model is told of an error. `next:` asks it
for waits that it outlasts. What is remembered is a guess (a person may have pressed Stop), so
it is forgotten after a while, and it is kept in memory only.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from mcp_multiplayer.edge.api.render_text import WAIT_MS

SHORTEST_MS = 4_000  #: some clients give up after 5 s
SECONDS = 3600.0  #: for which it is remembered
BRIEFEST = 3.0  #: seconds; who leaves earlier was stopped, not out of patience
_SHARE = 0.8  #: of what it waited before
_MOST = 4096


class Patience:
    """What `next:` may ask each client for. ``now`` is a clock in seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._known: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def gave_up(self, client_id: str, waited: float) -> None:
        """A client left after ``waited`` seconds of a wait that was not over."""
        if not client_id or waited < BRIEFEST:
            return
        lasts = int(waited * _SHARE) * 1000
        self._known[client_id] = (self._now() + SECONDS, min(max(lasts, SHORTEST_MS), WAIT_MS))
        self._known.move_to_end(client_id)
        if len(self._known) > _MOST:
            self._known.popitem(last=False)

    def of(self, client_id: str) -> int:
        """Milliseconds that a call of this client may wait."""
        until, lasts = self._known.get(client_id, (0.0, WAIT_MS))
        return lasts if until > self._now() else WAIT_MS
