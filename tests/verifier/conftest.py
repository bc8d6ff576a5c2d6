"""One jail for all verifications of a file of tests; starting one takes longer than a game."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from mcp_multiplayer.verifier.executor import Executor
from mcp_multiplayer.verifier.replay import Replayer
from tests.verifier.games import Bundle, Table, table


@pytest.fixture(scope="module")
def jail() -> Iterator[Executor]:
    with Replayer() as replayer:
        yield replayer


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Table]:
    async with table() as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guess(server: Table) -> Bundle:
    """A finished game of GuessBot, which drew once; alice gave up."""
    game = await (await server.open("GuessBot")).seated()
    for who, move in (("alice", "guess 50"), ("bob", "guess 20"), ("alice", "hello there")):
        await game.say(who, move)
    await game.say("alice", "concede")
    return game.bundle()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def coin(server: Table) -> Bundle:
    """A finished game of CoinBot: alice called in public, bob sealed his call."""
    game = await (await server.open("CoinBot")).seated()
    await game.say("alice", "heads")
    await game.say("bob", "tails", to=["bot:coin"])
    return game.bundle("bob")


@pytest.fixture
def in_public() -> Iterator[Path]:
    """Not below tmp_path: another pytest that starts meanwhile closes that to other users."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        yield Path(name)
