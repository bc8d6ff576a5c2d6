"""A tool call has two ways through the server in each era; nobody can tell which it took.

With no version to be short for, all go the library's way.
"""

from __future__ import annotations

import json
from typing import Any
from unittest import mock

import httpx
import pytest
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from mcp_multiplayer.edge.api import mcp_call
from tests.edge.api.house import House
from tests.players import ASKS_JSON

pytestmark = pytest.mark.asyncio(loop_scope="module")

Json = dict[str, Any]

MODERN = "2026-07-28"
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


def request(name: str, arguments: Any = None, **params: Any) -> Json:
    params = {"name": name, **({} if arguments is None else {"arguments": arguments}), **params}
    return {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}


async def asked(house: House, account: str, content: bytes, **headers: str) -> httpx.Response:
    return await house.http.post(
        "/mcp",
        content=content,
        headers=house.statement(account)
        | {
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
            "Mcp-Protocol-Version": "2025-11-25",
        }
        | headers,
    )


def modern(body: Any) -> tuple[Any, dict[str, str]]:
    """The same call as the era without a handshake has it, and its headers."""
    params = body.get("params") if isinstance(body, dict) else None
    if not isinstance(params, dict):
        return body, {"Mcp-Protocol-Version": MODERN, "Mcp-Method": "tools/call"}
    meta = params.get("_meta", {})
    if isinstance(meta, dict):
        params = params | {"_meta": ENVELOPE | meta}
    said = {"Mcp-Method": str(body.get("method")), "Mcp-Name": str(params.get("name"))}
    return body | {"params": params}, {"Mcp-Protocol-Version": MODERN} | said


async def both_ways(house: House, content: bytes, **headers: str) -> list[httpx.Response]:
    account = house.account()
    answers = [await asked(house, account, content, **headers)]
    with mock.patch.object(mcp_call, "VERSIONS", frozenset()):
        answers.append(await asked(house, account, content, **headers))
    return answers


def plain(answer: httpx.Response) -> tuple[int, str | None, Any]:
    kind = answer.headers.get("content-type")
    return answer.status_code, kind, json.loads(answer.text or "null")


BOARD = {
    "bot_preset": "TicTacToeBot",
    "events": [{"join": "alice"}, {"join": "bob"}, {"say": "5", "as": "alice"}],
}

ALIKE: list[Any] = [
    request("help"),
    request("help", {}),
    request("help", {"topic": "play"}, _meta={"progressToken": 1}),
    request("help", {"topic": "play"}, _meta={"progressToken": "one"}),
    request("help", {"topic": "play"}, _meta=ASKS_JSON),
    request("help", {"topic": "play"}, _meta={next(iter(ASKS_JSON)): "yes"}),
    request("help", {"topic": "no such topic"}, _meta=ASKS_JSON),
    request("help", _meta={"claudecode/toolUseId": "toolu_1", "progressToken": 3}),
    request("try_bot", BOARD),
    request("help", {"topic": "no such topic"}),
    request("help", {"no_such_argument": 1}),
    request("no_such_tool", {}),
    request("list_bots") | {"id": "seven"},
    request("get_channel_info", {"channel_id": "chn_nope"}),
    request("post_message", {"channel_id": "chn_nope", "body": "ümläut\u2028\U0001f3b2"}),
    request("post_message", {"channel_id": "chn_nope", "body": {"n": 2**60}}),
]

#: What the short way may not answer.
LEFT_ALONE: list[Any] = [
    request("help") | {"jsonrpc": "1.0"},
    request("help") | {"id": None},
    request("help") | {"id": True},
    request("help") | {"id": 1.5},
    request("help") | {"method": "tools/list"},
    request("help") | {"method": "nothing"},
    request("help") | {"params": None},
    request("help") | {"params": []},
    request("help", []),
    request("help", "play"),
    request("help", _meta={"progressToken": {}}),
    request("help", _meta=[]),
    request("help", _meta={"io.modelcontextprotocol/related-task": {"taskId": "1"}}),
    request("help", _meta={"io.modelcontextprotocol/clientInfo": {"name": 1}}),
    request("help", _meta={"io.modelcontextprotocol/clientCapabilities": []}),
    request("help", _meta={"io.modelcontextprotocol/protocolVersion": "2025-11-25"}),
    request("help", _meta={"io.modelcontextprotocol/logLevel": "debug"}),
    request("help", requestState="x"),
    request("help", inputResponses={}),
    request("help", task={}),
    {**request("help"), "params": {"name": "help", "arguments": None}},
    {"jsonrpc": "2.0", "id": 1, "method": "tools/call"},
    {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"arguments": {}}},
    {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": 1}},
    [request("help")],
    "help",
    None,
]


@pytest.mark.parametrize("body", ALIKE + LEFT_ALONE, ids=lambda body: json.dumps(body)[:80])
async def test_both_ways_answer_alike(house: House, body: Any) -> None:
    one, other = await both_ways(house, json.dumps(body).encode())
    assert plain(one) == plain(other)


@pytest.mark.parametrize("body", ALIKE + LEFT_ALONE, ids=lambda body: json.dumps(body)[:80])
async def test_both_ways_answer_alike_without_a_handshake(house: House, body: Any) -> None:
    body, headers = modern(body)
    one, other = await both_ways(house, json.dumps(body).encode(), **headers)
    assert plain(one) == plain(other)


@pytest.mark.parametrize("meta", [{}, ASKS_JSON, {"claudecode/toolUseId": "1"}])
@pytest.mark.parametrize("era", ["handshake", "modern"])
async def test_a_plain_call_needs_no_library(house: House, era: str, meta: Json) -> None:
    body: Any = request("help", {}, _meta=meta)
    body, headers = modern(body) if era == "modern" else (body, {})
    with mock.patch.object(StreamableHTTPSessionManager, "handle_request", side_effect=OSError):
        said = await asked(house, house.account(), json.dumps(body).encode(), **headers)
    assert said.json()["result"]["isError"] is False


@pytest.mark.parametrize(
    "headers",
    [
        {"Mcp-Method": "tools/list"},
        {"Mcp-Name": "list_bots"},
        {"Mcp-Name": "=?base64?aGVscA==?="},
        {"Mcp-Param-Topic": "play"},
        {"Mcp-Param-": "play"},
        {"Mcp-Protocol-Version": "2025-11-25"},
    ],
    ids=str,
)
async def test_headers_of_the_modern_era_decide_alike(
    house: House, headers: dict[str, str]
) -> None:
    body, told = modern(request("help", {"topic": "play"}))
    one, other = await both_ways(house, json.dumps(body).encode(), **(told | headers))
    assert plain(one) == plain(other)


async def test_a_routing_header_that_stands_twice_is_left_to_the_library(house: House) -> None:
    body, told = modern(request("help"))
    twice = [*told.items(), ("Mcp-Name", "help"), *house.statement(house.account()).items()]
    said = await house.http.post("/mcp", content=json.dumps(body).encode(), headers=twice)
    assert said.status_code == 400


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"help",'
        b'"arguments":{"topic":"\\ud800"}}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"help",'
        b'"arguments":{"topic":NaN}}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"help","name":"x"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"help",'
        b'"arguments":{"topic":"\\ud800","topic":"play"}}}',
        b"[" * 5000,
    ],
)
async def test_bytes_that_hardly_are_json_end_alike(house: House, content: bytes) -> None:
    one, other = await both_ways(house, content)
    assert plain(one) == plain(other)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('"\\ud83d"', "half of a surrogate pair"),
        ('{"\\ud83d": 9007199254740992}', "is too large a number"),
        ('{"a": ' + "[" * 250 + "]" * 250 + "}", "nested deeper than 32 levels"),
    ],
)
@pytest.mark.parametrize("version", ["2024-11-05", "2025-06-18", "2025-11-25"])
async def test_what_a_model_may_write_is_refused_in_our_words(
    house: House, version: str, body: str, words: str
) -> None:
    call = json.dumps(request("post_message", {"channel_id": "chn_nope", "body": "BODY"}))
    content = call.replace('"BODY"', body).encode()
    said = await asked(house, house.account(), content, **{"Mcp-Protocol-Version": version})
    result = said.json()["result"]
    assert (said.status_code, result["isError"]) == (200, True)
    assert result["content"][0]["text"].startswith("BAD_MESSAGE: ")
    assert words in result["content"][0]["text"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Accept": "text/event-stream"}, 406),
        ({"Accept": "text/html"}, 406),
        ({"Accept": "application/json"}, 200),
        ({"Mcp-Protocol-Version": "2025-06-18"}, 200),
        ({"Mcp-Protocol-Version": "1999-01-01"}, 400),
    ],
)
async def test_headers_decide_as_they_do_in_the_library(
    house: House, headers: dict[str, str], status: int
) -> None:
    one, other = await both_ways(house, json.dumps(request("help")).encode(), **headers)
    assert (one.status_code, other.status_code) == (status, status)
    assert plain(one) == plain(other)


async def test_a_key_that_stands_twice_is_not_hidden_by_half_of_a_pair(house: House) -> None:
    call = json.dumps(request("help", {"topic": "FIRST"})).encode()
    content = call.replace(b'"FIRST"', b'"\\ud800", "topic": "play"')
    said = await asked(house, house.account(), content)
    assert "error" in said.json()


async def test_a_post_through_the_short_way_is_in_the_room(house: House) -> None:
    pair = await house.pair()
    asked_for = {"channel_id": pair.id, "body": "ümläut \u2028"}
    body = request("post_message", asked_for, _meta=ASKS_JSON)
    posted = await asked(house, pair.alice, json.dumps(body).encode())
    asking = {"channel_id": pair.id, "cursor": 0}
    heard = (await house.rest(pair.bob, "sync_messages", **asking)).data["messages"]
    said = posted.json()["result"]["structuredContent"]
    assert (heard[-1]["id"], heard[-1]["body"]) == (said["msg_id"], {"text": "ümläut \u2028"})
