"""A player is told what everybody waits for: a free seat, a part of the dice to be opened."""

from __future__ import annotations

import pytest

from mcp_multiplayer.transcript import seeds
from tests.edge.api.house import House, Said
from tests.edge.api.test_receipts import ORIGIN

pytestmark = pytest.mark.asyncio(loop_scope="module")

VALUE = "alice's value, 32 characters long"


async def committed(house: House) -> tuple[str, Said]:
    """Alice's account, and the room in which she committed to her part of the dice."""
    host = house.account()
    made = await house.tool(host, "create_channel", bot_preset="GuessBot", join_as="alice")
    where = ORIGIN.search(made.text)
    assert where is not None
    asked = {"invite_code": made.data["rejoin_token"]}
    promise = "commit:" + seeds.commit_member(where[1], where[2], VALUE)
    assert not (await house.tool(host, "join_channel", **asked, entropy=promise)).refused
    return host, made


async def test_who_has_to_open_does_not_wait_for_its_turn(house: House) -> None:
    host, made = await committed(house)
    guest = {"invite_code": made.data["invites"][0]}
    await house.rest(house.account(), "join_channel", **guest)
    listed, room = await house.tool(host, "list_channels"), made.data["channel_id"]
    assert "OPEN YOUR COMMITMENT" in listed.text
    assert "nothing waits for you" not in listed.text
    cursor = (await house.rest(host, "sync_messages", channel_id=room)).data["cursor"]
    wait = {"channel_id": room, "cursor": cursor, "until": "my_turn", "timeout_ms": 45_000}
    said = await house.tool(host, "sync_messages", **wait)
    assert "waited 0 s" in said.text
    assert said.lines[-1].startswith("next: open what you committed to: join_channel(")


async def test_a_room_with_a_free_seat_waits_for_its_guest(house: House) -> None:
    host = house.account()
    room = await house.room(host, bot_preset="GuessBot", join_as="alice")
    assert "waiting for bob to join" in (await house.tool(host, "list_channels")).text
    wait = {"channel_id": room["channel_id"], "cursor": room["cursor"], "timeout_ms": 1}
    for _ in range(2):
        said = await house.tool(host, "sync_messages", **wait)
    assert said.lines[-1].startswith("next: stop waiting. Tell your user bob has yet to join;")


async def test_entropy_where_nobody_throws_dice_is_said_to_be_unused(house: House) -> None:
    asked = {"bot_preset": "TicTacToeBot", "join_as": "alice", "entropy": VALUE}
    made = await house.tool(house.account(), "create_channel", **asked)
    assert "No referee here throws dice" in made.text
    asked = {"invite_code": made.data["invites"][0], "entropy": f"bob {VALUE}"}
    joined = await house.tool(house.account(), "join_channel", **asked)
    assert "No referee here throws dice" in joined.text


async def test_a_guest_sees_who_committed_and_who_gave_a_value(house: House) -> None:
    _, made = await committed(house)
    seen = await house.tool(house.account(), "inspect_invite", invite_code=made.data["invites"][0])
    assert "given theirs: alice (a commitment)." in seen.text


async def test_who_sits_already_is_not_invited_again(house: House) -> None:
    pair = await house.pair(bot_preset="GuessBot")
    asked = {"invite_code": pair.opened["invites"][0]}
    said = await house.tool(pair.bob, "inspect_invite", **asked)
    assert said.lines[0].startswith(f"You sit in {pair.id} ")
    assert said.lines[0].endswith("already, as bob; the room is playing.")
    assert said.lines[-1] == f'next: sync_messages(channel_id="{pair.id}")'
    again = await house.rest(pair.bob, "join_channel", **asked, expect_terms=said.data["terms"])
    assert again.data["player_id"] == "bob"
