"""One hook of one referee, from source text to result.

Runs in the worker and owns no resource: plain JSON values in, plain JSON values out.
`sandbox/wire.py` gives both their types.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Callable
from typing import Any

from mcp_multiplayer.sandbox import hostcall_client, language, mistakes, normalize, source
from mcp_multiplayer.sandbox.builtins import bot_globals
from mcp_multiplayer.sandbox.clock import Clock
from mcp_multiplayer.sandbox.context import Context
from mcp_multiplayer.sandbox.fuel import Fuel, ran_out_of_memory
from mcp_multiplayer.sandbox.guards import bot_classes
from mcp_multiplayer.sandbox.hints import hint_for
from mcp_multiplayer.sandbox.modules import Modules
from mcp_multiplayer.sandbox.rng import Rng
from mcp_multiplayer.sandbox.stdio import Stdio, bot_lines, last_line
from mcp_multiplayer.sandbox.values import AROUND, plain

#: Findings of the host and limits. A bot's own exception of such a name gets another.
OURS = frozenset(
    (
        "BotRejected",
        "Crashed",
        "DrawLimit",
        "FuelLimit",
        "MemoryLimit",
        "NonDeterministic",
        "NotIsolated",
        "NotTheFirstBot",
        "OutputLimit",
        "StateLimit",
        "TimeLimit",
        "TooManyTimers",
        "WorkspaceLimit",
    )
)
TEXT = 4000


class Loaded:
    """A source as Python reads it, compiled when a hook of it is called."""

    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree
        self.class_name, self.hooks = source.referee(tree)

    @functools.cached_property
    def code(self) -> Any:
        """Every access guarded, every turn counted; or `language.Rejected`."""
        return language.restrict(self._tree)

    @functools.cached_property
    def networked(self) -> bool:
        """It imports what reaches the network."""
        return source.networked(self._tree)


@functools.lru_cache(maxsize=32)
def load(text: str) -> Loaded | None:
    """A source, read once in a process; None for a text, errors for what is neither."""
    try:
        return Loaded(language.parse(text))
    except (SyntaxError, language.Rejected):
        if source.looks_like_code(text):
            raise
        return None


def answer(
    request: dict[str, Any], take: Callable[[int], bytes] = hostcall_client.blocks
) -> dict[str, Any]:
    """Do what the host asks of a worker. ``take``: blocks of the hook's dice."""
    with normalize.same_depth():
        if request["do"] == "inspect":
            return inspect(request["source"])
        return run(request["call"], request["limits"], take)


def inspect(text: str) -> dict[str, Any]:
    """Read a source without running it."""
    nothing: dict[str, Any] = {
        "hooks": [],
        "class_name": None,
        "manifest": None,
        "network": False,
        "dice": False,
    }
    try:
        tree = language.parse(text)
    except SyntaxError as error:
        if not source.looks_like_code(text):
            return {"report": nothing}
        return {"rejected": _shown(f"Line {error.lineno}: {error.msg}")}
    except language.Rejected as error:
        return (
            {"rejected": _shown(error.text)}
            if source.looks_like_code(text)
            else {"report": nothing}
        )
    try:
        report = source.report(tree)
        found = mistakes.find(tree)
        language.restrict(tree, found)
        report["manifest"] = plain(report["manifest"], "MANIFEST")
    except SyntaxError as error:
        return {"rejected": _shown(f"Line {error.lineno}: {error.msg}")}
    except (language.Rejected, ValueError, RecursionError) as error:
        return {"rejected": _shown(str(error))}
    return {"report": report}


def run(
    call: dict[str, Any], limits: dict[str, Any], take: Callable[[int], bytes]
) -> dict[str, Any]:
    """Call one hook and collect what it asked for, or why it failed."""
    call |= {name: plain(call[name], name, -AROUND) for name in ("args", "params", "state")}
    prints = Stdio(limits["prints"], call["source"])
    chance, clock = Rng(take), Clock(call["now"])
    fuel = Fuel(limits["fuel"], language.FILENAME)
    normalize.hold(chance, clock, limits["hook_seconds"])
    sys.unraisablehook = fuel.unraisable
    ctx = Context(call, limits, chance, clock)
    failure = None
    try:
        _execute(call, ctx, chance, clock, prints, fuel)
        if ctx._broken:
            raise ctx._broken
    except BaseException as error:  # noqa: BLE001 the boundary: what a bot raises is a result
        failure = None if fuel.ended else _failure(error, prints)
    if fuel.ended:  # whatever the bot made of it
        failure = _failed(fuel.ended, fuel.line, _told(fuel.text, fuel.line, prints), prints)
    if failure:
        return {"failed": failure}
    return {"finished": _finished(ctx, prints)}


def _execute(
    call: dict[str, Any], ctx: Context, chance: Rng, clock: Clock, prints: Stdio, fuel: Fuel
) -> None:
    loaded = load(call["source"])
    if loaded is None or loaded.class_name is None or call["hook"] not in loaded.hooks:
        return
    modules = Modules(chance, clock, prints, lambda: loaded.networked)
    space = bot_globals(modules, prints, fuel)
    exec(loaded.code, space)
    bot = _instance(space[loaded.class_name], ctx, call["params"])
    getattr(bot, call["hook"])(*call["args"])


def _instance(cls: Any, ctx: Context, params: Any) -> Any:
    own = isinstance(cls, type) and any(
        "__init__" in vars(k) for k in cls.__mro__ if k in bot_classes
    )
    if own or not isinstance(cls, type):
        return cls(ctx, params)
    bot = cls()
    bot.ctx, bot.params = ctx, params
    return bot


def _finished(ctx: Context, prints: Stdio) -> dict[str, Any]:
    return {
        "said": ctx._said,
        "state": ctx._state if ctx._changed else None,
        "turn": ctx._turn,
        "end": ctx._end,
        "timers": ctx._timers,
        "prints": prints.text,
    }


def _failure(error: BaseException, prints: Stdio) -> dict[str, Any]:
    if isinstance(error, language.Rejected):
        return _failed("BotRejected", error.line, error.text, prints)
    if isinstance(error, SyntaxError) and error.filename == language.FILENAME:
        return _failed("SyntaxError", error.lineno, str(error.msg), prints)
    numbers = bot_lines(error.__traceback__)
    line = numbers[-1] if numbers else None
    text = _told(last_line(error)[:TEXT].strip(), line, prints)
    hint = _hint(error, "" if line is None else language.lines(prints.source, [line])[0][:200])
    if hint:
        text += f"\n  hint: {hint}"
    return _failed(_name(error), line, text, prints)


def _hint(error: BaseException, line: str) -> str:
    try:
        return hint_for(error, line)
    except BaseException:  # noqa: BLE001 an exception's text and arguments may be the bot's own
        return ""


def _name(error: BaseException) -> str:
    kind = type(error)
    if ran_out_of_memory(error):
        return "MemoryLimit"
    return f"{kind.__name__}_" if kind in bot_classes and kind.__name__ in OURS else kind.__name__


def _told(text: str, line: int | None, prints: Stdio) -> str:
    """The author's text with the line it is about."""
    if line is None:
        return text
    return f"{text}\n  line {line}: {language.lines(prints.source, [line])[0][:200]}"


def _shown(text: str) -> str:
    return text[: 2 * TEXT].encode("utf-8", "replace").decode()


def _failed(name: str, line: int | None, text: str, prints: Stdio) -> dict[str, Any]:
    shown = _shown(text)
    return {"error": name[:64], "line": line, "text": shown, "prints": prints.text}
