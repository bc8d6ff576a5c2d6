"""What a referee prints and how its own errors are told to its author. Everything here reaches the
room's creator only, and none of it shows a line of code that is not the bot's own: a traceback is
cut to the frames of the source that was attached.
"""

from __future__ import annotations

import io
import sys
import traceback
from types import TracebackType
from typing import Any, NamedTuple

from mcp_multiplayer.sandbox.language.grammar import FILENAME, LIBRARY_FILENAME
from mcp_multiplayer.sandbox.language.source import lines
from mcp_multiplayer.sandbox.runtime import DEEPEST


class Version(NamedTuple):
    """``sys.version_info`` as far as a room's log knows it."""

    major: int
    minor: int
    micro: int = 0
    releaselevel: str = "final"
    serial: int = 0


class Stdio:
    """Collects print() up to a number of bytes, then says that it was cut."""

    def __init__(self, limit: int, source: str) -> None:
        self.limit = limit
        self.source = source
        self.parts: list[str] = []
        self.used = 0

    def write(self, text: str) -> int:
        """Keep what still fits."""
        if not isinstance(text, str):
            raise TypeError("write() takes a string")
        room = self.limit - self.used
        if room > 0:
            kept = str.__str__(text)[:room].encode("utf-8", "replace")[:room]
            self.parts.append(kept.decode("utf-8", "ignore"))
            self.used += len(kept)
        if len(text) > room >= 0:
            self.parts.append("... (cut)\n")
            self.used = self.limit + 1
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def print(
        self, *values: Any, sep: Any = " ", end: Any = "\n", file: Any = None, flush: bool = False
    ) -> None:
        """``print`` for a bot; a StringIO as ``file`` works too."""
        joined = (" " if sep is None else sep).join(str(value) for value in values)
        target = file if isinstance(file, io.StringIO) else self
        target.write(joined + ("\n" if end is None else end))

    @property
    def text(self) -> str:
        """All that was kept."""
        return "".join(self.parts)

    def traceback(self, error: BaseException) -> str:
        """The familiar form, with the bot's own lines alone."""
        numbers = bot_lines(error.__traceback__)
        shown = [
            f'  File "{FILENAME}", line {number}\n    {line}\n'
            for number, line in zip(numbers, lines(self.source, numbers), strict=True)
        ]
        return "Traceback (most recent call last):\n" + "".join(shown) + last_line(error)


def bot_lines(tb: TracebackType | None) -> list[int]:
    """The line numbers of the bot's own frames, outermost first."""
    return [n for frame, n in traceback.walk_tb(tb) if frame.f_code.co_filename == FILENAME]


def library_line(tb: TracebackType | None) -> int | None:
    """Where in the library an error was raised, if there and not in the bot's own source."""
    ours = (FILENAME, LIBRARY_FILENAME)
    frames = [(f.f_code.co_filename, n) for f, n in traceback.walk_tb(tb)]
    places = [place for place in frames if place[0] in ours]
    return places[-1][1] if places and places[-1][0] == LIBRARY_FILENAME else None


def last_line(error: BaseException) -> str:
    """``KeyError: 'x'``"""
    try:
        text = str(error)
    except BaseException:  # noqa: BLE001 the bot's own __str__ may raise whatever it likes
        text = "<no text>"
    return f"{type(error).__name__}: {text}\n" if text else f"{type(error).__name__}\n"


def traceback_names(prints: Stdio) -> dict[str, Any]:
    """The ``traceback`` module of a bot."""

    def format_exc(limit: Any = None, chain: bool = True) -> str:
        error = sys.exc_info()[1]
        return prints.traceback(error) if error else "NoneType: None\n"

    def format_exception(error: Any, value: Any = None, tb: Any = None, **_: Any) -> list[str]:
        shown = value if isinstance(value, BaseException) else error
        return prints.traceback(shown).splitlines(keepends=True)

    def format_exception_only(error: Any, value: Any = None) -> list[str]:
        return [last_line(value if isinstance(value, BaseException) else error)]

    return {
        "format_exc": format_exc,
        "format_exception": format_exception,
        "format_exception_only": format_exception_only,
        "print_exc": lambda *_, **__: prints.write(format_exc()) and None,
        "print_exception": lambda *a, **_: prints.write("".join(format_exception(*a))) and None,
    }


def system_names(prints: Stdio) -> dict[str, Any]:
    """The ``sys`` module of a bot."""

    def leave(status: Any = None) -> None:
        raise SystemExit(status)

    class Stream:
        __slots__ = ()
        write = staticmethod(prints.write)
        flush = staticmethod(prints.flush)

    def exc_info() -> tuple[Any, Any, None]:
        return (*sys.exc_info()[:2], None)

    return {
        "byteorder": sys.byteorder,
        "exc_info": exc_info,
        "exit": leave,
        "argv": [],
        "float_info": sys.float_info,
        "getrecursionlimit": lambda: DEEPEST,
        "intern": sys.intern,
        "maxsize": sys.maxsize,
        "maxunicode": sys.maxunicode,
        "platform": "linux",
        "stderr": Stream(),
        "stdout": Stream(),
        "version": "{}.{}".format(*sys.version_info),
        "version_info": Version(*sys.version_info[:2]),
    }


def warning_names(prints: Stdio) -> dict[str, Any]:
    """The ``warnings`` module of a bot: warnings are printed, filters do nothing."""

    def warn(message: Any, category: Any = None, stacklevel: int = 1, **_: Any) -> None:
        prints.write(f"warning: {message}\n")

    class CatchWarnings:
        def __init__(self, *_: Any, **__: Any) -> None:
            pass

        def __enter__(self) -> list[Any]:
            return []

        def __exit__(self, *_: Any) -> None:
            pass

    def nothing(*_: Any, **__: Any) -> None:
        pass

    return {
        "warn": warn,
        "catch_warnings": CatchWarnings,
        "simplefilter": nothing,
        "filterwarnings": nothing,
        "resetwarnings": nothing,
    }
