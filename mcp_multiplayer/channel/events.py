"""What can have happened in a channel. Each event is one entry of its log. Values are plain JSON.
Tokens appear only as hashes, accounts only as ``who`` (unlinkable across channels),
private bodies only as salted digests, so a log can be published as it stands. A field's type says
what it may hold (`channel.field_types`), and `channel.strict_reader` holds each to that; one with a
default may be absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, TypeAlias, get_args

from mcp_multiplayer.channel import field_types as of
from mcp_multiplayer.errors import BrokenLog

Json: TypeAlias = Any


@dataclass(frozen=True)
class Genesis:
    """The room as it was opened. ``slots``: [{id, kind, label, admin?, invite?}]. ``queue`` in
    place of ``creator``: players who sought a game were paired, and nobody has a creator's rights.
    ``listed``: strangers may find and watch it; ``rated``: its result counts."""

    v: of.Version
    origin: of.Origin
    name: of.Name
    slots: of.Slots
    limits: of.Limits
    nonce: of.Nonce
    key: of.Vkey  #: that signs the heads
    creator: of.Who | None = None
    queue: of.Yes | None = None
    listed: of.Yes | None = None
    rated: of.Yes | None = None


@dataclass(frozen=True)
class Attach:
    """A referee takes a slot; its source is kept under ``code_hash``.

    ``commit`` binds its dice, ``runtime`` says what its hooks run on, ``library`` is the hash of
    the text that it imports as ``referee``, kept like its source.
    """

    bot: of.Label
    slot: of.SlotId
    name: of.Name
    version: of.BotVersion
    code_hash: of.Sha256
    manifest: of.Object
    manifest_hash: of.Sha256
    params: of.Object
    reach: of.Reach
    hooks: of.Hooks
    runtime: of.Runtime
    commit: of.Digest
    ref: of.Ref | None = None  #: builtin://Name for a shipped referee
    isolation: of.Isolation | None = None  #: what stands between it and this server, by level
    library: of.Sha256 | None = None


@dataclass(frozen=True)
class Join:
    """A seat is taken. ``entropy`` is its holder's part of the dice, ``commit`` a promise of it."""

    slot: of.SlotId
    who: of.Who
    terms: of.Sha256
    entropy: of.Text | None = None
    commit: of.Digest | None = None


@dataclass(frozen=True)
class Entropy:
    """A seat adds its part of the dice after it was taken and before the game begins."""

    slot: of.SlotId
    value: of.Text | None = None
    commit: of.Digest | None = None


@dataclass(frozen=True)
class Open:
    """A seat opens what it had committed to."""

    slot: of.SlotId
    value: of.Text


@dataclass(frozen=True)
class Abort:
    """These seats did not open in time; the game goes on without their part of the dice."""

    missing: of.SomeSlotIds


@dataclass(frozen=True)
class Takeover:
    slot: of.SlotId
    who: of.Who


@dataclass(frozen=True)
class Leave:
    """The seat is given up. ``deleted``: with the account of its holder, who does not come back."""

    slot: of.SlotId
    deleted: of.Yes | None = None


@dataclass(frozen=True)
class Invite:
    """The seat is free again, or its invite was replaced."""

    slot: of.SlotId
    hash: of.Sha256Hex


@dataclass(frozen=True)
class Admin:
    slot: of.SlotId
    on: of.Flag


@dataclass(frozen=True)
class Rename:
    name: of.Name


@dataclass(frozen=True)
class Detach:
    bot: of.Label


@dataclass(frozen=True)
class Ask:
    """Somebody asks for changes of the room, which the entries after this one carry out. ``slot``
    is the seat that speaks; the creator may have none. A referee that an op brings stands here
    without manifest and params, which its attach has. ``by`` in place of ``who``: the server's
    operator does this."""

    ops: of.AskedOps
    who: of.Who | None = None
    slot: of.SlotId | None = None
    by: of.Operator | None = None


@dataclass(frozen=True)
class Propose:
    """A change of the terms waits for everybody's consent."""

    slot: of.SlotId
    ops: of.Ops
    terms: of.Sha256


@dataclass(frozen=True)
class Accept:
    slot: of.SlotId
    terms: of.Sha256


@dataclass(frozen=True)
class Change:
    """Everybody seated has accepted; the entries that follow carry it out."""

    terms: of.Sha256
    accepted: of.SlotIds


@dataclass(frozen=True)
class Offer:
    """The creator's rights are offered to whoever sits there; ``terms`` is this offer's name."""

    slot: of.SlotId
    terms: of.Sha256


@dataclass(frozen=True)
class Handover:
    """Whoever sits there has accepted, and is the creator from here on."""

    slot: of.SlotId


@dataclass(frozen=True)
class Start:
    """The seats still empty are closed; the game may begin."""

    closed: of.SlotIds


@dataclass(frozen=True)
class Close:
    pass


@dataclass(frozen=True)
class Msg:
    """A member's words: ``m`` = {s slot, c counter, k kind, b body | d digest, to?}."""

    m: of.Words


@dataclass(frozen=True)
class Run:
    """One hook of one referee with all that came of it.

    ``at`` is the entry of its attach, ``on`` the entry that triggered it and ``now`` its time,
    ``st`` the blinded states before and after, ``rng`` [kid, hooks that drew before it, blocks that
    it drew], ``fx`` what it asked of the network, ``out`` a list of {k, b | d, to?}, ``res`` "ok",
    "fuel", "error:<Class>" or "killed:<Class>". ``timers`` has when each clock runs out, in ms
    since the epoch, or null where one was stopped; the turn's own is its ``deadline``.
    """

    bot: of.Label
    at: of.Whole
    hook: of.Hook
    on: of.Whole
    res: of.Outcome
    out: of.Posts
    now: of.Whole
    st: of.States
    rng: of.Rng
    turn: of.Turn | None = None
    end: of.Object | None = None
    timers: of.Timers | None = None
    line: of.Whole | None = None
    fx: of.Effects | None = None


@dataclass(frozen=True)
class Tick:
    """A clock of a referee ran out, ``turn`` or one that it named."""

    bot: of.Label
    name: of.TimerName


@dataclass(frozen=True)
class Disclose:
    """Opens the private message of entry ``entry``, which a referee had heard."""

    entry: of.Whole
    salt: of.Salt
    body: of.Object


@dataclass(frozen=True)
class Unseal:
    """Whoever holds this seat agrees that what was said in private to a referee that keeps it
    closed is opened. ``key``: nobody else has yet to agree. The openings stand
    before this entry, and this is what blinded the referee's states and salted its private words
    until now; the rules say that it is due, with no key yet."""

    slot: of.SlotId
    bot: of.Label
    at: of.Whole
    key: of.Digest | None = None


@dataclass(frozen=True)
class Reveal:
    """The seed of a referee's epoch, after the last run that used it. The rules say that it
    is due, with no seed yet; `service.signing` knows it."""

    bot: of.Label
    at: of.Whole
    epoch: of.Whole
    seed: of.Digest


@dataclass(frozen=True)
class Runtime:
    """From here on the hooks run on another Python, or under other rules."""

    runtime: of.Runtime


@dataclass(frozen=True)
class Key:
    """From here on the heads are signed by another key; ``note`` is signed by both."""

    vkey: of.Vkey
    note: of.Text


@dataclass(frozen=True)
class Restored:
    """The server lost entries: it had signed the head of this size and root. The room is
    closed, and no head of it is signed again."""

    size: of.Whole
    root: of.Digest


@dataclass(frozen=True)
class Erase:
    """The words of an earlier entry are gone; ``left`` is that entry without them
    (`channel.erasure`). Its hash stays in the tree."""

    entry: of.Whole
    left: of.Object


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
    | Ask
    | Propose
    | Accept
    | Change
    | Offer
    | Handover
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
    | Erase
)

TYPES: dict[str, type[Event]] = {kind.__name__.lower(): kind for kind in get_args(Event)}
_FIELDS = {kind: tuple(fields(kind)) for kind in TYPES.values()}
REQUIRED = {
    kind: frozenset(f.name for f in fields(kind) if f.default is MISSING) for kind in TYPES.values()
}
COMMON = frozenset({"i", "t", "p", "ts", "more"})  #: fields of every entry, `transcript.entries`


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
    kind = TYPES.get(entry["t"])
    if kind is None:
        raise BrokenLog(entry["i"], f"unknown type {entry['t']!r}")
    own = {name: value for name, value in entry.items() if name not in COMMON}
    known = {field.name for field in _FIELDS[kind]}
    if not REQUIRED[kind] <= own.keys() <= known:
        raise BrokenLog(entry["i"], f"has not the fields of {entry['t']!r}")
    return kind(**own)
