"""The queue in front of each channel: one task drains it, so a channel has one writer.

    submit ▶ queue ▶ decide ▶ append ▶ answer ▶ hooks ▶ next item

This file is that line from top to bottom, and what a crash at each step leaves is said where it
happens. Whatever a log grows by goes through `Sequencer._append`: what members ask for, what
becomes of hooks, clocks that ran out, what a room that was loaded has to be told. It is the one
place that learns of another writer (`HeadMoved`).

A channel without referees takes everything that waits in one step and one append; with
referees one item at a time, and its hooks before the next, so that between two steps no
hook is pending; while hooks cannot be run nothing else happens there. A request only awaits
its future: cancelling it cancels nothing.

A clock that runs out is an item too. Its place is before whatever came after it: a move
made in time counts however long it waited for its turn, and a late one finds the tick.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Protocol

from mcp_multiplayer.channel import decide as rules
from mcp_multiplayer.channel.commands import Expire
from mcp_multiplayer.channel.events import Event, Msg, Runtime
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
from mcp_multiplayer.sandbox.host.fair_queue import Owner
from mcp_multiplayer.service import hooks
from mcp_multiplayer.service.hook_io import Heard
from mcp_multiplayer.service.replica import Draft, Memory, Posted, Replica, Step, private_row
from mcp_multiplayer.service.scheduler import Scheduler
from mcp_multiplayer.service.signing import Signing
from mcp_multiplayer.storage.base import Append, Row, Table
from mcp_multiplayer.storage.commits import to_future
from mcp_multiplayer.transcript.canonical_json import NotCanonical
from mcp_multiplayer.transcript.entries import TooLong

log = logging.getLogger(__name__)

WAITING = 256  #: items that may wait for one channel
PATIENCE = 12.0  #: seconds an item may wait for its turn behind slow hooks
RETRY_HOOKS = 5.0  #: seconds until hooks and clocks are tried again that we could not run
REPEAT_MS = 600_000  #: how long a repeated post is recognised

Decide = Callable[[Channel], list[Event]]


class Bots(Protocol):
    """What runs the hooks of a room's bots: `bot_manager.BotManager`. It writes nothing."""

    def admit(self, room: Replica) -> None:
        """Raise `RateLimited` when the room's bots have no time for one more message."""

    def pause(self, room: Replica) -> float:
        """Seconds until the room's bots have time for a clock that ran out; 0 takes it."""

    async def hear(self, room: Replica, owner: Callable[[Replica], Owner]) -> Heard | None:
        """Run the next hook that is due, on its ``owner``'s account, and return what came of it;
        None when none is due."""


class NoBots:
    """For rooms without bots, and tests: nothing is ever due."""

    def admit(self, room: Replica) -> None:
        pass

    def pause(self, room: Replica) -> float:
        return 0.0

    async def hear(self, room: Replica, owner: Callable[[Replica], Owner]) -> Heard | None:
        return None


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
    """What came of a request, durable. No steps: it was so already. ``posted`` is there for
    posts, also for one that had been made before."""

    steps: tuple[Step, ...] = ()
    posted: Posted | None = None


@dataclass(eq=False)
class _Item:
    request: Request
    now: int
    done: asyncio.Future[Outcome]


@dataclass
class _Queue:
    waiting: deque[_Item] = field(default_factory=deque)
    task: asyncio.Task[None] | None = None
    pause: int = 0  #: no clock is looked at before, in ms since the epoch


@dataclass
class _Batch:
    """What was decided on one head, one thing after the other: the next append. ``index``: the
    index of clocks is wrong, so there is something to write even without entries or rows."""

    draft: Draft | None = None
    rows: list[Row] = field(default_factory=list)
    posted: dict[str, Posted] = field(default_factory=dict)
    memories: dict[int, Memory] = field(default_factory=dict)
    outcomes: list[tuple[_Item, Outcome | MultiplayerError]] = field(default_factory=list)
    index: bool = False


class Sequencer:
    """All channels' queues. ``bots`` runs the hooks that a step made due, ``owner`` knows who pays
    for a room's, ``alarms`` is told when a room that nobody is busy with must be looked at, and
    ``custody`` knows the seeds that come out and what a room that was just loaded has to be
    told."""

    def __init__(
        self,
        now_ms: Callable[[], int],
        *,
        owner: Callable[[Replica], Owner],
        alarms: Scheduler,
        custody: Signing,
    ) -> None:
        self.bots: Bots = NoBots()
        self._now_ms = now_ms
        self._owner = owner
        self._alarms = alarms
        self._custody = custody
        self._lines: dict[str, _Queue] = {}
        self._retries: dict[str, asyncio.TimerHandle] = {}
        self._stopping = False

    # --- submit ----------------------------------------------------------------------------

    async def submit(self, room: Replica, request: Request) -> Outcome:
        """Queue ``request`` and return what came of it, once that is durable.

        Raise what its decision raises, `RateLimited` when too much waits or its turn does not
        come within `PATIENCE` (then it is taken out of the queue and nothing happens),
        `Unavailable` when the store refuses or the server is about to end.

        A crash while it waits: nothing has happened, and nobody was told that it had.
        """
        if self._stopping:
            raise Restarting
        line = self._lines.setdefault(room.channel_id, _Queue())
        if len(line.waiting) >= WAITING:
            raise RateLimited("this room has too much to do at the moment")
        loop = asyncio.get_running_loop()
        item = _Item(request, self._now_ms(), loop.create_future())
        line.waiting.append(item)
        self._run(room, line)
        timer = loop.call_later(PATIENCE, _give_up, line, item)
        try:
            return await item.done
        finally:
            timer.cancel()

    def settle_soon(self, room: Replica) -> None:
        """Run what is due from before, without a request of anybody's."""
        self._run(room, self._lines.setdefault(room.channel_id, _Queue()))

    def _run(self, room: Replica, line: _Queue) -> None:
        if line.task is None:
            line.task = asyncio.get_running_loop().create_task(self._drain(room, line))

    # --- queue -----------------------------------------------------------------------------

    async def _drain(self, room: Replica, line: _Queue) -> None:
        """The one writer of a channel, for as long as it has something to do.

        First what a crash has left: hooks that were due then are due now, on the same inputs.
        """
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
            due = room.channel.next_due
            self._alarms.set(room.channel_id, None if due is None else max(due, line.pause))

    def _clock(self, room: Replica, line: _Queue) -> int | None:
        """The time, if a clock has run out by it and comes before whoever waits. While hooks
        are due none does: what they still have to hear may stop it."""
        due = room.channel.next_due
        if due is None:
            return None
        now = line.waiting[0].now if line.waiting else self._now_ms()
        if max(due, line.pause) > now:
            return None
        if room.fresh or room.unsettled or room.channel_id in self._retries:
            return None
        if seconds := self.bots.pause(room):
            line.pause = now + math.ceil(seconds * 1000)
            return None
        return now

    async def _serve(self, room: Replica, line: _Queue) -> None:
        """What members ask for."""
        several = 1 if room.channel.bots or not room.head.size else len(line.waiting)
        items = [line.waiting.popleft() for _ in range(several)]
        try:
            await self._step(room, items)
        except Exception as error:  # noqa: BLE001  the queue goes on; every caller is told
            _refuse(items, error)

    async def _tick(self, room: Replica, now: int) -> None:
        """A clock that ran out. A crash after its entry and before its hook: the index of clocks
        still names it, so a start looks here though nobody comes."""

        def decide(channel: Channel) -> list[Event]:
            return [] if room.unsettled else rules.decide(channel, Expire(now))

        try:
            await self._step(room, [_own(decide, now)])
        except Exception:  # the clock has still run out, and is looked at again
            log.exception("a clock of %s could not be written down", room.channel_id)
            self._retry_later(room)

    async def _look_through(self, room: Replica) -> None:
        """The first thing after a room was loaded, before any hook of it runs. A crash before
        this is durable: the next load comes to the same."""
        item = _own(lambda _: self._custody.chores(room), self._now_ms())
        try:
            if room.head.size:
                await self._step(room, [item])
            room.fresh = False
        except Exception:  # as with a clock; nothing happens in the room before it is written
            log.exception("what %s has to be told could not be written down", room.channel_id)
            self._retry_later(room)

    async def _step(self, room: Replica, items: Sequence[_Item]) -> None:
        """Decide, append, answer."""
        made = await self._append(room, lambda: self._decide(room, items))
        # A crash from here on, with the answers on their way: it has happened and stands in the
        # log. Whoever asks again finds the entry, or is recognised by the key of the post.
        for item, outcome in made.outcomes:
            _answer(item, outcome)

    # --- decide ----------------------------------------------------------------------------

    def _decide(self, room: Replica, items: Sequence[_Item]) -> _Batch:
        """Decide on each item in the state that the one before it leaves. All of it is in memory:
        a crash takes it away, and nobody has heard of it."""
        made = _Batch()
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
        request, before = item.request, made.draft.channel if made.draft else room.channel
        key = request.repeat
        if key is not None and (again := made.posted.get(key) or _before(room, key, item.now)):
            return Outcome(posted=again)
        happened, steps = self._place(room, made, request.decide, item.now)
        made.rows += [*request.rows, *request.rows_of(before, happened)]
        if not steps or not isinstance(steps[-1].event, Msg):
            return Outcome(steps)
        said = steps[-1]
        posted = Posted(said.messages[0].id, said.entry, said.ts, item.now, request.since)
        if request.opening is not None:
            made.rows.append(private_row(room.channel_id, posted.msg_id, request.opening))
        if key is not None:
            made.posted[key] = posted
            made.rows += _posted_rows(room, key, posted)
        return Outcome(steps, posted)

    def _place(
        self, room: Replica, made: _Batch, decide: Decide, ts: int
    ) -> tuple[Sequence[Event], tuple[Step, ...]]:
        """Decide, complete the events with the seeds that come out, and give them their places
        behind what the batch has already."""
        base = made.draft
        happened = self._custody.complete(room, decide(base.channel if base else room.channel))
        made.draft = room.draft([(event, ts) for event in happened], base=base)
        return happened, made.draft.steps[len(base.steps) if base else 0 :]

    # --- append ----------------------------------------------------------------------------

    async def _append(self, room: Replica, decide: Callable[[], _Batch]) -> _Batch:
        """Make ``decide``'s batch durable, and the room's state; the only way into a log.

        The change names the head that it was decided on, and is all or nothing: entries, what is
        kept beside them, the memories of bots, the index of clocks. A crash before the disk has
        it: nothing has happened. After that: all of it has, and a load folds it from the log.
        When another writer was first, what it wrote is folded and ``decide`` called again, until
        nobody is. An error of the store is the caller's: then nothing has happened.
        """
        while True:
            made = decide()
            if not (made.draft and made.draft.leaves) and not made.rows and not made.index:
                return made
            draft = made.draft or room.draft(())
            try:
                await to_future(room.store.append(room.change(draft, made.rows)))
            except HeadMoved:
                room.catch_up()
                continue
            room.adopt(draft)
            room.posted.update(made.posted)
            room.memories.update(made.memories)
            room.notifier.notify()  # after it is durable: nobody is woken by an untruth
            return made

    # --- hooks -----------------------------------------------------------------------------

    async def _hooks(self, room: Replica) -> None:
        """Run what is due, in order. What cannot be run stays due."""
        if room.fresh:
            return
        try:
            await self._settle(room)
        except Exception:  # our own fault; the hooks stay due and are tried again
            log.exception("hooks of %s could not be run", room.channel_id)
            self._retry_later(room)

    async def _settle(self, room: Replica) -> None:
        """Run every hook that is due and append what comes of it, until none is.

        A crash while a hook runs, or before what came of it is durable: it is due again, on the
        same inputs, with the same dice; the log shows it once. After that: its bot's cursor is
        behind it, for the two are one append.
        """
        silent: set[int] = set()
        while True:
            await self._note_runtime(room)
            if (heard := await self.bots.hear(room, self._owner)) is not None:
                if heard.silent:  # in memory only: after a crash it is heard and silent again
                    room.memories[heard.bot] = heard.after
                    silent.add(heard.bot)
                else:
                    await self._append(room, partial(self._judge, room, heard))
                    silent.discard(heard.bot)
                continue
            if silent:
                await _keep_cursors(room, silent)
                silent = set()
            if room.channel.next_due == room.clock or await self._put_index_right(room):
                break
        if room.settled < room.head.size:
            room.settle_all()
            room.notifier.notify()

    async def _put_index_right(self, room: Replica) -> bool:
        """A tick that no hook answered was the last thing: nobody need look here for it any more.
        False when another node wrote meanwhile, and hooks may be due. A crash before: somebody
        looks once too often."""
        size = room.head.size
        await self._append(room, lambda: _Batch(index=room.head.size == size))
        return room.head.size == size

    async def _note_runtime(self, room: Replica) -> None:
        """Write down, before a hook runs, that this server runs it on something else than the room
        knows. A crash after it: the room knows."""
        runtime = self._custody.host.runtime

        def untold() -> bool:
            return room.channel.runtime != runtime and hooks.due(room) is not None

        def decide() -> _Batch:  # another node may have run the hook meanwhile, or noted the same
            return _Batch(room.draft([(Runtime(runtime), room.head.ts)]) if untold() else None)

        if untold():
            await self._append(room, decide)

    def _judge(self, room: Replica, heard: Heard) -> _Batch:
        """Decide on what a hook came to; nothing, when another node has run this very hook."""
        made = _Batch()
        if room.memories.get(heard.bot) == heard.before:
            decide = partial(rules.decide, command=heard.result.command)
            happened, steps = self._place(room, made, decide, heard.ts)
            made.memories[heard.bot], made.rows = heard.kept(room.channel_id, happened, steps)
        return made

    # --- what could not be done, and the end -----------------------------------------------

    def _retry_later(self, room: Replica) -> None:
        if room.channel_id not in self._retries:
            loop = asyncio.get_running_loop()
            timer = loop.call_later(RETRY_HOOKS, self._retry, room)
            self._retries[room.channel_id] = timer

    def _retry(self, room: Replica) -> None:
        del self._retries[room.channel_id]
        self.settle_soon(room)

    def busy(self, room: Replica) -> bool:
        return room.channel_id in self._lines

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


def _own(decide: Decide, now: int) -> _Item:
    """An item of the server's own, for whose answer nobody waits."""
    return _Item(Request(decide), now, asyncio.get_running_loop().create_future())


def _held(room: Replica) -> Unavailable | None:
    """Why nothing may happen here now. An entry before a hook that is due would stand in the
    log as if the referee had been silent, one before `Signing.chores` might come to be signed."""
    if room.fresh:
        return Unavailable("the room's record could not be opened", retry_after=RETRY_HOOKS)
    if room.unsettled and hooks.due(room) is not None:
        busy = "the room's referees cannot be run, and have yet to hear what was said"
        return Unavailable(busy, retry_after=RETRY_HOOKS)
    return None


async def _keep_cursors(room: Replica, bots: set[int]) -> None:
    """Hooks that left no trace in the log need not be heard again after a restart."""
    rows = [room.memories[at].row(room.channel_id, at) for at in sorted(bots)]
    change = Append(room.channel_id, 0, b"", (), rows, unconditional=True)
    await to_future(room.store.append(change))


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
