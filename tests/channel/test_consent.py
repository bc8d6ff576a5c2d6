"""A change of the terms: proposed, accepted, and what comes in between."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_multiplayer.channel import terms
from mcp_multiplayer.channel.events import Accept, Admin, Attach, Change, Detach, Leave
from mcp_multiplayer.errors import BadOp, BotNotFound, TermsChanged
from tests.channel.table import BOTH, OPS, WITH_ADMIN, Table, bot


def proposed(seated: dict[str, str] = BOTH) -> tuple[Table, str]:
    """A room whose admin wants another referee, and the terms that this leads to."""
    table = Table.of(*WITH_ADMIN, bots=(bot(),), seated=seated)
    table.update("A", OPS["set_bot"])
    assert table.channel.proposal
    return table, table.channel.proposal.terms


def accept(terms_hash: str) -> dict[str, Any]:
    return {"op": "accept_change", "terms": terms_hash}


def test_a_change_takes_effect_when_the_last_one_accepts() -> None:
    table, wanted = proposed()
    assert table.channel.bots[0].name == "Judge"
    happened = table.update("B", accept(wanted))
    assert [type(event) for event in happened] == [Accept, Change, Detach, Attach]
    assert table.channel.bots[0].name == "New"
    assert terms.of(table.channel) == wanted
    assert table.channel.proposal is None


def test_the_proposer_has_accepted_by_proposing() -> None:
    table, wanted = proposed()
    assert table.update("A", accept(wanted)) == []
    assert table.channel.bots[0].name == "Judge"


def test_accepting_twice_is_accepting_once() -> None:
    table, wanted = proposed({**BOTH, "carol": "C"})
    assert table.update("B", accept(wanted)) == [Accept("s2", wanted)]
    assert table.update("B", accept(wanted)) == []
    assert table.channel.bots[0].name == "Judge"


def test_the_last_acceptance_may_be_repeated_when_its_answer_was_lost() -> None:
    table, wanted = proposed()
    table.update("B", accept(wanted))
    assert table.update("B", accept(wanted)) == []


def test_terms_may_be_accepted_without_the_prefix() -> None:
    table, wanted = proposed()
    assert table.update("B", accept(wanted.removeprefix("sha256:")))
    assert table.channel.bots[0].name == "New"


def test_wrong_terms_are_refused_and_the_right_ones_named() -> None:
    table, wanted = proposed()
    with pytest.raises(TermsChanged, match=wanted):
        table.update("B", accept("sha256:" + "f" * 64))


def test_who_joins_in_between_must_accept_too() -> None:
    table, wanted = proposed()
    table.join("C", "carol")
    table.update("B", accept(wanted))
    assert table.channel.bots[0].name == "Judge"
    table.update("C", accept(wanted))
    assert table.channel.bots[0].name == "New"


def test_who_leaves_in_between_need_not_accept() -> None:
    table, wanted = proposed({**BOTH, "carol": "C"})
    table.leave("C")
    table.update("B", accept(wanted))
    assert table.channel.bots[0].name == "New"


def test_the_change_happens_when_the_only_one_who_hesitated_leaves() -> None:
    table, wanted = proposed({**BOTH, "carol": "C"})
    table.update("B", accept(wanted))
    happened = table.leave("C")
    assert [type(event) for event in happened] == [Leave, Change, Detach, Attach]
    assert terms.of(table.channel) == wanted


def test_an_acceptance_does_not_outlive_its_seat() -> None:
    table, wanted = proposed({**BOTH, "carol": "C"})
    table.update("B", accept(wanted))
    table.leave("B")
    table.update("A", {"op": "reissue_invite", "player_id": "bob"})
    table.join("D", "bob")
    table.update("C", accept(wanted))
    assert table.channel.bots[0].name == "Judge"
    table.update("D", accept(wanted))
    assert table.channel.bots[0].name == "New"


def test_the_proposer_who_sits_alone_at_last_has_everybodys_consent() -> None:
    table, _ = proposed()
    table.leave("B")
    assert table.channel.bots[0].name == "New"


def test_a_room_that_everybody_left_changes_nothing_by_itself() -> None:
    table, _ = proposed()
    table.leave("A")
    table.leave("B")
    assert table.channel.bots[0].name == "Judge"


def test_a_newer_proposal_replaces_the_older_one_and_its_acceptances() -> None:
    table, first = proposed({**BOTH, "carol": "C"})
    table.update("B", accept(first))
    table.update("A", OPS["remove_bot"])
    with pytest.raises(TermsChanged):
        table.update("C", accept(first))
    assert table.channel.proposal
    assert table.channel.proposal.accepted == ("s1",)


def test_nobody_consents_to_terms_and_gets_others() -> None:
    """The room's terms change otherwise while a proposal waits: the proposal is void."""
    table, wanted = proposed()
    table.happen([Admin("s2", True)])
    with pytest.raises(TermsChanged):
        table.update("B", accept(wanted))


def test_a_proposal_that_cannot_be_carried_out_is_refused_at_once() -> None:
    table = Table.of(*WITH_ADMIN, seated=BOTH)
    with pytest.raises(BotNotFound):
        table.update("A", OPS["remove_bot"])
    assert table.channel.proposal is None


def test_what_needs_consent_is_not_mixed_with_what_does_not() -> None:
    table = Table.of(*WITH_ADMIN, bots=(bot(),), seated=BOTH)
    with pytest.raises(BadOp, match="cannot be mixed"):
        table.update("A", OPS["rename"], OPS["set_bot"])


def test_accepting_stands_alone() -> None:
    table, wanted = proposed()
    with pytest.raises(BadOp, match="alone"):
        table.update("A", accept(wanted), OPS["rename"])


def test_seats_of_the_proposers_own_account_need_not_accept() -> None:
    table, wanted = proposed({"alice": "A", "bob": "B", "carol": "A"})
    table.update("B", accept(wanted))
    assert table.channel.bots[0].name == "New"


def test_closing_a_room_ends_what_was_proposed() -> None:
    table, _ = proposed()
    table.update("A", OPS["close"])
    assert table.channel.proposal is None
