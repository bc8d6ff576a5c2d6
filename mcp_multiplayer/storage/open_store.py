"""Which keeper an address names."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from mcp_multiplayer.storage.base import Store
from mcp_multiplayer.storage.commits import Deliver, at_once
from mcp_multiplayer.storage.memory import MemoryStore
from mcp_multiplayer.storage.sqlite import SqliteStore


def open_store(url: str, data_dir: Path, *, deliver: Deliver = at_once) -> Store:
    """Return the store that DATABASE_URL names: ``""`` is the file `channels.db` in ``data_dir``.

    ``deliver`` may bring the futures of a batch to an event loop together (`commits.on`).
    Raises ValueError with one line for the operator when there is none or it cannot be opened.
    """
    if url == "memory://":
        return MemoryStore()
    if url.startswith(("postgresql://", "postgres://")):
        raise ValueError("DATABASE_URL: PostgreSQL comes with a later release; leave it empty")
    if url:
        # Not repeated: an address may hold a password, and this line goes to a log.
        raise ValueError("DATABASE_URL: neither empty (a file in DATA_DIR) nor memory://")
    path = data_dir / "channels.db"
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        return SqliteStore(path, deliver=deliver)
    except (OSError, sqlite3.Error, ValueError) as fault:
        raise ValueError(f"{path}: {fault}") from fault
