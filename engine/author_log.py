"""What a room's referees printed, and the texts of their errors: for the room's creator alone.

Kept beside the log until the creator has it. An answer may be lost, so a note is given once more
unless the next call names a cursor that only the answer with the note can have told; then it is
forgotten. Which notes were given is in memory: after a restart they are given again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from engine.room import Room
from engine.stores.base import Append, Row, Table
from engine.stores.landing import landed

KEPT = 50  #: notes of one room; older ones are forgotten


def rows(room: Room, key: str, note: Mapping[str, Any]) -> list[Row]:
    """Keep a note, and no more than `KEPT`."""
    if room.notes is None:
        room.notes = [known for known, _ in room.store.scan(Table.LOG, room.channel_id)]
    if key not in room.notes:
        room.notes.append(key)
    value = json.dumps(note).encode()
    old, room.notes = room.notes[:-KEPT], room.notes[-KEPT:]
    return [Row(Table.LOG, room.channel_id, key, value), *_gone(room, old)]


async def take(
    room: Room, *, cursor: int | None = None, gave: int | None = None
) -> list[dict[str, Any]]:
    """Return the notes for an answer to the creator. ``cursor`` is what the call says it was
    given before, ``gave`` what the answer will say."""
    if not room.channel.bots:
        return []
    kept = room.store.scan(Table.LOG, room.channel_id)
    told = gave if gave is not None and gave > (cursor or 0) else None
    before, room.handed = room.handed, {}
    shown, over = [], []
    for key, value in kept:
        if key in before:
            over.append(key)
            proof = before[key]
            if proof is not None and cursor is not None and cursor >= proof:
                continue
        else:
            room.handed[key] = told
        shown.append(json.loads(value))
    if over:
        room.notes = None
        forgotten = _gone(room, over)
        change = Append(room.channel_id, 0, b"", (), forgotten, unconditional=True)
        await landed(room.store.append(change))
    return shown


def _gone(room: Room, keys: list[str]) -> list[Row]:
    return [Row(Table.LOG, room.channel_id, key, None) for key in keys]
