"""Bots that want the machine, not the game. Stopped by sandbox/host/pool.py and sandbox/jail/.

Eight at once spin, allocate, print, post, fork, sleep, recurse and send garbage while another
room's hook is called again and again: that one gets its answers, each of the eight gets its
end, and when all is over no process and no file is left.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mcp_multiplayer.sandbox.call import Failed, Finished, HookCall, Limits
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.storage.memory import MemoryStore
from tests.harness import House, flushed

pytestmark = pytest.mark.asyncio
ECHO = "class Echo:\n    def on_init(self):\n        self.ctx.post('bot', 'hi')\n"


def bot(*lines: str) -> str:
    body = "".join(f"        {line}\n" for line in lines)
    return f"class Bot:\n    def on_init(self):\n{body}"


#: What it does, and every error it may end with.
HOSTILE = {
    "spins": (bot("while True:", "    pass"), {"FuelLimit"}),
    "spins in C": (bot("sum(iter(int, 1))"), {"TimeLimit"}),
    "allocates": (
        bot("x = []", "while True:", "    x.append('a' * 10**6)"),
        {"MemoryLimit", "TimeLimit"},
    ),
    "prints": (bot("while True:", "    print('x' * 1000)"), {"FuelLimit", "TimeLimit"}),
    "posts": (
        bot("for n in range(10**6):", "    self.ctx.post('bot', str(n))"),
        {"OutputLimit", "TimeLimit"},
    ),
    "forks": (bot("import os", "while True:", "    os.fork()"), {"BotRejected"}),
    "sleeps": (bot("import time", "while True:", "    time.sleep(1)"), {"FuelLimit", "TimeLimit"}),
    "recurses": (
        bot("def f(n):", "    return f(n + 1) + 1", "f(0)"),
        {"RecursionError", "TimeLimit"},
    ),
    "grows": (bot("x = 3", "while True:", "    x = x ** 3"), {"TimeLimit", "MemoryLimit"}),
}


def family(pid: int) -> Iterator[int]:
    """All living descendants."""
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield int(child)
        yield from family(int(child))


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is written for a hook, or by one, is written here."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@asynccontextmanager
async def watched(**kwargs: Any) -> AsyncIterator[Pool]:
    """A pool; when it is closed, everything is as it was."""
    children, descriptors = set(family(os.getpid())), len(os.listdir("/proc/self/fd"))
    async with Pool(**kwargs) as pool:
        yield pool
    assert set(family(os.getpid())) <= children
    assert len(os.listdir("/proc/self/fd")) <= descriptors
    assert os.listdir(tempfile.gettempdir()) == []


async def echo(pool: Pool, seconds: list[float]) -> None:
    began = time.perf_counter()
    assert isinstance(await pool.run(HookCall(ECHO, "on_init")), Finished)
    seconds.append(time.perf_counter() - began)


async def attack(pool: Pool, name: str) -> None:
    source, errors = HOSTILE[name]
    result = await pool.run(HookCall(source, "on_init"))
    assert isinstance(result, Failed) and result.error in errors, (name, result)


async def test_eight_hostile_bots_at_once_all_end_and_others_are_served() -> None:
    async with watched(limits=Limits(hook_seconds=2.0), at_once=9) as pool:
        hostile = [asyncio.create_task(attack(pool, name)) for name in HOSTILE]
        seconds: list[float] = []
        while not all(task.done() for task in hostile):
            await echo(pool, seconds)
        await asyncio.gather(*hostile)
        assert seconds
        assert pool.counts["killed"] >= 3


async def test_after_many_hooks_no_process_no_descriptor_and_no_file_is_left() -> None:
    await many(300)


@pytest.mark.long
async def test_after_ten_thousand_hooks_nothing_is_left() -> None:
    await many(10_000)


async def many(hooks: int) -> None:
    limits = Limits(hook_seconds=0.5)
    async with watched(limits=limits) as pool:
        sources = [ECHO, ECHO, ECHO, HOSTILE["forks"][0], HOSTILE["recurses"][0]]
        calls = (HookCall(sources[n % len(sources)], "on_init") for n in range(hooks - 2))

        async def work() -> None:
            for call in calls:
                await pool.run(call)

        await asyncio.gather(*(work() for _ in range(4)))
        for name in ("spins", "sleeps"):
            await attack(pool, name)
        assert pool.counts["ran"] == hooks
        # Spares are all that lives: one zygote and its ready workers.
        assert len(pool._ready) <= pool._at_once


@pytest.mark.alone
@pytest.mark.long
async def test_a_post_to_another_room_is_not_held_up_by_eight_hostile_bots() -> None:
    """Workers give way to the server (nice 5); needs cores that nobody else is using."""
    house = House(MemoryStore())
    room = await house.room()

    async def post(count: int) -> list[float]:
        seconds = []
        for n in range(count):
            began = time.perf_counter()
            await house.channels.post_message("A", room.channel_id, f"{n}")
            seconds.append(time.perf_counter() - began)
            await asyncio.sleep(0)
        return seconds

    async with watched(limits=Limits(hook_seconds=3.0), at_once=10) as pool:
        await post(200)
        idle = await post(500)
        hostile = [asyncio.create_task(attack(pool, name)) for name in HOSTILE]
        busy: list[float] = []
        while not all(task.done() for task in hostile):
            busy += await post(20)
        await asyncio.gather(*hostile)
        await flushed(house.channels)
    assert statistics.median(busy) < 2 * statistics.median(idle)


@pytest.mark.alone
@pytest.mark.long
async def test_another_rooms_hook_gets_its_share_beside_eight_hostile_bots() -> None:
    """Eight that spin and one that answers share the cores as equals, and it still answers."""
    async with watched(limits=Limits(hook_seconds=2.0), at_once=10) as pool:
        idle: list[float] = []
        for _ in range(50):
            await echo(pool, idle)
        busy: list[float] = []
        spinning = [asyncio.create_task(attack(pool, "spins")) for _ in range(8)]
        while not all(task.done() for task in spinning):
            await echo(pool, busy)
        await asyncio.gather(*spinning)
        share = (8 + 1) / (os.cpu_count() or 1)
        ratio = statistics.median(busy) / statistics.median(idle)
        assert ratio < 4 * max(1.0, share), ratio
