"""Presets on the list are hooks that do the same everywhere, and so run once; others run twice.

"Long" is the proof: every hook of many games, again in other surroundings. What another Python and
another user come to is tests/verifier/test_elsewhere.py; `scripts/prove_bots` runs both.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from mcp_multiplayer.config import bots_dir
from mcp_multiplayer.sandbox.call import HookCall, HookResult
from mcp_multiplayer.sandbox.host.determinism_check import receipt
from mcp_multiplayer.sandbox.host.forkserver import ELSEWHERE
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.service.bot_manager import DETERMINISTIC, LIBRARY
from tests.verifier.games import table
from tests.verifier.matches import HOOK, PRESETS, World, match, replayer, world
from tests.verifier.records import shipped

pytestmark = pytest.mark.asyncio(loop_scope="module")
GAMES = 12


async def test_the_list_holds_every_preset_as_it_is() -> None:
    """Else it has to be proven again: scripts/prove_bots."""
    lines = (bots_dir() / DETERMINISTIC).read_text().splitlines()
    assert lines == [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}"
        for path in [*sorted(bots_dir().glob("*_bot.py")), bots_dir() / LIBRARY]
    ]


async def test_what_is_on_the_list_runs_once_and_all_else_twice() -> None:
    async with table(twice=True) as server:
        second = server.bots.second
        assert isinstance(second, Pool)
        for more, again in (("", 0), ("# as a player would bring it\n", 1)):
            code = (bots_dir() / "coin_bot.py").read_text() + more
            game = await (await server.open(code=code)).seated()
            before = server.pool.counts["ran"], second.counts["ran"]
            await game.say("alice", "heads")
            assert server.pool.counts["ran"] - before[0] == 1
            assert second.counts["ran"] - before[1] == again


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with world(tmp_path_factory.mktemp("tls")) as made:
        yield made


@pytest.mark.long
@pytest.mark.parametrize("preset", PRESETS)
async def test_every_hook_of_a_preset_does_the_same_elsewhere(
    house: World, preset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With other string hashes, other addresses, half and twice the memory, other paths."""
    ran: list[tuple[HookCall, HookResult]] = []
    run = house.pool.run

    async def kept(call: HookCall, **more: Any) -> HookResult:
        result = await run(call, **more)
        ran.append((call, result))
        return result

    monkeypatch.setattr(house.pool, "run", kept)
    for seed in range(GAMES):
        await match(house, seed, preset, 14)
        await shipped(house, preset, random.Random(seed))
    assert len(ran) > GAMES
    async with Pool(limits=HOOK, surroundings=ELSEWHERE) as other:
        for call, result in ran:
            again = await other.run(call, tape=result.effects)
            assert receipt(call, again) == receipt(call, result), call
    with replayer() as judge:
        for call, result in ran:
            for number, place in enumerate(judge.others()):
                again = await asyncio.to_thread(place.run, call, result.effects)
                assert receipt(call, again) == receipt(call, result), (number, call)
                if number == 3:
                    break
