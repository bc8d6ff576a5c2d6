"""How long a verification takes: 1,000 words to a referee that answers each, in a process of its
own each time."""

from __future__ import annotations

import os
import sys
import time

import pytest

from mcp_multiplayer.verifier.replay import Replayer
from tests.verifier.games import ALICE, BOB, Table, states, verify

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.long, pytest.mark.alone]

ECHO = """
class EchoBot:
    def on_message(self, message):
        state = self.ctx.get_state() or {"heard": 0}
        state["heard"] += 1
        self.ctx.set_state(state)
        self.ctx.post("echo", {"heard": state["heard"], "text": message["body"]["text"]})
        if message["body"]["text"] == "end":
            self.ctx.end({"winners": []})
"""


async def test_a_thousand_hooks_take_ten_seconds(server: Table) -> None:
    game = await server.open(code=ECHO)
    await game.join("alice", ALICE)
    await game.join("bob", BOB)
    for place in range(999):
        await game.say(("alice", "bob")[place % 2], f"word {place}")
    await game.say("alice", "end")
    honest = game.bundle()
    assert len(honest.entries) > 2000
    taken = []
    for _ in range(3):
        began = time.perf_counter()
        with Replayer() as jail:
            checked = verify(honest, jail)
        taken.append(time.perf_counter() - began)
        assert states(checked)["RULES"] == states(checked)["RECORD"] == "PROVEN"
    sys.stdout.write(f"\nverifying {len(honest.entries)} entries: {min(taken):.2f} s\n")
    busy = os.getloadavg()[0] > (os.cpu_count() or 1)
    assert min(taken) < (60.0 if busy else 10.0)
