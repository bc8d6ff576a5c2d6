"""What a client is asked to wait for, after it was seen to give up."""

from __future__ import annotations

import pytest

from mcp_multiplayer.edge.api import patience
from mcp_multiplayer.edge.api.patience import SECONDS, SHORTEST_MS, Patience
from mcp_multiplayer.edge.api.render_text import WAIT_MS


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


@pytest.mark.parametrize(
    ("waited", "lasts"),
    [(5.0, 4_000), (4.0, SHORTEST_MS), (10.4, 8_000), (30, 24_000), (90, WAIT_MS)],
)
def test_a_client_that_gave_up_is_asked_for_waits_that_it_outlasts(
    waited: float, lasts: int
) -> None:
    known = Patience()
    known.gave_up("app", waited)
    assert (known.of("app"), known.of("another")) == (lasts, WAIT_MS)


def test_who_leaves_at_once_was_stopped_and_is_not_taken_for_impatient() -> None:
    known = Patience()
    known.gave_up("app", patience.BRIEFEST - 0.1)
    assert known.of("app") == WAIT_MS


def test_what_was_seen_is_forgotten_after_an_hour() -> None:
    clock = Clock()
    known = Patience(clock)
    known.gave_up("app", 5)
    clock.time = SECONDS - 1
    assert known.of("app") == SHORTEST_MS
    clock.time = SECONDS
    assert known.of("app") == WAIT_MS


def test_who_has_no_client_is_not_remembered() -> None:
    known = Patience()
    known.gave_up("", 5)
    assert known.of("") == WAIT_MS


def test_a_crowd_of_clients_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_MOST", 3)
    known = Patience()
    for name in ("a", "b", "c", "a", "d"):
        known.gave_up(name, 5)
    assert [known.of(name) for name in "abcd"] == [4_000, WAIT_MS, 4_000, 4_000]
