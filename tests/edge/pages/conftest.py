"""What tests of pages share: one real server for a module, and proxies in memory before it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import pytest_asyncio

from tests.edge.api.house import House, open_house
from tests.edge.harness import Lab, lab

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
MARKDOWN = {"Accept": "text/markdown, text/plain;q=0.9"}
#: Runs a proxy with these settings before the server.
Open: TypeAlias = Callable[..., AbstractAsyncContextManager[Lab]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with open_house(tmp_path_factory.mktemp("house")) as it:
        await it.face.warm_up()
        yield it


@pytest.fixture
def proxy(house: House, tmp_path: Path) -> Open:
    def opened(**settings: Any) -> AbstractAsyncContextManager[Lab]:
        return lab(tmp_path, mcp_port=int(house.url.rpartition(":")[2]), **settings)

    return opened
