"""Who may do what, and when. Every permission in the system is in this file.

On the other side are members who want more than their seat gives them, and a creator
who wants to change the game after others have joined. What they must not achieve is
the table of `MAY`; `tests/attacks` and `tests/channel` try it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

from mcp_multiplayer.channel import entropy, proposals, terms, timers
from mcp_multiplayer.channel.commands import (
    Command,
    Create,
    Expire,
    GiveUp,
    Host,
    Operate,
    Post,
    Ran,
    TakeOver,
    TakeSeat,
    Update,
)
from mcp_multiplayer.channel.events import (
    Abort,
    Ask,
    Event,
    Join,
    Leave,
    Msg,
    Offer,
    Run,
    Takeover,
    Tick,
    Unseal,
)
from mcp_multiplayer.channel.identifiers import players_kind, room_name
from mcp_multiplayer.channel.model import DAY, Channel, Slot
from mcp_multiplayer.channel.ops import OPERATES, Op
from mcp_multiplayer.errors import (
    BadMessage,
    BadOp,
    BotNotFound,
    ChannelClosed,
    InviteInvalid,
    NotAdmin,
    NotMember,
    RejoinTokenInvalid,
    SeatAmbiguous,
    SlotAlreadyFilled,
    TermsChanged,
    TooLarge,
)

#: What `NOT_MEMBER` says to a stranger: the same words whether the room exists or not.
STRANGER = "you hold no seat in this channel"


NO_HOST = Host()


def create(command: Create, host: Host = NO_HOST) -> list[Event]:
    """Open a room. Attaching comes before any invite can be redeemed."""
    return proposals.opening(command, host)


def decide(channel: Channel, command: Command, host: Host = NO_HOST) -> list[Event]:
    """Turn a request into what happens, or raise the reason why nothing does.

    No events and no error means: it is so already (a repeated call). ``host`` is what a
    referee that is attached by it stands on.
    """
    match command:
        case TakeSeat():
            return _take_seat(channel, command)
        case TakeOver():
            return _take_over(channel, command)
        case GiveUp(who, seat, deleted):
            gone: list[Event] = [Leave(seat_of(channel, who, seat).id, deleted or None)]
            # Whoever has left need not agree any more; the others may have done so.
            return [*gone, *proposals.agreed(proposals.ahead(channel, gone), host)]
        case Post():
            return _post(channel, command)
        case Update():
            return _update(channel, command, host)
        case Operate(ops):
            return _operate(channel, ops, host)
        case Ran():
            return _ran(channel, command)
        case Expire(now):
            return _expire(channel, now)
        case _:
            assert_never(command)


#: For who stands outside: he cannot read the room either.
TOO_LATE = "Nobody can enter it any more; tell your user. create_channel opens a new room."


def _closed(channel: Channel, *, hint: str | None = None) -> ChannelClosed:
    if not channel.lost:
        return ChannelClosed("the room is closed", hint=hint)
    return ChannelClosed(
        "this server has lost entries of the room, so it is closed for good",
        hint="Tell your user: what they kept of it (lines log:, messages) may be more than what "
        "sync_messages still shows. Open a new room with create_channel.",
    )


def seat_of(channel: Channel, who: str, label: str | None) -> Slot:
    """The seat that speaks: the one named, if this account holds it; the only
    one it holds; otherwise the reason why not, with the caller's own seats."""
    own = channel.seats_of(who)
    names = ", ".join(slot.label for slot in own)
    if label is not None:
        named = next((slot for slot in own if slot.label == label), None)
        if named is None:
            hint = f"Your seats here: {names}." if own else None
            raise NotMember(STRANGER if not own else "you do not hold that seat", hint=hint)
        return named
    if not own:
        raise NotMember(STRANGER)
    if len(own) > 1:
        raise SeatAmbiguous(
            f"you hold {len(own)} seats here: {names}",
            hint=f'Repeat the call with seat="{own[0].label}" or another of them.',
        )
    return own[0]


def may_look(channel: Channel, who: str) -> bool:
    """The view and the sources: members, and the creator at any time."""
    return who == channel.creator or bool(channel.seats_of(who))


def _take_seat(channel: Channel, command: TakeSeat) -> list[Event]:
    slot = next((s for s in channel.places if s.invite and s.invite == command.invite), None)
    if slot is None:
        raise InviteInvalid("this invite was replaced by a newer one")
    if slot.state == "taken":
        if slot.who == command.who and slot.used_by == command.who:
            return entropy.contribute(channel, slot, command.entropy)
        raise SlotAlreadyFilled("this invite has been used")
    if channel.status == "closed":
        raise _closed(channel, hint=TOO_LATE)
    if slot.state != "free":
        raise InviteInvalid("the seat of this invite was given up or closed")
    if command.now > slot.invited + channel.limits["invite_days"] * DAY:
        raise InviteInvalid("this invite has expired")
    now = terms.document(channel)
    _same_terms(command, now)
    value, commit = entropy.said(command.entropy) if slot.plays else (None, None)
    return [Join(slot.id, command.who, terms.digest(now), value, commit)]


def _same_terms(command: TakeSeat, now: dict[str, object]) -> None:
    digest = terms.digest(now)
    expected = command.expect_terms
    seen = command.inspected
    if expected is not None and expected.removeprefix("sha256:") != digest.removeprefix("sha256:"):
        what = terms.difference(seen, now) if seen else ""
        raise TermsChanged(f"the terms are now {digest}" + (f": {what} changed" if what else ""))
    if expected is None and seen is not None and terms.digest(seen) != digest:
        raise TermsChanged(f"since you inspected it, {terms.difference(seen, now)} changed")


def _take_over(channel: Channel, command: TakeOver) -> list[Event]:
    slot = channel.slot(command.slot)
    if slot.state != "taken" or slot.generation != command.generation:
        raise RejoinTokenInvalid("this rejoin token was voided")
    added = entropy.contribute(channel, slot, command.entropy)
    if slot.who == command.who:
        return added
    if channel.status == "closed":
        raise _closed(channel, hint=TOO_LATE)
    return [Takeover(slot.id, command.who), *added]


def _post(channel: Channel, post: Post) -> list[Event]:
    seat = seat_of(channel, post.who, post.seat)
    if channel.status == "closed":
        raise _closed(channel)
    if not seat.plays:
        raise BadMessage(
            "a spectator reads and does not speak", hint="sync_messages shows what is said."
        )
    message: dict[str, object] = {"s": seat.id, "c": seat.said + 1, "k": players_kind(post.kind)}
    if post.size > channel.limits["body_kb"] * 1024:
        raise TooLarge(f"a body of {post.size} bytes; at most {channel.limits['body_kb']} KiB")
    _has_room(channel)
    if post.to is None:
        return [Msg({**message, "b": post.body})]
    return [Msg({**message, "to": list(addressees(channel, post.to)), "d": post.sealed})]


def _has_room(channel: Channel) -> None:
    if channel.full:
        raise TooLarge("this room is full", hint="Open a new one with create_channel.")


def addressees(channel: Channel, to: tuple[str, ...]) -> tuple[str, ...]:
    """Return ``to`` without repeats, or raise `BadMessage` naming who is not here."""
    known = {slot.label for slot in channel.seats} | {f"bot:{bot.id}" for bot in channel.bots}
    unknown = [name for name in to if name not in known]
    if unknown or not to:
        raise BadMessage(
            f"nobody here is called {unknown[0][:60]!r}" if to else "to is empty",
            hint=f"to takes {', '.join(sorted(known))}; leave it out to speak to all.",
        )
    return tuple(dict.fromkeys(to))


def _ran(channel: Channel, ran: Ran) -> list[Event]:
    run = ran.run
    bot = channel.bot(run.bot)
    if ran.silent or bot is None or bot.at != run.at or channel.status == "closed":
        return []
    owner = channel.referee is bot
    if not owner and (run.turn is not None or run.end is not None):
        return [undone(run, "error:NotTheFirstBot")]
    if timers.too_many(channel, run):
        return [undone(run, "error:TooManyTimers")]
    if run.end is None:
        return [run]
    after = proposals.ahead(channel, [run])
    referee = next(one for one in after.bots if one.at == run.at)
    return [run, *entropy.reveal_more(after, referee)]


def undone(run: Run, res: str) -> Run:
    """A run that changed nothing but to say so: its words, state and dice are taken back."""
    return replace(
        run,
        res=res,
        out=[],
        turn=None,
        end=None,
        timers=None,
        st=[run.st[0], run.st[0]],
        rng=[*run.rng[:2], 0],
    )


def _expire(channel: Channel, now: int) -> list[Event]:
    """One clock at a time: what it calls may stop those that ran out after it."""
    due = channel.next_due
    if due is None or due > now:
        return []
    timer = channel.timer
    if timer is not None and timer.due == due:
        return [Tick(timer.bot, timer.name)]
    if channel.opens == due:
        return [Abort(list(channel.unopened))]
    bot = next(bot for bot in channel.bots if channel.reveals(bot) == due)
    return entropy.reveal_more(channel, bot)


# --- update_channel ------------------------------------------------------------------------

_Rule = Callable[[Channel, str], bool]


def _alone(channel: Channel, who: str) -> bool:
    return who == channel.creator and not channel.shared


def _admin(channel: Channel, who: str) -> bool:
    return _alone(channel, who) or any(slot.admin for slot in channel.seats_of(who))


def _host(channel: Channel, who: str) -> bool:
    return who == channel.creator or _admin(channel, who)


def _host_of_empty(channel: Channel, who: str) -> bool:
    others = any(slot.who != channel.creator for slot in channel.seated)
    return _admin(channel, who) or (who == channel.creator and not others)


def _creator(channel: Channel, who: str) -> bool:
    return who == channel.creator


def _member(channel: Channel, who: str) -> bool:
    return any(slot.plays for slot in channel.seats_of(who))


#: Who may use each op: the creator while nobody else has ever joined; then only an admin
#: seat, save for what helps strangers in and hurts nobody. What touches the terms, or could
#: decide a game that runs (yield_slot, close), an admin only proposes (`proposals.needs_consent`).
MAY: dict[str, _Rule] = {
    "set_bot": _admin,
    "attach_bot": _admin,
    "remove_bot": _admin,
    "yield_slot": _admin,
    "set_admin": _admin,
    "rename": _admin,
    "reissue_invite": _host,
    "start": _host,
    "close": _host_of_empty,
    "accept_change": _member,
    "open_sealed": _member,
    "hand_over": _creator,
}


def _update(channel: Channel, update: Update, host: Host) -> list[Event]:
    if not may_look(channel, update.who):
        raise NotMember(STRANGER)
    if channel.status == "closed":
        raise _closed(channel)
    if update.seat is not None:
        seat_of(channel, update.who, update.seat)
    for op in update.ops:
        if not MAY[op.op](channel, update.who):
            raise NotAdmin(_why_not(channel, op))
    if any(op.op not in ("close", "open_sealed") for op in update.ops):
        _has_room(channel)
    alone = next((op.op for op in update.ops if op.op in _ALONE), None)
    if alone is not None:
        if len(update.ops) > 1:
            raise BadOp(f"{alone} must stand alone")
        return _ALONE[alone](channel, update, host)
    if proposals.needs_consent(channel, update):
        return proposals.propose(channel, update, host)
    asked: list[Event] = [_ask(channel, update)]
    before = proposals.ahead(channel, asked)
    happened = proposals.carry_out(before, update, host)
    return [*asked, *happened, *proposals.agreed(proposals.ahead(before, happened), host)]


def _ask(channel: Channel, update: Update) -> Ask:
    """What is asked for, by the seat that was named, else an admin's, else the first of theirs."""
    own = sorted(channel.seats_of(update.who), key=lambda slot: not slot.admin)
    if update.seat is not None:
        own = [seat_of(channel, update.who, update.seat)]
    ops = [
        proposals.write_op(op, update.bots.get(place), update.invites.get(place))
        for place, op in enumerate(update.ops)
    ]
    for op in ops:
        for name in ("manifest", "params"):  # which its attach has
            op.get("bot", {}).pop(name, None)
        if "name" in op:
            op["name"] = room_name(op["name"])
    return Ask(ops, update.who, own[0].id if own else None)


def _why_not(channel: Channel, op: Op) -> str:
    admins = [slot.label for slot in channel.seats if slot.admin]
    if op.op == "accept_change":
        return "only who holds a seat accepts a change"
    if op.op == "open_sealed":
        return "only who holds a seat can have said something in private"
    if op.op == "hand_over":
        return "only the creator of the room can hand it over"
    if admins:
        return f"{op.op} takes an admin seat; here that is {', '.join(admins)}"
    if op.op == "close":
        return "close takes an admin seat, or a room in which nobody else sits"
    return f"{op.op} is not possible any more: others have joined and no seat is admin"


def _accept(channel: Channel, update: Update, host: Host) -> list[Event]:
    seat = seat_of(channel, update.who, update.seat)
    if not seat.plays:
        raise NotAdmin("a spectator has nothing to accept")
    proposal = channel.proposal
    wanted = update.ops[0]["terms"].removeprefix("sha256:")
    before = (channel.agreed, terms.of(channel))
    if proposal is None and f"sha256:{wanted}" in before:
        return []  # the answer to the last acceptance was lost
    if proposal is None or wanted != proposal.terms.removeprefix("sha256:"):
        raise TermsChanged(
            "no change with these terms is proposed"
            if proposal is None
            else f"the proposed terms are {proposal.terms}",
            hint="Read the last change_proposed message and accept its terms.",
        )
    return proposals.accept(channel, proposal, seat, host)


def _open_sealed(channel: Channel, update: Update, host: Host) -> list[Event]:
    """One more agrees; with the last one of those who said or were told something it is opened."""
    bot_id = update.ops[0]["bot_id"]
    bot = channel.bot(bot_id)
    if bot is None:
        raise BotNotFound(f"there is no bot {bot_id[:60]!r} here")
    seat = seat_of(channel, update.who, update.seat)
    if not seat.plays:
        raise NotAdmin("a spectator has said nothing in private")
    if not bot.keeps_sealed:
        raise BadOp(
            f"what is said to bot:{bot.id} in private is opened when the game ends",
            hint='Only a bot whose manifest says "sealed": "kept" keeps it closed.',
        )
    party = any(who == seat.who for _, who in bot.kept.by)
    if seat.who in bot.kept.agreed or (bot.kept.nth and not party):
        return []
    if not party:
        raise BadOp(f"you said nothing to bot:{bot.id} in private, and it told you nothing")
    if bot.dice.drawn if channel.status == "ended" else bot.dice.used:
        raise BadOp(  # with its states open, what it dealt to others would be known
            f"the dice of bot:{bot.id} are not out yet",
            hint="Open it when the game has ended.",
        )
    return [Unseal(seat.id, bot.id, bot.at, None if bot.kept.without(seat.who) else "")]


def _hand_over(channel: Channel, update: Update, host: Host) -> list[Event]:
    """Offer the creator's rights to a player, who has them from accepting on."""
    seat = proposals.seat_named(channel, update.ops[0])
    if not seat.plays or seat.state != "taken":
        raise BadOp(f"no player sits in {seat.label}, so nobody there can accept the room")
    if seat.who == channel.creator:
        raise BadOp(f"{seat.label} is the creator's own seat")
    if channel.proposal is not None and channel.proposal.offered_to is None:
        raise BadOp(  # else a creator who is no admin could void what an admin proposes
            "another change waits for consent",
            hint="Offer it when that is decided; get_channel_info shows whom it waits for.",
        )
    ask = _ask(channel, update)
    return [ask, Offer(seat.id, terms.of_deed(channel, ask.ops[0]))]


_ALONE: dict[str, Callable[[Channel, Update, Host], list[Event]]] = {
    "accept_change": _accept,
    "open_sealed": _open_sealed,
    "hand_over": _hand_over,
}

# --- the operator --------------------------------------------------------------------------


def _operate(channel: Channel, ops: tuple[Op, ...], host: Host) -> list[Event]:
    """The operator can do what is here, and no more: a room is its members' to change. Everybody
    reads that it was the operator. In a room that lost entries nothing is written any more."""
    for op in ops:
        if op.op not in OPERATES:
            raise BadOp(f"{op.op} is not the operator's; there are {', '.join(sorted(OPERATES))}")
        if channel.lost or (channel.status == "closed" and op.op != "erase"):
            raise _closed(channel)
    asked: list[Event] = [Ask([proposals.write_op(op, None) for op in ops], by="operator")]
    before = proposals.ahead(channel, asked)
    happened = proposals.carry_out(before, Update("", None, ops, {}, {}), host)
    return [*asked, *happened, *proposals.agreed(proposals.ahead(before, happened), host)]
