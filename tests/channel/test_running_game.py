"""While a game runs no op of one player decides it: which takes whose acceptance."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_multiplayer.channel import proposals
from mcp_multiplayer.channel.events import (
    Accept,
    Change,
    Close,
    Event,
    Invite,
    Leave,
    Propose,
    Reveal,
)
from mcp_multiplayer.errors import BadOp, ChannelClosed, InviteInvalid, NotAdmin, TermsChanged
from tests.channel.table import Table, bot

YIELD: dict[str, Any] = {"op": "yield_slot", "player_id": "bob"}
CLOSE: dict[str, Any] = {"op": "close"}
THREE = {"alice": "A", "bob": "B", "carol": "C"}


def game(seated: dict[str, str] | None = None) -> Table:
    """A game that runs; alice is admin."""
    seated = seated or {"alice": "A", "bob": "B"}
    slots = [f"invite:{label}" for label in seated]
    table = Table.of("bot:judge", f"{slots[0]}:admin", *slots[1:], bots=(bot(),), seated=seated)
    assert table.channel.running
    return table


def kinds(happened: list[Event]) -> list[type[Event]]:
    return [type(event) for event in happened]


def accept(table: Table, who: str, **fields: Any) -> list[Event]:
    assert table.channel.proposal is not None
    op = {"op": "accept_change", "terms": table.channel.proposal.terms}
    return table.update(who, op, **fields)


def waiting(table: Table) -> list[str]:
    return [slot.label for slot in proposals.waiting(table.channel)]


def test_the_opponents_seat_is_emptied_by_his_own_consent_alone() -> None:
    table = game()
    assert kinds(table.update("A", YIELD)) == [Propose]
    assert waiting(table) == ["bob"]
    assert accept(table, "A") == []
    assert kinds(accept(table, "B")) == [Accept, Change, Leave]


def test_with_three_players_the_others_together_may_empty_a_seat() -> None:
    table = game(THREE)
    table.update("A", YIELD)
    assert waiting(table) == ["carol"]
    assert kinds(accept(table, "C")) == [Accept, Change, Leave]
    assert table.channel.players == ("alice", "carol")


def test_its_holder_alone_is_enough_with_three_too() -> None:
    table = game(THREE)
    table.update("A", YIELD)
    assert kinds(accept(table, "B")) == [Accept, Change, Leave]


def test_the_others_are_more_than_one_account() -> None:
    table = game({"alice": "A", "bob": "B", "carol": "A"})
    table.update("A", YIELD, seat="alice")
    assert accept(table, "A", seat="carol") == []
    assert waiting(table) == ["bob"]


def test_who_takes_a_seat_over_has_not_accepted_what_it_had() -> None:
    """Else the admin's second seat, handed to a friend, would be the other account."""
    table = game({"alice": "A", "bob": "B", "carol": "A"})
    table.update("A", YIELD, seat="alice")
    table.take_over("X", "carol")
    assert waiting(table) == ["carol"]
    assert table.channel.players == ("alice", "bob", "carol")


def test_who_leaves_before_the_others_accept_is_not_turned_out_of_his_next_seat() -> None:
    table = game(THREE)
    table.update("A", YIELD)
    wanted = table.channel.proposal
    assert wanted is not None
    table.leave("B")
    assert table.channel.proposal is None
    table.update("A", {"op": "reissue_invite", "player_id": "bob"})
    table.join("B2", "bob")
    table.update("A", YIELD)
    with pytest.raises(TermsChanged):  # carol repeats what she said to the first
        table.update("C", {"op": "accept_change", "terms": wanted.terms})


def test_consent_to_one_deed_is_no_consent_to_another() -> None:
    table = game(THREE)
    table.update("A", YIELD)
    first = table.channel.proposal
    assert first is not None
    for op in (YIELD | {"player_id": "carol"}, YIELD, CLOSE):
        table.update("A", op)
        with pytest.raises(TermsChanged):
            table.update("C", {"op": "accept_change", "terms": first.terms})
    assert table.channel.players == ("alice", "bob", "carol")


def test_the_last_acceptance_may_be_repeated_when_its_answer_was_lost() -> None:
    table = game(THREE)
    table.update("A", YIELD)
    wanted = table.channel.proposal
    assert wanted is not None
    accept(table, "C")
    assert table.update("C", {"op": "accept_change", "terms": wanted.terms}) == []


def test_what_opened_a_seat_that_was_emptied_by_consent_is_void_until_it_is_offered_again() -> None:
    table = game(THREE)
    table.update("A", YIELD)
    accept(table, "C")
    with pytest.raises(InviteInvalid):
        table.join("B", "bob")
    table.update("host", {"op": "reissue_invite", "player_id": "bob"})
    assert table.join("D", "bob")


def test_a_running_game_is_closed_when_everybody_accepts() -> None:
    table = game(THREE)
    table.ran(rng=["k", 0, 1])
    assert kinds(table.update("A", CLOSE)) == [Propose]
    assert waiting(table) == ["bob", "carol"]
    assert kinds(accept(table, "B")) == [Accept]
    assert kinds(accept(table, "C")) == [Accept, Change, Reveal, Close]
    with pytest.raises(ChannelClosed):
        table.post("A")


@pytest.mark.parametrize("op", [YIELD, CLOSE])
def test_when_the_game_is_over_an_admin_does_it_alone(op: dict[str, Any]) -> None:
    table = game()
    table.ran(end={"winners": ["bob"]})
    assert Propose not in kinds(table.update("A", op))


@pytest.mark.parametrize("op", [YIELD, CLOSE])
def test_before_a_game_an_admin_does_it_alone(op: dict[str, Any]) -> None:
    slots = ("bot:judge", "invite:alice:admin", "invite:bob", "invite:carol")
    seated = {"alice": "A", "bob": "B"}
    table = Table.of(*slots, bots=(bot(),), seated=seated)
    assert Propose not in kinds(table.update("A", op))


@pytest.mark.parametrize("op", [YIELD, CLOSE])
def test_a_game_that_its_referee_began_before_all_sat_down_runs_too(op: dict[str, Any]) -> None:
    slots = ("bot:judge", "invite:alice:admin", "invite:bob", "invite:carol")
    table = Table.of(*slots, bots=(bot(),), seated={"alice": "A", "bob": "B"})
    table.ran(turn={"players": ["bob"]})
    assert table.channel.status == "open"
    assert kinds(table.update("A", op)) == [Propose]


def test_while_commitments_wait_to_be_opened_the_game_runs() -> None:
    """Else an admin who has read the others' values would have them draw again."""
    table = Table.of("bot:judge", "invite:alice:admin", "invite:bob", bots=(bot(),))
    table.join("A", "alice", entropy="commit:" + "A" * 43)
    table.join("B", "bob", entropy="b" * 32)
    assert table.channel.sealed is not None
    assert kinds(table.update("A", YIELD)) == [Propose]


def test_where_there_is_no_referee_there_is_no_game() -> None:
    table = Table.of("invite:alice:admin", "invite:bob", seated={"alice": "A", "bob": "B"})
    assert kinds(table.update("A", YIELD)) == [Leave, Invite]


def test_an_admin_may_empty_a_seat_of_its_own() -> None:
    table = game({"alice": "A", "bob": "B", "carol": "A"})
    own = YIELD | {"player_id": "carol"}
    assert kinds(table.update("A", own, seat="alice")) == [Leave, Invite]


def test_no_seat_that_was_closed_at_the_beginning_opens_while_the_game_runs() -> None:
    """Else an admin would bring a friend into it, as an arbiter perhaps."""
    slots = ("bot:judge", "invite:alice:admin", "invite:bob", "invite:carol")
    table = Table.of(*slots, bots=(bot(),), seated={"alice": "A", "bob": "B"})
    table.update("A", {"op": "start"})
    with pytest.raises(BadOp, match="closed when the game began"):
        table.update("A", YIELD | {"player_id": "carol"})
    table.ran(end={"winners": []})
    assert kinds(table.update("A", YIELD | {"player_id": "carol"})) == [Invite]


@pytest.mark.parametrize(
    "more", [{"op": "rename", "name": "x"}, {"op": "remove_bot", "bot_id": "judge"}]
)
def test_what_others_must_accept_stands_alone(more: dict[str, Any]) -> None:
    table = game()
    for ops in ((YIELD, more), (more, CLOSE), (YIELD, CLOSE)):
        with pytest.raises(BadOp, match="consent"):
            table.update("A", *ops)


@pytest.mark.parametrize("op", [YIELD, CLOSE])
@pytest.mark.parametrize("who", ["B", "host"])
def test_who_is_no_admin_does_not_even_propose_it(who: str, op: dict[str, Any]) -> None:
    with pytest.raises(NotAdmin):
        game().update(who, op)
