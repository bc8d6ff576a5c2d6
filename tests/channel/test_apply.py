"""How one event changes the state."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_multiplayer.channel.apply import Place, evolve
from mcp_multiplayer.channel.events import Accept, Erase, Event, Genesis, Msg, Rename, Run, Tick
from mcp_multiplayer.channel.view import count
from tests.channel.strategies import EVENTS
from tests.channel.table import BOTH, NOW, OPS, RECEIPT, Table, bot


def test_a_room_is_open_until_no_seat_waits_for_anybody() -> None:
    table = Table.of()
    assert table.channel.status == "open"
    table.join("A", "alice")
    assert (table.channel.status, table.channel.started) == ("open", None)
    table.join("B", "bob")
    assert (table.channel.status, table.channel.started) == ("playing", 2)


def test_the_game_begins_once() -> None:
    table = Table.of(seated=BOTH)
    table.leave("B")
    table.update("host", {"op": "reissue_invite", "player_id": "bob"})
    table.join("C", "bob")
    assert (table.channel.status, table.channel.started) == ("playing", 2)


def test_players_are_in_the_order_in_which_they_joined() -> None:
    table = Table.of()
    table.join("B", "bob")
    table.join("A", "alice")
    assert table.channel.players == ("bob", "alice")


def test_an_invite_counts_its_days_from_its_own_entry() -> None:
    table = Table.of()
    table.now += 5
    table.update("host", {"op": "reissue_invite", "player_id": "bob"})
    assert [slot.invited - NOW for slot in table.channel.seats] == [0, 5]


def test_each_occupancy_has_a_generation_of_its_own() -> None:
    table = Table.of(seated=BOTH)
    table.leave("B")
    assert [slot.generation for slot in table.channel.seats] == [0, 1]


def test_the_turn_goes_when_its_owner_goes() -> None:
    table = Table.of("bot:x", "bot:y", "invite:alice", bots=(bot(), bot()))
    table.ran(0, turn={"players": ["alice"], "expect": "a move"})
    assert table.channel.turn
    table.update("host", {"op": "remove_bot", "bot_id": "y"})
    assert table.channel.turn.expect == "a move"
    table.update("host", {"op": "remove_bot", "bot_id": "x"})
    assert table.channel.turn is None


@pytest.mark.parametrize("gone", ["judge", "first"])
def test_a_turn_with_a_clock_goes_with_whoever_gave_it_and_with_whoever_owns_turns_now(
    gone: str,
) -> None:
    judge = bot("Judge", slot="bot:judge")
    table = Table.of("bot:first", "bot:judge", "invite:alice", bots=(judge,), join_as="alice")
    table.ran(turn={"players": ["alice"], "deadline": table.now + 60_000})
    first = bot("First", slot="bot:first")
    table.update("host", {"op": "attach_bot", "bot_code": "…"}, bots={0: first})
    table.update("host", {"op": "remove_bot", "bot_id": gone})
    assert (table.channel.turn, table.channel.timers) == (None, ())


def test_clearing_the_turn_after_the_end_is_no_rematch() -> None:
    table = Table.of("bot:judge", "invite:alice", bots=(bot(),), join_as="alice")
    table.ran(end={"winners": ["alice"]})
    table.ran(turn={"players": []})
    assert (table.channel.status, table.channel.result) == ("ended", {"winners": ["alice"]})


def test_a_turn_of_nobody_is_no_turn() -> None:
    table = Table.of("invite:alice", bots=(bot(),))
    table.ran(turn={"players": ["alice"]})
    table.ran(turn={"players": []})
    assert table.channel.turn is None


def test_the_end_has_its_result_and_no_turn() -> None:
    table = Table.of("invite:alice", bots=(bot(),))
    table.ran(turn={"players": ["alice"]}, end={"winners": ["alice"]})
    assert (table.channel.status, table.channel.turn) == ("ended", None)
    assert table.channel.result == {"winners": ["alice"]}


def test_a_turn_after_the_end_is_a_rematch() -> None:
    table = Table.of("invite:alice", "bot:judge", bots=(bot(),), seated={"alice": "A"})
    table.ran(end={"winners": ["alice"]})
    table.ran(turn={"players": ["alice"]})
    assert (table.channel.status, table.channel.result) == ("playing", None)
    table.ran(end={"winners": []})
    assert (table.channel.status, table.channel.result) == ("ended", {"winners": []})


def test_a_late_run_does_not_open_a_closed_room_again() -> None:
    table = Table.of("invite:alice", bots=(bot(),))
    table.update("host", OPS["close"])
    table.happen([Run("judge", 1, "on_init", 1, "ok", [], **RECEIPT, end={"winners": []})])
    assert (table.channel.status, table.channel.result) == ("closed", None)


@given(EVENTS, st.integers(0, 9))
def test_every_event_adds_its_messages_and_its_bytes(event: Event, size: int) -> None:
    table = Table.of("bot:judge", "invite:alice", "invite:bob", bots=(bot(),), seated=BOTH)
    if isinstance(event, Accept):
        event = Rename("x")  # an acceptance is decided only where something is proposed
    before = table.channel
    after = evolve(before, event, Place(9, NOW, size))
    assert after.messages == before.messages + count(event)
    assert after.bytes == before.bytes + size
    if not isinstance(event, Genesis):
        assert after.created == before.created


def test_ticks_and_erased_entries_change_nothing_but_the_weight() -> None:
    table = Table.of()
    for event in (Tick("x", "soon"), Erase(0, {})):
        after = evolve(table.channel, event, Place(9, NOW))
        assert after == replace(table.channel, size=10)


def test_what_is_said_is_not_part_of_the_state() -> None:
    table = Table.of(seated=BOTH)
    table.happen([Msg({"s": "s0", "c": 7, "k": "user", "b": {"text": "remember-me"}})])
    assert "remember-me" not in repr(table.channel)
    assert table.channel.seats[0].said == 7
