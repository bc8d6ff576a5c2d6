"""The file oauth.db: clients, accounts, grants.

Trusted for everything: whoever can write here can become anybody. It holds no secret
in clear, only SHA-256 of random ones, so whoever reads it can become nobody. Losing it
signs everyone out and orphans their seats: it belongs into the backup.

A write is acknowledged after COMMIT with synchronous=FULL: it survives a power cut.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mcp_multiplayer.config import BadSetting, Settings
from mcp_multiplayer.storage.migrate import migrate

#: Steps for `migrate`.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE clients (
            client_id TEXT PRIMARY KEY, secret_hash TEXT NOT NULL, name TEXT NOT NULL,
            redirect_uris TEXT NOT NULL, grant_types TEXT NOT NULL, auth_method TEXT NOT NULL,
            service TEXT NOT NULL, admitted TEXT NOT NULL,
            created_at REAL NOT NULL, used_at REAL
        )""",
        "CREATE INDEX clients_unused ON clients (created_at) WHERE used_at IS NULL",
        """CREATE TABLE accounts (
            sub TEXT PRIMARY KEY, name TEXT NOT NULL, created_at REAL NOT NULL, used_at REAL
        )""",
        "CREATE INDEX accounts_unused ON accounts (created_at) WHERE used_at IS NULL",
        """CREATE TABLE browsers (
            hash TEXT PRIMARY KEY, admitted TEXT NOT NULL, seen_at REAL NOT NULL
        )""",
        """CREATE TABLE holdings (
            browser TEXT NOT NULL REFERENCES browsers ON DELETE CASCADE,
            sub TEXT NOT NULL REFERENCES accounts ON DELETE CASCADE,
            last_client TEXT NOT NULL, last_at REAL NOT NULL, PRIMARY KEY (browser, sub)
        )""",
        "CREATE INDEX holdings_sub ON holdings (sub)",
        """CREATE TABLE approvals (
            sub TEXT NOT NULL REFERENCES accounts ON DELETE CASCADE,
            client_id TEXT NOT NULL REFERENCES clients ON DELETE CASCADE,
            redirect_uri TEXT NOT NULL, PRIMARY KEY (sub, client_id, redirect_uri)
        )""",
        "CREATE INDEX approvals_client ON approvals (client_id)",
        """CREATE TABLE grants (
            grant_id INTEGER PRIMARY KEY, sub TEXT NOT NULL, client_id TEXT NOT NULL,
            issuer TEXT NOT NULL, admitted TEXT NOT NULL, created_at REAL NOT NULL,
            ends_at REAL NOT NULL, revoked_at REAL
        )""",
        "CREATE INDEX grants_end ON grants (ends_at)",
        """CREATE TABLE codes (
            hash TEXT PRIMARY KEY, grant_id INTEGER NOT NULL REFERENCES grants ON DELETE CASCADE,
            redirect_uri TEXT NOT NULL, challenge TEXT NOT NULL, expires_at REAL NOT NULL,
            used_at REAL
        )""",
        "CREATE INDEX codes_grant ON codes (grant_id)",
        """CREATE TABLE tokens (
            hash TEXT PRIMARY KEY, grant_id INTEGER NOT NULL REFERENCES grants ON DELETE CASCADE,
            kind TEXT NOT NULL, expires_at REAL NOT NULL, used_at REAL
        )""",
        "CREATE INDEX tokens_grant ON tokens (grant_id)",
        "CREATE INDEX tokens_end ON tokens (expires_at)",
    ),
    (
        "ALTER TABLE clients ADD COLUMN network TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE grants ADD COLUMN network TEXT NOT NULL DEFAULT ''",
    ),
    (
        "ALTER TABLE clients ADD COLUMN keys TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE clients ADD COLUMN read_at REAL NOT NULL DEFAULT 0",
        "ALTER TABLE clients ADD COLUMN fresh_until REAL NOT NULL DEFAULT 0",
        "CREATE TABLE assertions (hash TEXT PRIMARY KEY, expires_at REAL NOT NULL)",
        """CREATE TABLE devices (
            hash TEXT PRIMARY KEY, user_code TEXT NOT NULL UNIQUE, client_id TEXT NOT NULL,
            issuer TEXT NOT NULL, network TEXT NOT NULL, created_at REAL NOT NULL,
            expires_at REAL NOT NULL, state TEXT NOT NULL,
            grant_id INTEGER REFERENCES grants ON DELETE CASCADE, used_at REAL
        )""",
        "CREATE INDEX devices_grant ON devices (grant_id)",
        "CREATE INDEX devices_end ON devices (expires_at)",
    ),
)

MEMORY = "memory://"


def mint(prefix: str) -> str:
    """Return a fresh secret: the prefix and 43 url-safe characters (256 bits).

    The prefix lets secret scanners, and the rule that a post may not contain a live
    secret, recognise one.
    """
    return prefix + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """Return what is stored in place of ``secret``.

    Plain SHA-256 is enough because what is hashed has 256 random bits; a slow hash
    would only slow us.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


class Database:
    """One connection behind one lock: sign-ins are rare, and SQLite has one writer anyway.

    May be used from any thread; never from the event loop, for a commit waits for the disk.
    """

    def __init__(self, path: str) -> None:
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute("PRAGMA busy_timeout=5000")
        migrate(self._connection, MIGRATIONS)

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Give a transaction that is durable when the block ends and undone when it raises."""
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                # A COMMIT that failed, on a full disk say, may have left it open, and then no other
                # could begin.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def rows(self, query: str, arguments: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Return what ``query`` selects."""
        with self._lock:
            return self._connection.execute(query, arguments).fetchall()

    def row(self, query: str, arguments: Sequence[Any] = ()) -> sqlite3.Row | None:
        """Return the first row ``query`` selects, or None."""
        found = self.rows(query, arguments)
        return found[0] if found else None

    def close(self) -> None:
        """Let go of the file. Calling it twice is fine."""
        with self._lock:
            self._connection.close()


def open_database(settings: Settings) -> Database:
    """Open what DATABASE_URL and DATA_DIR name, or raise `BadSetting` saying what to do."""
    scheme = settings.database_url.split("://", 1)[0]
    if settings.database_url == MEMORY:
        return Database(":memory:")
    if scheme:
        # The scheme alone: such an address often contains a password.
        raise BadSetting(
            f"DATABASE_URL={scheme}://...: sign-ins are kept in SQLite only;"
            " leave it unset, or memory:// to keep nothing"
        )
    path = Path(settings.data_dir) / "oauth.db"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        return Database(str(path))
    except (OSError, sqlite3.Error, ValueError) as error:
        raise BadSetting(
            f"DATA_DIR={settings.data_dir}: cannot use oauth.db there ({error})"
        ) from None
