"""The figures of scripts/fairness.py, checked against numbers from elsewhere."""

from __future__ import annotations

import importlib.util
import random
import sys
from types import ModuleType
from typing import Any

import pytest

from tests.pair import ROOT


@pytest.fixture(scope="module")
def fairness() -> ModuleType:
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        spec = importlib.util.spec_from_file_location("fairness", ROOT / "scripts/fairness.py")
        assert spec is not None and spec.loader is not None
        made = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(made)
    finally:
        sys.path.pop(0)
    return made


@pytest.mark.parametrize(
    ("wins", "games", "low", "high"),
    [
        (15, 40, 0.2422, 0.5297),
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (81, 263, 0.2553, 0.3662),
    ],
)  # Newcombe (1998) gives the last for method 3; the others are by hand
def test_intervals_are_wilsons(
    fairness: ModuleType, wins: int, games: int, low: float, high: float
) -> None:
    assert fairness.wilson(wins, games) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("expect", "bodies", "to"),
    [
        (["a", {"b": 1}], ["a", {"b": 1}], None),
        ({"body": ["rock", "paper"], "to": ["bot:rps"]}, ["rock", "paper"], ["bot:rps"]),
        ("heads | tails", ["heads", "tails"], None),
        ("guess N, 1 to 3", ["guess 1", "guess 2", "guess 3"], None),
    ],
)
def test_every_choice_that_is_expected_is_made_and_no_other(
    fairness: ModuleType, expect: Any, bodies: list[Any], to: list[str] | None
) -> None:
    chance = random.Random(1)
    made = [fairness.choose(expect, chance) for _ in range(60)]
    assert all(body in bodies for body, _ in made)
    assert all(body in [one for one, _ in made] for body in bodies)
    assert {str(whom) for _, whom in made} == {str(to)}
