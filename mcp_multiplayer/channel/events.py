"""What can have happened in a channel. Each event is one entry of its log. Values are plain JSON.
Tokens appear only as hashes, accounts only as ``who`` (unlinkable across channels),
private bodies only as salted digests, so a log can be published as it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, TypeAlias, get_args

from mcp_multiplayer.errors import BrokenLog

Json: TypeAlias = Any


@dataclass(frozen=True)
class Genesis:
    """The room as it was opened. ``slots``: [{id, kind, label, admin?, invite?}]."""

    v: str
    origin: str
    name: str
    creator: str
    slots: list[Json]
    limits: Mapping[str, Json]
    nonce: str
    key: str | None = None  #: the vkey that signs the heads; none in mpx-log/0


@dataclass(frozen=True)
class Attach:
    """A referee takes a slot; its source is kept under ``code_hash``.

    ``commit`` binds its dice, ``runtime`` says what its hooks run on.
    """

    bot: str
    slot: str
    name: str
    version: str
    code_hash: str
    manifest: Mapping[str, Json]
    manifest_hash: str
    params: Mapping[str, Json]
    reach: Mapping[str, Json]
    hooks: list[str]
    ref: str | None = None  #: builtin://Name for a shipped referee
    isolation: str | None = None  #: what stands between it and this server, by level
    runtime: str | None = None
    commit: str | None = None


@dataclass(frozen=True)
class Join:
    """A seat is taken. ``entropy`` is its holder's part of the dice, ``commit`` a promise of it."""

    slot: str
    who: str
    terms: str
    entropy: str | None = None
    commit: str | None = None


@dataclass(frozen=True)
class Entropy:
    """A seat adds its part of the dice after it was taken and before the game begins."""

    slot: str
    value: str | None = None
    commit: str | None = None


@dataclass(frozen=True)
class Open:
    """A seat opens what it had committed to."""

    slot: str
    value: str


@dataclass(frozen=True)
class Abort:
    """These seats did not open in time; the game goes on without their part of the dice."""

    missing: list[str]


@dataclass(frozen=True)
class Takeover:
    slot: str
    who: str


@dataclass(frozen=True)
class Leave:
    slot: str


@dataclass(frozen=True)
class Invite:
    """The seat is free again, or its invite was replaced."""

    slot: str
    hash: str


@dataclass(frozen=True)
class Admin:
    slot: str
    on: bool


@dataclass(frozen=True)
class Rename:
    name: str


@dataclass(frozen=True)
class Detach:
    bot: str


@dataclass(frozen=True)
class Propose:
    """A change of the terms waits for everybody's consent."""

    slot: str
    ops: list[Json]
    terms: str


@dataclass(frozen=True)
class Accept:
    slot: str
    terms: str


@dataclass(frozen=True)
class Change:
    """Everybody seated has accepted; the entries that follow carry it out."""

    terms: str
    accepted: list[str]


@dataclass(frozen=True)
class Start:
    """The seats still empty are closed; the game may begin."""

    closed: list[str]


@dataclass(frozen=True)
class Close:
    pass


@dataclass(frozen=True)
class Msg:
    """A member's words: ``m`` = {s slot, c counter, k kind, b body | d digest, to?}."""

    m: Mapping[str, Json]


@dataclass(frozen=True)
class Run:
    """One hook of one referee with all that came of it.

    ``at`` is the entry of its attach, ``on`` the entry that triggered it and ``now`` its time,
    ``st`` the blinded states before and after, ``rng`` [kid, hooks that drew before it, blocks that
    it drew], ``fx`` what it asked of the network, ``out`` a list of {k, b | d, to?}, ``res`` "ok",
    "fuel", "error:<Class>" or "killed:<Class>". ``timers`` has when each clock runs out, in ms
    since the epoch, or null where one was stopped; the turn's own is its ``deadline``.
    """

    bot: str
    at: int
    hook: str
    on: int
    res: str
    out: list[Json]
    turn: Mapping[str, Json] | None = None
    end: Mapping[str, Json] | None = None
    timers: Mapping[str, Json] | None = None
    line: int | None = None
    now: int | None = None
    st: list[str] | None = None
    rng: list[Json] | None = None
    fx: list[Json] | None = None


@dataclass(frozen=True)
class Tick:
    """A clock of a referee ran out, ``turn`` or one that it named."""

    bot: str
    name: str


@dataclass(frozen=True)
class Disclose:
    """Opens the private message of entry ``entry``, which a referee had heard."""

    entry: int
    salt: str
    body: Mapping[str, Json]


@dataclass(frozen=True)
class Unseal:
    """Whoever holds this seat agrees that what was said in private to a referee that keeps it
    closed is opened. ``key``: nobody else who said something has yet to agree. The openings stand
    before this entry, and this is what blinded the referee's states and salted its private words
    until now; the rules say that it is due, with no key yet."""

    slot: str
    bot: str
    at: int
    key: str | None = None


@dataclass(frozen=True)
class Reveal:
    """The seed of a referee's epoch, after the last run that used it. The rules say that it
    is due, with no seed yet; `service.signing` knows it."""

    bot: str
    at: int
    epoch: int
    seed: str = ""


@dataclass(frozen=True)
class Runtime:
    """From here on the hooks run on another Python, or under other rules."""

    runtime: str


@dataclass(frozen=True)
class Key:
    """From here on the heads are signed by another key; ``note`` is signed by both."""

    vkey: str
    note: str


@dataclass(frozen=True)
class Restored:
    """The server lost entries: it had signed the head of this size and root. The room is
    closed, and no head of it is signed again."""

    size: int
    root: str


@dataclass(frozen=True)
class Erased:
    """Stands for a leaf of which only the hash is left."""


Event: TypeAlias = (
    Genesis
    | Attach
    | Join
    | Entropy
    | Open
    | Abort
    | Takeover
    | Leave
    | Invite
    | Admin
    | Rename
    | Detach
    | Propose
    | Accept
    | Change
    | Start
    | Close
    | Msg
    | Run
    | Tick
    | Disclose
    | Unseal
    | Reveal
    | Runtime
    | Key
    | Restored
    | Erased
)

_TYPES: dict[str, type[Event]] = {kind.__name__.lower(): kind for kind in get_args(Event)}
_FIELDS = {kind: tuple(fields(kind)) for kind in _TYPES.values()}
_REQUIRED = {
    kind: frozenset(f.name for f in fields(kind) if f.default is MISSING)
    for kind in _TYPES.values()
}
_COMMON = frozenset({"i", "t", "p", "ts", "more"})


def write(event: Event) -> dict[str, Json]:
    """Return the entry's own fields; an absent optional field is left out."""
    kind = type(event)
    entry: dict[str, Json] = {"t": kind.__name__.lower()}
    for field in _FIELDS[kind]:
        value = getattr(event, field.name)
        if value is not None:
            entry[field.name] = value
    return entry


def read(entry: Mapping[str, Json]) -> Event:
    """Return the event of a parsed entry, or raise `BrokenLog` for unknown fields."""
    kind = _TYPES.get(entry["t"])
    if kind is None or kind is Erased:
        raise BrokenLog(entry["i"], f"unknown type {entry['t']!r}")
    own = {name: value for name, value in entry.items() if name not in _COMMON}
    known = {field.name for field in _FIELDS[kind]}
    if not _REQUIRED[kind] <= own.keys() <= known:
        raise BrokenLog(entry["i"], f"has not the fields of {entry['t']!r}")
    return kind(**own)
