"""How often an address may guess, by a clock that the test moves."""

from __future__ import annotations

from mcp_multiplayer.edge.auth.passcode import (
    FIRST_WAIT,
    FORGET_GUESSES,
    FREE_GUESSES,
    Guesses,
)
from tests.edge.harness import Clock

HERE = "203.0.113.7"


def wrong(guesses: Guesses, times: int) -> float:
    """Guess wrong so often without waiting; the wait after the last."""
    for _ in range(times):
        _, wait = guesses.attempt(HERE, lambda: False)
    return wait


def test_the_right_word_forgives_the_wrong_ones_before_it() -> None:
    guesses = Guesses(now=Clock())
    assert wrong(guesses, FREE_GUESSES - 1) == 0
    assert guesses.attempt(HERE, lambda: True) == (True, 0.0)
    assert wrong(guesses, FREE_GUESSES - 1) == 0
    assert wrong(guesses, 1) == FIRST_WAIT


def test_wrong_words_are_forgotten_after_an_hour_without_one() -> None:
    clock = Clock()
    guesses = Guesses(now=clock)
    wrong(guesses, FREE_GUESSES - 1)
    clock.at += FORGET_GUESSES
    assert wrong(guesses, 1) == FIRST_WAIT
    clock.at += FORGET_GUESSES + 1
    assert wrong(guesses, FREE_GUESSES - 1) == 0
