"""The log's vocabulary: what is written can be read, and nothing else can."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args

import pytest

from mcp_multiplayer.channel import events
from mcp_multiplayer.channel.events import (
    Abort,
    Accept,
    Admin,
    Ask,
    Attach,
    Change,
    Close,
    Detach,
    Disclose,
    Entropy,
    Erase,
    Event,
    Genesis,
    Handover,
    Invite,
    Join,
    Key,
    Leave,
    Msg,
    Offer,
    Open,
    Propose,
    Rename,
    Restored,
    Reveal,
    Run,
    Runtime,
    Start,
    Takeover,
    Tick,
    Unseal,
)
from mcp_multiplayer.channel.field_types import VERSION
from mcp_multiplayer.errors import BrokenLog
from mcp_multiplayer.transcript.canonical_json import canonical, parse
from tests.channel.table import RECEIPT

#: One of each type as its entry stands in the log, without its place (i, p, ts).
FORMS: list[tuple[Event, dict[str, Any]]] = [
    (
        Genesis(VERSION, "h/c/chn_x", "n", [{"id": "s0"}], {"seats": 2}, "00", "key", creator="W"),
        {
            "t": "genesis",
            "v": VERSION,
            "key": "key",
            "origin": "h/c/chn_x",
            "name": "n",
            "creator": "W",
            "slots": [{"id": "s0"}],
            "limits": {"seats": 2},
            "nonce": "00",
        },
    ),
    (
        Attach("x", "s0", "X", "1", "sha256:c", {}, "sha256:m", {}, {}, ["on_init"], "r", "c"),
        {
            "t": "attach",
            "bot": "x",
            "slot": "s0",
            "name": "X",
            "version": "1",
            "code_hash": "sha256:c",
            "manifest": {},
            "manifest_hash": "sha256:m",
            "params": {},
            "reach": {},
            "hooks": ["on_init"],
            "runtime": "r",
            "commit": "c",
        },
    ),
    (Join("s1", "W", "sha256:t"), {"t": "join", "slot": "s1", "who": "W", "terms": "sha256:t"}),
    (Takeover("s1", "W"), {"t": "takeover", "slot": "s1", "who": "W"}),
    (Leave("s1"), {"t": "leave", "slot": "s1"}),
    (Invite("s1", "ab"), {"t": "invite", "slot": "s1", "hash": "ab"}),
    (Admin("s1", True), {"t": "admin", "slot": "s1", "on": True}),
    (Rename("n"), {"t": "rename", "name": "n"}),
    (Detach("x"), {"t": "detach", "bot": "x"}),
    (
        Propose("s1", [{"op": "remove_bot"}], "sha256:t"),
        {"t": "propose", "slot": "s1", "ops": [{"op": "remove_bot"}], "terms": "sha256:t"},
    ),
    (
        Ask([{"op": "start"}], "w", "s1"),
        {"t": "ask", "who": "w", "ops": [{"op": "start"}], "slot": "s1"},
    ),
    (Accept("s1", "sha256:t"), {"t": "accept", "slot": "s1", "terms": "sha256:t"}),
    (Change("sha256:t", ["s1"]), {"t": "change", "terms": "sha256:t", "accepted": ["s1"]}),
    (Start(["s1"]), {"t": "start", "closed": ["s1"]}),
    (Close(), {"t": "close"}),
    (
        Msg({"s": "s1", "c": 1, "k": "user", "b": {}}),
        {"t": "msg", "m": {"s": "s1", "c": 1, "k": "user", "b": {}}},
    ),
    (
        Run("x", 1, "on_init", 1, "ok", [], **RECEIPT),
        {"t": "run", "bot": "x", "at": 1, "hook": "on_init", "on": 1, "res": "ok", "out": []}
        | RECEIPT,
    ),
    (Tick("x", "soon"), {"t": "tick", "bot": "x", "name": "soon"}),
    (Entropy("s1", commit="c"), {"t": "entropy", "slot": "s1", "commit": "c"}),
    (Open("s1", "v"), {"t": "open", "slot": "s1", "value": "v"}),
    (Abort(["s1"]), {"t": "abort", "missing": ["s1"]}),
    (
        Disclose(7, "salt", {"a": 1}),
        {"t": "disclose", "entry": 7, "salt": "salt", "body": {"a": 1}},
    ),
    (Reveal("x", 1, 0, "seed"), {"t": "reveal", "bot": "x", "at": 1, "epoch": 0, "seed": "seed"}),
    (
        Unseal("s1", "x", 1, "key"),
        {"t": "unseal", "slot": "s1", "bot": "x", "at": 1, "key": "key"},
    ),
    (Runtime("cpython-3.11.7/mpx-1"), {"t": "runtime", "runtime": "cpython-3.11.7/mpx-1"}),
    (Key("k", "note"), {"t": "key", "vkey": "k", "note": "note"}),
    (Restored(9, "root"), {"t": "restored", "size": 9, "root": "root"}),
    (Offer("s1", "sha256:t"), {"t": "offer", "slot": "s1", "terms": "sha256:t"}),
    (Handover("s1"), {"t": "handover", "slot": "s1"}),
    (Erase(3, {"t": "close"}), {"t": "erase", "entry": 3, "left": {"t": "close"}}),
]
IDS = [form["t"] for _, form in FORMS]


def test_every_type_of_entry_has_its_known_form_here() -> None:
    assert {type(event) for event, _ in FORMS} == set(get_args(Event))


@pytest.mark.parametrize(("event", "form"), FORMS, ids=IDS)
def test_an_event_is_written_in_its_known_form(event: Event, form: dict[str, Any]) -> None:
    assert events.write(event) == form


@pytest.mark.parametrize(("event", "form"), FORMS, ids=IDS)
def test_what_is_written_is_read_back(event: Event, form: dict[str, Any]) -> None:
    placed = parse(canonical({**form, "i": 3, "p": "x", "ts": 1}))
    assert events.read(placed) == event


@pytest.mark.parametrize(("event", "form"), FORMS, ids=IDS)
def test_a_field_too_many_is_an_error(event: Event, form: dict[str, Any]) -> None:
    with pytest.raises(BrokenLog, match="has not the fields"):
        events.read({**form, "i": 3, "extra": 1})


@pytest.mark.parametrize(("event", "form"), FORMS, ids=IDS)
def test_a_field_too_few_is_an_error(event: Event, form: dict[str, Any]) -> None:
    for field in dataclasses.fields(event):
        if field.default is dataclasses.MISSING:
            less = {name: value for name, value in form.items() if name != field.name}
            with pytest.raises(BrokenLog) as broken:
                events.read({**less, "i": 3})
            assert broken.value.entry == 3


@pytest.mark.parametrize("kind", ["erased", "Msg", "", "event", 1])
def test_an_unknown_type_is_an_error(kind: object) -> None:
    with pytest.raises(BrokenLog, match="unknown type"):
        events.read({"i": 0, "t": kind})


def test_absent_optional_fields_are_left_out_and_present_ones_kept() -> None:
    run = Run("x", 1, "on_init", 1, "error:Oops", [], **RECEIPT, line=3, turn={"players": []})
    form = events.write(run)
    assert (form["line"], form["turn"]) == (3, {"players": []})
    assert "end" not in form
    assert events.read({**form, "i": 2}) == run
