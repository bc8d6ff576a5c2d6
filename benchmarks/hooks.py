"""What a hook costs behind the full jail: `python -m benchmarks.hooks`.

Five runs; the median of each figure is what counts. The ratio is to the same hook called in
this very process without any wall: what separation costs, on whatever machine.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import os
import statistics
import time
from pathlib import Path
from typing import Any

from engine.sandbox import hook, modules
from engine.sandbox.call import Finished, HookCall
from engine.sandbox.pool import Pool

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


async def one_run(pool: Pool, hooks: int) -> dict[str, float]:
    """Latency one after the other, then throughput with every slot taken."""
    for _ in range(10):
        await pool.run(CALL)
    seconds = []
    for _ in range(hooks):
        began = time.perf_counter()
        result = await pool.run(CALL)
        seconds.append(time.perf_counter() - began)
        assert isinstance(result, Finished), result
    seconds.sort()
    began = time.perf_counter()
    await asyncio.gather(*(pool.run(CALL) for _ in range(hooks)))
    rate = hooks / (time.perf_counter() - began)
    return {
        "p50 ms": 1000 * seconds[len(seconds) // 2],
        "p95 ms": 1000 * seconds[len(seconds) * 95 // 100],
        "hooks/s/core": rate / (os.cpu_count() or 1),
    }


def in_process(pool: Pool, hooks: int) -> float:
    """The same hook as a plain function call, in ms: read, compiled and run, nothing else."""
    call: dict[str, Any] = {**dataclasses.asdict(CALL), "key": CALL.key.hex()}
    request = {"do": "hook", "call": call, "limits": dataclasses.asdict(pool.limits)}
    seconds = []
    for _ in range(hooks):
        began = time.perf_counter()
        hook.answer(request)
        seconds.append(time.perf_counter() - began)
    return 1000 * statistics.median(seconds)


def memory(pool: Any) -> tuple[float, float]:
    """PSS in MB of the zygote, and the largest of a ready worker; needs to be allowed to look."""
    pid = pool._keeper.pid
    kids = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return _pss(pid), max(_pss(int(kid)) for kid in kids)


def _pss(pid: int) -> float:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    (line,) = (line for line in text.splitlines() if line.startswith("Pss:"))
    return int(line.split()[1]) / 1024


async def measure(runs: int, hooks: int, without: list[str]) -> None:
    async with Pool(without=without, policy="unsafe") as pool:
        told = pool.report()
        print(f"isolation {told['level']}, self-test {told['selftest']}", flush=True)
        found = [await one_run(pool, hooks) for _ in range(runs)]
        figures = {name: statistics.median(run[name] for run in found) for name in found[0]}
        modules.preload()
        plain = in_process(pool, hooks)
        figures |= {"in process ms": plain, "ratio": figures["p50 ms"] / plain}
        try:
            figures["zygote PSS MB"], figures["worker PSS MB"] = memory(pool)
        except PermissionError:
            print("memory: only root may look at a worker")
    print("  ".join(f"{name} {value:.2f}" for name, value in figures.items()))


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.hooks", description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--hooks", type=int, default=200)
    parser.add_argument("--without", nargs="*", default=[], metavar="seccomp|landlock|uid|…")
    chosen = parser.parse_args()
    asyncio.run(measure(chosen.runs, chosen.hooks, chosen.without))


if __name__ == "__main__":
    main()
