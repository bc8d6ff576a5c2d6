"""What tells one object from another in a hook: numbers in order of asking, not places in memory.

Where objects lie is different in every process. Python's own ``id``, the hash and the text of an
object that defines none come of it, and with them the order of a set of such objects: things that
no log could hold. Runs in the worker, for one hook.
"""

from __future__ import annotations

import itertools
import weakref
from typing import Any

_counted = itertools.count(1)
#: By place: what has a number, as long as it lives, and the number.
_known: dict[int, tuple[Any, int]] = {}


def begin() -> None:
    """Start from 1: another hook begins."""
    global _counted
    _counted = itertools.count(1)
    _known.clear()


def number_of(obj: Any) -> int:
    """``id`` for a bot."""
    place = id(obj)
    found = _known.get(place)
    if found is not None:
        return found[1]
    number = next(_counted)
    try:
        kept: Any = weakref.ref(obj, lambda _: _known.pop(place, None))
    except TypeError:  # of a list, a number: it stays, so that nothing else comes to lie there
        kept = obj
    _known[place] = (kept, number)
    return number


class Thing:
    """Stands for ``object`` above a bot's own classes."""

    def __hash__(self) -> int:
        return number_of(self)

    def __repr__(self) -> str:
        return f"<{type(self).__qualname__} object {number_of(self)}>"


def steady(cls: type) -> type:
    """The class, with the hash and the text of a `Thing` where it has those of ``object``."""
    for name in ("__hash__", "__repr__"):
        if getattr(cls, name) is getattr(object, name):
            setattr(cls, name, vars(Thing)[name])
    return cls
