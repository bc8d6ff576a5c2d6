"""Who may watch a room without a seat in it, and which rooms anybody may find.

A room is listed if its creator said so when it was opened; that stands in the terms which everybody
who joins accepts. Any other room is watched by a link: its code is made from the room's id with a
key of this server, so nothing is stored, and whoever has a seat can hand it on. It shows what a
spectator reads, nothing that is said in private, and it ends with the room.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from mcp_multiplayer.service.replica import LIVE, Replica
from mcp_multiplayer.storage.base import Row, Store, Table

WATCH = "wat_"


class Watching:
    """Judges who may watch. ``listed``: whether this server lists rooms."""

    def __init__(self, key: bytes, *, listed: bool = True) -> None:
        self._key = hashlib.sha256(b"mpx-watch:" + key).digest()
        self.listed = listed

    def code(self, channel_id: str) -> str:
        """The code in a link by which this room is watched."""
        mac = hmac.new(self._key, channel_id.encode(), hashlib.sha256).digest()[:18]
        return WATCH + base64.urlsafe_b64encode(mac).decode()

    def may_watch(self, room: Replica, code: str) -> bool:
        """Whether somebody with ``code``, "" for none, may read what is public in the room."""
        if self.listed and room.channel.listed:
            return True
        right = self.code(room.channel_id)
        return hmac.compare_digest(right.encode(), code.encode("utf-8", "replace"))


def listed_row(channel_id: str) -> Row:
    """By which a room that has just been opened is found; `Replica` moves it when it closes."""
    return Row(Table.LISTED, channel_id, LIVE, b"")


def listed(store: Store, limit: int) -> list[str]:
    """Ids of the rooms that anybody may watch and that are not closed, the newest word first."""
    ids = [channel_id for channel_id, _ in store.find(Table.LISTED, LIVE)]
    found = [(last.ts, one) for one in ids if (last := store.head(one)) is not None]
    return [channel_id for _, channel_id in sorted(found, reverse=True)[:limit]]
