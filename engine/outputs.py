"""What a hook's result becomes in the log: a `run`, its seals and what opens them.

On the other side is a stranger's code that has just answered. Whom it addresses is
checked here; its sizes were checked by the sandbox, its right to a turn by the rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from engine.channel import events, rules, timers, tokens
from engine.channel.commands import Ran
from engine.channel.events import Run
from engine.channel.state import Channel
from engine.channel.views import Message, Opening
from engine.errors import BadMessage
from engine.hooks import Due
from engine.room import private_row
from engine.sandbox.call import Failed, Finished, HookResult, Said, Turn
from engine.transcript.canonical import NotCanonical, canonical, through
from engine.transcript.chain import MAX_ENTRY, b64u

Mint = Callable[[int], bytes]

LARGEST_RUN = MAX_ENTRY - 256  #: bytes; the rest is for its place in the log


@dataclass(frozen=True)
class Result:
    """A hook's result, ready to be decided on. ``openings`` by place in the run's out."""

    command: Ran
    state: Mapping[str, Any] | None = None
    openings: Mapping[int, Opening] = field(default_factory=dict)


def ran(
    channel: Channel, due: Due, result: HookResult, state: Mapping[str, Any], *, mint: Mint
) -> Result:
    """Return what ``result`` of the hook ``due`` means for the channel. ``state`` is the
    bot's before the hook."""
    if isinstance(result, Finished):
        try:
            finished = _finished(channel, due, result, state, mint)
            size = len(canonical(events.write(finished.command.run)))
        except (BadMessage, NotCanonical) as error:
            result = Failed("BadMessage", text=str(error), prints=result.prints)
        else:
            if size <= LARGEST_RUN:
                return finished
            text = f"what the hook did takes {size} bytes in the log, at most {LARGEST_RUN} fit"
            result = Failed("OutputLimit", text=text, prints=result.prints)
    return Result(Ran(_failure(due, result), silent=False))


def _failure(due: Due, failed: Failed) -> Run:
    name = failed.error if re.fullmatch(r"\w{1,64}", failed.error) else "Error"
    res = f"{'killed' if failed.killed else 'error'}:{name}"
    return Run(due.bot.id, due.bot.at, due.hook, due.step.entry, res, [], line=failed.line)


def _finished(
    channel: Channel, due: Due, result: Finished, state: Mapping[str, Any], mint: Mint
) -> Result:
    out: list[dict[str, Any]] = []
    openings: dict[int, Opening] = {}
    for place, said in enumerate(result.said):
        item, opening = _sealed(channel, said, mint)
        out.append(item)
        if opening is not None:
            openings[place] = opening
    turn = None if result.turn is None else _turn(result.turn, due.step.ts)
    clocks = {
        name: None if seconds is None else timers.due_at(due.step.ts, seconds)
        for name, seconds in result.timers.items()
    }
    changed = result.state is not None and dict(result.state) != dict(state)
    run = Run(
        bot=due.bot.id,
        at=due.bot.at,
        hook=due.hook,
        on=due.step.entry,
        res="ok",
        out=out,
        turn=turn,
        end=None if result.end is None else through(dict(result.end)),
        timers=clocks or None,
    )
    trace = out or turn or result.end is not None or clocks or result.draws or changed
    return Result(Ran(run, silent=not trace), result.state, openings)


def _turn(turn: Turn, now: int) -> dict[str, Any]:
    written: dict[str, Any] = {"players": list(turn.players)}
    if turn.expect is not None:
        written["expect"] = through(turn.expect)
    if turn.seconds is not None and turn.players:
        written["deadline"] = timers.due_at(now, turn.seconds)
    return written


def _sealed(channel: Channel, said: Said, mint: Mint) -> tuple[dict[str, Any], Opening | None]:
    """Write one post down: in clear, as a digest, or with some of its values as digests."""
    body = through(dict(said.body))
    if said.to is None:
        if said.private:
            raise BadMessage("private values need to=[...]: who may see them")
        return {"k": said.kind, "b": body}, None
    to = list(rules.addressees(channel, said.to))
    if said.private is None:
        salt = b64u(mint(16))
        return {"k": said.kind, "d": tokens.seal(salt, body), "to": to}, {"": [salt, body]}
    if "" in said.private:  # that name stands for a whole body in what is kept
        raise BadMessage("a private value needs a name")
    hidden = {name: [b64u(mint(16)), value] for name, value in through(dict(said.private)).items()}
    digests = sorted(tokens.seal_value(salt, name, value) for name, (salt, value) in hidden.items())
    return {"k": said.kind, "b": {**body, "_sd": digests}, "to": to}, hidden


def message_json(channel_id: str, message: Message) -> dict[str, Any]:
    """A message as members, referees and verifiers read it (contract §3)."""
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


def rfc3339(ms: int) -> str:
    """Milliseconds since the epoch as RFC 3339 in UTC."""
    return (
        datetime.fromtimestamp(ms / 1000, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )


__all__ = ["Result", "message_json", "private_row", "ran", "rfc3339"]
