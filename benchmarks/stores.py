"""How many commits a second a store makes durable, as ratios to one submitter.

    python -m benchmarks.stores [--busy 0.2] [--seconds 2]

Each submitter posts to a channel of its own and waits for every commit. ``--busy`` lets
each spend that many milliseconds of Python between two posts, as a server would: the
writer then has to win the interpreter lock from the event loop.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import tempfile
import time
from pathlib import Path

from mcp_multiplayer.storage.base import Append, Leaf, Row, Store, Table
from mcp_multiplayer.storage.commits import on, to_future
from mcp_multiplayer.storage.open_store import open_store

SUBMITTERS = (1, 8, 32)


async def submit(store: Store, channel: str, until: float, busy: float) -> int:
    """Post to one channel until the time is over; return how often it was acknowledged."""
    head, done = b"", 0
    while time.perf_counter() < until:
        free = time.perf_counter() + busy
        while time.perf_counter() < free:
            pass
        data = b'{"i":%d,"t":"msg","body":{"text":"%s"}}' % (done, b"x" * 240)
        leaf = Leaf(done, 0, done + 1, hashlib.sha256(b"\0" + data).digest(), data)
        rows = (
            Row(Table.POSTED, channel, "seat/key", leaf.hash),
            Row(Table.MARK, channel, "seat", b"%d" % done),
        )
        await to_future(store.append(Append(channel, done, head, (leaf,), rows)))
        head, done = leaf.hash, done + 1
    return done


async def rate(url: str, submitters: int, seconds: float, busy: float) -> float:
    with tempfile.TemporaryDirectory() as data_dir:
        store = open_store(url, Path(data_dir), deliver=on(asyncio.get_running_loop()))
        until = time.perf_counter() + seconds
        jobs = (submit(store, f"chn_{n}", until, busy) for n in range(submitters))
        try:
            return sum(await asyncio.gather(*jobs)) / seconds
        finally:
            store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--busy", type=float, default=0.0, help="milliseconds between posts")
    chosen = parser.parse_args()
    for url in ("", "memory://"):
        rates = [asyncio.run(rate(url, n, chosen.seconds, chosen.busy / 1000)) for n in SUBMITTERS]
        for n, found in zip(SUBMITTERS, rates, strict=True):
            name = url or "sqlite"
            print(f"{name:10} {n:3} submitters {found:8.0f} commits/s  {found / rates[0]:5.2f}")


if __name__ == "__main__":
    main()
