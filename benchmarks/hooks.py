"""What a hook costs behind the full jail: `python -m benchmarks.hooks`.

Five runs; the median of each figure is what counts. The ratio is to the same hook called in
this very process without any wall: what separation costs, on whatever machine. `--twice`
compares with a hook that is run twice, as for a log.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from mcp_multiplayer.sandbox.call import Finished, HookCall, Limits
from mcp_multiplayer.sandbox.host.determinism_check import run_twice
from mcp_multiplayer.sandbox.host.forkserver import ELSEWHERE
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.sandbox.hostcalls.dice import Dice
from mcp_multiplayer.sandbox.language import modules
from mcp_multiplayer.sandbox.protocol import values, wire
from mcp_multiplayer.sandbox.worker import hook, normalize, warmup

MESSAGE = {"id": 1, "sender": "alice", "kind": "user", "body": {"text": "hi"}, "ts": "2026"}
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
CALL = HookCall(ECHO, "on_message", (MESSAGE,), key=b"x" * 32, players=("alice",))


Way = Callable[[], Awaitable[object]]


async def one_run(way: Way, hooks: int) -> dict[str, float]:
    """Latency one after the other, then throughput with every slot taken."""
    for _ in range(10):
        await way()
    seconds = []
    for _ in range(hooks):
        began = time.perf_counter()
        await way()
        seconds.append(time.perf_counter() - began)
    seconds.sort()
    began = time.perf_counter()
    await asyncio.gather(*(way() for _ in range(hooks)))
    rate = hooks / (time.perf_counter() - began)
    return {
        "p50 ms": 1000 * seconds[len(seconds) // 2],
        "p95 ms": 1000 * seconds[len(seconds) * 95 // 100],
        "hooks/s/core": rate / (os.cpu_count() or 1),
    }


def ways(pool: Pool, second: Pool) -> dict[str, Way]:
    """A hook once, and as a player's is run for a log: twice."""

    async def once() -> None:
        result = await pool.run(CALL)
        assert isinstance(result, Finished), result

    async def twice() -> None:
        seen = await run_twice(pool, second, CALL)
        assert seen.seen == "same", seen

    return {"once": once, "twice": twice}


async def compare(pool: Pool, runs: int, hooks: int) -> None:
    """What the second run costs, the ways taking turns."""
    async with Pool(policy="unsafe", surroundings=ELSEWHERE) as second:
        named = ways(pool, second)
        found: dict[str, list[dict[str, float]]] = {name: [] for name in named}
        for _ in range(runs):
            for name, way in named.items():
                found[name].append(await one_run(way, hooks))
    for name, each in found.items():
        figures = {key: statistics.median(run[key] for run in each) for key in each[0]}
        print(f"{name}: " + "  ".join(f"{key} {value:.2f}" for key, value in figures.items()))


def in_process(limits: Limits, hooks: int) -> float:
    """The same hook as a plain function call, in ms: its code read and run, nothing else. From here
    on time stands still in this process, so nothing may wait in it any more."""
    clock = time.perf_counter
    modules.preload()
    normalize.install()
    compiled = warmup.compile_here(CALL.source)
    request = wire.hook_request(CALL, compiled, limits)
    seconds = []
    for _ in range(hooks):
        told = values.read(request)
        began = clock()
        hook.answer(told, compiled.code, Dice(bytes(32)).take)
        seconds.append(clock() - began)
    return 1000 * statistics.median(seconds)


def memory(pool: Any) -> tuple[float, float]:
    """PSS in MB of the zygote, and the largest of a ready worker; needs to be allowed to look."""
    pid = pool._keeper.pid
    kids = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    seen = []
    for kid in kids:
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):  # it has just ended
            seen.append(_pss(int(kid)))
    return _pss(pid), max(seen, default=0.0)


def _pss(pid: int) -> float:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    line = next((line for line in text.splitlines() if line.startswith("Pss:")), "Pss: 0")
    return int(line.split()[1]) / 1024


async def measure(runs: int, hooks: int, without: list[str]) -> tuple[dict[str, float], Limits]:
    async with Pool(without=without, policy="unsafe") as pool:
        told = pool.report()
        print(f"isolation {told['level']}, self-test {told['selftest']}", flush=True)
        found = [await one_run(lambda: pool.run(CALL), hooks) for _ in range(runs)]
        figures = {name: statistics.median(run[name] for run in found) for name in found[0]}
        try:
            figures["zygote PSS MB"], figures["worker PSS MB"] = memory(pool)
        except PermissionError:
            print("memory: only root may look at a worker")
    return figures, pool.limits


def show(figures: dict[str, float]) -> None:
    print("  ".join(f"{name} {value:.2f}" for name, value in figures.items()))


async def measure_twice(runs: int, hooks: int) -> None:
    async with Pool(policy="unsafe") as pool:
        await compare(pool, runs, hooks)


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.hooks", description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--hooks", type=int, default=200)
    parser.add_argument("--without", nargs="*", default=[], metavar="seccomp|landlock|uid|…")
    parser.add_argument("--twice", action="store_true", help="compare with a hook run twice")
    chosen = parser.parse_args()
    if chosen.twice:
        asyncio.run(measure_twice(chosen.runs, chosen.hooks))
        return
    figures, limits = asyncio.run(measure(chosen.runs, chosen.hooks, chosen.without))
    plain = in_process(limits, chosen.hooks)
    show(figures | {"in process ms": plain, "ratio": figures["p50 ms"] / plain})


if __name__ == "__main__":
    main()
