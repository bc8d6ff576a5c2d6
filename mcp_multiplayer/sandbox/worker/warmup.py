"""Makes a process ready to fork hooks, and a fork ready for its hook.

The same for a server and a verifier, so that no bot can tell the one from the other. The way of a
hook is gone beforehand with a hook of nobody's: twenty times in the process that forks, because
CPython rewrites code that is called often, and where a stack ends then differs by a call; and once
in every fork before it says that it is ready. A hook writes to some five hundred pages of memory,
and the kernel copies each when it is first written to: two thirds of a small hook's time, which has
now passed before the host has a hook to run.
"""

from __future__ import annotations

import ctypes
import functools
import socket

from mcp_multiplayer.sandbox.call import Compiled, HookCall, Limits
from mcp_multiplayer.sandbox.language import guards, modules
from mcp_multiplayer.sandbox.protocol import values, wire
from mcp_multiplayer.sandbox.worker import hook, interpreter_state, normalize
from mcp_multiplayer.sandbox.worker.compiler import compile_library, compile_source
from mcp_multiplayer.transcript.drbg import SIZE

_TIMES = 20
_HUGE, _COLLAPSE = 2 << 20, 25  #: bytes of a huge page; MADV_COLLAPSE, see madvise(2)
#: Nobody's.
EXERCISE = """
import json, re
class Exercise:
    def __init__(self, ctx, params):
        self.ctx = ctx
    def on_message(self, message):
        state = self.ctx.get_state()
        state["n"] = state.get("n", 0) + len(self.ctx.players)
        self.ctx.set_state(state)
        text = str(message["body"].get("text", "")).strip().lower()
        drawn = [self.ctx.random.randint(1, 6) for _ in range(3)]
        self.ctx.set_turn(self.ctx.players[:1], seconds=60, expect=text)
        self.ctx.post("bot", {"text": f"{text} {drawn}", "n": state["n"]})
"""


def ready(library: str = "") -> None:
    """Load what bots may import, and close the door behind it. ``library``: the text that sources
    import as `referee` where a hook brings no other."""
    modules.preload()
    normalize.install()
    if library:
        hook.keep_library(library_here(library))
    exercise(_TIMES)
    interpreter_state.settle()


def collapse() -> None:
    """Have the kernel keep the memory of this process in huge pages as far as it can: a fork then
    copies and drops few entries instead of thousands, a tenth of what a worker costs. Where it
    cannot (before Linux 6.1, or memory in pieces), everything stays as it is."""
    libc = ctypes.CDLL(None)
    try:
        with open("/proc/self/maps", encoding="ascii") as maps:
            mapped = [line.split() for line in maps]
    except OSError:
        return
    for place, allowed, *_, name in (line if len(line) > 5 else [*line, ""] for line in mapped):
        if allowed != "rw-p" or name not in ("", "[heap]"):
            continue
        start, end = (int(number, 16) for number in place.split("-"))
        for page in range(-(-start // _HUGE) * _HUGE, end - _HUGE + 1, _HUGE):
            libc.madvise(ctypes.c_void_p(page), ctypes.c_size_t(_HUGE), _COLLAPSE)


def compile_here(source: str) -> Compiled:
    """A source of ours, compiled in this very process."""
    told, code = compile_source(source)
    return wire.compiled(values.text(told).encode(), code)


def library_here(text: str) -> bytes:
    """A library of ours, compiled in this very process; ValueError if it cannot be."""
    told, code = compile_library(text)
    if not code:
        raise ValueError(f"the library `referee`: {told.get('rejected', 'has no class')}")
    return code


@functools.cache
def _nobodys() -> tuple[bytes, bytes]:
    """The request and the code of a hook that is nobody's."""
    message = {"id": 1, "sender": "a", "kind": "user", "body": {"text": "x"}, "ts": "t"}
    call = HookCall(EXERCISE, "on_message", (message,), players=("a", "b"))
    compiled = compile_here(EXERCISE)
    return wire.hook_request(call, compiled, Limits()), compiled.code


def _no_dice(blocks: int) -> bytes:
    return bytes(blocks * SIZE)


def exercise(times: int = 1) -> None:
    """Call it; leaves nothing that another hook could see."""
    patience = socket.getdefaulttimeout()
    request, code = _nobodys()
    for _ in range(times):
        values.text(hook.answer(values.read(request), code, _no_dice))
    normalize.release()
    socket.setdefaulttimeout(patience)  # else the way to the host would get one, too
    guards.bot_classes.clear()
