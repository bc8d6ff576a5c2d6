"""From a store's future to one that a coroutine can await.

`asyncio.wrap_future` is right and wakes the loop once for every commit. With `on` as the
store's ``deliver`` the loop is woken once for every batch: measured, a third of a commit's
processor time with 8 and more submitters. `to_future` is right with and without it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future

from mcp_multiplayer.storage.commit_thread import Deliver


def on(loop: asyncio.AbstractEventLoop) -> Deliver:
    """Return the ``deliver`` that fulfils each batch on ``loop``.

    A store opened with it must not be waited for on the loop's own thread by
    ``Future.result``: the loop would wait for itself. After `close` on that thread
    everything is on the disk; the futures are done when the loop turns next.
    """

    def deliver(fulfil: Callable[[], None]) -> None:
        try:
            loop.call_soon_threadsafe(fulfil)
        except RuntimeError:  # the loop is closed: whoever still waits, waits on a thread
            fulfil()

    return deliver


def to_future(done: Future[None]) -> asyncio.Future[None]:
    """Return an awaitable of this loop that ends as ``done``. Cancelling it cancels nothing."""
    loop = asyncio.get_running_loop()
    landing: asyncio.Future[None] = loop.create_future()

    def arrive(source: Future[None]) -> None:
        if _running() is loop:
            _settle(source, landing)
        else:
            loop.call_soon_threadsafe(_settle, source, landing)

    done.add_done_callback(arrive)
    return landing


def _running() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _settle(source: Future[None], landing: asyncio.Future[None]) -> None:
    if landing.done():  # its awaiter was cancelled
        return
    if source.cancelled():
        landing.cancel()
    elif fault := source.exception():
        landing.set_exception(fault)
    else:
        landing.set_result(None)
