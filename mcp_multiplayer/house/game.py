"""What a seat knows of the game that goes on: folded from the room's messages, so that a program
that starts in the middle of a game knows as much as the one that died.

On the other side are players who may write anything. Their words are passed over unread; what
counts is said by the referee, whose text is known, and by the server.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

KEPT = 600  #: bodies of the referee, of one game
HELLO = "house"  #: the type of what the house says when it sits down
#: What a referee says beside the game: kept by nobody, asked for by anybody.
BESIDE = frozenset({"help", "prompt", "violation"})


class Game:
    """The game of the seat ``me`` under the referee ``bot``."""

    def __init__(self, me: str, bot: str, params: Mapping[str, Any]) -> None:
        self.me = me
        self.params = params
        self.greeted = False
        self.said: deque[Json] = deque(maxlen=KEPT)  #: what the referee said since the last end
        self.turn = 0  #: the message that asked for the move that is due
        self.tried: list[str] = []  #: what this seat has posted since, as `written`
        self.answered = True  #: whether the referee has said something to the last of it
        self.steps = 0  #: grows with each turn, end, arrival and departure
        self.ended = 0  #: the message that ended the last game
        self.rematch: set[str] = set()  #: who has asked for another since
        self._sender = f"bot:{bot}"

    def hear(self, message: Json) -> None:
        """Take note of one message, in the room's order."""
        sender, body = message["sender"], message["body"]
        if sender == "system":
            self._server(message["id"], body)
        elif sender == self._sender:
            self._referee(body)
        elif sender == self.me and body.get("type") == HELLO:
            self.greeted = True
        elif sender == self.me:
            self.tried.append(written(body))
            self.answered = False

    def _server(self, number: int, body: Json) -> None:
        kind = body.get("type")
        if kind in ("turn", "ended", "joined", "left", "taken_over"):
            self.steps += 1
        if kind in ("turn", "ended"):
            self.tried = []
        if kind == "turn":
            self.turn = number
        elif kind == "ended":
            self.said.clear()
            self.rematch.clear()
            self.ended, self.answered = number, True

    def _referee(self, body: Json) -> None:
        kind, player = body.get("type"), body.get("player", self.me)
        if player == self.me:
            self.answered = True
        if kind == "rematch":
            self.rematch.add(player)
        elif kind not in BESIDE and body.get("result") != "invalid":
            self.said.append(body)

    def last(self, kind: str) -> Json | None:
        """The newest words of the referee of one type in this game."""
        return next((body for body in reversed(self.said) if body.get("type") == kind), None)

    def since(self, kind: str) -> list[Json]:
        """What it has said after the newest words of one type."""
        bodies = list(self.said)
        newest = max((at for at, body in enumerate(bodies) if body.get("type") == kind), default=-1)
        return bodies[newest + 1 :]

    def all(self, kind: str) -> list[Json]:
        """All of them, in order."""
        return [body for body in self.said if body.get("type") == kind]

    def mine(self, kind: str) -> list[Json]:
        """Those about this seat."""
        return [body for body in self.all(kind) if body.get("player") == self.me]


def written(body: Any) -> str:
    """A body as one text, the same for a text and for the object that the server makes of it."""
    return json.dumps({"text": body} if isinstance(body, str) else body, sort_keys=True)
