"""The tables of `channels.db`, as numbered steps.

Step n brings a file of version n - 1 to version n. A released step is never edited:
files made by it exist. The version stands in ``PRAGMA user_version``, which is part
of the transaction, so a crash within a step leaves the file at the version before.
"""

from __future__ import annotations

import sqlite3

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # `said` is how many messages this leaf adds. Leaves that add none stay out of the
        # partial index, so that skipping ten thousand of them costs nothing.
        """CREATE TABLE leaves (
            channel TEXT NOT NULL,
            idx INTEGER NOT NULL,
            ts INTEGER NOT NULL,
            messages INTEGER NOT NULL,
            said INTEGER NOT NULL,
            hash BLOB NOT NULL,
            data BLOB,
            PRIMARY KEY (channel, idx)
        ) WITHOUT ROWID""",
        "CREATE INDEX leaves_said ON leaves (channel, messages) WHERE said > 0",
        """CREATE TABLE rows (
            tab TEXT NOT NULL,
            channel TEXT NOT NULL,
            key TEXT NOT NULL,
            value BLOB NOT NULL,
            PRIMARY KEY (tab, channel, key)
        ) WITHOUT ROWID""",
        "CREATE INDEX rows_key ON rows (tab, key, channel)",
    ),
)


def migrate(db: sqlite3.Connection) -> None:
    """Bring the file to the newest version, or raise ValueError when it is newer than that.

    Two processes may start on one file: the second waits and finds the work done.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        ((version,),) = db.execute("PRAGMA user_version").fetchall()
        if version > len(MIGRATIONS):
            raise ValueError(
                f"written by a newer release (version {version}, this one knows "
                f"{len(MIGRATIONS)}): start that release or restore a backup"
            )
        for statements in MIGRATIONS[version:]:
            for statement in statements:
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
