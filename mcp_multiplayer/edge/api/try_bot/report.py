"""What a trial showed, for its author: as JSON and in sentences."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from mcp_multiplayer.edge.api import render_boards, render_text
from mcp_multiplayer.edge.api.try_bot.runner import Ran, Step, Tried
from mcp_multiplayer.service import boards
from mcp_multiplayer.transcript.names import HOOKS

MOST = 48 << 10  #: bytes of posts and prints in one answer, and of the state
LINE = 1_000  #: characters of one value in the text
Json = dict[str, Any]

#: What the room's rules refuse has no text of its own.
_RULES = {
    "TooManyTimers": "at most 32 clocks at a time: cancel_timer those that are not needed",
    "NotTheFirstBot": "only the first referee of a room sets the turn and ends the game",
}


def data(tried: Tried) -> Json:
    """The facts. ``event`` is the place in the events, 1 for the first; 0 is the attaching."""
    new = tried.bot.new
    posts, prints, cut = _cut(tried.steps)
    state, small = dict(tried.state), _size(dict(tried.state)) <= MOST
    told: Json = {
        "bot": {"bot_id": new.label, "name": new.name, "code_hash": new.code_hash},
        "seats": list(tried.seats),
        "hooks": [
            {"event": n, "hook": ran.hook, "about": ran.about, "ok": not ran.error}
            for n, ran in _hooks(tried)
        ],
        "posts": posts,
        "prints": prints,
        "errors": [{"event": n} | _error(ran) for n, ran in _hooks(tried) if ran.error],
        "refused": [{"event": n, "why": s.refused} for n, s in _numbered(tried) if s.refused],
        "state": state if small else {},
        "turn": tried.turn,
        "timers": list(tried.clocks),
        "result": None if tried.result is None else dict(tried.result),
        "draws": sum(ran.draws for ran in tried.ran),
        "network": [asked for ran in tried.ran for asked in ran.network],
    }
    if told_sealed := sealed(tried):
        told["sealed"] = told_sealed[0]
    if warnings := [f"event {n}: {why}" for n, step in _numbered(tried) for why in _warned(step)]:
        told["warnings"] = warnings
    if drawn := _boards(tried):
        told["boards"] = render_boards.items(new.label, drawn)
    if cut or not small:
        told["left_out"] = {"words": cut, "state_bytes": 0 if small else _size(state)}
    if tried.left:
        told["events_left"] = tried.left
    return told


def _boards(tried: Tried) -> list[boards.Panel]:
    """The panels that its manifest asks for as they are in the end, all hands open: their
    ``message`` is the number of an event."""
    said = [
        boards.Said(number, post["body"] | post.get("private", {}))
        for number, step in _numbered(tried)
        for post in step.posts
    ]
    return boards.drawn(tried.bot.new.manifest, tried.bot.new.params, reversed(said))


def _numbered(tried: Tried) -> Iterator[tuple[int, Step]]:
    return iter(enumerate(tried.steps))


def _hooks(tried: Tried) -> Iterator[tuple[int, Ran]]:
    return ((n, ran) for n, step in enumerate(tried.steps) for ran in step.ran)


def _error(ran: Ran) -> Json:
    return {"hook": ran.hook, "error": ran.error, "line": ran.line, "text": _explained(ran)}


def _explained(ran: Ran) -> str:
    return ran.text or _RULES.get(ran.error, "")


def _cut(steps: Sequence[Step]) -> tuple[list[Json], list[str], int]:
    """Posts and prints as far as they fit into one answer, and how many do not."""
    posts, prints = list[Json](), list[str]()
    used = cut = 0
    for number, step in enumerate(steps):
        said: list[Json | str] = [{"event": number} | post for post in step.posts]
        for one in [*said, *(ran.prints for ran in step.ran if ran.prints)]:
            used += _size(one)
            if used > MOST:
                cut += 1
            elif isinstance(one, str):
                prints.append(one)
            else:
                posts.append(one)
    return posts, prints, cut


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


# --- in words ------------------------------------------------------------------------------


def lines(tried: Tried, *, preset: str | None) -> list[str]:
    """The same for a model: what happened, event by event, and what to do about it."""
    new = tried.bot.new
    told = [
        f"Tried {render_text.quoted(new.name)} with seats {', '.join(tried.seats)}: every hook "
        "twice, in the sandbox of real rooms. No room was opened, nothing is kept.",
        *(line for number, step in _numbered(tried) for line in step_lines(number, step)),
    ]
    told += sealed(tried)
    if tried.left:
        told.append(f"Time was up: {tried.left} of the events did not happen.")
    return [*told, *after(tried), f"next: {_advice(tried, preset)}"]


def after(tried: Tried) -> list[str]:
    """What is there when all has happened."""
    network = sum(len(ran.network) for ran in tried.ran)
    clocks = [f"{clock['name']} in {clock['seconds']:g} s" for clock in tried.clocks]
    used = [
        f"dice: {sum(ran.draws for ran in tried.ran)} blocks drawn",
        f"network: {f'asked {network} times' if network else 'none used'}",
        f"clocks: {', '.join(clocks) or 'none'}",
    ]
    told = [
        *render_boards.lines(tried.bot.new.label, _boards(tried), "event "),
        f"state after: {_short(dict(tried.state))}",
        " · ".join(used),
    ]
    if not tried.bot.new.hooks:
        told.insert(0, f"Nothing of it is ever run: no class in it has one of {', '.join(HOOKS)}.")
    return told


def step_lines(number: int, step: Step) -> list[str]:
    """One event: which hooks heard it and how, then what they said."""
    happened = [f"{ran.hook} {_how(ran)}" for ran in step.ran]
    told = [f"{number} {_event(step)}: {' · '.join(happened) or 'no hook of it ran'}"]
    for ran in step.ran:
        told += _fault(ran) if ran.error else []
        told += [f"  print: {_short(ran.prints)}"] if ran.prints else []
        told += [f"  asked of the network: {_short(asked)}" for asked in ran.network]
    for post in step.posts:
        told += _said(post)
    if step.turn is not None:
        whose = ", ".join(step.turn["players"]) or "nobody's"
        left = "" if step.turn.get("seconds") is None else f", {step.turn['seconds']:g} s left"
        told.append(f"  turn: {whose}{left}")
        if step.turn.get("expect") is not None:
            told.append(f"  expect: {_short(step.turn['expect'])}")
        if "to" in step.turn:
            told.append(f"  sealed to: {', '.join(step.turn['to'])}")
        told += [f"  warning: {why}" for why in _warned(step)]
    if step.result is not None:
        told.append(f"  result, in the referee's words: {_short(dict(step.result))}")
    if step.refused:
        told.append(f"  not taken: {render_text.plain(step.refused)}")
    return told


#: A text that asks for a sealed move.
_SEALED = re.compile(r"\bseal|\bin private\b|\bto=\[", re.IGNORECASE)


def _warned(step: Step) -> list[str]:
    """What would go wrong in a room though no hook failed."""
    turn = step.turn or {}
    asks = _SEALED.search(json.dumps(turn.get("expect"), ensure_ascii=False))
    if "to" in turn or not asks:
        return []
    return [
        "expect asks for a sealed move, but players would be told to make it in public: "
        'set_turn(…, to=["bot:" + self.ctx.bot_id])'
    ]


def sealed(tried: Tried) -> list[str]:
    """What becomes of sealed words, if any were said."""
    if not any("to" in step.event.asked for step in tried.steps):
        return []
    return render_text.sealed_words(tried.channel)


def _event(step: Step) -> str:
    event = step.event
    match event.kind:
        case "":
            return "attached"
        case "wait":
            return f"wait {event.asked['wait']:g} s"
        case "say":
            to = ", ".join(event.asked.get("to") or ())
            return f"say as {event.who}{' -> ' + render_text.quoted(to) if to else ''}"
        case kind:
            return f"{kind} {event.who}"


def _how(ran: Ran) -> str:
    if not ran.error:
        return "ok"
    return ran.error if ran.line is None else f"{ran.error} on line {ran.line}"


def _fault(ran: Ran) -> list[str]:
    """The error's text, the line it is about, the hint: each quoted on a line of its own."""
    told = []
    for line in _explained(ran).split("\n"):
        name, colon, rest = line.strip().partition(": ")
        if colon and (name == "hint" or name == f"line {ran.line}"):
            told.append(f"  {name}: {_short(rest)}")
        elif line.strip():
            told.append(f"  error: {_short(line.strip())}")
    return told


def _said(post: Json) -> list[str]:
    kind = "" if post["kind"] == "bot" else f" ({post['kind']})"
    to = ", ".join(post.get("to", ()))
    if "private" in post:
        shown = f"  {post['sender']}, for {to} alone: {_short(post['private'])}"
        return [f"  {post['sender']}{kind}: {_short(post['body'])}", shown]
    return [f"  {post['sender']}{kind}{f' -> {to}' if to else ''}: {_short(post['body'])}"]


def _short(value: Any) -> str:
    text = render_text.quoted(value)
    return text if len(text) <= LINE else f"{text[:LINE]}… ({len(text)} characters)"


def _advice(tried: Tried, preset: str | None) -> str:
    failed = [(n, ran) for n, ran in _hooks(tried) if ran.error]
    if failed:
        number, ran = failed[0]
        where = f"line {ran.line}" if ran.line else ran.hook
        return f"correct {where} (event {number}, {ran.hook}), then try_bot again, same events."
    if any(step.refused for step in tried.steps):
        return "correct the events that were not taken, then try_bot again."
    if tried.left:
        return "try_bot again with fewer events or less work in each."
    if tried.bot.new.hooks and not tried.ran:
        return 'try_bot with events that its hooks hear, such as [{"join": "alice"}].'
    seat = tried.seats[0]
    if preset is not None:
        return render_text.call("create_channel", bot_preset=preset, join_as=seat)
    return (
        f'create_channel(bot_code=<this source>, join_as="{seat}") opens a room with it; if it is '
        "of an invitation, tell your user what it did and go on with join_channel."
    )
