"""What a room's referees printed, and the texts of their errors: for the room's creator alone.

On the other side is a creator who plays: an error quotes what the opponent has sealed. So once
somebody else has sat down, a note waits until the seed is out of the epoch it was made in
(`view.author_may_read`); words that a referee keeps for good are not kept here at all.

Kept beside the log until the creator has it. An answer may be lost, so a note is given once more
unless the next call names a cursor that only the answer with the note can have told; then it is
forgotten. Which notes were given is in memory: after a restart they are given again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mcp_multiplayer.channel import view
from mcp_multiplayer.service.hooks import Due
from mcp_multiplayer.service.replica import Replica
from mcp_multiplayer.storage.base import Append, Row, Table
from mcp_multiplayer.storage.commits import to_future

KEPT = 50  #: notes of one room; older ones are forgotten
GIVEN = 32 << 10  #: bytes of notes in one answer, or one note; the next answers have the rest


@dataclass(frozen=True)
class _Kept:
    """A note, and of which epoch of which referee's seed (`view.author_may_read`)."""

    at: int
    epoch: int
    used: bool
    note: Mapping[str, Any]


def rows(room: Replica, due: Due, note: Mapping[str, Any], *, used: bool) -> list[Row]:
    """Keep a note of the hook ``due``, and no more than `KEPT`. ``used``: a run of this epoch
    stands in the log."""
    if room.channel.shared and due.bot.keeps_sealed:
        return []
    if room.notes is None:
        room.notes = [known for known, _ in room.store.scan(Table.LOG, room.channel_id)]
    key = f"{due.step.entry:010d}-{due.number:03d}-{due.bot.at}"
    if key not in room.notes:
        room.notes.append(key)
    value = json.dumps(asdict(_Kept(due.bot.at, due.bot.dice.epoch, used, note))).encode()
    old, room.notes = room.notes[:-KEPT], room.notes[-KEPT:]
    return [Row(Table.LOG, room.channel_id, key, value), *_gone(room, old)]


async def take(
    room: Replica, *, cursor: int | None = None, gave: int | None = None
) -> list[dict[str, Any]]:
    """Return the notes for an answer to the creator, the oldest first. ``cursor`` is what the call
    says it was given before, ``gave`` what the answer will say."""
    if not room.channel.attached:
        return []
    told = gave if gave is not None and gave > (cursor or 0) else None
    found = room.store.scan(Table.LOG, room.channel_id)
    room.notes = [key for key, _ in found]
    before, room.handed = room.handed, {}
    shown: list[dict[str, Any]] = []
    over: list[str] = []
    weight = 0
    for key, value in found:
        kept = _Kept(**json.loads(value))
        if not view.author_may_read(room.channel, kept.at, kept.epoch, used=kept.used):
            continue
        proof = before.get(key)
        if proof is not None and cursor is not None and cursor >= proof:
            over.append(key)
            continue
        weight += len(value)
        if shown and weight > GIVEN:
            break
        if key in before:
            over.append(key)
        else:
            room.handed[key] = told
        shown.append(dict(kept.note))
    if over:
        room.notes = [key for key in room.notes if key not in over]
        forgotten = _gone(room, over)
        change = Append(room.channel_id, 0, b"", (), forgotten, unconditional=True)
        await to_future(room.store.append(change))
    return shown


def _gone(room: Replica, keys: list[str]) -> list[Row]:
    return [Row(Table.LOG, room.channel_id, key, None) for key in keys]
