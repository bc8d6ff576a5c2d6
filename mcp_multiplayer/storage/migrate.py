"""The only migrator: brings a SQLite file to the newest version of its tables.

Step n brings a file of version n - 1 to version n. A released step is never edited: files made by
it exist; append. The version stands in ``PRAGMA user_version``, which is part of the transaction,
so a crash within a step leaves the file at the version before.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence


def migrate(db: sqlite3.Connection, steps: Sequence[Sequence[str]], *, oldest: int = 1) -> None:
    """Take the ``steps`` that the file has not taken; each is a list of statements. ValueError when
    a newer release wrote it, or one before version ``oldest``. ``db`` is in autocommit mode.

    Two processes may start on one file: the second waits and finds the work done.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        ((version,),) = db.execute("PRAGMA user_version").fetchall()
        if version > len(steps):
            raise ValueError(
                f"written by a newer release (version {version}, this one knows {len(steps)}): "
                "start that release or restore a backup"
            )
        if 0 < version < oldest:
            raise ValueError(
                f"written by an older release (version {version}, this one reads {oldest} and "
                "later): only that release can read it; start with an empty DATA_DIR"
            )
        for statements in steps[version:]:
            for statement in statements:
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {len(steps)}")
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
