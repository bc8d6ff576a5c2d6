"""What every scenario gets: the running servers, accounts, and how long a run may take."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import rooms
from benchmarks.eras import Era
from benchmarks.servers import Pair, Process, bare, pair

ACCOUNTS = 32
Json = dict[str, Any]


@dataclass(frozen=True)
class Stage:
    pair: Pair
    bare: Process
    accounts: Sequence[str]  #: access tokens
    seconds: float  #: of one run
    eras: Sequence[Era]
    clients: Sequence[int]


@asynccontextmanager
async def stage(
    seconds: float, eras: Sequence[Era], clients: Sequence[int]
) -> AsyncIterator[Stage]:
    """Both servers, on an empty data directory."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with pair(directory) as ours, bare(directory) as theirs:
            accounts = await rooms.tokens(ours.port, ACCOUNTS)
            yield Stage(ours, theirs, accounts, seconds, eras, clients)
