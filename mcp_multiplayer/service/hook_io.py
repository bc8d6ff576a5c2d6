"""What a hook is told and what its result becomes in the log: a `run`, its seals, what opens them.

On the other side is a stranger's code that has just answered. Whom it addresses is
checked here; its sizes were checked by the sandbox, its right to a turn by the rules. The
verifier makes the same run of the same result and compares (`verifier.compare`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any

from mcp_multiplayer.channel import decide, entropy, events, invite_codes, timers
from mcp_multiplayer.channel.commands import Ran
from mcp_multiplayer.channel.events import Event, Run
from mcp_multiplayer.channel.model import Bot, Channel
from mcp_multiplayer.channel.view import Message, Opening
from mcp_multiplayer.errors import BadMessage
from mcp_multiplayer.sandbox.call import (
    Effect,
    Failed,
    Finished,
    HookCall,
    HookResult,
    Limits,
    Said,
    Turn,
)
from mcp_multiplayer.service.hooks import Due, players_at
from mcp_multiplayer.service.replica import NOTHING, Memory, Step, private_row
from mcp_multiplayer.storage.base import Row, Table
from mcp_multiplayer.transcript import drbg, seeds
from mcp_multiplayer.transcript.canonical_json import Canonical, NotCanonical, canonical
from mcp_multiplayer.transcript.entries import MAX_ENTRY

Receipt = dict[str, Any]

LARGEST_RUN = MAX_ENTRY - 256  #: bytes; the rest is for its place in the log


@dataclass(frozen=True)
class Result:
    """A hook's result, ready to be decided on. ``openings`` by place in the run's out;
    ``failed``: what the hook wanted cannot be written down."""

    command: Ran
    state: Canonical | None = None  #: None: unchanged
    openings: Mapping[int, Opening] = field(default_factory=dict)
    failed: Failed | None = None


@lru_cache(maxsize=1024)  # they are the same for every hook of an epoch
def _keys(
    seed: bytes, hidden: bytes, origin: str, name: str, epoch: int, *shares: tuple[str, str]
) -> tuple[bytes, bytes, bytes]:
    place = (origin, name, epoch)
    return (
        seeds.epoch_key(seed, *place, shares),
        seeds.part(hidden, "state", *place),
        seeds.part(hidden, "priv", *place),
    )


@dataclass(frozen=True)
class Heard:
    """A hook has come back. What it asks of the channel, and what is kept beside the log when
    that has happened: its bot's memory, what opens its private words, the network's answers, and
    ``notes`` for the room's creator. ``before`` and ``after`` are the memory of the bot attached
    by entry ``bot``; ``ts`` is the time of the entry that called the hook."""

    result: Result
    bot: int
    ts: int
    before: Memory | None
    after: Memory
    notes: Sequence[Row] = ()
    effects: Sequence[Effect] = ()
    silent: bool = False  #: it leaves no trace: only the bot's cursor moves

    def kept(
        self, channel_id: str, happened: Sequence[Event], steps: Sequence[Step]
    ) -> tuple[Memory, list[Row]]:
        """The bot's memory, and all rows, now that this has happened."""
        after, openings = self.after, self.result.openings
        if happened and happened[0] != self.result.command.run:  # the rules refuse the whole run
            state = self.before.state if self.before else NOTHING
            after, openings = replace(after, state=state), {}
        rows = [after.row(channel_id, self.bot), *self.notes]
        if happened:
            messages = steps[0].messages
            rows += [
                private_row(channel_id, messages[place].id, opening)
                for place, opening in openings.items()
            ]
            # The network's answers by their hash: a replay takes them from here.
            for name, answer in {_sha(effect): effect.response for effect in self.effects}.items():
                rows.append(Row(Table.BLOB, channel_id, f"sha256:{name}", answer))
        return after, rows


def _sha(effect: Effect) -> str:
    return hashlib.sha256(effect.response).hexdigest()


@dataclass(frozen=True)
class Epoch:
    """The keys of one bot's epoch: of its dice, its blinded states and its private words. ``nth``
    says whose dice of them a hook draws from."""

    key: bytes
    state: bytes
    private: bytes
    nth: int

    @classmethod
    def of(
        cls, seed: bytes, channel: Channel, bot: Bot, on: int, *, blinding: bytes | None = None
    ) -> Epoch:
        """Those of the bot's present epoch under this seed, for a hook that ``on`` calls.
        ``blinding``: instead of the seed, which comes out, where the bot keeps what it hears."""
        place = (channel.origin, bot.dice_name, bot.dice.epoch)
        hidden = seed if blinding is None else blinding
        return cls(*_keys(seed, hidden, *place, *entropy.shares(channel, bot, on)), bot.dice.drawn)

    def receipt(self, before: Canonical, after: Canonical, drawn: int) -> Receipt:
        was = seeds.blind(self.state, before)
        states = [was, was if after is before else seeds.blind(self.state, after)]
        return {"st": states, "rng": [seeds.kid(self.key), self.nth, drawn]}


def hook_limits(room: Mapping[str, Any], own: Limits) -> Limits:
    """What a hook may use up: what the room was born with where a replay could see it, the
    ``own`` settings of whoever runs it elsewhere."""
    return replace(
        own,
        fuel=room.get("hook_fuel", own.fuel),
        output=room["output_kb"] << 10,
        state=room["state_kb"] << 10,
    )


def hook_call(
    channel_id: str,
    due: Due,
    shown: Message | None,
    *,
    source: str,
    library: str,
    state: Mapping[str, Any],
    epoch: Epoch,
) -> HookCall:
    """What the sandbox is told of a hook that is due. ``shown`` is its message, opened; ``library``
    the text that the bot was attached with, "" for none."""
    bot, step = due.bot, due.step
    return HookCall(
        source=source,
        hook=due.hook,
        args=due.args if shown is None else (message_json(channel_id, shown),),
        params=bot.params,
        state=state,
        players=players_at(step.channel, step.entry),
        now=step.ts / 1000,
        bot_id=bot.id,
        key=drbg.hook_key(epoch.key, epoch.nth),
        inline=bot.ref is None,
        library=library,
    )


def ran(
    channel: Channel,
    due: Due,
    result: HookResult,
    state: Canonical,
    *,
    epoch: Epoch,
) -> Result:
    """Return what ``result`` of the hook ``due`` means for the channel. ``state`` is the
    bot's before the hook."""
    if isinstance(result, Finished):
        try:
            finished = _finished(channel, due, result, state, epoch)
            size = len(canonical(events.write(finished.command.run)))
        except (BadMessage, NotCanonical) as error:
            result = _broken("BadMessage", str(error), result)
        else:
            if size <= LARGEST_RUN:
                return finished
            text = f"what the hook did takes {size} bytes in the log, at most {LARGEST_RUN} fit"
            result = _broken("OutputLimit", text, result)
    run = _failure(due, result, _receipt(due, result, epoch, state, state))
    return Result(Ran(run, silent=False), failed=result)


def _broken(error: str, text: str, result: Finished) -> Failed:
    return Failed(error, text=text, prints=result.prints, effects=result.effects)


def _receipt(
    due: Due,
    result: HookResult,
    epoch: Epoch,
    before: Canonical,
    after: Canonical,
) -> Receipt:
    """The fields of a run that a replay must come to."""
    drawn = result.draws if isinstance(result, Finished) else 0
    asked = [{"k": effect.kind, "q": effect.q, "r": effect.r} for effect in result.effects]
    made = epoch.receipt(before, after, drawn) | {"now": due.step.ts}
    return made | ({"fx": asked} if asked else {})


def _failure(due: Due, failed: Failed, receipt: Receipt) -> Run:
    name = failed.error if re.fullmatch(r"\w{1,64}", failed.error) else "Error"
    res = "fuel" if name == "FuelLimit" else f"{'killed' if failed.killed else 'error'}:{name}"
    bot, on = due.bot, due.step.entry
    return Run(bot.id, bot.at, due.hook, on, res, [], line=failed.line, **receipt)


def _finished(
    channel: Channel,
    due: Due,
    result: Finished,
    state: Canonical,
    epoch: Epoch,
) -> Result:
    def salt(place: int, name: str) -> str:
        return seeds.salt(epoch.private, due.step.entry, place, name)

    out: list[dict[str, Any]] = []
    openings: dict[int, Opening] = {}
    for place, said in enumerate(result.said):
        item, opening = _sealed(channel, said, partial(salt, place))
        out.append(item)
        if opening is not None:
            openings[place] = opening
    turn = None if result.turn is None else _turn(channel, result.turn, due.step.ts)
    clocks = {
        name: None if seconds is None else timers.due_at(due.step.ts, seconds)
        for name, seconds in result.timers.items()
    }
    after = state if result.state is None else Canonical.of(result.state)
    run = Run(
        bot=due.bot.id,
        at=due.bot.at,
        hook=due.hook,
        on=due.step.entry,
        res="ok",
        out=out,
        turn=turn,
        end=result.end,
        timers=clocks or None,
        **_receipt(due, result, epoch, state, after),
    )
    trace = out or turn or result.end is not None or clocks or result.draws or result.effects
    # By the bytes: to Python True is 1, and a replay that took the one for the other would accuse
    # the server.
    silent = not trace and after.data == state.data
    return Result(Ran(run, silent=silent), None if result.state is None else after, openings)


def _turn(channel: Channel, turn: Turn, now: int) -> dict[str, Any]:
    written: dict[str, Any] = {"players": list(turn.players)}
    if turn.expect is not None:
        written["expect"] = turn.expect
    if turn.to is not None and turn.players:
        written["to"] = list(decide.addressees(channel, turn.to))
    if turn.seconds is not None and turn.players:
        written["deadline"] = timers.due_at(now, turn.seconds)
    return written


def _sealed(
    channel: Channel, said: Said, salt_of: Callable[[str], str]
) -> tuple[dict[str, Any], Opening | None]:
    """Write one post down: in clear, as a digest, or with some of its values as digests."""
    body = said.body
    if said.to is None:
        if said.private:
            raise BadMessage("private values need to=[...]: who may see them")
        return {"k": said.kind, "b": body}, None
    to = list(decide.addressees(channel, said.to))
    if said.private is None:
        salt = salt_of("")
        return {"k": said.kind, "d": invite_codes.seal(salt, body), "to": to}, {"": [salt, body]}
    if "" in said.private:  # that name stands for a whole body in what is kept
        raise BadMessage("a private value needs a name")
    hidden = {name: [salt_of(name), value] for name, value in said.private.items()}
    digests = sorted(
        invite_codes.seal_value(salt, name, value) for name, (salt, value) in hidden.items()
    )
    return {"k": said.kind, "b": {**body, "_sd": digests}, "to": to}, hidden


def message_json(channel_id: str, message: Message) -> dict[str, Any]:
    """A message as members, referees and verifiers read it."""
    body = dict(message.body)
    if message.sender == "system" and body.get("type") == "turn" and body.get("deadline"):
        body["deadline"] = rfc3339(body["deadline"])  # the log has it in ms, as every time
    shown: dict[str, Any] = {
        "id": message.id,
        "entry": message.entry,
        "channel_id": channel_id,
        "sender": message.sender,
        "kind": message.kind,
        "body": body,
        "ts": rfc3339(message.ts),
    }
    if message.to is not None:
        shown["to"] = list(message.to)
    return shown


@lru_cache(maxsize=4096)  # a message's time is told to each of its readers
def rfc3339(ms: int) -> str:
    """Milliseconds since the epoch as RFC 3339 in UTC."""
    return (
        datetime.fromtimestamp(ms / 1000, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )


__all__ = ["Epoch", "Heard", "Result", "hook_call", "message_json", "ran", "rfc3339"]
