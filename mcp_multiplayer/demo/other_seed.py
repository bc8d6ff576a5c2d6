"""A server that reveals another seed than the one it drew from.

Whoever may invent the seed afterwards may have chosen the dice beforehand.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import replace

from mcp_multiplayer.channel.events import Event, Reveal
from mcp_multiplayer.service.replica import Replica
from mcp_multiplayer.service.signing import Signing
from mcp_multiplayer.transcript.entries import b64u

honest = Signing.complete


def install() -> None:
    Signing.complete = complete  # type: ignore[method-assign]


def complete(self: Signing, room: Replica, happened: Iterable[Event]) -> list[Event]:
    return [
        replace(event, seed=b64u(secrets.token_bytes(32))) if isinstance(event, Reveal) else event
        for event in honest(self, room, happened)
    ]
