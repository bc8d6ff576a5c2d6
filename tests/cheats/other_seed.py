"""A server that reveals another seed than the one it drew from.

Whoever may invent the seed afterwards may have chosen the dice beforehand.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import replace

from engine.channel.events import Event, Reveal
from engine.custody import Custody
from engine.room import Room
from engine.transcript.chain import b64u

honest = Custody.complete


def install() -> None:
    Custody.complete = complete  # type: ignore[method-assign]


def complete(self: Custody, room: Room, happened: Iterable[Event]) -> list[Event]:
    return [
        replace(event, seed=b64u(secrets.token_bytes(32))) if isinstance(event, Reveal) else event
        for event in honest(self, room, happened)
    ]
