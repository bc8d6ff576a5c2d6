"""Who had a say in the dice, and when a seed comes out."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_multiplayer.channel import entropy
from mcp_multiplayer.channel.events import (
    Abort,
    Close,
    Detach,
    Entropy,
    Invite,
    Join,
    Open,
    Reveal,
    Run,
    Tick,
)
from mcp_multiplayer.channel.model import DAY
from mcp_multiplayer.errors import InvalidRequest
from mcp_multiplayer.transcript import seeds
from tests.channel.table import Table, bot

A, B = "alice's words, nobody knows them", "bob's, and they are other ones"
ORIGIN = "localhost/c/chn_test"
RECEIPT: dict[str, Any] = {"now": 1, "st": ["x", "y"], "rng": ["kid", 0, 2]}


def room(**wishes: Any) -> Table:
    slots = ("bot:judge", "invite:alice", "invite:bob")
    return Table.of(*slots, bots=(bot(),), **wishes)


def shares(table: Table, on: int | None = None) -> list[tuple[str, str]]:
    last = table.channel.size - 1
    return entropy.shares(table.channel, table.channel.bots[0], last if on is None else on)


def promise(value: str, slot: str) -> str:
    return "commit:" + seeds.commit_member(ORIGIN, slot, value)


def test_what_both_gave_counts_from_the_entry_with_which_the_game_begins() -> None:
    table = room()
    table.join("A", "alice", entropy=A)
    assert shares(table) == []
    table.join("B", "bob", entropy=B)
    assert shares(table) == [("s1", A), ("s2", B)]
    assert shares(table, on=2) == []  # alice's join: bob had not spoken yet


def test_the_order_of_joining_does_not_matter() -> None:
    one, other = room(), room()
    one.join("A", "alice", entropy=A)
    one.join("B", "bob", entropy=B)
    other.join("B", "bob", entropy=B)
    other.join("A", "alice", entropy=A)
    assert shares(one) == shares(other)


def test_who_gives_nothing_has_no_say() -> None:
    table = room()
    table.join("A", "alice")
    table.join("B", "bob", entropy=B)
    assert shares(table) == [("s2", B)]


def test_asking_again_with_the_same_value_changes_nothing() -> None:
    table = room()
    table.join("A", "alice", entropy=A)
    assert table.join("A", "alice", entropy=A) == []


def test_another_value_for_the_same_seat_is_refused() -> None:
    table = room()
    table.join("A", "alice", entropy=A)
    with pytest.raises(InvalidRequest, match="another value"):
        table.join("A", "alice", entropy=B)


def test_who_spoke_before_another_referee_came_may_speak_again() -> None:
    table = room()
    table.join("A", "alice", entropy=A)
    table.happen([bot("Late").attach("late", "s3", runtime="r", commit="c")])
    assert table.join("A", "alice", entropy=B) == [Entropy("s1", B)]
    with pytest.raises(InvalidRequest, match="another value"):
        table.join("A", "alice", entropy=A)


def test_a_value_may_come_after_the_seat_was_taken() -> None:
    table = room(join_as="alice")
    assert table.take_over("host", "alice", entropy=A) == [Entropy("s1", A)]
    table.join("B", "bob")
    assert shares(table) == [("s1", A)]


def test_a_value_after_the_beginning_is_not_taken() -> None:
    table = room()
    table.join("A", "alice")
    table.join("B", "bob")
    assert table.join("A", "alice", entropy=A) == []
    assert shares(table) == []


def test_a_value_that_the_server_read_before_it_committed_does_not_count() -> None:
    table = room()
    table.join("A", "alice", entropy=A)
    table.happen([bot("Late").attach("late", "s3", runtime="r", commit="c")])
    table.join("B", "bob", entropy=B)
    second = table.channel.bots[1]
    assert entropy.shares(table.channel, second, table.channel.size - 1) == [("s2", B)]


def test_whoever_leaves_takes_the_value_along() -> None:
    table = room()
    table.join("A", "alice", entropy=A)
    table.leave("A")
    table.update("host", {"op": "reissue_invite", "player_id": "alice"})
    table.join("C", "alice", entropy=B)
    table.join("B", "bob")
    assert shares(table) == [("s1", B)]


@pytest.mark.parametrize(
    "text",
    [
        "short",
        "x" * 257,
        "sixteen\ncharacters or more",
        "commit:x",
        "commit:" + "0" * 64,
        "commit:" + "A" * 43 + "=",
        "<32 characters nobody can guess>",
    ],
)
def test_a_value_that_cannot_be_used_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        room().join("A", "alice", entropy=text)


# --- commit and open -------------------------------------------------------------------------


def committed() -> Table:
    table = room()
    table.join("A", "alice", entropy=promise(A, "s1"))
    table.join("B", "bob", entropy=B)
    return table


def test_the_game_waits_until_a_commitment_is_open() -> None:
    table = committed()
    assert table.channel.started is None
    assert table.join("A", "alice", entropy=A) == [Open("s1", A)]
    assert table.channel.started == 4
    assert shares(table) == [("s1", A), ("s2", B)]


def test_a_commitment_cannot_be_opened_while_somebody_may_still_join() -> None:
    table = room()
    table.join("A", "alice", entropy=promise(A, "s1"))
    with pytest.raises(InvalidRequest, match="too early"):
        table.join("A", "alice", entropy=A)


def test_a_commitment_opens_to_nothing_else() -> None:
    table = committed()
    with pytest.raises(InvalidRequest, match="not the one"):
        table.join("A", "alice", entropy=B)


def test_a_rivals_commitment_cannot_be_copied() -> None:
    table = room()
    copied = promise(A, "s1")
    table.join("A", "alice", entropy=copied)
    table.join("B", "bob", entropy=copied)
    table.join("A", "alice", entropy=A)
    with pytest.raises(InvalidRequest, match="not the one"):
        table.join("B", "bob", entropy=A)


def test_who_does_not_open_in_time_is_left_behind_by_name() -> None:
    table = committed()
    assert table.expire() == []
    table.now += 600_000
    assert table.expire() == [Abort(["s1"])]
    assert table.channel.status == "playing"
    assert shares(table) == [("s2", B)]
    assert table.channel.slot("s1").given == 0  # what was promised and not said


def test_one_opening_gives_the_others_no_more_time() -> None:
    table = room()
    table.join("A", "alice", entropy=promise(A, "s1"))
    table.join("B", "bob", entropy=promise(B, "s2"))
    table.now += 599_999
    table.join("B", "bob", entropy=B)
    assert table.expire() == []
    table.now += 1
    assert table.expire() == [Abort(["s1"])]


def test_nobody_is_left_behind_while_a_seat_is_empty() -> None:
    table = committed()
    table.leave("B")
    table.now += 600_000
    assert table.expire() == []


def test_nobody_is_left_behind_once_a_closed_seat_is_free_again() -> None:
    table = Table.of("bot:judge", "invite:alice", "invite:bob", "invite:carol", bots=(bot(),))
    table.join("A", "alice", entropy=promise(A, "s1"))
    table.join("B", "bob", entropy=B)
    table.update("host", {"op": "start"})
    assert table.channel.sealed is not None
    table.happen([Invite("s3", "hash")])
    table.now += 600_000
    assert table.expire() == []


def test_in_a_closed_room_nobody_is_left_behind() -> None:
    table = committed()
    table.happen([Close()])
    table.now += 600_000
    assert table.expire() == []


def test_time_to_open_begins_anew_when_a_seat_was_empty_again() -> None:
    table = committed()
    table.now += 500_000
    table.leave("B")
    table.update("host", {"op": "reissue_invite", "player_id": "bob"})
    table.join("C", "bob", entropy=B)
    table.now += 500_000
    assert table.expire() == []


def test_the_creator_cannot_commit_before_the_room_has_a_name() -> None:
    with pytest.raises(InvalidRequest, match="no name yet"):
        room(join_as="alice", entropy=promise(A, "s1"))


# --- the seed comes out ----------------------------------------------------------------------


def playing() -> Table:
    table = room()
    table.join("A", "alice", entropy=A)
    table.join("B", "bob", entropy=B)
    return table


def test_the_end_of_the_game_brings_the_seed_out() -> None:
    table = playing()
    _, reveal = table.ran(end={"winners": []}, **RECEIPT)
    assert reveal == Reveal("judge", 1, 0, "")
    assert table.channel.bots[0].dice.epoch == 1
    assert table.channel.bots[0].dice.drawn == 0


def test_hooks_that_drew_are_counted_through_an_epoch_and_no_others() -> None:
    table = playing()
    for drawn in (2, 0, 300):
        table.ran(**RECEIPT | {"rng": ["kid", table.channel.bots[0].dice.drawn, drawn]})
    assert table.channel.bots[0].dice.drawn == 2


def test_a_run_that_the_rules_undo_has_drawn_nothing_and_changed_no_state() -> None:
    table = playing()
    table.happen([bot("Late").attach("late", "s3", runtime="r", commit="c")])
    (run,) = table.ran(1, turn={"players": []}, **RECEIPT)
    assert isinstance(run, Run)
    assert (run.res, run.st, run.rng) == ("error:NotTheFirstBot", ["x", "x"], ["kid", 0, 0])


def test_the_seed_comes_out_after_seven_days_though_nobody_is_there() -> None:
    table = playing()
    table.ran(**RECEIPT)
    table.now += 7 * DAY - 1
    assert table.expire() == []
    table.now += 1
    assert table.expire() == [Reveal("judge", 1, 0, "")]
    assert table.expire() == []


def test_the_seven_days_are_those_of_the_first_run_and_not_of_the_last() -> None:
    table = playing()
    table.ran(**RECEIPT)
    table.now += 6 * DAY
    table.post("A")
    table.ran(**RECEIPT)
    table.now += DAY
    assert table.expire() == [Reveal("judge", 1, 0, "")]


def test_a_run_that_drew_nothing_needs_its_seed_all_the_same() -> None:
    table = playing()
    table.ran(**RECEIPT | {"rng": ["kid", 0, 0]})  # its states are blinded with it
    table.now += 7 * DAY
    assert table.expire() == [Reveal("judge", 1, 0, "")]


def test_a_clock_that_ran_out_before_the_seven_days_rings_first() -> None:
    table = playing()
    table.ran(**RECEIPT, timers={"soon": table.now + 1000})
    table.now += 8 * DAY
    assert table.expire() == [Tick("judge", "soon")]
    assert table.expire() == [Reveal("judge", 1, 0, "")]


def test_a_seed_that_nothing_was_done_with_stays_where_it_is() -> None:
    table = playing()
    table.now += 8 * DAY
    assert table.expire() == []


def test_closing_brings_the_seed_out_first() -> None:
    table = room(join_as="alice")
    table.ran(**RECEIPT)
    assert table.update("host", {"op": "close"}) == [Reveal("judge", 1, 0, ""), Close()]


def test_a_referee_that_goes_leaves_its_seed() -> None:
    table = room(join_as="alice")
    table.ran(**RECEIPT)
    gone = table.update("host", {"op": "remove_bot", "bot_id": "judge"})
    assert gone == [Reveal("judge", 1, 0, ""), Detach("judge")]


def test_a_referee_that_is_replaced_leaves_its_seed() -> None:
    table = room(join_as="alice")
    table.ran(**RECEIPT)
    gone = table.update("host", {"op": "set_bot", "bot_id": "judge", "bot_code": "…"})
    assert gone[:2] == [Reveal("judge", 1, 0, ""), Detach("judge")]


def test_the_last_seed_is_kept_for_the_end_of_the_room() -> None:
    table = room(join_as="alice")
    for _ in range(seeds.SEEDS - 1):
        table.ran(end={"winners": []}, **RECEIPT)
    assert len(table.ran(end={"winners": []}, **RECEIPT)) == 1
    closed = table.update("host", {"op": "close"})
    assert closed[0] == Reveal("judge", 1, seeds.SEEDS - 1, "")


def test_a_join_carries_what_was_given() -> None:
    table = room()
    (join,) = table.join("A", "alice", entropy=A)
    assert isinstance(join, Join)
    assert (join.entropy, join.commit) == (A, None)
