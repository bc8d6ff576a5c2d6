# ruff: noqa: E501 the rows are read as a table
"""Bots that ask how much memory is left, and get away with the answer. Stopped by sandbox/language/fuel.py.

Where memory ends no two machines agree, so a hook that has met the end of it must not go on: else
an honest server is accused by whoever has another limit.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from mcp_multiplayer.sandbox.call import Failed, HookCall
from mcp_multiplayer.sandbox.host.pool import Pool

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[Pool]:
    async with Pool(spares=1) as made:
        yield made


HEAD = """
import weakref
BIG = 10 ** 12
class Hider:
    def __enter__(self):
        return self
    def __exit__(self, *error):
        return True
class Failing(Hider):
    def __exit__(self, *error):
        return "x" * BIG
def hidden():
    try:
        return "x" * BIG
    finally:
        return "little"
def late():
    try:
        yield 1
    finally:
        "x" * BIG
def called_back(ref):
    "x" * BIG
class Bot:
    def on_init(self):
        got = None
"""
#: By how the MemoryError is hidden.
HIDDEN = {
    "finally: return": "got = hidden()",
    "finally: break": "for n in [1]:\n    try:\n        'x' * BIG\n    finally:\n        break",
    "finally: continue": "for n in [1]:\n    try:\n        'x' * BIG\n    finally:\n        continue",
    "finally in finally": "try:\n    1 / 0\nexcept ZeroDivisionError:\n    got = hidden()",
    "a context manager": "with Hider():\n    'x' * BIG",
    "the first of two context managers": "with Hider() as a, Failing() as b:\n    1 / 0",
    "an outer context manager": "with Hider():\n    with Failing():\n        pass",
    "the callback of a weak reference": "o = Hider()\nr = weakref.ref(o, called_back)\ndel o",
    "a generator that nobody wants": "g = late()\nnext(g)\ndel g",
    "an except": "try:\n    'x' * BIG\nexcept MemoryError:\n    got = 'little'",
    "another error": "try:\n    try:\n        'x' * BIG\n    finally:\n        1 / 0\nexcept ZeroDivisionError:\n    got = 'little'",
}


@pytest.mark.parametrize("name", HIDDEN)
async def test_whoever_meets_the_end_of_memory_goes_no_further(pool: Pool, name: str) -> None:
    body = "\n".join(f"        {line}" for line in HIDDEN[name].split("\n"))
    source = f"{HEAD}{body}\n        self.ctx.post('bot', {{'got': str(got)}})\n"
    result = await pool.run(HookCall(source, "on_init"))
    assert isinstance(result, Failed) and result.killed, result
    assert result.error == "MemoryLimit"
