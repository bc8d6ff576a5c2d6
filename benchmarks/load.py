"""Making calls and timing them: rates, percentiles, medians of interleaved runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from statistics import median

#: One call of one client; its argument counts that client's calls.
Call = Callable[[int], Awaitable[object]]
RUNS = 3


@dataclass(frozen=True)
class Rate:
    """What came of a stretch of calls. Times in ms; ``cpu`` of the servers, per call."""

    per_second: float
    p50: float
    p99: float
    cpu: float


async def drive(clients: Sequence[Call], seconds: float, cpu: Callable[[], float]) -> Rate:
    """Let each client call again and again, one call at a time, for ``seconds``."""
    times: list[float] = []
    began, used = time.perf_counter(), cpu()
    until = began + seconds

    async def work(call: Call) -> None:
        number = 0
        start = time.perf_counter()
        while start < until:
            await call(number)
            end = time.perf_counter()
            times.append(end - start)
            start, number = end, number + 1

    await asyncio.gather(*(work(call) for call in clients))
    took, used = time.perf_counter() - began, cpu() - used
    count = len(times)
    return Rate(count / took, percentile(times, 50), percentile(times, 99), used / count * 1000)


def percentile(times: Sequence[float], rank: int) -> float:
    """In ms."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, len(ordered) * rank // 100)] * 1000


def middle(rates: Sequence[Rate]) -> Rate:
    """The median of each figure by itself."""
    return Rate(
        *(
            median(getattr(rate, name) for rate in rates)
            for name in ("per_second", "p50", "p99", "cpu")
        )
    )
