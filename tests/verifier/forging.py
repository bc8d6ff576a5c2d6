"""What all forgeries share: the list of attacks, and the forger's tools.

An attack is a function that changes a record of some kind in place; it is called what it does. The
list says how it must be caught: under which code, and what that makes of which line.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from mcp_multiplayer.transcript import merkle
from mcp_multiplayer.transcript.canonical_json import canonical
from tests.verifier.games import KEY, Bundle, inserted, reforge, signed, without
from tests.verifier.records import NEXT

Forge = Callable[[Bundle, random.Random], Any]
Entry = dict[str, Any]
VIOLATED, NOT_PROVEN = "VIOLATED", "NOT PROVEN"


@dataclass(frozen=True)
class Attack:
    """``resign``: the server numbers, chains and signs again what was forged."""

    forge: Forge
    kind: str
    code: str
    line: str
    state: str
    resign: bool

    @property
    def name(self) -> str:
        return self.forge.__name__

    def on(self, honest: Bundle, rng: random.Random) -> Bundle:
        """The forged record."""
        forged = honest.copy()
        self.forge(forged, rng)
        if self.resign:
            reforge(forged, NEXT if any(e["t"] == "key" for e in forged.entries) else KEY)
        return forged


ATTACKS: list[Attack] = []


def attack(
    kind: str, code: str, line: str = "RECORD", *, resign: bool = True, state: str = VIOLATED
) -> Callable[[Forge], Forge]:
    """Put an attack on the list."""

    def put(forge: Forge) -> Forge:
        ATTACKS.append(Attack(forge, kind, code, line, state, resign))
        return forge

    return put


# --- tools ---------------------------------------------------------------------------------


def lines(f: Bundle) -> list[bytes]:
    """The lines of entries.jsonl, to be changed byte for byte."""
    if f.lines is None:
        f.lines = [canonical(entry) for entry in f.entries]
    return f.lines


def replace(f: Bundle, place: int, old: bytes, new: bytes) -> None:
    found = lines(f)
    assert old in found[place], (old, found[place])
    found[place] = found[place].replace(old, new, 1)


def roots(f: Bundle) -> list[bytes]:
    """The root of each size, from 0."""
    peaks: tuple[bytes, ...] = ()
    found = [merkle.root(peaks)]
    for index, entry in enumerate(f.entries):
        peaks = merkle.push(index, peaks, merkle.leaf_hash(canonical(entry)))
        found.append(merkle.root(peaks))
    return found


def head(f: Bundle, size: int, root: bytes | None = None) -> str:
    """A signed head of the first entries."""
    return signed(f.entries[0]["origin"], size, root or roots(f)[size])


def pick(rng: random.Random, entries: Iterable[Entry]) -> Entry:
    found = list(entries)
    assert found, "no such entry in this game"
    return rng.choice(found)


def runs(f: Bundle, **fields: Any) -> list[Entry]:
    return [
        run for run in f.of("run") if all(run.get(name) == value for name, value in fields.items())
    ]


def said(f: Bundle, text: str | None = None) -> list[Entry]:
    """Public messages, or those with this text."""
    return [
        entry
        for entry in f.of("msg")
        if "b" in entry["m"] and (text is None or entry["m"]["b"].get("text") == text)
    ]


def moves(f: Bundle) -> list[Entry]:
    """The guesses."""
    return [entry for entry in said(f) if str(entry["m"]["b"].get("text")).startswith("guess")]


def move(f: Bundle, index: int, to: int) -> None:
    """Take an entry out and put it in elsewhere."""
    entry = f.entries[index]
    without(f, index)
    inserted(f, to, entry)


def first(entries: Iterable[Entry]) -> Entry:
    return next(iter(entries))


def other(digest: str) -> str:
    """Another digest of the same form."""
    return ("B" if digest[0] != "B" else "C") + digest[1:]
