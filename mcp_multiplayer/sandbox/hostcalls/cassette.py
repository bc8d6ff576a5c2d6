"""Answers from a record instead of the world.

Runs in the host, of a server and of an offline verifier alike, so that both find the same: a
question other than the recorded one, one too many or one too few ends the hook as
`NonDeterministic`. On the other side is a worker that may have fallen to its bot;
`sandbox/protocol/hostcalls.py` has checked the form of what it asks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from mcp_multiplayer.sandbox.call import Effect
from mcp_multiplayer.sandbox.protocol.values import read


class Differs(Exception):
    """A replay asked something else than what was recorded."""


class Recording:
    """The effects of a run, in order; of one under way, each as it comes."""

    def __init__(self, effects: Sequence[Effect] = (), *, over: bool = False) -> None:
        self.effects = list(effects)
        self.over = over
        self.begun = asyncio.Event()  #: the run has a worker, or will never have one
        self._grown = asyncio.Event()

    def add(self, effect: Effect) -> None:
        """The run was given one more answer."""
        self.effects.append(effect)
        self._wake()

    def end(self) -> None:
        """It will be given no more."""
        self.over = True
        self.begun.set()
        self._wake()

    async def nth(self, number: int) -> Effect | None:
        """The effect of this number, from 0; None when there is none."""
        while len(self.effects) <= number and not self.over:
            await self._grown.wait()
        return self.effects[number] if number < len(self.effects) else None

    def _wake(self) -> None:
        self._grown.set()
        self._grown = asyncio.Event()


class Cassette:
    """The effects of another run, to be repeated."""

    def __init__(self, recording: Recording) -> None:
        self.repeated: list[Effect] = []
        self._recording = recording

    async def answer(self, kind: str, request: bytes) -> dict[str, Any]:
        """What was answered to this question, or `Differs`."""
        effect = await self._recording.nth(len(self.repeated))
        if effect is None:
            raise Differs(f"it asked for more than was recorded: {_shown(request)}")
        asked = Effect(effect.kind, request, effect.response)
        if (effect.kind, effect.q) != (kind, asked.q):  # a log has only the question's hash
            raise Differs(f"it asked {_shown(request)} where {_shown(effect.request)} was recorded")
        self.repeated.append(asked)
        answer = _object(effect.response)
        if answer is None:  # only a stranger's record can hold one
            raise Differs(f"the recorded answer to {_shown(request)} is none")
        return answer

    def finish(self) -> None:
        """The hook has returned; one that asked less than was recorded `Differs`. Of a run that
        is still under way this is not known."""
        recorded = self._recording
        if recorded.over and len(self.repeated) < len(recorded.effects):
            missed = recorded.effects[len(self.repeated)]
            raise Differs(f"it did not repeat {_shown(missed.request)}")


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
