"""Whether the rules of rooms could have written a step. One function for each kind of first entry.

Changes with `engine.channel.rules`. The log does not name the command that led to a step, so
each function makes every command that could have: if the rules answer none of them with
exactly these events, nobody could have asked for them. What no function here expects is
refused. On the other side is a server that writes what its own rules forbid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from engine.channel import changes, dice, events, rules, terms, timers, tokens
from engine.channel.commands import (
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
from engine.channel.events import (
    Abort,
    Accept,
    Admin,
    Attach,
    Change,
    Close,
    Detach,
    Disclose,
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
)
from engine.channel.names import SlotSpec
from engine.channel.ops import MAX_OPS, Op
from engine.channel.state import Bot, Channel
from engine.errors import MultiplayerError
from engine.transcript import note, seeds
from engine.transcript.canonical import canonical
from engine.transcript.chain import b64u
from verifier.findings import Violation

Wish: TypeAlias = Callable[[], list[Event]]

UNKNOWN = "?"  #: stands for a commitment that the log does not tell


@dataclass(frozen=True)
class Whisper:
    """A member's private message, as far as the log tells."""

    entry: int
    to: tuple[str, ...]
    digest: str


@dataclass
class Context:
    """What of the log a step is judged with besides the state before it."""

    commits: Mapping[str, str]  #: of seeds, by the bot's name in its dice
    whispers: list[Whisper] = field(default_factory=list)
    sizes: Mapping[int, int] = field(default_factory=dict)  #: of private bodies that are known
    pending: bool = False  #: a hook is due
    asked: bool = False  #: a commitment was asked for that is not in the log


@dataclass(frozen=True)
class Step:
    """Events that were written together. ``ts`` is the time of the first, ``before`` of the
    entry before it; ``until`` no later than that was a step without a time."""

    first: int
    events: Sequence[Event]
    ts: int
    before: int
    until: int | None = None


def check(channel: Channel, step: Step, context: Context) -> None:
    """Raise `Violation` unless the rules can have answered somebody with these events."""
    head = _head(step.events)
    kind = type(head).__name__.lower()
    code = f"E_{kind.upper()}"
    wishes = _WISHES.get(type(head))
    if wishes is None or (isinstance(head, Genesis) and step.first):
        raise Violation(code, f"nothing begins with a {kind}", step.first)
    wanted = [replace(e, seed="") if isinstance(e, Reveal) else e for e in step.events]
    plain = [event for event in wanted if not isinstance(event, Disclose)]
    reason, expected = f"nobody could have asked for this {kind}", None
    host = _host(plain, context)
    found = False
    try:
        for wish in wishes(channel, plain, step, host):
            context.asked = False
            try:
                made = wish()
            except MultiplayerError as refusal:
                reason = str(refusal)
                continue
            expected = made
            if _same(made, plain, context):
                found = True
                break
    except (
        *(LookupError, TypeError, ValueError, AttributeError, AssertionError),
        RuntimeError,  # what a generator makes of StopIteration: no such slot
    ) as error:
        raise Violation(code, f"it names what is not there ({error!r:.120})", step.first) from None
    if not found:
        raise _different(code, step, plain, expected, reason)
    _check_disclosures(channel, step, context)


def _head(events: Sequence[Event]) -> Event:
    return next((event for event in events if not isinstance(event, Disclose)), events[0])


def _host(plain: Sequence[Event], context: Context) -> Host:
    runtime = next((e.runtime for e in plain if isinstance(e, Attach) and e.runtime), "")
    key = next((e.key for e in plain if isinstance(e, Genesis) and e.key), "")

    def commit(origin: str, bot: str) -> str:
        if bot not in context.commits:
            context.asked = True
        return context.commits.get(bot, UNKNOWN)

    return Host(runtime, commit, lambda origin: key)


def _same(made: Sequence[Event], logged: Sequence[Event], context: Context) -> bool:
    if len(made) != len(logged):
        return False
    if context.asked and isinstance(logged[0], Propose) and isinstance(made[0], Propose):
        made = [replace(made[0], terms=logged[0].terms)]  # its seeds were never committed to
    return all(
        canonical(events.write(one)) == canonical(events.write(other))
        for one, other in zip(made, logged, strict=True)
    )


def _different(
    code: str, step: Step, plain: Sequence[Event], expected: list[Event] | None, reason: str
) -> Violation:
    if expected is None:
        return Violation(code, reason, step.first)
    shown = [events.write(event) for event in expected]
    logged = [events.write(event) for event in plain]
    place = next(
        (n for n, (a, b) in enumerate(zip(shown, logged, strict=False)) if a != b),
        min(len(shown), len(logged)),
    )
    place = min(place, len(step.events) - 1)
    fields = "its number of entries"
    if place < len(shown) and place < len(logged):
        names = shown[place].keys() | logged[place].keys()
        wrong = sorted(n for n in names if shown[place].get(n) != logged[place].get(n))
        fields = ", ".join(wrong)
        code = "E_TERMS" if wrong == ["terms"] else f"E_{logged[place]['t'].upper()}"
    text = f"the rules lead to something else: {fields}"
    return Violation(code, text, step.first + place, expected=shown)


def _check_disclosures(channel: Channel, step: Step, context: Context) -> None:
    """Before a reveal stand all private messages that its bot has heard, and nowhere else."""
    waiting: list[tuple[int, Disclose]] = []
    for entry, event in enumerate(step.events, step.first):
        if isinstance(event, Disclose):
            waiting.append((entry, event))
            continue
        due: list[Whisper] = []
        if isinstance(event, Reveal):
            bot = channel.bot(event.bot)
            due = [] if bot is None else _heard(bot, context)
        if [one.entry for one in due] != [disclosed.entry for _, disclosed in waiting]:
            raise Violation(
                "E_DISCLOSE",
                f"{len(waiting)} private messages are opened here where {len(due)} are due",
                entry,
            )
        for whisper, (place, disclosed) in zip(due, waiting, strict=True):
            if tokens.seal(disclosed.salt, disclosed.body) != whisper.digest:
                raise Violation(
                    "E_DISCLOSE", f"it opens another body than entry {whisper.entry} sealed", place
                )
        waiting = []
    if waiting:
        raise Violation("E_DISCLOSE", "nothing was due to be opened", waiting[0][0])


def _heard(bot: Bot, context: Context) -> list[Whisper]:
    if not bot.dice.sealed:
        return []
    name = f"bot:{bot.id}"
    return [one for one in context.whispers if one.entry >= bot.dice.first and name in one.to]


# --- one function for each kind of first event -----------------------------------------------

_Wishes: TypeAlias = Callable[[Channel, Sequence[Event], Step, Host], Iterator[Wish]]


def _decided(channel: Channel, command: Any, host: Host) -> Wish:
    return lambda: rules.decide(channel, command, host)


def _genesis(channel: Channel, happened: Sequence[Event], step: Step, host: Host) -> Iterator[Wish]:
    opened = happened[0]
    assert isinstance(opened, Genesis)
    bots, joined = [], None
    here = changes.ahead(Channel(), [opened])
    for event in happened[1:]:
        if isinstance(event, Attach):
            bots.append(_new_bot(here, event))
        elif isinstance(event, Join):
            joined = event
        here = changes.ahead(here, [event])
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
    yield lambda: rules.create(command, host)


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
        yield lambda: dice.contribute(channel, slot, words)


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


def _propose(channel: Channel, happened: Sequence[Event], step: Step, host: Host) -> Iterator[Wish]:
    event = happened[0]
    assert isinstance(event, Propose)
    read = [changes.read_op(op) for op in event.ops]
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
        channel, left = changes.ahead(channel, left[:used]), left[used:]
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


_WISHES: Mapping[type[Event], _Wishes] = {
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


# --- what surrounds a step ---------------------------------------------------------------------


def chores(channel: Channel, step: Step, context: Context, root: Callable[[int], bytes]) -> None:
    """The entries that a server writes by itself: another key, another runtime, lost entries."""
    event = step.events[0]
    if isinstance(event, Key):
        _check_rotation(channel, event, step.first)
    elif isinstance(event, Runtime):
        if event.runtime == channel.runtime or not context.pending:
            raise Violation(
                "E_RUNTIME", "the runtime has not changed, or no hook is due", step.first
            )
    elif isinstance(event, Restored):
        if channel.lost or event.size < step.first:
            raise Violation(
                "E_RESTORED", "a smaller head than this log has loses nothing", step.first
            )
        if event.size == step.first and b64u(root(step.first)) == event.root:
            raise Violation("E_RESTORED", "the head that is said to be lost is here", step.first)


def _check_rotation(channel: Channel, event: Key, index: int) -> None:
    try:
        opened = note.open_note(event.note, [channel.key, event.vkey])
        name, _ = note.read_vkey(event.vkey)
    except note.BadNote as error:
        raise Violation("E_KEY", str(error), index) from None
    both = set(opened.signers) == {channel.key, event.vkey} and channel.key != event.vkey
    if not both or opened.text != f"{event.vkey}\n" or name != channel.origin:
        raise Violation("E_KEY", "old and new key do not both vouch for the new one", index)
    if channel.status == "closed":
        raise Violation("E_KEY", "a closed room takes no other key", index)


def after(channel: Channel, step: Step) -> None:
    """What must hold when a step is done: what was accepted is what has come."""
    for place, event in enumerate(step.events):
        if isinstance(event, Change) and terms.of(channel) != event.terms:
            raise Violation(
                "E_TERMS", "what was carried out is not what was accepted", step.first + place
            )


def names(log_events: Sequence[tuple[int, Event]]) -> dict[str, str]:
    """Every commitment of a seed, by the bot's name in its dice."""
    found: dict[str, str] = {}
    nth = 0
    for _, event in log_events:
        if isinstance(event, Attach):
            nth += 1
            found[seeds.bot_name(event.bot, nth)] = event.commit or ""
    return found
