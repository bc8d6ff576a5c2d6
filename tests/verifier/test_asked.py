"""Changes of a room begin with who asked for them: a server that writes one in somebody's name, or
that carries out something else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mcp_multiplayer.verifier import attributed_actions
from mcp_multiplayer.verifier.executor import Executor
from tests.verifier.games import Bundle, Game, Table, codes, inserted, reforge, verify, violations

pytestmark = pytest.mark.asyncio(loop_scope="module")

SLOTS = ("invite:alice:admin", "invite:bob", "invite:carol")


async def changed(server: Table) -> Game:
    """A room in which alice, its admin, has renamed it and made a fresh invite for carol."""
    game = await server.open(slots=SLOTS)
    await game.join("alice")
    await game.join("bob")
    ops = ({"op": "rename", "name": "ours"}, {"op": "reissue_invite", "player_id": "carol"})
    await game.update("alice", *ops)
    await game.say("bob", "hello")
    return game


def asked(f: Bundle) -> dict[str, Any]:
    (found,) = f.of("ask")
    return found


async def test_it_names_the_seat_the_account_and_what_was_asked_for(
    server: Table, jail: Executor
) -> None:
    file = (await changed(server)).bundle()
    one, who = asked(file), file.of("join")[0]["who"]
    assert (one["slot"], one["who"]) == ("s0", who)
    assert [op["op"] for op in one["ops"]] == ["rename", "reissue_invite"]
    assert [entry["t"] for entry in file.entries[one["i"] :]] == ["ask", "rename", "invite", "msg"]
    assert not violations(verify(file, jail))


async def test_a_creator_without_a_seat_asks_by_the_account(server: Table, jail: Executor) -> None:
    game = await server.open(slots=("invite:alice", "invite:bob"))
    await game.update("alice", {"op": "rename", "name": "mine"})
    await game.join("bob")
    file = game.bundle("bob")
    assert "slot" not in asked(file) and asked(file)["who"] == file.entries[0]["creator"]
    assert not violations(verify(file, jail))


async def test_what_is_asked_for_stands_under_its_members_name(
    server: Table, jail: Executor
) -> None:
    """A server that writes it in alice's name is contradicted by her alone, and she is shown it."""
    checked = verify((await changed(server)).bundle("bob"), jail)
    assert "I_UNCONFIRMED" in codes(checked)
    assert checked.heads is not None
    deeds = attributed_actions.of(checked.heads.events, checked.walked.channels)
    assert any(one.text == "asked for rename ours, reissue_invite carol" for one in deeds["alice"])


_MAKE: dict[str, tuple[str, Callable[[Bundle], None]]] = {}


def forgery(code: str) -> Callable[[Callable[[Bundle], None]], Callable[[Bundle], None]]:
    def add(make: Callable[[Bundle], None]) -> Callable[[Bundle], None]:
        _MAKE[make.__name__] = code, make
        return make

    return add


@forgery("E_ASK")
def it_was_asked_by_somebody_who_may_not(f: Bundle) -> None:
    asked(f).update(slot="s1", who=f.of("join")[1]["who"])


@forgery("E_ASK")
def it_was_asked_by_somebody_from_anothers_seat(f: Bundle) -> None:
    asked(f)["slot"] = "s1"


@forgery("E_ASK")
def it_was_asked_by_a_stranger(f: Bundle) -> None:
    asked(f).update(who="x" * 16)
    del asked(f)["slot"]


@forgery("E_ASK")
def the_seat_that_asked_is_not_named(f: Bundle) -> None:
    del asked(f)["slot"]


@forgery("E_RENAME")
def another_name_is_given_than_was_asked_for(f: Bundle) -> None:
    f.of("rename")[0]["name"] = "theirs"


@forgery("E_INVITE")
def another_invite_is_made_than_was_asked_for(f: Bundle) -> None:
    f.of("invite")[0]["hash"] = "0" * 64


@forgery("E_RENAME")
def nobody_asked_for_it(f: Bundle) -> None:
    place = asked(f)["i"]
    f.entries[place + 1]["ts"] = f.entries[place]["ts"]
    del f.entries[place]


@forgery("E_ASK")
def what_was_asked_for_is_not_done(f: Bundle) -> None:
    place = asked(f)["i"]
    del f.entries[place + 1 : place + 3]
    f.entries[place].pop("more")


@forgery("E_FIELDS")
def an_op_holds_something_else(f: Bundle) -> None:
    asked(f)["ops"][0]["note"] = "…"


@forgery("E_FIELDS")
def an_op_holds_what_another_holds(f: Bundle) -> None:
    asked(f)["ops"][0]["invite"] = "0" * 64


@forgery("E_FIELDS")
def an_op_is_asked_for_that_has_an_entry_of_its_own(f: Bundle) -> None:
    asked(f)["ops"][0] = {"op": "accept_change", "terms": "sha256:" + "0" * 64}


@forgery("E_ASK")
def it_is_asked_for_twice(f: Bundle) -> None:
    inserted(f, asked(f)["i"], dict(asked(f)))


@pytest.mark.parametrize("name", _MAKE)
async def test_a_server_that_changes_a_room_otherwise_is_caught(
    server: Table, jail: Executor, name: str
) -> None:
    code, make = _MAKE[name]
    forged = (await changed(server)).bundle().copy()
    make(forged)
    assert code in violations(verify(reforge(forged), jail))
