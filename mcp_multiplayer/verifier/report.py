"""The verdict in words, and as JSON.

On the other side are a person, a model and their terminal. What strangers wrote stands between
quotes with every character escaped that a terminal could obey or a reader could mistake.
"""

from __future__ import annotations

import json
import re
import textwrap
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mcp_multiplayer.channel.view import Message
from mcp_multiplayer.sandbox.runtime import runtime
from mcp_multiplayer.verifier import attributed_actions, own_file
from mcp_multiplayer.verifier.attributed_actions import Deed
from mcp_multiplayer.verifier.check import Checked
from mcp_multiplayer.verifier.check_shown import messages
from mcp_multiplayer.verifier.verdict import Verdict

WIDTH = 100
#: Letters and symbols that look like nothing.
BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
KIND = "user"  #: of a member's message that names none
LONGEST = 400  #: characters of one message that are shown
MOST = 200  #: messages and findings that are shown

_SENTENCES = {
    0: "Everything that can be checked holds.",
    1: "Something was VIOLATED. The evidence is in the findings below.",
    2: "Nothing was violated; what is NOT PROVEN says what would settle it.",
}


def safe(text: Any) -> str:
    """Text of strangers without a byte that a terminal obeys."""
    return "".join(mark if _harmless(mark) else _escaped(mark) for mark in str(text))


def _harmless(mark: str) -> bool:
    return mark == " " or (unicodedata.category(mark)[0] not in "CZ" and mark not in BLANK)


def _quoted(text: str) -> str:
    """As `safe`, without blanks in a row: a terminal breaks a long line where it likes, and with
    enough of them a stranger could have it begin the next one with a verdict."""
    return re.sub("(?<= ) ", r"\\u0020", safe(text))


def _escaped(mark: str) -> str:
    code = ord(mark)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def text(checked: Checked) -> str:
    """The whole report for people and models."""
    parts = (_lines(checked), _findings(checked), _kept(checked), _seen(checked), _said(checked))
    return "\n".join([*_head(checked), "", *(line for part in parts for line in part)])


def _head(checked: Checked) -> Iterator[str]:
    size = 0 if checked.log is None else checked.log.size
    yield f"  origin       {safe(checked.origin) or '-'}"
    yield f"  size         {size}"
    yield f"  root         {checked.root or '-'}"
    yield f"  fingerprint  {checked.fingerprint or '-'}"
    yield f"  executed in  {checked.walls or 'nothing was executed'}"
    own = own_file.described()
    yield f"  verifier     {safe(own['file'])}"
    yield f"    sha256     {own['sha256'] or 'unknown: not all its sources are here'}"


def _lines(checked: Checked) -> Iterator[str]:
    for one in checked.verdicts:
        yield from _wrapped(f"{one.state:<12}{one.line:<14}", safe(one.reason))
        if one.settle:
            words, *commands = one.settle.split("\n")
            yield from _wrapped(" " * 26, f"to settle it: {safe(words)}")
            yield from (f"  {safe(command)}" for command in commands)  # whole, to be copied
    yield ""
    yield f"  {_SENTENCES[checked.exit_code]} (exit {checked.exit_code})"
    yield from _wrapped("", own_file.ORIGIN)


def _wrapped(label: str, words: str) -> list[str]:
    return textwrap.wrap(
        words,
        WIDTH,
        initial_indent=f"  {label}",
        subsequent_indent=" " * 28,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _findings(checked: Checked) -> Iterator[str]:
    found = checked.findings.found
    numbers = _numbers(checked)
    if found:
        yield from ("", "Findings")
    for one in found[:MOST]:
        place = "" if one.entry is None else f"{_place(one.entry, numbers)}: "
        yield from _wrapped(f"{one.code:<20}", safe(place + one.text))
    if len(found) > MOST:
        yield f"  and {len(found) - MOST} more (--json has them)"


def _numbers(checked: Checked) -> dict[int, list[int]]:
    """Entries are counted by the log and messages by rooms: the messages that an entry holds."""
    found: dict[int, list[int]] = {}
    for id, entry in _messages(checked):
        found.setdefault(entry, []).append(id)
    return found


def _messages(checked: Checked) -> Iterator[tuple[int, int]]:
    """Each message with its entry, as far as the log could be read."""
    if checked.heads is not None and checked.log is not None:
        for one in messages(checked.log, checked.walked, checked.heads.events):
            yield one["id"], one["entry"]


def _place(entry: int, numbers: Mapping[int, Sequence[int]]) -> str:
    """``entry 12, message 7``; the message as rooms show it, in brackets."""
    ids = numbers.get(entry, ())
    if not ids:
        return f"entry {entry}"
    return f"entry {entry}, message {ids[0]}" + (f" to {ids[-1]}" if len(ids) > 1 else "")


def _seen(checked: Checked) -> Iterator[str]:
    """What of what members saw stands here."""
    if checked.saw:
        yield from ("", "Seen")
    for one in checked.saw:
        many = f"{one.messages} message{'' if one.messages == 1 else 's'}"
        words = f"{safe(one.who)}: {many} that they saw stand here so"
        if one.private:
            words += f"; of {one.private}, which are private, the words were not compared"
        yield from _wrapped("", words)


def _kept(checked: Checked) -> Iterator[str]:
    """What each receipt is of."""
    found = receipts(checked)
    if found:
        yield from ("", "Receipts")
    for one in found:
        said = [f"message {each['id']} of {each['sender']}" for each in one["messages"][:MOST]]
        what = f"entry {one['entry']}, {', '.join(said) or one['type']}"
        words = f"{what}, in the head of {one['size']} entries that the room's key has signed"
        yield from _wrapped(f"{safe(one['receipt'])}: ", safe(words))


def receipts(checked: Checked) -> list[dict[str, Any]]:
    """The receipts that hold, each with what it is of."""
    heads, log = checked.heads, checked.log
    if heads is None or log is None or not heads.receipts:
        return []
    said: dict[int, list[dict[str, Any]]] = {}
    for one in messages(log, checked.walked, heads.events):
        said.setdefault(one["entry"], []).append({"id": one["id"], "sender": one["sender"]})
    return [
        {
            "receipt": one.name,
            "entry": one.entry,
            "size": one.size,
            "type": log.entry(one.entry).get("t", "erased"),
            "messages": said.get(one.entry, []),
        }
        for one in heads.receipts
    ]


def _said(checked: Checked) -> Iterator[str]:
    """What stands under each name, for its author to confirm."""
    done = _done(checked)
    for author in dict.fromkeys([*checked.walked.said, *done]):
        said = checked.walked.said.get(author, [])
        yield from (
            "",
            f"Said as {safe(author)}, for them to confirm with --confirm {safe(author)}:",
        )
        did = done.get(author, [])
        for deed in did[:MOST]:
            yield f"  entry {deed.entry}: ({_quoted(deed.text[:LONGEST])})"
        for message in said[:MOST]:
            body = json.dumps(message.body, ensure_ascii=False, sort_keys=True)
            shown = _quoted(body[:LONGEST]) + ("…" if len(body) > LONGEST else "")
            yield f"  entry {message.entry}, message {message.id}: {shown}{_how(message)}"
        if (more := max(0, len(said) - MOST) + max(0, len(did) - MOST)) > 0:
            yield f"  and {more} more (--json has them)"


def _how(message: Message) -> str:
    """What a referee hears of a message besides its body, where it is not the usual."""
    kind = "" if message.kind == KIND else f" as {safe(message.kind)}"
    return kind + (f" to {safe(', '.join(message.to))}" if message.to else "")


def _done(checked: Checked) -> dict[str, list[Deed]]:
    """What else members did; nothing of a log that could not be read to its end."""
    events = checked.heads.events if checked.heads else ()
    return attributed_actions.of(events, checked.walked.channels)


def data(checked: Checked) -> dict[str, Any]:
    """The same for programs. Text of strangers is JSON in ASCII, so it is escaped too."""
    log = checked.log
    bench = checked.walked.bench
    numbers = _numbers(checked)
    return {
        "origin": checked.origin,
        "size": 0 if log is None else log.size,
        "root": checked.root,
        "fingerprint": checked.fingerprint,
        "runtime": runtime(),
        "walls": checked.walls,
        "verifier": own_file.described(),
        "runs": 0 if bench is None else bench.tally.runs,
        "executed": 0 if bench is None else bench.tally.executed,
        "draws": sum(draw.count for draw in checked.walked.draws),
        "verdict": [_plain(one) for one in checked.verdicts],
        "findings": [
            {
                "code": one.code,
                "entry": one.entry,
                "messages": [] if one.entry is None else numbers.get(one.entry, []),
                "text": one.text,
                "lines": list(one.lines),
                "evidence": dict(one.evidence),
            }
            for one in checked.findings.found
        ],
        "said": {
            author: [_message(one) for one in said] for author, said in checked.walked.said.items()
        },
        "done": {
            author: [{"entry": one.entry, "text": one.text} for one in did]
            for author, did in _done(checked).items()
        },
        "receipts": receipts(checked),
        "saw": [
            {"who": one.who, "messages": one.messages, "private": one.private}
            for one in checked.saw
        ],
        "exit": checked.exit_code,
    }


def _plain(one: Verdict) -> dict[str, str]:
    return {"line": one.line, "state": one.state, "reason": one.reason, "settle": one.settle}


def _message(one: Message) -> dict[str, Any]:
    to = {} if one.to is None else {"to": list(one.to)}
    return {"entry": one.entry, "id": one.id, "kind": one.kind, "body": one.body, **to}
