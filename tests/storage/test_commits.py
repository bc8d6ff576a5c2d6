"""A batch of commits reaches the event loop with one wake-up, and none is lost with the loop."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mcp_multiplayer.errors import HeadMoved
from mcp_multiplayer.storage.commits import on, to_future
from mcp_multiplayer.storage.sqlite import SqliteStore


async def test_one_batch_is_one_wake_up(tmp_path: Path, log: Callable[[str], Any]) -> None:
    calls: list[Callable[[], None]] = []
    to_loop = on(asyncio.get_running_loop())

    def counted(fulfil: Callable[[], None]) -> None:
        calls.append(fulfil)
        to_loop(fulfil)

    path, kept, late = tmp_path / "channels.db", log("c"), log("c")
    with closing(SqliteStore(path, deliver=counted)) as store:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            plug = store.append(kept.change())
            while not plug.running():  # the writer holds it, so what follows is one batch
                os.sched_yield()
            batch = [to_future(store.append(kept.change())) for _ in range(31)]
            stale = to_future(store.append(late.change()))
            other.execute("ROLLBACK")
        await asyncio.gather(*batch)
        with pytest.raises(HeadMoved):
            await stale
        assert plug.done()
        assert len(calls) == 2
        assert store.leaves("c", 0, 99) == kept.leaves


def test_a_closed_loop_does_not_keep_the_writer(tmp_path: Path, log: Callable[[str], Any]) -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    with closing(SqliteStore(tmp_path / "channels.db", deliver=on(loop))) as store:
        store.append(log("c").change()).result()
        assert store.head("c") is not None
