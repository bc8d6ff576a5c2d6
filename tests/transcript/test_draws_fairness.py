"""The dice are even: 20,000 draws and shuffles pass chi-square as referees get them, and dice that
are not even fail. The key is fixed, so every run counts the same."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, MutableSequence
from dataclasses import asdict
from hashlib import sha256
from itertools import permutations
from typing import Any, Protocol

import pytest

from mcp_multiplayer.sandbox.call import Limits
from mcp_multiplayer.sandbox.worker.clock import Clock
from mcp_multiplayer.sandbox.worker.context import Context
from mcp_multiplayer.sandbox.worker.rng import Rng
from mcp_multiplayer.transcript.drbg import Drbg, hook_key
from tests.sample import sample

MANY = 20_000
RARE = 0.001  #: p-values below this are no accident
KEY = sha256(b"fairness").digest()
ORDERS = list(permutations(range(5)))


class Dice(Protocol):
    """What is tried."""

    def below(self, n: int) -> int:
        """A whole number from 0 to n - 1."""

    def random(self) -> float:
        """A float from 0 up to, not including, 1."""

    def shuffle(self, items: MutableSequence[Any], /) -> None:
        """Reorder in place."""


class Referees:
    """``ctx.random``, as referees call it: a thousand calls in one hook, then the next one."""

    def __init__(self, key: bytes) -> None:
        self.key, self.calls = key, 0

    @property
    def ctx(self) -> Any:
        if self.calls % 1000 == 0:
            told = {"players": [], "state": {}, "bot_id": "referee"}
            draws = Drbg(hook_key(self.key, self.calls // 1000))
            self.random_ = Context(told, asdict(Limits()), Rng(draws.take), Clock()).random
        self.calls += 1
        return self.random_

    def below(self, n: int) -> int:
        return int(self.ctx.randrange(n))

    def random(self) -> float:
        return float(self.ctx.random())

    def shuffle(self, items: MutableSequence[Any], /) -> None:
        self.ctx.shuffle(items)


class Biased(Referees):
    """Falls back on nought one time in thirty; shuffles as beginners do, each place with any."""

    def below(self, n: int) -> int:
        return 0 if super().below(30) == 0 else super().below(n)

    def random(self) -> float:
        return math.pow(super().random(), 1.2)

    def shuffle(self, items: MutableSequence[Any], /) -> None:
        for here in range(len(items)):
            there = Referees.below(self, len(items))
            items[here], items[there] = items[there], items[here]


def survival(statistic: float, degrees: int) -> float:
    """How often chi-square with so many degrees of freedom is larger (Abramowitz, Stegun 26.4)."""
    half, odd = statistic / 2, degrees % 2
    terms = (term + odd / 2 for term in range(degrees // 2))
    body = sum(math.exp(k * math.log(half) - half - math.lgamma(k + 1)) for k in terms)
    return body + (math.erfc(math.sqrt(half)) if odd else 0.0)


def p_value(seen: Iterable[Any], kinds: int) -> float:
    """How often even dice are as far from even as this."""
    counts = Counter(seen)
    assert len(counts) <= kinds
    mean = counts.total() / kinds
    squares = sum((count - mean) ** 2 for count in counts.values())
    return survival((squares + (kinds - len(counts)) * mean**2) / mean, kinds - 1)


def numbers(dice: Dice) -> list[float]:
    """Draws below 2, 6, 52 and 101."""
    return [p_value((dice.below(n) for _ in range(MANY)), n) for n in (2, 6, 52, 101)]


def pairs(dice: Dice) -> list[float]:
    """A draw says nothing of the next."""
    return [p_value(((dice.below(7), dice.below(7)) for _ in range(MANY)), 49)]


def floats(dice: Dice) -> list[float]:
    """Floats, by their hundredths."""
    return [p_value((int(dice.random() * 100) for _ in range(MANY)), 100)]


def orders(dice: Dice) -> list[float]:
    """Every order of five is as frequent as every other."""

    def shuffled() -> tuple[int, ...]:
        items = list(range(5))
        dice.shuffle(items)
        return tuple(items)

    return [p_value((shuffled() for _ in range(MANY)), len(ORDERS))]


def decks(dice: Dice) -> list[float]:
    """Any card may come to lie anywhere in a pack of 52: at the top, inside, at the bottom."""
    packs = []
    for _ in range(MANY):
        pack = list(range(52))
        dice.shuffle(pack)
        packs.append(pack)
    return [p_value((pack[place] for pack in packs), 52) for place in (0, 1, 25, 50, 51)]


TRIALS: list[Callable[[Dice], list[float]]] = [numbers, pairs, floats, orders, decks]


@pytest.mark.parametrize("trial", sample(TRIALS, {numbers, orders}, lambda one: one.__name__))
def test_twenty_thousand_are_even(trial: Callable[[Dice], list[float]]) -> None:
    assert min(trial(Referees(KEY))) > RARE


@pytest.mark.parametrize("trial", sample(TRIALS, {numbers, orders}, lambda one: one.__name__))
def test_dice_that_are_not_even_are_found_out(trial: Callable[[Dice], list[float]]) -> None:
    assert min(trial(Biased(KEY))) < RARE


@pytest.mark.parametrize(
    ("degrees", "critical"), [(1, 10.828), (2, 13.816), (5, 20.515), (10, 29.588), (99, 148.230)]
)
def test_critical_values_are_those_of_the_tables(degrees: int, critical: float) -> None:
    assert survival(critical, degrees) == pytest.approx(0.001, rel=1e-3)
