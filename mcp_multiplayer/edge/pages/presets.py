"""The referees that ship with the server, as pages show them.

The server reads and inspects them (`edge/api/about.py`); a page never does. They change with a
release only, so what it said is remembered for a minute, and for as long as it is away.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp_multiplayer.edge.pages.visit import Ask

PATH = "/presets_card"
MEMORY_SECONDS = 60.0


@dataclass(frozen=True)
class Preset:
    """A referee; ``told`` is what the server says of it."""

    told: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.told["name"])

    @property
    def title(self) -> str:
        """RockPaperScissorsBot -> Rock Paper Scissors."""
        bare = self.name.removesuffix("Bot")
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", bare)

    @property
    def seats(self) -> str:
        few, many = self.told["min_seats"], self.told["max_seats"]
        if few == many:
            return f"{few} player" if few == 1 else f"{few} players"
        return f"{few} to {many} players"

    @property
    def moves(self) -> list[str]:
        """How a move looks in words."""
        return [one for one in self.told["moves"] if isinstance(one, str)]

    @property
    def json_moves(self) -> list[str]:
        """How a move looks that a program makes."""
        return [_json(one) for one in self.told["moves"] if not isinstance(one, str)]

    @property
    def rules(self) -> list[Paragraph]:
        """What its author says of it. Lines are joined where nothing is laid out by hand."""
        parts = re.split(r"\n\s*\n", self.told["rules"].strip("\n"))
        return [
            Paragraph(part, True) if re.search(r"(?m)^\s|\S   ", part) else Paragraph(part, False)
            for part in parts
        ]

    @property
    def params(self) -> list[Param]:
        return [
            Param(
                name,
                _json(about["default"]) if "default" in about else "",
                kind(about),
                str(about.get("description", "")),
            )
            for name, about in self.told["params"].items()
        ]


@dataclass(frozen=True)
class Paragraph:
    """``laid_out``: its lines and columns count."""

    text: str
    laid_out: bool


@dataclass(frozen=True)
class Param:
    """A param of a referee; ``default`` is JSON, or nothing where it has to be given."""

    name: str
    default: str
    kind: str
    description: str


@dataclass(frozen=True)
class Presets:
    """All of them. ``library``: the text that they import as `referee`."""

    all: list[Preset] = field(default_factory=list)
    library: str = ""
    reveal_days: float = 0

    def named(self, name: str) -> Preset | None:
        return next((one for one in self.all if one.name == name), None)


class Shelf:
    """Remembers what the server said of its presets."""

    def __init__(self, ask: Ask, now: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._now = now
        self._known: Presets | None = None
        self._until = 0.0

    async def presets(self) -> Presets | None:
        """None where the server is away and has never said."""
        if self._known is None or self._now() >= self._until:
            status, said = await self._ask(PATH, {})
            if status == 200 and isinstance(said, dict) and "presets" in said:
                found = [Preset(one) for one in said["presets"]]
                self._known = Presets(found, said["library"], said["reveal_days"])
                self._until = self._now() + MEMORY_SECONDS
        return self._known


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


_KINDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "array": "list",
    "object": "JSON object",
    "null": "null",
}


def kind(schema: Mapping[str, Any]) -> str:
    """What a schema takes, in a few words: `whole number, 1 to 99`."""
    if "enum" in schema:
        return " or ".join(_json(value) for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(kind(one) for one in schema["anyOf"])
    types = schema.get("type", [])
    words = [_KINDS[one] for one in ([types] if isinstance(types, str) else types)]
    if isinstance(schema.get("items"), Mapping) and isinstance(schema["items"].get("type"), str):
        words = [f"list of {kind(schema['items'])}" if one == "list" else one for one in words]
    return " or ".join(words) + _bounds(schema)


def _bounds(schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f", {_number(low)} to {_number(high)}"
    if "exclusiveMinimum" in schema:
        most = f", at most {_number(high)}" if high is not None else ""
        return f", more than {_number(schema['exclusiveMinimum'])}{most}"
    if low is not None:
        return f", at least {_number(low)}"
    if "maxLength" in schema:
        return f", at most {_number(schema['maxLength'])} characters"
    return ""


def _number(value: float) -> str:
    return f"{value:,}"
