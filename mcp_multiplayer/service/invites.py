"""How codes and tokens are kept: their hashes, with what each opens.

The rejoin key is trusted by every seat; whoever has it and the database can take any
seat over. Losing it voids all rejoin tokens and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcp_multiplayer.channel import invite_codes
from mcp_multiplayer.channel.model import Slot
from mcp_multiplayer.errors import InviteInvalid, RejoinTokenInvalid
from mcp_multiplayer.storage.base import Row, Store, Table


@dataclass(frozen=True)
class Found:
    """A live code: its digest, its channel, and ``opens`` = {kind, slot, generation?}."""

    digest: str
    channel_id: str
    opens: Mapping[str, Any]

    @property
    def is_invite(self) -> bool:
        return bool(self.opens["kind"] == "invite")


def find(store: Store, text: str) -> Found:
    """Find the code or token in ``text`` (alone or in a whole link), or say what it is not."""
    code = invite_codes.code_in(text)
    digest = invite_codes.digest(code) if code else ""
    rows = store.find(Table.TOKEN, digest) if code else []
    if rows:
        channel_id, value = rows[0]
        return Found(digest, channel_id, json.loads(value))
    if text.strip().startswith("rejoin_"):
        raise RejoinTokenInvalid("this rejoin token is unknown or was voided")
    raise InviteInvalid("this invite is unknown or was replaced")


def invite_row(channel_id: str, code: str, slot: str) -> Row:
    value = json.dumps({"kind": "invite", "slot": slot}).encode()
    return Row(Table.TOKEN, channel_id, invite_codes.digest(code), value)


def rejoin_row(key: bytes, channel_id: str, slot: str, generation: int) -> Row:
    token = invite_codes.rejoin_token(key, channel_id, slot, generation)
    value = json.dumps({"kind": "rejoin", "slot": slot, "generation": generation}).encode()
    return Row(Table.TOKEN, channel_id, invite_codes.digest(token), value)


def void_rows(key: bytes, channel_id: str, slot: Slot) -> list[Row]:
    """Forget the invite and the rejoin token of a seat's present occupancy."""
    token = invite_codes.rejoin_token(key, channel_id, slot.id, slot.generation)
    gone = [invite_codes.digest(token)] + ([slot.invite] if slot.invite else [])
    return [Row(Table.TOKEN, channel_id, digest, None) for digest in gone]
