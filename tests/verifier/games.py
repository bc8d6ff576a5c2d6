"""Real games to verify, and ways to forge them: a room, its referee, its players, its file.

``played`` plays with real managers and a real sandbox; `Bundle` is the file, taken apart so that
a test can change it; `reforge` makes a changed log hash and sign again, as the server could.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import io
import json
import zipfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp_multiplayer.channel import erasure
from mcp_multiplayer.channel.commands import Operate
from mcp_multiplayer.channel.decide import decide
from mcp_multiplayer.channel.events import Event
from mcp_multiplayer.channel.identifiers import slot_specs
from mcp_multiplayer.channel.model import Channel
from mcp_multiplayer.channel.ops import Op, read_ops
from mcp_multiplayer.sandbox.host.fair_queue import Owner
from mcp_multiplayer.sandbox.host.forkserver import ELSEWHERE
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.sandbox.hostcalls.broker import Broker
from mcp_multiplayer.sandbox.hostcalls.egress import Egress
from mcp_multiplayer.service import export
from mcp_multiplayer.service.bot_manager import BotManager, BotSpec
from mcp_multiplayer.service.channel_manager import ChannelManager
from mcp_multiplayer.service.log_keys import LogKey, LogKeys
from mcp_multiplayer.service.replica import Replica, decode
from mcp_multiplayer.service.rollback_guard import RollbackGuard
from mcp_multiplayer.service.sequencer import Request
from mcp_multiplayer.service.signing import Signing
from mcp_multiplayer.storage.memory import MemoryStore
from mcp_multiplayer.transcript import checkpoint, merkle
from mcp_multiplayer.transcript.canonical_json import canonical
from mcp_multiplayer.transcript.entries import b64u
from mcp_multiplayer.verifier import archive
from mcp_multiplayer.verifier.check import Checked, Wishes, check
from mcp_multiplayer.verifier.executor import Executor
from mcp_multiplayer.verifier.findings import Violation
from tests.harness import BOTS_DIR, Clock, Mint, manager

ALICE = "alice says 9f3c2a71d5e84b06"
BOB = "bob says 7781 purple walrus"
ACCOUNTS = {"alice": "A", "bob": "B", "carol": "C", "dave": "D"}
KEY = LogKey(b"k" * 32)


@dataclass
class Table:
    """A server with a sandbox, and the rooms that were opened on it."""

    channels: ChannelManager
    bots: BotManager
    pool: Pool
    clock: Clock

    async def open(
        self,
        preset: str | None = None,
        *,
        code: str | None = None,
        params: dict[str, Any] | None = None,
        slots: Sequence[str] = ("invite:alice", "invite:bob"),
        manifest: dict[str, Any] | None = None,
        join_as: str | None = None,
        entropy: str | None = None,
    ) -> Game:
        """Open a room; alice's account opens it."""
        specs = []
        if preset or code:
            spec = BotSpec(preset=preset, code=code, params=params, manifest=manifest)
            specs.append(await self.bots.prepare(spec, owner=Owner("A")))
        room, invites = await self.channels.create_channel(
            "A",
            host="mp.example",
            name="a game",
            slots=slot_specs(tuple(slots), max_seats=32),
            bots=specs,
            join_as=join_as,
            entropy=entropy,
        )
        return Game(self, room, invites)


@dataclass
class Game:
    """One room. Players are named by their labels."""

    table: Table
    room: Replica
    invites: dict[str, str]

    async def join(self, who: str, entropy: str | None = None) -> None:
        await self.table.channels.join_channel(
            ACCOUNTS[who], self.invites[who].partition(".")[0], entropy=entropy
        )

    async def seated(self, *, entropy: bool = True) -> Game:
        """Everybody who was invited sits down, with entropy."""
        for who in self.invites:
            words = {"alice": ALICE, "bob": BOB}.get(who, f"{who} says 0123456789abcdef")
            await self.join(who, words if entropy else None)
        return self

    async def say(self, who: str, body: Any, to: Sequence[str] | None = None) -> None:
        self.table.clock.advance(0.25)
        await self.table.channels.post_message(ACCOUNTS[who], self.room.channel_id, body, to=to)

    async def leave(self, who: str) -> None:
        await self.table.channels.leave_channel(ACCOUNTS[who], self.room.channel_id, None)

    async def update(self, who: str, *ops: dict[str, Any], code: str | None = None) -> Any:
        bots = {}
        if code is not None:
            bots[0] = await self.table.bots.prepare(BotSpec(code=code), owner=Owner("A"))
        return await self.table.channels.update_channel(
            ACCOUNTS[who], self.room.channel_id, read_ops(ops), bots=bots
        )

    async def operate(self, *ops: Op) -> None:
        """The operator of the server acts."""
        channels = self.table.channels

        def wish(channel: Channel) -> list[Event]:
            return decide(channel, Operate(ops), channels.custody.host)

        await channels.lines.submit(self.room, Request(wish))

    async def erase(self, *indices: int) -> None:
        """Write down that the operator erases these entries; their bytes are still here."""
        leaves = [self.table.channels.store.leaves(self.room.channel_id, n, 1)[0] for n in indices]
        left = [erasure.left(json.loads(leaf.data), decode(leaf)) for leaf in leaves]
        ops = zip(indices, left, strict=True)
        await self.operate(*(Op("erase", {"entry": n, "left": rest}) for n, rest in ops))

    async def ring(self) -> None:
        """Let the next clock run out."""
        due = self.room.channel.next_due
        assert due is not None
        self.table.clock.at = max(self.table.clock.at, due / 1000)
        self.table.channels.lines.settle_soon(self.room)
        await self.table.channels.lines.finish()

    def bundle(self, who: str = "alice", *, private: bool = False) -> Bundle:
        """The file that this player gets."""
        slot = next(s for s in self.room.channel.slots if s.label == who)
        reader = export.Reader(frozenset({who}), slot.since, private)
        data = export.write(self.room, self.room.channel, self.room.last_head(), reader)
        return Bundle.read(data, self.invites)


@dataclass
class Bundle:
    """A file taken apart."""

    entries: list[dict[str, Any]]
    checkpoint: str | None
    blobs: dict[str, bytes]
    openings: list[dict[str, Any]]
    invites: dict[str, str] = field(default_factory=dict)
    lines: list[bytes] | None = None  #: instead of the entries, byte for byte

    @classmethod
    def read(cls, data: bytes, invites: dict[str, str] | None = None) -> Bundle:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            members = {name: file.read(name) for name in file.namelist()}
        return cls(
            [json.loads(line) for line in members["entries.jsonl"].splitlines()],
            members["checkpoint"].decode() if "checkpoint" in members else None,
            {n[6:]: blob for n, blob in members.items() if n.startswith("blobs/")},
            [json.loads(line) for line in members["openings.jsonl"].splitlines()],
            invites or {},
        )

    def copy(self) -> Bundle:
        return copy.deepcopy(self)

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The entries of one type."""
        return [entry for entry in self.entries if entry["t"] == kind]

    @property
    def code(self) -> str:
        """The name of the first referee's source among the blobs; beside it lies its library."""
        name: str = self.of("attach")[0]["code_hash"]
        return name.removeprefix("sha256:")

    def members(self) -> dict[str, bytes]:
        lines = self.lines or [canonical(entry) for entry in self.entries]
        found = {"entries.jsonl": b"".join(line + b"\n" for line in lines)}
        if self.checkpoint is not None:
            found["checkpoint"] = self.checkpoint.encode()
        found |= {f"blobs/{name}": blob for name, blob in self.blobs.items()}
        found["openings.jsonl"] = b"".join(canonical(one) + b"\n" for one in self.openings)
        return found

    def zip(self) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
            for name, data in self.members().items():
                out.writestr(name, data)
        return file.getvalue()

    def save(self, path: Path) -> Path:
        path.write_bytes(self.zip())
        return path

    def roots(self) -> list[str]:
        """The root (base64) of each size, from 0."""
        peaks: tuple[bytes, ...] = ()
        found = [base64.b64encode(merkle.root(peaks)).decode()]
        for index, entry in enumerate(self.entries):
            peaks = merkle.push(index, peaks, merkle.leaf_hash(canonical(entry)))
            found.append(base64.b64encode(merkle.root(peaks)).decode())
        return found

    def without_words(self, *indices: int) -> Bundle:
        """Keep of these entries the hash."""
        self.lines = [canonical(entry) for entry in self.entries]
        for index in indices:
            hash = base64.b64encode(merkle.leaf_hash(self.lines[index])).decode()
            self.lines[index] = json.dumps({"erased": hash}).encode()
        return self

    def source(self, text: str) -> str:
        """Put a source beside the log; return its hash."""
        name = hashlib.sha256(text.encode()).hexdigest()
        self.blobs[name] = text.encode()
        return f"sha256:{name}"


def reforge(forged: Bundle, key: LogKey = KEY) -> Bundle:
    """Number, chain and sign the entries again, as whoever has the key can."""
    head = b""
    peaks: tuple[bytes, ...] = ()
    for index, entry in enumerate(forged.entries):
        entry["i"] = index
        entry.pop("p", None)
        if index:
            entry["p"] = b64u(head)
        head = merkle.leaf_hash(canonical(entry))
        peaks = merkle.push(index, peaks, head)
    origin = forged.entries[0]["origin"]
    forged.checkpoint = signed(origin, len(forged.entries), merkle.root(peaks), key)
    return forged


def signed(origin: str, size: int, root: bytes, key: LogKey = KEY) -> str:
    """A head signed by the room's key."""
    return checkpoint.signed(
        checkpoint.checkpoint(origin, size, root), origin, key.public, key.sign
    )


def without(forged: Bundle, index: int, count: int = 1) -> Bundle:
    """Take entries out and let every later one point at what it had pointed at."""
    del forged.entries[index : index + count]
    return _shifted(forged, index, -count)


def inserted(forged: Bundle, index: int, entry: dict[str, Any]) -> Bundle:
    """Put an entry in and let every later one point at what it had pointed at."""
    forged.entries.insert(index, entry)
    return _shifted(forged, index, 1, first=index + 1)


def _shifted(forged: Bundle, index: int, by: int, first: int | None = None) -> Bundle:
    for entry in forged.entries[index if first is None else first :]:
        for name in ("on", "at", "entry"):
            if name in entry and entry[name] >= index:
                entry[name] += by
    return forged


@asynccontextmanager
async def table(*, twice: bool = False, egress: Egress | None = None) -> AsyncIterator[Table]:
    """A server whose keys the tests have, with a real sandbox."""
    clock, mint = Clock(), Mint()
    custody = Signing(b"d" * 32, LogKeys(KEY), RollbackGuard(None))
    channels = manager(MemoryStore(), clock, mint, custody=custody)
    pool = Pool(broker=Broker(egress or Egress()))
    second = Pool(surroundings=ELSEWHERE) if twice else None
    await pool.start()
    if second is not None:
        await second.start()
    bots = BotManager(
        custody, pool, now=clock, second=second, bots_dir=BOTS_DIR, hooks_per_minute=100_000
    )
    channels.referees = bots
    try:
        yield Table(channels, bots, pool, clock)
    finally:
        await channels.close()
        await pool.close()
        if second is not None:
            await second.close()


def verify(forged: Bundle, executor: Executor | None = None, **wishes: Any) -> Checked:
    """Verify what would be in the file."""
    try:
        read = archive.of(forged.members())
    except Violation as violation:
        checked = Checked()
        checked.findings.found.append(violation.finding)
        return check(archive.Record([b""]), Wishes(**wishes), executor, checked)
    return check(read, Wishes(**wishes), executor)


def states(checked: Checked) -> dict[str, str]:
    """The state of each line."""
    return {one.line: one.state for one in checked.verdicts}


def codes(checked: Checked) -> set[str]:
    """The codes of everything found."""
    return {one.code for one in checked.findings.found}


def violations(checked: Checked) -> set[str]:
    return {one.code for one in checked.findings.found if one.violated}
