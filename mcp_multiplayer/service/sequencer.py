"""The queue in front of each channel: one task drains it, so a channel has one writer.

    item ▶ fold ▶ DECIDE ▶ chain ▶ append-if-head ▶ answer ▶ wake ▶ hooks ▶ next item

A channel without referees takes everything that waits in one step and one append; with
referees one item at a time, and its hooks before the next, so that between two steps no
hook is pending; while hooks cannot be run nothing else happens there. A request only awaits
its future: cancelling it cancels nothing.

A clock that runs out is an item too. Its place is before whatever came after it: a move
made in time counts however long it waited for its turn, and a late one finds the tick.

A crash before the append told nobody anything; after it, whoever asks again finds the
entry (or, for a post, is recognised by its key). Nobody is woken by an untruth.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field

from mcp_multiplayer.channel import decide as rules
from mcp_multiplayer.channel import timers
from mcp_multiplayer.channel.commands import Expire
from mcp_multiplayer.channel.events import Event, Msg
from mcp_multiplayer.channel.model import Channel
from mcp_multiplayer.channel.view import Opening
from mcp_multiplayer.errors import (
    BadMessage,
    HeadMoved,
    MultiplayerError,
    RateLimited,
    Restarting,
    TooLarge,
    Unavailable,
)
from mcp_multiplayer.service import hooks
from mcp_multiplayer.service.replica import Draft, Posted, Replica, Step, private_row
from mcp_multiplayer.service.scheduler import Scheduler
from mcp_multiplayer.service.signing import Signing
from mcp_multiplayer.storage.base import Row, Table
from mcp_multiplayer.storage.to_asyncio import to_future
from mcp_multiplayer.transcript.canonical_json import NotCanonical
from mcp_multiplayer.transcript.entries import TooLong

log = logging.getLogger(__name__)

WAITING = 256  #: items that may wait for one channel
PATIENCE = 12.0  #: seconds an item may wait for its turn behind slow hooks
RETRY_HOOKS = 5.0  #: seconds until hooks and clocks are tried again that we could not run
REPEAT_MS = 600_000  #: how long a repeated post is recognised

Decide = Callable[[Channel], list[Event]]


@dataclass(frozen=True)
class Request:
    """What somebody wants to happen, ready to be decided on whatever state its turn finds.

    ``rows`` are written if it happens, and what ``rows_of`` makes of the state before and of what
    happens. A post brings ``opening`` (what opens its private
    body) and ``repeat`` (the key under which the same post is recognised), and
    ``since``, what its caller had read.
    """

    decide: Decide
    rows: Sequence[Row] = ()
    opening: Opening | None = None
    repeat: str | None = None
    since: int = 0
    rows_of: Callable[[Channel, Sequence[Event]], Sequence[Row]] = lambda before, happened: ()


@dataclass(frozen=True)
class Outcome:
    """What came of a wish, durable. No steps: it was so already. ``posted`` is there for
    posts, also for one that had been made before."""

    steps: tuple[Step, ...] = ()
    posted: Posted | None = None


@dataclass(eq=False)
class _Item:
    wish: Request
    now: int
    done: asyncio.Future[Outcome]


@dataclass
class _Queue:
    waiting: deque[_Item] = field(default_factory=deque)
    task: asyncio.Task[None] | None = None
    pause: int = 0  #: no clock is looked at before, in ms since the epoch


@dataclass
class _Batch:
    """Several items decided one after the other on one head."""

    draft: Draft
    rows: list[Row] = field(default_factory=list)
    posted: dict[str, Posted] = field(default_factory=dict)
    outcomes: list[tuple[_Item, Outcome | MultiplayerError]] = field(default_factory=list)


class Sequencer:
    """All channels' queues. ``settle`` runs the hooks that a step made due, ``pause`` says in
    how many seconds a room's bots have time for a clock (0 takes that time), ``alarms``
    is told when a room that nobody is busy with must be looked at, and ``custody`` knows the
    seeds that come out and what a room that was just loaded has to be told."""

    def __init__(
        self,
        now_ms: Callable[[], int],
        settle: Callable[[Replica], Awaitable[None]],
        *,
        pause: Callable[[Replica], float],
        alarms: Scheduler,
        custody: Signing,
    ) -> None:
        self._now_ms = now_ms
        self._settle = settle
        self._pause = pause
        self._alarms = alarms
        self._custody = custody
        self._lines: dict[str, _Queue] = {}
        self._retries: dict[str, asyncio.TimerHandle] = {}
        self._stopping = False

    def busy(self, room: Replica) -> bool:
        return room.channel_id in self._lines

    async def submit(self, room: Replica, wish: Request) -> Outcome:
        """Queue ``wish`` and return what came of it, once that is durable.

        Raise what its decision raises, `RateLimited` when too much waits or its turn does not
        come within `PATIENCE` (then it is taken out of the queue and nothing happens),
        `Unavailable` when the store refuses or the server is about to end.
        """
        if self._stopping:
            raise Restarting
        line = self._lines.setdefault(room.channel_id, _Queue())
        if len(line.waiting) >= WAITING:
            raise RateLimited("this room has too much to do at the moment")
        done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        item = _Item(wish, self._now_ms(), done)
        line.waiting.append(item)
        self._run(room, line)
        timer = asyncio.get_running_loop().call_later(PATIENCE, _give_up, line, item)
        try:
            return await done
        finally:
            timer.cancel()

    def settle_soon(self, room: Replica) -> None:
        """Run what is due from before, without a wish of anybody's."""
        self._run(room, self._lines.setdefault(room.channel_id, _Queue()))

    def stop(self) -> None:
        """Refuse what waits for its turn, and whatever comes."""
        self._stopping = True
        for line in self._lines.values():
            _refuse(line.waiting, Restarting())
            line.waiting.clear()

    async def finish(self, seconds: float | None = None) -> None:
        """Wait until every queue is empty. Hooks that could not be run stay due; so do those that
        still run after ``seconds``: whoever loads the room runs them again on the same inputs."""
        for timer in self._retries.values():
            timer.cancel()
        self._retries.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while tasks := self._tasks():
                    await asyncio.wait(tasks)
        for task in self._tasks():
            task.cancel()

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [line.task for line in self._lines.values() if line.task]

    def _run(self, room: Replica, line: _Queue) -> None:
        if line.task is None:
            line.task = asyncio.get_running_loop().create_task(self._drain(room, line))

    async def _drain(self, room: Replica, line: _Queue) -> None:
        if room.fresh:
            await self._look_through(room)
        await self._hooks(room)
        while (now := self._clock(room, line)) is not None or line.waiting:
            if now is not None:
                await self._tick(room, now)
            elif held := _held(room):
                _refuse(line.waiting, held)
                line.waiting.clear()
                continue
            else:
                await self._serve(room, line)
            await self._hooks(room)
        # No await between the last look at the queue and this: nothing can slip in.
        del self._lines[room.channel_id]
        if room.channel_id not in self._retries:
            due = timers.next_due(room.channel)
            self._alarms.set(room.channel_id, None if due is None else max(due, line.pause))

    async def _look_through(self, room: Replica) -> None:
        """The first thing after a room was loaded, before any hook of it runs."""
        item = self._own_item(lambda _: self._custody.chores(room), self._now_ms())
        try:
            if room.head.size:
                await self._step(room, [item])
            room.fresh = False
        except Exception:  # as with a clock; nothing happens in the room before it is written
            log.exception("what %s has to be told could not be written down", room.channel_id)
            self._retry_later(room)

    def _own_item(self, decide: Decide, now: int) -> _Item:
        return _Item(Request(decide), now, asyncio.get_running_loop().create_future())

    async def _serve(self, room: Replica, line: _Queue) -> None:
        several = 1 if room.channel.bots or not room.head.size else len(line.waiting)
        items = [line.waiting.popleft() for _ in range(several)]
        try:
            await self._step(room, items)
        except Exception as error:  # noqa: BLE001  the queue goes on; every caller is told
            _refuse(items, error)

    def _clock(self, room: Replica, line: _Queue) -> int | None:
        """The time, if a clock has run out by it and comes before whoever waits. While hooks
        are due none does: what they still have to hear may stop it."""
        now = line.waiting[0].now if line.waiting else self._now_ms()
        due = timers.next_due(room.channel)
        if due is None or max(due, line.pause) > now:
            return None
        if room.fresh or room.unsettled or room.channel_id in self._retries:
            return None
        if seconds := self._pause(room):
            line.pause = now + math.ceil(seconds * 1000)
            return None
        return now

    async def _tick(self, room: Replica, now: int) -> None:
        def decide(channel: Channel) -> list[Event]:
            return [] if room.unsettled else rules.decide(channel, Expire(now))

        item = self._own_item(decide, now)
        try:
            await self._step(room, [item])
        except Exception:  # the clock has still run out, and is looked at again
            log.exception("a clock of %s could not be written down", room.channel_id)
            self._retry_later(room)

    async def _hooks(self, room: Replica) -> None:
        if room.fresh:
            return
        try:
            await self._settle(room)
        except Exception:  # our own fault; the hooks stay due and are tried again
            log.exception("hooks of %s could not be run", room.channel_id)
            self._retry_later(room)
        room.notifier.notify()

    def _retry_later(self, room: Replica) -> None:
        if room.channel_id not in self._retries:
            loop = asyncio.get_running_loop()
            timer = loop.call_later(RETRY_HOOKS, self._retry, room)
            self._retries[room.channel_id] = timer

    def _retry(self, room: Replica) -> None:
        del self._retries[room.channel_id]
        self.settle_soon(room)

    async def _step(self, room: Replica, items: Sequence[_Item]) -> None:
        while True:
            made = self._decide(room, items)
            if made.draft.leaves or made.rows:
                try:
                    change = room.change(made.draft, made.rows)
                    await to_future(room.store.append(change))
                except HeadMoved:  # another node was first: decide again on what it wrote
                    room.refresh()
                    room.load_memories()  # it may have run hooks too
                    room.load_posted()
                    continue
                room.adopt(made.draft)
                room.posted.update(made.posted)
            for item, outcome in made.outcomes:
                _answer(item, outcome)
            room.notifier.notify()
            return

    def _decide(self, room: Replica, items: Sequence[_Item]) -> _Batch:
        made = _Batch(room.draft(()))
        for item in items:
            try:
                made.outcomes.append((item, self._decide_one(room, item, made)))
            except MultiplayerError as refusal:
                made.outcomes.append((item, refusal))
            except TooLong as error:
                made.outcomes.append((item, TooLarge(str(error), hint="Make it smaller.")))
            except NotCanonical as error:
                made.outcomes.append((item, BadMessage(str(error))))
        return made

    def _decide_one(self, room: Replica, item: _Item, made: _Batch) -> Outcome:
        wish, base = item.wish, made.draft
        key = wish.repeat
        if key is not None and (again := made.posted.get(key) or _before(room, key, item.now)):
            return Outcome(posted=again)
        happened = self._custody.complete(room, wish.decide(base.channel))
        made.draft = room.draft([(event, item.now) for event in happened], base=base)
        steps = made.draft.steps[len(base.steps) :]
        made.rows += [*wish.rows, *wish.rows_of(base.channel, happened)]
        if not steps or not isinstance(steps[-1].event, Msg):
            return Outcome(steps)
        posted = Posted(
            steps[-1].messages[0].id, steps[-1].entry, steps[-1].ts, item.now, wish.since
        )
        if wish.opening is not None:
            made.rows.append(private_row(room.channel_id, posted.msg_id, wish.opening))
        if key is not None:
            made.posted[key] = posted
            made.rows += _posted_rows(room, key, posted)
        return Outcome(steps, posted)


def _held(room: Replica) -> Unavailable | None:
    """Why nothing may happen here now. An entry before a hook that is due would stand in the
    log as if the referee had been silent, one before `Signing.chores` might come to be signed."""
    if room.fresh:
        return Unavailable("the room's record could not be opened", retry_after=RETRY_HOOKS)
    if hooks.due(room) is not None:
        busy = "the room's referees cannot be run, and have yet to hear what was said"
        return Unavailable(busy, retry_after=RETRY_HOOKS)
    return None


def _give_up(line: _Queue, item: _Item) -> None:
    """Its turn has not come: a caller told so may repeat it, one who gave up need not."""
    if item in line.waiting:
        line.waiting.remove(item)
        late = "this room's referees are still busy with what was said before"
        _answer(item, RateLimited(late, retry_after=RETRY_HOOKS))


def _before(room: Replica, key: str, now: int) -> Posted | None:
    known = room.posted.get(key)
    return known if known is not None and known.at > now - REPEAT_MS else None


def _posted_rows(room: Replica, key: str, posted: Posted) -> list[Row]:
    """Remember this post, and forget those that are too old to be asked for."""
    value = json.dumps(asdict(posted)).encode()
    rows = [Row(Table.POSTED, room.channel_id, key, value)]
    room.posted.pop(key, None)  # used again after it was forgotten: it is not the oldest now
    while room.posted:
        oldest = next(iter(room.posted))
        if room.posted[oldest].at > posted.at - REPEAT_MS:
            break
        del room.posted[oldest]
        rows.append(Row(Table.POSTED, room.channel_id, oldest, None))
    return rows


def _answer(item: _Item, outcome: Outcome | MultiplayerError) -> None:
    if item.done.done():  # the request was cancelled; what it asked for has happened
        return
    if isinstance(outcome, MultiplayerError):
        item.done.set_exception(outcome)
    else:
        item.done.set_result(outcome)


def _refuse(items: Iterable[_Item], error: Exception) -> None:
    if not isinstance(error, Unavailable):
        log.error("a step failed", exc_info=error)
        error = Unavailable("the server could not write this down")
    for item in items:
        if not item.done.done():
            item.done.set_exception(error)
