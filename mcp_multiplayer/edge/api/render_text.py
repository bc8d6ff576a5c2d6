"""What a model reads: what happened, the messages, `turn:`, `log:`, and last `next:`. On the other
side of these lines are people who would like to speak in the server's voice: whatever another party
wrote (bodies, names, expectations, sources) stands on a line of its own as one-line JSON, with
control, line-separating and direction-changing characters escaped. No text here calls anything
verified, proven or fair.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from mcp_multiplayer.channel.identifiers import KIND

#: Controls but tab and line feed, line and paragraph separators, marks that turn or hide text.
_UNSAFE = re.compile(
    r"[\x00-\x08\x0b-\x1f]"
    "|[\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
    "|[\U000e0000-\U000e0fff]"
)
WAIT_MS = 25_000
#: Characters of a root in the line `log:`, 144 bits: no two logs can be made that share them.
SHOWN_ROOT = 24
RESTARTING = "the server restarts, repeat this call"
POSTED_ONCE = "; what is posted already is not posted twice"
RESTARTING_AFTER = (
    "the server restarts; what you asked for is done, do not repeat it. In a few seconds go on "
    "with the call that next names"
)
PENDING = (
    "pending: the referee is still busy with this; what it says comes with your next call. "
    "Until then log: is a head from before it and no receipt for it."
)


def quoted(value: Any) -> str:
    """Somebody else's value as JSON on one line that no reader can take for ours."""
    return plain(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def plain(text: str) -> str:
    """``text`` with what turns, hides or separates it written out, as \\u202e. Its line feeds
    stay: a source is shown with its own lines."""
    return _UNSAFE.sub(lambda mark: json.dumps(mark.group())[1:-1], text)


def message(shown: Mapping[str, Any]) -> str:
    """``[12] alice: "guess 20"``; a body that is only text is shown as its text, a turn without
    what the lines `turn:` and `expect:` say of the one that counts."""
    body = shown["body"]
    if shown["sender"] == "system" and body.get("type") == "turn":
        body = {"type": "turn", "players": body["players"]}
    only_text = body.keys() == {"text"} and isinstance(body["text"], str)
    said = quoted(body["text"] if only_text else body)
    kind = shown["kind"]
    named = "" if kind in ("user", "bot", "system") or not KIND.fullmatch(kind) else f" ({kind})"
    to = f" -> {', '.join(shown['to'])}" if "to" in shown else ""
    return f"[{shown['id']}] {shown['sender']}{named}{to}: {said}"


def messages(page: Mapping[str, Any]) -> list[str]:
    lines = [message(shown) for shown in page["messages"]]
    return [*lines, "(more follow)"] if page["more"] else lines


def title(view: Mapping[str, Any]) -> str:
    return f"{view['channel_id']} {quoted(view['name'])}"


def left(deadline: str | None, now: float) -> str:
    """``23 h 41 min left``; nothing when there is no clock."""
    if deadline is None:
        return ""
    seconds = math.ceil(datetime.fromisoformat(deadline).timestamp() - now)
    parts = []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, seconds = divmod(seconds, size) if seconds > 0 else (0, 0)
        parts.append(f"{count} {unit}" if count else "")
    largest = next((place for place, part in enumerate(parts) if part), None)
    if largest is None:
        return "time is up"
    return " ".join([*filter(None, parts[largest : largest + 2]), "left"])


def with_clock(words: str, turn: Mapping[str, Any], now: float) -> str:
    """``words`` about a turn, and how long it still lasts."""
    return ", ".join(filter(None, (words, left(turn.get("deadline", turn.get("until")), now))))


def state(view: Mapping[str, Any], now: float) -> list[str]:
    """The lines `turn:`, `expect:`, `result:`, `proposed:` and `log:`, as far as there is something
    to say."""
    lines = []
    turn = view["turn"]
    if turn is not None:
        whose = "you" if turn["yours"] else ", ".join(turn["players"])
        lines.append(with_clock(f"turn: {whose}", turn, now))
        if turn["expect"] is not None:
            lines.append(f"expect: {quoted(turn['expect'])}")
    if view["result"] is not None:
        lines.append(f"result, in the referee's words: {quoted(view['result'])}")
    if "proposed" in view:
        lines.append(_proposed(view))
    if "opening" in view:
        waiting = ", ".join(view["opening"]["waiting_for"])
        lines.append(with_clock(f"dice: waiting for {waiting} to open", view["opening"], now))
    return [*lines, log(view)]


def _proposed(view: Mapping[str, Any]) -> str:
    """A change that waits for consent, which `next:` never asks for: it is the user's to give."""
    waiting = view["proposed"]["waiting_for"]
    own = [slot["label"] for slot in view["slots"] if slot["you"] and slot["label"] in waiting]
    if not own:
        return f"proposed: see change_proposed; it waits for {', '.join(waiting)}"
    several = sum(slot["you"] for slot in view["slots"]) > 1
    accept = call(
        "update_channel",
        channel_id=view["channel_id"],
        ops=[{"op": "accept_change", "terms": view["proposed"]["terms"]}],
        seat=own[0] if several else None,
    )
    return f"proposed: see change_proposed. Only if your user agrees: {accept}"


def log(view: Mapping[str, Any]) -> str:
    return head(view["head"])


def head(shown: Mapping[str, Any]) -> str:
    """What a member keeps as its receipt, and verifiers take as --line."""
    line = f"log: {shown['size']} entries, root {shown['root'][:SHOWN_ROOT]}"
    return line if "signature" in shown else f"{line}, not signed"


def waiting_for(view: Mapping[str, Any]) -> list[str]:
    """Labels of the seats that are still free."""
    return [s["label"] for s in view["slots"] if s["kind"] == "invite" and s["state"] == "free"]


def call(name: str, **arguments: Any) -> str:
    """A call with its arguments filled in: ``post_message(channel_id="chn_…", cursor=4)``."""
    filled = ", ".join(
        f"{key}={quoted(value)}" for key, value in arguments.items() if value is not None
    )
    return f"{name}({filled})"


def next_move(
    view: Mapping[str, Any], page: Mapping[str, Any], seat: str | None = None, hint: str = ""
) -> str:
    """The last line for somebody seated: the one call to make now. ``hint`` comes before the
    move of whoever has the turn."""
    room = view["channel_id"]
    if page["more"]:
        return "next: there is more: " + call(
            "sync_messages", channel_id=room, cursor=page["cursor"], timeout_ms=0, seat=seat
        )
    wait = call("sync_messages", channel_id=room, cursor=page["cursor"], until="my_turn", seat=seat)
    if _watches(view, seat) and view["status"] in ("open", "playing"):
        return "next: you watch and do not speak. To see what happens: " + call(
            "sync_messages", channel_id=room, cursor=page["cursor"], seat=seat
        )
    speak = call(
        "post_message",
        channel_id=room,
        body="<your move>",
        to=_sealed_to(view),
        cursor=page["cursor"],
        wait_ms=WAIT_MS,
        seat=seat,
    )
    match view["status"]:
        case "closed" if "lost" in view:
            return (
                "next: the server has lost entries of this room and closed it for good; tell your "
                "user, who may hold later lines log: than this one."
            )
        case "closed":
            return "next: the room is closed; tell your user."
        case "ended":
            return (
                "next: the game is over; tell your user the result, which is the server's word, "
                "and the line log:. Equal lines on both sides mean one record; "
                'help("verify") says how to check it.'
            )
        case "open" if "opening" in view:
            mine = _to_open(view)
            return f"next: {mine}Else wait: {wait}" if mine else f"next: {wait}"
        case "open":
            free = ", ".join(waiting_for(view))
            return (
                f"next: {free or 'another player'} has yet to join. When your user says so: {wait}"
            )
    if view["turn"] is None:
        return f"next: speak with {speak.replace('<your move>', '<text>')}, or listen: " + call(
            "sync_messages", channel_id=room, cursor=page["cursor"], seat=seat
        )
    return f"next: {hint}{speak}" if view["turn"]["yours"] else f"next: {wait}"


def _watches(view: Mapping[str, Any], seat: str | None) -> bool:
    """The reader is a spectator (in the seat that it names, if it has several)."""
    own = [slot for slot in view.get("slots", ()) if slot["you"] and seat in (None, slot["label"])]
    return bool(own) and all(slot["kind"] == "watch" for slot in own)


def _sealed_to(view: Mapping[str, Any]) -> list[str] | None:
    """To which referee a move is sealed, if the referee whose turn it is expects that. Its words
    come into a line of ours only as the name of a bot that is here."""
    expect = view["turn"]["expect"] if view["turn"] is not None else None
    to = expect.get("to") if isinstance(expect, Mapping) else None
    return to if to in [[f"bot:{bot['bot_id']}"] for bot in view["bots"]] else None


def _to_open(view: Mapping[str, Any]) -> str:
    mine = {slot["label"] for slot in view["slots"] if slot["you"]}
    if not mine & set(view["opening"]["waiting_for"]):
        return ""
    again = call("join_channel", invite_code="<your code or rejoin_token>", entropy="<your value>")
    return f"open what you committed to: {again}. "


def referees(view: Mapping[str, Any], refs: Mapping[str, str | None]) -> list[str]:
    """One line for each bot. ``refs``: bot id -> builtin://Name for shipped ones."""
    return [
        f"Referee bot:{bot['bot_id']}: {quoted(bot['name'])} {quoted(bot['version'])}"
        f" ({'shipped with this server' if refs.get(bot['bot_id']) else 'written for this room'}),"
        f" code {bot['code_hash'][:15]}…, params {quoted(bot['params'])}"
        for bot in view["bots"]
    ]


def author_log(notes: Iterable[Mapping[str, Any]]) -> list[str]:
    """What the creator's own bot printed; nobody else is shown it."""
    return [f"author log: {quoted(note)}" for note in notes]


def rejoin_token(token: str) -> str:
    return f"rejoin_token, for another login only, never to be posted: {token}"


def joined(lines: Iterable[str]) -> str:
    return "\n".join(line for line in lines if line)
