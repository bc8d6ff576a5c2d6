"""How the makeup of a room changes: opening, ops, and changes that wait for consent.

`decide` has found that the caller may; here is what follows from it. An op is
decided on the state that the ops before it leave behind, so a list is all or nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from mcp_multiplayer.channel import entropy, terms
from mcp_multiplayer.channel.apply import Place, evolve
from mcp_multiplayer.channel.commands import Create, Host, NewBot, Update
from mcp_multiplayer.channel.events import (
    Accept,
    Admin,
    Attach,
    Change,
    Close,
    Detach,
    Erase,
    Event,
    Genesis,
    Handover,
    Invite,
    Join,
    Leave,
    Propose,
    Rename,
    Start,
)
from mcp_multiplayer.channel.field_types import VERSION
from mcp_multiplayer.channel.identifiers import room_name, unique
from mcp_multiplayer.channel.model import Channel, Proposal, Slot
from mcp_multiplayer.channel.ops import DECIDE_A_GAME, TOUCH_TERMS, Op
from mcp_multiplayer.errors import BadOp, BotNotFound, InvalidRequest, NotAdmin, TooLarge
from mcp_multiplayer.transcript import seeds


def opening(command: Create, host: Host) -> list[Event]:
    """The first entries of a room."""
    slots: list[dict[str, Any]] = []
    for index, spec in enumerate(command.slots):
        slot: dict[str, Any] = {"id": f"s{index}", "kind": spec.kind, "label": spec.label}
        if spec.admin:
            slot["admin"] = True
        if spec.label in command.invites and spec.kind != "bot":
            slot["invite"] = command.invites[spec.label]
        slots.append(slot)
    events: list[Event] = [
        Genesis(
            VERSION,
            command.origin,
            room_name(command.name),
            slots,
            command.limits,
            command.nonce,
            host.key(command.origin),
            creator=command.creator,
            queue=True if command.creator is None else None,
            listed=True if command.listed else None,
            rated=True if command.rated else None,
        )
    ]
    channel = ahead(Channel(), events)
    for bot in command.bots:
        attach = _attach(channel, bot, host)
        events.append(attach)
        channel = ahead(channel, [attach])
    if command.creator is None:
        return [*events, *_paired(channel, command)]
    if command.join_as is not None:
        seat = channel.seat(command.join_as)
        if seat is None or not seat.plays:
            free = ", ".join(slot.label for slot in channel.seats)
            raise InvalidRequest(
                f"join_as names no seat of this room: {command.join_as[:60]!r}",
                hint=f"Seats: {free}.",
            )
        value, commit = entropy.said(command.entropy)
        if commit is not None:
            raise InvalidRequest(
                "a commitment names the room, which has no name yet",
                hint="Open the room without entropy; then join_channel with your rejoin_token "
                "and the commitment.",
            )
        events.append(Join(seat.id, command.creator, terms.of(channel), value))
    return events


def _paired(channel: Channel, command: Create) -> list[Event]:
    """Everybody sits from the beginning, so no invite opens a seat and none is admin."""
    labels = [one.label for one in command.paired]
    if sorted(labels) != sorted(slot.label for slot in channel.places) or any(
        slot.admin or slot.invite or not slot.plays for slot in channel.places
    ):
        raise InvalidRequest("a queue's room has a player in each seat, and no invite or admin")
    joins: list[Event] = []
    for one in command.paired:
        value, commit = entropy.said(one.entropy)
        if commit is not None:
            raise InvalidRequest("a commitment names the room, which has no name yet")
        seat = next(slot for slot in channel.places if slot.label == one.label)
        joins.append(Join(seat.id, one.who, terms.of(channel), value))
    return joins


def ahead(channel: Channel, events: list[Event]) -> Channel:
    """The state these events would lead to, were they appended now."""
    for event in events:
        channel = evolve(channel, event, Place(channel.size, channel.created))
    return channel


def needs_consent(channel: Channel, update: Update) -> bool:
    """True when somebody else sits here, and an op touches the terms that he has accepted or can
    decide the game that he plays."""
    if all(slot.who == update.who for slot in channel.seated):
        return False
    running = channel.running
    for op in update.ops:
        if op.op in TOUCH_TERMS or (running and _decides(channel, update.who, op)):
            return True
        running = running or (op.op == "start" and bool(channel.bots))  # for what follows it
    return False


def _decides(channel: Channel, who: str, op: Op) -> bool:
    """Whether the op would decide a game that runs."""
    if op.op not in DECIDE_A_GAME:
        return False
    if op.op == "close":
        return True
    seat = seat_named(channel, op)
    return seat.plays and seat.state == "taken" and seat.who != who


def waiting(channel: Channel) -> tuple[Slot, ...]:
    """Whose acceptance the change that was proposed still lacks: everybody's.

    A seat is emptied when its holder accepts, or everybody else does. Everybody else is more than
    one account: in a game of two it would be the opponent, who must not decide it alone. For a
    player who does not move, referees have clocks.
    """
    proposal = channel.proposal
    if proposal is None:
        return ()
    missing = tuple(slot for slot in channel.seated if slot.id not in proposal.accepted)
    if proposal.offered_to is not None:
        return tuple(slot for slot in missing if slot.label == proposal.offered_to)
    holder = next((slot for slot in channel.seated if slot.label == proposal.empties), None)
    if holder is None:
        return missing
    if holder not in missing:
        return ()
    others = {slot.who for slot in channel.seated if slot is not holder}
    return tuple(slot for slot in missing if slot is not holder) if len(others) > 1 else (holder,)


def carry_out(channel: Channel, update: Update, host: Host) -> list[Event]:
    events: list[Event] = []
    for place, op in enumerate(update.ops):
        step = _op(channel, op, update.bots.get(place), update.invites.get(place, ""), host)
        events += step
        channel = ahead(channel, step)
    return events


def propose(channel: Channel, update: Update, host: Host) -> list[Event]:
    """Put the whole list before everybody; it takes effect when all have accepted."""
    deed = len(update.ops) == 1 and update.ops[0].op in DECIDE_A_GAME
    if not deed and any(op.op not in TOUCH_TERMS for op in update.ops):
        raise BadOp(
            "ops that need others' consent cannot be mixed with others",
            hint="Send set_bot, attach_bot, remove_bot and set_admin in a call of their own; while "
            "a game runs also yield_slot and close, each alone.",
        )
    proposer = next(slot for slot in channel.seats_of(update.who) if slot.admin)
    ops = [write_op(op, update.bots.get(n)) for n, op in enumerate(update.ops)]
    if deed:
        return [Propose(proposer.id, ops, terms.of_deed(channel, ops[0]))]
    return [Propose(proposer.id, ops, terms.of(ahead(channel, carry_out(channel, update, host))))]


def accept(channel: Channel, proposal: Proposal, seat: Slot, host: Host) -> list[Event]:
    """One more seat agrees; with the last one that it takes the change happens."""
    if seat.id in proposal.accepted:
        return []
    if proposal.offered_to not in (None, seat.label):
        raise NotAdmin(f"this offer is for {proposal.offered_to}; nobody else can accept it")
    events: list[Event] = [Accept(seat.id, proposal.terms)]
    return [*events, *agreed(ahead(channel, events), host)]


def agreed(channel: Channel, host: Host) -> list[Event]:
    """What was proposed, carried out if nobody's acceptance is missing."""
    proposal = channel.proposal
    if proposal is None or not channel.seated or waiting(channel):
        return []
    ops = [read_op(op) for op in proposal.ops]
    update = Update(
        who="",
        seat=None,
        ops=tuple(op for op, _ in ops),
        bots={place: bot for place, (_, bot) in enumerate(ops) if bot},
        invites={},
    )
    accepted = sorted(proposal.accepted)
    return [Change(proposal.terms, accepted), *carry_out(channel, update, host)]


def write_op(op: Op, bot: NewBot | None, invite: str | None = None) -> dict[str, Any]:
    """The op as a log has it; ``invite`` is the hash of the code that it makes."""
    about = ("bot_id", "player_id", "admin", "name", "entry")
    own = {key: op[key] for key in about if key in op.fields and not (bot and key == "name")}
    written: dict[str, Any] = {"op": op.op, **own}
    if bot is not None:
        written["bot"] = _plain(bot)
    return written if invite is None else {**written, "invite": invite}


def _plain(bot: NewBot) -> dict[str, Any]:
    kept = {key: value for key, value in asdict(bot).items() if value is not None}
    return kept | {"hooks": list(bot.hooks)}


def read_op(op: Mapping[str, Any]) -> tuple[Op, NewBot | None]:
    fields = {key: value for key, value in op.items() if key not in ("op", "bot", "invite")}
    bot = op.get("bot")
    return Op(op["op"], fields), NewBot(**{**bot, "hooks": tuple(bot["hooks"])}) if bot else None


def _op(channel: Channel, op: Op, bot: NewBot | None, invite: str, host: Host) -> list[Event]:
    match op.op:
        case "set_bot" | "attach_bot" | "remove_bot":
            return _bot_op(channel, op, bot, host)
        case "rename":
            return [Rename(room_name(op["name"]))]
        case "start" if not channel.seated:
            raise BadOp("nobody has taken a seat yet, so there is no game to start")
        case "start":
            return [Start([slot.id for slot in channel.seats if slot.state in ("free", "left")])]
        case "close":
            return [
                *(event for bot in channel.bots for event in entropy.reveal(channel, bot)),
                Close(),
            ]
        case "erase":
            if op["entry"] >= channel.size:
                raise BadOp(f"there is no entry {op['entry']}; the log has {channel.size}")
            return [Erase(op["entry"], op["left"])]
        case _:
            return _seat_op(channel, op, seat_named(channel, op), invite)


def _bot_op(channel: Channel, op: Op, bot: NewBot | None, host: Host) -> list[Event]:
    if op.op == "attach_bot":
        assert bot
        return [_attach(channel, bot, host)]
    old = channel.bot(op["bot_id"])
    if old is None:
        raise BotNotFound(f"there is no bot {op['bot_id'][:60]!r} here")
    gone: list[Event] = [*entropy.reveal(channel, old), Detach(old.id)]
    if op.op == "remove_bot":
        return gone
    assert bot
    return [*gone, _seated(ahead(channel, gone), bot, old.id, old.slot, host)]


def _seat_op(channel: Channel, op: Op, seat: Slot, invite: str) -> list[Event]:
    match op.op:
        case "hand_over":  # which the seat has accepted
            return [Handover(seat.id)]
        case "set_admin" if not seat.plays:
            raise BadOp(f"{seat.label} is a spectator's place, which cannot be admin")
        case "set_admin":
            return [Admin(seat.id, op["admin"])]
        case "yield_slot" if seat.state == "closed" and channel.running:
            raise BadOp(
                f"{seat.label} was closed when the game began",
                hint="Nobody new comes into a running game by that seat. Wait for its end.",
            )
        case "yield_slot":
            gone: list[Event] = [Leave(seat.id)] if seat.state == "taken" else []
            # By consent it is given up and no more: a code would be in nobody's answer.
            return [*gone, *([Invite(seat.id, invite)] if invite else [])]
        case "reissue_invite" if seat.state in ("free", "left"):
            return [Invite(seat.id, invite)]
        case "reissue_invite":
            raise BadOp(f"{seat.label} is {seat.state}; only an empty seat gets a new invite")
        case _:
            raise BadOp(f"{op.op} cannot be carried out")


def seat_named(channel: Channel, op: Op) -> Slot:
    """The seat that an op is about, or `BadOp`."""
    seat = channel.seat(op["player_id"])
    if seat is None:
        names = ", ".join(slot.label for slot in channel.seats)
        raise BadOp(f"{op.op}: no seat is called {op['player_id'][:60]!r}; there are {names}")
    return seat


def _seated(channel: Channel, bot: NewBot, bot_id: str, slot_id: str, host: Host) -> Attach:
    commit = host.commit(channel.origin, seeds.bot_name(bot_id, channel.attached + 1))
    return bot.attach(bot_id, slot_id, runtime=host.runtime, commit=commit)


def _attach(channel: Channel, bot: NewBot, host: Host) -> Attach:
    """A referee takes the slot it names, else the first empty bot slot, else a new one."""
    empty = [slot for slot in channel.slots if slot.kind == "bot" and slot.state == "free"]
    if bot.slot is not None:
        wanted = bot.slot.removeprefix("bot:")
        empty = [slot for slot in empty if wanted in (slot.label, slot.id)]
        if not empty:
            raise InvalidRequest(f"no empty bot slot is called {bot.slot[:60]!r}")
    if empty:
        return _seated(channel, bot, empty[0].label, empty[0].id, host)
    if len(channel.slots) >= channel.limits["seats"]:
        raise TooLarge(f"a room has at most {channel.limits['seats']} slots")
    taken = {slot.label.lower() for slot in channel.slots if slot.kind == "bot"}
    label = unique(bot.label, taken)
    return _seated(channel, bot, label, f"s{len(channel.slots)}", host)
