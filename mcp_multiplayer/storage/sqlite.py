"""Logs in one SQLite file: the keeper for one node.

Theory of operation. One connection writes, on the thread of `commits`; one reads,
on the caller's thread, and sees committed data only. In WAL mode neither waits for the
other. A batch is first decided against the heads, then written, then flushed: one
transaction, all of it or none.

Trust: see `base`. The file is readable by its owner only, because private bodies and
referees' state stand in it in clear. `tests/storage/test_sqlite.py` looks.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from mcp_multiplayer.errors import HeadMoved, Unavailable
from mcp_multiplayer.storage import migrations
from mcp_multiplayer.storage.base import Append, Leaf, Table
from mcp_multiplayer.storage.check_append import EMPTY, Head, follow
from mcp_multiplayer.storage.commits import Deliver, GroupCommit, at_once
from mcp_multiplayer.storage.migrate import migrate

logger = logging.getLogger(__name__)

#: How long another process may hold the file before we say so.
BUSY_SECONDS = 5.0
#: What SQLite or its binding says of values it cannot keep: the submitter's fault alone.
_UNFIT = (
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    sqlite3.DataError,
    OverflowError,
    UnicodeError,
)
_LEAF = "SELECT idx, ts, messages, hash, data, erased FROM leaves WHERE channel = ?"


class SqliteStore:
    """A file that survives a crash of the machine from the moment a future is done.

    Raises ValueError when the file is of a newer release, sqlite3.Error or OSError when
    it cannot be opened.
    """

    def __init__(self, path: Path, *, deliver: Deliver = at_once) -> None:
        self._lock = threading.Lock()  # guards the reading connection
        writing = _open_for_writing(path)
        try:
            self._db = _connect(f"{path.resolve().as_uri()}?mode=ro")
        except sqlite3.Error:
            writing.close()
            raise
        self._writing = writing
        self._writer = GroupCommit(_Batches(writing).commit, path.name, deliver=deliver)

    def append(self, change: Append) -> Future[None]:
        return self._writer.submit(change)

    def head(self, channel_id: str) -> Leaf | None:
        found = self._read(f"{_LEAF} ORDER BY idx DESC LIMIT 1", channel_id)
        return Leaf._make(found[0]) if found else None

    def leaves(self, channel_id: str, start: int, limit: int) -> list[Leaf]:
        sql = f"{_LEAF} AND idx >= ? ORDER BY idx LIMIT ?"
        return [Leaf._make(leaf) for leaf in self._read(sql, channel_id, start, max(limit, 0))]

    def leaves_after_message(self, channel_id: str, message: int, limit: int) -> list[Leaf]:
        sql = f"{_LEAF} AND said > 0 AND messages > ? ORDER BY messages LIMIT ?"
        return [Leaf._make(leaf) for leaf in self._read(sql, channel_id, message, max(limit, 0))]

    def get(self, table: Table, channel_id: str, key: str) -> bytes | None:
        sql = "SELECT value FROM rows WHERE tab = ? AND channel = ? AND key = ?"
        found = self._read(sql, table.value, channel_id, key)
        return found[0][0] if found else None

    def scan(self, table: Table, channel_id: str) -> list[tuple[str, bytes]]:
        sql = "SELECT key, value FROM rows WHERE tab = ? AND channel = ? ORDER BY key"
        return self._read(sql, table.value, channel_id)

    def find(self, table: Table, key: str) -> list[tuple[str, bytes]]:
        # Left alone, the planner walks the whole table by its primary key.
        sql = "SELECT channel, value FROM rows INDEXED BY rows_key WHERE tab = ? AND key = ?"
        return self._read(f"{sql} ORDER BY channel", table.value, key)

    def close(self) -> None:
        self._writer.close()
        with self._lock:
            self._db.close()
            self._writing.close()

    def _read(self, sql: str, *values: str | int) -> list[Any]:
        try:
            with self._lock:
                # All rows at once: a statement left half-way would pin an old snapshot.
                return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as fault:
            raise Unavailable(f"the store cannot be read: {fault}") from fault


def _open_for_writing(path: Path) -> sqlite3.Connection:
    # SQLite gives its -wal and -shm files the mode of the main file.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.fchmod(descriptor, 0o600)
    os.close(descriptor)
    db = _connect(path.resolve().as_uri())
    try:
        db.execute("PRAGMA journal_mode = WAL").fetchall()
        db.execute("PRAGMA synchronous = FULL")  # NORMAL would lose acknowledged words
        migrate(db, migrations.MIGRATIONS, oldest=migrations.OLDEST)
    except BaseException:
        db.close()
        raise
    return db


def _connect(uri: str) -> sqlite3.Connection:
    """``check_same_thread`` is ours to keep: the reader by its lock, the writer by its thread."""
    return sqlite3.connect(
        uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )


class _Batches:
    """The writer's half: which changes of a batch hold, and all of those in one transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def commit(self, changes: Sequence[Append]) -> Sequence[Exception | None]:
        """Make every change that follows its head durable, all with one flush."""
        try:
            return self._transact(changes)
        except _UNFIT as fault:
            if len(changes) == 1:
                return [fault]
            # One change is at fault and SQLite does not say which: each for itself, then.
            return [self.commit([change])[0] for change in changes]
        except sqlite3.Error as fault:
            # A flush that failed may still have reached the disk, and after a crash of the
            # machine the batch may be there: its callers repeat, and find the head moved.
            logger.exception("a batch of %d changes was not written", len(changes))
            return [Unavailable(f"the disk refuses: {fault}") for _ in changes]

    def _transact(self, changes: Sequence[Append]) -> Sequence[Exception | None]:
        try:
            # IMMEDIATE: from here no other process writes, so the heads we read stay true.
            self._db.execute("BEGIN IMMEDIATE")
            plan = _Plan(self._db)
            outcomes = [plan.admit(change) for change in changes]
            plan.write()
            # A crash before this returns: none of the batch is there, and nobody was told so.
            self._db.execute("COMMIT")
            return outcomes
        finally:
            # After a full disk SQLite has often rolled back by itself.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")


class _Plan:
    """What one transaction will write. A change is refused before anything of it is written,
    so a stale one costs its neighbours nothing and needs no savepoint."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._heads: dict[str, Head] = {}  #: as they will be, for the next change of a channel
        self._leaves: list[tuple[Any, ...]] = []
        self._rows: dict[tuple[str, str, str], bytes | None] = {}

    def admit(self, change: Append) -> Exception | None:
        """Take the change into the plan, or say why it is refused."""
        channel = change.channel_id
        before = EMPTY if change.unconditional else self._head(channel)
        try:
            after = follow(before, change)
        except (HeadMoved, ValueError) as fault:
            return fault
        messages = before.messages
        for leaf in change.leaves:
            said, messages = leaf.messages - messages, leaf.messages
            self._leaves.append((channel, leaf.number, leaf.ts, messages, said, *leaf[3:]))
        for row in change.rows:
            self._rows[row.table.value, row.channel_id, row.key] = row.value
        if change.leaves:
            self._heads[channel] = after
        return None

    def write(self) -> None:
        put = [(*row, value) for row, value in self._rows.items() if value is not None]
        dropped = [row for row, value in self._rows.items() if value is None]
        self._db.executemany("INSERT INTO leaves VALUES (?, ?, ?, ?, ?, ?, ?, ?)", self._leaves)
        self._db.executemany(
            "INSERT INTO rows VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            put,
        )
        self._db.executemany("DELETE FROM rows WHERE tab = ? AND channel = ? AND key = ?", dropped)

    def _head(self, channel: str) -> Head:
        # Keeping heads between batches was measured: not faster, and wrong beside another writer.
        head = self._heads.get(channel)
        if head is None:
            sql = "SELECT idx + 1, hash, messages FROM leaves WHERE channel = ?"
            found = self._db.execute(f"{sql} ORDER BY idx DESC LIMIT 1", (channel,)).fetchall()
            head = self._heads[channel] = Head._make(found[0]) if found else EMPTY
        return head
