"""Ends the work for a client that goes away: an abandoned wait costs nobody anything."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from starlette.types import Receive


def until_gone(receive: Receive) -> AbstractAsyncContextManager[None]:
    """Cancel the block when the client goes away; leave it as if nothing happened then. The
    request was read whole before."""
    return until(functools.partial(_gone, receive))


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


@asynccontextmanager
async def until(over: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Cancel the block when ``over`` returns; leave it as if nothing happened then.

    One task per request, as cheap as it gets: the block itself runs in the request's task.
    """
    task = asyncio.current_task()
    assert task is not None
    ended = False

    async def watch() -> None:
        nonlocal ended
        await over()
        ended = True
        task.cancel()

    watcher = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError:
        # Ours, unless somebody else (a shutdown) wants this task to end as well.
        if not ended or task.uncancel() > 0:
            raise
    finally:
        watcher.cancel()
