"""Lists and objects come as JSON text from many clients: taken for what they are, over MCP (both
ways through the server, both eras) and REST. A post's body that is text stays text."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.edge.api.house import MODES, House, Mode, via_client

pytestmark = pytest.mark.asyncio(loop_scope="module")

ECHO = "class Echo:\n    def on_message(self, msg):\n        self.ctx.post('bot', msg['body'])\n"
CHANNEL = {"channel_id": "chn_any"}

ROOM = {
    "slots": ["bot:guess", "invite:alice", "invite:bob:admin"],
    "bot_preset": "GuessBot",
    "bot_params": {"low": 1, "high": 9},
}
#: Operation and arguments; each list and object of them is sent as text.
TAKEN: list[tuple[str, dict[str, Any]]] = [
    ("create_channel", ROOM),
    ("create_channel", {"bots": [{"inline_code": ECHO, "params": {"a": [1]}}]}),
    ("try_bot", {"bot_code": ECHO, "params": {}, "events": [{"join": "alice"}]}),
]


def as_text(arguments: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in arguments.items()
    }


def told(name: str, data: dict[str, Any]) -> Any:
    """What does not differ between two calls."""
    if name == "try_bot":
        return data
    bots = [(bot["name"], bot["params"]) for bot in data["bots"]]
    return bots, [(slot["label"], slot["admin"]) for slot in data["view"]["slots"]]


@pytest.mark.parametrize(("name", "arguments"), TAKEN)
async def test_lists_and_objects_are_taken_as_json_text(
    house: House, name: str, arguments: dict[str, Any]
) -> None:
    plain = await house.rest(house.account(), name, **arguments)
    assert plain.status == 200, plain.data
    text = as_text(arguments)
    for ask in (house.rest, house.tool):
        said = await ask(house.account(), name, **text)
        assert told(name, said.data) == told(name, plain.data)


@pytest.mark.parametrize("mode", MODES)
async def test_real_clients_of_both_eras_may_send_json_text(house: House, mode: Mode) -> None:
    account = house.account()
    async with house.client(account, mode) as client:
        opened = await via_client(client, "create_channel", **as_text(ROOM), join_as="alice")
        assert not opened.refused, opened.text
        room = {"channel_id": opened.data["channel_id"]}
        posted = await via_client(
            client, "post_message", **room, body="hello", to='["bot:guess"]', cursor="0"
        )
        assert not posted.refused, posted.text
        ops = '[{"op": "start"}]'
        started = await via_client(client, "update_channel", **room, ops=ops)
        assert started.data["view"]["status"] == "playing"


async def test_objects_within_a_list_are_taken_as_json_text_too(house: House) -> None:
    host = house.account()
    bot = json.dumps({"inline_code": ECHO, "params": '{"a": 1}', "manifest": '{"seats": ["x"]}'})
    room = await house.room(host, bots=[bot])
    assert room["bots"][0]["params"] == {"a": 1}
    channel = {"channel_id": room["channel_id"]}
    op = {"op": "set_bot", "bot_id": "echo", "bot_code": ECHO, "params": '{"a": 2}'}
    said = await house.rest(host, "update_channel", **channel, ops=[json.dumps(op)])
    assert said.data["bots"][0]["params"] == {"a": 2}


async def test_a_body_that_is_json_text_stays_text(house: House) -> None:
    pair = await house.pair()
    for ask in (house.rest, house.tool):
        await ask(pair.alice, "post_message", channel_id=pair.id, body='{"type": "move"}')
    said = await house.rest(pair.bob, "sync_messages", channel_id=pair.id, cursor=0)
    bodies = [one["body"] for one in said.data["messages"] if one["sender"] == "alice"]
    assert bodies == [{"text": '{"type": "move"}'}] * 2


async def test_null_as_text_counts_as_left_out(house: House) -> None:
    pair = await house.pair()
    said = await house.rest(pair.bob, "post_message", channel_id=pair.id, body="x", to="null")
    assert said.status == 200
    shown = await house.rest(pair.alice, "sync_messages", channel_id=pair.id)
    assert "to" not in shown.data["messages"][-1]


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("create_channel", {"slots": "invite:alice"}, "slots must be a list"),
        ("create_channel", {"slots": '["invite:alice"'}, "slots must be a list"),
        ("create_channel", {"slots": '{"a": 1}'}, "slots must be a list"),
        ("create_channel", {"slots": "[1]"}, "slots[0] must be text"),
        ("create_channel", {"bots": '["GuessBot"]'}, "bots[0] must be a JSON object"),
        ("create_channel", {"bot_params": "[1]"}, "bot_params must be a JSON object"),
        ("create_channel", {"bot_params": '{"a": 1, "a": 2}'}, "a key stands twice"),
        ("create_channel", {"bot_params": '{"a": NaN}'}, "NaN is not a JSON number"),
        ("create_channel", {"bot_params": '{"a": 9007199254740992}'}, "send it as a string"),
        ("create_channel", {"bot_params": '{"a": "\\ud800"}'}, "surrogate"),
        ("create_channel", {"bot_params": '{"a":' * 40 + "1" + "}" * 40}, "nested deeper"),
        ("post_message", CHANNEL | {"body": "x", "to": "bob"}, "to must be a list"),
        ("post_message", CHANNEL | {"body": "x", "to": ""}, "to must be a list"),
        ("update_channel", CHANNEL | {"ops": "start"}, "ops must be a list"),
        ("update_channel", CHANNEL | {"ops": "null"}, "ops must be a list"),
        ("try_bot", {"bot_code": ECHO, "events": "join alice"}, "events must be a list"),
        ("attach_bot", CHANNEL | {"manifest": "seats"}, "manifest must be a JSON object"),
    ],
)
async def test_json_text_that_does_not_fit_is_refused_by_name_with_an_example(
    house: House, name: str, arguments: dict[str, Any], words: str
) -> None:
    argument = words.partition("[")[0].partition(" ")[0]
    if argument not in arguments:  # the words say what is wrong with the text
        argument = "bot_params"
    for ask in (house.rest, house.tool):
        said = await ask(house.account(), name, **arguments)
        assert said.refused == "INVALID_REQUEST"
        assert words in said.data["message"]
        assert said.data["message"].startswith(argument)
        assert f"For example {argument}=" in said.data["hint"]
