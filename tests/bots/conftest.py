"""What the tests of all referees share: the real sandbox."""

from collections.abc import AsyncIterator

import pytest_asyncio

from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.workshop.table import own_library


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[Pool]:
    """One sandbox for a module's games."""
    made = Pool(library=own_library())
    await made.start()
    yield made
    await made.close()
