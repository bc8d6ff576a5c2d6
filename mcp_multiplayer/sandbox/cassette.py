"""Answers from a record instead of the world.

Runs in the host, of a server and of an offline verifier alike, so that both find the same: a
question other than the recorded one, one too many or one too few ends the hook as
`NonDeterministic`. On the other side is a worker that may have fallen to its bot;
`sandbox/hostcalls.py` has checked the form of what it asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mcp_multiplayer.sandbox.call import Effect
from mcp_multiplayer.sandbox.values import read


class Differs(Exception):
    """A replay asked something else than what was recorded."""


class Cassette:
    """The effects of an earlier run, in order."""

    def __init__(self, effects: Sequence[Effect]) -> None:
        self.repeated: list[Effect] = []
        self._left = list(reversed(effects))

    def answer(self, kind: str, request: bytes) -> dict[str, Any]:
        """What was answered to this question, or `Differs`."""
        if not self._left:
            raise Differs(f"it asked for more than was recorded: {_shown(request)}")
        effect = self._left.pop()
        asked = Effect(effect.kind, request, effect.response)
        if (effect.kind, effect.q) != (kind, asked.q):  # a log has only the question's hash
            raise Differs(f"it asked {_shown(request)} where {_shown(effect.request)} was recorded")
        self.repeated.append(asked)
        answer = _object(effect.response)
        if answer is None:  # only a stranger's record can hold one
            raise Differs(f"the recorded answer to {_shown(request)} is none")
        if kind == "connect" and "error" not in answer:
            raise Differs("what went over a raw socket cannot be repeated")
        return answer

    def finish(self) -> None:
        """The hook has returned; one that asked less than was recorded `Differs`."""
        if self._left:
            raise Differs(f"it did not repeat {_shown(self._left[-1].request)}")


def _shown(request: bytes) -> str:
    asked = _object(request) or {}
    if asked.get("k") == "fetch":
        place = (asked.get(name) for name in ("method", "scheme", "host", "target"))
        return "{} {}://{}{}".format(*place)[:200]
    return f"{asked.get('k')} {asked.get('host')}"[:200]


def _object(blob: bytes) -> dict[str, Any] | None:
    try:
        value = read(blob)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
