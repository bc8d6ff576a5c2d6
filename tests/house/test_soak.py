"""Two thousand games of the house against itself over the public address: none gets stuck."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from mcp_multiplayer.house import soak
from mcp_multiplayer.house.strategies import STRATEGIES
from tests.house.harness import Running

pytestmark = pytest.mark.servers

GAMES, PARTS = 2000, 40


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    made = Running(tmp_path_factory.mktemp("soak"))
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_no_game_of_the_house_against_itself_gets_stuck(running: Running, part: int) -> None:
    number = GAMES // PARTS
    report = asyncio.run(soak.play(running.settings, number, first=part * number))
    assert not report.stuck and sum(report.ended.values()) == number, str(report)


def test_a_few_games_are_played_and_counted(running: Running) -> None:
    report = asyncio.run(soak.play(running.settings, 3, presets=["CoinBot", "GuessBot"]))
    assert report.ended == {"CoinBot": 2, "GuessBot": 1}, str(report)
    assert str(report).endswith("0 stuck")


def test_the_games_are_spread_over_all_presets_and_their_variants() -> None:
    games = soak.spread(GAMES)
    assert {preset for preset, _ in games} == set(STRATEGIES)
    for preset, variants in soak.VARIANTS.items():
        played = [params for one, params in games if one == preset]
        assert all(params in played for params in variants), preset
    parts = [soak.spread(50, first=part * 50) for part in range(PARTS)]
    assert [game for part in parts for game in part] == games
