"""What a process brings along that another has differently, held still for a hook. Runs in the
worker and wherever else a hook is run again: a log can be played again only if nothing but its own
values decides what a hook does. A process is held still for good; it serves hooks only.
"""

from __future__ import annotations

import functools
import gc
import os
import sys
import time
import types

from mcp_multiplayer.sandbox.runtime import DEEPEST
from mcp_multiplayer.sandbox.worker import clock, network, rng


class same_depth:
    """Within, the stack ends `DEEPEST` calls below, and not below the process's first."""

    __slots__ = ("_before",)

    def __enter__(self) -> None:
        self._before = sys.getrecursionlimit()
        sys.setrecursionlimit(_depth() + 1 + DEEPEST)

    def __exit__(self, *_: object) -> None:
        sys.setrecursionlimit(self._before)


def _depth() -> int:
    """How deep the stack is here, as the interpreter counts: it says so when it refuses."""
    try:
        sys.setrecursionlimit(1)
    except RecursionError as error:
        said = str(error).partition("depth ")[2].partition(":")[0]
        if said.isdecimal():
            return int(said)
    raise RuntimeError("this Python does not say how deep its stack is")


def install() -> None:
    """Have every module that is loaded ask us for chance and time, whatever it took hold of when
    it was imported; `hold` says whose they are. One time zone, and no collector of cycles: when it
    runs depends on what was made before, and memory has its limit. In this process, for good; for
    the zygote only."""
    os.environ["TZ"] = "UTC0"
    time.tzset()
    gc.disable()
    found = {id(real): stand_in for real, stand_in in _stand_ins().items()}
    for name, module in list(sys.modules.items()):
        if not isinstance(module, types.ModuleType) or name.startswith("mcp_multiplayer."):
            continue
        for attribute, value in list(vars(module).items()):
            if id(value) in found:
                setattr(module, attribute, found[id(value)])


@functools.cache
def _stand_ins() -> dict[object, object]:
    """Of what the machine has, each with ours; made once, before anything is replaced."""
    return rng.stand_ins() | clock.stand_ins()


def hold(dice: rng.Rng, now: clock.Clock) -> None:
    """Whose chance and time libraries are told from here on."""
    if not _stand_ins.cache_info().currsize:
        raise RuntimeError("libraries in this process would ask the machine for chance and time")
    rng.govern_libraries(dice)
    clock.govern_libraries(now)
    network.be_patient()


def release() -> None:
    """Nobody's hook runs here any more."""
    rng.govern_libraries(None)
    clock.govern_libraries(None)
