"""Numbers that a referee draws, over the whole of what it may ask for."""

from __future__ import annotations

import pytest

from mcp_multiplayer.sandbox.hostcalls.dice import Dice
from mcp_multiplayer.sandbox.worker.rng import Rng


def chance() -> Rng:
    return Rng(Dice(b"k" * 32).take)


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ((6,), range(6)),
        ((1, 7), range(1, 7)),
        ((0, 10, 3), range(0, 10, 3)),
        ((10, 0, -3), range(10, 0, -3)),
    ],
)
def test_randrange_reaches_every_number_of_the_range_and_no_other(
    asked: tuple[int, ...], numbers: range
) -> None:
    dice = chance()
    assert {dice.randrange(*asked) for _ in range(400)} == set(numbers)


@pytest.mark.parametrize("bits", [63, 64, 65, 200])
def test_randrange_takes_numbers_that_no_len_can_hold(bits: int) -> None:
    dice = chance()
    drawn = [dice.randrange(1 << bits) for _ in range(20)]
    assert len(set(drawn)) == 20
    assert max(drawn) < 1 << bits
    assert max(drawn) > 1 << (bits - 3)


@pytest.mark.parametrize("asked", [(0,), (5, 5), (5, 1), (1, 5, -1)])
def test_an_empty_range_is_refused(asked: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="empty range"):
        chance().randrange(*asked)
