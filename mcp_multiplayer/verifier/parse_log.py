"""From bytes to entries that really follow each other.

On the other side is whoever wrote the lines. What cannot be read in one way only is
refused at its first byte; nothing after that place is believed.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from mcp_multiplayer.channel import erasure
from mcp_multiplayer.transcript import merkle
from mcp_multiplayer.transcript.canonical_json import NotCanonical, canonical, parse
from mcp_multiplayer.transcript.entries import MAX_ENTRY, TIMELESS, b64u
from mcp_multiplayer.verifier.findings import Violation

#: Values that all entries together may hold: in memory each takes twenty times its place here.
MAX_VALUES = 16_000_000
_MARKS = (b",", b"[", b"{")
_ERASED = re.compile(rb'\{"erased": "([A-Za-z0-9+/]{43}=)"\}')


@dataclass(frozen=True)
class Line:
    """One leaf. ``entry`` None: only its hash is here. ``erased``: ``data`` is gone, and ``entry``
    is what a later entry says is left of it."""

    index: int
    data: bytes
    hash: bytes
    entry: Mapping[str, Any] | None
    ts: int  #: its time, or that of the last entry before it that has one
    erased: bool = False


@dataclass(frozen=True)
class Log:
    """Lines in order, and the steps they belong to."""

    lines: Sequence[Line]
    steps: Sequence[Sequence[Line]] = field(default=())
    step_of: Sequence[int] = field(default=())  #: by entry

    @property
    def size(self) -> int:
        return len(self.lines)

    def root(self, size: int) -> bytes:
        """The root of the first ``size`` leaves."""
        peaks: tuple[bytes, ...] = ()
        for line in self.lines[:size]:
            peaks = merkle.push(line.index, peaks, line.hash)
        return merkle.root(peaks)

    def check_whole(self) -> None:
        """No head is signed in the middle of a step."""
        last = self.lines[-1]
        if last.entry is not None and "more" in last.entry:
            raise Violation("E_MORE", "the last step is not whole", last.index)

    def entry(self, index: int) -> Mapping[str, Any]:
        return self.lines[index].entry or {}

    def next_ts(self, index: int) -> int | None:
        """The time of the first entry after ``index`` that has one."""
        return self._next[index]

    @cached_property
    def _next(self) -> list[int | None]:
        """`next_ts` of every entry, found in one pass: all of a hostile log may have none."""
        found: list[int | None] = []
        after: int | None = None
        for line in reversed(self.lines):
            found.append(after)
            if line.entry is not None and "ts" in line.entry:
                after = line.ts
        return found[::-1]


def read(lines: Sequence[bytes]) -> Log:
    """Return the log of these lines, or raise `Violation` at the first bad one."""
    if not lines or lines == [b""]:
        raise Violation("E_BUNDLE", "there are no entries")
    found: list[Line] = []
    values = 0
    for index, data in enumerate(lines):
        values += sum(map(data.count, _MARKS))
        if values > MAX_VALUES:
            text = f"more than this verifier takes: {MAX_VALUES} values"
            raise Violation("I_TOO_LARGE", text, index)
        found.append(_line(index, data, found[-1] if found else None))
    if any(line.entry is None for line in found):
        found = _with_what_is_left(found)
    return Log(found, *_steps(found))


def _with_what_is_left(lines: Sequence[Line]) -> list[Line]:
    """The lines with what later entries say is left of those that are gone. Times follow on."""
    left: dict[int, Mapping[str, Any]] = {}
    for line in lines:
        entry: Mapping[str, Any] | None = line.entry or {}
        if entry and entry.get("t") == "erase" and isinstance(entry.get("left"), dict):
            index = entry.get("entry")
            if type(index) is int and index < line.index:
                left.setdefault(index, entry["left"])
    found: list[Line] = []
    for line in lines:
        before = found[-1] if found else None
        entry, gone = line.entry, line.entry is None and line.index in left
        if gone:
            last = None if before is None else b64u(before.hash)
            entry = erasure.filled_in(left[line.index], line.index, last)
        if entry is not None:
            _check_place(entry, line.index, before)
        ts = (entry or {}).get("ts", before.ts if before else 0)
        found.append(replace(line, entry=entry, ts=ts, erased=gone))
    return found


def _line(index: int, data: bytes, before: Line | None) -> Line:
    erased = _ERASED.fullmatch(data)
    ts = before.ts if before else 0
    if erased:
        hash = base64.b64decode(erased[1])
        if base64.b64encode(hash) != erased[1]:
            raise Violation("E_CANONICAL", "a hash with spare bits", index)
        return Line(index, b"", hash, None, ts)
    entry = _parsed(index, data)
    _check_place(entry, index, before)
    return Line(index, data, merkle.leaf_hash(data), entry, entry.get("ts", ts))


def _parsed(index: int, data: bytes) -> dict[str, Any]:
    if len(data) > MAX_ENTRY:
        raise Violation("E_SIZE", f"it has {len(data)} bytes", index)
    try:
        entry = parse(data)
        if not isinstance(entry, dict):
            raise Violation("E_JSON", "it is no JSON object", index)
        if canonical(entry) != data:
            raise Violation("E_CANONICAL", "its bytes are not the canonical ones", index)
    except NotCanonical as error:
        raise Violation("E_JSON", str(error), index) from None
    return entry


def _check_place(entry: Mapping[str, Any], index: int, before: Line | None) -> None:
    if type(entry.get("i")) is not int or entry["i"] != index:
        raise Violation("E_INDEX", f"it calls itself entry {entry.get('i')!r:.40}", index)
    expected = None if before is None else b64u(before.hash)
    if entry.get("p") != expected or (before is None and "p" in entry):
        raise Violation("E_PREV", "it does not name the hash of the entry before it", index)
    kind = entry.get("t")
    if not isinstance(kind, str):
        raise Violation("E_TYPE", "it has no type", index)
    if "more" in entry and entry["more"] is not True:
        raise Violation("E_MORE", "more is true or absent", index)
    if kind in TIMELESS:
        if "ts" in entry:
            raise Violation("E_TS", f"a {kind} has no time of its own", index)
    elif type(entry.get("ts")) is not int or entry["ts"] < (before.ts if before else 0):
        raise Violation("E_TS", "its time is missing or runs backwards", index)


def _steps(lines: Sequence[Line]) -> tuple[list[list[Line]], list[int]]:
    steps: list[list[Line]] = [[]]
    step_of: list[int] = []
    for line in lines:
        steps[-1].append(line)
        step_of.append(len(steps) - 1)
        if line.entry is None or "more" not in line.entry:
            steps.append([])
    if not steps[-1]:
        steps.pop()
    return steps, step_of
