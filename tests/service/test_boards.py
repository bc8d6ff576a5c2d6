"""Which message a panel of a manifest draws."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_multiplayer.service.boards import Panel, Said, drawn

SCHEMA = {"params": {"properties": {"low": {"default": 1}, "high": {}}}}
COMMIT = {"panel": "hash", "of": "hash", "open": {"text": "target", "salt": "salt"}}


def found(panel: dict[str, Any], *bodies: dict[str, Any], **params: Any) -> list[Panel]:
    """The panels after these words of a bot, oldest first, numbered from 1."""
    said = [Said(number, body) for number, body in enumerate(bodies, start=1)]
    return drawn({"show": [panel], **SCHEMA}, params, reversed(said))


def test_the_newest_message_with_the_field_is_drawn() -> None:
    panel = {"panel": "grid", "of": "board", "width": 3, "title": "Board"}
    assert found(panel, {"board": ["X"]}, {"board": ["X", "O"]}, {"text": "your move"}) == [
        Panel("grid", ["X", "O"], 2, "Board", {"width": 3})
    ]


def test_only_messages_of_the_type_that_is_named_are_looked_into() -> None:
    panel = {"panel": "table", "of": "worth", "in": "opened"}
    assert found(panel, {"type": "opened", "worth": 1}, {"type": "worth", "worth": 2}) == [
        Panel("table", 1, 1)
    ]


def test_a_field_inside_a_field_is_found_by_its_path() -> None:
    assert found({"panel": "cards", "of": "hands.alice"}, {"hands": {"alice": ["TS"]}}) == [
        Panel("cards", ["TS"], 1)
    ]


@pytest.mark.parametrize("body", [{}, {"hands": None}, {"hands": ["TS"]}, {"hands": "alice"}])
def test_a_panel_of_which_nothing_was_said_is_left_out(body: dict[str, Any]) -> None:
    assert found({"panel": "cards", "of": "hands.alice"}, body) == []


def test_the_last_move_is_that_of_the_message_with_the_board() -> None:
    panel = {"panel": "chess", "of": "fen", "last": "uci"}
    assert found(panel, {"fen": "8 w", "uci": "e2e4"}, {"uci": "e7e5"})[0].more == {"last": "e2e4"}


@pytest.mark.parametrize(
    ("params", "bounds"), [({"low": 3, "high": 9}, {"low": 3, "high": 9}), ({}, {"low": 1})]
)
def test_a_bound_is_the_param_that_it_names_or_its_default(
    params: dict[str, Any], bounds: dict[str, Any]
) -> None:
    panel = {"panel": "range", "of": "guess", "low": "param:low", "high": "param:high"}
    assert found(panel, {"guess": 5}, **params)[0].more == bounds


def test_a_commitment_is_open_once_both_its_parts_are_said() -> None:
    opened = {"target": 42, "salt": "ab"}
    assert found(COMMIT, {"hash": "00"}, {"target": 42})[0].more == {"opens": True}
    shown = {"opens": True, "text": 42, "salt": "ab"}
    assert found(COMMIT, {"hash": "00"}, opened)[0].more == shown
    assert found(COMMIT, {"hash": "00"}, opened | {"hash": "00"})[0].message == 2


def test_a_new_commitment_is_not_opened_by_what_opened_the_last_one() -> None:
    opened = {"target": 42, "salt": "ab"}
    assert found(COMMIT, {"hash": "00"}, opened, {"hash": "11"}) == [
        Panel("hash", "11", 3, more={"opens": True})
    ]
