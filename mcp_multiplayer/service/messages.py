"""How a member reads: pages, and what a wait is for.

Plain functions on a room; the manager does the waiting. Every message passes
`view.open_for` on its way into a page.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcp_multiplayer.channel import view
from mcp_multiplayer.channel.view import Message
from mcp_multiplayer.errors import InvalidRequest
from mcp_multiplayer.service.replica import Replica

#: Of bodies in one page. Codex takes the middle out of a result above 40,000 bytes, and Claude Code
#: leaves 2,000 characters of one above 50,000 (tests/clients/test_agents.py).
PAGE_BYTES = 32 << 10
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
    room: Replica, names: frozenset[str], after: int, limit: int, *, but: int = 0, since: int = 0
) -> Page:
    """Return what follows message ``after``, without message ``but`` (the caller's own
    post, which it does not need to read again). ``since`` is the entry with which the
    reader sat down; what was whispered to the seat before stays sealed."""
    newest = room.channel.messages
    if not 0 <= after <= newest:
        why = "; the server has lost later ones" if room.channel.lost else ""
        use = "L" if room.channel.lost else "Use the cursor of your last result here, or l"
        raise InvalidRequest(
            f"cursor {after} is not of this room; its newest message is {newest}{why}",
            hint=f"{use}eave it out.",
        )
    limit = max(1, min(limit, PAGE_MESSAGES))
    taken: list[Message] = []
    weight, cursor = 0, after
    while cursor < newest:
        found = room.messages_after(cursor, min(limit - len(taken) + 1, _READ))
        for message in found:
            if message.id != but:
                shown = _shown(room, message, names, since)
                weight += _weight(shown.body)
                if len(taken) == limit or (taken and weight > PAGE_BYTES):
                    return Page(tuple(taken), cursor, more=True)
                taken.append(shown)
            cursor = message.id
        if not found:
            cursor = newest
    return Page(tuple(taken), cursor, more=False)


def newest_page(room: Replica, names: frozenset[str], limit: int, *, since: int = 0) -> Page:
    """Return the last messages of the room, as many as fit into a page: where there are too
    many, the oldest are left out, and the newest always comes."""
    newest = room.channel.messages
    seen = max(0, newest - max(1, min(limit, PAGE_MESSAGES)))
    taken: deque[tuple[int, Message]] = deque()
    weight = 0
    while found := room.messages_after(seen, _READ):
        for message in found:
            shown = _shown(room, message, names, since)
            taken.append((_weight(shown.body), shown))
            weight += taken[-1][0]
            while weight > PAGE_BYTES and len(taken) > 1:
                weight -= taken.popleft()[0]
        seen = found[-1].id
    return Page(tuple(shown for _, shown in taken), newest, more=False)


def _shown(room: Replica, message: Message, names: frozenset[str], since: int) -> Message:
    """As `Replica.shown`; what the log has opened since is open to every member. A referee hears a
    message as it was, whenever it is told of it."""
    if view.is_disclosed(room.channel, message):
        return view.open_for(message, frozenset({message.sender}), room.opening(message))
    return room.shown(message, names, since=since)


def _weight(body: Mapping[str, Any]) -> int:
    return len(_as_json(body).encode()) + 80


_as_json = json.JSONEncoder(ensure_ascii=False).encode


class Watch:
    """What one seat's wait looks for above ``after``. It remembers how far it has looked: a ring
    costs what is new, however many envelopes lie there that this reader cannot open.
    """

    def __init__(self, room: Replica, label: str, after: int) -> None:
        self._room = room
        self._label = label
        self._after = self._seen = after
        self._readable = self._addressed = self._spoken = False

    def anything(self) -> bool:
        """True when something can be read. An envelope that this reader cannot open ends no
        wait, save when it is more than a page behind."""
        return self._far_behind() or self._look()._readable

    def my_turn(self) -> bool:
        """True when this seat has something to do or to hear: it is its turn, its part of the dice
        has to be opened, the game is over, a message is addressed to it; in a room that has no
        turns, another party has spoken.

        False while hooks are still running: the turn may be about to change.
        """
        channel = self._room.channel
        if self._room.settled < self._room.head.size:
            return False
        if channel.status in ("ended", "closed"):
            return True
        if channel.turn is not None and self._label in channel.turn.players:
            return True
        if channel.sealed is not None and self._label in view.opening(channel)["waiting_for"]:
            return True  # everybody waits until its commitment is open
        if self._far_behind():
            return True
        turnless = channel.turn is None and (channel.status == "playing" or not channel.bots)
        looked = self._look()
        return looked._addressed or (turnless and looked._spoken)

    def _far_behind(self) -> bool:
        """More than a page: reading comes first, and a look at all of it is dear."""
        return self._room.channel.messages - self._after > PAGE_MESSAGES

    def _look(self) -> Watch:
        while found := self._room.messages_after(self._seen, _READ):
            for message in found:
                self._readable |= view.opens(message, frozenset({self._label}))
                self._addressed |= message.to is not None and self._label in message.to
                self._spoken |= message.to is None and message.sender not in ("system", self._label)
            self._seen = found[-1].id
        return self


# --- what a model is shown of them

#: Fields of the system's messages that a model is shown; the rest stands on other lines of the same
#: answer, or is one call away (get_bot_code).
_SHORT = {
    "bots_announced": (),
    "bot:attach": ("bot_id", "name", "code_hash"),
    "bot:manifest": ("bot_id",),
}


_FEN = re.compile(
    r"[1-8pnbrqkPNBRQK]+(/[1-8pnbrqkPNBRQK]+){7} [wb] (-|[KQkq]+) (-|[a-h][36]) [0-9]+ [0-9]+"
)


#: Stands for a board that a model is not shown: that something was said there is.
LEFT_OUT = "…"


def boards_in(body: Mapping[str, Any]) -> list[str]:
    """The names of the fields that are boards."""
    return [name for name, value in body.items() if is_board(value)]


def is_board(value: Any) -> bool:
    """Whether a field is a board, drawn or as FEN. A model may be shown the newest of several
    only."""
    return is_drawing(value) or is_fen(value)


def is_drawing(value: Any) -> bool:
    """Whether a field is a board in letters: four or more lines of one length."""
    lines = value.split("\n") if isinstance(value, str) else []
    return len(lines) >= 4 and len({len(line) for line in lines}) == 1


def is_fen(value: Any) -> bool:
    """Whether a field is a position of chess in the notation of Forsyth and Edwards, which is a
    third as long as a drawing. Where both are said, a model may be shown this one only."""
    return isinstance(value, str) and _FEN.fullmatch(value) is not None


def short_body(shown: Mapping[str, Any]) -> Mapping[str, Any]:
    """The body of a message (`hook_io.message_json`) as a model may be shown it."""
    body: Mapping[str, Any] = shown["body"]
    fields = _SHORT.get(str(body.get("type"))) if shown["sender"] == "system" else None
    if fields is None:
        return body
    return {name: body[name] for name in ("type", *fields) if name in body}
