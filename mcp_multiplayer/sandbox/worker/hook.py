"""One hook of one referee, from its code to its result.

Runs in the worker and owns no resource: plain JSON values in, plain JSON values out.
`sandbox/protocol/wire.py` gives both their types.
"""

from __future__ import annotations

import marshal
import sys
import types
from collections.abc import Callable
from typing import Any

from mcp_multiplayer.sandbox.language import grammar
from mcp_multiplayer.sandbox.language.builtins import bot_globals
from mcp_multiplayer.sandbox.language.fuel import Fuel, ran_out
from mcp_multiplayer.sandbox.language.guards import bot_classes
from mcp_multiplayer.sandbox.language.hints import hint_for
from mcp_multiplayer.sandbox.language.imports import LIBRARY
from mcp_multiplayer.sandbox.language.modules import Modules
from mcp_multiplayer.sandbox.language.source import lines
from mcp_multiplayer.sandbox.protocol.values import AROUND, plain
from mcp_multiplayer.sandbox.worker import hostcall_client, normalize, scatter
from mcp_multiplayer.sandbox.worker.clock import Clock
from mcp_multiplayer.sandbox.worker.context import Context
from mcp_multiplayer.sandbox.worker.rng import Rng
from mcp_multiplayer.sandbox.worker.stdio import Stdio, bot_lines, last_line, library_line

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
#: The code of a library of ours, not run yet: to read it anew in each hook took as long as to run a
#: small one.
_kept: list[types.CodeType] = []


def keep_library(code: bytes) -> None:
    """Have the hooks of this process, and of those that are forked from it, use this library where
    they bring none of their own."""
    _kept[:] = [marshal.loads(code)]


def answer(
    request: dict[str, Any],
    code: bytes,
    take: Callable[[int], bytes] = hostcall_client.blocks,
    library: bytes | None = None,
) -> dict[str, Any]:
    """Run the hook that the host asks for. ``take``: blocks of the hook's dice. ``library``: code
    of what the source imports as `referee`; b"": of the one that is kept; None: it imports none."""
    with normalize.same_depth():
        return run(request["call"], code, request["limits"], take, library)


def run(
    call: dict[str, Any],
    code: bytes,
    limits: dict[str, Any],
    take: Callable[[int], bytes],
    library: bytes | None = None,
) -> dict[str, Any]:
    """Call one hook and collect what it asked for, or why it failed. ``code``: see `Compiled`;
    ``library``: see `answer`."""
    call |= {name: plain(call[name], name, -AROUND) for name in ("args", "params", "state")}
    prints = Stdio(limits["prints"], call["source"])
    chance, clock = Rng(take), Clock(call["now"])
    fuel = Fuel(limits["fuel"], grammar.FILENAME, scatter.moves)
    normalize.hold(chance, clock)
    sys.unraisablehook = fuel.unraisable
    ctx = Context(call, limits, chance, clock)
    failure = None
    try:
        modules = Modules(chance, clock, prints, networked=call["network"])
        space = bot_globals(modules, prints, fuel)
        scatter.move()
        if library is not None:
            _load(marshal.loads(library) if library else _kept[0], modules, space)
        _execute(call, code, ctx, space)
        if ctx._broken:
            raise ctx._broken
    except BaseException as error:  # noqa: BLE001 the boundary: what a bot raises is a result
        failure = None if fuel.ended else _failure(error, prints)
    if fuel.ended:  # whatever the bot made of it
        failure = _failed(fuel.ended, fuel.line, _told(fuel.text, fuel.line, prints), prints)
    if failure:
        return {"failed": failure}
    return {"finished": _finished(ctx, prints)}


def _load(library: types.CodeType, modules: Modules, space: dict[str, Any]) -> None:
    """The library under the bot's own restrictions and ticks, in globals of its own. It is made
    for this hook alone: what a bot changes of it is gone with the hook."""
    own = {**space, "__name__": LIBRARY}
    before = set(own)
    exec(library, own)
    modules.give(LIBRARY, {name: own[name] for name in own if name not in before})


def _execute(call: dict[str, Any], code: bytes, ctx: Context, space: dict[str, Any]) -> None:
    exec(marshal.loads(code), space)
    bot = _instance(space[call["class_name"]], ctx, call["params"])
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
    numbers = bot_lines(error.__traceback__)
    line = numbers[-1] if numbers else None
    text = _told(last_line(error)[:TEXT].strip(), line, prints)
    inside = library_line(error.__traceback__)
    if inside is not None:
        text += f"\n  in the library `{LIBRARY}`, line {inside}"
    hint = _hint(error, "" if line is None else lines(prints.source, [line])[0][:200])
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
    if why := ran_out(error):
        return why
    return f"{kind.__name__}_" if kind in bot_classes and kind.__name__ in OURS else kind.__name__


def _told(text: str, line: int | None, prints: Stdio) -> str:
    """The author's text with the line it is about."""
    if line is None:
        return text
    return f"{text}\n  line {line}: {lines(prints.source, [line])[0][:200]}"


def _shown(text: str) -> str:
    return text[: 2 * TEXT].encode("utf-8", "replace").decode()


def _failed(name: str, line: int | None, text: str, prints: Stdio) -> dict[str, Any]:
    shown = _shown(text)
    return {"error": name[:64], "line": line, "text": shown, "prints": prints.text}
