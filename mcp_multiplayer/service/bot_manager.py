"""BotManager: inspects referees that are to be attached, and runs the hooks of those that are.

Each bot is a cursor in its channel's log. For each hook that is due: read its inputs, run it in
the sandbox, say what came of it. Whoever asked for that (`service.sequencer`) appends it: words,
new state and cursor in one change. A hook that fails changes nothing but a `bot:error` message;
the room lives on. This file knows rooms, and neither the manager of channels nor the store.

On the other side is a stranger's code. What it returns is data: checked for size and
addressees here, committed as a whole or not at all. It never shares a process with this
file (`sandbox`).
"""

from __future__ import annotations

import hashlib
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mcp_multiplayer.channel import model
from mcp_multiplayer.channel.commands import NewBot
from mcp_multiplayer.channel.identifiers import LABEL, room_name
from mcp_multiplayer.channel.view import Message
from mcp_multiplayer.errors import BotNotFound, BotRejected, InvalidRequest, RateLimited
from mcp_multiplayer.ratelimit import RateLimit
from mcp_multiplayer.sandbox.call import Failed, HookCall, HookResult, SourceReport
from mcp_multiplayer.sandbox.executor import Executor
from mcp_multiplayer.sandbox.host.determinism_check import run_twice
from mcp_multiplayer.sandbox.host.fair_queue import SERVER, Owner
from mcp_multiplayer.service import bot_output, hook_io, hooks
from mcp_multiplayer.service.hook_io import Heard
from mcp_multiplayer.service.manifest import check as check_manifest
from mcp_multiplayer.service.params import check as check_params
from mcp_multiplayer.service.replica import NOTHING, Memory, Replica
from mcp_multiplayer.service.signing import Signing
from mcp_multiplayer.storage.base import Row, Table
from mcp_multiplayer.transcript.canonical_json import NotCanonical, canonical, parse

log = logging.getLogger(__name__)

BUILTIN = "builtin://"
#: Beside the presets, as sha256sum reads it: those that `scripts/prove_bots` has proven to do the
#: same on other Pythons, as other users, with other memory and other addresses.
DETERMINISTIC = "deterministic.sha256"
#: Beside the presets: the text that sources import as `referee`.
LIBRARY = "referee.py"
TEXTS = 256  #: of referees, kept in memory
DEFAULT_SEATS = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")


@dataclass(frozen=True)
class Bot:
    """A referee to attach, with the texts that its hashes stand for."""

    new: NewBot
    source: str
    library: str = ""  #: what it imports as `referee`

    @property
    def seats(self) -> list[str]:
        """The labels of the seats it plays with where nobody says others."""
        seats = self.new.manifest.get("seats")
        if isinstance(seats, int) and 1 <= seats <= len(DEFAULT_SEATS):
            return list(DEFAULT_SEATS[:seats])
        if isinstance(seats, list) and seats and all(isinstance(s, str) for s in seats):
            return seats
        return list(DEFAULT_SEATS[:2])

    def rows(self, channel_id: str) -> list[Row]:
        """What a room keeps beside its log, under its hash."""
        texts = {self.new.code_hash: self.source}
        if self.new.library is not None:
            texts[self.new.library] = self.library
        return [Row(Table.BLOB, channel_id, name, text.encode()) for name, text in texts.items()]


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
    """See the module. ``signing`` has the dice; register with ``channels.referees = bots``.

    Every hook runs once more in the pool ``second``, with other string hashes, before anything
    of it is published; without one, a bot that is not deterministic is not told so. Sources on the
    list of this release (`DETERMINISTIC`) were proven to be, with the library on it, and run once.
    """

    def __init__(
        self,
        signing: Signing,
        pool: Executor,
        *,
        now: Callable[[], float] = time.time,
        second: Executor | None = None,
        bots_dir: Path,
        inline: bool = True,
        hooks_per_minute: int = 120,
    ) -> None:
        self._signing = signing
        self.pool = pool
        self.second = second
        self.bots_dir = bots_dir
        self.inline = inline
        self._per_minute = hooks_per_minute
        self._deterministic = _deterministic(bots_dir)
        self._presets: dict[str, tuple[str, SourceReport]] = {}
        self._library = library_of(bots_dir)
        self._texts: OrderedDict[str, str] = OrderedDict()
        self._words = RateLimit(hooks_per_minute, 60, now=now)
        self._ticks = RateLimit(hooks_per_minute, 60, now=now)

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
        report = await self.pool.inspect(source, library=self._library, owner=owner)
        return self._bot(spec, source, report, None)

    def _bot(self, spec: BotSpec, source: str, report: SourceReport, ref: str | None) -> Bot:
        made = _new_bot(spec, source, report, ref, self.pool.isolation.level)
        if not report.library:
            return Bot(made, source)
        return Bot(replace(made, library=_hash(self._library.encode())), source, self._library)

    async def _preset(self, name: str) -> tuple[str, SourceReport]:
        if name not in self._presets:
            path = self.bots_dir / f"{_file_name(name)}.py"
            known = re.fullmatch(r"[A-Z][A-Za-z]{1,40}Bot", name) and path.is_file()
            if not known:
                raise BotNotFound(f"there is no preset {name[:60]!r}")
            source = path.read_text(encoding="utf-8")
            report = await self.pool.inspect(source, library=self._library, inline=False)
            self._presets[name] = (source, report)
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
        """See `Bots`. Clocks have an allowance of their own: a player who floods the room
        must not stop them."""
        return self._ticks.take(room.channel_id)

    async def hear(self, room: Replica, owner: Callable[[Replica], Owner]) -> Heard | None:
        """See `Bots`. Nothing is changed by it: whoever asks decides, writes, and asks again."""
        if (due := hooks.due(room)) is None:
            return None
        before = room.memories.get(due.bot.at)
        state = NOTHING if before is None else before.state
        epoch = self._signing.epoch(room.channel, due.bot, due.step.entry)
        call = hook_io.hook_call(
            room.channel_id,
            due,
            self._shown(room, due),
            source=self._text(room, due.bot.code_hash),
            library=self._text(room, due.bot.library),
            state=state.value,
            epoch=epoch,
        )
        result = await self._run(room, call, due.bot, room.owner or owner(room))
        ran = hook_io.ran(room.channel, due, result, state, epoch=epoch)
        result = ran.failed or result
        if isinstance(result, Failed):
            how = "was killed" if result.killed else "failed"
            where = (due.hook, due.bot.id, room.channel_id)
            log.info("%s of bot %s in %s %s: %s", *where, how, result.error)
        notes = self._notes(room, due, result, used=due.bot.dice.used or not ran.command.silent)
        return Heard(
            ran,
            due.bot.at,
            due.step.ts,
            before,
            Memory(state if ran.state is None else ran.state, due.step.entry, due.number + 1),
            notes,
            result.effects,
            silent=ran.command.silent and not notes,
        )

    def _text(self, room: Replica, name: str | None) -> str:
        """The text of this hash that the room keeps; "" for none. The same object for all its
        hooks, whichever room they are of, so that the sandbox knows it again at once."""
        if name is None:
            return ""
        if text := self._texts.get(name, ""):
            return text
        if text := room.source(name):
            self._texts[name] = text
            if len(self._texts) > TEXTS:
                self._texts.popitem(last=False)
        return text

    def _shown(self, room: Replica, due: hooks.Due) -> Message | None:
        """The message that an on_message hook is told, opened for this bot."""
        if due.hook != "on_message":
            return None
        return room.shown(due.args[0], frozenset({f"bot:{due.bot.id}"}))

    async def _run(self, room: Replica, call: HookCall, bot: model.Bot, owner: Owner) -> HookResult:
        limits = hook_io.hook_limits(room.channel.limits, self.pool.limits)
        texts = {bot.code_hash, bot.library or bot.code_hash}
        if self.second is None or texts <= self._deterministic:
            return await self.pool.run(call, owner=owner, limits=limits)
        twice = await run_twice(self.pool, self.second, call, owner=owner, limits=limits)
        return twice.result

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
        if room.notes == []:
            return []
        return await bot_output.take(room, cursor=cursor, gave=gave)


def default_slots(bot: Bot) -> list[str]:
    """The slots of a room that was asked for by its referee alone."""
    return [f"bot:{bot.new.label}", *(f"invite:{seat}" for seat in bot.seats)]


def _new_bot(
    spec: BotSpec, source: str, report: SourceReport, ref: str | None, isolation: str
) -> NewBot:
    manifest = dict(spec.manifest or report.manifest or {})
    name = spec.name or _text(manifest.get("name")) or report.class_name or "text"
    params = dict(spec.params or {})
    manifest.setdefault("hooks", list(report.hooks))
    try:
        params, manifest = parse(canonical(params)), parse(canonical(manifest))
    except NotCanonical as error:
        raise InvalidRequest(f"params or manifest: {error}") from None
    check_params(manifest.get("params"), params)
    check_manifest(manifest, network=report.network)
    wanted = _text(manifest.get("label")) or _label(name)
    return NewBot(
        name=room_name(name[:80], what="a referee's name"),
        version=(spec.version or _text(manifest.get("version")) or "1")[:32],
        code_hash=_hash(source.encode()),
        manifest=manifest,
        manifest_hash=_hash(canonical(manifest)),
        params=params,
        reach={"network": report.network, "dice": report.dice},
        hooks=report.hooks,
        label=wanted if LABEL.fullmatch(wanted) else "referee",
        ref=ref,
        slot=spec.slot,
        isolation=isolation,
    )


def _hash(text: bytes) -> str:
    return "sha256:" + hashlib.sha256(text).hexdigest()


def library_of(bots_dir: Path) -> str:
    """The text that sources import as `referee`; "" where there is none beside the presets."""
    path = bots_dir / LIBRARY
    return path.read_text(encoding="utf-8") if path.is_file() else ""


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
