"""Accounts with tokens, and rooms in which they sit: what a scenario starts from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from benchmarks.eras import Era, Session
from benchmarks.wire import Connection, request


@dataclass(frozen=True)
class Room:
    """``cursors`` are by the member's place among the accounts."""

    channel_id: str
    labels: tuple[str, ...]


async def tokens(port: int, count: int) -> list[str]:
    """Make ``count`` accounts through client credentials and return their access tokens."""
    connection = await Connection.open(port)

    async def ask(path: str, kind: str, body: bytes) -> dict[str, Any]:
        headers = {"Content-Type": kind}
        reply = await connection.exchange(request("POST", path, port, headers, body))
        if reply.status not in (200, 201):
            raise RuntimeError(f"{path}: {reply.status} {reply.body[:300]!r}")
        found: dict[str, Any] = json.loads(reply.body)
        return found

    made = []
    for number in range(count):
        wish = {
            "client_name": f"benchmark {number}",
            "grant_types": ["client_credentials"],
            "redirect_uris": [],
            "token_endpoint_auth_method": "client_secret_post",
        }
        client = await ask("/register", "application/json", json.dumps(wish).encode())
        grant = {
            "grant_type": "client_credentials",
            "client_id": client["client_id"],
            "client_secret": client["client_secret"],
        }
        kind = "application/x-www-form-urlencoded"
        answer = await ask("/token", kind, urlencode(grant).encode())
        made.append(answer["access_token"])
    connection.close()
    return made


async def sessions(port: int, era: Era, accounts: Sequence[str]) -> list[Session]:
    """One session and connection for each account."""
    return [await Session.open(port, era, token) for token in accounts]


async def seated(members: Sequence[Session], **bot: str) -> Room:
    """Open a room and seat each member, all in one channel; the first one creates it. ``bot``:
    bot_code or bot_preset, if there is one."""
    labels = tuple(f"p{number}" for number in range(len(members)))
    slots = [f"invite:{label}" for label in labels]
    wish: dict[str, Any] = {"slots": slots, "join_as": labels[0]}
    if bot:
        wish = {**wish, "slots": ["bot:referee", *slots], **bot}
    made = await members[0].data("create_channel", wish)
    for member, label in zip(members[1:], labels[1:], strict=True):
        await member.data("join_channel", {"invite_code": made["invite_links"][label]})
    return Room(made["channel_id"], labels)
