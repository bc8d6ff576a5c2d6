"""A creator hands the room over: what both are told, and whose the room is then."""

from __future__ import annotations

from typing import Any

import pytest

from tests.edge.api.house import House

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def room(house: House) -> tuple[str, str, str]:
    """A creator without a seat, a player, and their room."""
    host, bob = house.account(), house.account()
    made = await house.room(host, slots=["invite:alice", "invite:bob"])
    said = await house.rest(bob, "join_channel", invite_code=made["invites"][1])
    assert said.status == 200, said.data
    return host, bob, made["channel_id"]


async def update(house: House, account: str, channel_id: str, op: dict[str, Any]) -> Any:
    return await house.rest(account, "update_channel", channel_id=channel_id, ops=[op])


async def test_who_accepts_the_room_has_the_creator_s_rights_and_who_gave_it_none(
    house: House,
) -> None:
    host, bob, channel_id = await room(house)
    offered = await update(house, host, channel_id, {"op": "hand_over", "player_id": "bob"})
    assert offered.data["view"]["proposed"]["waiting_for"] == ["bob"]
    terms = offered.data["proposed_terms"]
    heard = await house.tool(bob, "sync_messages", channel_id=channel_id, cursor=0)
    assert f'"terms":"{terms}"' in heard.text
    accepted = await update(house, bob, channel_id, {"op": "accept_change", "terms": terms})
    assert accepted.status == 200, accepted.data
    again = {"op": "reissue_invite", "player_id": "alice"}
    assert (await update(house, bob, channel_id, again)).data["invites"]
    gone = await house.rest(host, "get_channel_info", channel_id=channel_id)
    assert gone.refused == "NOT_MEMBER"


async def test_the_new_creator_sees_the_room_after_leaving_its_seat(house: House) -> None:
    host, bob, channel_id = await room(house)
    offered = await update(house, host, channel_id, {"op": "hand_over", "player_id": "bob"})
    accept = {"op": "accept_change", "terms": offered.data["proposed_terms"]}
    await update(house, bob, channel_id, accept)
    await house.rest(bob, "leave_channel", channel_id=channel_id)
    listed = await house.rest(bob, "list_channels")
    assert [one["channel_id"] for one in listed.data["channels"]] == [channel_id]
    listed = await house.rest(host, "list_channels")
    assert listed.data["channels"] == []
