"""What tests of rooms share: time that stands still, counted chance, a sandbox by script."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from mcp_multiplayer.channel.identifiers import slot_specs
from mcp_multiplayer.sandbox.call import Finished, HookCall, HookResult, Limits, SourceReport
from mcp_multiplayer.sandbox.host.fair_queue import SERVER, Owner
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.sandbox.jail.isolation import Isolation
from mcp_multiplayer.service.bot_manager import Bot, BotManager, BotSpec
from mcp_multiplayer.service.channel_manager import ChannelManager
from mcp_multiplayer.service.replica import Replica
from mcp_multiplayer.storage.base import Append, Leaf, Store, Table
from mcp_multiplayer.storage.commits import to_future
from mcp_multiplayer.transcript import entries as chain
from mcp_multiplayer.transcript.entries import Head
from mcp_multiplayer.transcript.names import HOOKS

LIMITS: Mapping[str, Any] = {
    "body_kb": 16,
    "seats": 32,
    "invite_days": 7,
    "open_seconds": 600,
    "reveal_days": 7,
    "channel_mb": 64,
    "output_kb": 48,
    "state_kb": 256,
    "hook_fuel": 800_000,
    "hook_seconds": 5,
}
BOTS_DIR = Path(__file__).parent.parent / "bots"


@dataclass
class Clock:
    """Time that moves when told to. Seconds since the epoch."""

    at: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += seconds


@dataclass
class Mint:
    """Bytes that differ from call to call and are the same in every run."""

    seed: str = "mint"
    calls: int = 0

    def __call__(self, size: int) -> bytes:
        self.calls += 1
        return hashlib.shake_256(f"{self.seed} {self.calls}".encode()).digest(size)


def manager(store: Store, clock: Clock, mint: Mint, **settings: Any) -> ChannelManager:
    """A manager of channels with keys that outlive it."""
    return ChannelManager(
        store,
        account_key=b"a" * 32,
        rejoin_key=b"r" * 32,
        limits=settings.pop("limits", LIMITS),
        now=clock,
        mint=mint,
        **settings,
    )


async def opened(
    channels: ChannelManager, *slots: str, account: str = "host", **wishes: Any
) -> tuple[Replica, dict[str, str]]:
    """Open a room with these slots; two seats when none are named."""
    specs = slot_specs(slots or ("invite:alice", "invite:bob"), max_seats=LIMITS["seats"])
    wishes.setdefault("name", "test")
    return await channels.create_channel(account, host="localhost", slots=specs, **wishes)


def leaves(store: Store, channel_id: str) -> list[Leaf]:
    """The whole log."""
    return store.leaves(channel_id, 0, 1_000_000)


def verified(store: Store, channel_id: str) -> Head:
    """Check the log as an outsider would, and return its head."""
    return chain.verify([leaf.data for leaf in leaves(store, channel_id)])


def entries(store: Store, channel_id: str, kind: str = "") -> list[dict[str, Any]]:
    """The log's entries, or those of one type."""
    found = [json.loads(leaf.data or b"{}") for leaf in leaves(store, channel_id)]
    return [entry for entry in found if not kind or entry["t"] == kind]


async def flushed(channels: ChannelManager) -> None:
    """Write the marks down and wait until they are on the disk."""
    channels.flush_marks()
    await to_future(channels.store.append(Append("", 0, b"", unconditional=True)))


Hook = Callable[[HookCall], HookResult]


@dataclass
class ScriptedPool:
    """The sandbox's place, taken by Python functions: a source is the name of a script."""

    scripts: dict[str, Mapping[str, Hook]] = field(default_factory=dict)
    calls: list[HookCall] = field(default_factory=list)
    owners: list[Owner] = field(default_factory=list)  #: of the calls
    before: Callable[[HookCall], Any] | None = None  #: awaited before each hook
    isolation: Isolation = field(default_factory=Isolation)
    limits: Limits = field(default_factory=Limits)

    def script(self, source: str, **hooks: Hook) -> str:
        self.scripts[source] = hooks
        return source

    async def inspect(
        self,
        source: str,
        *,
        library: str | None = None,
        inline: bool = True,
        owner: Owner = SERVER,
    ) -> SourceReport:
        hooks = self.scripts.get(source)
        known = tuple(hook for hook in HOOKS if hooks and hook in hooks)
        name = source if hooks is not None else None
        return SourceReport(known, name, None, network=False, dice=False)

    async def run(
        self, call: HookCall, *, owner: Owner = SERVER, limits: Limits | None = None
    ) -> HookResult:
        self.calls.append(call)
        self.owners.append(owner)
        if self.before is not None:
            await self.before(call)
        return self.scripts[call.source][call.hook](call)

    def heard(self, source: str = "") -> list[str]:
        """The hooks that were called, with what on_join and on_message were told."""
        return [
            " ".join([call.hook, *(_told(arg) for arg in call.args)])
            for call in self.calls
            if not source or call.source == source
        ]


def _told(arg: Any) -> str:
    return str(arg) if isinstance(arg, str) else str(arg["body"].get("text", arg["body"]))


def quiet(call: HookCall) -> HookResult:
    """A hook that does nothing."""
    return Finished()


@dataclass
class House:
    """Rooms with referees, in memory or on disk."""

    store: Store
    clock: Clock = field(default_factory=Clock)
    mint: Mint = field(default_factory=Mint)
    pool: ScriptedPool = field(default_factory=ScriptedPool)
    hooks_per_minute: int = 100_000

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Begin as after a restart: new managers on what the store has kept."""
        self.channels = manager(self.store, self.clock, self.mint)
        self.bots = BotManager(
            self.channels.custody,
            cast(Pool, self.pool),
            now=self.clock,
            bots_dir=BOTS_DIR,
            hooks_per_minute=self.hooks_per_minute,
        )
        self.channels.referees = self.bots

    async def bot(self, source: str, **spec: Any) -> Bot:
        return await self.bots.prepare(BotSpec(code=source, **spec))

    async def room(self, *sources: str, slots: tuple[str, ...] = (), **wishes: Any) -> Replica:
        """Open a room with these referees and everybody seated: alice is account A, bob B."""
        bots = [await self.bot(source) for source in sources]
        wanted = slots or ("invite:alice", "invite:bob")
        room, codes = await opened(self.channels, *wanted, bots=bots, **wishes)
        for label, account in (("alice", "A"), ("bob", "B")):
            if label in codes:
                await self.channels.join_channel(account, codes[label])
        return room


class CountingStore:
    """A store that counts what it is asked for, and fails when told to."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.calls = 0
        self.leaves_read = 0
        self.appends: list[int] = []  #: how many leaves each append brought
        self.fail: list[Exception] = []  #: what the next appends with leaves come to

    def append(self, change: Append) -> Future[None]:
        self.calls += 1
        if change.leaves:
            self.appends.append(len(change.leaves))
            if self.fail:
                failed: Future[None] = Future()
                failed.set_exception(self.fail.pop(0))
                return failed
        return self.store.append(change)

    def head(self, channel_id: str) -> Leaf | None:
        self.calls += 1
        return self.store.head(channel_id)

    def leaves(self, channel_id: str, start: int, limit: int) -> list[Leaf]:
        self.calls += 1
        found = self.store.leaves(channel_id, start, limit)
        self.leaves_read += len(found)
        return found

    def leaves_after_message(self, channel_id: str, message: int, limit: int) -> list[Leaf]:
        self.calls += 1
        found = self.store.leaves_after_message(channel_id, message, limit)
        self.leaves_read += len(found)
        return found

    def get(self, table: Table, channel_id: str, key: str) -> bytes | None:
        self.calls += 1
        return self.store.get(table, channel_id, key)

    def scan(self, table: Table, channel_id: str) -> list[tuple[str, bytes]]:
        self.calls += 1
        return self.store.scan(table, channel_id)

    def find(self, table: Table, key: str) -> list[tuple[str, bytes]]:
        self.calls += 1
        return self.store.find(table, key)

    def close(self) -> None:
        self.store.close()


async def turns(count: int = 20) -> None:
    """Let whatever is ready run; nothing in a test waits for the clock."""
    for _ in range(count):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    """Let others run, threads too, until ``condition`` holds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  the condition may be another thread's
            await asyncio.sleep(0.001)
