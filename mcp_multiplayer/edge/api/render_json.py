"""The facts of an answer as JSON; `render_text` says them in sentences."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

from mcp_multiplayer.channel import proposals
from mcp_multiplayer.channel import view as views
from mcp_multiplayer.channel.model import Slot
from mcp_multiplayer.channel.view import Message
from mcp_multiplayer.service.channels import Seat
from mcp_multiplayer.service.hook_io import message_json, rfc3339
from mcp_multiplayer.service.messages import Page
from mcp_multiplayer.service.replica import Replica


def head(room: Replica) -> dict[str, Any]:
    """Size and root of the log as a C2SP tlog-checkpoint writes them, with its signature: these
    and the origin are the whole note (docs/format.md)."""
    last = room.last_head()
    shown = {"size": last.size, "root": base64.b64encode(last.root).decode()}
    if last.note is not None:
        shown["signature"] = last.note.rsplit(" ", 1)[1].strip()
    return shown


def key(room: Replica) -> dict[str, Any]:
    """The name and the key under which the room's heads are signed."""
    return {"origin": room.channel.origin, "vkey": room.channel.key} if room.channel.key else {}


def view(room: Replica, mine: Iterable[Slot]) -> dict[str, Any]:
    labels = frozenset(slot.label for slot in mine)
    made = views.view(room.channel, room.channel_id, mine=labels, head=head(room))
    if made["turn"] is not None:
        made["turn"]["deadline"] = deadline(room)
    if room.channel.proposal is not None:
        waiting = [slot.label for slot in proposals.waiting(room.channel)]
        made["proposed"] = {"terms": room.channel.proposal.terms, "waiting_for": waiting}
    if "opening" in made:
        made["opening"]["until"] = rfc3339(made["opening"]["until"])
    return made


def dice(room: Replica) -> dict[str, Any]:
    """Who has a say in the dice: the seeds' commitments, and the seats that gave theirs."""
    seats = room.channel.seats
    return {
        "origin": room.channel.origin,
        "seed_commitments": {bot.id: bot.commit for bot in room.channel.bots},
        "given": [slot.label for slot in seats if slot.entropy],
        "promised": [slot.label for slot in seats if slot.commit],
    }


def to_open(room: Replica) -> list[str]:
    """Labels of the seats whose part of the dice keeps the game from beginning."""
    if room.channel.sealed is None:
        return []
    waiting: list[str] = views.opening(room.channel)["waiting_for"]
    return waiting


def deadline(room: Replica) -> str | None:
    """When the turn is over, if it has a clock."""
    turn = room.channel.turn
    return None if turn is None or turn.deadline is None else rfc3339(turn.deadline)


def seat_view(seat: Seat) -> dict[str, Any]:
    return view(seat.room, [seat.slot])


def bots(room: Replica) -> list[dict[str, Any]]:
    return [views.bot_item(bot) for bot in room.channel.bots]


def page(room: Replica, missed: Page) -> dict[str, Any]:
    return {
        "messages": [message_json(room.channel_id, message) for message in missed.messages],
        "cursor": missed.cursor,
        "more": missed.more,
        **openings(missed.messages),
    }


def openings(shown: Iterable[Message]) -> dict[str, Any]:
    """The salts of private messages that the reader sees opened, by message and value ("" for a
    whole body): with them it can compute the digest that everybody else has."""
    kept = {
        str(message.id): {name: salt for name, (salt, _) in message.opening.items()}
        for message in shown
        if message.opening is not None
    }
    return {"openings": kept} if kept else {}


def changes_view(missed: Page) -> bool:
    """True when something on the page may have changed what `view` says."""
    return any(message.sender == "system" for message in missed.messages)


def link(base_url: str, code: str) -> str:
    """The code stands in the fragment, so it reaches no log."""
    return f"{base_url}/join#{code}"


def own_opening(room: Replica, message: int, page: dict[str, Any]) -> dict[str, Any]:
    """The page's openings with that of the caller's own private post, which is not on it."""
    opening = room.opening_of(message) or {}
    salts = {name: salt for name, (salt, _) in opening.items()}
    return {"openings": {**page.get("openings", {}), str(message): salts}}
