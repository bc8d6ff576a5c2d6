"""A referee that changes the library it was handed, or goes through it to reach what it may not.

The library runs in the bot's own process and is as much the bot's as its source: what it changes
there it has changed for itself, and it is gone with the hook.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from mcp_multiplayer.sandbox.call import Failed, Finished, HookCall, Limits
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.workshop.table import own_library

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOT = """
import referee
from referee import Game

class Bot(Game):
    def begin(self, players):
        self.deal(players)

    def on_init(self):
        {}

    def on_join(self, player):
        self.ctx.post("bot", {{"digest": referee.digest("a", "b"), "none": referee.Game.least}})
"""


@pytest_asyncio.fixture(
    scope="module", loop_scope="module", params=["", own_library()], ids=["brought", "kept"]
)
async def pool(request: pytest.FixtureRequest) -> AsyncIterator[Pool]:
    """The library comes with the hook, or the zygote has its code."""
    async with Pool(library=request.param) as made:
        yield made


async def ran(pool: Pool, line: str, hook: Any = "on_init") -> Any:
    args = ("alice",) if hook == "on_join" else ()
    source = BOT.format(line)
    return await pool.run(HookCall(source, hook, args, key=b"k" * 32, library=own_library()))


CHANGES = [
    "referee.Game.digest = 1; referee.Game.least = 7",
    "setattr(Game, 'least', 7)",
    "referee.TYPES['integer'] = str; referee.TYPES.clear()",
    "Game.verbs['x'] = 'y'; Game.on_join = None",
]


@pytest.mark.parametrize("change", CHANGES)
async def test_what_a_bot_changes_of_it_is_gone_with_the_hook(pool: Pool, change: str) -> None:
    before = await ran(pool, change, "on_join")
    assert isinstance(await ran(pool, change), Finished)
    assert await ran(pool, change, "on_join") == before


async def test_another_bot_has_the_library_as_it_is(pool: Pool) -> None:
    assert isinstance(await ran(pool, "Game.rules = lambda self: 'mine'"), Finished)
    result = await ran(pool, "super().on_init()")
    assert isinstance(result, Finished) and result.said[0].body["text"] != "mine"


REACHES = [
    "referee.digest = 1",
    "referee.secrets",
    "referee.hashlib.sha256",
    "Game.save.__globals__",
    "referee.commit.__code__",
    "referee.__dict__",
    "referee.__builtins__",
    "Game.__subclasses__()",
    "Game.__mro__",
    "getattr(referee, '__loader__')",
    "getattr(Game.save, '__closure__')",
    "'{0.commit.__globals__}'.format(referee)",
    "from referee import __builtins__",
    "import referee.secrets",
]


@pytest.mark.parametrize("line", REACHES)
async def test_nothing_is_reached_through_it(pool: Pool, line: str) -> None:
    result = await ran(pool, line)
    assert isinstance(result, Failed), result
    assert result.error in ("AttributeError", "BotRejected", "ImportError", "TypeError")


async def test_it_gives_a_bot_without_dice_none(pool: Pool) -> None:
    """What it draws through the library is drawn from the host, and counted."""
    once = await ran(pool, "referee.commit('x')")
    twice = await ran(pool, "referee.commit('x'); getattr(referee, 'comm' + 'it')('y')")
    assert twice.draws == 2 * once.draws > 0


async def test_a_loop_in_it_ends_with_the_bots_ticks(pool: Pool) -> None:
    source = BOT.format("while True: referee.listed(['a', 'b'])")
    call = HookCall(source, "on_init", library=own_library())
    result = await pool.run(call, limits=Limits(fuel=1000))
    assert isinstance(result, Failed) and (result.error, result.line) == ("FuelLimit", 10)
