"""How changes are made durable and those who wait for it hear of it.

A thread writes, and whoever waits shares the next flush. There is no waiting window. While
one batch is being flushed the next one gathers, so a lone writer never waits for company, and
thirty-two concurrent ones pay for one flush together.

For a coroutine, `asyncio.wrap_future` is right and wakes the loop once for every commit. With
`on` as the store's ``deliver`` the loop is woken once for every batch: measured, a third of a
commit's processor time with 8 and more submitters. `to_future` is right with and without it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue

from mcp_multiplayer.errors import Unavailable
from mcp_multiplayer.storage.base import Append

logger = logging.getLogger(__name__)

#: Makes changes durable, in order; answers for each why it was refused, or None.
Commit = Callable[[Sequence[Append]], Sequence[Exception | None]]
#: Runs, once for each batch and on whatever thread it likes, the call that fulfils its futures.
Deliver = Callable[[Callable[[], None]], None]
_Waiting = tuple[Append, Future[None]]


def at_once(fulfil: Callable[[], None]) -> None:
    """Fulfil on the writer's thread: the plain promise, and right for callers that block."""
    fulfil()


class GroupCommit:
    """Carries changes to ``commit`` in the order of submission, from one thread of its own."""

    def __init__(self, commit: Commit, name: str, *, deliver: Deliver = at_once) -> None:
        self._commit = commit
        self._deliver = deliver
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._lock = threading.Lock()  # nothing may enter the queue behind the final None
        self._closed = False
        # A process that ends without `close` ends: nothing unacknowledged was promised.
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    def submit(self, change: Append) -> Future[None]:
        done: Future[None] = Future()
        with self._lock:
            if not self._closed:
                self._queue.put((change, done))
                return done
        done.set_exception(Unavailable("the store is closed"))
        return done

    def close(self) -> None:
        """Finish what was submitted. A second call waits for the same end."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _serve(self) -> None:
        open_ = True
        while open_:
            taken = [self._queue.get()]
            # Count first: producers as fast as this loop must not keep a batch from ending.
            taken += [self._queue.get_nowait() for _ in range(self._queue.qsize())]
            open_ = taken[-1] is not None
            self._carry([item for item in taken if item is not None])

    def _carry(self, batch: list[_Waiting]) -> None:
        # From here on a future cannot be cancelled. One that was is carried all the same:
        # its change was submitted, and those behind it may have been decided on it.
        awaited = [future.set_running_or_notify_cancel() for _, future in batch]
        try:
            outcomes = self._commit([change for change, _ in batch])
        except Exception:  # a dead writer would leave every later caller waiting for ever
            logger.exception("a batch of %d changes failed", len(batch))
            outcomes = [Unavailable("the store failed") for _ in batch]
        self._deliver(partial(_fulfil, batch, awaited, outcomes))


def _fulfil(
    batch: Sequence[_Waiting], awaited: Sequence[bool], outcomes: Sequence[Exception | None]
) -> None:
    for (_, future), wanted, fault in zip(batch, awaited, outcomes, strict=True):
        if not wanted:
            continue
        if fault is None:
            future.set_result(None)
        else:
            future.set_exception(fault)


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
