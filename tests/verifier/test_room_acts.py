"""What the operator does in a room, a creator who hands it over, and rooms that a queue has made:
honest records, and a server that writes them otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mcp_multiplayer.channel import decide
from mcp_multiplayer.channel.commands import Create, GiveUp, Seated
from mcp_multiplayer.channel.identifiers import slot_specs
from mcp_multiplayer.channel.ops import Op
from mcp_multiplayer.service.replica import Replica
from mcp_multiplayer.service.sequencer import Request
from mcp_multiplayer.verifier import attributed_actions
from mcp_multiplayer.verifier.executor import Executor
from mcp_multiplayer.verifier.findings import OUTSIDE, RECORD, RULES
from tests.harness import LIMITS
from tests.verifier.games import Bundle, Game, Table, codes, reforge, states, verify, violations

pytestmark = pytest.mark.asyncio(loop_scope="module")

DRAWS = """
class Draws:
    def __init__(self, ctx, params):
        self.ctx = ctx
    def on_start(self):
        self.ctx.post("bot", {"card": self.ctx.random.randint(1, 52)})
        self.ctx.set_turn(["alice"])
"""
Forge = Callable[[Bundle], Any]


async def opened(server: Table) -> Game:
    return await (await server.open(code=DRAWS)).seated()


async def closed(server: Table) -> Bundle:
    game = await opened(server)
    await game.operate(Op("close", {}))
    return game.bundle()


async def emptied(server: Table) -> Bundle:
    game = await opened(server)
    await game.operate(Op("yield_slot", {"player_id": "bob"}))
    return game.bundle()


async def deleted(server: Table) -> Bundle:
    game = await opened(server)
    who = game.table.channels.who(game.room, "B")

    def wish(channel: Any) -> Any:
        return decide.decide(channel, GiveUp(who, "bob", deleted=True))

    await game.table.channels.lines.submit(game.room, Request(wish))
    return game.bundle()


async def handed_over(server: Table) -> Bundle:
    game = await opened(server)
    await game.update("alice", {"op": "hand_over", "player_id": "bob"})
    assert game.room.channel.proposal is not None
    terms = game.room.channel.proposal.terms
    await game.update("bob", {"op": "accept_change", "terms": terms})
    return game.bundle()


async def of_a_queue(server: Table, **fields: Any) -> Bundle:
    """No operation makes one yet."""
    channels = server.channels
    room = Replica(channels.store, f"chn_queue{len(channels._rooms)}")
    command = Create(
        origin=f"mp.example/c/{room.channel_id}",
        name="a game",
        creator=None,
        slots=slot_specs(("invite:alice", "invite:bob"), max_seats=32),
        invites={},
        limits=LIMITS,
        nonce="0" * 32,
        paired=(Seated("alice", "A" * 16, "a" * 16), Seated("bob", "B" * 16)),
        **fields,
    )
    channels._keep(room)
    made = decide.create(command, channels.custody.host)
    await channels.lines.submit(room, Request(lambda _: made))
    return Game(server, room, {}).bundle()


HONEST = {"closed": closed, "emptied": emptied, "deleted": deleted, "handed over": handed_over}


@pytest.mark.parametrize("name", HONEST)
async def test_what_happened_is_what_the_rules_allow(
    server: Table, jail: Executor, name: str
) -> None:
    checked = verify(await HONEST[name](server), jail)
    assert not violations(checked)
    assert checked.walked.whole


@pytest.mark.parametrize("fields", [{}, {"listed": True}, {"rated": True, "listed": True}])
async def test_a_room_of_a_queue_is_what_the_rules_allow(
    server: Table, jail: Executor, fields: dict[str, bool]
) -> None:
    file = await of_a_queue(server, **fields)
    assert file.entries[0]["queue"] is True and "creator" not in file.entries[0]
    checked = verify(file, jail)
    assert not violations(checked)
    assert states(checked)[RULES] == "PROVEN"


async def test_a_room_that_the_operator_closes_is_proven_to_its_end(
    server: Table, jail: Executor
) -> None:
    checked = verify(await closed(server), jail)
    assert (states(checked)[RULES], states(checked)[RECORD]) == ("PROVEN", "PROVEN")
    (outside,) = [one.reason for one in checked.verdicts if one.line == OUTSIDE]
    assert "the operator of the server acted (close)" in outside


async def test_an_operator_s_act_does_not_stand_for_the_consent_of_who_stays(
    server: Table, jail: Executor
) -> None:
    """alice and carol are said to be one account; bob, who has yet to accept, is put out."""
    game = await server.open(code=DRAWS, slots=("invite:alice:admin", "invite:bob", "invite:carol"))
    await game.join("alice")
    await game.join("bob")
    await game.table.channels.join_channel("A", game.invites["carol"].partition(".")[0])
    await game.update("alice", {"op": "remove_bot", "bot_id": game.room.channel.bots[0].id})
    await game.operate(Op("yield_slot", {"player_id": "bob"}))
    assert not game.room.channel.bots
    checked = verify(game.bundle(), jail)
    assert not violations(checked)
    assert "I_CONSENT" in codes(checked)


async def test_what_the_operator_does_stands_under_no_member_s_name(
    server: Table, jail: Executor
) -> None:
    checked = verify(await closed(server), jail)
    assert checked.heads is not None
    deeds = attributed_actions.of(checked.heads.events, checked.walked.channels)
    assert not any("close" in deed.text for done in deeds.values() for deed in done)


async def test_what_a_creator_hands_over_stands_under_both_names(
    server: Table, jail: Executor
) -> None:
    checked = verify(await handed_over(server), jail)
    assert checked.heads is not None
    deeds = attributed_actions.of(checked.heads.events, checked.walked.channels)
    assert any(deed.text == "asked for hand_over bob" for deed in deeds["alice"])
    assert any(deed.text.startswith("agreed to a change") for deed in deeds["bob"])


_MAKE: dict[str, tuple[Callable[[Table], Any], str, Forge]] = {}


def forgery(of: Callable[[Table], Any], code: str) -> Callable[[Forge], Forge]:
    def add(make: Forge) -> Forge:
        _MAKE[make.__name__] = of, code, make
        return make

    return add


@forgery(closed, "E_CLOSE")
def the_operator_closes_a_room_and_does_not_say_so(f: Bundle) -> None:
    ask = f.entries.index(f.of("ask")[0])
    reveal = f.entries.index(f.of("reveal")[0])
    del f.entries[reveal], f.entries[ask]


@forgery(closed, "E_ASK")
def a_member_is_said_to_have_closed_it(f: Bundle) -> None:
    ask = f.of("ask")[0]
    del ask["by"]
    ask.update(who=f.of("join")[1]["who"], slot="s1")


@forgery(closed, "E_FIELDS")
def both_are_said_to_have_closed_it(f: Bundle) -> None:
    f.of("ask")[0]["who"] = f.of("join")[1]["who"]


@forgery(closed, "E_CLOSE")
def the_operator_closes_it_and_keeps_the_seed(f: Bundle) -> None:
    del f.entries[f.entries.index(f.of("reveal")[0])]


@forgery(emptied, "E_ASK")
def the_operator_does_what_is_the_members(f: Bundle) -> None:
    f.of("ask")[0]["ops"] = [{"op": "rename", "name": "mine"}]


@forgery(emptied, "E_LEAVE")
def another_seat_is_emptied_than_was_said(f: Bundle) -> None:
    f.of("ask")[0]["ops"][0]["player_id"] = "alice"


@forgery(deleted, "E_FIELDS")
def an_account_is_said_to_be_deleted_and_not(f: Bundle) -> None:
    f.of("leave")[0]["deleted"] = False


@forgery(handed_over, "E_HANDOVER")
def the_rights_go_to_somebody_else(f: Bundle) -> None:
    f.of("handover")[0]["slot"] = "s0"


@forgery(handed_over, "E_HANDOVER")
def the_rights_go_to_who_has_not_accepted(f: Bundle) -> None:
    del f.entries[-3:-1]


@forgery(handed_over, "E_ACCEPT")
def somebody_else_accepts_for_him(f: Bundle) -> None:
    f.of("accept")[0]["slot"] = "s0"


@forgery(handed_over, "E_ASK")
def a_member_offers_what_is_the_creator_s(f: Bundle) -> None:
    f.of("ask")[0].update(who=f.of("join")[1]["who"], slot="s1")


@forgery(handed_over, "E_OFFER")
def it_is_offered_to_another_than_was_asked(f: Bundle) -> None:
    f.of("offer")[0]["slot"] = "s0"


@forgery(of_a_queue, "E_FIELDS")
def a_queue_s_room_is_given_a_creator(f: Bundle) -> None:
    f.entries[0]["creator"] = f.of("join")[0]["who"]


@forgery(of_a_queue, "E_GENESIS")
def one_of_a_queue_s_players_is_admin(f: Bundle) -> None:
    f.entries[0]["slots"][0]["admin"] = True


@forgery(of_a_queue, "E_GENESIS")
def one_who_sought_a_game_is_left_out(f: Bundle) -> None:
    f.of("join")[0].pop("more")
    del f.entries[-1]


@forgery(of_a_queue, "E_TERMS")
def a_room_is_listed_that_was_not_when_they_were_seated(f: Bundle) -> None:
    f.entries[0]["listed"] = True


@forgery(closed, "E_GENESIS")
def the_creator_seats_another_without_an_invite(f: Bundle) -> None:
    join = f.of("join")[1]
    f.entries.remove(join)
    for place in (0, 1):
        f.entries[place]["more"] = True
    join["ts"] = f.entries[0]["ts"]
    f.entries.insert(2, join)
    del f.entries[0]["slots"][1]["invite"]


@pytest.mark.parametrize("name", _MAKE)
async def test_a_server_that_writes_it_otherwise_is_caught(
    server: Table, jail: Executor, name: str
) -> None:
    of, code, make = _MAKE[name]
    file = await of(server)
    make(file)
    assert code in violations(verify(reforge(file), jail))
