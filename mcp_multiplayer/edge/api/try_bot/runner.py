"""Runs a referee on a list of events, in a room that nobody else can enter and nothing keeps. The
room is a real one (the same managers, rules, log and sandbox, every hook run twice) on a store in
memory, with a clock that moves when told to; so what a trial shows is what a room would do. On the
other side is a stranger's source that has not even been published: it gets its account's share of
the workers, so many events and so much time.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mcp_multiplayer.channel import model
from mcp_multiplayer.channel.identifiers import slot_specs
from mcp_multiplayer.channel.view import Message
from mcp_multiplayer.edge.api.try_bot.events import Event, read
from mcp_multiplayer.errors import MultiplayerError, RateLimited, Unavailable
from mcp_multiplayer.sandbox.call import Effect, Failed, HookCall, HookResult
from mcp_multiplayer.sandbox.host.fair_queue import SERVER, Owner
from mcp_multiplayer.service.bot_manager import Bot, BotManager, BotSpec, default_slots
from mcp_multiplayer.service.channel_manager import ChannelManager
from mcp_multiplayer.service.hooks import Due
from mcp_multiplayer.service.replica import Replica
from mcp_multiplayer.service.signing import Signing
from mcp_multiplayer.storage.base import Row
from mcp_multiplayer.storage.memory import MemoryStore

SECONDS = 25.0  #: for all of them; hosted clients give up soon after
RINGS = 64  #: clocks that may run out in one trial: each may fill an entry of the log
Json = dict[str, Any]


@dataclass
class Ran:
    """One hook that was called and what came of it. ``error`` is empty when it went well."""

    hook: str
    about: str
    error: str = ""
    line: int | None = None
    text: str = ""
    prints: str = ""
    draws: int = 0
    network: Sequence[str] = ()


@dataclass
class Step:
    """What one event led to. ``refused``: the room itself did not take it."""

    event: Event
    ran: list[Ran] = field(default_factory=list)
    posts: list[Json] = field(default_factory=list)
    turn: Json | None = None  #: as far as this event has changed it
    result: Mapping[str, Any] | None = None
    refused: str = ""


@dataclass(frozen=True)
class Tried:
    """All of it. ``left``: how many events there was no time for."""

    bot: Bot
    seats: Sequence[str]
    steps: Sequence[Step]
    state: Mapping[str, Any]
    turn: Json | None
    result: Mapping[str, Any] | None
    clocks: Sequence[Json]
    channel: model.Channel
    left: int = 0

    @property
    def ran(self) -> list[Ran]:
        return [ran for step in self.steps for ran in step.ran]


# --- the room ------------------------------------------------------------------------------


class _Clock:
    """Time that stands still until a wait moves it; in ms, and never between two."""

    def __init__(self) -> None:
        self.ms = int(time.time() * 1000)

    def __call__(self) -> float:
        return (self.ms + 0.5) / 1000


class _Referees(BotManager):
    """Keeps what became of every hook, where others keep the author's log."""

    def __init__(self, signing: Signing, now: Callable[[], float], beside: BotManager) -> None:
        super().__init__(
            signing,
            beside.pool,
            now=now,
            second=beside.second,
            bots_dir=beside.bots_dir,
            hooks_per_minute=1_000_000,  # the trial counts events and rings itself
        )
        self._deterministic = frozenset()  # a trial says that it runs every hook twice
        self.ran: list[Ran] = []
        self.fault: Unavailable | None = None

    async def _run(self, room: Replica, call: HookCall, bot: model.Bot, owner: Owner) -> HookResult:
        try:
            return await super()._run(room, call, bot, owner)
        except Unavailable as error:  # a room would try again; a trial is over
            self.fault = error
            return Failed("Unavailable", text=str(error))

    def _notes(self, room: Replica, due: Due, result: HookResult, *, used: bool) -> list[Row]:
        about = "" if not due.args else due.args[0]
        name = about.sender if isinstance(about, Message) else str(about)
        ran = Ran(due.hook, name, prints=result.prints, draws=result.draws)
        ran.network = [_question(effect) for effect in result.effects]
        if isinstance(result, Failed):
            ran.error, ran.line, ran.text = result.error, result.line, result.text
        self.ran.append(ran)
        return []


def _question(effect: Effect) -> str:
    asked = json.loads(effect.request)
    place = asked.get("url") or ":".join(str(asked[k]) for k in ("host", "port") if k in asked)
    return f"{effect.kind} {place}"


class Trial:
    """One room of one referee; ``async with`` opens it, so that `on_init` has run."""

    def __init__(
        self,
        bots: BotManager,
        bot: Bot,
        seats: Sequence[str],
        *,
        limits: Mapping[str, Any],
        owner: Owner = SERVER,
        rings: int = RINGS,
        mint: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.bot, self.seats = bot, list(seats)
        self._rings = rings
        self._owner = Owner("the author") if owner == SERVER else owner
        self._clock = _Clock()
        self._store = MemoryStore()
        signing = Signing.fresh(mint)
        self._channels = ChannelManager(
            self._store,
            account_key=mint(32),
            rejoin_key=mint(32),
            limits=limits,
            now=self._clock,
            mint=mint,
            custody=signing,
        )
        self._bots = self._channels.referees = _Referees(signing, self._clock, bots)
        self._codes: Mapping[str, str] = {}
        self._room: Replica | None = None
        self._seen = 0
        self._turn: Any = None
        self._result: Any = None

    async def __aenter__(self) -> Trial:
        try:
            bot = replace(self.bot, new=replace(self.bot.new, slot=None))
            slots = [default_slots(bot)[0], *(f"invite:{seat}" for seat in self.seats)]
            specs = slot_specs(slots, max_seats=self._channels.limits["seats"] + 1)
            self._room, self._codes = await self._channels.create_channel(
                self._owner.account,
                host="localhost",
                network=self._owner.network,
                name="a trial",
                slots=specs,
                bots=[bot],
            )
            self.opening = self._collect(Step(Event({})))
        except BaseException:
            await self._channels.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channels.close()

    async def do(self, event: Event) -> Step:
        """Let ``event`` happen, and all that follows from it."""
        step = Step(event)
        try:
            await self._let(event, step)
        except MultiplayerError as refusal:
            step.refused = f"{refusal.code}: {refusal}"
        return self._collect(step)

    async def _let(self, event: Event, step: Step) -> None:
        assert self._room is not None
        channel_id = self._room.channel_id
        match event.kind:
            case "join":
                await self._channels.join_channel(f"seat {event.who}", self._codes[event.who])
            case "leave":
                await self._channels.leave_channel(f"seat {event.who}", channel_id, None)
            case "say":
                await self._channels.post_message(
                    f"seat {event.who}", channel_id, event.asked["say"], to=event.asked.get("to")
                )
            case "wait":
                step.refused = await self._wait(self._room, event.asked["wait"])

    async def _wait(self, room: Replica, seconds: float) -> str:
        until = self._clock.ms + round(seconds * 1000)
        while (due := room.channel.next_due) is not None and due <= until:
            if not self._rings:
                return "as many clocks have run out as a trial takes; the rest is left out"
            self._rings -= 1
            self._clock.ms = max(self._clock.ms, due)
            self._channels.lines.settle_soon(room)
            await self._channels.lines.finish()
        self._clock.ms = until
        return ""

    def _collect(self, step: Step) -> Step:
        """Take over what has happened since the last step."""
        room = self._room
        assert room is not None
        if self._bots.fault is not None:
            raise self._bots.fault
        step.ran, self._bots.ran = self._bots.ran, []
        while found := room.messages_after(self._seen, 500):
            for message in found:
                self._seen = message.id
                if message.sender.startswith("bot:"):
                    step.posts.append(_post(room, message))
                elif message.sender == "system" and message.body.get("type") == "bot:error":
                    _undone(step.ran, message.body)
        if self._turn != room.channel.turn:
            self._turn = room.channel.turn
            step.turn = self.turn or {"players": []}
        if self._result != room.channel.result:
            self._result = step.result = room.channel.result
        return step

    @property
    def seated(self) -> list[str]:
        assert self._room is not None
        return [slot.label for slot in self._room.channel.seated]

    @property
    def turn(self) -> Json | None:
        """Who is to move and what is taken, with the seconds left."""
        turn = None if self._room is None else self._room.channel.turn
        if turn is None:
            return None
        left = None if turn.deadline is None else self._left(turn.deadline)
        told = {"players": list(turn.players), "expect": turn.expect, "seconds": left}
        return told if turn.to is None else told | {"to": list(turn.to)}

    def _left(self, due: int) -> float:
        return max(0, due - self._clock.ms) / 1000

    def tried(self, steps: Sequence[Step], left: int = 0) -> Tried:
        """All that is to be said of these steps."""
        room = self._room
        assert room is not None
        memory = room.memories.get(room.channel.bots[0].at)
        return Tried(
            self.bot,
            self.seats,
            steps,
            memory.state.value if memory else {},
            self.turn,
            room.channel.result,
            [{"name": t.name, "seconds": self._left(t.due)} for t in room.channel.timers],
            room.channel,
            left,
        )


def _undone(ran: Sequence[Ran], told: Mapping[str, Any]) -> None:
    """A hook went well and the room's rules then refused what it did."""
    mine = [one for one in ran if one.hook == told["hook"]]
    if mine and not any(one.error == told["error"] for one in mine):
        next(one for one in reversed(mine) if not one.error).error = told["error"]


def _post(room: Replica, message: Message) -> Json:
    """What the bot said, with what only ``to`` can read of it."""
    said: Json = {"sender": message.sender, "kind": message.kind, "body": dict(message.body)}
    if message.to is not None:
        said["to"] = list(message.to)
        opening = room.opening(message) or {}
        if "" in opening:
            return said | {"body": opening[""][1]}
        said["body"].pop("_sd", None)
        said["private"] = {name: value for name, (_, value) in opening.items()}
    return said


# --- for accounts --------------------------------------------------------------------------


class Trials:
    """Trials of a server's callers: one at a time for each account."""

    def __init__(self, channels: ChannelManager, bots: BotManager) -> None:
        self._channels = channels
        self._bots = bots
        self._busy: set[str] = set()

    async def run(self, owner: Owner, spec: BotSpec, asked: Sequence[Any]) -> Tried:
        """Try a referee on these events, in the account's share of the sandbox."""
        account, events = owner.account, read(asked)
        if account in self._busy:
            raise RateLimited("you are trying a referee already", retry_after=5)
        self._busy.add(account)
        try:
            bot = await self._bots.prepare(spec, owner=owner)
            return await attempt(self._bots, bot, events, limits=self._channels.limits, owner=owner)
        finally:
            self._busy.discard(account)


async def attempt(
    bots: BotManager,
    bot: Bot,
    events: Sequence[Event],
    *,
    limits: Mapping[str, Any],
    owner: Owner = SERVER,
) -> Tried:
    """Let these events happen one after the other, as far as `SECONDS` reach. The seats are
    those that somebody joins."""
    joined = [event.who for event in events if event.kind == "join"]
    seats = joined or [slot.partition(":")[2] for slot in default_slots(bot)[1:]]
    async with Trial(bots, bot, seats, limits=limits, owner=owner) as trial:
        steps = [trial.opening]
        try:
            async with asyncio.timeout(SECONDS):
                for event in events:
                    steps.append(await trial.do(event))
        except TimeoutError:
            pass
        return trial.tried(steps, len(events) + 1 - len(steps))
