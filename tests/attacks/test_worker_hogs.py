"""Fifty free accounts of one address whose referees never stop: everybody else's referee is to
wait for none of them. Stopped by sandbox/host/fair_queue.py, with what the proxy states of an
account's network (edge/auth). That all three ways to get an account are counted alike is in
tests/edge/auth/test_networks.py, whose turn it is in tests/sandbox/host/test_fair_queue.py.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import pytest

from mcp_multiplayer.demo.pair import Pair
from tests.logins import WAYS, log_in
from tests.players import Rest

pytestmark = pytest.mark.servers

ECHO = """
class Echo:
    def on_message(self, msg):
        self.ctx.post("bot", {"heard": msg["body"]})
"""
#: Greets at once, as a harmless one does; then a loop of C's, which only the clock ends.
SPIN = """
class Spin:
    def on_init(self):
        self.ctx.post("bot", {"text": "hello"})
    def on_message(self, msg):
        sum(iter(int, 1))
"""
PATIENCE = 45.0  #: seconds for an answer; less than a spinning hook takes
HOME, AWAY = "203.0.113.7", "198.51.100.9"


class Table:
    """Somebody alone in a room with a referee."""

    def __init__(self, player: Rest, channel_id: str) -> None:
        self.player = player
        self.channel_id = channel_id
        self.spinning = asyncio.Event()  #: it was asked to

    async def say(self) -> float:
        """Post, and return in how many seconds the referee had answered."""
        began = time.perf_counter()
        async with asyncio.timeout(PATIENCE):
            said = await self.player.call("post_message", channel_id=self.channel_id, body="hello")
            while not said["messages"]:  # pending: the referee had no worker yet
                said = await self.player.call(
                    "sync_messages", channel_id=self.channel_id, cursor=said["cursor"]
                )
        assert [message["sender"] for message in said["messages"]] == ["bot:echo"]
        return time.perf_counter() - began

    async def keep_busy(self) -> None:
        """Have the referee spin for ever."""
        post = {"channel_id": self.channel_id, "body": "spin"}
        while True:
            asked = asyncio.ensure_future(self.player.attempt("post_message", post))
            await asyncio.sleep(0)
            self.spinning.set()
            await asyncio.gather(asked, return_exceptions=True)


async def sit_down(
    stack: AsyncExitStack, base: str, way: str, address: str, code: str = ECHO
) -> Table:
    player = await log_in(base, way, address)
    stack.push_async_callback(player.http.aclose)
    made = await player.call(
        "create_channel", slots=["bot:echo", "invite:a"], bot_code=code, join_as="a"
    )
    return Table(player, made["channel_id"])


async def crowd(stack: AsyncExitStack, base: str, count: int) -> None:
    """So many accounts of one address, made in every way there is, whose referees all spin until
    ``stack`` ends."""
    ways = itertools.islice(itertools.cycle(WAYS), count)
    tables = [await sit_down(stack, base, way, HOME, SPIN) for way in ways]
    spinning = await stack.enter_async_context(asyncio.TaskGroup())
    for table in tables:
        task = spinning.create_task(table.keep_busy())
        stack.callback(task.cancel)
    await asyncio.gather(*(table.spinning.wait() for table in tables))


@contextmanager
def pair(directory: Path, hook_seconds: int) -> Iterator[Pair]:
    made = Pair(directory, TRUSTED_PROXIES="127.0.0.1", BOT_HOOK_SECONDS=str(hook_seconds))
    try:
        yield made.start()
    finally:
        made.stop()


async def test_a_crowd_that_never_stops_keeps_no_place_that_others_need(tmp_path: Path) -> None:
    """Its hooks last longer than anybody waits here, so whoever waits for one of them fails."""
    async with AsyncExitStack() as stack:
        base = stack.enter_context(pair(tmp_path, hook_seconds=60)).base
        resident = await sit_down(stack, base, "loopback", HOME)
        await resident.say()
        await crowd(stack, base, 12)
        await resident.say()
        neighbour = await sit_down(stack, base, "client credentials", AWAY)
        await neighbour.say()
        await resident.say()


@pytest.mark.long
@pytest.mark.alone
async def test_beside_fifty_accounts_that_spin_nobody_waits_long(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        base = stack.enter_context(pair(tmp_path, hook_seconds=5)).base
        resident = await sit_down(stack, base, "loopback", HOME)
        await resident.say()
        await crowd(stack, base, 50)
        neighbour = await sit_down(stack, base, "loopback", AWAY)
        for _ in range(20):
            assert await neighbour.say() < 1.0
            assert await resident.say() < 2.0
