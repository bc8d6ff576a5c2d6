"""The words of ops: what fits, and what is said of what does not."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_multiplayer.channel.ops import MAX_OPS, read_ops
from mcp_multiplayer.errors import BadOp, TooLarge


@pytest.mark.parametrize(
    ("op", "words"),
    [
        ({}, r'ops\[0\]: it lacks "op"; there are set_bot, '),
        ({"op": None}, r'ops\[0\]: it lacks "op"'),
        ({"op": 5}, r'ops\[0\]: it lacks "op"'),
        ({"op": "explode"}, r"ops\[0\]: 'explode' is unknown"),
        ({"op": "rename"}, "rename lacks name"),
        ({"op": "start", "x": 1}, "start has no 'x'"),
        ({"op": "rename", "name": 5}, "name must be text"),
        ({"op": "rename", "name": " "}, "a room's name is not blank"),
        ({"op": "set_admin", "player_id": "bob", "admin": "yes"}, "admin must be true or false"),
        (
            {"op": "set_bot", "bot_id": "x", "bot_preset": "CoinBot", "params": "[1]"},
            "params must be a JSON object",
        ),
        ({"op": "set_bot", "bot_id": "x"}, "takes one of bot_preset and bot_code"),
    ],
)
def test_an_op_that_does_not_fit_is_refused_in_words_for_a_caller(
    op: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadOp, match=words):
        read_ops([op])


def test_the_first_op_that_does_not_fit_is_named_by_its_place() -> None:
    with pytest.raises(BadOp, match=r"^ops\[1\]: "):
        read_ops([{"op": "start"}, {"op": "rename"}])


@pytest.mark.parametrize("written", ["referee", "bot:referee"])
def test_a_bot_may_be_named_as_answers_name_it(written: str) -> None:
    (op,) = read_ops([{"op": "remove_bot", "bot_id": written}])
    assert op["bot_id"] == "referee"


def test_no_ops_and_too_many_are_refused() -> None:
    with pytest.raises(BadOp, match="ops is empty"):
        read_ops([])
    with pytest.raises(TooLarge):
        read_ops([{"op": "start"}] * (MAX_OPS + 1))
