"""What proof costs: `python -m benchmarks.proof`.

Signing: post_message in one process, without HTTP, in two rooms of one store; the heads of one
are signed and recorded, those of the other are not. Replay: the same call in a room with a
referee whose hooks run once, and in one where each runs twice. Blocks of calls in turn, median of
the blocks' ratios. CPU is that of this process, of its zygotes and of their workers.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bot_manager import BotManager
from channel_manager import ChannelManager
from edge.api.desk import Status
from edge.api.dispatch import Dispatch
from edge.api.limit import Limiter
from edge.api.operations import Operations
from edge.identity import Caller
from engine import keys
from engine.custody import Custody
from engine.keyring import Keyring
from engine.sandbox.pool import Pool
from engine.signed_heads import SignedHeads
from engine.stores.landing import on
from engine.stores.opening import open_store
from multiplayer_server import BOTS, room_limits
from settings import Settings

ECHO = """
class Echo:
    def __init__(self, ctx, params):
        self.ctx = ctx

    def on_message(self, msg):
        state = self.ctx.get_state()
        state["n"] = state.get("n", 0) + 1
        self.ctx.set_state(state)
        self.ctx.post("bot", {"n": state["n"], "echo": msg["body"]})
"""
ALICE, BOB = (Caller(who, "http://localhost:8100") for who in ("alice", "bob"))
TICK = os.sysconf("SC_CLK_TCK")


def _family(pid: int) -> float:
    """Seconds of processor time of a process and of the children it has outlived."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return float(sum(map(int, fields[11:15])) / TICK)


class House:
    """A server without its HTTP."""

    def __init__(self, data: Path, first: Pool, second: Pool | None) -> None:
        settings = Settings(_env_file=None, data_dir=data)  # type: ignore[call-arg]
        store = open_store("", data, deliver=on(asyncio.get_running_loop()))
        ring = Keyring.load(settings.keys_dir)
        heads = SignedHeads(settings.heads_file)
        self.channels = ChannelManager(
            store,
            account_key=keys.load(settings.keys_dir, "account"),
            rejoin_key=keys.load(settings.keys_dir, "rejoin"),
            limits=room_limits(settings),
            custody=Custody(keys.load(settings.keys_dir, "dice"), ring, heads),
        )
        self._pools = [pool for pool in (first, second) if pool is not None]
        bots = BotManager(
            self.channels, first, second=second, bots_dir=BOTS, hooks_per_minute=1_000_000
        )
        self.channels.referees = bots
        status = Status("", {}, dict)
        self._dispatch = Dispatch(Operations(self.channels, bots, status), Limiter(0))
        self._posts = 0

    def cpu(self) -> float:
        zygotes = [pool._keeper.pid for pool in self._pools if pool._keeper is not None]
        return time.process_time() + sum(map(_family, zygotes))

    async def call(self, caller: Caller, name: str, **arguments: object) -> dict[str, object]:
        operation = self._dispatch.operations[name]
        return (await self._dispatch(operation, caller, arguments)).data

    async def room(self, *, bot: bool = False, signed: bool = True) -> str:
        wish = {"bot_code": ECHO} if bot else {}
        made = await self.call(ALICE, "create_channel", join_as="alice", **wish)
        invites = made["invites"]
        assert isinstance(invites, list)
        await self.call(BOB, "join_channel", invite_code=invites[0])
        channel_id = str(made["channel_id"])
        if not signed:
            self.channels.room(channel_id).signer = None
        return channel_id

    async def block(self, channel_id: str, calls: int) -> tuple[float, float]:
        """CPU and wall time of one call, in ms."""
        used, began = self.cpu(), time.perf_counter()
        for _ in range(calls):
            self._posts += 1
            body = f"guess {self._posts}"
            await self.call(ALICE, "post_message", channel_id=channel_id, body=body)
        spent, took = self.cpu() - used, time.perf_counter() - began
        return 1000 * spent / calls, 1000 * took / calls


Side = tuple[House, str]


async def compared(one: Side, other: Side, calls: int, rounds: int) -> dict[str, float]:
    """The second over the first."""
    cpu, wall, ours, theirs = [], [], [], []
    for house, room in (one, other):
        await house.block(room, calls // 4)
    for _ in range(rounds):
        (cpu_one, wall_one), (cpu_two, wall_two) = [
            await house.block(room, calls) for house, room in (one, other)
        ]
        cpu.append(cpu_two / cpu_one)
        wall.append(wall_two / wall_one)
        ours.append(cpu_two)
        theirs.append(cpu_one)
    middle: Callable[[list[float]], float] = statistics.median
    return {
        "ratio of CPU": middle(cpu),
        "of latency": middle(wall),
        "CPU with": middle(ours),
        "without, ms": middle(theirs),
    }


async def measure(calls: int, hooks: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory)
        async with Pool(policy="unsafe") as first, Pool(policy="unsafe", hash_seed=1) as second:
            once, twice = House(data / "once", first, None), House(data / "twice", first, second)
            bare = (once, await once.room(signed=False))
            signed = (once, await once.room())
            _print("signing", await compared(bare, signed, calls, rounds))
            single = (once, await once.room(bot=True))
            double = (twice, await twice.room(bot=True))
            _print("replay", await compared(single, double, hooks, rounds))
            for house in (once, twice):
                await house.channels.close()


def _print(name: str, figures: dict[str, float]) -> None:
    print(f"{name}: " + "  ".join(f"{key} {value:.3f}" for key, value in figures.items()))


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.proof", description=__doc__)
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--hooks", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=9)
    chosen = parser.parse_args()
    asyncio.run(measure(chosen.calls, chosen.hooks, chosen.rounds))


if __name__ == "__main__":
    main()
