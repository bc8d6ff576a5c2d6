"""A source is compiled once, for all its hooks; what is kept is bounded."""

from __future__ import annotations

import pytest

from mcp_multiplayer.errors import BotRejected
from mcp_multiplayer.sandbox.call import MOST_CODE, Compiled, Finished, HookCall
from mcp_multiplayer.sandbox.host.compile_cache import CompileCache
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.sandbox.protocol import wire

pytestmark = pytest.mark.asyncio(loop_scope="module")
SOURCE = "class Bot:\n    def on_init(self):\n        self.ctx.post('bot', 'x')"


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sources that workers are told to compile."""
    told: list[str] = []
    request = wire.compile_request

    def noted(source: str, library: str = "") -> bytes:
        told.append(source)
        return request(source, library)

    monkeypatch.setattr(wire, "compile_request", noted)
    return told


async def test_looking_at_a_source_compiles_it_for_all_its_hooks(
    pool: Pool, compiled: list[str]
) -> None:
    source = SOURCE + "  # looked at"
    await pool.inspect(source)
    for _ in range(3):
        assert isinstance(await pool.run(HookCall(source, "on_init")), Finished)
    assert compiled == [source]


async def test_a_hook_that_nobody_looked_at_compiles_its_source_once(
    pool: Pool, compiled: list[str]
) -> None:
    source = SOURCE + "  # not looked at"
    for _ in range(3):
        assert isinstance(await pool.run(HookCall(source, "on_init")), Finished)
    assert compiled == [source]


async def test_a_hook_that_a_source_lacks_needs_no_process(pool: Pool, compiled: list[str]) -> None:
    await pool.inspect(SOURCE)
    jobs = len(compiled)
    assert await pool.run(HookCall(SOURCE, "on_leave", ("alice",))) == Finished()
    assert len(compiled) == jobs


async def test_code_without_end_is_refused(pool: Pool) -> None:
    many = "\n".join(f"    a{n} = '{chr(0x4E00 + n)}' * 4096" for n in range(500))
    with pytest.raises(BotRejected, match="compiles to more than 4 MB"):
        await pool.inspect(f"class Bot:\n    def on_init(self): pass\n{many}")


def made(size: int) -> Compiled:
    return Compiled(code=b"x" * size)


async def test_what_was_not_used_for_longest_goes_first() -> None:
    cache = CompileCache(most=3 * (1000 + 4096))
    for name in "abc":
        cache.put(name, made(1000))
    assert cache.get("a") is not None
    cache.put("d", made(1000))
    assert [name for name in "abcd" if cache.get(name)] == ["a", "c", "d"]


async def test_a_source_that_is_put_again_counts_once() -> None:
    cache = CompileCache(most=2 * (1000 + 4096))
    for _ in range(9):
        cache.put("a", made(1000))
    cache.put("b", made(1000))
    assert cache.get("a") is not None and cache.get("b") is not None


async def test_many_texts_are_bounded_as_well() -> None:
    cache = CompileCache(most=1 << 20)
    for n in range(10_000):
        cache.put(str(n), made(0))
    assert sum(cache.get(str(n)) is not None for n in range(10_000)) == (1 << 20) // 4096


async def test_the_largest_code_fits() -> None:
    cache = CompileCache()
    cache.put("a", made(MOST_CODE))
    assert cache.get("a") is not None
