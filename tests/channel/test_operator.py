"""What the operator of a server may do in a room, and that everybody reads who it was."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_multiplayer.channel import erasure
from mcp_multiplayer.channel.commands import GiveUp, Operate
from mcp_multiplayer.channel.events import Ask, Close, Erase, Event, Leave, Reveal
from mcp_multiplayer.channel.ops import FIELDS, OPERATES, Op
from mcp_multiplayer.errors import BadOp, ChannelClosed
from tests.channel.table import BOTH, WITH_ADMIN, Table, bot

LEFT = {"t": "msg", "ts": 1, "m": {"s": "s1", "c": 1, "k": "user", "b": dict(erasure.GONE)}}


def room() -> Table:
    return Table.of(*WITH_ADMIN, bots=(bot(),), seated=BOTH)


def operate(table: Table, *ops: tuple[str, dict[str, Any]]) -> list[Event]:
    return table.do(Operate(tuple(Op(name, fields) for name, fields in ops)))


def test_the_operator_closes_a_room_whose_seeds_come_out() -> None:
    table = room()
    table.ran(rng=["kid", 0, 1])
    asked, *happened = operate(table, ("close", {}))
    assert asked == Ask([{"op": "close"}], by="operator")
    assert [type(event) for event in happened] == [Reveal, Close]
    assert table.channel.status == "closed"


def test_the_operator_empties_a_seat_and_makes_no_invite() -> None:
    table = room()
    _, *happened = operate(table, ("yield_slot", {"player_id": "bob"}))
    assert happened == [Leave("s2")]


def test_a_change_that_waited_for_the_emptied_seat_alone_takes_effect() -> None:
    table = room()
    table.update("A", {"op": "set_admin", "player_id": "bob", "admin": True})
    operate(table, ("yield_slot", {"player_id": "bob"}))
    assert table.channel.proposal is None
    assert table.channel.slot("s2").admin


def test_an_erased_entry_is_named_with_what_is_left_of_it() -> None:
    table = room()
    asked, erased = operate(table, ("erase", {"entry": 4, "left": LEFT}))
    assert asked == Ask([{"op": "erase", "entry": 4}], by="operator")
    assert erased == Erase(4, LEFT)


def test_an_entry_that_is_not_there_is_not_erased() -> None:
    table = room()
    with pytest.raises(BadOp, match="no entry"):
        operate(table, ("erase", {"entry": table.channel.size + 1, "left": LEFT}))


def test_in_a_closed_room_words_are_still_erased_and_nothing_else_is_done() -> None:
    table = room()
    operate(table, ("close", {}))
    assert operate(table, ("erase", {"entry": 4, "left": LEFT}))
    with pytest.raises(ChannelClosed):
        operate(table, ("yield_slot", {"player_id": "bob"}))


@pytest.mark.parametrize("name", sorted(FIELDS.keys() - OPERATES))
def test_nothing_else_is_the_operator_s(name: str) -> None:
    with pytest.raises(BadOp, match="not the operator's"):
        operate(room(), (name, {"player_id": "bob", "bot_id": "judge", "name": "n"}))


def test_everybody_reads_that_it_was_the_operator() -> None:
    table = room()
    operate(table, ("close", {}))
    told = [message.body for message in table.said[-2:]]
    assert told == [{"type": "operator", "ops": [{"op": "close"}]}, {"type": "closed"}]


def test_a_seat_of_a_deleted_account_is_given_up_and_says_so() -> None:
    table = room()
    assert table.do(GiveUp("B", "bob", deleted=True)) == [Leave("s2", True)]
    assert table.said[-1].body["account"] == "deleted"
