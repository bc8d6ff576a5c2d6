"""One pool of real processes for each test file."""

from collections.abc import AsyncIterator

import pytest_asyncio

from mcp_multiplayer.sandbox.call import Limits
from mcp_multiplayer.sandbox.host.pool import Pool


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[Pool]:
    made = Pool(limits=Limits(hook_seconds=5.0))
    await made.start()
    yield made
    await made.close()
