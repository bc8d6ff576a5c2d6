"""What proof costs: `python -m benchmarks.proof`.

Signing: post_message as an MCP call of a server that signs and of one that does not, CPU of the
server process. The same inside: the operation without HTTP, in two rooms of one store. Replay:
that in a room with a referee whose hooks run once, and in one where each runs twice. Blocks of
calls in turn, median of the blocks' ratios. CPU inside is that of this process, of its zygotes
and of their workers.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks.servers import ROOT, Process, free_port, running
from mcp_multiplayer.config import Settings, bots_dir
from mcp_multiplayer.edge import identity
from mcp_multiplayer.edge.api.dispatch import Dispatch
from mcp_multiplayer.edge.api.mcp_call import STRUCTURED
from mcp_multiplayer.edge.api.operations.base import Status
from mcp_multiplayer.edge.api.operations.combined import Operations
from mcp_multiplayer.edge.identity import Caller, Signer
from mcp_multiplayer.multiplayer_server import room_limits
from mcp_multiplayer.sandbox.host.forkserver import ELSEWHERE
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.service import key_files
from mcp_multiplayer.service.bot_manager import BotManager
from mcp_multiplayer.service.channel_manager import ChannelManager
from mcp_multiplayer.service.log_keys import LogKeys
from mcp_multiplayer.service.rollback_guard import RollbackGuard
from mcp_multiplayer.service.signing import Signing
from mcp_multiplayer.storage.commits import on
from mcp_multiplayer.storage.open_store import open_store

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
        ring = LogKeys.load(settings.keys_dir)
        heads = RollbackGuard(settings.heads_file)
        self.channels = ChannelManager(
            store,
            account_key=key_files.load(settings.keys_dir, "account"),
            rejoin_key=key_files.load(settings.keys_dir, "rejoin"),
            limits=room_limits(settings),
            custody=Signing(key_files.load(settings.keys_dir, "dice"), ring, heads),
        )
        self._pools = [pool for pool in (first, second) if pool is not None]
        bots = BotManager(
            self.channels.custody,
            first,
            second=second,
            bots_dir=bots_dir(),
            hooks_per_minute=1_000_000,
        )
        self.channels.referees = bots
        status = Status("", {}, dict)
        self._dispatch = Dispatch(Operations(self.channels, bots, status), 0)
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


class Remote:
    """A server process, spoken to as the proxy does, one MCP call after the other."""

    def __init__(self, process: Process, data: Path) -> None:
        self._process = process
        self._signer = Signer(key_files.load(data / "keys", "caller"))
        self._http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{process.port}", timeout=60)
        self._posts = 0

    async def call(self, caller: Caller, name: str, **arguments: object) -> dict[str, Any]:
        request = {"name": name, "arguments": arguments, "_meta": {STRUCTURED: True}}
        headers = {
            identity.HEADER: self._signer.sign(caller),
            "Accept": "application/json, text/event-stream",
            "Mcp-Protocol-Version": "2025-11-25",
        }
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": request}
        answer = (await self._http.post("/mcp", json=body, headers=headers)).json()
        data: dict[str, Any] = answer["result"]["structuredContent"]
        return data

    async def room(self) -> str:
        made = await self.call(ALICE, "create_channel", join_as="alice")
        await self.call(BOB, "join_channel", invite_code=made["invites"][0])
        return str(made["channel_id"])

    async def block(self, channel_id: str, calls: int) -> tuple[float, float]:
        """See `House.block`."""
        used, began = self._process.cpu(), time.perf_counter()
        for _ in range(calls):
            self._posts += 1
            body = f"guess {self._posts}"
            said = await self.call(ALICE, "post_message", channel_id=channel_id, body=body)
            assert "msg_id" in said, said
        spent, took = self._process.cpu() - used, time.perf_counter() - began
        return 1000 * spent / calls, 1000 * took / calls


@contextmanager
def remote(program: str, data: Path) -> Iterator[Remote]:
    port = free_port()
    data.mkdir()
    settings = {
        "DATA_DIR": str(data),
        "MCP_PORT": str(port),
        "RATE_LIMIT": "0",
        "PYTHONPATH": str(ROOT),
    }
    with running(program, port, settings, data / "log") as process:
        yield Remote(process, data)


Side = tuple[House | Remote, str]


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
        with (
            remote("benchmarks/unsigned_server.py", data / "unsigned") as bare_server,
            remote("multiplayer_server.py", data / "signed") as server,
        ):
            sides = [(one, await one.room()) for one in (bare_server, server)]
            _print("signing", await compared(sides[0], sides[1], calls, rounds))
        async with (
            Pool(policy="unsafe") as first,
            Pool(policy="unsafe", surroundings=ELSEWHERE) as second,
        ):
            once, twice = House(data / "once", first, None), House(data / "twice", first, second)
            bare = (once, await once.room(signed=False))
            signed = (once, await once.room())
            _print("inside", await compared(bare, signed, calls, rounds))
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
