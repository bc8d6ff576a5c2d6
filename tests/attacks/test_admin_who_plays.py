"""An admin plays, is about to lose, and decides the game by an op: it empties the opponent's seat,
so that the referee hears that he left, or closes the room. Stopped by `changes.needs_consent`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.edge.api.house import House, Pair, Said, open_house

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: Who leaves has lost; what was said in private opens with the seed.
REFEREE = """
class Referee:
    def on_start(self):
        self.ctx.set_turn(self.ctx.players[1:2], seconds=3600)
    def on_message(self, msg):
        self.ctx.set_state({"last": msg["body"]})
    def on_leave(self, player):
        self.ctx.end({"winners": self.ctx.players, "reason": player + " left"})
"""
SEALED_BIDS = """
class Referee:
    def on_message(self, msg):
        if not self.ctx.get_state():
            self.ctx.set_state({"bids": 1})
            self.ctx.end({"winners": self.ctx.players[:1], "reason": "the only bid"})
"""
YIELD: dict[str, Any] = {"op": "yield_slot", "player_id": "bob"}
DECIDING: list[dict[str, Any]] = [YIELD, {"op": "close"}]
SLOTS = ["bot:referee", "invite:alice:admin", "invite:bob"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with open_house(tmp_path_factory.mktemp("house")) as made:
        yield made


async def _game(house: House) -> Pair:
    """Bob is to move and has said something to the referee alone."""
    pair = await house.pair(bot_code=REFEREE, slots=SLOTS)
    said = await house.rest(
        pair.bob, "post_message", channel_id=pair.id, body="my bid: 42", to=["bot:referee"]
    )
    assert said.data["view"]["turn"]["yours"] is True
    return pair


async def _update(house: House, account: str, channel_id: str, *ops: dict[str, Any]) -> Said:
    return await house.tool(account, "update_channel", channel_id=channel_id, ops=list(ops))


async def _types(house: House, account: str, channel_id: str) -> list[str]:
    said = await house.rest(account, "sync_messages", channel_id=channel_id, cursor=0)
    return [one["body"].get("type", "") for one in said.data["messages"]]


@pytest.mark.parametrize("op", DECIDING)
async def test_no_op_of_an_admin_who_plays_ends_a_running_game(
    house: House, op: dict[str, Any]
) -> None:
    pair = await _game(house)
    said = await _update(house, pair.alice, pair.id, op)
    assert said.data["view"]["proposed"]["waiting_for"] == ["bob"]
    assert "invites" not in said.data
    again = await house.rest(
        pair.alice,
        "update_channel",
        channel_id=pair.id,
        ops=[{"op": "accept_change", "terms": said.data["proposed_terms"]}],
    )
    assert again.data["view"]["status"] == "playing"
    types = await _types(house, pair.bob, pair.id)
    assert types[-1] == "change_proposed"
    assert not {"left", "ended", "closed"} & {*types}
    inline = {"channel_id": pair.id, "format": "inline"}
    log = (await house.rest(pair.alice, "get_transcript", **inline)).data["entries"]
    assert not {"reveal", "disclose"} & {entry["t"] for entry in log}


@pytest.mark.parametrize("op", DECIDING)
async def test_no_op_ends_a_second_round_in_which_nobody_is_to_move(
    house: House, op: dict[str, Any]
) -> None:
    """The referee has ended the first; of the second it has sealed bids and nothing else."""
    pair = await house.pair(bot_code=SEALED_BIDS, slots=SLOTS)
    for body in ("7", "8"):
        bid = {"channel_id": pair.id, "to": ["bot:referee"], "body": body}
        said = await house.rest(pair.bob, "post_message", **bid)
        assert said.data["view"]["status"] == "ended"
    said = await _update(house, pair.alice, pair.id, op)
    assert said.data["view"]["proposed"]["waiting_for"] == ["bob"]
    assert not {"left", "closed"} & {*await _types(house, pair.bob, pair.id)}


async def test_after_a_game_in_which_nothing_is_sealed_an_admin_closes_the_room_alone(
    house: House,
) -> None:
    pair = await house.pair(bot_code=SEALED_BIDS, slots=SLOTS)
    bid = {"channel_id": pair.id, "to": ["bot:referee"], "body": "7"}
    await house.rest(pair.bob, "post_message", **bid)
    done = await _update(house, pair.alice, pair.id, {"op": "close"})
    assert done.data["view"]["status"] == "closed"


@pytest.mark.parametrize("op", DECIDING)
async def test_no_list_of_ops_begins_a_game_and_decides_it_at_once(
    house: House, op: dict[str, Any]
) -> None:
    """The game would begin with bob in it, and bob would have left."""
    pair = await house.pair(bot_code=REFEREE, slots=[*SLOTS, "invite:carol"])
    said = await _update(house, pair.alice, pair.id, {"op": "start"}, op)
    assert said.refused == "BAD_OP"
    types = await _types(house, pair.bob, pair.id)
    assert not {"left", "ended", "closed", "turn", "change_proposed"} & {*types}


async def test_before_it_begins_a_game_an_admin_goes_on_without_who_does_not_come(
    house: House,
) -> None:
    pair = await house.pair(bot_code=REFEREE, slots=[*SLOTS, "invite:carol"])
    done = await _update(house, pair.alice, pair.id, YIELD, {"op": "start"})
    assert done.text.startswith("Done: yield_slot, start")


async def test_the_token_of_a_seat_that_another_s_leaving_empties_is_forgotten(
    house: House,
) -> None:
    """Of bob's seat all others have agreed, once the only one who had not is gone."""
    pair = await house.pair(bot_code=REFEREE, slots=[*SLOTS, "invite:carol", "invite:dan"])
    carol, dan = house.account(), house.account()
    for account, code in zip((carol, dan), pair.opened["invites"][1:], strict=True):
        await house.rest(account, "join_channel", invite_code=code)
    asked = await _update(house, pair.alice, pair.id, YIELD)
    accept = {"op": "accept_change", "terms": asked.data["proposed_terms"]}
    await _update(house, carol, pair.id, accept)
    await house.rest(dan, "leave_channel", channel_id=pair.id)
    dead = f"dead: {pair.joined['rejoin_token']}"
    said = await house.rest(carol, "post_message", channel_id=pair.id, body=dead)
    assert said.status == 200


async def test_a_seat_that_was_only_to_be_emptied_keeps_its_tokens(house: House) -> None:
    pair = await _game(house)
    await _update(house, pair.alice, pair.id, YIELD)
    other_login, token = house.account(), pair.joined["rejoin_token"]
    said = await house.rest(other_login, "join_channel", invite_code=token)
    assert (said.status, said.data["player_id"]) == (200, "bob")


async def test_its_holder_may_agree_and_then_the_seat_is_free_for_another(house: House) -> None:
    pair = await _game(house)
    asked = await _update(house, pair.alice, pair.id, YIELD)
    accept = {"op": "accept_change", "terms": asked.data["proposed_terms"]}
    done = await _update(house, pair.bob, pair.id, accept)
    assert done.data["view"]["status"] == "ended"
    assert "invites" not in done.data
    token = pair.joined["rejoin_token"]
    for code in (token, pair.opened["invites"][0]):
        said = await house.rest(pair.bob, "join_channel", invite_code=code)
        assert said.status == 404
    posted = await house.rest(pair.alice, "post_message", channel_id=pair.id, body=f"dead: {token}")
    assert posted.status == 200  # it is forgotten, as that of whoever leaves
    fresh = await _update(house, pair.alice, pair.id, {"op": "reissue_invite", "player_id": "bob"})
    said = await house.rest(house.account(), "join_channel", invite_code=fresh.data["invites"][0])
    assert said.data["player_id"] == "bob"


async def test_with_three_at_the_table_the_others_together_replace_who_is_gone(
    house: House,
) -> None:
    pair = await house.pair(bot_code=REFEREE, slots=[*SLOTS, "invite:carol"])
    carol = house.account()
    await house.rest(carol, "join_channel", invite_code=pair.opened["invites"][1])
    asked = await _update(house, pair.alice, pair.id, YIELD)
    assert asked.lines[0].startswith("Waiting for carol to accept terms sha256:")
    accept = {"op": "accept_change", "terms": asked.data["proposed_terms"]}
    done = await _update(house, carol, pair.id, accept)
    assert "left" in await _types(house, carol, pair.id)
    assert [s["state"] for s in done.data["view"]["slots"]] == ["taken", "taken", "left", "taken"]


async def test_a_guest_reads_before_joining_and_on_joining_what_an_admin_may_do(
    house: House,
) -> None:
    host, guest = house.account(), house.account()
    room = await house.room(host, bot_code=REFEREE, slots=SLOTS, join_as="alice")
    look = await house.tool(guest, "inspect_invite", invite_code=room["invites"][0])
    power = look.data["changeable_by"]
    assert power in look.text
    assert "alice can empty your seat only if you accept" in power
    assert "close the room only if everybody does" in power
    joined = await house.tool(guest, "join_channel", invite_code=room["invites"][0])
    assert power in joined.text


async def test_in_a_room_without_an_admin_nobody_even_proposes_it(house: House) -> None:
    pair = await house.pair(bot_code=REFEREE)
    for op in DECIDING:
        for account in (pair.alice, pair.bob):
            assert (await _update(house, account, pair.id, op)).refused == "NOT_ADMIN"
