"""Give entries their place, and check that leaves really follow each other. Common fields of every
entry: ``i`` its index, ``t`` its type, ``p`` the leaf hash of the entry before (absent in entry 0),
``ts`` milliseconds since the epoch, never decreasing, ``more`` where the next entry belongs to the
same step. Some types have no ``ts``: their time is their input's, so that nothing in them is the
server's to choose.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mcp_multiplayer.errors import BrokenLog
from mcp_multiplayer.transcript import merkle
from mcp_multiplayer.transcript.canonical_json import NotCanonical, canonical, parse

MAX_ENTRY = 65_535  #: bytes of a leaf; C2SP tlog-tiles count entries in 16 bits
TIMELESS = frozenset({"run", "disclose", "reveal", "runtime", "key"})
#: What its author can make shorter, where an entry can come to be too long.
_HOLDS = {
    "attach": ": a referee's manifest and params stand in one",
    "propose": ": the manifests and params of all referees proposed stand in one",
}


def b64u(data: bytes) -> str:
    """Base64url without padding, as all hashes inside entries are written."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class TooLong(NotCanonical):
    """An entry of more bytes than the log takes."""


@dataclass(frozen=True)
class Head:
    """Where a log stands: its size, last leaf and tree."""

    size: int = 0
    last: bytes = b""
    peaks: tuple[bytes, ...] = ()
    ts: int = 0

    @property
    def root(self) -> bytes:
        return merkle.root(self.peaks)

    def after(self, leaf: bytes, ts: int) -> Head:
        """Return the head one leaf further, by the leaf's hash."""
        peaks = merkle.push(self.size, self.peaks, leaf)
        return Head(self.size + 1, leaf, peaks, max(ts, self.ts))


def place(
    head: Head, fields: Mapping[str, Any], ts: int, *, more: bool = False
) -> tuple[bytes, Head]:
    """Write ``fields`` (with their type ``t``) as the next entry after ``head``; ``more`` says
    that its step goes on.

    Return its leaf bytes and the new head. Time never runs backwards in a log, even
    when the machine's clock does.
    """
    entry: dict[str, Any] = {"i": head.size, **fields}
    ts = max(ts, head.ts)
    if head.size:
        entry["p"] = b64u(head.last)
    if more:
        entry["more"] = True
    if fields["t"] in TIMELESS:
        ts = head.ts
    else:
        entry["ts"] = ts
    data = canonical(entry)
    if len(data) > MAX_ENTRY:
        words = f"this takes an entry of {len(data):,} bytes, and the log has at most"
        raise TooLong(f"{words} {MAX_ENTRY:,} bytes for one{_HOLDS.get(fields['t'], '')}")
    return data, head.after(merkle.leaf_hash(data), ts)


def read(data: bytes, index: int) -> dict[str, Any]:
    """Return the entry that ``data`` is the canonical form of, or raise `BrokenLog`."""
    try:
        entry = parse(data)
        whole = isinstance(entry, dict) and len(data) <= MAX_ENTRY and canonical(entry) == data
    except NotCanonical as error:
        raise BrokenLog(index, str(error)) from error
    if not whole:
        raise BrokenLog(index, "not in canonical form")
    return dict(entry)


def verify(leaves: Iterable[bytes | None], hashes: Iterable[bytes] = ()) -> Head:
    """Return the head of these leaves, or raise `BrokenLog` at the first bad one.

    An erased entry is None and stands there by its hash alone: ``hashes`` are the
    leaf hashes in order, needed only where leaves are erased.
    """
    head = Head()
    known = list(hashes)
    for index, data in enumerate(leaves):
        if data is None:
            if index >= len(known):
                raise BrokenLog(index, "erased, and its hash is not here")
            head = head.after(known[index], head.ts)
            continue
        entry = read(data, index)
        _check_place(entry, index, head)
        head = head.after(merkle.leaf_hash(data), entry.get("ts", head.ts))
    return head


def _check_place(entry: Mapping[str, Any], index: int, head: Head) -> None:
    if entry.get("i") != index:
        raise BrokenLog(index, f"says it is entry {entry.get('i')!r}")
    expected = b64u(head.last) if index else None
    if entry.get("p") != expected:
        raise BrokenLog(index, "does not follow the entry before it")
    if not isinstance(entry.get("t"), str):
        raise BrokenLog(index, "has no type")
    if "more" in entry and entry["more"] is not True:
        raise BrokenLog(index, "says neither that its step goes on nor that it is over")
    ts = entry.get("ts")
    if entry["t"] in TIMELESS:
        if ts is not None:
            raise BrokenLog(index, f"a {entry['t']} has no time of its own")
    elif not isinstance(ts, int) or isinstance(ts, bool) or ts < head.ts:
        raise BrokenLog(index, "its time runs backwards or is missing")
