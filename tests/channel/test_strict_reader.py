"""Entries of anybody's log: which fields each type has, and that none of them is free."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest

from mcp_multiplayer.channel import events, strict_reader
from mcp_multiplayer.channel.field_types import LIMITS, VERSION
from mcp_multiplayer.service.log_keys import LogKey
from mcp_multiplayer.transcript.canonical_json import canonical
from mcp_multiplayer.transcript.entries import b64u

ROOT = Path(__file__).parent.parent.parent
ORIGIN = "mp.example/c/chn_a"
KEY = LogKey(b"k" * 32)
DIGEST, SHA = b64u(b"d" * 32), "sha256:" + "0" * 64
MANIFEST = {"rules": "be nice"}
BOT: dict[str, Any] = {
    "name": "Judge",
    "version": "1",
    "code_hash": SHA,
    "manifest": MANIFEST,
    "manifest_hash": "sha256:" + hashlib.sha256(canonical(MANIFEST)).hexdigest(),
    "params": {},
    "reach": {"network": False, "dice": True},
    "hooks": ["on_message"],
}
RUN: dict[str, Any] = {
    "bot": "judge",
    "at": 1,
    "hook": "on_message",
    "on": 2,
    "res": "ok",
    "out": [],
    "now": 3,
    "st": [DIGEST, DIGEST],
    "rng": [b64u(b"kid456789"), 0, 0],
}
RUNTIME = "cpython-3.11.7+0a1b2c3d/mpx-5"
#: One entry of each type with all its fields, without those of every entry.
WHOLE: dict[str, dict[str, Any]] = {
    "genesis": {
        "v": VERSION,
        "origin": ORIGIN,
        "key": KEY.vkey(ORIGIN),
        "name": "a room",
        "creator": "w" * 16,
        "slots": [{"id": "s0", "kind": "invite", "label": "alice", "invite": "0" * 64}],
        "limits": dict.fromkeys(LIMITS, 1),
        "nonce": "0" * 32,
        "listed": True,
    },
    "attach": BOT
    | {"bot": "judge", "slot": "s1", "runtime": RUNTIME, "commit": DIGEST}
    | {"ref": "builtin://CoinBot", "isolation": "full", "library": SHA},
    "join": {"slot": "s0", "who": "w" * 16, "terms": SHA, "entropy": "x", "commit": DIGEST},
    "entropy": {"slot": "s0", "value": "x"},
    "open": {"slot": "s0", "value": "x"},
    "abort": {"missing": ["s0"]},
    "takeover": {"slot": "s0", "who": "w" * 16},
    "leave": {"slot": "s0", "deleted": True},
    "invite": {"slot": "s0", "hash": "0" * 64},
    "admin": {"slot": "s0", "on": True},
    "rename": {"name": "a room"},
    "detach": {"bot": "judge"},
    "ask": {
        "who": "w" * 16,
        "slot": "s0",
        "ops": [
            {"op": "rename", "name": "a room"},
            {"op": "reissue_invite", "player_id": "bob", "invite": "0" * 64},
        ],
    },
    "propose": {"slot": "s0", "ops": [{"op": "remove_bot", "bot_id": "judge"}], "terms": SHA},
    "accept": {"slot": "s0", "terms": SHA},
    "change": {"terms": SHA, "accepted": ["s0"]},
    "offer": {"slot": "s0", "terms": SHA},
    "handover": {"slot": "s0"},
    "start": {"closed": []},
    "close": {},
    "msg": {"m": {"s": "s0", "c": 1, "k": "user", "b": {}}},
    "run": RUN
    | {"turn": {"players": ["alice"], "expect": 1, "deadline": 9, "to": ["bot:judge"]}}
    | {"end": {}, "timers": {"soon": None}, "fx": [{"k": "fetch", "q": DIGEST, "r": DIGEST}]},
    "tick": {"bot": "judge", "name": "soon"},
    "disclose": {"entry": 2, "salt": b64u(b"s" * 16), "body": {}},
    "unseal": {"slot": "s0", "bot": "judge", "at": 1, "key": DIGEST},
    "reveal": {"bot": "judge", "at": 1, "epoch": 0, "seed": DIGEST},
    "runtime": {"runtime": RUNTIME},
    "key": {"vkey": KEY.vkey(ORIGIN), "note": "…"},
    "restored": {"size": 9, "root": DIGEST},
    "erase": {
        "entry": 2,
        "left": {"t": "msg", "ts": 1, "m": {"s": "s0", "c": 1, "k": "user", "b": {"erased": True}}},
    },
}
#: Fields that are any text: what they say is checked where it is known what they are about.
ANY_TEXT = {("join", "entropy"), ("entropy", "value"), ("open", "value"), ("key", "note")}
JUNK: list[Any] = [None, [], {}, -1, 1.5, True, "", "\n", "x" * 999, ["x"], {"x": 1}]


def entry(kind: str, **changes: Any) -> dict[str, Any]:
    return {"i": 7, "t": kind, "p": "p", "ts": 1} | WHOLE[kind] | changes


def test_there_is_one_of_each_type() -> None:
    assert WHOLE.keys() == events.TYPES.keys()


@pytest.mark.parametrize("kind", WHOLE)
def test_an_entry_of_its_type_is_read_as_it_is_written(kind: str) -> None:
    assert events.write(strict_reader.read(entry(kind))) == {"t": kind} | WHOLE[kind]


@pytest.mark.parametrize("kind", WHOLE)
def test_a_field_too_many_is_refused(kind: str) -> None:
    with pytest.raises(strict_reader.BadEntry, match="too many") as refused:
        strict_reader.read(entry(kind, note_to_a_friend="…"))
    assert refused.value.code == "E_FIELDS"


@pytest.mark.parametrize(
    ("kind", "field"),
    [(k, field) for k in WHOLE for field in sorted(strict_reader.fields_of(k)[0])],
)
def test_a_field_that_must_be_there_is_missed(kind: str, field: str) -> None:
    lacking = {name: value for name, value in entry(kind).items() if name != field}
    with pytest.raises(strict_reader.BadEntry, match=f"lacks {field}"):
        strict_reader.read(lacking)


def takes(kind: str, field: str, value: Any) -> bool:
    try:
        strict_reader.read(entry(kind, **{field: value}))
    except strict_reader.BadEntry:
        return False
    return True


@pytest.mark.parametrize(("kind", "field"), [(k, f) for k, whole in WHOLE.items() for f in whole])
def test_no_field_takes_what_it_does_not_hold(kind: str, field: str) -> None:
    taken = [value for value in JUNK if takes(kind, field, value)]
    usual = WHOLE[kind][field]
    if (kind, field) in ANY_TEXT:
        assert taken == ["", "\n", "x" * 999]
    else:
        assert all(type(value) is type(usual) for value in taken)
        assert "x" * 999 not in taken


@pytest.mark.parametrize("name", ["erased", "", "Genesis", "constructor"])
def test_there_is_no_other_type(name: str) -> None:
    with pytest.raises(strict_reader.BadEntry) as refused:
        strict_reader.read({"i": 1, "t": name, "p": "p", "ts": 1})
    assert refused.value.code == "E_TYPE"


def refused(kind: str, **changes: Any) -> bool:
    whole = {name: value for name, value in entry(kind, **changes).items() if value is not None}
    try:
        strict_reader.read(whole)
    except strict_reader.BadEntry:
        return True
    return False


def test_a_room_has_a_creator_or_is_a_queue_s() -> None:
    assert refused("genesis", queue=True)
    assert refused("genesis", creator=None)
    assert not refused("genesis", creator=None, queue=True)


def test_only_a_queue_s_room_is_rated() -> None:
    assert refused("genesis", rated=True)
    assert not refused("genesis", creator=None, queue=True, rated=True)


def test_a_member_asks_or_the_operator_does_who_has_no_seat() -> None:
    assert refused("ask", by="operator")
    assert refused("ask", by="operator", who=None)
    assert refused("ask", who=None, slot=None)
    assert refused("ask", who=None, slot=None, by="admin")
    assert not refused("ask", who=None, slot=None, by="operator")


LEFT = WHOLE["erase"]["left"]


@pytest.mark.parametrize(
    "left",
    [
        {**LEFT, "i": 2},
        {**LEFT, "p": "p"},
        {**LEFT, "more": False},
        {**LEFT, "note": "…"},
        {name: value for name, value in LEFT.items() if name != "ts"},
        {**LEFT, "m": {**LEFT["m"], "b": {"text": "still here"}}},
        {**LEFT, "m": {**LEFT["m"], "b": {"erased": 1}}},
        {"t": "leave", "ts": 1, "slot": "s0"},
        {"t": "erase", "ts": 1, "entry": 1, "left": LEFT},
        {"t": "disclose", "entry": 2, "salt": b64u(b"s" * 16), "body": {"erased": True}},
        {"t": "run", **RUN, "out": [{"k": "user", "b": {"text": "still here"}}]},
        {"t": "run", **RUN, "turn": {"players": [], "expect": "still here"}},
        {"t": "run", **RUN, "end": {"winner": "still here"}},
        {"t": ["msg"]},
        {},
    ],
)
def test_what_is_left_of_an_entry_has_no_words_and_no_place(left: Any) -> None:
    assert refused("erase", left=left)


@pytest.mark.parametrize(
    "left",
    [
        {**LEFT, "more": True},
        {"t": "msg", "ts": 1, "m": {"s": "s0", "c": 1, "k": "user", "d": DIGEST, "to": ["bob"]}},
        {"t": "disclose", "entry": 2, "salt": b64u(bytes(16)), "body": {"erased": True}},
        {"t": "run", **RUN, "turn": {"players": ["bob"]}, "end": {"erased": True}},
        {
            "t": "run",
            **RUN,
            "out": [
                {"k": "user", "b": {"erased": True}},
                {"k": "user", "d": DIGEST, "to": ["bob"]},
                {"k": "user", "b": {"erased": True, "_sd": [DIGEST]}, "to": ["bob"]},
            ],
        },
    ],
)
def test_what_is_left_of_words_is_everything_else(left: Any) -> None:
    assert not refused("erase", left=left)


def test_the_table_of_docs_format_has_these_fields() -> None:
    text = (ROOT / "docs" / "format.md").read_text()
    told = {}
    for kind, shown in re.findall(r"^\| `([a-z]+)` \|([^|]*)\|", text, re.MULTILINE):
        if kind in WHOLE and kind not in told:
            told[kind] = sorted(re.findall(r"`([a-z_]+\??)`", shown))
    made = {}
    for kind in WHOLE:
        must, may = strict_reader.fields_of(kind)
        made[kind] = sorted([*must, *(f"{name}?" for name in may)])
    assert told == made
