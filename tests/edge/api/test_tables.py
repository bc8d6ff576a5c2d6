"""Whole games in real rooms by players who know nothing but what is expected of them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from tests.edge.api.house import House, Pair
from tests.sample import sample

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def follow(house: House, room: Pair, *, after: int = 0) -> tuple[dict[str, Any], int]:
    """(the result, moves): in turn by MCP and by REST, always one of the bodies expected."""
    accounts = {"alice": room.alice, "bob": room.bob}
    for moves in range(200):
        view = (await house.rest(room.alice, "sync_messages", channel_id=room.id)).data["view"]
        if view["turn"] is None:
            return dict(view["result"]), moves
        expect = view["turn"]["expect"]
        bodies, to = (expect["body"], {"to": expect["to"]}) if "body" in expect else (expect, {})
        ask = house.tool if moves % 2 else house.rest
        mover = accounts[view["turn"]["players"][0]]
        move = {"channel_id": room.id, "body": bodies[(moves + after) % len(bodies)], **to}
        said = await ask(mover, "post_message", **move)
        assert '"violation"' not in json.dumps(said.data), said.data
    raise AssertionError("no end")


async def seen(house: House, account: str, room: Pair) -> list[dict[str, Any]]:
    """What the referee said, as this account may read it."""
    found: list[dict[str, Any]] = []
    cursor = 0
    while True:
        said = await house.rest(account, "sync_messages", channel_id=room.id, cursor=cursor)
        found += [one for one in said.data["messages"] if one["sender"].startswith("bot:")]
        if not said.data["more"]:
            return found
        cursor = said.data["cursor"]


async def test_blackjack_is_played_to_its_end_and_cards_dealt_face_down_stay_so(
    house: House,
) -> None:
    room = await house.pair(bot_preset="BlackjackBot", bot_params={"face_down": True, "rounds": 3})
    result, _ = await follow(house, room)
    assert set(result["scores"]) == {"alice", "bob"}
    for account, me, other in ((room.alice, "alice", "bob"), (room.bob, "bob", "alice")):
        said = await seen(house, account, room)
        opened = [one["body"] for one in said if one["body"]["type"] == "reveal"]
        assert [deck_hash(one) for one in opened] == [
            one["body"]["commitment_hash"] for one in said if one["body"]["type"] == "commitment"
        ]
        assert opened
        hidden = [one for one in said if one["body"]["type"] == "hand" and one.get("to")]
        mine = [set(one["body"]) for one in hidden if one["to"] == [me]]
        theirs = [set(one["body"]) for one in hidden if one["to"] == [other]]
        assert mine and all({"cards", "value"} <= names for names in mine)
        assert theirs and not any({"cards", "value"} & names for names in theirs)


def deck_hash(reveal: dict[str, Any]) -> str:
    return hashlib.sha256((reveal["deck"] + reveal["salt"]).encode()).hexdigest()


@pytest.mark.parametrize("mode", sample(["sealed", "first"], {"sealed"}))
async def test_a_quiz_is_played_to_its_end_and_again(house: House, mode: str) -> None:
    room = await house.pair(bot_preset="TriviaBot", bot_params={"mode": mode, "count": 3})
    result, moves = await follow(house, room)
    assert result["reason"] == "3 questions are answered" and moves <= 6
    for account in (room.alice, room.bob):
        await house.rest(account, "post_message", channel_id=room.id, body="rematch")
    again, _ = await follow(house, room, after=1)
    assert again["reason"] == "3 questions are answered"
    said = [one["body"] for one in await seen(house, room.alice, room)]
    hashes = [h for one in said if one["type"] == "commitment" for h in one["commitment_hashes"]]
    assert [one["hash"] for one in said if one["type"] == "answer"] == hashes
    assert len(set(hashes)) == 6
