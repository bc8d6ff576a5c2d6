"""What only the SQLite keeper promises: it survives, it is private, it shares its file."""

from __future__ import annotations

import os
import resource
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from mcp_multiplayer.errors import HeadMoved, Unavailable
from mcp_multiplayer.storage.base import Append, Leaf, Row, Store, Table
from mcp_multiplayer.storage.migrations import MIGRATIONS
from mcp_multiplayer.storage.open_store import open_store
from mcp_multiplayer.storage.sqlite import SqliteStore

Writer = Callable[[str], Any]  #: the fixture ``log``
Race = Callable[[list[Store], int], None]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "channels.db"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the file as another process in the middle of its commit would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_a_restart_finds_everything(path: Path, log: Writer) -> None:
    kept = log("c")
    with closing(SqliteStore(path)) as store:
        store.append(kept.change([1, 0], [Row(Table.BOT, "c", "k", b"v")])).result()
    with closing(SqliteStore(path)) as store:
        assert store.leaves("c", 0, 9) == kept.leaves
        assert store.get(Table.BOT, "c", "k") == b"v"
        store.append(kept.change()).result()
        assert store.head("c") == kept.leaves[-1]


def test_all_files_are_the_owners_alone(path: Path, log: Writer) -> None:
    path.touch(0o644)
    with closing(SqliteStore(path)) as store:
        store.append(log("c").change()).result()
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == dict.fromkeys(("channels.db", "channels.db-wal", "channels.db-shm"), 0o600)


def test_every_commit_is_flushed(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        assert store._writing.execute("PRAGMA synchronous").fetchall() == [(2,)]  # FULL
        assert store._writing.execute("PRAGMA journal_mode").fetchall() == [("wal",)]


def test_a_read_waits_for_nobodys_commit(path: Path, log: Writer) -> None:
    kept = log("c")
    with closing(SqliteStore(path)) as store:
        store.append(kept.change()).result()
        with locked(path):
            waiting = store.append(kept.change())
            assert store.leaves("c", 0, 9) == kept.leaves[:1]
            assert not waiting.done()
        waiting.result()
        assert store.leaves("c", 0, 9) == kept.leaves


def test_two_stores_race_on_one_file_and_lose_nothing(path: Path, race: Race) -> None:
    with closing(SqliteStore(path)) as one, closing(SqliteStore(path)) as two:
        race([one, two, one, two], 15)


def test_a_full_disk_refuses_the_whole_batch_and_is_survived(path: Path, log: Writer) -> None:
    before, small, big = log("before"), log("small"), log("big")
    with closing(SqliteStore(path)) as store:
        store.append(before.change()).result()
        with locked(path):
            plug = store.append(before.change())
            while not plug.running():  # the writer holds it, so what follows is one batch
                os.sched_yield()
            too_much = [Row(Table.BLOB, "big", "k", bytes(4_000_000))]
            batch = [store.append(small.change()), store.append(big.change([1], too_much))]
            batch.append(store.append(small.change()))
            used = max(file.stat().st_size for file in path.parent.iterdir())
            unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (used + 1_000_000, unlimited[1]))
        try:
            plug.result()
            assert [type(future.exception()) for future in batch] == [Unavailable] * 3
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
        assert store.head("small") is None
        assert store.head("big") is None
        assert store.get(Table.BLOB, "big", "k") is None
        store.append(log("small").change()).result()
        store.append(before.change()).result()
        assert store.leaves("before", 0, 9) == before.leaves


def test_a_value_it_cannot_keep_fails_alone(path: Path, log: Writer) -> None:
    good, late = log("good"), log("good")
    with closing(SqliteStore(path)) as store:
        with locked(path):
            plug = store.append(good.change())
            while not plug.running():
                os.sched_yield()
            futures = [
                store.append(good.change()),
                store.append(log("bad").change(rows=[Row(Table.BOT, "bad", "\udc80", b"")])),
                store.append(log("big").change([2**63])),
                store.append(late.change()),
                store.append(good.change()),
            ]
        faults = [type(future.exception()) for future in futures]
        assert faults == [type(None), UnicodeEncodeError, OverflowError, HeadMoved, type(None)]
        assert store.leaves("good", 0, 9) == good.leaves
        assert store.head("bad") is None


def test_a_file_another_process_keeps_busy_is_unavailable(
    path: Path, log: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_multiplayer.storage.sqlite.BUSY_SECONDS", 0)
    kept = log("c")
    with closing(SqliteStore(path)) as store:
        with locked(path):
            assert isinstance(store.append(kept.change()).exception(), Unavailable)
        store.append(log("c").change()).result()
        assert store.leaves("c", 0, 9) == kept.leaves


def test_reading_after_close_is_unavailable(path: Path) -> None:
    store = SqliteStore(path)
    store.close()
    with pytest.raises(Unavailable):
        store.head("c")


def test_no_query_walks_a_log(path: Path) -> None:
    """Each read must come straight from a key or an index, in its order, whatever the length."""
    asked: list[str] = []
    with closing(SqliteStore(path)) as store:
        store._db.set_trace_callback(asked.append)
        store.head("c")
        store.leaves("c", 5, 5)
        store.leaves_after_message("c", 5, 5)
        store.get(Table.BOT, "c", "k")
        store.scan(Table.BOT, "c")
        store.find(Table.BOT, "k")
        store._db.set_trace_callback(None)
        plans = [
            " ".join(row[3] for row in store._db.execute(f"EXPLAIN QUERY PLAN {sql}"))
            for sql in asked
        ]
    assert plans == [
        "SEARCH leaves USING PRIMARY KEY (channel=?)",
        "SEARCH leaves USING PRIMARY KEY (channel=? AND idx>?)",
        "SEARCH leaves USING INDEX leaves_said (channel=? AND messages>?)",
        "SEARCH rows USING PRIMARY KEY (tab=? AND channel=? AND key=?)",
        "SEARCH rows USING PRIMARY KEY (tab=? AND channel=?)",
        "SEARCH rows USING INDEX rows_key (tab=? AND key=?)",
    ]


def test_ten_thousand_silent_leaves_are_skipped_at_no_cost(path: Path, log: Writer) -> None:
    def steps(store: SqliteStore, channel_id: str) -> int:
        counted: list[None] = []
        store._db.set_progress_handler(lambda: counted.append(None), 1)
        assert len(store.leaves_after_message(channel_id, 1, 9)) == 1
        store._db.set_progress_handler(None, 1)
        return len(counted)

    with closing(SqliteStore(path)) as store:
        store.append(log("short").change([1, 1])).result()
        store.append(log("long").change([1, *[0] * 10_000, 1])).result()
        steps(store, "short")  # the first call of all also reads the schema
        assert steps(store, "long") <= steps(store, "short") + 5


def test_a_file_of_an_older_format_is_refused_in_one_line_and_left_alone(path: Path) -> None:
    SqliteStore(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA user_version = 1")
    with pytest.raises(ValueError, match=r"channels\.db.*older release \(version 1") as refused:
        open_store("", path.parent)
    assert "\n" not in str(refused.value)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchall() == [(1,)]


def test_a_newer_file_is_left_alone(path: Path) -> None:
    SqliteStore(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(ValueError, match=r"channels\.db.*newer release \(version 99"):
        open_store("", path.parent)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchall() == [(99,)]


def test_a_migration_that_fails_leaves_the_version_before(
    path: Path, log: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = log("c")
    with closing(SqliteStore(path)) as store:
        store.append(kept.change()).result()
    bad = (*MIGRATIONS, ("CREATE TABLE later (x)", "CREATE TABLE nonsense"))
    monkeypatch.setattr("mcp_multiplayer.storage.migrations.MIGRATIONS", bad)
    with pytest.raises(sqlite3.OperationalError):
        SqliteStore(path)
    good = (*MIGRATIONS, ("CREATE TABLE later (x)",))
    monkeypatch.setattr("mcp_multiplayer.storage.migrations.MIGRATIONS", good)
    with closing(SqliteStore(path)) as store:
        assert store.leaves("c", 0, 9) == kept.leaves
        assert store._writing.execute("PRAGMA user_version").fetchall() == [(len(good),)]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://user:secret@host/db", "PostgreSQL comes with a later release"),
        ("mysql://user:secret@host/db", "neither empty"),
        ("memory", "neither empty"),
    ],
)
def test_an_address_without_a_keeper_is_refused(tmp_path: Path, url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        open_store(url, tmp_path)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_store_is_refused(path: Path) -> None:
    path.write_bytes(b"a letter to my aunt " * 100)
    with pytest.raises(ValueError, match="not a database"):
        open_store("", path.parent)


def test_memory_and_a_folder_to_be_made(tmp_path: Path, log: Writer) -> None:
    for url in ("memory://", ""):
        with closing(open_store(url, tmp_path / "new" / "data")) as store:
            store.append(log("c").change()).result()
            assert store.head("c") is not None


#: Appends to four channels at once, for ever, and prints each as soon as it is acknowledged.
CRASHING = """
import hashlib, sys
from pathlib import Path
from mcp_multiplayer.storage.base import Append, Leaf, Row, Table
from mcp_multiplayer.storage.sqlite import SqliteStore

store = SqliteStore(Path(sys.argv[1]))
heads = [b""] * 4
number = 0
while True:
    futures = []
    for channel in range(4):
        leaves = []
        for n in (number, number + 1):
            data = b"%d %d" % (channel, n)
            leaves.append(Leaf(n, n, n + 1, hashlib.sha256(data).digest(), data))
        rows = [Row(Table.BOT, str(channel), "cursor", b"%d" % (number + 1))]
        futures.append(
            store.append(Append(str(channel), number, heads[channel], leaves, rows))
        )
        heads[channel] = leaves[-1].hash
    for channel, future in enumerate(futures):
        future.result()
        print(channel, number + 2, flush=True)
    number += 2
"""


def crash_after(path: Path, acknowledged: int) -> list[int]:
    """Kill a writer without warning; return how many leaves of each channel it was promised."""
    command = [sys.executable, "-c", CRASHING, str(path)]
    promised = [0] * 4
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for n, line in enumerate(child.stdout):
            channel, leaves = line.split()
            promised[int(channel)] = int(leaves)
            if n == acknowledged:
                child.kill()  # what it still printed before it died is read, and counts
    return promised


@pytest.mark.parametrize("acknowledged", [0, 5, 62, 303])
def test_what_was_acknowledged_survives_a_kill(path: Path, acknowledged: int) -> None:
    check_crash(path, acknowledged)


@pytest.mark.long
@pytest.mark.parametrize("acknowledged", range(0, 1000, 9))
def test_what_was_acknowledged_survives_many_kills(path: Path, acknowledged: int) -> None:
    check_crash(path, acknowledged)


def check_crash(path: Path, acknowledged: int) -> None:
    promised = crash_after(path, acknowledged)
    with closing(SqliteStore(path)) as store:
        for channel, least in enumerate(promised):
            leaves = store.leaves(str(channel), 0, 1_000_000)
            assert len(leaves) >= least
            assert len(leaves) % 2 == 0, "an append was torn"
            assert [leaf.number for leaf in leaves] == list(range(len(leaves)))
            assert [leaf.data for leaf in leaves] == [
                b"%d %d" % (channel, n) for n in range(len(leaves))
            ]
            cursor = store.get(Table.BOT, str(channel), "cursor")
            assert cursor == (b"%d" % (len(leaves) - 1) if leaves else None)
            after = leaves[-1].hash if leaves else b""
            more = Leaf(len(leaves), 0, len(leaves), b"\1" * 32, b"")
            store.append(Append(str(channel), len(leaves), after, [more])).result()
