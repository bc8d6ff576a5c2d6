"""The library that a zygote has at hand and the same text that a hook brings come to the same: a
server has it at hand, a verifier has it from the record.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import pytest_asyncio

from mcp_multiplayer import multiplayer_server
from mcp_multiplayer.errors import Unavailable
from mcp_multiplayer.sandbox.call import Failed, HookCall, HookResult, Limits
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.workshop.table import own_library
from tests.edge.harness import settings_for

pytestmark = pytest.mark.asyncio(loop_scope="module")

PRESETS = {
    path.stem: text
    for path in sorted((Path(__file__).parents[3] / "bots").glob("*_bot.py"))
    if "\nfrom referee import" in (text := path.read_text())
}
PLAYERS = ("alice", "bob")
BOT = """
import referee
from referee import Game

class Bot(Game):
    def begin(self, players):
        {}
"""
LINES = {
    "an error in the library": "referee.option('a', [1])",
    "its own words for what is missing": "super().begin(players)",
    "the stack to its end": "referee.listed(map(self.begin, [players]))",
    "dice": "self.say({'a': referee.commit('x'), 'b': self.ctx.random.random()})",
    "names and places": "self.say({'a': repr(Game), 'b': id(Game), 'c': id(referee.commit)})",
    "what a set of its functions is": "self.say({'a': len({referee.commit, referee.digest})})",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pools() -> AsyncIterator[tuple[Pool, Pool]]:
    async with Pool(spares=1) as brings, Pool(spares=1, library=own_library()) as keeps:
        yield brings, keeps


async def both(
    pools: tuple[Pool, Pool], source: str, hook: Any, *args: Any, **more: Any
) -> HookResult:
    """What comes of it, which is the same either way."""
    call = HookCall(source, hook, args, key=b"k" * 32, players=PLAYERS, library=own_library())
    brought, kept = [await pool.run(call, **more) for pool in pools]
    assert brought == kept
    return kept


@pytest.mark.parametrize("name", PRESETS)
async def test_a_preset_says_the_same(pools: tuple[Pool, Pool], name: str) -> None:
    source = PRESETS[name]
    message = {"id": 1, "sender": "alice", "kind": "user", "body": {"text": "!help"}, "ts": "t"}
    results = [
        await both(pools, source, "on_init"),
        await both(pools, source, "on_start"),
        await both(pools, source, "on_message", message),
    ]
    assert not any(isinstance(result, Failed) for result in results)


@pytest.mark.parametrize("name", LINES)
async def test_a_bot_sees_no_difference(pools: tuple[Pool, Pool], name: str) -> None:
    await both(pools, BOT.format(LINES[name]), "on_start")


@pytest.mark.parametrize("ticks", range(1, 40, 3))
async def test_ticks_end_at_the_same_place(pools: tuple[Pool, Pool], ticks: int) -> None:
    source = BOT.format("self.deal(players); referee.listed([str(n) for n in range(9)])")
    await both(pools, source, "on_start", limits=Limits(fuel=ticks))


async def test_a_hook_that_brings_another_text_has_that(pools: tuple[Pool, Pool]) -> None:
    other = own_library().replace("def listed(", "def named(")
    call = HookCall(BOT.format("referee.listed([])"), "on_start", players=PLAYERS, library=other)
    for pool in pools:
        failed = await pool.run(call)
        assert isinstance(failed, Failed) and failed.error == "AttributeError"


async def test_without_a_library_that_can_be_read_there_is_no_sandbox() -> None:
    with pytest.raises(Unavailable):
        await Pool(library="import os").start()


async def test_a_server_has_its_library_at_hand(tmp_path: Path) -> None:
    """To read it anew took each hook a fifth of its time."""
    with mock.patch.object(multiplayer_server, "Pool", side_effect=Pool) as made:
        settings = settings_for(tmp_path, database_url="memory://")
        async with multiplayer_server.running(settings):
            pass
    assert [call.kwargs["library"] for call in made.call_args_list] == [own_library()] * 2
