"""How much a hook may do, counted so that every machine counts the same.

One tick for each turn of a loop and each call of a function of the source, put in by
`sandbox/language/grammar.py`. On the other side is a stranger's code that would rather go on:
once the ticks are used up every further one raises again, and whatever it catches, the hook
has failed. Seconds differ between machines and runs; a log can only hold ticks.

A tick is one call of a C iterator, because it is paid everywhere: see docs/sandbox.md.
"""

from __future__ import annotations

import errno
import itertools
import sys
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any, NoReturn

#: How far an error is followed to the one it came of.
_CHAIN = 100
_FULL = (errno.EFBIG, errno.EDQUOT, errno.ENOSPC)
_WORDS = {
    "MemoryLimit": "one object of a hook has 16 MB, all of them together 512 MB",
    "WorkspaceLimit": "the files of a hook are larger than they may be",
}


class FuelLimit(BaseException):
    """The hook took more ticks than it has."""


def ran_out(error: BaseException | None) -> str:
    """MemoryLimit or WorkspaceLimit for an error that tells of either, and for what a library has
    made of one; else nothing. Where memory or a disk ends, no two machines agree."""
    for _ in range(_CHAIN):
        if isinstance(error, MemoryError):
            return "MemoryLimit"
        if isinstance(error, OSError) and error.errno in _FULL:
            return "WorkspaceLimit"
        if error is None:
            break
        error = error.__context__
    return ""


class Fuel:
    """The ticks of one hook. As an iterator: what follows the last tick."""

    def __init__(
        self, ticks: int, filename: str, meanwhile: Iterator[object] | None = None
    ) -> None:
        """``ticks`` 0 means without limit; ``filename`` is the source's in its code objects; each
        tick takes one of ``meanwhile``, which has no end."""
        self.ended = ""  #: why nothing the bot did counts: FuelLimit, or as `ran_out`
        self.line: int | None = None  #: of the source, where that was
        self.text = f"the hook took more than {ticks} ticks (turns of loops, calls of functions)"
        self._filename = filename
        full: Iterator[object] = itertools.repeat(True, ticks) if ticks else itertools.repeat(True)
        if meanwhile is not None:
            full = zip(full, meanwhile, strict=False)
        self._left = itertools.chain(full, self)
        self.tick = self._left.__next__  #: one tick; something true, or FuelLimit

    def turns(self, items: Iterable[Any]) -> Iterator[Any]:
        """The items, one tick each."""
        return itertools.compress(items, self._left)

    def caught(self) -> None:
        """At the start of every ``except`` and ``finally`` of a bot, and at the end of what stands
        in a ``with``: what it may not catch goes on."""
        error = sys.exc_info()[1]
        if why := ran_out(error):
            self._end(why, _WORDS[why])
        if error is not None and (self.ended or isinstance(error, FuelLimit)):
            raise error

    def unraisable(self, told: sys.UnraisableHookArgs) -> None:
        """What Python drops: an error in a callback of a weak reference, or in a generator that
        nobody wants any more."""
        if why := ran_out(told.exc_value):
            self._end(why, _WORDS[why])

    def __iter__(self) -> Fuel:
        return self

    def __next__(self) -> NoReturn:
        self._end("FuelLimit", self.text)
        raise FuelLimit(self.text)

    def _end(self, why: str, text: str) -> None:
        """The first end is the one that is told."""
        if self.ended:
            return
        self.ended, self.text = why, text
        frame: FrameType | None = sys._getframe(2)
        while frame is not None and frame.f_code.co_filename != self._filename:
            frame = frame.f_back
        self.line = None if frame is None else frame.f_lineno
