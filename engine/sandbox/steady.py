"""What a process brings along that another has differently, held still for a hook.

Changes when two processes are found to differ where a bot can see it. Runs in the worker and
wherever else a hook is run again: a log can be played again only if nothing but its own
values decides what a hook does. A process is held still for good; it serves hooks only.
"""

from __future__ import annotations

import functools
import gc
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from engine.sandbox import network
from engine.sandbox.chance import seed_libraries
from engine.sandbox.clock import Clock, govern_libraries
from engine.sandbox.runtime import DEEPEST

#: How to make an object of each size that the interpreter keeps together; at most so many.
_KINDS: tuple[Callable[[], object], ...] = (
    object, lambda: complex(1), *(functools.partial(bytes, size) for size in range(0, 480, 16))
)  # fmt: skip
_MOST = 64
#: Larger ones (classes among them) lie where the C library puts them.
_LARGE = range(512, 2048, 16)
_MOST_LARGE = 4
_stirred: list[object] = []


@contextmanager
def same_depth() -> Iterator[None]:
    """Let the stack end `DEEPEST` calls below this one, and not below the process's first."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(_depth() + DEEPEST)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _depth() -> int:
    """How deep the stack is here, as the interpreter counts: it says so when it refuses."""
    try:
        sys.setrecursionlimit(1)
    except RecursionError as error:
        said = re.search(r"depth (\d+)", str(error))
        if said:
            return int(said[1])
    raise RuntimeError("this Python does not say how deep its stack is")


def hold(key: bytes, position: int, clock: Clock, seconds: float) -> None:
    """Time zone, collector of cycles, and what libraries ask of chance and time."""
    os.environ["TZ"] = "UTC0"
    time.tzset()
    gc.disable()  # when it runs depends on what was made before; memory has its limit
    seed_libraries(key, position)
    govern_libraries(clock)
    network.be_patient(seconds)


def stir() -> None:
    """Have objects lie elsewhere than in any other process, so that a bot that looks where
    they lie (the order of a set of its own objects) is found out."""
    drawn = os.urandom(len(_KINDS) + len(_LARGE))
    _stirred.extend(
        make() for make, n in zip(_KINDS, drawn, strict=False) for _ in range(n % _MOST)
    )
    large = zip(_LARGE, drawn[len(_KINDS) :], strict=True)
    _stirred.extend(bytes(size) for size, n in large for _ in range(n % _MOST_LARGE))
