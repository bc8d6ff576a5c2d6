"""What a joiner accepts, as one hash."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from mcp_multiplayer.channel import terms
from tests.channel.table import OPS, Table, bot
from tests.harness import LIMITS


def room(**fields: Any) -> Table:
    return Table.of("bot:judge", "invite:alice", "invite:bob", bots=(bot(**fields),))


def test_the_document_holds_all_that_could_be_turned_against_a_player() -> None:
    assert terms.document(room(params={"low": 1}).channel) == {
        "bots": [
            {
                "bot_id": "judge",
                "code_hash": "sha256:" + "0" * 64,
                "manifest_hash": "sha256:" + "1" * 64,
                "params": {"low": 1},
                "reach": {"network": False, "dice": False},
            }
        ],
        "slots": [
            {"kind": "bot", "label": "judge", "admin": False},
            {"kind": "invite", "label": "alice", "admin": False},
            {"kind": "invite", "label": "bob", "admin": False},
        ],
        "limits": LIMITS,
        "dice": {"judge": "seed of judge@1"},
    }


def test_the_hash_is_of_the_canonical_bytes() -> None:
    digest = hashlib.sha256(b'{"a":[1],"b":null}').hexdigest()
    assert terms.digest({"b": None, "a": [1.0]}) == f"sha256:{digest}"


@pytest.mark.parametrize(
    "fields",
    [
        {"code_hash": "sha256:" + "2" * 64},
        {"manifest_hash": "sha256:" + "2" * 64},
        {"params": {"low": 2}},
        {"reach": {"network": True, "dice": False}},
    ],
)
def test_each_property_of_a_referee_is_part_of_them(fields: dict[str, Any]) -> None:
    assert terms.of(room(**fields).channel) != terms.of(room().channel)


@pytest.mark.parametrize("op", ["rename", "start", "yield_slot"])
def test_what_is_not_in_the_document_leaves_them_alone(op: str) -> None:
    table = room()
    before = terms.of(table.channel)
    table.join("host", "alice")
    table.update("host", OPS[op])
    assert terms.of(table.channel) == before


def test_no_difference_has_no_words() -> None:
    document = terms.document(room().channel)
    assert terms.difference(document, document) == ""


def test_the_difference_names_what_changed_of_which_referee() -> None:
    before = terms.document(room().channel)
    after = terms.document(room(params={"low": 2}, code_hash="sha256:x").channel)
    assert terms.difference(before, after) == "code_hash and params of bot:judge"


def test_terms_that_lack_a_part_altogether_differ_in_it() -> None:
    after = terms.document(room().channel)
    assert terms.difference({}, after) == "slots, limits, bot:judge was added"
