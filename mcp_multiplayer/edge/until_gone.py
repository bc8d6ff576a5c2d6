"""Ends the work for a client that goes away: an abandoned wait costs nobody anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import Receive


@asynccontextmanager
async def until_gone(receive: Receive) -> AsyncIterator[None]:
    """Cancel the block when the client goes away; leave it as if nothing happened then. The
    request was read whole before.

    One task per request, as cheap as it gets: the block itself runs in the request's task.
    """
    task = asyncio.current_task()
    assert task is not None
    gone = False

    async def watch() -> None:
        nonlocal gone
        while (await receive())["type"] != "http.disconnect":
            pass
        gone = True
        task.cancel()

    watcher = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError:
        # Ours, unless somebody else (a shutdown) wants this task to end as well.
        if not gone or task.uncancel() > 0:
            raise
    finally:
        watcher.cancel()
