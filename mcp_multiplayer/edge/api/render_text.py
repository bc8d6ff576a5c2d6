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
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mcp_multiplayer.channel.commands import NewBot
from mcp_multiplayer.channel.identifiers import KIND
from mcp_multiplayer.channel.model import DAY, Bot, Channel, Slot
from mcp_multiplayer.service.channel_manager import Updated
from mcp_multiplayer.service.messages import LEFT_OUT, boards_in, is_drawing, is_fen, short_body
from mcp_multiplayer.service.replica import Replica

#: Controls but tab and line feed, line and paragraph separators, marks that turn or hide text.
_UNSAFE = re.compile(
    r"[\x00-\x08\x0b-\x1f]"
    "|[\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
    "|[\U000e0000-\U000e0fff]"
)
LOOK_BACK = 100  #: messages in which a seat was told what becomes of sealed words
WAIT_MS = 45_000  #: the longest a call may wait; chat apps give up after a minute
#: Characters of a root in the line `log:`, 144 bits: no two logs can be made that share them.
SHOWN_ROOT = 24
SHOWN_TERMS = 23  #: characters of a terms hash, 64 bits after its "sha256:"
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
    return plain(_as_json(value))


_as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def plain(text: str) -> str:
    """``text`` with what turns, hides or separates it written out, as \\u202e. Its line feeds
    stay: a source is shown with its own lines."""
    if text.isascii() and text.isprintable():  # as nearly all is
        return text
    return _UNSAFE.sub(lambda mark: json.dumps(mark.group())[1:-1], text)


def message(shown: Mapping[str, Any]) -> str:
    """``[12] alice: "guess 20"``; a body that is only text is shown as its text, some of the system
    in short."""
    body = short_body(shown)
    only_text = body.keys() == {"text"} and isinstance(body["text"], str)
    said = quoted(body["text"] if only_text else body)
    kind = shown["kind"]
    named = "" if kind in ("user", "bot", "system") or not KIND.fullmatch(kind) else f" ({kind})"
    to = f" -> {', '.join(shown['to'])}" if "to" in shown else ""
    return f"[{shown['id']}] {shown['sender']}{named}{to}: {said}"


def messages(page: Mapping[str, Any], view: Mapping[str, Any]) -> list[str]:
    """The messages of a page, without what the lines of `state` say: whose turn it is, and the
    result of the game that is over. Of several boards of one kind the newest is shown, and of one
    that is said both ways the shorter; for the others stands `LEFT_OUT`."""
    newer = set[tuple[str, str, str]]()  # who said it, in what type of message, under which name
    lines = []
    for shown in reversed(page["messages"]):
        if not _said_below(shown, view):
            lines.append(message(_without(shown, newer)))
    lines.reverse()
    return [*lines, "(more follow)"] if page["more"] else lines


def _without(shown: Mapping[str, Any], newer: set[tuple[str, str, str]]) -> Mapping[str, Any]:
    """A message without the boards of which ``newer`` ones are shown; its own are added. A referee
    may call anything a board, so what is left out is not passed over in silence."""
    body = shown["body"]
    found = boards_in(body)
    if not found:
        return shown
    boards = {name: (shown["sender"], str(body.get("type")), name) for name in found}
    twice = any(is_fen(body[name]) for name in boards)
    kept = {
        name: LEFT_OUT if boards.get(name) in newer or (twice and is_drawing(value)) else value
        for name, value in body.items()
    }
    newer.update(boards.values())
    return {**shown, "body": kept}


def _said_below(shown: Mapping[str, Any], view: Mapping[str, Any]) -> bool:
    body = shown["body"]
    if shown["sender"] != "system" or body.get("type") not in ("turn", "ended"):
        return False
    return bool(body["type"] == "turn" or body == {"type": "ended", **(view["result"] or {})})


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
        if turn["expect"] is not None and turn["yours"]:
            lines.append(f"expect: {quoted(turn['expect'])}")
    if view["result"] is not None:
        lines.append(f"result, in the referee's words: {quoted(view['result'])}")
    if "proposed" in view:
        lines.append(_proposed(view))
    if "opening" in view:
        waiting = ", ".join(view["opening"]["waiting_for"])
        lines.append(with_clock(f"dice: waiting for {waiting} to open", view["opening"], now))
    for bot_id, kept in view.get("kept", {}).items():
        if view["status"] == "ended" or kept["agreed"]:
            lines.append(_kept(view, bot_id, kept))
    return [*lines, log(view)]


def _kept(view: Mapping[str, Any], bot_id: str, kept: Mapping[str, Any]) -> str:
    """What was said to a referee that keeps it closed, and the call of whoever may agree to open
    it, which `next:` never asks for."""
    agreed = f"; {', '.join(kept['agreed'])} would open it" if kept["agreed"] else ""
    parties = ", ".join(kept["parties"])
    line = f"sealed: what bot:{bot_id} and {parties} told each other alone is closed{agreed}"
    waits = [label for label in kept["parties"] if label not in kept["agreed"]]
    own = [slot["label"] for slot in view["slots"] if slot["you"] and slot["label"] in waits]
    if not own:
        return line
    several = sum(slot["you"] for slot in view["slots"]) > 1
    ops = [{"op": "open_sealed", "bot_id": bot_id}]
    agree = call(
        "update_channel", channel_id=view["channel_id"], ops=ops, seat=own[0] if several else None
    )
    return f"{line}. Only if your user wants it open for all: {agree}"


def sealed_words(channel: Channel, to: Sequence[str] | None = None) -> list[str]:
    """What becomes of words that only a referee hears: a line for every one here, or for those
    that ``to`` names."""
    days = channel.limits["reveal_days"]
    heard = [bot for bot in channel.bots if to is None or f"bot:{bot.id}" in to]
    return [
        f"sealed: what is said to bot:{bot.id} alone "
        + (
            "stays closed; it is opened only if all who said something, or were told something by "
            "it alone, agree after the game (update_channel, op open_sealed). What follows from it "
            "cannot be checked before."
            if bot.keeps_sealed
            else "is opened to all members, in get_transcript, when the game ends or the room "
            "closes, after "
            f"{days:g} days at the latest."
        )
        for bot in heard
    ]


def sealed_post(room: Replica, post: int, to: Sequence[str]) -> list[str]:
    """post_message: `sealed_words`, in short for a seat that was told so not long ago."""
    said = room.messages_after(max(0, post - 1 - LOOK_BACK), LOOK_BACK + 1)
    sender = next((one.sender for one in said if one.id == post), None)
    earlier = [one for one in said if one.sender == sender and one.id < post and one.to]
    told = {name for one in earlier for name in one.to or ()}
    if not told.issuperset(name for name in to if name.startswith("bot:")):
        return sealed_words(room.channel, to)
    return [
        f"sealed: bot:{bot.id} alone hears it; it "
        f"{'stays closed' if bot.keeps_sealed else 'is opened at the end'}, as before."
        for bot in room.channel.bots
        if f"bot:{bot.id}" in to
    ]


def unsealed(room: Replica, bot_id: str) -> list[str]:
    """update_channel open_sealed: whether it is open now."""
    bot = room.channel.bot(bot_id.removeprefix("bot:"))
    if bot is None:
        return []
    if not bot.kept.by:
        return [f"What was said to bot:{bot.id} is open to all members: get_transcript shows it."]
    waiting = ", ".join(room.channel.label(slot) for slot in bot.kept.without())
    return [f"What was said to bot:{bot.id} is opened when also {waiting} agree."]


OPENED = "What was sealed in this room is open to all members now: get_transcript shows it."


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
    view: Mapping[str, Any],
    page: Mapping[str, Any],
    seat: str | None = None,
    hint: str = "",
    *,
    wait_ms: int = WAIT_MS,
) -> str:
    """The last line for somebody seated: the one call to make now. ``hint`` comes before the
    move of whoever has the turn, ``wait_ms`` is how long the client may be made to wait."""
    room = view["channel_id"]
    if page["more"]:
        return "next: there is more: " + call(
            "sync_messages", channel_id=room, cursor=page["cursor"], timeout_ms=0, seat=seat
        )
    wait = to_wait(room, page["cursor"], wait_ms, seat)
    if _watches(view, seat) and view["status"] in ("open", "playing"):
        return "next: you watch and do not speak. To see what happens: " + call(
            "sync_messages", channel_id=room, cursor=page["cursor"], seat=seat
        )
    speak = call(
        "post_message",
        channel_id=room,
        body="<your move>",
        to=None if view["turn"] is None else view["turn"].get("to"),
        cursor=page["cursor"],
        wait_ms=wait_ms,
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
                "next: tell your user the result, so far the server's word, and the line log:; "
                "ask the other side whether theirs is equal. To check: "
                f'{call("get_transcript", channel_id=room)}, then help("verify")'
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


def to_wait(room: str, cursor: int, wait_ms: int, seat: str | None = None) -> str:
    """The call that waits until there is something for this seat to do."""
    return call(
        "sync_messages",
        channel_id=room,
        cursor=cursor,
        until="my_turn",
        timeout_ms=wait_ms,
        seat=seat,
    )


def _watches(view: Mapping[str, Any], seat: str | None) -> bool:
    """The reader is a spectator (in the seat that it names, if it has several)."""
    own = [slot for slot in view.get("slots", ()) if slot["you"] and seat in (None, slot["label"])]
    return bool(own) and all(slot["kind"] == "watch" for slot in own)


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


# --- whole answers -------------------------------------------------------------------------

SOURCE_SHOWN = 12_000  #: characters of source in one answer
#: What a source begins with, where it begins with a text.
_DOCSTRING = re.compile(r'"""(?P<text>.*?)"""', re.DOTALL)
Json = Mapping[str, Any]


@dataclass(frozen=True)
class Part:
    """Whole lines of a source, as many as fit; ``following`` is the first one left out."""

    text: str
    following: int | None


def lines_of(source: str) -> list[str]:
    """The lines as Python counts them: its errors name them, so nothing else may end one."""
    return [f"{line}\n" for line in source.split("\n")]


def part(source: str, from_line: int) -> Part:
    lines = lines_of(source)
    taken: list[str] = []
    size = 0
    for number, line in enumerate(lines[from_line - 1 :], start=from_line):
        size += len(line)
        if taken and size > SOURCE_SHOWN:
            return Part("".join(taken), number)
        taken.append(line)
    return Part("".join(taken), None)


def fenced(shown: Part, code_hash: str) -> list[str]:
    """A stranger's source between two lines that it cannot hold: they name its own hash. What
    stands between them, page after page, is the source line for line, its empty lines too."""
    text = plain(shown.text).removesuffix("\n")
    return [f"---{code_hash}\n{text}\n---{code_hash}"]


def hashed(shown: Part, source: str, from_line: int) -> str:
    """What of a source was shown, and what its hash is of."""
    if from_line == 1 and shown.following is None:
        return "The hash is that of the text between the two, less the line feed before the second."
    total = len(lines_of(source.removesuffix("\n")))
    last = min(shown.following - 1 if shown.following else total, total)
    return (
        f"Lines {from_line} to {last} of {total}; the hash is that of all, page after page, less "
        "the line feed before the very last ---."
    )


def preset(bot: NewBot) -> str:
    """list_bots: one referee. A param without a default has to be given where it is required;
    moves written as JSON are for programs, which read them in the manifest."""
    manifest = bot.manifest
    seats = ", ".join(manifest["seats"])
    few, many = (manifest.get(name, len(manifest["seats"])) for name in ("min_seats", "max_seats"))
    params = [
        f"{name}={quoted(about['default'])}" if "default" in about else name
        for name, about in manifest.get("params", {}).get("properties", {}).items()
    ]
    moves = [move for move in manifest["moves"] if isinstance(move, str)]
    return (
        f"{bot.name} {bot.version}: {manifest['summary']} Seats: {seats} "
        f"({few if few == many else f'{few} to {many}'}). Moves: {' | '.join(moves)}. "
        f"Params: {', '.join(params) or 'none'}. {bot.code_hash[:15]}…"
    )


def hashes(bot_id: str, bot: Bot | NewBot, *, library: bool) -> list[str]:
    """What stands above the source of a bot, or above the library that it imports."""
    if library:
        first = [f"what bot:{bot_id} imports as `referee`, {bot.library}"]
    else:
        on = "" if bot.library is None else f", library {bot.library} (library=true shows it)"
        first = [
            f"bot:{bot_id}, code {bot.code_hash}, manifest {bot.manifest_hash}{on}",
            f"params {quoted(dict(bot.params))}",
        ]
    return [*first, "Somebody else's text from here to the line that repeats the hash:"]


def refs(room: Replica) -> dict[str, str | None]:
    return {bot.id: bot.ref for bot in room.channel.bots}


def opened(room: Replica, data: Json) -> list[str]:
    """create_channel: the room, its referees, the links to pass on."""
    view = data["view"]
    you = f" You are {data['player_id']}." if "player_id" in data else ""
    free = ", ".join(waiting_for(view))
    lines = [f"Room {title(view)}.{you} Free: {free or 'none'}."]
    lines += about(room, view, who_could_change(room.channel, "once somebody else has joined"))
    if view["bots"]:
        lines += [_share(data["dice"])] if _rolls(room) else []
        lines.append(f"terms: {data['terms'][:SHOWN_TERMS]}…, as guests are shown them")
    lines += links(data["invite_links"], room)
    if "rejoin_token" in data:
        lines.append(rejoin_token(data["rejoin_token"]))
        lines += _own_dice(room, data["player_id"])
    return lines


def about(room: Replica, view: Json, changeable: str, in_full: Collection[str] = ()) -> list[str]:
    """What whoever sits down here has to know of the referees, host and guest alike: the rules in a
    line, what they reach, what becomes of sealed words, and who could cheat. ``in_full``: the bots
    whose rules follow as a whole."""
    lines = referees(view, refs(room))
    for bot in room.channel.bots:
        if bot.id not in in_full and (summary := bot.manifest.get("summary")):
            lines.append(f"rules of bot:{bot.id}, in its author's words: {quoted(summary)}")
        lines.append(f"  {' · '.join(_reach(bot))}")
    listed = ["listed: anybody may find this room and watch it"] if room.channel.listed else []
    return [
        *lines,
        *sealed_words(room.channel),
        *listed,
        f"Who could cheat: {changeable} {OPERATOR}",
    ]


def _rolls(room: Replica) -> bool:
    return any(bot.reach.get("dice") for bot in room.channel.bots)


UNUSED = "No referee here throws dice: your entropy is kept and not used."


def _own_dice(room: Replica, label: str) -> list[str]:
    """create_channel: how the creator, who sits already, gets a say in the dice."""
    seat = room.channel.seat(label)
    if seat is None or not _rolls(room):
        return [UNUSED] if seat and seat.entropy else []
    if seat.entropy:
        return ["Your part of the dice is in."]
    add = call("join_channel", invite_code="<your rejoin_token>", entropy="<32 characters>")
    return [
        f"Dice: you gave no part of yours. To add it before the others come: {add}",
        _to_commit(room, seat),
    ]


def _to_commit(room: Replica, slot: Slot) -> str:
    """What a commitment is made over, for whoever trusts neither the server nor the others."""
    return (
        "  Server and another player together could still choose them, unless you commit first: "
        f'help("dice"), origin {room.channel.origin}, slot {slot.id}.'
    )


def links(invite_links: Mapping[str, str], room: Replica) -> list[str]:
    """One link for each free seat, with the day on which it expires."""
    lines = []
    for label, link in invite_links.items():
        seat = room.channel.seat(label)
        assert seat is not None
        until = seat.invited + room.channel.limits["invite_days"] * DAY
        day = datetime.fromtimestamp(until / 1000, UTC).date()
        lines += [f"Link for {label}, one use, until {day}:", link]
    return lines


def after_opening(data: Json, page: Json, now: float, wait_ms: int) -> list[str]:
    """create_channel: what to do now."""
    view = data["view"]
    lines = state(view, now)
    free = waiting_for(view)
    if "player_id" not in data:
        sit = call("join_channel", invite_code=data["invite_links"][free[0]])
        return [
            *lines,
            f"next: give each link to its person, in full. To be {free[0]} yourself: {sit}",
        ]
    if not free:
        return [*lines, next_move(view, page, wait_ms=wait_ms)]
    wait = to_wait(data["channel_id"], page["cursor"], wait_ms)
    what = "the link" if len(free) == 1 else "each link"
    return [
        *lines,
        f"next: give your user {what} to pass on, in full. When they say {' and '.join(free)} "
        f"{'is' if len(free) == 1 else 'are'} in: {wait}",
    ]


def inspected(
    room: Replica, slot: Slot, data: Json, sources: Mapping[str, str], code: str | None = None
) -> list[str]:
    """inspect_invite: everything a guest should know before joining. ``code`` is the one
    the caller came with, with what a link adds to it: whoever keeps the call has the invite for the
    verifier."""
    view = data["view"]
    rules = {bot.id: rules_of(bot, sources[bot.id]) for bot in room.channel.bots}
    seated = ", ".join(data["seated"]) or "nobody"
    lines = [
        f"Invitation to {title(view)}: you would "
        f"{'be' if slot.plays else 'watch as'} {slot.label}. Seated: {seated}. "
        "Nothing is joined yet.",
        *about(room, view, data["changeable_by"], [id for id, told in rules.items() if told]),
        *_dice(room, slot, data["dice"]),
    ]
    short = code and code.partition(".")[0]
    for bot in room.channel.bots:
        lines += _text_of(bot, sources[bot.id], rules[bot.id], short)
    wants = slot.plays and _rolls(room)
    join = call(
        "join_channel",
        invite_code=code,
        expect_terms=data["terms"],
        entropy="<32 characters nobody can guess>" if wants else None,
    )
    commit = " (with a commitment or a value as entropy, see Dice)" if wants else ""
    told = f"next: tell your user the rules and who could cheat. If they agree{commit}: {join}"
    return [*lines, told]


def sits_already(lines: Sequence[str], view: Json, slot: Slot) -> list[str]:
    """inspect_invite: the same for whoever has taken the seat."""
    again = call("sync_messages", channel_id=view["channel_id"])
    here = f"You sit in {title(view)} already, as {slot.label}; the room is {view['status']}."
    return [here, *lines[1:-1], f"next: {again}"]


def rules_of(bot: Bot | NewBot, source: str) -> str:
    """The rules at the top of the source of a referee that is shipped, "" of a stranger's."""
    rules = _DOCSTRING.match(source) if bot.ref is not None else None
    return rules["text"] if rules is not None else ""


def _text_of(bot: Bot, source: str, rules: str, code: str | None) -> list[str]:
    """What a guest reads of a referee's text: its ``rules``, or all of it."""
    whole = call("get_bot_code", invite_code=code, bot_id=bot.id)
    library = ""
    if bot.library is not None:
        library = f"the library `referee` that it uses ({bot.library[:15]}…): with library=true"
    if rules:
        return [
            f"Rules of bot:{bot.id}, the top of its source, somebody else's text:",
            *fenced(Part(rules, None), bot.code_hash),
            "; ".join(
                filter(None, [f"Its whole source, {_count(source)} lines: {whole}", library])
            ),
        ]
    shown = part(source, 1)
    told = [
        f"Source of bot:{bot.id}, {_count(source)} lines, somebody else's text:",
        *fenced(shown, bot.code_hash),
    ]
    if shown.following:
        more = call("get_bot_code", invite_code=code, bot_id=bot.id, from_line=shown.following)
        told.append(f"The source goes on: {more}")
    return [*told, f"{whole}: {library}" if library else ""]


def say_in_the_dice(room: Replica, slot: Slot, entropy: str | None) -> list[str]:
    """join_channel: what has become of the caller's part of the dice."""
    if entropy is None or not slot.plays:
        return []
    if not _rolls(room):
        return [UNUSED]
    seat = room.channel.slot(slot.id)
    if seat.commit:
        return ["Your commitment stands; open it with the same call when every seat is taken."]
    if seat.entropy == entropy:
        return ["Your part of the dice is in."]
    return ["The game had begun: your entropy came too late and is not used."]


def _count(source: str) -> int:
    return len(lines_of(source.removesuffix("\n")))


OPERATOR = (
    "The operator of this server can read everything here, also what the referee keeps secret, "
    "could tell a player, and could stall. Other code, other dice, a changed, dropped or moved "
    "word would leave a trace in the record, for whoever keeps the lines log: and compares "
    'them with the other side: help("verify").'
)


def _reach(bot: Bot) -> list[str]:
    """What its author's code can touch, and what of it nobody can check afterwards."""
    asks = "it may ask other servers; their answers are this server's word"
    prints = (
        "the room's creator reads them, once somebody else has joined only when the seed is out"
    )
    return [
        f"network: {asks if bot.reach.get('network') else 'none'}",
        f"dice: {'yes' if bot.reach.get('dice') else 'none'}",
        f"its prints and the text of its errors: {prints}",
    ]


def _dice(room: Replica, slot: Slot, dice: Json) -> list[str]:
    """Who has a say in the dice, and what it takes."""
    if not _rolls(room):
        return []
    days = room.channel.limits["reveal_days"]
    return [
        f"{_share(dice)} With yours (entropy) neither the server alone nor a player alone chooses "
        f"what comes up. The seed comes out when the game ends, after {days} days at the latest.",
        *([_to_commit(room, slot)] if slot.plays else []),
    ]


def _share(dice: Json) -> str:
    shown = ", ".join(commit[:8] + "…" for commit in dice["seed_commitments"].values())
    promised = [f"{label} (a commitment)" for label in dice["promised"]]
    given = ", ".join([*dice["given"], *promised]) or "nobody"
    return f"Dice: the server has committed to its share ({shown}); given theirs: {given}."


def who_could_change(channel: Channel, when: str = "after you join") -> str:
    """Who has power over the referee and the seats from then on."""
    admins = ", ".join(slot.label for slot in channel.seats if slot.admin)
    if not admins:
        nobody = f"nobody can change the referee, or empty your seat, {when}."
        return nobody if channel.bots else "there is no referee here."
    if not channel.bots:
        return f"there is no referee here; {admins} can empty a seat and close the room."
    return (
        f"{admins} can propose another referee; it takes effect only when everybody seated has "
        f"accepted. While a game runs {admins} can empty your seat only if you accept, or all "
        "other players do (of more than one account), and close the room only if everybody "
        "does; before and after a game, alone."
    )


def power_over(room: Replica, slot: Slot) -> list[str]:
    """join_channel: the same for a player in whose room somebody is admin."""
    others = any(seat.admin and seat.id != slot.id for seat in room.channel.seats)
    return [f"Note: {who_could_change(room.channel)}"] if others and slot.plays else []


def slot_line(slot: Json) -> str:
    admin = " (admin)" if slot["admin"] else " (spectator)" if slot["kind"] == "watch" else ""
    you = ", you" if slot["you"] else ""
    return f"{slot['label']}{admin} {slot['state']}{you}"


def rooms_heading(count: int, older: str | None, *, closed: bool, further: bool) -> str:
    """list_channels: how many rooms stand below, and the call for ``older`` ones."""
    some = f"{count} {'closed ' if closed else ''}room{'' if count == 1 else 's'}"
    if older is not None:
        return f"{some}, newest first. Older ones: {older}"
    return f"{some}, the last ones." if further else f"You have {some}."


def way_back(age: float | None) -> str:
    """For a login without a seat: that it is a new one, and how to come by the old seats."""
    old = "" if age is None else f" is {_duration(age)} old and"
    return (
        f"This login{old} holds no seat. Whoever played here before did so under another login: "
        "join_channel(invite_code=<rejoin_token>) takes the seat over, or your user removes this "
        "server's login in their app, signs in again in the browser they used then, and chooses "
        '"Continue as". With an invite: inspect_invite.'
    )


def _duration(seconds: float) -> str:
    """`1 minute`, `3 hours`: as exact as people are."""
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if count := int(seconds // size):
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "less than a minute"


def room_line(room: Replica, seats: Sequence[Slot], item: Json, now: float) -> str:
    """list_channels: one room."""
    as_whom = (
        f"as {', '.join(slot.label for slot in seats)}" if seats else "created by you, no seat"
    )
    turn = room.channel.turn
    if item["your_turn"]:
        doing = "YOUR TURN"
    elif turn is not None:
        doing = f"waiting for {', '.join(turn.players)}"
    elif item["to_open"]:
        doing = "OPEN YOUR COMMITMENT (join_channel again, with the value as entropy)"
    elif room.channel.status == "open":
        free = [
            slot.label
            for slot in room.channel.seats
            if slot.kind == "invite" and slot.state == "free"
        ]
        doing = f"waiting for {', '.join(free)} to join" if free else "open"
    else:
        doing = room.channel.status
    unread = f"{item['unread']} unread" if item["unread"] else "nothing unread"
    line = f"{room.channel_id} {quoted(room.channel.name)} {as_whom}: {doing}, {unread}"
    if item["deadline"] is None:
        return line
    whose = "your" if item["your_turn"] else "their"
    return f"{line}, {whose} clock {left(item['deadline'], now)}"


def after_change(updated: Updated, view: Json, mine: Sequence[Slot], wait_ms: int) -> str:
    """update_channel: what to do now."""
    room, channel = updated.room, updated.room.channel
    if updated.invites:
        return "next: give your user the link to pass on, in full."
    if updated.proposed and channel.proposal is not None:
        accept = call(
            "update_channel",
            channel_id=room.channel_id,
            ops=[{"op": "accept_change", "terms": channel.proposal.terms}],
        )
        return f"next: the others must agree; each of them calls {accept}"
    if len(mine) == 1 and view["status"] == "playing":
        page = {"cursor": room.marks.get(mine[0].id, 0), "more": False}
        return next_move(view, page, wait_ms=wait_ms)
    return "next: tell your user."


def _waits(item: Json) -> bool:
    return bool(item["your_turn"] or item["to_open"] or item["unread"])


def after_list(items: Sequence[Json], older: str | None) -> str:
    """list_channels: the room that waits for the caller most; where none does, ``older`` ones."""
    seated = [item for item in items if item["seats"]]
    if older is not None and not any(map(_waits, seated)):
        return f"next: {older}"
    if not items:
        return 'next: create_channel(bot_preset="GuessBot", join_as="alice") opens a room.'
    if not seated:
        return "next: " + call("get_channel_info", channel_id=items[0]["channel_id"])
    urgent = ("your_turn", "to_open", "unread")
    first = min(seated, key=lambda item: [not item[what] for what in urgent])
    if not _waits(first):
        return "next: nothing waits for you; tell your user."
    read = call(
        "sync_messages",
        channel_id=first["channel_id"],
        cursor=first["cursor"],
        timeout_ms=0,
        seat=first["seats"][0] if len(first["seats"]) > 1 else None,
    )
    return f"next: {read} shows what you missed and whose move it is"


def nothing(page: Json, waited: float, empty: int) -> list[str]:
    """sync_messages: what an empty page means; no line when it is not empty."""
    if page["messages"]:
        return []
    again = " Second empty wait." if empty == 2 else f" Empty wait {empty}." if empty > 2 else ""
    return [f"Nothing after [{page['cursor']}]; waited {waited:.0f} s.{again}"]


TALK = "the referee said nothing to that, so it was talk. A move is a body from expect: "
AGAIN = " If another game was asked for: sync_messages waits for the others."


def after_post(
    view: Json,
    page: Json,
    seat: str | None,
    posted: Json,
    to: Sequence[str] | None,
    wait_ms: int,
) -> str:
    """post_message: what to do now. Who has the turn and met silence may have meant a move that
    the referee does not know."""
    since = [one for one in page["messages"] if one["id"] > posted["msg_id"]]
    could_hear = to is None or any(name.startswith("bot:") for name in to)
    silent = not any(one["sender"].startswith(("bot:", "system")) for one in since)
    unheard = view["bots"] and could_hear and silent and "pending" not in posted
    following = next_move(view, page, seat, TALK if unheard else "", wait_ms=wait_ms)
    return following + again(view, since, page)


def again(view: Json, heard: Sequence[Json], page: Json) -> str:
    """For whoever spoke or heard somebody after the end: that may have asked for another game, and
    until it begins there is no turn to wait for."""
    ended = any(one["body"].get("type") == "ended" for one in heard if one["sender"] == "system")
    return "" if view["status"] != "ended" or ended or page["more"] else AGAIN


def stop_waiting(view: Json, page: Json, seat: str | None, now: float) -> str:
    turn = view["turn"]
    whose = "nothing has happened"
    if turn:
        whose = with_clock(f"it is {', '.join(turn['players'])}'s move", turn, now)
    elif view["status"] == "open" and (free := waiting_for(view)):
        whose = f"{', '.join(free)} has yet to join"
    later = call("sync_messages", channel_id=view["channel_id"], cursor=page["cursor"], seat=seat)
    return f"next: stop waiting. Tell your user {whose}; when they come back: {later}"
