"""Somebody who signed in anew, without the seats of before, reads that and how to get back."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.edge.api.house import House

pytestmark = pytest.mark.asyncio(loop_scope="module")
NOWHERE = "chn_" + "a" * 24
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("post_message", {"body": "x"}),
    ("sync_messages", {"timeout_ms": 0}),
    ("get_channel_info", {}),
    ("leave_channel", {}),
    ("get_transcript", {}),
    ("update_channel", {"ops": [{"op": "close"}]}),
]


def newcomer(house: House, minutes: float = 3) -> str:
    account = house.account()
    house.born[account] = int(time.time() - 60 * minutes)
    return account


@pytest.mark.parametrize(("operation", "arguments"), CALLS)
async def test_a_refusal_says_how_old_the_login_is_and_how_to_get_back(
    house: House, operation: str, arguments: dict[str, Any]
) -> None:
    """In the same words whether the room exists or not."""
    pair, new = await house.pair(), newcomer(house, 3.5)
    told = await house.tool(new, operation, channel_id=pair.id, **arguments)
    assert told.refused == "NOT_MEMBER"
    assert "3 minutes old" in told.text
    assert "rejoin_token" in told.text
    assert "Continue as" in told.text
    for face in (house.tool, house.rest):
        there = await face(new, operation, channel_id=pair.id, **arguments)
        nowhere = await face(new, operation, channel_id=NOWHERE, **arguments)
        assert (there.status, there.data) == (nowhere.status, nowhere.data)


async def test_who_has_a_seat_somewhere_reads_of_seats(house: House) -> None:
    pair, other = await house.pair(), await house.pair()
    told = await house.rest(pair.bob, "get_channel_info", channel_id=other.id)
    assert told.refused == "NOT_MEMBER"
    assert "login" not in told.data["hint"]
    await house.rest(pair.bob, "leave_channel", channel_id=pair.id)
    told = await house.rest(pair.bob, "get_channel_info", channel_id=pair.id)
    assert "login" in told.data["hint"]


async def test_a_seat_in_a_closed_room_is_one(house: House) -> None:
    host = house.account()
    room = await house.room(host, join_as="alice", slots=["invite:alice"])
    ops = [{"op": "close"}]
    closed = await house.rest(host, "update_channel", channel_id=room["channel_id"], ops=ops)
    assert closed.status == 200, closed.data
    told = await house.rest(host, "get_channel_info", channel_id=NOWHERE)
    assert "login" not in told.data["hint"]


@pytest.mark.parametrize(
    ("minutes", "old"),
    [(0, "less than a minute"), (1, "1 minute"), (59, "59 minutes"), (150, "2 hours")],
)
async def test_an_empty_list_says_so_too(house: House, minutes: int, old: str) -> None:
    told = await house.tool(newcomer(house, minutes), "list_channels")
    assert told.data["channels"] == []
    assert f"{old} old" in told.lines[0]
    seated = await house.pair()
    told = await house.tool(seated.bob, "list_channels")
    assert "login" not in told.text


async def test_a_resource_of_another_says_so_too(house: House) -> None:
    pair = await house.pair()
    async with house.client(newcomer(house), "auto") as client:
        with pytest.raises(Exception, match="3 minutes old"):
            await client.read_resource(f"mpx://channel/{pair.id}")


async def test_with_the_rejoin_token_the_seat_is_back(house: House) -> None:
    pair, new = await house.pair(), newcomer(house)
    token = pair.joined["rejoin_token"]
    back = await house.rest(new, "join_channel", invite_code=token)
    assert back.data["player_id"] == "bob"
    told = await house.rest(pair.bob, "sync_messages", channel_id=pair.id, timeout_ms=0)
    assert (told.refused, "login" in told.data["hint"]) == ("NOT_MEMBER", True)
    told = await house.rest(new, "get_channel_info", channel_id=NOWHERE)
    assert "login" not in told.data["hint"]
