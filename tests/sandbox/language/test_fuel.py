# ruff: noqa: E501 the rows are read as a table
"""A hook has so many ticks: counted alike everywhere, and not to be had back."""

import textwrap
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from mcp_multiplayer.sandbox.call import Failed, Finished, HookCall, Limits
from mcp_multiplayer.sandbox.host.pool import Pool

pytestmark = pytest.mark.asyncio(loop_scope="module")
TICKS = 100


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[Pool]:
    async with Pool(limits=Limits(fuel=TICKS), spares=1) as made:
        yield made


def bot(body: str, rest: str = "") -> HookCall:
    """A hook that takes one tick for its call, and what the body takes."""
    indented = textwrap.indent(textwrap.dedent(body).strip(), " " * 8)
    source = f"class Bot:\n    def on_init(self):\n{indented}\n{textwrap.dedent(rest)}"
    return HookCall(source, "on_init")


#: What takes n ticks, or about n: the ticks around it.
COUNTED = {
    "for": ("for i in range(n):\n    pass", 0),
    "for with a target of two": ("for a, b in [(1, 2)] * n:\n    c, d = a, b", 0),
    "for in for": ("for i in range(n // 11):\n    for j in range(10):\n        pass", 0),
    "while": ("i = 0\nwhile i < n:\n    i += 1", 0),
    "while with a break": ("i = 0\nwhile True:\n    i += 1\n    if i == n:\n        break", 0),
    "a list": ("x = [i for i in range(n) if False]", 0),
    "a set, two loops": ("x = {(i, j) for i in range(n // 11) for j in range(10)}", 0),
    "a dict": ("x = {i: i for i in range(n)}", 0),
    "a generator expression": ("sum(i for i in range(n))", 0),
    "a lambda": ("list(map(lambda i: i, range(n)))", 0),
    "a key": ("sorted(range(n), key=lambda i: -i)", 0),
    "a method": ("x = [0] * n\nwhile x:\n    x.pop()", 0),
    "a function": ("def f():\n    'doc'\nlist(map(lambda i: f(), range(n // 2)))", 0),
    "a generator": ("def g():\n    for i in range(n - 1):\n        yield i\nlist(g())", 0),
    "recursion": ("def f(i):\n    return i and f(i - 1)\nf(n - 1)", 0),
    "no loop of the source": ("sum(range(10 ** 5))\na, b, *c = [0] * 10 ** 5\nn", TICKS),
}


@pytest.mark.parametrize("name", COUNTED)
async def test_every_turn_and_every_call_is_a_tick(pool: Pool, name: str) -> None:
    body, free = COUNTED[name]
    fits = 99 if "11" not in body else 99 // 11 * 11
    for n, ends in ((fits, False), (fits + 11, True)):
        result = await pool.run(bot(f"n = {n}\n{body}"))
        assert isinstance(result, Failed if ends and not free else Finished), (n, result)


async def test_the_room_is_told_where_the_ticks_ended(pool: Pool) -> None:
    result = await pool.run(bot("x = 1\nwhile True:\n    x = 2"))
    assert isinstance(result, Failed)
    assert (result.error, result.line, result.killed) == ("FuelLimit", 4, False)
    assert "more than 100 ticks" in result.text and "line 4: while True:" in result.text


STUBBORN = {
    "except": "try:\n    while True: pass\nexcept:\n    pass",
    "except BaseException": "try:\n    while True: pass\nexcept BaseException:\n    pass",
    "again and again": "while True:\n    try:\n        while True: pass\n    except:\n        pass",
    "finally": "try:\n    while True: pass\nfinally:\n    while True: pass",
    "a return in finally": "def f():\n    try:\n        while True: pass\n    finally:\n        return 1\nf()",
    "a break in finally": "for i in [1]:\n    try:\n        while True: pass\n    finally:\n        break",
    "__exit__": "with Quiet():\n    while True: pass",
    "a generator": "def g():\n    try:\n        while True: pass\n    finally:\n        yield 1\nlist(g())",
    "a generator that is closed": "def g():\n    try:\n        yield 1\n    finally:\n        while True: pass\nx = g()\nnext(x)\nx = None",
    "an exception's text": "raise Odd()",
    "a comparison": "sorted([Odd(), Odd()], key=lambda x: [x for x in iter(int, 1)])",
    "an end in a callback": "try:\n    max(iter(int, 1), key=lambda x: 1)\nexcept:\n    raise ValueError('no')",
    "words after it": "try:\n    while True: pass\nexcept:\n    pass\nself.ctx.post('bot', 'still here')",
    "getattr": "hasattr(Quiet(), 'spins')\nself.ctx.post('bot', 'x')",
}
HELPERS = """
class Quiet:
    def __enter__(self):
        return self
    def __exit__(self, *error):
        return True
    @property
    def spins(self):
        while True:
            pass
class Odd(Exception):
    def __str__(self):
        while True:
            pass
"""


@pytest.mark.parametrize("name", STUBBORN)
async def test_out_of_ticks_is_the_end_whatever_a_bot_does(pool: Pool, name: str) -> None:
    result = await pool.run(bot(STUBBORN[name], HELPERS))
    assert isinstance(result, Failed) and not result.killed
    assert result.error == "FuelLimit", result


async def test_a_bot_cannot_name_what_counts(pool: Pool) -> None:
    for line in (
        "_tick_ = None",
        "x = _getiter_",
        "def f(_tick_): pass",
        "import json as _caught_",
    ):
        result = await pool.run(bot(line))
        assert isinstance(result, Failed) and result.error == "BotRejected"


async def test_running_out_of_memory_is_not_to_be_caught_either(pool: Pool) -> None:
    result = await pool.run(bot("try:\n    x = 'a' * 10 ** 12\nexcept MemoryError:\n    pass"))
    assert isinstance(result, Failed)
    assert (result.error, result.killed, result.line) == ("MemoryLimit", True, 5)


async def test_a_bot_does_not_speak_for_the_host(pool: Pool) -> None:
    source = "class FuelLimit(Exception): pass\nclass Bot:\n    def on_init(self): raise FuelLimit"
    result: Any = await pool.run(HookCall(source, "on_init"))
    assert (result.error, result.line) == ("FuelLimit_", 3)


async def test_a_room_has_the_limits_of_its_own_day(pool: Pool) -> None:
    call = bot("for i in range(300): pass")
    assert isinstance(await pool.run(call), Failed)
    own = replace(pool.limits, fuel=400)
    assert isinstance(await pool.run(call, limits=own), Finished)
    assert isinstance(await pool.run(call, limits=replace(own, fuel=0)), Finished)
