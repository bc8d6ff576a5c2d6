"""Arguments are checked before anything happens, and refused in our words."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from mcp_multiplayer.edge.api.dispatch import Dispatch
from mcp_multiplayer.edge.api.errors import Internal
from mcp_multiplayer.edge.api.operations.base import Status
from mcp_multiplayer.edge.api.operations.combined import Operations
from mcp_multiplayer.edge.identity import Caller
from tests.edge.api.house import House, open_house

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHANNEL = {"channel_id": "chn_any"}
POST = {**CHANNEL, "body": "x"}
SECRET = "rejoin_of_somebody_else"

#: Operation, arguments, and what the refusal says of them.
WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("post_message", CHANNEL, "post_message needs body"),
    ("post_message", POST | {"limit": 0}, "limit must be a whole number from 1 to 500"),
    ("post_message", POST | {"limit": 501}, "limit must be a whole number from 1 to 500"),
    ("post_message", POST | {"wait_ms": 45_001}, "wait_ms must be a whole number from 0 to 45000"),
    ("post_message", POST | {"wait_ms": "soon"}, "wait_ms must be a whole number from 0 to 45000"),
    ("post_message", POST | {"cursor": 1.5}, "cursor must be a whole number"),
    ("post_message", POST | {"cursor": True}, "cursor must be a whole number"),
    ("post_message", POST | {"cursor": {}}, "cursor must be a whole number"),
    ("post_message", POST | {"body": ["guess"]}, "body must be text or a JSON object"),
    ("post_message", POST | {"body": 42}, "body must be text or a JSON object"),
    ("post_message", POST | {"body": None}, "body must be text or a JSON object"),
    ("post_message", POST | {"channel_id": 7}, "channel_id must be text"),
    ("post_message", POST | {"to": "bob"}, "to must be a list, each item text"),
    ("post_message", POST | {"to": ["bob", 3]}, "to[1] must be text"),
    ("post_message", POST | {"idempotency_key": "k" * 201}, "text of at most 200 characters"),
    ("create_channel", {"slots": "bot:x"}, "slots must be a list, each item text"),
    ("create_channel", {"bots": ["GuessBot"]}, "bots[0] must be a JSON object"),
    ("create_channel", {"bot_params": [1]}, "bot_params must be a JSON object"),
    ("update_channel", {**CHANNEL, "ops": {"op": "close"}}, "ops must be a list"),
    ("create_channel", {"preset": "GuessBot"}, "create_channel has no argument 'preset'"),
    ("list_bots", {"all": True}, "list_bots has no argument 'all'; it takes none"),
]


@pytest.mark.parametrize(("name", "arguments", "words"), WRONG)
async def test_a_wrong_argument_is_named_with_what_would_fit(
    house: House, name: str, arguments: dict[str, Any], words: str
) -> None:
    said = await house.tool(house.account(), name, **arguments)
    assert said.refused == "INVALID_REQUEST"
    assert words in said.text


async def test_one_of_a_few_words_is_asked_for_by_naming_them(house: House) -> None:
    said = await house.rest(house.account(), "sync_messages", channel_id="chn_x", until="never")
    assert said.data["message"] == 'until must be "any" or "my_turn"'


@pytest.mark.parametrize("given", ["x", "1.5", "true", "", "1e3", "[1]"])
async def test_a_number_in_a_query_must_be_a_whole_one(house: House, given: str) -> None:
    pair = await house.pair()
    said = await house.rest(pair.bob, "sync_messages", channel_id=pair.id, cursor=given)
    assert (said.status, said.refused) == (400, "INVALID_REQUEST")
    assert "cursor must be a whole number" in said.data["message"]


async def test_an_argument_that_stands_twice_in_a_query_is_refused(house: House) -> None:
    pair = await house.pair()
    query = f"/who?channel_id={pair.id}&channel_id=chn_other"
    answer = await house.http.get(query, headers=house.statement(pair.bob))
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")


async def test_an_argument_left_out_by_sending_null_counts_as_left_out(house: House) -> None:
    pair = await house.pair()
    nothing = {"cursor": None, "to": None, "seat": None, "idempotency_key": None, "limit": None}
    said = await house.tool(pair.bob, "post_message", channel_id=pair.id, body="hello", **nothing)
    assert not said.refused


async def test_a_whole_number_may_come_as_text(house: House) -> None:
    pair = await house.pair()
    said = await house.tool(pair.bob, "post_message", channel_id=pair.id, body="x", cursor="2")
    assert not said.refused


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"{", b"\xff{}", b"nonsense"])
async def test_a_body_that_is_no_json_object_is_called_so(house: House, body: bytes) -> None:
    answer = await house.http.post(
        "/post_message", content=body, headers=house.statement(house.account())
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")
    assert answer.json()["message"] == "the body must be a JSON object"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"body": NaN}', "NaN is not a JSON number"),
        (b'{"body": {"n": 9007199254740992}}', "send it as a string"),
        (b'{"body": "a", "body": "b"}', "a key stands twice"),
        (b'{"body": ' + b'{"a":' * 40 + b"1" + b"}" * 41, "nested deeper"),
        (b'{"body": "\\ud800"}', "surrogate"),
        (b'{"body": {"\\ud800": 9007199254740992}}', "send it as a string"),
        (b'{"\\ud800": 1e400}', "is too large a number; send it as a string"),
        (b'{"body": {"n": ' + b"9" * 5000 + b"}}", "a number is too large; send it as a string"),
    ],
)
async def test_what_two_readers_could_read_differently_is_a_bad_message(
    house: House, body: bytes, words: str
) -> None:
    pair = await house.pair()
    whole = body.replace(b"{", b'{"channel_id": "%b", ' % pair.id.encode(), 1)
    answer = await house.http.post(
        "/post_message", content=whole, headers=house.statement(pair.bob)
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "BAD_MESSAGE")
    assert words in answer.json()["message"]


async def test_a_number_too_large_is_a_bad_message_over_mcp_too(house: House) -> None:
    pair = await house.pair()
    said = await house.tool(pair.bob, "post_message", channel_id=pair.id, body={"n": 2**53})
    assert said.refused == "BAD_MESSAGE"
    assert "send it as a string" in said.text


class Broken:
    """A manager that fails with something secret in its words."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(SECRET)


async def test_our_own_fault_shows_nothing_of_itself(caplog: pytest.LogCaptureFixture) -> None:
    broken: Any = Broken()
    dispatch = Dispatch(Operations(broken, broken, Status("0", {}, dict)), 0)
    with caplog.at_level(logging.CRITICAL), pytest.raises(Internal) as caught:
        await dispatch(dispatch.operations["list_channels"], Caller("acct", "http://x"), {})
    assert SECRET not in str(caught.value) + caught.value.hint
    assert caught.value.code == "INTERNAL_ERROR"


async def test_nothing_is_looked_up_for_a_call_that_cannot_be_meant() -> None:
    broken: Any = Broken()
    dispatch = Dispatch(Operations(broken, broken, Status("0", {}, dict)), 0)
    with pytest.raises(Exception, match="needs channel_id"):
        await dispatch(dispatch.operations["leave_channel"], Caller("acct", "http://x"), {})


async def test_who_calls_too_often_is_told_when_the_next_call_is_free(tmp_path: Path) -> None:
    async with open_house(tmp_path, rate_limit=1) as house:
        account = house.account()
        said = [await house.rest(account, "health_check") for _ in range(3)]
    assert [one.status for one in said] == [200, 200, 429]
    assert said[2].refused == "RATE_LIMITED"
    assert said[2].headers["Retry-After"] == "1"
