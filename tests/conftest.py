"""What tests all over the tree share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import settings

from mcp_multiplayer.demo import ports
from mcp_multiplayer.demo.pair import Pair
from mcp_multiplayer.service.channel_manager import ChannelManager
from mcp_multiplayer.storage.base import Store
from mcp_multiplayer.storage.memory import MemoryStore
from mcp_multiplayer.storage.sqlite import SqliteStore
from tests.harness import Clock, House, Mint, manager

# The same examples in every run, however busy the machine: a test fails for one reason.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile("steady")


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Each call names another port that nobody uses at the moment."""
    return ports.unused


@pytest.fixture
def clock() -> Clock:
    """The time of day, which stands still unless a test moves it."""
    return Clock()


@pytest.fixture
def mint() -> Mint:
    """Counted chance."""
    return Mint()


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A keeper of each kind."""
    kept: Store = MemoryStore() if request.param == "memory" else _on_disk(tmp_path)
    yield kept
    kept.close()


def _on_disk(tmp_path: Path) -> Store:
    return SqliteStore(tmp_path / "channels.db")


@pytest_asyncio.fixture
async def channels(store: Store, clock: Clock, mint: Mint) -> AsyncIterator[ChannelManager]:
    """The operations on channels, without referees."""
    made = manager(store, clock, mint)
    yield made
    await made.close()


@pytest_asyncio.fixture
async def house(store: Store, clock: Clock, mint: Mint) -> AsyncIterator[House]:
    """The operations on channels, with referees by script."""
    made = House(store, clock, mint)
    yield made
    await made.channels.close()


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """The real pair, shared by every test that harms nobody; who kills starts one of his own."""
    running = Pair(tmp_path_factory.mktemp("pair"), supervised=True, MAX_CHANNELS_PER_ACCOUNT="500")
    try:
        yield running.start()
    finally:
        running.stop()
