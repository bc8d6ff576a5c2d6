"""A thousand clients wait; what it costs the server, and whoever speaks meanwhile.

Every (room, seat) pair has one long poll, on a connection of its own. Another client
posts in a room where nobody waits, before and during. Then a post in each room must wake
all who wait there, and polls in a silent room must end by themselves at their time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from typing import TypeVar

from benchmarks import rooms
from benchmarks.eras import Session
from benchmarks.load import drive
from benchmarks.stage import Json, Stage

ROOMS = 33
SEATS = 32
TIMEOUT_MS = 45_000
SILENT_MS = 3_000
SETTLE = 3.0
T = TypeVar("T")


async def idle(stage: Stage) -> list[Json]:
    members = await rooms.sessions(stage.pair.port, "modern", stage.accounts)
    made = [await rooms.seated(_turned(members, n)) for n in range(ROOMS)]
    other = (await rooms.seated(members[:1])).channel_id
    speaker = members[0]
    post = partial(_post, speaker, other)
    pair, seconds = stage.pair, stage.seconds
    await drive([post], seconds / 2, pair.cpu)
    before = await drive([post], seconds, pair.cpu)
    rss = pair.server.rss(), pair.proxy.rss()

    polls = []
    for number, room in enumerate(made):
        asked = {"channel_id": room.channel_id, "cursor": SEATS, "timeout_ms": TIMEOUT_MS}
        # The creator of a room is to wake the others and does not wait there itself.
        for token in _turned(stage.accounts, number)[1:]:
            session = await Session.open(pair.port, "modern", token)
            polls.append((session, asyncio.create_task(session.data("sync_messages", asked))))
    began = time.monotonic()
    await asyncio.sleep(SETTLE)
    grown = pair.server.rss() - rss[0], pair.proxy.rss() - rss[1]
    during = await drive([post], seconds, pair.cpu)
    early = sum(task.done() for _, task in polls)

    for number, room in enumerate(made):
        creator = _turned(members, number)[0]
        await creator.call("post_message", {"channel_id": room.channel_id, "body": "wake"})
    heard = await asyncio.gather(*(task for _, task in polls))
    woken = sum([len(page["messages"]) == 1 for page in heard])
    assert time.monotonic() - began < TIMEOUT_MS / 1000, "too slow to tell waking from time-outs"
    on_time = await _time_outs([session for session, _ in polls[: SEATS - 1]], made[0].channel_id)
    for session in (*members, *(session for session, _ in polls)):
        session.close()
    return [
        {
            "polls": len(polls),
            "server_rss_growth_mb": grown[0] / 1e6,
            "proxy_rss_growth_mb": grown[1] / 1e6,
            "ratio": during.p50 / before.p50,
            "post_p50_before": before.p50,
            "post_p50_with_polls": during.p50,
            "woken_early": early,
            "woken": woken,
            "ended_on_time": on_time,
        }
    ]


def _turned(members: Sequence[T], number: int) -> list[T]:
    """The same members, another one first: an account may own only so many rooms."""
    return [*members[number:], *members[:number]]


async def _post(session: Session, channel_id: str, number: int) -> None:
    await session.call("post_message", {"channel_id": channel_id, "body": "hello"})


async def _time_outs(sessions: Sequence[Session], channel_id: str) -> str:
    """How many of these polls end empty, after their time and within a second of it."""
    asked = {"channel_id": channel_id, "cursor": SEATS + 1, "timeout_ms": SILENT_MS}

    async def one(session: Session) -> bool:
        began = time.monotonic()
        page = await session.data("sync_messages", asked)
        late = time.monotonic() - began - SILENT_MS / 1000
        return not page["messages"] and 0 <= late < 1

    found = await asyncio.gather(*map(one, sessions))
    return f"{sum(found)} of {len(found)}"
