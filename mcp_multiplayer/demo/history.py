"""What it takes to change the past: the database as it was, and no memory of signed heads."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from mcp_multiplayer.config import load
from mcp_multiplayer.service.rollback_guard import RollbackGuard


class Forgetful(RollbackGuard):
    """Signs whatever it is asked to."""

    def highest(self, channel_id: str) -> tuple[int, bytes] | None:
        return None

    def record(self, channel_id: str, size: int, root: bytes) -> None:
        pass


def database() -> Path:
    return load().data_dir / "channels.db"


def copy(source: Path, target: Path) -> None:
    """Put the database ``source`` in the place of ``target``, whoever has it open."""
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)
