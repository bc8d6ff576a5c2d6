"""A room that a queue has made, and what else a room is from its beginning: listed, rated."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mcp_multiplayer.channel import decide, terms
from mcp_multiplayer.channel.commands import Create, Seated
from mcp_multiplayer.channel.events import Attach, Genesis, Join
from mcp_multiplayer.channel.identifiers import slot_specs
from mcp_multiplayer.channel.ops import FIELDS
from mcp_multiplayer.errors import InvalidRequest, MultiplayerError
from tests.channel.table import HOST, Table, bot
from tests.harness import LIMITS

PAIR = (Seated("alice", "A", "a" * 16), Seated("bob", "B"))
QUEUE = Create(
    origin="localhost/c/chn_test",
    name="test",
    creator=None,
    slots=slot_specs(("bot:judge", "invite:alice", "invite:bob"), max_seats=LIMITS["seats"]),
    invites={},
    limits=LIMITS,
    nonce="00",
    bots=(bot(),),
    paired=PAIR,
)


def made(command: Create) -> Table:
    table = Table()
    table.happen(decide.create(command, HOST))
    return table


def test_everybody_sits_and_the_game_begins_with_the_room() -> None:
    table = made(QUEUE)
    assert [type(event) for event in decide.create(QUEUE, HOST)] == [Genesis, Attach, Join, Join]
    assert table.channel.players == ("alice", "bob")
    assert table.channel.status == "playing"
    assert [share.value for share in table.channel.entropy] == ["a" * 16]


def test_each_has_accepted_the_same_terms() -> None:
    table = made(QUEUE)
    assert {slot.terms for slot in table.channel.seated} == {terms.of(table.channel)}


@pytest.mark.parametrize("name", sorted(FIELDS.keys() - {"accept_change", "open_sealed"}))
@pytest.mark.parametrize("who", ["A", "B", ""])
def test_nobody_has_a_creator_s_rights(who: str, name: str) -> None:
    table = made(QUEUE)
    op = {"op": name} | {field: "judge" for field in FIELDS[name][0]}
    if name == "set_admin":
        op["admin"] = True  # type: ignore[assignment]
    if name in ("set_bot", "attach_bot"):
        op["bot_code"] = "…"
    with pytest.raises(MultiplayerError) as refused:
        table.update(who, op)
    assert refused.value.code in ("NOT_ADMIN", "NOT_MEMBER")


@pytest.mark.parametrize(
    "wrong",
    [
        replace(QUEUE, paired=PAIR[:1]),
        replace(QUEUE, paired=(*PAIR, Seated("carol", "C"))),
        replace(QUEUE, paired=(PAIR[0], Seated("alice", "B"))),
        replace(QUEUE, invites={"alice": "0" * 64}),
        replace(QUEUE, slots=slot_specs(("invite:alice:admin", "invite:bob"), max_seats=9)),
        replace(QUEUE, slots=slot_specs(("invite:alice", "watch:bob"), max_seats=9)),
        replace(QUEUE, paired=(Seated("alice", "A", "commit:" + "x" * 43), PAIR[1])),
    ],
)
def test_a_room_of_a_queue_has_a_player_in_each_seat_and_nothing_else(wrong: Create) -> None:
    with pytest.raises(InvalidRequest):
        decide.create(wrong, HOST)


def test_whether_a_room_is_listed_or_rated_is_part_of_what_is_accepted() -> None:
    documents = [
        terms.document(made(replace(QUEUE, listed=listed, rated=rated)).channel)
        for listed in (False, True)
        for rated in (False, True)
    ]
    assert [(d.get("listed"), d.get("rated")) for d in documents] == [
        (None, None),
        (None, True),
        (True, None),
        (True, True),
    ]
    assert terms.difference(documents[0], documents[3]) == "listed, rated"


def test_what_a_referee_imports_is_part_of_what_is_accepted() -> None:
    library = "sha256:" + "2" * 64
    plain = terms.document(made(QUEUE).channel)
    own = terms.document(made(replace(QUEUE, bots=(bot(library=library),))).channel)
    assert own["bots"][0]["library"] == library
    assert terms.difference(plain, own) == "library of bot:judge"
