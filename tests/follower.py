"""A player that knows nothing: it makes the call that `next:` ends with and fills what stands in
<…> from `expect`, or with chance where chance is asked for. Whatever stops it would stop a model.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

Json = dict[str, Any]
#: Asks one operation; gives the structured answer and the text (none over REST).
Ask = Callable[[str, Json], Awaitable[tuple[Json, str]]]
_CALL = re.compile(r"\b([a-z_]+)\((?=[a-z_]+=)")
_ARGUMENT = re.compile(r"(?:, )?([a-z_]+)=")
_RANGE = re.compile(r"\bN\b, (-?\d+) to (-?\d+)")


def called(line: str) -> tuple[str, Json] | None:
    """The last call in a line, ``name(key=<JSON>, …)``; nothing when there is none."""
    found = list(_CALL.finditer(line))
    if not found:
        return None
    at, arguments = found[-1].end(), {}
    while argument := _ARGUMENT.match(line, at):
        value, at = json.JSONDecoder().raw_decode(line, argument.end())
        arguments[argument[1]] = value
    assert line[at] == ")", line
    return found[-1][1], arguments


def bodies(expect: Any) -> list[Any]:
    """What may be posted where ``expect`` is expected."""
    if isinstance(expect, str):
        low, high = map(int, _RANGE.findall(expect)[0])
        words = expect.split(",")[0]
        return [re.sub(r"\bN\b", str(number), words) for number in range(low, high + 1)]
    return sorted(expect["body"] if isinstance(expect, dict) else expect, key=str)


class Step(NamedTuple):
    """A call and its answer."""

    name: str
    data: Json
    text: str


class Follower:
    """One player. ``thinking`` is awaited before each move."""

    def __init__(self, ask: Ask, chance: random.Random, thinking: Any = None) -> None:
        self.ask, self._chance, self._thinking = ask, chance, thinking
        self._expect: Any = None
        self._said: set[str] = set()
        self.steps: list[Step] = []

    async def play(self, name: str, **arguments: Any) -> Json:
        """Make this call, then do what it says until it names none or the game is over; the last
        answer."""
        for _ in range(400):
            answer, text = await self.ask(name, self._filled(arguments))
            self.steps.append(Step(name, answer, text))
            line = self._read(answer, text)
            assert not line.startswith("stop"), line
            call = called(line)
            if call is None or line.startswith("tell your user the result"):
                return answer
            name, arguments = call
            if name == "post_message" and self._thinking is not None:
                await self._thinking(self)
        raise AssertionError(f"no end: {line}")

    def _read(self, answer: Json, text: str) -> str:
        """What is to be done now; what is expected is remembered."""
        if not text:
            turn = (answer.get("view") or {}).get("turn")
            self._expect = turn["expect"] if turn else self._expect
            return str(answer["next"])
        lines = text.split("\n")
        for line in lines:
            if line.startswith("expect: "):
                self._expect = json.loads(line.removeprefix("expect: "))
        assert lines[-1].startswith("next: "), text
        return lines[-1].removeprefix("next: ")

    def _filled(self, arguments: Json) -> Json:
        filled = dict(arguments)
        if filled.get("body") == "<your move>":
            filled["body"] = self._choice()
        if str(filled.get("entropy", "")).startswith("<"):
            filled["entropy"] = f"{self._chance.getrandbits(256):064x}"
        assert not [v for v in filled.values() if isinstance(v, str) and v.startswith("<")], filled
        return filled

    def _choice(self) -> Any:
        """One of the bodies that are expected, one not said before if there is one."""
        expected = bodies(self._expect)
        fresh = [body for body in expected if str(body) not in self._said]
        chosen = self._chance.choice(fresh or expected)
        self._said.add(str(chosen))
        return chosen
