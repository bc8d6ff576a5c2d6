"""What a caller may ask of a channel, with everything impure already supplied.

Accounts come as ``who`` (the account as this channel knows it), codes as hashes,
sources as `NewBot`, times in ms since the epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from mcp_multiplayer.channel.events import Attach, Run
from mcp_multiplayer.channel.identifiers import SlotSpec
from mcp_multiplayer.channel.ops import Op


def _no_seed(origin: str, bot: str) -> str:
    return ""


@dataclass(frozen=True)
class Host:
    """What a referee stands on here: the ``runtime`` of its hooks, and the commitment of its
    seed by origin and name in the dice (`transcript.seeds`)."""

    runtime: str = ""
    commit: Callable[[str, str], str] = _no_seed
    key: Callable[[str], str] = lambda origin: ""  #: the vkey that signs a room's heads


@dataclass(frozen=True)
class NewBot:
    """A referee that was inspected and may be attached. ``label`` is the id it takes when
    no slot is named; ``slot`` names a bot slot by its label."""

    name: str
    version: str
    code_hash: str
    manifest: Mapping[str, Any]
    manifest_hash: str
    params: Mapping[str, Any]
    reach: Mapping[str, Any]
    hooks: tuple[str, ...]
    label: str
    ref: str | None = None
    slot: str | None = None
    isolation: str | None = None
    library: str | None = None  #: hash of the text that it imports as ``referee``

    def attach(self, bot_id: str, slot_id: str, *, runtime: str, commit: str) -> Attach:
        """The event that seats this referee as ``bot_id`` in ``slot_id``."""
        return Attach(
            bot=bot_id,
            slot=slot_id,
            name=self.name,
            version=self.version,
            code_hash=self.code_hash,
            manifest=self.manifest,
            manifest_hash=self.manifest_hash,
            params=self.params,
            reach=self.reach,
            hooks=list(self.hooks),
            ref=self.ref,
            isolation=self.isolation,
            library=self.library,
            runtime=runtime,
            commit=commit,
        )


@dataclass(frozen=True)
class Seated:
    """Somebody who sits from the beginning, with his part of the dice."""

    label: str
    who: str
    entropy: str | None = None


@dataclass(frozen=True)
class Create:
    """Open a room: a creator's, who may take a seat at once (``join_as``), or without a creator for
    ``paired``, one for each seat, who sought a game in a queue."""

    origin: str
    name: str
    creator: str | None
    slots: tuple[SlotSpec, ...]
    invites: Mapping[
        str, str
    ]  #: label of a seat -> hash of its invite; a seat taken at once has none
    limits: Mapping[str, Any]
    nonce: str
    bots: tuple[NewBot, ...] = ()
    join_as: str | None = None
    entropy: str | None = None
    paired: tuple[Seated, ...] = ()
    listed: bool = False
    rated: bool = False


@dataclass(frozen=True)
class TakeSeat:
    """Redeem an invite. ``inspected`` is the terms document this account looked at,
    ``entropy`` its part of the dice as `channel.entropy` reads it."""

    who: str
    invite: str
    now: int
    expect_terms: str | None = None
    inspected: Mapping[str, Any] | None = None
    entropy: str | None = None


@dataclass(frozen=True)
class TakeOver:
    who: str
    slot: str
    generation: int
    entropy: str | None = None


@dataclass(frozen=True)
class GiveUp:
    """``deleted``: because the account is deleted."""

    who: str
    seat: str | None
    deleted: bool = False


@dataclass(frozen=True)
class Post:
    """``sealed`` is the salted digest of the body when ``to`` is given. ``size`` is the
    body's in bytes."""

    who: str
    seat: str | None
    kind: str
    body: Mapping[str, Any]
    size: int
    to: tuple[str, ...] | None = None
    sealed: str | None = None


@dataclass(frozen=True)
class Update:
    """``bots`` and ``invites`` hold, by the op's place in the list, what it needs."""

    who: str
    seat: str | None
    ops: tuple[Op, ...]
    bots: Mapping[int, NewBot]
    invites: Mapping[int, str]


@dataclass(frozen=True)
class Operate:
    """The operator of the server acts, by ops of `ops.OPERATES`. An ``erase`` brings what is left
    of its entry (`channel.erasure`). Whoever submits one removes, in the same append, the entry's
    bytes and what opens its private words: a reveal would disclose them, and the log would accuse
    the server."""

    ops: tuple[Op, ...]


@dataclass(frozen=True)
class Ran:
    """A hook has come back."""

    run: Run
    silent: bool  #: it said, changed and wanted nothing


@dataclass(frozen=True)
class Expire:
    """It is ``now``: the clock that ran out first, if one has, has run out."""

    now: int


Command: TypeAlias = TakeSeat | TakeOver | GiveUp | Post | Update | Operate | Ran | Expire
