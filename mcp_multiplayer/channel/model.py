"""The state of one channel: what a fold of its log knows. Everything here is derived; losing it
costs a re-read of the log. Bodies of messages and sources are not part of it, so its
size does not grow with what is said.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeAlias, TypeVar

from mcp_multiplayer.transcript import seeds

DAY = 86_400_000  #: ms
SlotState: TypeAlias = Literal["free", "taken", "left", "closed"]
Status: TypeAlias = Literal["open", "playing", "ended", "closed"]


_T = TypeVar("_T")


def once(fact: Callable[[Channel], _T]) -> Callable[[Channel], _T]:
    """What follows from a state, made when it is first asked for: no state ever changes. For what
    is no method of it; for those there is `functools.cached_property`."""
    name = f"{fact.__module__}.{fact.__qualname__}"

    @functools.wraps(fact)
    def known(channel: Channel) -> _T:
        beside = vars(channel)  # no field of it, so not of another state that is made from it
        if name not in beside:
            beside[name] = fact(channel)
        value: _T = beside[name]
        return value

    return known


@dataclass(frozen=True)
class Slot:
    """A place for a player (``invite``), a spectator (``watch``) or a referee (``bot``)."""

    id: str
    kind: str
    label: str
    admin: bool = False
    state: SlotState = "free"
    who: str = ""  #: the account in the seat, as this channel knows it
    since: int = 0  #: entry of the join: the order of joining
    terms: str = ""  #: what the joiner accepted
    invite: str = ""  #: hash of the invite code that opens, or opened, the seat
    invited: int = 0  #: ms since the epoch; the invite expires from here
    used_by: str = ""  #: who redeemed that invite, so that a lost answer can be asked again
    generation: int = 0  #: counts occupants; a rejoin token belongs to one
    said: int = 0  #: messages of this seat so far
    entropy: str = ""  #: its part of the dice
    commit: str = ""  #: a promise of it that waits to be opened
    given: int = 0  #: entry with which the one or the other came

    @property
    def plays(self) -> bool:
        """A player's; a spectator's reads what is public and has no part in anything."""
        return self.kind == "invite"


@dataclass(frozen=True)
class Bot:
    """A referee in its slot. ``at`` is the entry of its attach."""

    at: int
    id: str
    slot: str
    name: str
    version: str
    code_hash: str
    manifest: Mapping[str, Any]
    manifest_hash: str
    params: Mapping[str, Any]
    reach: Mapping[str, Any]
    hooks: tuple[str, ...]
    ref: str | None = None
    library: str | None = None  #: hash of what it imports as ``referee``
    nth: int = 1  #: counts the attaches of the log: with the id, the bot's name in its dice
    commit: str = ""
    dice: Dice = field(default_factory=lambda: Dice())
    kept: Kept = field(default_factory=lambda: Kept())

    @cached_property
    def dice_name(self) -> str:
        """What it is called in the formulas of its dice."""
        return seeds.bot_name(self.id, self.nth)

    @cached_property
    def keeps_sealed(self) -> bool:
        """What it hears in private is opened only by consent; what others hear, when their seed
        comes out."""
        return self.manifest.get("sealed") == "kept"

    @cached_property
    def may_reveal(self) -> bool:
        """A run has used its seed, and it is not the last, which stays for the room's end."""
        return self.dice.used and self.dice.epoch < seeds.SEEDS - 1


@dataclass(frozen=True)
class Dice:
    """Which seed a referee's hooks use now. ``since`` is the time from which the epoch's days
    count, ``first`` the first entry that belongs to it."""

    epoch: int = 0
    drawn: int = 0  #: hooks that drew so far: the next one's dice are named by it
    used: bool = False  #: a run stands in the log that needs this seed
    sealed: int = 0  #: private messages to the bot that a reveal must open; none to one that keeps
    since: int = 0
    first: int = 0


@dataclass(frozen=True)
class Kept:
    """What was said in private to a referee that keeps it closed, and by it, from entry ``since``
    on."""

    since: int = 0
    nth: int = 0  #: how often it was opened: whose key blinds the referee's states
    by: tuple[tuple[str, str], ...] = ()  #: slots and accounts that said or were told something
    agreed: tuple[str, ...] = ()  #: accounts that agree to have it opened

    def without(self, *agreeing: str) -> tuple[str, ...]:
        """The slots of those who have not agreed, were these accounts to agree as well."""
        agreed = {*self.agreed, *agreeing}
        return tuple(slot for slot, who in self.by if who not in agreed)


@dataclass(frozen=True)
class Turn:
    players: tuple[str, ...]
    expect: Any = None
    deadline: int | None = None  #: ms since the epoch
    to: tuple[str, ...] | None = None  #: to whom the move is sealed


@dataclass(frozen=True, order=True)
class Timer:
    """A clock that a referee has started and that has not run out."""

    due: int  #: ms since the epoch
    bot: str
    name: str


@dataclass(frozen=True)
class Proposal:
    """A change of the terms that waits for consent, or the creator's rights for who is to have
    them. ``slot`` has proposed it; of an offer, it is the seat that it is made to."""

    slot: str
    ops: tuple[Mapping[str, Any], ...]
    terms: str
    accepted: tuple[str, ...]  #: slot ids

    @property
    def empties(self) -> str | None:
        """The label of the seat that it would empty."""
        return self._of("yield_slot")

    @property
    def offered_to(self) -> str | None:
        """The label of the seat that the creator's rights are offered to."""
        return self._of("hand_over")

    def _of(self, name: str) -> str | None:
        return next((op["player_id"] for op in self.ops if op["op"] == name), None)


@dataclass(frozen=True)
class Share:
    """A seat's part of the dice, and the entry that brought it."""

    slot: str
    value: str
    given: int


@dataclass(frozen=True)
class Channel:
    origin: str = ""
    version: str = ""
    key: str = ""  #: the vkey that signs the heads
    runtime: str = ""  #: what hooks run on
    name: str = ""
    creator: str | None = None  #: None in a room that a queue has made
    listed: bool = False
    rated: bool = False
    created: int = 0
    limits: Mapping[str, Any] = field(default_factory=dict)
    slots: tuple[Slot, ...] = ()
    bots: tuple[Bot, ...] = ()  #: in attach order
    status: Status = "open"
    started: int | None = None  #: entry with which the game began
    sealed: int | None = None  #: since when commitments wait to be opened, in ms
    entropy: tuple[Share, ...] = ()  #: the members' part of the dice, from the beginning on
    shared: bool = False  #: an account other than the creator has been seated at some time
    turn: Turn | None = None
    result: Mapping[str, Any] | None = None
    proposal: Proposal | None = None
    agreed: str = ""  #: the name of the last change that took effect by consent
    timers: tuple[Timer, ...] = ()  #: the first one due first
    size: int = 0  #: entries so far
    attached: int = 0  #: attaches so far
    lost: bool = False  #: restored from a backup older than a head that was signed
    messages: int = 0
    bytes: int = 0  #: of all leaves: what the room weighs

    @property
    def unopened(self) -> tuple[str, ...]:
        """Slots whose commitment waits to be opened."""
        return tuple(slot.id for slot in self.seated if slot.commit)

    @property
    def running(self) -> bool:
        """A game is on, as far as the server knows: somebody is to move, or nobody is waited for
        any more and the referee has not ended it; or, after its end, a referee has been told
        something in private since, as in a rematch without turns."""
        began = self.status == "playing" or self.turn is not None or self.sealed is not None
        told = self.status == "ended" and any(bot.dice.sealed for bot in self.bots)
        return (began or told) and bool(self.bots)

    @cached_property
    def full(self) -> bool:
        return bool(self.bytes > self.limits["channel_mb"] << 20)

    # Clocks: when they run out, in ms since the epoch.

    @property
    def timer(self) -> Timer | None:
        """The referees' clock that runs out next. In a full room none does: its log must not grow
        for ever with nobody there."""
        return self.timers[0] if self.timers and not self.full else None

    @property
    def opens(self) -> int | None:
        """When the game begins without the values that were promised and not opened."""
        if self.sealed is None or self.status != "open":
            return None
        return self.sealed + int(self.limits["open_seconds"] * 1000)

    def reveals(self, bot: Bot) -> int | None:
        """When this bot's seed comes out though nobody is there."""
        if self.status == "closed" or not bot.may_reveal:
            return None
        return bot.dice.since + int(self.limits["reveal_days"] * DAY)

    @cached_property
    def next_due(self) -> int | None:
        """When the next clock of any kind runs out."""
        dues = [self.opens, None if self.timer is None else self.timer.due]
        dues += [self.reveals(bot) for bot in self.bots]
        return min((due for due in dues if due is not None), default=None)

    @cached_property
    def seats(self) -> tuple[Slot, ...]:
        """The players' slots, in the order given."""
        return tuple(slot for slot in self.slots if slot.plays)

    @cached_property
    def places(self) -> tuple[Slot, ...]:
        """The seats and the spectators' places, in the order given."""
        return tuple(slot for slot in self.slots if slot.kind != "bot")

    @cached_property
    def seated(self) -> tuple[Slot, ...]:
        """The taken seats, in order of joining."""
        return tuple(sorted((s for s in self.seats if s.state == "taken"), key=lambda s: s.since))

    @property
    def players(self) -> tuple[str, ...]:
        return tuple(slot.label for slot in self.seated)

    def seats_of(self, who: str) -> tuple[Slot, ...]:
        """What this account holds here, a spectator's places among it."""
        return tuple(slot for slot in self.places if slot.state == "taken" and slot.who == who)

    def seat(self, label: str) -> Slot | None:
        return next((slot for slot in self.places if slot.label == label), None)

    def slot(self, slot_id: str) -> Slot:
        return next(slot for slot in self.slots if slot.id == slot_id)

    def label(self, slot_id: str) -> str:
        return self.slot(slot_id).label

    @cached_property
    def referee(self) -> Bot | None:
        """The bot of the first bot slot: turn and end are its to say, whoever replaces it."""
        order = {slot.id: place for place, slot in enumerate(self.slots)}
        return min(self.bots, key=lambda bot: order[bot.slot], default=None)

    def bot(self, bot_id: str) -> Bot | None:
        return next((bot for bot in self.bots if bot.id == bot_id), None)
