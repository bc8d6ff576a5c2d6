"""Posting, reading, waiting and coming back, as the contract words them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.edge.api.house import House, Pair

pytestmark = pytest.mark.asyncio(loop_scope="module")

BIG = {"high": 10**9}  #: no guess of a test hits it
ECHO = """
class Echo:
    def __init__(self, ctx, params):
        self.ctx = ctx
    def on_message(self, msg):
        self.ctx.post('bot', {'echo': msg['body']})
"""


async def post(house: House, who: str, pair: Pair, body: Any, **more: Any) -> dict[str, Any]:
    said = await house.rest(who, "post_message", channel_id=pair.id, body=body, **more)
    assert said.status == 200, said.data
    return said.data


async def read(house: House, who: str, pair: Pair, **more: Any) -> list[Any]:
    """The bodies that ``who`` reads."""
    said = await house.rest(who, "sync_messages", channel_id=pair.id, **{"cursor": 0} | more)
    return [message["body"] for message in said.data["messages"]]


async def test_text_becomes_an_object_and_an_object_stays_one(house: House) -> None:
    pair = await house.pair()
    await post(house, pair.bob, pair, "hello")
    await post(house, pair.bob, pair, {"n": 1})
    assert (await read(house, pair.alice, pair))[-2:] == [{"text": "hello"}, {"n": 1}]


async def test_the_answer_has_what_others_said_and_not_the_post_itself(house: House) -> None:
    pair = await house.pair(bot_code=ECHO)
    cursor = pair.joined["cursor"]
    await post(house, pair.alice, pair, "first")
    said = await post(house, pair.bob, pair, "second", cursor=cursor)
    assert [m["body"] for m in said["messages"]] == [
        {"text": "first"},
        {"echo": {"text": "first"}},
        {"echo": {"text": "second"}},
    ]
    assert said["cursor"] == said["messages"][-1]["id"]
    assert said["msg_id"] not in [m["id"] for m in said["messages"]]


async def test_a_message_has_the_fields_of_the_contract(house: House) -> None:
    pair = await house.pair()
    said = await post(house, pair.bob, pair, "x", to=["alice"])
    heard = await house.rest(pair.alice, "sync_messages", channel_id=pair.id)
    message = heard.data["messages"][-1]
    assert message == {
        "id": said["msg_id"],
        "entry": message["entry"],
        "channel_id": pair.id,
        "sender": "bob",
        "kind": "user",
        "body": {"text": "x"},
        "ts": said["ts"],
        "to": ["alice"],
    }


async def test_the_same_cursor_and_body_again_is_the_same_post(house: House) -> None:
    pair = await house.pair(bot_code=ECHO)
    cursor = pair.joined["cursor"]
    first = await post(house, pair.bob, pair, "move", cursor=cursor)
    again = await post(house, pair.bob, pair, "move", cursor=cursor)
    assert again == first | {"view": again["view"]}


async def test_the_same_key_again_is_the_same_post(house: House) -> None:
    pair = await house.pair()
    first = await post(house, pair.bob, pair, "move", idempotency_key="k1")
    assert (await post(house, pair.bob, pair, "move", idempotency_key="k1"))["msg_id"] == (
        first["msg_id"]
    )


async def test_without_cursor_and_key_the_same_words_are_said_twice(house: House) -> None:
    pair = await house.pair()
    first = await post(house, pair.bob, pair, "again")
    assert (await post(house, pair.bob, pair, "again"))["msg_id"] == first["msg_id"] + 1


async def test_a_private_message_is_an_envelope_to_everybody_else(house: House) -> None:
    host, bob, carol = house.account(), house.account(), house.account()
    slots = ["invite:alice", "invite:bob", "invite:carol"]
    room = await house.room(host, slots=slots, join_as="alice")
    for who, code in zip((bob, carol), room["invites"], strict=True):
        await house.rest(who, "join_channel", invite_code=code)
    channel = {"channel_id": room["channel_id"]}
    await house.rest(host, "post_message", **channel, body="psst", to=["bob"])
    seen = {
        who: (await house.rest(who, "sync_messages", **channel)).data["messages"][-1]
        for who in (host, bob, carol)
    }
    assert seen[host]["body"] == seen[bob]["body"] == {"text": "psst"}
    assert list(seen[carol]["body"]) == ["sealed"]
    assert seen[carol] | {"body": 0} == seen[bob] | {"body": 0}


@pytest.mark.parametrize("kind", ["bot", "system", "control", "System", "a b", "", "x\n", "é"])
async def test_a_player_cannot_speak_as_somebody_else(house: House, kind: str) -> None:
    pair = await house.pair()
    said = await house.rest(pair.bob, "post_message", channel_id=pair.id, body="x", kind=kind)
    assert (said.status, said.refused) == (400, "BAD_MESSAGE")


@pytest.mark.parametrize("to", [[], ["nobody"], ["alice", "bot:none"], ["all"]])
async def test_who_is_addressed_must_be_here(house: House, to: list[str]) -> None:
    pair = await house.pair()
    said = await house.rest(pair.bob, "post_message", channel_id=pair.id, body="x", to=to)
    assert said.refused == "BAD_MESSAGE"


async def test_a_live_code_or_token_is_not_posted(house: House) -> None:
    pair = await house.pair()
    for secret in (pair.joined["rejoin_token"], f"see {pair.joined['rejoin_token']} there"):
        said = await house.rest(pair.bob, "post_message", channel_id=pair.id, body=secret)
        assert said.refused == "BAD_MESSAGE"
        assert pair.joined["rejoin_token"] not in str(said.data)


async def test_a_wait_ends_with_ones_turn(house: House) -> None:
    pair = await house.pair(bot_preset="GuessBot", bot_params=BIG)
    cursor = pair.joined["cursor"]
    waiting = asyncio.create_task(
        house.rest(
            pair.bob,
            "sync_messages",
            channel_id=pair.id,
            cursor=cursor,
            until="my_turn",
            timeout_ms=30_000,
        )
    )
    await post(house, pair.alice, pair, "hello")
    await post(house, pair.alice, pair, "guess 1")
    said = await waiting
    assert said.data["view"]["turn"]["yours"]
    assert [m["sender"] for m in said.data["messages"]][:2] == ["alice", "alice"]


async def test_a_post_that_waits_returns_with_the_others_move(house: House) -> None:
    pair = await house.pair(bot_preset="GuessBot", bot_params=BIG)
    moving = asyncio.create_task(
        post(house, pair.alice, pair, "guess 1", cursor=pair.joined["cursor"], wait_ms=30_000)
    )
    turn = await house.rest(
        pair.bob,
        "sync_messages",
        channel_id=pair.id,
        cursor=pair.joined["cursor"],
        until="my_turn",
        timeout_ms=30_000,
    )
    assert turn.data["view"]["turn"]["yours"]
    await post(house, pair.bob, pair, "concede")
    said = await moving
    assert said["view"]["status"] == "ended"
    assert said["messages"][-1]["body"]["type"] == "ended"


async def test_a_poll_without_waiting_returns_at_once_with_nothing(house: House) -> None:
    pair = await house.pair()
    cursor = pair.joined["cursor"]
    said = await house.rest(
        pair.bob, "sync_messages", channel_id=pair.id, cursor=cursor, timeout_ms=0
    )
    del said.data["next"]
    assert said.data == {"messages": [], "cursor": cursor, "more": False}


async def test_pages_in_a_row_give_every_message_once(house: House) -> None:
    pair = await house.pair()
    for number in range(10):
        await post(house, pair.alice, pair, {"n": number})
    found, cursor, more = list[int](), 0, True
    while more:
        said = await house.rest(
            pair.bob, "sync_messages", channel_id=pair.id, cursor=cursor, limit=3, timeout_ms=0
        )
        found += [message["id"] for message in said.data["messages"]]
        cursor, more = said.data["cursor"], said.data["more"]
    assert found == list(range(1, cursor + 1))


async def test_a_page_weighs_no_more_than_64_kib(house: House) -> None:
    pair = await house.pair()
    for _ in range(6):
        await post(house, pair.alice, pair, "x" * 15_000)
    said = await house.rest(pair.bob, "sync_messages", channel_id=pair.id, cursor=0, limit=500)
    assert said.data["more"]
    assert sum(len(str(m["body"])) for m in said.data["messages"]) < 64 << 10


@pytest.mark.parametrize("cursor", [-1, 10_000])
async def test_a_cursor_of_another_room_is_refused(house: House, cursor: int) -> None:
    pair = await house.pair()
    said = await house.rest(pair.bob, "sync_messages", channel_id=pair.id, cursor=cursor)
    assert said.refused == "INVALID_REQUEST"


async def test_ones_rooms_are_listed_with_what_waits_in_them(house: House) -> None:
    pair = await house.pair(bot_preset="GuessBot", bot_params=BIG, name="Duel")
    await post(house, pair.alice, pair, "guess 1")
    for who, seats, yours in ((pair.alice, ["alice"], False), (pair.bob, ["bob"], True)):
        (item,) = (await house.rest(who, "list_channels")).data["channels"]
        assert item | {"unread": 0, "cursor": 0} == {
            "channel_id": pair.id,
            "name": "Duel",
            "status": "playing",
            "seats": seats,
            "your_turn": yours,
            "to_open": False,
            "deadline": None,
            "unread": 0,
            "cursor": 0,
        }
    assert item["unread"] > 0


async def test_rooms_are_listed_in_pages_and_closed_ones_for_who_asks(house: House) -> None:
    host = house.account()
    made = [(await house.room(host, join_as="alice"))["channel_id"] for _ in range(4)]
    ops = [{"op": "close"}]
    await house.rest(host, "update_channel", channel_id=made[0], ops=ops)
    first = await house.tool(host, "list_channels", limit=2)
    again = f'list_channels(cursor="{first.data["cursor"]}")'
    assert first.lines[0] == f"2 rooms, newest first. Older ones: {again}"
    rest = await house.rest(host, "list_channels", limit=2, cursor=first.data["cursor"])
    listed = [item["channel_id"] for item in first.data["channels"] + rest.data["channels"]]
    assert (sorted(listed), rest.data["more"]) == (sorted(made[1:]), False)
    closed = await house.rest(host, "list_channels", closed="true")
    assert [(r["channel_id"], r["status"]) for r in closed.data["channels"]] == [
        (made[0], "closed")
    ]


async def test_nobody_is_listed_anothers_rooms(house: House) -> None:
    await house.pair()
    assert (await house.rest(house.account(), "list_channels")).data["channels"] == []
