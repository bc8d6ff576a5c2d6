"""What pages show before anybody has signed in: an invite to whoever holds its code, a room to
whoever may watch it, the rooms that are listed. Uses nothing up, and says nothing that is private.

The words are for people; agents read the same facts in `render_text`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp_multiplayer.channel import decide, terms
from mcp_multiplayer.channel.model import DAY, Bot, Channel, Slot
from mcp_multiplayer.edge.api import render_boards, render_json, render_text
from mcp_multiplayer.errors import InviteInvalid, NotMember, SlotAlreadyFilled
from mcp_multiplayer.service import boards, watching
from mcp_multiplayer.service.channel_manager import ChannelManager
from mcp_multiplayer.service.hook_io import rfc3339
from mcp_multiplayer.service.messages import newest_page
from mcp_multiplayer.service.replica import Replica
from mcp_multiplayer.service.watching import Watching

Json = dict[str, Any]
LISTED = 50  #: rooms named at a time
SAID = 40  #: messages that a page without JavaScript shows
_OPERATOR = (
    "Whoever runs this server can read everything here, also what the referee keeps secret, and"
    " could stall the game. Another referee, other dice or a changed word would show in the record"
    " of the game, which both sides can check afterwards."
)


def invite_card(channels: ChannelManager, code: str) -> Json:
    """Return what joining by ``code`` would mean, or raise why the code opens nothing."""
    room, slot = channels.invited(code)
    if slot.state == "taken":
        raise SlotAlreadyFilled("this invite has been used")
    if slot.state != "free":
        raise InviteInvalid("the seat of this invite was given up or closed")
    until = slot.invited + room.channel.limits["invite_days"] * DAY
    if until < channels.now_ms():
        raise InviteInvalid("this invite has expired")
    return {
        "channel_id": room.channel_id,
        "room": room.channel.name,
        "seat": slot.label,
        "watches": not slot.plays,
        "seated": list(room.channel.players),
        "status": room.channel.status,
        "listed": room.channel.listed,
        "terms": terms.digest(terms.document(room.channel)),
        "bots": [_referee(room, bot) for bot in room.channel.bots],
        "could_cheat": could_cheat(room.channel, slot),
        "expires": rfc3339(until),
    }


def could_cheat(channel: Channel, slot: Slot | None = None) -> list[str]:
    """Who has power over the game, and what is checked: sentences for a person who is about to take
    ``slot``."""
    told = [_sentence(render_text.who_could_change(channel, "once you have sat down"))]
    for bot in channel.bots:
        told += _of_referee(bot, channel.limits)
    if channel.listed:
        told.append("Anybody may find this room and watch it.")
    return [*told, _OPERATOR]


def _of_referee(bot: Bot, limits: Mapping[str, Any]) -> list[str]:
    days = f"{limits['reveal_days']:g}"
    sealed = (
        "What you say to the referee alone stays closed unless all who said something to it agree."
        if bot.keeps_sealed
        else "What you say to the referee alone is opened to all players when the game ends, after"
        f" {days} days at the latest."
    )
    dice = (
        "The dice come from this server and from every player: your browser draws your part, so"
        " nobody alone chooses what comes up."
    )
    network = "The referee may ask other servers; what they answered is this server's word."
    return [
        sealed,
        *([dice] if bot.reach.get("dice") else []),
        *([network] if bot.reach.get("network") else []),
    ]


def _referee(room: Replica, bot: Bot) -> Json:
    """A referee in short. ``rules``: those at the top of the source of one that ships with this
    server, or its author's summary, which nobody has checked."""
    source = room.source(bot.code_hash)
    rules = render_text.rules_of(bot, source)
    return {
        "bot_id": bot.id,
        "name": bot.name,
        "version": bot.version,
        "code_hash": bot.code_hash,
        "ships": bot.ref is not None,
        "rules": rules or str(bot.manifest.get("summary", "")),
        "lines": source.count("\n") + 1,
        "source": source[: render_text.SOURCE_SHOWN],
    }


def watch_card(channels: ChannelManager, judge: Watching, channel_id: str, code: str) -> Json:
    """Return a room as anybody may see it who may watch it: what `events` streams, once, with the
    boards in letters; or raise the refusal of somebody who is not a member."""
    room = channels.room(channel_id)
    if not judge.may_watch(room, code):
        raise NotMember(decide.STRANGER)
    read = newest_page(room, frozenset(), SAID)
    drawn = [
        line
        for bot_id, panels in boards.of_room(room, frozenset())
        for line in render_boards.lines(bot_id, panels)
    ]
    said = render_json.page(room, read)["messages"]
    return {
        "view": (shown := render_json.view(room, [])),
        "log": render_text.log(shown),
        "listed": judge.listed and room.channel.listed,
        "boards": drawn,
        "said": [render_text.message(one) for one in said],
        "terms": terms.digest(terms.document(room.channel)),
        "could_cheat": could_cheat(room.channel),
    }


def listed_rooms(channels: ChannelManager, judge: Watching) -> Json:
    """Return {"rooms": […]}: those that anybody may watch, the liveliest first."""
    found = watching.listed(channels.store, LISTED) if judge.listed else []
    return {"rooms": [_listed(channels.room(channel_id)) for channel_id in found]}


def _listed(room: Replica) -> Json:
    channel = room.channel
    return {
        "channel_id": room.channel_id,
        "name": channel.name,
        "status": channel.status,
        "players": list(channel.players),
        "referees": [bot.name for bot in channel.bots],
    }


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
