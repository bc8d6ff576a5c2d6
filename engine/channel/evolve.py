"""How one event changes the state. Total: whatever was decided can be folded.

A proposal names the terms it leads to, so whatever touches the terms voids it.

Changes together with `events` and `state`. The verifier folds with this very file.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple, assert_never

from engine.channel import timers, views
from engine.channel.events import (
    Accept,
    Admin,
    Attach,
    Change,
    Close,
    Detach,
    Erased,
    Event,
    Genesis,
    Invite,
    Join,
    Leave,
    Msg,
    Propose,
    Rename,
    Run,
    Start,
    Takeover,
    Tick,
)
from engine.channel.state import Bot, Channel, Proposal, Slot, Turn


class Place(NamedTuple):
    """Where an event stands in the log: its entry's index, its time in ms, its bytes."""

    entry: int
    ts: int
    size: int = 0


def evolve(channel: Channel, event: Event, place: Place) -> Channel:
    """Return the state after ``event``, which stands at ``place``."""
    after = _fold(channel, event, place)
    return replace(
        after,
        messages=channel.messages + views.count(event),
        bytes=channel.bytes + place.size,
    )


def _fold(channel: Channel, event: Event, place: Place) -> Channel:  # noqa: C901  a flat table of all events
    match event:
        case Genesis():
            return _genesis(event, place)
        case Attach():
            return _attach(channel, event, place)
        case Join(slot, who, terms):
            joined = _seat(
                channel, slot, state="taken", who=who, terms=terms, since=place.entry, used_by=who
            )
            shared = channel.shared or who != channel.creator
            return _maybe_started(replace(joined, shared=shared), place)
        case Takeover(slot, who):
            taken = _seat(channel, slot, who=who)
            return replace(taken, shared=channel.shared or who != channel.creator)
        case Leave(slot):
            return _leave(channel, slot)
        case Invite(slot, invite):
            return _seat(
                channel, slot, state="free", invite=invite, invited=place.ts, used_by="", who=""
            )
        case Admin(slot, on):
            return replace(_seat(channel, slot, admin=on), proposal=None)
        case Rename(name):
            return replace(channel, name=name)
        case Detach(bot):
            return _detach(channel, bot)
        case Propose(slot, ops, terms):
            own = {seat.id for seat in channel.seats_of(channel.slot(slot).who)}
            accepted = tuple(seat.id for seat in channel.seats if seat.id in own)
            return replace(channel, proposal=Proposal(slot, tuple(ops), terms, accepted))
        case Accept(slot, _):
            assert channel.proposal
            accepted = (*channel.proposal.accepted, slot)
            return replace(channel, proposal=replace(channel.proposal, accepted=accepted))
        case Change():
            return replace(channel, proposal=None)
        case Start(closed):
            for slot in closed:
                channel = _seat(channel, slot, state="closed", invite="")
            return _maybe_started(channel, place)
        case Close():
            return replace(channel, status="closed", turn=None, proposal=None, timers=())
        case Msg(m):
            return _seat(channel, m["s"], said=m["c"])
        case Run():
            return _run(channel, event)
        case Tick(bot, name):
            return replace(channel, timers=timers.after_tick(channel, bot, name))
        case Erased():
            return channel
        case _:
            assert_never(event)


def _genesis(event: Genesis, place: Place) -> Channel:
    slots = tuple(
        Slot(
            id=slot["id"],
            kind=slot["kind"],
            label=slot["label"],
            admin=slot.get("admin", False),
            invite=slot.get("invite", ""),
            invited=place.ts,
        )
        for slot in event.slots
    )
    return Channel(
        origin=event.origin,
        version=event.v,
        name=event.name,
        creator=event.creator,
        created=place.ts,
        limits=event.limits,
        slots=slots,
    )


def _attach(channel: Channel, event: Attach, place: Place) -> Channel:
    if all(slot.id != event.slot for slot in channel.slots):
        added = Slot(id=event.slot, kind="bot", label=event.bot)
        channel = replace(channel, slots=(*channel.slots, added))
    bot = Bot(
        at=place.entry,
        id=event.bot,
        slot=event.slot,
        name=event.name,
        version=event.version,
        code_hash=event.code_hash,
        manifest=event.manifest,
        manifest_hash=event.manifest_hash,
        params=event.params,
        reach=event.reach,
        hooks=tuple(event.hooks),
        ref=event.ref,
    )
    seated = _seat(channel, event.slot, state="taken")
    return replace(seated, bots=(*channel.bots, bot), proposal=None)


def _detach(channel: Channel, bot_id: str) -> Channel:
    bot = channel.bot(bot_id)
    assert bot
    clock = any(timer.bot == bot_id and timer.name == timers.TURN for timer in channel.timers)
    owner = channel.referee is bot or clock  # another may have come to sit before it since
    freed = _seat(channel, bot.slot, state="free")
    bots = tuple(other for other in channel.bots if other is not bot)
    turn = None if owner else channel.turn
    running = timers.after_detach(channel, bot_id, turn_over=owner)
    return replace(freed, bots=bots, turn=turn, proposal=None, timers=running)


def _leave(channel: Channel, slot_id: str) -> Channel:
    slot = channel.slot(slot_id)
    left = _seat(channel, slot_id, state="left", who="", generation=slot.generation + 1)
    if channel.proposal and slot_id in channel.proposal.accepted:
        kept = tuple(other for other in channel.proposal.accepted if other != slot_id)
        left = replace(left, proposal=replace(channel.proposal, accepted=kept))
    return left


def _maybe_started(channel: Channel, place: Place) -> Channel:
    """The game begins when no seat waits for anybody any more, and only once."""
    waits = any(slot.state not in ("taken", "closed") for slot in channel.seats)
    if channel.status != "open" or waits:
        return channel
    return replace(channel, status="playing", started=place.entry)


def _run(channel: Channel, event: Run) -> Channel:
    bot = channel.bot(event.bot)
    if bot is not None and bot.at == event.at and channel.status != "closed":
        channel = replace(channel, timers=timers.after_run(channel, event))
    if event.turn is not None:
        players = tuple(event.turn["players"])
        turn = Turn(players, event.turn.get("expect"), event.turn.get("deadline"))
        channel = replace(channel, turn=turn if players else None)
        if players and channel.status == "ended":  # a rematch: the game goes on
            channel = replace(channel, status="playing", result=None)
    if event.end is not None and channel.status != "closed":
        channel = replace(channel, status="ended", result=event.end, turn=None)
    return channel


def _seat(channel: Channel, slot_id: str, **changes: Any) -> Channel:
    slots = tuple(
        replace(slot, **changes) if slot.id == slot_id else slot for slot in channel.slots
    )
    return replace(channel, slots=slots)
