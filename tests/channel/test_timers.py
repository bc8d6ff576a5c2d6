"""Clocks: what starts them, what stops them, when one runs out."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_multiplayer.channel.apply import Place, evolve
from mcp_multiplayer.channel.events import Detach, Run, Tick
from mcp_multiplayer.channel.model import Channel, Timer
from mcp_multiplayer.channel.timers import MOST, due_at
from tests.channel.table import BOTH, NOW, OPS, RECEIPT, Table, bot
from tests.harness import LIMITS


def game(**fields: Any) -> Table:
    """alice and bob before two referees; the first one's turn has ten seconds."""
    table = Table.of(
        "bot:x", "bot:y", "invite:alice", "invite:bob", bots=(bot(), bot()), seated=BOTH
    )
    table.ran(turn={"players": ["alice"], "deadline": NOW + 10_000}, **fields)
    return table


def test_a_clock_runs_out_once_and_not_before_its_time() -> None:
    table = game()
    assert table.channel.timers == (Timer(NOW + 10_000, "x", "turn"),)
    table.now += 9_999
    assert table.expire() == []
    table.now += 1
    assert table.expire() == [Tick("x", "turn")]
    assert table.expire() == []
    assert table.channel.turn
    assert table.channel.turn.deadline == NOW + 10_000, "the turn is the referee's to end"


@pytest.mark.parametrize(
    "run",
    [
        {"turn": {"players": ["bob"]}},
        {"turn": {"players": []}},
        {"end": {"winners": []}},
        {"turn": {"players": ["bob"], "deadline": NOW + 20_000}, "end": {"winners": []}},
    ],
    ids=["another turn", "no turn", "the end", "a turn at the end"],
)
def test_the_clock_of_a_turn_ends_with_it(run: dict[str, Any]) -> None:
    table = game()
    table.ran(**run)
    assert table.channel.timers == ()


def test_another_turn_has_a_clock_of_its_own() -> None:
    table = game()
    table.ran(turn={"players": ["bob"], "deadline": NOW + 20_000})
    table.now += 10_000
    assert table.expire() == []
    table.now += 10_000
    assert table.expire() == [Tick("x", "turn")]


def test_a_run_that_says_nothing_of_turns_leaves_the_clock_alone() -> None:
    table = game()
    table.ran(out=[{"k": "bot", "b": {}}])
    table.ran(res="error:Oops")
    assert [timer.name for timer in table.channel.timers] == ["turn"]


def test_clocks_have_names_and_each_referee_its_own() -> None:
    table = game(timers={"a": NOW + 5_000})
    table.ran(1, timers={"a": NOW + 3_000, "b": NOW + 4_000})
    assert [(t.bot, t.name) for t in table.channel.timers] == [
        ("y", "a"),
        ("y", "b"),
        ("x", "a"),
        ("x", "turn"),
    ]
    table.ran(1, timers={"a": None, "b": NOW + 30_000, "none": None})
    table.ran(end={"winners": []})
    assert table.channel.timers == (Timer(NOW + 5_000, "x", "a"), Timer(NOW + 30_000, "y", "b"))


def test_of_several_that_ran_out_the_first_one_rings_first() -> None:
    table = game(timers={"late": NOW + 12_000, "b": NOW + 11_000, "a": NOW + 11_000})
    table.now += 60_000
    rung = [event.name for _ in range(9) for event in table.expire() if isinstance(event, Tick)]
    assert rung == ["turn", "a", "b", "late"]


def test_who_goes_takes_his_clocks_along() -> None:
    table = game(timers={"a": NOW + 5_000})
    table.ran(1, timers={"a": NOW + 3_000})
    channel = evolve(table.channel, Detach("x"), Place(9, NOW))
    assert (channel.timers, channel.turn) == ((Timer(NOW + 3_000, "y", "a"),), None)
    channel = evolve(table.channel, Detach("y"), Place(9, NOW))
    assert [timer.bot for timer in channel.timers] == ["x", "x"]


def test_a_closed_room_has_no_clocks() -> None:
    table = Table.of("invite:alice", bots=(bot(),))
    table.ran(timers={"a": NOW})
    table.update("host", OPS["close"])
    assert table.channel.timers == ()
    table.happen([Run("judge", 1, "on_init", 1, "ok", [], **RECEIPT, timers={"a": NOW})])
    assert table.channel.timers == ()


def test_a_run_of_a_referee_that_has_gone_starts_no_clock() -> None:
    table = Table.of("invite:alice", bots=(bot(),))
    late = Run("judge", 0, "on_init", 1, "ok", [], **RECEIPT, timers={"a": NOW})
    assert evolve(table.channel, late, Place(9, NOW)).timers == ()


def test_a_referee_may_not_have_any_number_of_clocks() -> None:
    table = game(timers={f"t{n}": NOW + n for n in range(MOST)})
    (refused,) = table.ran(timers={"one-more": NOW})
    assert isinstance(refused, Run)
    assert refused.res == "error:TooManyTimers"
    assert len(table.channel.timers) == MOST + 1
    (allowed,) = table.ran(timers={"one-more": NOW, "t0": None})
    assert isinstance(allowed, Run)
    assert allowed.res == "ok"
    table.ran(1, timers={f"t{n}": NOW for n in range(MOST)})
    assert len(table.channel.timers) == 2 * MOST + 1


def test_only_the_first_referee_gives_a_turn_a_clock() -> None:
    table = game()
    table.ran(1, turn={"players": ["bob"], "deadline": NOW})
    assert table.channel.timers == (Timer(NOW + 10_000, "x", "turn"),)


def test_in_a_full_room_no_clock_rings() -> None:
    table = Table.of("invite:alice", bots=(bot(),), limits={**LIMITS, "channel_mb": 0})
    table.ran(timers={"a": NOW})
    assert table.channel.timers
    assert table.expire() == []
    assert table.channel.next_due == table.channel.reveals(table.channel.bots[0])
    assert Channel().next_due is None


def test_less_than_a_second_counts_as_one() -> None:
    assert [due_at(5, s) for s in (0.001, 0.9, 1, 1.5, 1.0006)] == [1005, 1005, 1005, 1505, 1006]
