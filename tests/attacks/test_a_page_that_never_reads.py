"""Somebody asks for all of a long room and reads nothing of it. Stopped by edge/api/events.py."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from mcp_multiplayer.edge.api.events import Events
from mcp_multiplayer.edge.uvicorn_protocol import Http1Protocol
from tests.edge.api.house import open_house
from tests.edge.harness import serving

POSTS = 250  #: of 15 KB, two on a page: more than a kernel keeps for a connection


async def test_no_more_is_made_than_goes_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = 0
    make = Events._make

    def counted(*arguments: Any) -> Any:
        nonlocal made
        made += 1
        return make(*arguments)

    monkeypatch.setattr(Events, "_make", counted)
    async with open_house(tmp_path) as house, serving(house.face, http=Http1Protocol) as port:
        host = house.account()
        room = await house.room(host, join_as="alice", listed=True)
        for number in range(POSTS):
            said = {"body": "x" * 15_000, "idempotency_key": str(number), "cursor": 0, "limit": 1}
            await house.rest(host, "post_message", channel_id=room["channel_id"], **said)
        with socket.socket() as idle:
            idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            idle.connect(("127.0.0.1", port))
            path = f"/watch_events?channel_id={room['channel_id']}&cursor=0"
            idle.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            before = -1
            while made > before or not made:
                before = made
                await asyncio.sleep(0.5)
    assert made < POSTS // 2 - 10
