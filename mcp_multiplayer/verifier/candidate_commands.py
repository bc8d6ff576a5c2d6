"""Who could have asked for a step: every command that may have led to its events. The log does not
name the command, so there is one function here for each kind of first event, which makes every
command that could have been. It need not be sparing: `verifier.rules_check` asks the rules what
each leads to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from mcp_multiplayer.channel import decide, entropy, proposals, timers
from mcp_multiplayer.channel.commands import (
    Create,
    Expire,
    GiveUp,
    Host,
    NewBot,
    Post,
    Ran,
    TakeOver,
    TakeSeat,
    Update,
)
from mcp_multiplayer.channel.events import (
    Abort,
    Accept,
    Admin,
    Attach,
    Change,
    Close,
    Detach,
    Entropy,
    Event,
    Genesis,
    Invite,
    Join,
    Key,
    Leave,
    Msg,
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
from mcp_multiplayer.channel.identifiers import SlotSpec
from mcp_multiplayer.channel.model import Channel
from mcp_multiplayer.channel.ops import MAX_OPS, Op
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


_Wishes: TypeAlias = Callable[[Channel, Sequence[Event], Step, Host], Iterator[Wish]]


def _decided(channel: Channel, command: Any, host: Host) -> Wish:
    return lambda: decide.decide(channel, command, host)


def _genesis(channel: Channel, happened: Sequence[Event], step: Step, host: Host) -> Iterator[Wish]:
    opened = happened[0]
    assert isinstance(opened, Genesis)
    bots, joined = [], None
    here = proposals.ahead(Channel(), [opened])
    for event in happened[1:]:
        if isinstance(event, Attach):
            bots.append(_new_bot(here, event))
        elif isinstance(event, Join):
            joined = event
        here = proposals.ahead(here, [event])
    label = next((s["label"] for s in opened.slots if joined and s["id"] == joined.slot), None)
    invites = {slot["label"]: slot["invite"] for slot in opened.slots if "invite" in slot}
    seats = {slot["label"] for slot in opened.slots if slot["kind"] != "bot"}
    if seats - invites.keys() != ({label} if joined else set()):
        raise Violation("E_GENESIS", "a seat has no invite, or one too many", 0)
    slots = tuple(SlotSpec(s["kind"], s["label"], s.get("admin", False)) for s in opened.slots)
    if len(slots) > opened.limits["seats"]:
        raise Violation("E_GENESIS", "more slots than the room's own limit", 0)
    command = Create(
        origin=opened.origin,
        name=opened.name,
        creator=opened.creator,
        slots=slots,
        invites=invites,
        limits=opened.limits,
        nonce=opened.nonce,
        bots=tuple(bots),
        join_as=label,
        entropy=_words(joined.entropy, joined.commit) if joined else None,
    )
    yield lambda: decide.create(command, host)


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
    )


def _join(channel: Channel, happened: Sequence[Event], step: Step, host: Host) -> Iterator[Wish]:
    event = happened[0]
    assert isinstance(event, Join)
    slot = channel.slot(event.slot)
    now = step.ts
    if now == step.before:  # a clock that was set back: the request may be older than its entry
        now = min(now, slot.invited)
    words = _words(event.entropy, event.commit)
    if slot.kind != "bot" and slot.invite:
        yield _decided(channel, TakeSeat(event.who, slot.invite, now, entropy=words), host)


def _entropy(channel: Channel, happened: Sequence[Event], step: Step, host: Host) -> Iterator[Wish]:
    event = happened[0]
    assert isinstance(event, Entropy | Open)
    slot = channel.slot(event.slot)
    words = _words(event.value, event.commit if isinstance(event, Entropy) else None)
    if slot.kind == "invite" and slot.state == "taken":
        yield lambda: entropy.contribute(channel, slot, words)


def _takeover(
    channel: Channel, happened: Sequence[Event], step: Step, host: Host
) -> Iterator[Wish]:
    event, *more = happened
    assert isinstance(event, Takeover)
    words = None
    if more and isinstance(more[0], Entropy | Open):
        given = more[0]
        words = _words(given.value, given.commit if isinstance(given, Entropy) else None)
    generation = channel.slot(event.slot).generation
    yield _decided(channel, TakeOver(event.who, event.slot, generation, words), host)


def _msg(channel: Channel, happened: Sequence[Event], step: Step, host: Host) -> Iterator[Wish]:
    event = happened[0]
    assert isinstance(event, Msg)
    m = event.m
    slot = channel.slot(m["s"])
    body = m.get("b", {})
    to = tuple(m["to"]) if "to" in m else None
    size = len(canonical(body)) if to is None else 0
    post = Post(slot.who, slot.label, m["k"], body, size, to, m.get("d"))
    yield _decided(channel, post, host)


def _run(channel: Channel, happened: Sequence[Event], step: Step, host: Host) -> Iterator[Wish]:
    event = happened[0]
    assert isinstance(event, Run)
    yield _decided(channel, Ran(event, silent=False), host)


def _clock(channel: Channel, happened: Sequence[Event], step: Step, host: Host) -> Iterator[Wish]:
    yield _decided(channel, Expire(step.ts), host)


def _reveal(channel: Channel, happened: Sequence[Event], step: Step, host: Host) -> Iterator[Wish]:
    """Because of its age, or before a referee or the room goes. It has no time of its own: what
    comes later tells how late it can have been."""
    if len(happened) == 1:
        due = timers.next_due(channel)
        if due is not None and (step.until is None or due <= step.until):
            yield _decided(channel, Expire(due), host)
        return
    yield from _update(channel, happened, step, host)


def _leave(channel: Channel, happened: Sequence[Event], step: Step, host: Host) -> Iterator[Wish]:
    event = happened[0]
    assert isinstance(event, Leave)
    slot = channel.slot(event.slot)
    yield _decided(channel, GiveUp(slot.who, slot.label), host)
    yield from _update(channel, happened, step, host)


def _accept(channel: Channel, happened: Sequence[Event], step: Step, host: Host) -> Iterator[Wish]:
    event = happened[0]
    assert isinstance(event, Accept)
    slot = channel.slot(event.slot)
    op = Op("accept_change", {"terms": event.terms})
    yield _decided(channel, Update(slot.who, slot.label, (op,), {}, {}), host)


def _unseal(channel: Channel, happened: Sequence[Event], step: Step, host: Host) -> Iterator[Wish]:
    event = happened[0]
    assert isinstance(event, Unseal)
    slot = channel.slot(event.slot)
    op = Op("open_sealed", {"bot_id": event.bot})
    yield _decided(channel, Update(slot.who, slot.label, (op,), {}, {}), host)


def _propose(channel: Channel, happened: Sequence[Event], step: Step, host: Host) -> Iterator[Wish]:
    event = happened[0]
    assert isinstance(event, Propose)
    read = [proposals.read_op(op) for op in event.ops]
    bots = {place: bot for place, (_, bot) in enumerate(read) if bot}
    ops = tuple(op for op, _ in read)
    if len(ops) <= MAX_OPS:
        who = channel.slot(event.slot).who
        yield _decided(channel, Update(who, None, ops, bots, {}), host)


def _update(channel: Channel, happened: Sequence[Event], step: Step, host: Host) -> Iterator[Wish]:
    """Ops of somebody whom the log does not name: whoever may."""
    read = _ops(channel, happened)
    if read is None or not 0 < len(read.ops) <= MAX_OPS:
        return
    askers = [channel.creator, *(slot.who for slot in channel.seated)]
    for who in dict.fromkeys(askers):
        yield _decided(channel, replace(read, who=who), host)


def _ops(channel: Channel, happened: Sequence[Event]) -> Update | None:
    """The ops whose events these are, up to a change that everybody has accepted."""
    ops: list[Op] = []
    bots: dict[int, NewBot] = {}
    invites: dict[int, str] = {}
    left = list(happened)
    while left and not isinstance(left[0], Change):
        used = 1
        match left:
            case [Rename(name), *_]:
                ops.append(Op("rename", {"name": name}))
            case [Start(), *_]:
                ops.append(Op("start", {}))
            case [Admin(slot, on), *_]:
                ops.append(Op("set_admin", {"player_id": channel.label(slot), "admin": on}))
            case [Leave(slot), Invite(other, hash), *_] if slot == other:
                invites[len(ops)], used = hash, 2
                ops.append(Op("yield_slot", {"player_id": channel.label(slot)}))
            case [Invite(slot, hash), *_]:
                empty = channel.slot(slot).state in ("free", "left")
                invites[len(ops)] = hash
                name = "reissue_invite" if empty else "yield_slot"
                ops.append(Op(name, {"player_id": channel.label(slot)}))
            case [Attach() as attach, *_]:
                bots[len(ops)] = _new_bot(channel, attach)
                ops.append(Op("attach_bot", {}))
            case [Reveal() | Detach() | Close(), *_]:
                used = _goodbye(channel, left, ops, bots)
            case _:
                return None
        if not used:
            return None
        channel, left = proposals.ahead(channel, left[:used]), left[used:]
    return Update("", None, tuple(ops), bots, invites)


def _goodbye(
    channel: Channel, left: Sequence[Event], ops: list[Op], bots: dict[int, NewBot]
) -> int:
    """The op of a referee or room that goes, after the reveals before it; how many events."""
    used = next((n for n, event in enumerate(left) if not isinstance(event, Reveal)), None)
    match left[used:] if used is not None else []:
        case [Close(), *_]:
            ops.append(Op("close", {}))
        case [Detach(bot_id), Attach(bot=same) as attach, *_] if (
            same == bot_id and (old := channel.bot(bot_id)) and old.slot == attach.slot
        ):
            bots[len(ops)] = _new_bot(channel, attach)
            ops.append(Op("set_bot", {"bot_id": bot_id}))
            return (used or 0) + 2
        case [Detach(bot_id), *_]:
            ops.append(Op("remove_bot", {"bot_id": bot_id}))
        case _:
            return 0
    return (used or 0) + 1


def _server(channel: Channel, happened: Sequence[Event], step: Step, host: Host) -> Iterator[Wish]:
    """What no member asks for: judged by `chores`, alone in its step."""
    if len(happened) == 1:
        yield lambda: list(happened)


WISHES: Mapping[type[Event], _Wishes] = {
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
    Attach: _update,
    Detach: _update,
    Invite: _update,
    Admin: _update,
    Rename: _update,
    Start: _update,
    Close: _update,
    Key: _server,
    Runtime: _server,
    Restored: _server,
}
