"""From bearer token to caller.

On the other side is anybody. Without a live token of ours nothing passes; a revoked one is
dead at once (`tests/attacks/test_revoked_token.py`, `test_token_in_query.py`).
"""

from __future__ import annotations

import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from anyio.to_thread import run_sync

from mcp_multiplayer.edge.auth.grants import ACCESS, Bearer

#: Seconds an answer of the database is believed. Bounds what a revocation by another process
#: on the same database takes; one in this process clears the cache.
MAX_AGE = 15.0
MAX_CACHED = 10_000

_TOKEN = re.compile(re.escape(ACCESS) + r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class Denied(Exception):
    """No valid token. ``error`` is empty when none was sent at all (RFC 6750 §3.1)."""

    status: int = 401
    error: str = ""
    description: str = ""


class Authentication:
    """Knows for a moment what the database said about a token."""

    def __init__(
        self, look_up: Callable[[str], Bearer | None], *, now: Callable[[], float] = time.time
    ) -> None:
        self._look_up = look_up
        self._now = now
        self._known: OrderedDict[bytes, tuple[float, Bearer]] = OrderedDict()
        self._generation = 0

    def forget(self) -> None:
        """Believe nothing any more: something was revoked. May be called from any thread."""
        # First the number: a look-up that is under way then does not store what it found.
        self._generation += 1
        self._known = OrderedDict()

    async def authenticate(self, authorization: list[str], query: bytes) -> Bearer:
        """Return whose token it is, or raise `Denied`."""
        if b"access_token=" in query:
            # It would stand in logs and histories (RFC 9700 §4.3.2; MCP: MUST NOT).
            raise Denied(400, "invalid_request", "A token in the query is not accepted.")
        if not authorization:
            raise Denied
        if len(authorization) > 1:
            raise Denied(400, "invalid_request", "More than one Authorization header.")
        scheme, _, token = authorization[0].partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer":
            raise Denied
        if not _TOKEN.fullmatch(token):
            raise Denied(401, "invalid_token", "The access token is not one of this server.")
        return await self._bearer(token)

    async def _bearer(self, token: str) -> Bearer:
        key = hashlib.sha256(token.encode()).digest()
        now = self._now()
        believed = self._known.get(key)
        if believed is not None and believed[0] > now:
            return believed[1]
        generation = self._generation
        bearer = await run_sync(self._look_up, token)
        if bearer is None:
            raise Denied(401, "invalid_token", "The access token has expired or was revoked.")
        if generation == self._generation:
            self._known[key] = (min(now + MAX_AGE, bearer.expires_at), bearer)
            if len(self._known) > MAX_CACHED:
                self._known.popitem(last=False)
        return bearer
