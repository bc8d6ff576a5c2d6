"""How a seat is taken: invites, terms at the door, rejoin tokens."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_multiplayer.channel import invite_codes, terms
from mcp_multiplayer.channel.commands import TakeSeat
from mcp_multiplayer.channel.decide import STRANGER
from mcp_multiplayer.channel.events import Join, Takeover
from mcp_multiplayer.channel.model import DAY
from mcp_multiplayer.errors import (
    ChannelClosed,
    InvalidRequest,
    InviteInvalid,
    NotMember,
    RejoinTokenInvalid,
    SlotAlreadyFilled,
    TermsChanged,
)
from tests.channel.table import BOTH, OPS, WITH_ADMIN, Table, bot

# --- invites -------------------------------------------------------------------------------


def test_an_invite_seats_the_first_account_that_redeems_it() -> None:
    table = Table.of()
    assert table.join("B", "bob") == [Join("s1", "B", terms.of(table.channel))]


def test_redeeming_it_again_from_the_same_account_is_the_same_seat() -> None:
    table = Table.of(seated={"bob": "B"})
    assert table.join("B", "bob") == []


def test_redeeming_it_again_works_after_expiry_and_after_the_end() -> None:
    table = Table.of(seated={"bob": "B"})
    table.update("host", OPS["start"])
    table.now += 30 * DAY
    assert table.join("B", "bob") == []


def test_another_account_comes_too_late() -> None:
    table = Table.of(seated={"bob": "B"})
    with pytest.raises(SlotAlreadyFilled):
        table.join("C", "bob")


def test_an_invite_lasts_as_long_as_the_limits_say() -> None:
    table = Table.of()
    table.now += 7 * DAY
    assert table.join("B", "bob")
    table.now += 1
    with pytest.raises(InviteInvalid, match="expired"):
        table.join("A", "alice")


def test_a_reissued_invite_lasts_from_its_own_day() -> None:
    table = Table.of()
    table.now += 6 * DAY
    table.update("host", {"op": "reissue_invite", "player_id": "bob"})
    table.now += 6 * DAY
    assert table.join("B", "bob")


def test_a_replaced_invite_is_dead() -> None:
    table = Table.of()
    old = table.invites["bob"]
    table.update("host", {"op": "reissue_invite", "player_id": "bob"})
    with pytest.raises(InviteInvalid, match="replaced"):
        table.do(TakeSeat("B", old, table.now))


def test_an_invite_is_used_up_by_leaving_even_for_the_account_that_used_it() -> None:
    table = Table.of(seated={"bob": "B"})
    table.leave("B")
    for who in ("B", "C"):
        with pytest.raises(InviteInvalid):
            table.join(who, "bob")


def test_an_invite_to_a_seat_that_start_closed_is_dead() -> None:
    table = Table.of(seated={"alice": "A"})
    table.update("host", OPS["start"])
    with pytest.raises(InviteInvalid):
        table.join("B", "bob")


def test_a_closed_room_takes_nobody_in() -> None:
    table = Table.of()
    table.update("host", OPS["close"])
    with pytest.raises(ChannelClosed) as refused:
        table.join("B", "bob")
    assert "sync_messages" not in refused.value.hint, "who is outside cannot read it"


def test_no_empty_invite_opens_a_seat() -> None:
    table = Table.of(join_as="alice")
    with pytest.raises(InviteInvalid):
        table.do(TakeSeat("B", "", table.now))


def test_the_seat_taken_on_opening_cannot_be_redeemed() -> None:
    table = Table.of(join_as="alice")
    assert table.channel.seats_of("host")
    with pytest.raises(InviteInvalid):
        table.do(TakeSeat("B", invite_codes.digest("inv_alice"), table.now))


def test_opening_refuses_to_seat_the_creator_on_a_seat_that_is_not_there() -> None:
    with pytest.raises(InvalidRequest, match="Zoe"):
        Table.of(join_as="Zoe")


# --- terms at the door ---------------------------------------------------------------------


def test_who_expects_the_present_terms_is_let_in_with_or_without_the_prefix() -> None:
    table = Table.of("invite:alice", "invite:bob", bots=(bot(),))
    now = terms.of(table.channel)
    assert table.join("A", "alice", expect_terms=now)
    assert table.join("B", "bob", expect_terms=now.removeprefix("sha256:"))


def test_who_expects_other_terms_is_told_what_they_are_now() -> None:
    table = Table.of()
    with pytest.raises(TermsChanged, match=terms.of(table.channel)):
        table.join("B", "bob", expect_terms="sha256:" + "0" * 64)


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "another referee": (OPS["set_bot"], "bot:judge"),
    "one more referee": (OPS["attach_bot"], "slots, bot:new was added"),
    "no referee": (OPS["remove_bot"], "bot:judge was removed"),
    "an admin": ({"op": "set_admin", "player_id": "bob", "admin": True}, "slots"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_who_inspected_other_terms_is_told_in_words_what_changed(change: str) -> None:
    op, words = CHANGES[change]
    table = Table.of("bot:judge", "invite:alice", "invite:bob", bots=(bot(),))
    seen = terms.document(table.channel)
    new = bot("New", code_hash="sha256:" + "2" * 64)
    table.update("host", op, bots={0: new} if "bot_code" in op else None)
    with pytest.raises(TermsChanged, match=words):
        table.join("B", "bob", inspected=seen)
    with pytest.raises(TermsChanged, match=words):
        table.join("B", "bob", inspected=seen, expect_terms=terms.digest(seen))


def test_an_explicit_expectation_counts_more_than_what_was_inspected_before() -> None:
    table = Table.of("bot:judge", "invite:alice", "invite:bob", bots=(bot(),))
    seen = terms.document(table.channel)
    table.update("host", OPS["remove_bot"])
    assert table.join("B", "bob", inspected=seen, expect_terms=terms.of(table.channel))


def test_who_sits_where_and_how_the_room_is_called_are_not_part_of_the_terms() -> None:
    table = Table.of()
    seen = terms.document(table.channel)
    table.update("host", OPS["rename"])
    table.join("A", "alice")
    assert table.join("B", "bob", inspected=seen)


# --- takeover ------------------------------------------------------------------------------


def test_a_rejoin_token_moves_the_seat_to_the_account_that_presents_it() -> None:
    table = Table.of(seated=BOTH)
    assert table.take_over("B2", "bob") == [Takeover("s1", "B2")]
    table.post("B2")
    assert table.said[-1].sender == "bob"
    with pytest.raises(NotMember) as refused:
        table.post("B")
    assert str(refused.value) == STRANGER


def test_the_same_account_presenting_it_changes_nothing() -> None:
    table = Table.of(seated=BOTH)
    assert table.take_over("B", "bob") == []


def test_the_token_stays_good_for_whoever_has_it() -> None:
    table = Table.of(seated=BOTH)
    table.take_over("B2", "bob")
    assert table.take_over("B", "bob") == [Takeover("s1", "B")]


def test_a_token_of_an_earlier_occupancy_is_void() -> None:
    table = Table.of(*WITH_ADMIN, seated=BOTH)
    table.update("A", {"op": "yield_slot", "player_id": "bob"})
    table.join("C", "bob")
    with pytest.raises(RejoinTokenInvalid):
        table.take_over("B", "bob", generation=0)
    assert table.take_over("C2", "bob", generation=1)


def test_an_empty_seat_cannot_be_taken_over() -> None:
    table = Table.of()
    with pytest.raises(RejoinTokenInvalid):
        table.take_over("B", "bob")


def test_the_invite_does_not_work_for_the_account_that_took_over() -> None:
    table = Table.of(seated=BOTH)
    table.take_over("B2", "bob")
    for who in ("B", "B2"):
        with pytest.raises(SlotAlreadyFilled):
            table.join(who, "bob")


def test_a_closed_room_is_taken_over_by_nobody() -> None:
    table = Table.of(*WITH_ADMIN, seated=BOTH)
    table.update("A", OPS["close"])
    with pytest.raises(ChannelClosed):
        table.take_over("B2", "bob")
    assert table.take_over("B", "bob") == []
