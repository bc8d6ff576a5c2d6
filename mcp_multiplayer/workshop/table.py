"""A table at which a referee is tried: the least that a host does, with time moved by hand."""

from __future__ import annotations

import ast
import builtins
import functools
import hashlib
import types
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from mcp_multiplayer.config import bots_dir
from mcp_multiplayer.sandbox.call import Finished, Hook, HookCall, HookResult, Limits, Said, Turn
from mcp_multiplayer.sandbox.hostcalls.dice import Dice
from mcp_multiplayer.sandbox.language import library, source
from mcp_multiplayer.sandbox.language.imports import LIBRARY
from mcp_multiplayer.sandbox.worker.clock import Clock
from mcp_multiplayer.sandbox.worker.context import Context
from mcp_multiplayer.sandbox.worker.rng import Rng
from mcp_multiplayer.transcript.drbg import hook_key

BOTS = bots_dir()


class Runner(Protocol):
    """Runs one hook: the sandbox's pool, or `Plain`."""

    async def run(self, call: HookCall) -> HookResult:
        """The hook's result."""


class Plain:
    """Runs our own referees in this process, for thousands of games: the real ``ctx``, no walls
    and no RestrictedPython. Everything also goes through the sandbox, in fewer games."""

    def __init__(self) -> None:
        self._spaces: dict[str, dict[str, Any]] = {}

    def space(self, source: str) -> dict[str, Any]:
        """The names that a source defines."""
        if source not in self._spaces:
            space: dict[str, Any] = {"__name__": "bot", "__builtins__": self._builtins()}
            exec(compile(source, "<bot>", "exec"), space)
            self._spaces[source] = space
        return self._spaces[source]

    @functools.cache  # noqa: B019 as long as the process, as the sources are
    def _builtins(self) -> dict[str, Any]:
        """Those of Python, with an import that knows the library."""
        made = types.ModuleType(LIBRARY)
        exec(compile(own_library(), f"<{LIBRARY}>", "exec"), vars(made))

        def load(name: str, *more: Any) -> Any:
            return made if name == LIBRARY else __import__(name, *more)

        return {**vars(builtins), "__import__": load}

    async def run(self, call: HookCall) -> HookResult:
        """Raises what the referee raises."""
        space = self.space(call.source)
        dice = Dice(call.key)
        chance, clock = Rng(dice.take), Clock(call.now)
        told = {"players": list(call.players), "state": call.state, "bot_id": call.bot_id}
        ctx = Context(told, asdict(Limits()), chance, clock)
        bot = space[space["MANIFEST"]["name"]](ctx, dict(call.params))
        getattr(bot, call.hook, _nothing)(*call.args)
        return Finished(
            said=tuple(_said(post) for post in ctx._said),
            state=ctx._state if ctx._changed else None,
            turn=None if ctx._turn is None else _turn(ctx._turn),
            end=ctx._end,
            timers=ctx._timers,
            draws=dice.count,
        )


def _nothing(*args: Any) -> None:
    pass


def _said(post: dict[str, Any]) -> Said:
    to = post.get("to")
    return Said(post["kind"], post["body"], None if to is None else tuple(to), post.get("private"))


def _turn(turn: dict[str, Any]) -> Turn:
    to = turn["to"]
    sealed = None if to is None else tuple(to)
    return Turn(tuple(turn["players"]), turn["seconds"], turn["expect"], sealed)


@dataclass
class Table:
    """Folds state, turn and end, collects words. A hook that fails fails the test."""

    runner: Runner
    source: str
    params: dict[str, Any] = field(default_factory=dict)
    seed: bytes = b"s"
    bot_id: str = "referee"
    now: float = 1.8e9
    players: list[str] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)
    posts: list[Said] = field(default_factory=list)
    turn: Turn | None = None
    end: Mapping[str, Any] | None = None
    hooks: int = 0
    draws: int = 0
    drew: int = 0  #: hooks that drew

    async def call(self, hook: Hook, *args: Any) -> list[dict[str, Any]]:
        """The bodies of what it said, whoever may read them."""
        if hook not in hooks_of(self.source):
            return []
        self.hooks += 1
        seated = tuple(self.players)
        call = HookCall(
            self.source,
            hook,
            args,
            self.params,
            self.state,
            seated,
            self.now,
            self.bot_id,
            key=hook_key(hashlib.sha256(self.seed).digest(), self.drew),
            library=own_library(),
        )
        result = await self.runner.run(call)
        assert isinstance(result, Finished), result
        if result.state is not None:
            self.state = dict(result.state)
        if result.turn is not None:
            self.turn = result.turn if result.turn.players else None
            self.end = None  # a rematch
        if result.end is not None:
            self.end, self.turn = result.end, None
        assert {post.kind for post in result.said} <= {"bot"}
        self.draws += result.draws
        self.drew += result.draws > 0
        self.posts += result.said
        return [dict(post.body) for post in result.said]

    async def begin(self, *players: str) -> list[dict[str, Any]]:
        """Seat everybody and start."""
        await self.call("on_init")
        for player in players:
            self.players.append(player)
            await self.call("on_join", player)
        return await self.call("on_start")

    async def say(self, sender: str, body: Any, to: Any = None) -> list[dict[str, Any]]:
        """A player's message; ``to=True`` seals it for the referee alone."""
        body = {"text": body} if isinstance(body, str) else body
        message = {"id": 9, "sender": sender, "kind": "user", "body": body, "ts": "t"}
        if to is not None:
            message["to"] = [f"bot:{self.bot_id}"] if to is True else to
        return await self.call("on_message", message)

    async def refused(self, sender: str, body: Any, to: Any = None) -> str:
        """Why a move is refused; it must have changed nothing else."""
        before = (self.state, self.turn, self.end)
        (violation,) = await self.say(sender, body, to)
        assert (violation["type"], violation["player"]) == ("violation", sender)
        assert (self.state, self.turn, self.end) == before
        return str(violation["reason"])

    async def leave(self, player: str) -> list[dict[str, Any]]:
        """Give a seat up."""
        self.players.remove(player)
        return await self.call("on_leave", player)

    async def late(self) -> list[dict[str, Any]]:
        """The turn's seconds run out, as the server's clock will say."""
        assert self.turn is not None and self.turn.seconds is not None
        self.now += self.turn.seconds
        return await self.call("on_timer", "turn")

    @property
    def movers(self) -> list[str]:
        """Who is to move."""
        return [] if self.turn is None else list(self.turn.players)

    @property
    def seconds(self) -> float | None:
        """How long they have."""
        return None if self.turn is None else self.turn.seconds

    @property
    def expect(self) -> Any:
        """What they may say."""
        return None if self.turn is None else self.turn.expect

    @property
    def mover(self) -> str:
        """The one player who is to move."""
        (player,) = self.movers
        return player

    def said(self, kind: str) -> list[dict[str, Any]]:
        """The bodies of one type so far."""
        return [dict(post.body) for post in self.posts if post.body.get("type") == kind]


def source_of(file_name: str) -> str:
    """A shipped referee's text."""
    return (BOTS / file_name).read_text(encoding="utf-8")


@functools.cache
def own_library() -> str:
    """What shipped referees import as `referee`."""
    return source_of(f"{LIBRARY}.py")


@functools.cache
def hooks_of(text: str) -> tuple[str, ...]:
    """The hooks of a referee, its own and those of the library's base class."""
    tree = ast.parse(text)
    imported = source.imports_library(tree) is not None
    handed = library.read(ast.parse(own_library())) if imported else None
    return source.referee(tree, handed)[1]
