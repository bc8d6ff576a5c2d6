"""Whether the rules of rooms have written a step. Each begins with the command that it answers
(`verifier.logged_command`), and the rules answer that with exactly these events or with a refusal.
On the other side is a server that writes what its own rules forbid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mcp_multiplayer.channel import events, invite_codes, terms
from mcp_multiplayer.channel.commands import Host
from mcp_multiplayer.channel.events import (
    Attach,
    Change,
    Disclose,
    Event,
    Genesis,
    Key,
    Propose,
    Restored,
    Reveal,
    Runtime,
    Unseal,
)
from mcp_multiplayer.channel.model import Bot, Channel
from mcp_multiplayer.channel.ops import TOUCH_TERMS
from mcp_multiplayer.errors import MultiplayerError
from mcp_multiplayer.transcript import checkpoint, seeds
from mcp_multiplayer.transcript.canonical_json import canonical
from mcp_multiplayer.transcript.entries import b64u
from mcp_multiplayer.verifier import logged_command
from mcp_multiplayer.verifier.findings import Violation
from mcp_multiplayer.verifier.logged_command import Step

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
    erased: frozenset[int] = frozenset()  #: entries of which the words are gone

    def forget(self, entry: int) -> None:
        """What was said there was erased before it was opened, and cannot be."""
        self.whispers = [one for one in self.whispers if one.entry != entry]


def check(channel: Channel, step: Step, context: Context) -> None:
    """Raise `Violation` unless the rules answer the step's command with these events."""
    plain = [_undetermined(event) for event in step.events if not isinstance(event, Disclose)]
    code = f"E_{type(plain[0] if plain else step.events[0]).__name__.upper()}"
    if not plain:
        raise Violation(code, "nothing begins with a disclose", step.first)
    host = _host(plain, context)
    context.asked = False
    try:
        made = logged_command.of(channel, plain, step, host)()
    except MultiplayerError as refusal:
        raise Violation(code, str(refusal), step.first) from None
    except (LookupError, TypeError, ValueError, AttributeError, AssertionError, StopIteration) as e:
        raise Violation(code, f"it names what is not there ({e!r:.120})", step.first) from None
    if not _same(made, plain, context):
        raise _different(code, step, plain, made)
    _check_disclosures(channel, step, context)


def _undetermined(event: Event) -> Event:
    """The event as the rules write it, which know no secrets."""
    if isinstance(event, Reveal):
        return replace(event, seed="")
    return replace(event, key="") if isinstance(event, Unseal) and event.key else event


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
    code: str, step: Step, plain: Sequence[Event], expected: Sequence[Event]
) -> Violation:
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
    """Before a reveal stand all private messages that its bot has heard, before the last consent
    all that it has kept, and nowhere else."""
    waiting: list[tuple[int, Disclose]] = []
    for entry, event in enumerate(step.events, step.first):
        if isinstance(event, Disclose):
            waiting.append((entry, event))
            continue
        due = _due(channel, event, context)
        if [one.entry for one in due] != [disclosed.entry for _, disclosed in waiting]:
            raise Violation(
                "E_DISCLOSE",
                f"{len(waiting)} private messages are opened here where {len(due)} are due",
                entry,
            )
        for whisper, (place, disclosed) in zip(due, waiting, strict=True):
            if place in context.erased and disclosed.entry == whisper.entry:
                continue
            if invite_codes.seal(disclosed.salt, disclosed.body) != whisper.digest:
                raise Violation(
                    "E_DISCLOSE", f"it opens another body than entry {whisper.entry} sealed", place
                )
        waiting = []
    if waiting:
        raise Violation("E_DISCLOSE", "nothing was due to be opened", waiting[0][0])


def _due(channel: Channel, event: Event, context: Context) -> list[Whisper]:
    """What has to be opened before the event."""
    bot = channel.bot(event.bot) if isinstance(event, Reveal | Unseal) else None
    if bot is None:
        return []
    if isinstance(event, Unseal):
        return [] if event.key is None else _heard(bot, bot.kept.since, context)
    return _heard(bot, bot.dice.first, context) if bot.dice.sealed else []


def _heard(bot: Bot, start: int, context: Context) -> list[Whisper]:
    name = f"bot:{bot.id}"
    return [one for one in context.whispers if one.entry >= start and name in one.to]


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
        opened = checkpoint.open_note(event.note, [channel.key, event.vkey])
        name, _ = checkpoint.read_vkey(event.vkey)
    except checkpoint.BadNote as error:
        raise Violation("E_KEY", str(error), index) from None
    both = set(opened.signers) == {channel.key, event.vkey} and channel.key != event.vkey
    if not both or opened.text != f"{event.vkey}\n" or name != channel.origin:
        raise Violation("E_KEY", "old and new key do not both vouch for the new one", index)
    if channel.status == "closed":
        raise Violation("E_KEY", "a closed room takes no other key", index)


def after(before: Channel, channel: Channel, step: Step) -> None:
    """What must hold when a step is done: what was accepted is what has come. Consent to empty a
    seat or to close the room changes no terms; `check` has held its name to the proposal."""
    ops = before.proposal.ops if before.proposal is not None else ()
    if not any(op["op"] in TOUCH_TERMS for op in ops):
        return
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
            found[seeds.bot_name(event.bot, nth)] = event.commit
    return found
