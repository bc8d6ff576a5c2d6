"""What a member was shown, held against what stands in the record. On the other side is a server
whose log is in order and whose answers are not: it tells a player "high" and writes "low". Answers
are not signed, so this convinces whoever was shown them, and nobody else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcp_multiplayer.channel.events import Event, Run
from mcp_multiplayer.service.hook_io import message_json
from mcp_multiplayer.service.messages import LEFT_OUT, is_board, short_body
from mcp_multiplayer.service.replica import step
from mcp_multiplayer.storage.base import Leaf
from mcp_multiplayer.verifier.findings import Findings
from mcp_multiplayer.verifier.heads import Unusable
from mcp_multiplayer.verifier.parse_log import Log
from mcp_multiplayer.verifier.replay_log import Walked

_ENVELOPE = ("entry", "sender", "kind", "ts", "to")
#: A message as tools print it: ``[12] alice (move) -> bob: "guess 20"``.
_PRINTED = re.compile(
    r"\s*\[(?P<id>[1-9][0-9]{0,9})\] (?P<sender>\S+?)(?: \((?P<kind>[^\s()]+)\))?"
    r"(?: -> (?P<to>\S+(?:, \S+)*?))?: (?P<said>.*)"
)


@dataclass(frozen=True)
class Agreed:
    """So many messages that ``who`` was shown are those of the record; of the ``private`` ones the
    words were not compared."""

    who: str
    messages: int
    private: int


def check_saw(
    who: str,
    text: str,
    log: Log,
    walked: Walked,
    events: Sequence[Event | None],
    findings: Findings,
) -> Agreed | None:
    """``text`` is what tools told ``who``: their text, or a JSON list of messages, of which what it
    names is compared. Private bodies are left out: their digests are the record's. Return how much
    of it stands here, None where something else does. Raise `Unusable` if it is neither."""
    seen = _messages_in(text)
    if not seen:
        raise Unusable(
            f"what {who} saw: the text of the tools' answers is wanted, or a JSON list of messages"
        )
    here = walked.channel.origin.rpartition("/")[2]
    if any(one.get("channel_id", here) != here for one in seen):
        raise Unusable(f"what {who} saw is of another room")
    ours = {message["id"]: message for message in messages(log, walked, events)}
    compared: set[int] = set()
    for one in seen:
        id = one["id"]
        if id not in ours:
            if walked.whole:
                _ahead(who, id, len(ours), findings)
        elif wrong := _differs(one, ours[id], erased=log.lines[ours[id]["entry"]].erased):
            text = (
                f"{who} was shown something else as message {id} than stands here "
                f"({', '.join(wrong)}: {_plain(one.get(wrong[0]))[:120]})"
            )
            findings.add("E_SHOWN", text, ours[id]["entry"], shown=one, here=ours[id])
            return None
        else:
            compared.add(id)
    return Agreed(who, len(compared), sum("to" in ours[id] for id in compared))


def _messages_in(text: str) -> list[dict[str, Any]]:
    """The messages in a text; none if there are none, or not only such."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return [one for line in text.splitlines() if (one := _printed(line)) is not None]
    if isinstance(found, dict):  # the whole answer
        found = found.get("messages")
    return found if isinstance(found, list) and all(map(_is_message, found)) else []


def _printed(line: str) -> dict[str, Any] | None:
    """The message in a line of a tool's answer; None where there is no whole one."""
    found = _PRINTED.fullmatch(line)
    if found is None:
        return None
    try:
        said = json.loads(found["said"])
    except (ValueError, RecursionError):
        return None
    body = {"text": said} if isinstance(said, str) else said
    one = {"id": int(found["id"]), "sender": found["sender"], "body": body}
    one["to"] = None if found["to"] is None else found["to"].split(", ")
    return one if found["kind"] is None else {**one, "kind": found["kind"]}


def _differs(one: Mapping[str, Any], here: Mapping[str, Any], *, erased: bool) -> list[str]:
    """What was shown otherwise than it stands here, of what was shown: of an erased message who
    said something to whom, and when."""
    if erased:
        one = {name: value for name, value in one.items() if name != "body"}
    names = (*_ENVELOPE, *(() if "to" in here else ("body",)))
    body, shown = here["body"], one.get("body")
    short = short_body(here)
    if isinstance(shown, dict):  # as it is printed
        shown = {n: v for n, v in shown.items() if v != LEFT_OUT or not is_board(short.get(n))}
        one = {**one, "body": shown}
        short = {name: v for name, v in short.items() if name in shown or not is_board(v)}
        if shown.keys() == short.keys():
            here = {**here, "body": short}
    wrong = [name for name in names if name in one and _plain(one[name]) != _plain(here.get(name))]
    if "body" in one and "to" in here and "_sd" in body and not wrong:  # the rest of it is public
        rest = [name for name in short if name != "_sd"]
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


def messages(log: Log, walked: Walked, events: Sequence[Event | None]) -> Iterator[dict[str, Any]]:
    """The messages of the record as far as it was walked, as tools return them."""
    for line, channel, event in zip(log.lines, walked.channels, events, strict=False):
        if event is None:
            return
        ts = log.lines[event.on].ts if isinstance(event, Run) else line.ts
        leaf = Leaf(line.index, ts, channel.messages, line.hash, line.data)
        for message in step(channel, event, leaf).messages:
            yield message_json(channel.origin.rpartition("/")[2], message)


def _plain(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
