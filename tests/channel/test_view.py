"""Who sees what."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_multiplayer.channel import view as views
from mcp_multiplayer.channel.events import Event, Run
from mcp_multiplayer.channel.view import Message, Opening
from mcp_multiplayer.transcript.canonical_json import canonical
from tests.channel.strategies import BY_TYPE, EVENTS
from tests.channel.table import BOTH, OPS, RECEIPT, WITH_ADMIN, Table, bot

NAMES = ["alice", "bob", "carol", "bot:judge", "system"]
ROOM = Table.of("bot:judge", "invite:alice", "invite:bob", bots=(bot(),)).channel


@given(EVENTS)
def test_an_event_is_counted_as_as_many_messages_as_it_is_read_as(event: Event) -> None:
    read = views.messages(ROOM, event, entry=7, ts=9, first=100)
    assert len(read) == views.count(event)
    assert [one.id for one in read] == list(range(100, 100 + len(read)))
    assert {(one.entry, one.ts) for one in read} <= {(7, 9)}


def test_the_events_above_are_all_there_are() -> None:
    assert BY_TYPE.keys() == set(get_args(Event))


@given(EVENTS)
def test_what_everybody_reads_has_a_canonical_form(event: Event) -> None:
    for one in views.messages(ROOM, event, entry=7, ts=9, first=1):
        canonical(dict(one.body))


SECRET = {"text": "psst"}
WHOLE: Opening = {"": ["salt", SECRET]}
PARTS: Opening = {"card": ["salt", "ace"], "suit": ["pepper", "spades"]}


def whisper(sender: str, to: tuple[str, ...], **body: Any) -> Message:
    return Message(1, 1, sender, "user", body or {"sealed": "digest"}, 0, to)


@given(
    sender=st.sampled_from(NAMES),
    to=st.sets(st.sampled_from(NAMES), min_size=1),
    reader=st.sets(st.sampled_from([*NAMES, "", "s1", "judge", "bot:alice"])),
)
def test_only_sender_and_addressees_ever_see_a_private_body(
    sender: str, to: set[str], reader: set[str]
) -> None:
    message = whisper(sender, tuple(sorted(to)))
    shown = views.open_for(message, frozenset(reader), WHOLE)
    may = bool(reader & {sender, *to})
    assert (shown.body == SECRET) == may
    assert (shown == message) == (not may)
    assert views.opens(message, frozenset(reader)) == may


@given(reader=st.sets(st.sampled_from(NAMES)))
def test_of_a_partly_private_body_others_see_the_public_values_and_digests(
    reader: set[str],
) -> None:
    message = whisper("bot:judge", ("alice",), hand=1, _sd=["d1", "d2"])
    shown = views.open_for(message, frozenset(reader), PARTS)
    if reader & {"bot:judge", "alice"}:
        assert shown.body == {"hand": 1, "_sd": ["d1", "d2"], "card": "ace", "suit": "spades"}
    else:
        assert shown == message


def test_without_what_opens_it_even_an_addressee_reads_the_digest() -> None:
    message = whisper("bob", ("alice",))
    assert views.open_for(message, frozenset({"alice"}), None) == message


def test_a_public_message_needs_no_opening() -> None:
    message = Message(1, 1, "bob", "user", {"text": "hi"}, 0)
    assert views.open_for(message, frozenset(), WHOLE) == message
    assert views.opens(message, frozenset())


def test_what_the_server_says_of_each_change() -> None:
    table = Table.of(*WITH_ADMIN, bots=(bot(),), seated=BOTH)
    table.take_over("B2", "bob")
    table.update("A", OPS["rename"], {"op": "yield_slot", "player_id": "bob"})
    table.update("A", OPS["set_admin"], OPS["remove_bot"], OPS["close"])
    assert table.types == [
        "bots_announced",
        "bot:attach",
        "bot:manifest",
        "joined",
        "joined",
        "taken_over",
        "renamed",
        "left",
        "admin",
        "bots_announced",
        "closed",
    ]
    assert {one.sender for one in table.said} == {"system"}


def test_a_proposal_shows_who_wants_what_and_not_a_whole_manifest() -> None:
    table = Table.of(*WITH_ADMIN, bots=(bot(),), seated=BOTH)
    table.update("A", OPS["set_bot"])
    body = table.said[-1].body
    assert (body["type"], body["by"]) == ("change_proposed", "alice")
    (change,) = body["changes"]
    assert (change["op"], change["bot_id"], change["bot"]["name"]) == ("set_bot", "judge", "New")
    assert "manifest" not in change["bot"]
    assert change["bot"]["manifest_hash"] == bot().manifest_hash


def test_a_failed_hook_is_told_by_class_and_line() -> None:
    run = Run(
        "judge", 1, "on_message", 5, "error:KeyError", [{"k": "bot", "b": {}}], **RECEIPT, line=7
    )
    (one,) = views.messages(ROOM, run, entry=6, ts=0, first=1)
    assert one.body == {
        "type": "bot:error",
        "bot_id": "judge",
        "hook": "on_message",
        "error": "KeyError",
        "line": 7,
    }


def test_a_hook_that_used_up_its_ticks_is_told_by_a_class_too() -> None:
    run = Run("judge", 1, "on_message", 5, "fuel", [], **RECEIPT)
    (one,) = views.messages(ROOM, run, entry=6, ts=0, first=1)
    assert one.body["error"] == "FuelLimit"


def test_a_referee_cannot_end_a_game_in_other_words_than_ended() -> None:
    run = Run(
        "judge", 1, "on_message", 5, "ok", [], **RECEIPT, end={"type": "joined", "winners": []}
    )
    (one,) = views.messages(ROOM, run, entry=6, ts=0, first=1)
    assert one.body["type"] == "ended"


@pytest.mark.parametrize(
    ("mine", "yours", "you"),
    [
        ({"alice"}, True, [True, False]),
        ({"bob"}, False, [False, True]),
        (set(), False, [False, False]),
    ],
)
def test_the_view_says_what_is_the_callers_own(mine: set[str], yours: bool, you: object) -> None:
    table = Table.of("bot:alice", "invite:alice", "invite:bob", bots=(bot(),), seated=BOTH)
    table.ran(turn={"players": ["alice"]})
    view = views.view(table.channel, "chn_x", mine=frozenset(mine), head={"size": 1, "root": ""})
    assert view["turn"]["yours"] is yours
    assert [slot["you"] for slot in view["slots"]] == [False, *you]  # type: ignore[misc]


def test_the_view_names_no_account_and_no_code() -> None:
    table = Table.of("bot:judge", "invite:alice", "invite:bob", bots=(bot(),))
    table.join("account-of-bob", "bob")
    shown = str(views.view(table.channel, "chn_x", mine=frozenset(), head={}))
    assert "account-of-bob" not in shown
    assert table.invites["alice"] not in shown
