"""One hook of one referee, from source text to result. Changes when hooks are called otherwise.

Runs in the worker and owns no resource: plain JSON values in, plain JSON values out.
`engine/sandbox/wire.py` gives both their types.
"""

from __future__ import annotations

from typing import Any

from engine.sandbox import language, source
from engine.sandbox.chance import Chance
from engine.sandbox.clock import Clock, govern_libraries
from engine.sandbox.context import Context
from engine.sandbox.guards import bot_classes
from engine.sandbox.hints import hint_for
from engine.sandbox.modules import Modules
from engine.sandbox.prints import Prints, bot_lines, last_line
from engine.sandbox.values import plain
from engine.sandbox.vocabulary import bot_globals

#: Exceptions that are really limits, under the names the contract uses.
LIMITS = {"MemoryError": "MemoryLimit"}
TEXT = 4000


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Do what the host asks of a worker."""
    if request["do"] == "inspect":
        return inspect(request["source"])
    return run(request["call"], request["limits"])


def inspect(text: str) -> dict[str, Any]:
    """Read a source without running it."""
    nothing: dict[str, Any] = {
        "hooks": [], "class_name": None, "manifest": None, "network": False, "dice": False
    }  # fmt: skip
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
        language.restrict(tree)
        report["manifest"] = plain(report["manifest"], "MANIFEST")
    except SyntaxError as error:
        return {"rejected": _shown(f"Line {error.lineno}: {error.msg}")}
    except (language.Rejected, ValueError, RecursionError) as error:
        return {"rejected": _shown(str(error))}
    return {"report": report}


def run(call: dict[str, Any], limits: dict[str, Any]) -> dict[str, Any]:
    """Call one hook and collect what it asked for, or why it failed."""
    text = call["source"]
    prints = Prints(limits["prints"], text)
    chance, clock = Chance(bytes.fromhex(call["key"]), call["position"]), Clock()
    clock.at = call["now"]
    govern_libraries(clock)
    ctx = Context(call, limits, chance, clock)
    try:
        _execute(call, ctx, bot_globals(Modules(chance, clock, prints), prints))
        if ctx._broken:
            raise ctx._broken
    except BaseException as error:  # noqa: BLE001 the boundary: what a bot raises is a result
        return {"failed": _failure(error, prints), "draws": chance.drawn}
    return {"finished": _finished(ctx, prints), "draws": chance.drawn}


def _execute(call: dict[str, Any], ctx: Context, space: dict[str, Any]) -> None:
    try:
        tree = language.parse(call["source"])
    except (SyntaxError, language.Rejected):
        if source.looks_like_code(call["source"]):
            raise
        return  # a text
    class_name, hooks = source.referee(tree)
    if call["hook"] not in hooks or class_name is None:
        return
    exec(language.restrict(tree), space)
    bot = _instance(space[class_name], ctx, call["params"])
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


def _finished(ctx: Context, prints: Prints) -> dict[str, Any]:
    return {
        "said": ctx._said,
        "state": ctx._state if ctx._changed else None,
        "turn": ctx._turn,
        "end": ctx._end,
        "timers": ctx._timers,
        "prints": prints.text,
    }


def _failure(error: BaseException, prints: Prints) -> dict[str, Any]:
    if isinstance(error, language.Rejected):
        return _failed("BotRejected", error.line, error.text, prints)
    if isinstance(error, SyntaxError) and error.filename == language.FILENAME:
        return _failed("SyntaxError", error.lineno, str(error.msg), prints)
    name = type(error).__name__
    numbers = bot_lines(error.__traceback__)
    text = last_line(error)[:TEXT].strip()
    line = numbers[-1] if numbers else None
    if line is not None:
        text += f"\n  line {line}: {language.lines(prints.source, [line])[0][:200]}"
    hint = hint_for(error)
    if hint:
        text += f"\n  hint: {hint}"
    return _failed(LIMITS.get(name, name), line, text, prints)


def _shown(text: str) -> str:
    return text[: 2 * TEXT].encode("utf-8", "replace").decode()


def _failed(name: str, line: int | None, text: str, prints: Prints) -> dict[str, Any]:
    shown = _shown(text)
    return {"error": name[:64], "line": line, "text": shown, "prints": prints.text}
