"""The tables of `channels.db`, as steps for `migrate`."""

from __future__ import annotations

#: Version 1 held logs of mpx-log/1, which no release has written.
OLDEST = 2
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (),
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
    ("ALTER TABLE leaves ADD COLUMN erased INTEGER NOT NULL DEFAULT 0",),
)
