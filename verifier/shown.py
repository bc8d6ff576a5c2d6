"""What a member was shown, held against what stands in the record.

Changes with `engine.outputs.message_json`. On the other side is a server whose log is in order and
whose answers are not: it tells a player "high" and writes "low". Answers are not signed, so this
convinces whoever was shown them, and nobody else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.channel.events import Event, Run
from engine.outputs import message_json
from engine.room import step
from engine.stores.base import Leaf
from verifier.findings import Findings
from verifier.heads import Unusable
from verifier.leaves import Log
from verifier.walk import Walked

_ENVELOPE = ("entry", "sender", "kind", "ts", "to")


def check_saw(
    who: str,
    text: str,
    log: Log,
    walked: Walked,
    events: Sequence[Event | None],
    findings: Findings,
) -> None:
    """``text`` is a JSON list of messages as tools return them. Private bodies are left out: their
    digests are the record's. Raise `Unusable` if it is no such list."""
    try:
        seen = json.loads(text)
    except (ValueError, RecursionError):
        seen = None
    if not isinstance(seen, list) or not all(_is_message(one) for one in seen):
        raise Unusable(f"what {who} saw: a JSON list of messages is wanted")
    ours = {message["id"]: message for message in _messages(log, walked, events)}
    for one in seen:
        id = one["id"]
        if id not in ours:
            if walked.whole:
                _ahead(who, id, len(ours), findings)
        elif wrong := _differs(one, ours[id]):
            text = (
                f"{who} was shown something else as message {id} than stands here "
                f"({', '.join(wrong)}: {_plain(one.get(wrong[0]))[:120]})"
            )
            findings.add("E_SHOWN", text, ours[id]["entry"], shown=one, here=ours[id])
            return


def _differs(one: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """What was shown otherwise than it stands here."""
    names = (*_ENVELOPE, *(() if "to" in here else ("body",)))
    wrong = [name for name in names if _plain(one.get(name)) != _plain(here.get(name))]
    body, shown = here["body"], one.get("body")
    if "to" in here and "_sd" in body and not wrong:  # the rest of it is public
        rest = [name for name in body if name != "_sd"]
        if not isinstance(shown, dict) or any(
            _plain(shown.get(name)) != _plain(body[name]) for name in rest
        ):
            return ["body"]
    return wrong


def _is_message(one: Any) -> bool:
    return isinstance(one, dict) and type(one.get("id")) is int and one["id"] > 0


def _ahead(who: str, id: int, count: int, findings: Findings) -> None:
    """A message that the record does not have: made up, or of later than the record."""
    text = f"{who} was shown a message {id}, {count} are here: get a newer file to compare"
    findings.once("I_LINE_AHEAD", who, text)


def _messages(log: Log, walked: Walked, events: Sequence[Event | None]) -> Iterator[dict[str, Any]]:
    for line, channel, event in zip(log.lines, walked.channels, events, strict=False):
        if event is None:
            return
        ts = log.lines[event.on].ts if isinstance(event, Run) else line.ts
        leaf = Leaf(line.index, ts, channel.messages, line.hash, line.data)
        for message in step(channel, event, leaf).messages:
            yield message_json(channel.origin.rpartition("/")[2], message)


def _plain(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
