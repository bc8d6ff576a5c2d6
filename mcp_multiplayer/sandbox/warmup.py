"""Makes a process ready to fork hooks.

The same for a server's zygote and a verifier's, so that no bot can tell the one from the other.
The way of a hook is gone a few times before the first one: a hook writes to every page of memory
in which something is used for the first time, and the kernel copies it; this saves a fifth of
that. And it has to be the same for both: CPython rewrites code that was called often, and where a
stack ends then differs by a call.
"""

from __future__ import annotations

import socket

from mcp_multiplayer.sandbox import (
    guards,
    hook,
    interpreter_state,
    modules,
    normalize,
    values,
    wire,
)
from mcp_multiplayer.sandbox.call import HookCall, Limits
from mcp_multiplayer.sandbox.dice import Dice

_TIMES = 20
#: Nobody's.
EXERCISE = """
import json, math, re
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


def ready() -> None:
    """Load what bots may import, and close the door behind it."""
    modules.preload()
    normalize.install()
    _warm()
    interpreter_state.settle()


def _warm() -> None:
    """Call a hook of nobody's; leaves nothing that another could see."""
    patience = socket.getdefaulttimeout()
    message = {"id": 1, "sender": "a", "kind": "user", "body": {"text": "x"}, "ts": "t"}
    call = HookCall(EXERCISE, "on_message", (message,), players=("a", "b"))
    request = wire.hook_request(call, Limits())
    for _ in range(_TIMES):
        values.text(hook.answer(values.read(request), Dice(bytes(32)).take))
    normalize.release()
    socket.setdefaulttimeout(patience)  # else the way to the host would get one, too
    guards.bot_classes.clear()
    hook.load.cache_clear()
