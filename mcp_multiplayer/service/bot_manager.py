"""BotManager: attaches referees and lets them hear the log.

Each bot is a cursor in its channel's log. For each hook that is due: read its inputs,
run it in the sandbox, append its words, its new state and its cursor in one change. A
crash in between runs the hook again on the same inputs; the log shows it once. A hook
that fails changes nothing but a `bot:error` message; the room lives on.

On the other side is a stranger's code. What it returns is data: checked for size and
addressees here, committed as a whole or not at all. It never shares a process with this
file (`sandbox`).
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mcp_multiplayer.channel import decide, model
from mcp_multiplayer.channel.commands import NewBot
from mcp_multiplayer.channel.events import Runtime
from mcp_multiplayer.channel.identifiers import LABEL, room_name
from mcp_multiplayer.channel.view import Message
from mcp_multiplayer.errors import BotNotFound, BotRejected, HeadMoved, InvalidRequest, RateLimited
from mcp_multiplayer.ratelimit import RateLimit
from mcp_multiplayer.sandbox.call import Effect, Failed, HookCall, HookResult, SourceReport
from mcp_multiplayer.sandbox.executor import Executor
from mcp_multiplayer.sandbox.host.determinism_check import run_twice
from mcp_multiplayer.sandbox.host.fair_queue import SERVER, Owner
from mcp_multiplayer.service import bot_output, hook_io, hooks
from mcp_multiplayer.service.channel_manager import Bot, ChannelManager
from mcp_multiplayer.service.params import check as check_params
from mcp_multiplayer.service.replica import Memory, Replica
from mcp_multiplayer.storage.base import Append, Row
from mcp_multiplayer.storage.to_asyncio import to_future
from mcp_multiplayer.transcript.canonical_json import NotCanonical, canonical, parse

log = logging.getLogger(__name__)

BUILTIN = "builtin://"
#: Beside the presets, as sha256sum reads it: those that `scripts/prove_bots` has proven to do the
#: same on other Pythons, as other users, with other memory and other addresses.
DETERMINISTIC = "deterministic.sha256"
DEFAULT_SEATS = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")


@dataclass(frozen=True)
class BotSpec:
    """A referee as a caller asks for it: one of ``preset`` and ``code``."""

    preset: str | None = None
    code: str | None = None
    name: str | None = None
    version: str | None = None
    manifest: Mapping[str, Any] | None = None
    params: Mapping[str, Any] | None = None
    slot: str | None = None


class BotManager:
    """See the module. Register with ``channels.referees = BotManager(channels, pool, …)``.

    Every hook runs once more in the pool ``second``, with other string hashes, before anything
    of it is published; without one, a bot that is not deterministic is not told so. Sources on the
    list of this release (`DETERMINISTIC`) were proven to be, and run once.
    """

    def __init__(
        self,
        channels: ChannelManager,
        pool: Executor,
        *,
        second: Executor | None = None,
        bots_dir: Path,
        inline: bool = True,
        hooks_per_minute: int = 120,
    ) -> None:
        self._channels = channels
        self.pool = pool
        self.second = second
        self.bots_dir = bots_dir
        self.inline = inline
        self._per_minute = hooks_per_minute
        self._deterministic = _deterministic(bots_dir)
        self._presets: dict[str, tuple[str, SourceReport]] = {}
        self._words = RateLimit(hooks_per_minute, 60, now=channels.now)
        self._ticks = RateLimit(hooks_per_minute, 60, now=channels.now)

    # --- attaching -------------------------------------------------------------------------

    async def presets(self) -> list[Bot]:
        """Every referee shipped with this server, as it would be attached."""
        names = sorted(path.stem for path in self.bots_dir.glob("*_bot.py"))
        return [await self.prepare(BotSpec(preset=_class_name(name))) for name in names]

    async def prepare(self, spec: BotSpec, *, owner: Owner = SERVER) -> Bot:
        """Inspect a referee, hold its params to its manifest, return what `attach` needs.

        Raise `BotRejected` (line and reason), `BotNotFound`, `TooLarge`, `InvalidRequest`.
        """
        if (spec.preset is None) == (spec.code is None):
            raise InvalidRequest("a referee is either a preset or source code, one of the two")
        if spec.preset is not None:
            preset = spec.preset.removeprefix(BUILTIN)
            source, report = await self._preset(preset)
            return self._bot(spec, source, report, f"{BUILTIN}{preset}")
        if not self.inline:
            raise BotRejected(
                "this server runs shipped referees only (INLINE_BOTS=off)",
                hint="list_bots names them.",
            )
        source = spec.code or ""
        report = await self.pool.inspect(source, owner=owner)
        return self._bot(spec, source, report, None)

    def _bot(self, spec: BotSpec, source: str, report: SourceReport, ref: str | None) -> Bot:
        return _bot(spec, source, report, ref, self.pool.isolation.level)

    async def _preset(self, name: str) -> tuple[str, SourceReport]:
        if name not in self._presets:
            path = self.bots_dir / f"{_file_name(name)}.py"
            known = re.fullmatch(r"[A-Z][A-Za-z]{1,40}Bot", name) and path.is_file()
            if not known:
                raise BotNotFound(f"there is no preset {name[:60]!r}")
            source = path.read_text(encoding="utf-8")
            self._presets[name] = (source, await self.pool.inspect(source, inline=False))
        return self._presets[name]

    # --- hearing ---------------------------------------------------------------------------

    def admit(self, room: Replica) -> None:
        """Take one message from the room's allowance, or raise `RateLimited`; nothing is
        lost, the poster is told when to repeat."""
        listening = [bot for bot in room.channel.bots if "on_message" in bot.hooks]
        if not listening:
            return
        wait = self._words.take(room.channel_id, len(listening))
        if wait:
            raise RateLimited(
                f"this room's referees take at most {self._per_minute} messages a minute",
                retry_after=wait,
            )

    def pause(self, room: Replica) -> float:
        """See `Referees`. Clocks have an allowance of their own: a player who floods the room
        must not stop them."""
        return self._ticks.take(room.channel_id)

    async def settle(self, room: Replica) -> None:
        """Run every hook that is due, in order; see `Referees` in channel_manager."""
        silent: set[int] = set()
        while (due := hooks.due(room)) is not None:
            if room.channel.runtime != self._channels.custody.host.runtime:
                await self._note_runtime(room)
                continue  # another node may have run it meanwhile
            if await self._hear(room, due):
                silent.discard(due.bot.at)
            else:
                silent.add(due.bot.at)
        if silent:
            await self._keep_cursors(room, silent)
        if room.clock_moves(idle := room.draft(())):  # a tick that no hook answered
            with suppress(HeadMoved):  # whoever wrote has put it right
                await to_future(room.store.append(room.change(idle, ())))
                room.adopt(idle)
        room.settle_all()

    async def _hear(self, room: Replica, due: hooks.Due) -> bool:
        """Run one hook and commit it. False when it was silent: only its cursor moved."""
        memory = room.memories.get(due.bot.at) or Memory({}, due.step.entry, due.number)
        epoch = self._epoch(room, due)
        call = hook_io.hook_call(
            room.channel_id,
            due,
            self._heard(room, due),
            source=self._channels.source(room, due.bot.code_hash),
            state=memory.state,
            epoch=epoch,
        )
        result = await self._run(room, call, due.bot)
        ran = hook_io.ran(room.channel, due, result, memory.state, epoch=epoch)
        state = memory.state if ran.state is None else ran.state
        after = Memory(state, due.step.entry, due.number + 1)
        result = ran.failed or result
        if isinstance(result, Failed):
            how = "was killed" if result.killed else "failed"
            where = (due.hook, due.bot.id, room.channel_id)
            log.info("%s of bot %s in %s %s: %s", *where, how, result.error)
        used = due.bot.dice.used or not ran.command.silent
        notes = self._notes(room, due, result, used=used)
        if ran.command.silent and not notes:
            room.memories[due.bot.at] = after
            return False
        await self._commit(room, due, ran, after, notes, result.effects)
        return True

    async def _run(self, room: Replica, call: HookCall, bot: model.Bot) -> HookResult:
        owner = self._channels.owner(room)
        limits = hook_io.hook_limits(room.channel.limits, self.pool.limits)
        if self.second is None or bot.code_hash in self._deterministic:
            return await self.pool.run(call, owner=owner, limits=limits)
        twice = await run_twice(self.pool, self.second, call, owner=owner, limits=limits)
        return twice.result

    def _epoch(self, room: Replica, due: hooks.Due) -> hook_io.Epoch:
        return self._channels.custody.epoch(room.channel, due.bot, due.step.entry)

    def _heard(self, room: Replica, due: hooks.Due) -> Message | None:
        """The message that an on_message hook is told, opened for this bot."""
        if due.hook != "on_message":
            return None
        return room.shown(due.args[0], frozenset({f"bot:{due.bot.id}"}))

    async def _note_runtime(self, room: Replica) -> None:
        """Write down that this server runs hooks on something else than the room knows."""
        while room.channel.runtime != (now := self._channels.custody.host.runtime):
            draft = room.draft([(Runtime(now), room.head.ts)])
            try:
                await to_future(room.store.append(room.change(draft, ())))
            except HeadMoved:
                room.refresh()
                room.load_memories()
                continue
            room.adopt(draft)

    async def _commit(
        self,
        room: Replica,
        due: hooks.Due,
        ran: hook_io.Result,
        after: Memory,
        notes: Sequence[Row],
        effects: Sequence[Effect],
    ) -> None:
        """Append the run with the bot's new state and cursor, all or nothing."""
        before = room.memories.get(due.bot.at)
        while True:
            happened = self._channels.custody.complete(
                room, decide.decide(room.channel, ran.command)
            )
            draft = room.draft([(event, due.step.ts) for event in happened])
            openings = ran.openings
            if happened and happened[0] != ran.command.run:  # the rules refuse the whole run
                state = before.state if before else {}
                after, openings = replace(after, state=state), {}
            rows = [
                after.row(room.channel_id, due.bot.at),
                *notes,
                *hook_io.private_rows(room, draft, openings),
                *hook_io.answers(room, happened, effects),
            ]
            try:
                await to_future(room.store.append(room.change(draft, rows)))
            except HeadMoved:  # another node wrote; perhaps it has run this very hook
                room.refresh()
                room.load_memories()
                if room.memories.get(due.bot.at) != before:
                    return
                continue
            room.memories[due.bot.at] = after
            room.adopt(draft)
            room.notifier.notify()
            return

    async def _keep_cursors(self, room: Replica, bots: set[int]) -> None:
        """Hooks that left no trace in the log need not be heard again after a restart."""
        rows = [room.memories[at].row(room.channel_id, at) for at in sorted(bots)]
        change = Append(room.channel_id, 0, b"", (), rows, unconditional=True)
        await to_future(room.store.append(change))

    # --- the author's log ------------------------------------------------------------------

    def _notes(self, room: Replica, due: hooks.Due, result: HookResult, *, used: bool) -> list[Row]:
        """What the hook printed, and the text of its error: for the room's creator only."""
        note: dict[str, Any] = {"bot_id": due.bot.id, "hook": due.hook}
        if result.prints:
            note["print"] = result.prints
        if isinstance(result, Failed):
            note |= {"error": result.error, "line": result.line, "text": result.text}
        return [] if len(note) == 2 else bot_output.rows(room, due, note, used=used)

    async def take_author_log(
        self, room: Replica, *, cursor: int | None = None, gave: int | None = None
    ) -> list[dict[str, Any]]:
        """What referees printed since the creator last asked; see `service.bot_output`."""
        return await bot_output.take(room, cursor=cursor, gave=gave)


def default_slots(bot: Bot) -> list[str]:
    """The slots of a room that was asked for by its referee alone."""
    seats = bot.new.manifest.get("seats")
    if isinstance(seats, int) and 1 <= seats <= len(DEFAULT_SEATS):
        seats = list(DEFAULT_SEATS[:seats])
    if not (isinstance(seats, list) and seats and all(isinstance(s, str) for s in seats)):
        seats = list(DEFAULT_SEATS[:2])
    return [f"bot:{bot.new.label}", *(f"invite:{seat}" for seat in seats)]


def _bot(spec: BotSpec, source: str, report: SourceReport, ref: str | None, isolation: str) -> Bot:
    manifest = dict(spec.manifest or report.manifest or {})
    name = spec.name or _text(manifest.get("name")) or report.class_name or "text"
    params = dict(spec.params or {})
    manifest.setdefault("hooks", list(report.hooks))
    try:
        params, manifest = parse(canonical(params)), parse(canonical(manifest))
    except NotCanonical as error:
        raise InvalidRequest(f"params or manifest: {error}") from None
    check_params(manifest.get("params"), params)
    if manifest.get("sealed", "opened") not in ("opened", "kept"):
        raise InvalidRequest(
            'the manifest\'s "sealed" is neither "opened" nor "kept"',
            hint="opened, or nothing: what players seal to the bot is opened when the game ends. "
            "kept: only if all who said or were told something agree.",
        )
    if manifest.get("sealed") == "kept" and report.network:
        raise InvalidRequest(  # its questions, and with the seed their answers, stand in the record
            'a bot that keeps what it hears ("sealed": "kept") cannot use the network',
            hint="What it asks for could tell what it was told. Leave out one of the two.",
        )
    wanted = _text(manifest.get("label")) or _label(name)
    new = NewBot(
        name=room_name(name[:80], what="a referee's name"),
        version=(spec.version or _text(manifest.get("version")) or "1")[:32],
        code_hash="sha256:" + hashlib.sha256(source.encode()).hexdigest(),
        manifest=manifest,
        manifest_hash="sha256:" + hashlib.sha256(canonical(manifest)).hexdigest(),
        params=params,
        reach={"network": report.network, "dice": report.dice},
        hooks=report.hooks,
        label=wanted if LABEL.fullmatch(wanted) else "referee",
        ref=ref,
        slot=spec.slot,
        isolation=isolation,
    )
    return Bot(new, source)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _label(name: str) -> str:
    """PriceBot -> price-bot."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()[:32]


def _deterministic(bots_dir: Path) -> frozenset[str]:
    """The hashes on the list; none where there is no list."""
    try:
        lines = (bots_dir / DETERMINISTIC).read_text("ascii").splitlines()
    except FileNotFoundError:
        return frozenset()
    return frozenset(f"sha256:{line.split()[0]}" for line in lines)


def _file_name(preset: str) -> str:
    """GuessBot -> guess_bot; TLSBot -> tls_bot."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", preset).lower()


def _class_name(file_name: str) -> str:
    words = file_name.split("_")
    return "".join("TLS" if word == "tls" else word.capitalize() for word in words)
