"""One new message in a room of 10 and in a room of 100,000: what the server spends on a call.

Processor time, not the clock on the wall: it is what a longer history would cost, and the
disk's mood is not in it.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median

from benchmarks import rooms
from benchmarks.eras import Session
from benchmarks.load import drive
from benchmarks.servers import free_port, pair
from benchmarks.stage import Json, Stage
from mcp_multiplayer.channel.events import Event, Msg
from mcp_multiplayer.service.replica import Replica
from mcp_multiplayer.storage.open_store import open_store

LENGTHS = (10, 100_000)
BATCH = 1_000
RUNS = 9


async def history(stage: Stage) -> list[Json]:
    """Uses a pair of its own: the long room is filled while no server has the file."""
    with tempfile.TemporaryDirectory() as name:
        directory, ports = Path(name), (free_port(), free_port())
        with pair(directory, ports) as ours:
            (token,) = await rooms.tokens(ours.port, 1)
            session = await Session.open(ours.port, "modern", token)
            made = [(await rooms.seated([session])).channel_id for _ in LENGTHS]
            session.close()
        for channel_id, length in zip(made, LENGTHS, strict=True):
            await asyncio.to_thread(fill, directory, channel_id, length)
        with pair(directory, ports) as ours:
            session = await Session.open(ours.port, "modern", token)
            for channel_id in made:  # the newest page: its seat is up to date, as an agent's is
                await session.call("sync_messages", {"channel_id": channel_id, "limit": 1})
            calls = [partial(_post, session, channel_id) for channel_id in made]
            costs: list[list[float]] = [[] for _ in calls]
            for _ in range(RUNS + 1):
                for call, cost in zip(calls, costs, strict=True):
                    rate = await drive([call], stage.seconds / 2, ours.server.cpu)
                    cost.append(rate.cpu)
            session.close()
    short, long = (median(cost[1:]) for cost in costs)  # the first round warms up
    return [{"ratio": long / short, "cpu_ms_of_10": short, "cpu_ms_of_100000": long}]


async def _post(session: Session, channel_id: str, number: int) -> None:
    await session.call("post_message", {"channel_id": channel_id, "body": "one more"})


def fill(data_dir: Path, channel_id: str, length: int) -> None:
    """Bring the room to ``length`` messages, past the server but through its own fold."""
    store = open_store("", data_dir)
    try:
        room = Replica.load(store, channel_id)
        assert room is not None
        words = _words(room, length - room.channel.messages)
        while events := list(islice(words, BATCH)):
            draft = room.draft([(event, room.head.ts + 1) for event in events])
            store.append(room.change(draft, ())).result()
            room.adopt(draft)
            room.settle_all()
    finally:
        store.close()


def _words(room: Replica, count: int) -> Iterator[Event]:
    seat = room.channel.seats[0]
    for number in range(1, count + 1):
        body = {"text": f"message number {number}"}
        yield Msg({"s": seat.id, "c": seat.said + number, "k": "user", "b": body})
