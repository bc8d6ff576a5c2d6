"""The way of a hook, gone a few times before the first one. Changes with what most hooks do.

Runs in the process that hooks are forked from: a server's zygote and a verifier's alike. A hook
writes to every page of memory in which something is used for the first time, and the
kernel copies it; this saves a fifth of that. And it has to be the same for both: CPython rewrites
code that was called often, and where a stack ends then differs by a call.
"""

from __future__ import annotations

import socket

from engine.sandbox import guards, hook, steady, values, wire
from engine.sandbox.call import HookCall, Limits
from engine.sandbox.dice import Dice

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


def warm() -> None:
    """Call a hook of nobody's; leaves nothing that another could see."""
    patience = socket.getdefaulttimeout()
    message = {"id": 1, "sender": "a", "kind": "user", "body": {"text": "x"}, "ts": "t"}
    call = HookCall(EXERCISE, "on_message", (message,), players=("a", "b"))
    request = wire.hook_request(call, Limits())
    for _ in range(_TIMES):
        values.text(hook.answer(values.read(request), Dice(bytes(32)).take))
    steady.release()
    socket.setdefaulttimeout(patience)  # else the way to the host would get one, too
    guards.bot_classes.clear()
    hook.load.cache_clear()
