"""A thousand pages watch a room that is quiet; what it costs, and whoever plays meanwhile. And how
long a move takes to be seen on another page.

Each page is a stream of `/events` without an account, on a connection of its own. A player posts in
another room, before and during. Then words in a room with one page: from the start of the post
until its event has come.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial

from benchmarks import rooms
from benchmarks.eras import Session
from benchmarks.load import drive, percentile
from benchmarks.stage import Json, Stage

WATCHERS = 1000
ROUNDS = 300
SETTLE = 1.0


async def watch(stage: Stage) -> list[Json]:
    members = await rooms.sessions(stage.pair.port, "modern", stage.accounts[:2])
    quiet, other, seen = [
        (await members[0].data("create_channel", {"join_as": "p0", "listed": True}))["channel_id"]
        for _ in range(3)
    ]
    post = partial(_post, members[0], other)
    pair, seconds = stage.pair, stage.seconds
    await drive([post], seconds / 2, pair.cpu)
    before = await drive([post], seconds, pair.cpu)
    rss = pair.server.rss(), pair.proxy.rss()
    pages = [await _page(pair.port, quiet, number) for number in range(WATCHERS)]
    await asyncio.sleep(SETTLE)
    grown = pair.server.rss() - rss[0] + pair.proxy.rss() - rss[1]
    during = await drive([post], seconds, pair.cpu)
    for _, writer in pages:
        writer.close()
    alone, delays = await _delays(pair.port, members[0], seen)
    for session in members:
        session.close()
    return [
        {
            "watchers": len(pages),
            "rss_growth_mb": grown / 1e6,
            "ratio": during.p50 / before.p50,
            "post_p50": alone,
            "seen_p50": delays,
            "seen_ratio": delays / (1.5 * alone + 10),
        }
    ]


async def _post(session: Session, channel_id: str, number: int) -> None:
    await session.call("post_message", {"channel_id": channel_id, "body": "hello"})


async def _page(
    port: int, channel_id: str, number: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A page that has read the room as it is, of somebody at an address of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    address = f"10.1.{number // 250}.{number % 250}"
    asked = (
        f"GET /events?channel_id={channel_id} HTTP/1.1",
        f"Host: localhost:{port}",
        f"X-Forwarded-For: {address}",
    )
    writer.write("\r\n".join([*asked, "", ""]).encode())
    await reader.readuntil(b"event: room\n")
    await reader.readuntil(b"\n\n")
    return reader, writer


async def _delays(port: int, speaker: Session, channel_id: str) -> tuple[float, float]:
    """p50 of a post that nobody sees, and of the time until one is seen, in ms."""
    words = {"channel_id": channel_id, "body": "hello"}
    alone = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await speaker.data("post_message", words)
        alone.append(time.perf_counter() - began)
    reader, writer = await _page(port, channel_id, WATCHERS)
    seen = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        said = asyncio.create_task(speaker.data("post_message", words))
        await reader.readuntil(b'"text":"hello"')
        seen.append(time.perf_counter() - began)
        await said
    writer.close()
    return percentile(alone, 50), percentile(seen, 50)
