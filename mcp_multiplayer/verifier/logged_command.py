"""The command that a step answers: who asked, for what. It stands in the log as the first event of
its step, so there is one function here for each kind of first event, and `verifier.rules_check`
asks the rules what the command leads to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from mcp_multiplayer.channel import decide, entropy, proposals
from mcp_multiplayer.channel.commands import (
    Create,
    Expire,
    GiveUp,
    Host,
    NewBot,
    Operate,
    Post,
    Ran,
    Seated,
    TakeOver,
    TakeSeat,
    Update,
)
from mcp_multiplayer.channel.events import (
    Abort,
    Accept,
    Ask,
    Attach,
    Entropy,
    Erase,
    Event,
    Genesis,
    Join,
    Key,
    Leave,
    Msg,
    Open,
    Propose,
    Restored,
    Reveal,
    Run,
    Runtime,
    Takeover,
    Tick,
    Unseal,
)
from mcp_multiplayer.channel.identifiers import SlotSpec
from mcp_multiplayer.channel.model import Channel
from mcp_multiplayer.channel.ops import MAX_OPS, Op
from mcp_multiplayer.errors import BadOp, InviteInvalid, NotMember
from mcp_multiplayer.transcript.canonical_json import canonical
from mcp_multiplayer.verifier.findings import Violation

Wish: TypeAlias = Callable[[], list[Event]]


@dataclass(frozen=True)
class Step:
    """Events that were written together. ``ts`` is the time of the first, ``before`` of the
    entry before it; ``until`` no later than that was a step without a time."""

    first: int
    events: Sequence[Event]
    ts: int
    before: int
    until: int | None = None


_Read: TypeAlias = Callable[[Channel, Sequence[Event], Step, Host], Wish]


def of(channel: Channel, happened: Sequence[Event], step: Step, host: Host) -> Wish:
    """What asks the rules for this step, without its openings. `Violation` for a step that begins
    with what nobody asks for."""
    kind = type(happened[0])
    if kind not in _COMMANDS or (kind is Genesis and step.first):
        name = kind.__name__.lower()
        raise Violation(f"E_{name.upper()}", f"nothing begins with a {name}", step.first)
    return _COMMANDS[kind](channel, happened, step, host)


def _decided(channel: Channel, command: Any, host: Host) -> Wish:
    return lambda: decide.decide(channel, command, host)


def _genesis(channel: Channel, happened: Sequence[Event], step: Step, host: Host) -> Wish:
    opened = happened[0]
    assert isinstance(opened, Genesis)
    bots: list[NewBot] = []
    joins: list[Join] = []
    here = proposals.ahead(Channel(), [opened])
    for event in happened[1:]:
        if isinstance(event, Attach):
            bots.append(_new_bot(here, event))
        elif isinstance(event, Join):
            joins.append(event)
        here = proposals.ahead(here, [event])
    labels = {slot["id"]: slot["label"] for slot in opened.slots}
    seated = tuple(
        Seated(labels[one.slot], one.who, _words(one.entropy, one.commit)) for one in joins
    )
    invites = {slot["label"]: slot["invite"] for slot in opened.slots if "invite" in slot}
    seats = {slot["label"] for slot in opened.slots if slot["kind"] != "bot"}
    if seats - invites.keys() != {one.label for one in seated}:
        raise Violation("E_GENESIS", "a seat has no invite, or one too many", 0)
    slots = tuple(SlotSpec(s["kind"], s["label"], s.get("admin", False)) for s in opened.slots)
    if len(slots) > opened.limits["seats"]:
        raise Violation("E_GENESIS", "more slots than the room's own limit", 0)
    if opened.creator is not None and (
        len(seated) > 1 or any(one.who != opened.creator for one in seated)
    ):
        raise Violation("E_GENESIS", "somebody sits here who was not invited", 0)
    own = seated[0] if seated and opened.creator is not None else None
    command = Create(
        origin=opened.origin,
        name=opened.name,
        creator=opened.creator,
        slots=slots,
        invites=invites,
        limits=opened.limits,
        nonce=opened.nonce,
        bots=tuple(bots),
        join_as=own.label if own else None,
        entropy=own.entropy if own else None,
        paired=seated if opened.creator is None else (),
        listed=bool(opened.listed),
        rated=bool(opened.rated),
    )
    return lambda: decide.create(command, host)


def _words(value: str | None, commit: str | None) -> str | None:
    return value if commit is None else f"commit:{commit}"


def _new_bot(channel: Channel, event: Attach) -> NewBot:
    """The referee as it was asked for, so that it takes the slot that it took."""
    empty = [slot for slot in channel.slots if slot.kind == "bot" and slot.state == "free"]
    wanted = None
    for slot in empty:
        if slot.id == event.slot:
            fits = {
                name: next(s for s in empty if name in (s.label, s.id)).id
                for name in (slot.label, slot.id)
            }
            wanted = next((name for name, id in fits.items() if id == event.slot), None)
    return NewBot(
        name=event.name,
        version=event.version,
        code_hash=event.code_hash,
        manifest=event.manifest,
        manifest_hash=event.manifest_hash,
        params=event.params,
        reach=event.reach,
        hooks=tuple(event.hooks),
        label=event.bot,
        ref=event.ref,
        slot=wanted,
        isolation=event.isolation,
        library=event.library,
    )


def _join(channel: Channel, happened: Sequence[Event], step: Step, host: Host) -> Wish:
    event = happened[0]
    assert isinstance(event, Join)
    slot = channel.slot(event.slot)
    if slot.kind == "bot" or not slot.invite:
        raise InviteInvalid("no invite opens this slot")
    now = step.ts
    if now == step.before:  # a clock that was set back: the request may be older than its entry
        now = min(now, slot.invited)
    words = _words(event.entropy, event.commit)
    return _decided(channel, TakeSeat(event.who, slot.invite, now, entropy=words), host)


def _entropy(channel: Channel, happened: Sequence[Event], step: Step, host: Host) -> Wish:
    event = happened[0]
    assert isinstance(event, Entropy | Open)
    slot = channel.slot(event.slot)
    if slot.kind != "invite" or slot.state != "taken":
        raise NotMember("nobody sits there")
    words = _words(event.value, event.commit if isinstance(event, Entropy) else None)
    return lambda: entropy.contribute(channel, slot, words)


def _takeover(channel: Channel, happened: Sequence[Event], step: Step, host: Host) -> Wish:
    event, *more = happened
    assert isinstance(event, Takeover)
    words = None
    if more and isinstance(more[0], Entropy | Open):
        given = more[0]
        words = _words(given.value, given.commit if isinstance(given, Entropy) else None)
    generation = channel.slot(event.slot).generation
    return _decided(channel, TakeOver(event.who, event.slot, generation, words), host)


def _msg(channel: Channel, happened: Sequence[Event], step: Step, host: Host) -> Wish:
    event = happened[0]
    assert isinstance(event, Msg)
    m = event.m
    slot = channel.slot(m["s"])
    body = m.get("b", {})
    to = tuple(m["to"]) if "to" in m else None
    size = len(canonical(body)) if to is None else 0
    post = Post(slot.who, slot.label, m["k"], body, size, to, m.get("d"))
    return _decided(channel, post, host)


def _run(channel: Channel, happened: Sequence[Event], step: Step, host: Host) -> Wish:
    event = happened[0]
    assert isinstance(event, Run)
    return _decided(channel, Ran(event, silent=False), host)


def _clock(channel: Channel, happened: Sequence[Event], step: Step, host: Host) -> Wish:
    return _decided(channel, Expire(step.ts), host)


def _reveal(channel: Channel, happened: Sequence[Event], step: Step, host: Host) -> Wish:
    """Because of its age. It has no time of its own: what comes later tells how late it can have
    been."""
    due = channel.next_due
    if due is None or (step.until is not None and due > step.until):
        raise BadOp("no clock has brought about this reveal")
    return _decided(channel, Expire(due), host)


def _leave(channel: Channel, happened: Sequence[Event], step: Step, host: Host) -> Wish:
    event = happened[0]
    assert isinstance(event, Leave)
    slot = channel.slot(event.slot)
    return _decided(channel, GiveUp(slot.who, slot.label, bool(event.deleted)), host)


def _accept(channel: Channel, happened: Sequence[Event], step: Step, host: Host) -> Wish:
    event = happened[0]
    assert isinstance(event, Accept)
    return _op(channel, event.slot, Op("accept_change", {"terms": event.terms}), host)


def _unseal(channel: Channel, happened: Sequence[Event], step: Step, host: Host) -> Wish:
    event = happened[0]
    assert isinstance(event, Unseal)
    return _op(channel, event.slot, Op("open_sealed", {"bot_id": event.bot}), host)


def _op(channel: Channel, slot_id: str, op: Op, host: Host) -> Wish:
    """One op of whoever sits there."""
    slot = channel.slot(slot_id)
    return _decided(channel, Update(slot.who, slot.label, (op,), {}, {}), host)


def _propose(channel: Channel, happened: Sequence[Event], step: Step, host: Host) -> Wish:
    event = happened[0]
    assert isinstance(event, Propose)
    return _update(channel, channel.slot(event.slot).who, None, event.ops, host)


def _ask(channel: Channel, happened: Sequence[Event], step: Step, host: Host) -> Wish:
    event = happened[0]
    assert isinstance(event, Ask)
    if event.who is None:
        return _operated(channel, event, happened, host)
    attached = (one for one in happened if isinstance(one, Attach))
    ops = [_with(op, next(attached)) if "bot" in op else op for op in event.ops]
    seat = None if event.slot is None else channel.label(event.slot)
    return _update(channel, event.who, seat, ops, host)


def _operated(channel: Channel, ask: Ask, happened: Sequence[Event], host: Host) -> Wish:
    erased = (one for one in happened if isinstance(one, Erase))
    ops = [{**op, "left": next(erased).left} if op["op"] == "erase" else op for op in ask.ops]
    if len(ops) > MAX_OPS:
        raise BadOp(f"more than {MAX_OPS} ops")
    return _decided(channel, Operate(tuple(proposals.read_op(op)[0] for op in ops)), host)


def _with(op: Mapping[str, Any], attach: Attach) -> dict[str, Any]:
    """An op with all of the referee that it brings."""
    rest = {"manifest": attach.manifest, "params": attach.params}
    return {**op, "bot": {**op["bot"], **rest}}


def _update(
    channel: Channel,
    who: str,
    seat: str | None,
    ops: Sequence[Mapping[str, Any]],
    host: Host,
) -> Wish:
    if len(ops) > MAX_OPS:
        raise BadOp(f"more than {MAX_OPS} ops")
    read = [proposals.read_op(op) for op in ops]
    bots = {place: bot for place, (_, bot) in enumerate(read) if bot}
    invites = {place: op["invite"] for place, op in enumerate(ops) if "invite" in op}
    update = Update(who, seat, tuple(op for op, _ in read), bots, invites)
    return _decided(channel, update, host)


def _server(channel: Channel, happened: Sequence[Event], step: Step, host: Host) -> Wish:
    """What no member asks for: judged by `chores`, alone in its step."""
    return lambda: list(happened[:1])


_COMMANDS: Mapping[type[Event], _Read] = {
    Genesis: _genesis,
    Join: _join,
    Entropy: _entropy,
    Open: _entropy,
    Takeover: _takeover,
    Msg: _msg,
    Run: _run,
    Tick: _clock,
    Abort: _clock,
    Reveal: _reveal,
    Leave: _leave,
    Accept: _accept,
    Unseal: _unseal,
    Propose: _propose,
    Ask: _ask,
    Key: _server,
    Runtime: _server,
    Restored: _server,
}
