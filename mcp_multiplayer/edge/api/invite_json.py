"""What the join page may say of an invite to whoever holds its code: which room, which
seat, which referee, until when. Uses nothing up."""

from __future__ import annotations

from typing import Any

from mcp_multiplayer.channel.model import DAY
from mcp_multiplayer.errors import InviteInvalid, SlotAlreadyFilled
from mcp_multiplayer.service.channel_manager import ChannelManager
from mcp_multiplayer.service.hook_io import rfc3339


def invite_card(channels: ChannelManager, code: str) -> dict[str, Any]:
    """Return {room, seat, bots, expires}, or raise why the code opens nothing."""
    room, slot = channels.invited(code)
    if slot.state == "taken":
        raise SlotAlreadyFilled("this invite has been used")
    if slot.state != "free":
        raise InviteInvalid("the seat of this invite was given up or closed")
    until = slot.invited + room.channel.limits["invite_days"] * DAY
    if until < channels.now_ms():
        raise InviteInvalid("this invite has expired")
    bots = [
        {"bot_id": bot.id, "name": bot.name, "version": bot.version, "code_hash": bot.code_hash}
        for bot in room.channel.bots
    ]
    return {
        "room": room.channel.name,
        "seat": slot.label,
        "bots": bots,
        "expires": rfc3339(until),
    }
