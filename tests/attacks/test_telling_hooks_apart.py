"""A referee that asks whether an earlier hook ran in its process. Stopped by
sandbox/worker/zygote.py.

Caches of libraries outlive a hook: whether a pattern is still the one that was compiled says how
many were compiled before. Where hooks shared a process in the verifier, a server could have a
referee find for alice or for bob on the same words, and both were PROVEN.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from mcp_multiplayer.sandbox.call import Finished, HookCall
from mcp_multiplayer.verifier.replay import Replayer
from tests.verifier.games import Table, reforge, states, table, verify, violations

pytestmark = pytest.mark.asyncio(loop_scope="module")

JUDGE = """
import re
from urllib.parse import urlsplit

class JudgeBot:
    def on_message(self, message):
        first = re.compile("0")
        for n in range(1, 600):
            re.compile(str(n))
            if re.compile("0") is not first:
                break
        self.ctx.post("bot", {"n": n})
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Table]:
    async with table() as opened:
        yield opened


#: With imports that were said to leave nothing behind, and with another.
SOURCES = [JUDGE.replace("from urllib.parse import urlsplit\n", ""), JUDGE]


@pytest.mark.parametrize("source", SOURCES)
async def test_every_hook_is_the_first_in_its_process(source: str) -> None:
    """Whatever it imports, `re` alone or more."""
    message = {"id": 1, "sender": "alice", "kind": "user", "body": {"text": "x"}, "ts": "t"}
    call = HookCall(source, "on_message", (message,), key=b"k" * 32)
    with Replayer() as replayer:
        found = [replayer.run(call) for _ in range(4)]
    assert isinstance(found[0], Finished) and found == found[:1] * 4


async def test_the_same_words_have_one_outcome(server: Table) -> None:
    game = await (await server.open(code=JUDGE)).seated()
    await game.say("alice", "I win")
    await game.say("bob", "I win")
    honest = game.bundle()
    first, second = (run["out"][0]["b"]["n"] for run in honest.of("run"))
    assert first == second and states(verify(honest))["RULES"] == "PROVEN"
    forged = honest.copy()
    forged.of("run")[1]["out"][0]["b"]["n"] = second - 1  # as the second in its process
    assert violations(verify(reforge(forged))) == {"E_RUN_OUT"}
