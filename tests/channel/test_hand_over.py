"""The creator's rights go to a player who accepts them."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_multiplayer.channel.events import Accept, Change, Handover, Offer
from mcp_multiplayer.errors import BadOp, NotAdmin, NotMember, TermsChanged
from tests.channel.table import Table, bot

SLOTS = ("bot:judge", "invite:alice", "invite:bob", "watch:eve")
BOTH = {"alice": "A", "bob": "B"}


def to(label: str) -> dict[str, Any]:
    return {"op": "hand_over", "player_id": label}


def offered(seated: dict[str, str] = BOTH) -> tuple[Table, dict[str, Any]]:
    """A room whose creator, who has no seat, offers his rights to bob; what accepts them."""
    table = Table.of(*SLOTS, bots=(bot(),), seated=seated)
    (offer,) = table.update("host", to("bob"))
    assert isinstance(offer, Offer)
    return table, {"op": "accept_change", "terms": offer.terms}


def test_who_accepts_is_the_creator_from_there_on() -> None:
    table, accept = offered()
    happened = table.update("B", accept)
    assert [type(event) for event in happened] == [Accept, Change, Handover]
    assert table.channel.creator == "B"
    assert table.channel.proposal is None


def test_until_then_nothing_has_changed() -> None:
    table, _ = offered()
    assert table.channel.creator == "host"


def test_the_old_creator_has_no_rights_any_more_and_the_new_one_has_them() -> None:
    table = Table.of(*SLOTS, bots=(bot(),), seated={"bob": "B"})
    (offer,) = table.update("host", to("bob"))
    assert isinstance(offer, Offer)
    table.update("B", {"op": "accept_change", "terms": offer.terms})
    again = {"op": "reissue_invite", "player_id": "alice"}
    assert table.update("B", again)
    with pytest.raises(NotMember):  # without a seat, the old creator is a stranger
        table.update("host", to("bob"))


def test_nobody_else_accepts_it() -> None:
    table, accept = offered()
    with pytest.raises(NotAdmin, match="bob"):
        table.update("A", accept)
    assert table.channel.creator == "host"


def test_the_acceptance_may_be_repeated_when_its_answer_was_lost() -> None:
    table, accept = offered()
    table.update("B", accept)
    assert table.update("B", accept) == []


@pytest.mark.parametrize("label", ["alice", "bob"])
def test_nobody_but_the_creator_offers_them(label: str) -> None:
    table = Table.of(*SLOTS, bots=(bot(),), seated=BOTH)
    with pytest.raises(NotAdmin):
        table.update("A", to(label))


def test_an_offer_is_void_when_its_player_leaves() -> None:
    table, accept = offered()
    table.leave("B")
    assert table.channel.proposal is None
    with pytest.raises((TermsChanged, NotAdmin)):
        table.update("A", accept)


def test_an_offer_stands_when_another_player_leaves() -> None:
    table, accept = offered()
    table.leave("A")
    table.update("B", accept)
    assert table.channel.creator == "B"


def test_the_last_of_two_offers_counts() -> None:
    table, accept = offered()
    table.update("host", to("alice"))
    with pytest.raises(TermsChanged):
        table.update("B", accept)


@pytest.mark.parametrize("label", ["eve", "nobody", "judge"])
def test_only_a_player_can_have_them(label: str) -> None:
    table = Table.of(*SLOTS, bots=(bot(),), seated={**BOTH, "eve": "E"})
    with pytest.raises(BadOp):
        table.update("host", to(label))


def test_an_empty_seat_accepts_nothing() -> None:
    table = Table.of(*SLOTS, bots=(bot(),), seated={"alice": "A"})
    with pytest.raises(BadOp):
        table.update("host", to("bob"))


def test_an_offer_does_not_void_what_an_admin_has_proposed() -> None:
    slots = ("bot:judge", "invite:alice:admin", "invite:bob")
    table = Table.of(*slots, bots=(bot(),), seated=BOTH)
    table.update("A", {"op": "remove_bot", "bot_id": "judge"})
    waiting = table.channel.proposal
    with pytest.raises(BadOp, match="waits for consent"):
        table.update("host", to("bob"))
    assert table.channel.proposal == waiting


def test_it_stands_alone() -> None:
    table = Table.of(*SLOTS, bots=(bot(),), seated=BOTH)
    with pytest.raises(BadOp, match="alone"):
        table.update("host", to("bob"), to("alice"))


def test_members_read_the_offer_and_what_became_of_it() -> None:
    table, accept = offered()
    told = table.said[-1].body
    assert (told["type"], told["by"], told["changes"]) == (
        "change_proposed",
        "creator",
        [to("bob")],
    )
    table.update("B", accept)
    assert table.said[-1].body == {"type": "handed_over", "player_id": "bob"}
