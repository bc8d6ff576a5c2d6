"""The words of ops, before anybody asks who may use them."""

from __future__ import annotations

from typing import Any

import pytest

from engine.channel.ops import read_ops
from engine.errors import BadOp
from tests.engine.channel.table import BOTH, OPS, SLOTS, Table, bot


def test_null_counts_as_left_out() -> None:
    (op,) = read_ops([{"op": "set_bot", "bot_id": "x", "bot_preset": "GuessBot", "bot_code": None}])
    assert op.fields == {"bot_id": "x", "bot_preset": "GuessBot"}


@pytest.mark.parametrize(
    "op",
    [
        {"op": "rename"},
        {"op": "rename", "name": None},
        {"op": "rename", "name": 7},
        {"op": "rename", "name": "new", "colour": "red"},
        {"op": "set_admin", "player_id": "alice", "admin": "yes"},
        {"op": "set_bot", "bot_id": "x", "bot_preset": "GuessBot", "bot_code": "…"},
        {"op": "attach_bot"},
        {"op": ["rename"]},
    ],
)
def test_words_that_do_not_fit_are_refused_with_their_place(op: dict[str, Any]) -> None:
    with pytest.raises(BadOp, match=r"ops\[1\]"):
        read_ops([{"op": "start"}, op])


def test_a_seat_that_nobody_holds_is_not_left_when_it_is_yielded() -> None:
    table = Table.of(*SLOTS, bots=(bot(),))
    (invite,) = table.update("host", OPS["yield_slot"])
    assert type(invite).__name__ == "Invite"


def test_start_closes_the_seats_that_were_left_and_those_that_were_never_taken() -> None:
    table = Table.of(*SLOTS, bots=(bot(),), seated=BOTH)
    table.leave("B")
    table.update("host", OPS["start"])
    assert table.channel.status == "playing"
    assert [slot.state for slot in table.channel.seats] == ["taken", "closed", "closed"]
