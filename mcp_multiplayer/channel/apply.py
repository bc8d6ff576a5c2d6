"""How one event changes the state. Total: whatever was decided can be folded.

A proposal names the terms it leads to, so whatever touches the terms voids it; one that
would empty a seat, or hand over to it, is void when its holder has left.
The verifier folds with this very file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, NamedTuple, TypeAlias, assert_never

from mcp_multiplayer.channel import timers, view
from mcp_multiplayer.channel.events import (
    Abort,
    Accept,
    Admin,
    Ask,
    Attach,
    Change,
    Close,
    Detach,
    Disclose,
    Entropy,
    Erase,
    Event,
    Genesis,
    Handover,
    Invite,
    Join,
    Key,
    Leave,
    Msg,
    Offer,
    Open,
    Propose,
    Rename,
    Restored,
    Reveal,
    Run,
    Runtime,
    Start,
    Takeover,
    Tick,
    Unseal,
)
from mcp_multiplayer.channel.model import Bot, Channel, Dice, Kept, Proposal, Share, Slot, Turn

_Proof: TypeAlias = (
    Entropy | Open | Abort | Disclose | Unseal | Reveal | Runtime | Key | Restored | Erase
)


class Place(NamedTuple):
    """Where an event stands in the log: its entry's index, its time in ms, its bytes."""

    entry: int
    ts: int
    size: int = 0


def evolve(channel: Channel, event: Event, place: Place) -> Channel:
    """Return the state after ``event``, which stands at ``place``."""
    after = _fold(channel, event, place)
    return _with(
        after,
        size=place.entry + 1,
        messages=channel.messages + view.count(event),
        bytes=channel.bytes + place.size,
    )


def _fold(channel: Channel, event: Event, place: Place) -> Channel:  # noqa: C901  a flat table of all events
    match event:
        case Genesis():
            return _genesis(event, place)
        case Attach():
            return _attach(channel, event, place)
        case Join(slot, who, terms, entropy, commit):
            joined = _seat(
                channel, slot, state="taken", who=who, terms=terms, since=place.entry, used_by=who
            )
            joined = _share(joined, slot, entropy, commit, place)
            shared = channel.shared or _other(channel, slot, who)
            return _maybe_started(replace(joined, shared=shared), place)
        case Takeover(slot, who):
            handed = _handed_on(channel, slot, who)
            taken = _unaccepted(_seat(handed, slot, who=who), slot)
            return replace(taken, shared=channel.shared or _other(channel, slot, who))
        case Leave(slot):
            return _leave(channel, slot)
        case Invite(slot, invite):
            empty = _seat(
                channel, slot, state="free", invite=invite, invited=place.ts, used_by="", who=""
            )
            return replace(empty, sealed=None) if empty.slot(slot).plays else empty
        case Admin(slot, on):
            return replace(_seat(channel, slot, admin=on), proposal=None)
        case Rename(name):
            return replace(channel, name=name)
        case Detach(bot):
            return _detach(channel, bot)
        case Propose() | Offer() | Accept() | Change() | Handover():
            return _fold_consent(channel, event)
        case Start(closed):
            for slot in closed:
                channel = _seat(channel, slot, state="closed", invite="")
            return _maybe_started(channel, place)
        case Close():
            return replace(channel, status="closed", turn=None, proposal=None, timers=())
        case Msg(m):
            return _said(channel, m)
        case Run():
            return _run(channel, event, place)
        case Ask():
            return channel
        case Tick(bot, name):
            return replace(channel, timers=timers.after_tick(channel, bot, name))
        case _:
            return _fold_proof(channel, event, place)


def _fold_consent(channel: Channel, event: Propose | Offer | Accept | Change | Handover) -> Channel:
    match event:
        case Propose(slot, ops, terms):
            own = {seat.id for seat in channel.seats_of(channel.slot(slot).who)}
            accepted = tuple(seat.id for seat in channel.seats if seat.id in own)
            return replace(channel, proposal=Proposal(slot, tuple(ops), terms, accepted))
        case Offer(slot, terms):
            op = {"op": "hand_over", "player_id": channel.label(slot)}
            return replace(channel, proposal=Proposal(slot, (op,), terms, ()))
        case Handover(slot):
            return replace(channel, creator=channel.slot(slot).who)
        case Accept(slot, _):
            assert channel.proposal
            accepted = (*channel.proposal.accepted, slot)
            return replace(channel, proposal=replace(channel.proposal, accepted=accepted))
        case Change(terms):
            return replace(channel, proposal=None, agreed=terms)
        case _:
            assert_never(event)


def _fold_proof(channel: Channel, event: _Proof, place: Place) -> Channel:  # noqa: C901  as above
    """What the dice, the keys and the record itself have to say."""
    match event:
        case Entropy(slot, value, commit):
            return _share(channel, slot, value, commit, place)
        case Open(slot, value):
            return _maybe_started(_seat(channel, slot, entropy=value, commit=""), place)
        case Abort(missing):
            for slot in missing:
                channel = _seat(channel, slot, commit="", given=0)
            return _maybe_started(channel, place)
        case Unseal(slot, bot_id, at, key):
            kept = _bot_of(channel, event).kept
            agreed = (*kept.agreed, channel.slot(slot).who)
            opened = Kept(place.entry + 1, kept.nth + 1)
            after = replace(kept, agreed=agreed) if key is None else opened
            return _bot(channel, bot_id, at, kept=after)
        case Reveal(bot_id, at, epoch):
            following = Dice(epoch=epoch + 1, first=place.entry + 1)
            return _bot(channel, bot_id, at, dice=following)
        case Runtime(runtime):
            return replace(channel, runtime=runtime)
        case Key(vkey):
            return replace(channel, key=vkey)
        case Restored():
            shut = replace(channel, status="closed", turn=None, proposal=None, timers=())
            return replace(shut, lost=True)
        case Disclose() | Erase():
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
        key=event.key,
        name=event.name,
        creator=event.creator,
        listed=bool(event.listed),
        rated=bool(event.rated),
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
        library=event.library,
        nth=channel.attached + 1,
        commit=event.commit,
        dice=Dice(first=place.entry),
        kept=Kept(place.entry),
    )
    seated = _seat(channel, event.slot, state="taken")
    return replace(
        seated,
        bots=(*channel.bots, bot),
        proposal=None,
        attached=channel.attached + 1,
        runtime=event.runtime,
    )


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
    gone: dict[str, Any] = {"entropy": "", "commit": "", "given": 0}
    left = _seat(channel, slot_id, state="left", who="", generation=slot.generation + 1, **gone)
    if not slot.plays:
        return left
    left = replace(left, sealed=None)
    waiting = channel.proposal
    if waiting and slot.label in (waiting.empties, waiting.offered_to):
        return replace(left, proposal=None)
    return _unaccepted(left, slot_id)


def _unaccepted(channel: Channel, slot_id: str) -> Channel:
    """Who sat there has agreed to what waits, not who comes."""
    if channel.proposal is None or slot_id not in channel.proposal.accepted:
        return channel
    kept = tuple(other for other in channel.proposal.accepted if other != slot_id)
    return replace(channel, proposal=replace(channel.proposal, accepted=kept))


def _other(channel: Channel, slot: str, who: str) -> bool:
    """A player who is not the creator: from then on the creator alone changes nothing."""
    return who != channel.creator and channel.slot(slot).plays


def _maybe_started(channel: Channel, place: Place) -> Channel:
    """The game begins, only once, when no seat waits for anybody any more and every part of
    the dice that was promised is open; from then on nothing can be added to them."""
    waits = any(slot.state not in ("taken", "closed") for slot in channel.seats)
    if channel.status != "open" or waits:
        return channel
    if channel.unopened:
        return replace(channel, sealed=place.ts if channel.sealed is None else channel.sealed)
    shares = tuple(Share(s.id, s.entropy, s.given) for s in channel.seats if s.entropy)
    return replace(channel, status="playing", started=place.entry, sealed=None, entropy=shares)


def _share(
    channel: Channel, slot: str, value: str | None, commit: str | None, place: Place
) -> Channel:
    given = place.entry if value or commit else 0
    return _seat(channel, slot, entropy=value or "", commit=commit or "", given=given)


def _said(channel: Channel, m: Mapping[str, Any]) -> Channel:
    """A message; bots that heard it in private keep it, or their seed's reveal has to open it."""
    for bot in channel.bots if "to" in m else ():
        if f"bot:{bot.id}" not in m["to"]:
            continue
        if bot.keeps_sealed:
            channel = _keeping(channel, bot, channel.slot(m["s"]))
        else:
            dice = replace(bot.dice, sealed=bot.dice.sealed + 1)
            channel = _bot(channel, bot.id, bot.at, dice=dice)
    return _seat(channel, m["s"], said=m["c"])


def _keeping(channel: Channel, bot: Bot, *slots: Slot) -> Channel:
    """These have said something to it in private, or were told something by it: who had agreed has
    not agreed to that, too."""
    more = [(slot.id, slot.who) for slot in slots]
    by = tuple(dict.fromkeys((*bot.kept.by, *more)))
    agreed = tuple(who for who in bot.kept.agreed if all(who != other for _, other in more))
    return _bot(channel, bot.id, bot.at, kept=replace(bot.kept, by=by, agreed=agreed))


def _handed_on(channel: Channel, slot_id: str, who: str) -> Channel:
    """What was said from a seat is the account's that has taken it over, and that has yet to agree
    to its being opened."""
    before = (slot_id, channel.slot(slot_id).who)
    for bot in channel.bots:
        if before in bot.kept.by:
            by = tuple((slot_id, who) if one == before else one for one in bot.kept.by)
            agreed = tuple(other for other in bot.kept.agreed if other != who)
            kept = replace(bot.kept, by=by, agreed=agreed)
            channel = _bot(channel, bot.id, bot.at, kept=kept)
    return channel


def _bot_of(channel: Channel, event: Run | Unseal) -> Bot:
    return next(bot for bot in channel.bots if (bot.id, bot.at) == (event.bot, event.at))


def _bot(channel: Channel, bot_id: str, at: int, **changes: Any) -> Channel:
    bots = tuple(
        replace(bot, **changes) if (bot.id, bot.at) == (bot_id, at) else bot for bot in channel.bots
    )
    return _with(channel, bots=bots)


def _run(channel: Channel, event: Run, place: Place) -> Channel:
    bot = channel.bot(event.bot)
    if bot is not None and bot.at == event.at and channel.status != "closed":
        channel = _with(channel, timers=timers.after_run(channel, event))
        since = bot.dice.since if bot.dice.used else place.ts
        drawn = bot.dice.drawn + (event.rng[2] > 0)
        dice = replace(bot.dice, drawn=drawn, used=True, since=since)
        channel = _bot(channel, bot.id, bot.at, dice=dice)
        told = {name for item in event.out for name in item.get("to", ())}
        heard = [slot for slot in channel.seated if slot.label in told]
        if bot.keeps_sealed and heard:
            channel = _keeping(channel, _bot_of(channel, event), *heard)
    if event.turn is not None:
        players = tuple(event.turn["players"])
        to = event.turn.get("to")
        turn = Turn(
            players,
            event.turn.get("expect"),
            event.turn.get("deadline"),
            None if to is None else tuple(to),
        )
        channel = _with(channel, turn=turn if players else None)
        if players and channel.status == "ended":  # a rematch: the game goes on
            channel = replace(channel, status="playing", result=None)
    if event.end is not None and channel.status != "closed":
        channel = replace(channel, status="ended", result=event.end, turn=None)
    return channel


def _seat(channel: Channel, slot_id: str, **changes: Any) -> Channel:
    slots = tuple(
        replace(slot, **changes) if slot.id == slot_id else slot for slot in channel.slots
    )
    return _with(channel, slots=slots)


_FIELDS = tuple(field.name for field in fields(Channel))


def _with(channel: Channel, **changes: Any) -> Channel:
    """`dataclasses.replace`, which sets thirty fields one by one, for what each message changes;
    facts that follow from the state are not taken along."""
    after, known = object.__new__(Channel), vars(channel)
    vars(after).update({name: known[name] for name in _FIELDS}, **changes)
    return after
