"""The arithmetic of dice: known answers of the format, and what holds for every key."""

from hypothesis import given
from hypothesis import strategies as st

from mcp_multiplayer.sandbox.worker.rng import Rng
from mcp_multiplayer.transcript.drbg import Drbg, block, hook_key, scale, unit

K = bytes.fromhex("c8949c10eb9caa2cd0c6225565913ef75b898f818138107f123ce4ec1293c511")
keys = st.binary(min_size=32, max_size=32)


def test_the_dice_of_the_first_hooks_are_the_known_ones() -> None:
    first = [[scale(block(hook_key(K, n), j), 100) for j in range(3)] for n in range(3)]
    assert first == [[88, 53, 54], [99, 8, 45], [94, 1, 80]]


def test_numbers_below_a_hundred_are_the_known_ones() -> None:
    assert [scale(block(K, j), 100) for j in range(5)] == [20, 66, 31, 49, 8]


def test_the_shuffle_of_ten_is_the_known_one_and_takes_nine_draws() -> None:
    draws, items = Drbg(K), list(range(10))
    Rng(draws.take).shuffle(items)
    assert items == [8, 4, 1, 6, 7, 0, 3, 9, 5, 2]
    assert draws.count == 9


def test_the_first_float_is_the_known_one() -> None:
    assert unit(block(K, 0)) == 0.2093136826648665


def test_a_draw_can_be_repeated_without_the_ones_before_it() -> None:
    draws = Drbg(K)
    assert draws.take(3) + draws.take() == b"".join(block(K, j) for j in range(4))
    assert draws.count == 4


def test_no_two_hooks_or_epochs_draw_from_one_stream() -> None:
    known = {hook_key(key, n) for key in (K, bytes(32)) for n in range(20)} | {K}
    assert len(known) == 41


@given(keys, st.integers(1, 1 << 64))
def test_every_draw_is_in_range(key: bytes, n: int) -> None:
    assert 0 <= scale(block(key, 0), n) < n
    assert 0 <= unit(block(key, 0)) < 1


@given(keys, st.lists(st.integers(), max_size=40))
def test_a_shuffle_keeps_every_item(key: bytes, items: list[int]) -> None:
    shuffled = list(items)
    Rng(Drbg(key).take).shuffle(shuffled)
    assert sorted(shuffled) == sorted(items)
