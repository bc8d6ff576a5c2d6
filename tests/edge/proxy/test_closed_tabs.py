"""Pages that are closed leave nothing behind: no line of an error, no place taken."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mcp_multiplayer.demo.pair import Pair
from tests.players import rest

pytestmark = pytest.mark.servers
AT_ONCE = 100


@pytest.mark.parametrize("tabs", [100, pytest.param(1000, marks=pytest.mark.long)])
async def test_closed_tabs_leave_no_line_of_an_error(tmp_path: Path, tabs: int) -> None:
    pair = Pair(tmp_path, MAX_WATCHERS="100", MAX_WATCHERS_PER_ADDRESS="100")
    try:
        await asyncio.to_thread(pair.start)
        async with rest(pair.base, "alice") as alice:
            room = await alice.call("create_channel", join_as="alice", listed=True)
            for _ in range(tabs // AT_ONCE):
                await asyncio.gather(*(_tab(pair, room["channel_id"]) for _ in range(AT_ONCE)))
            await alice.call("post_message", channel_id=room["channel_id"], body="anybody?")
        await asyncio.to_thread(pair.terminate, *list(pair._running))
    finally:
        await asyncio.to_thread(pair.stop)
    assert not [line for line in pair.output.splitlines() if "ERROR" in line or "Traceback" in line]


async def _tab(pair: Pair, channel_id: str) -> None:
    """A page that is open and closed; where all places are taken it comes again."""
    port = int(pair.base.rpartition(":")[2])
    for _ in range(1000):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        asked = f"GET /events?channel_id={channel_id} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"
        writer.write(asked.encode())
        status = (await reader.readline()).split()[1]
        if status == b"200":
            await reader.readuntil(b"event: room\n")
        writer.close()
        if status == b"200":
            return
    raise AssertionError("no place was free")
