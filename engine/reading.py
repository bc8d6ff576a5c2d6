"""How a member reads: pages, and what a wait is for.

Plain functions on a room; the manager does the waiting. Every message passes
`views.open_for` (through ``room.shown``) on its way into a page.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.channel import views
from engine.channel.views import Message
from engine.errors import InvalidRequest
from engine.room import Room

PAGE_BYTES = 64 << 10  #: of bodies in one page; a client's result has a limit too
PAGE_MESSAGES = 500
_READ = 128  #: messages taken from the room at a time


@dataclass(frozen=True)
class Page:
    """Messages as one reader may see them. ``cursor`` is the last id given, or what was
    asked for when there is nothing above it; ``more`` says that the page was cut."""

    messages: tuple[Message, ...]
    cursor: int
    more: bool


def page(
    room: Room, names: frozenset[str], after: int, limit: int, *, but: int = 0, since: int = 0
) -> Page:
    """Return what follows message ``after``, without message ``but`` (the caller's own
    post, which it does not need to read again). ``since`` is the entry with which the
    reader sat down; what was whispered to the seat before stays sealed."""
    newest = room.channel.messages
    if not 0 <= after <= newest:
        raise InvalidRequest(
            f"cursor {after} is not of this room; its newest message is {newest}",
            hint="Use the cursor of your last result here, or leave it out.",
        )
    limit = max(1, min(limit, PAGE_MESSAGES))
    taken: list[Message] = []
    weight, cursor = 0, after
    while cursor < newest:
        found = room.messages_after(cursor, min(limit - len(taken) + 1, _READ))
        for message in found:
            if message.id != but:
                shown = room.shown(message, names, since=since)
                weight += _weight(shown.body)
                if len(taken) == limit or (taken and weight > PAGE_BYTES):
                    return Page(tuple(taken), cursor, more=True)
                taken.append(shown)
            cursor = message.id
        if not found:
            cursor = newest
    return Page(tuple(taken), cursor, more=False)


def newest_page(room: Room, names: frozenset[str], limit: int, *, since: int = 0) -> Page:
    """Return the last messages of the room, as many as fit into a page."""
    start = max(0, room.channel.messages - max(1, min(limit, PAGE_MESSAGES)))
    return page(room, names, start, limit, since=since)


def _weight(body: Mapping[str, Any]) -> int:
    return len(json.dumps(body, ensure_ascii=False)) + 80


def anything(room: Room, names: frozenset[str], after: int) -> bool:
    """True when something above ``after`` can be read. An envelope that this reader cannot
    open ends no wait."""
    return any(views.opens(message, names) for message in _above(room, after))


def _above(room: Room, after: int) -> Iterator[Message]:
    while found := room.messages_after(after, _READ):
        yield from found
        after = found[-1].id


def my_turn(room: Room, label: str, after: int) -> bool:
    """True when this seat has something to do or to hear: it is its turn, the game is over,
    a message is addressed to it; in a room that has no turns, another party has spoken.

    False while hooks are still running: the turn may be about to change.
    """
    channel = room.channel
    if room.settled < room.head.size:
        return False
    if channel.status in ("ended", "closed"):
        return True
    if channel.turn is not None and label in channel.turn.players:
        return True
    if channel.messages - after > PAGE_MESSAGES:
        return True  # more than a page behind: reading comes first, and a look at all is dear
    turnless = channel.turn is None and (channel.status == "playing" or not channel.bots)
    for message in _above(room, after):
        if message.to is not None and label in message.to:
            return True
        if turnless and message.to is None and message.sender not in ("system", label):
            return True
    return False
