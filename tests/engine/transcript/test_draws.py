"""The arithmetic of dice: known answers of the format, and what holds for every key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.transcript.draws import Draws, block

K = bytes.fromhex("c8949c10eb9caa2cd0c6225565913ef75b898f818138107f123ce4ec1293c511")
keys = st.binary(min_size=32, max_size=32)


def test_numbers_below_a_hundred_are_the_known_ones() -> None:
    draws = Draws(K)
    assert [draws.below(100) for _ in range(5)] == [20, 66, 31, 49, 8]
    assert draws.position == 5


def test_the_shuffle_of_ten_is_the_known_one_and_takes_nine_draws() -> None:
    draws, items = Draws(K), list(range(10))
    draws.shuffle(items)
    assert items == [8, 4, 1, 6, 7, 0, 3, 9, 5, 2]
    assert draws.position == 9


def test_the_first_float_is_the_known_one() -> None:
    assert Draws(K).random() == 0.2093136826648665


def test_a_draw_can_be_repeated_without_the_ones_before_it() -> None:
    draws = Draws(K)
    assert [draws.take() for _ in range(4)][3] == block(K, 3) == Draws(K, 3).take()


@pytest.mark.parametrize("n", [0, -1, (1 << 64) + 1])
def test_an_impossible_range_is_refused_and_takes_no_draw(n: int) -> None:
    draws = Draws(K)
    with pytest.raises(ValueError, match="below"):
        draws.below(n)
    assert draws.position == 0


@given(keys, st.integers(1, 1 << 64))
def test_every_draw_is_in_range(key: bytes, n: int) -> None:
    assert 0 <= Draws(key).below(n) < n
    assert 0 <= Draws(key).random() < 1


@given(keys, st.lists(st.integers(), max_size=40))
def test_a_shuffle_keeps_every_item(key: bytes, items: list[int]) -> None:
    shuffled = list(items)
    Draws(key).shuffle(shuffled)
    assert sorted(shuffled) == sorted(items)
