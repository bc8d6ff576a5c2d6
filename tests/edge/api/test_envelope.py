"""One request is one message of one meaning, in both eras, or is told what it is instead."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from mcp_multiplayer.edge.api.envelope import Envelope
from tests.edge.api.house import House

pytestmark = pytest.mark.asyncio(loop_scope="module")

Json = dict[str, Any]
VERSIONS = ("2025-03-26", "2025-11-25", "2026-07-28")
ERAS = {
    "handshake, short": ("2025-11-25", ""),
    "handshake, long": ("2025-11-25", ',"_meta":{"x":1}'),
    "modern": (
        "2026-07-28",
        ',"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",'
        '"io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},'
        '"io.modelcontextprotocol/clientCapabilities":{}}',
    ),
}


async def test_a_message_whose_sender_is_gone_before_its_end_calls_nothing() -> None:
    """What came happens to be a whole message."""
    came = iter(
        [
            {"type": "http.request", "body": b'{"jsonrpc":"2.0","id":1,', "more_body": True},
            {"type": "http.request", "body": b'"method":"ping"}', "more_body": True},
            {"type": "http.disconnect"},
        ]
    )
    called: list[Any] = []

    async def mcp(*parts: Any) -> None:
        called.append(parts)

    async def receive() -> Any:
        return next(came)

    async def send(message: Any) -> None:
        called.append(message)

    headers = [(b"content-type", b"application/json"), (b"accept", b"*/*")]
    scope = {"type": "http", "method": "POST", "path": "/mcp", "headers": headers}
    await Envelope(mcp)(scope, receive, send)
    assert not called


async def ask(house: House, era: str, arguments: str, pieces: int = 1) -> httpx.Response:
    """Call help with these arguments as bytes, in so many pieces."""
    version, meta = ERAS[era]
    body = (
        '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"help","arguments":'
        f"{arguments}{meta}}}}}"
    ).encode()
    size = -(-len(body) // pieces)

    async def parts() -> AsyncIterator[bytes]:
        for start in range(0, len(body), size):
            yield body[start : start + size]

    headers = house.statement(house.account()) | {
        "Accept": "application/json, text/event-stream",
        "Content-Type": "application/json",
        "Mcp-Protocol-Version": version,
        "Mcp-Method": "tools/call",
        "Mcp-Name": "help",
    }
    content = body if pieces == 1 else parts()
    return await house.http.post("/mcp", content=content, headers=headers)


@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize(
    "arguments",
    [
        '{"topic":"play","topic":"host"}',
        '{"topic":"play","t\\u006fpic":"host"}',
        '{"topic":[{"a":1,"a":1}]}',
    ],
)
@pytest.mark.parametrize("era", ERAS)
async def test_two_equal_keys_are_refused_wherever_they_stand(
    house: House, era: str, arguments: str, pieces: int
) -> None:
    said = await ask(house, era, arguments, pieces)
    assert said.status_code == 400
    assert said.json()["id"] == 7
    assert said.json()["error"]["data"]["error"] == "BAD_MESSAGE"
    assert "stands twice in one object" in said.json()["error"]["message"]


async def test_what_is_no_json_further_on_is_no_json(house: House) -> None:
    said = await ask(house, "handshake, short", '{"a":1,"a":1')
    assert (said.status_code, said.json()["error"]["code"]) == (400, -32700)


PLAIN: Json = {"jsonrpc": "2.0", "id": 7, "method": "tools/list"}
MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


async def send(house: House, version: str, content: bytes, **headers: str | None) -> httpx.Response:
    """POST these bytes; a header that is None is not there at all."""
    request = house.http.build_request("POST", "/mcp", content=content)
    for name in ("accept", "content-type"):
        request.headers.pop(name, None)
    said = house.statement(house.account()) | {
        "accept": "application/json, text/event-stream",
        "content-type": "application/json",
        "mcp-protocol-version": version,
        "mcp-method": "tools/list",
    }
    wanted = said | {name.replace("_", "-"): value for name, value in headers.items()}
    request.headers.update({name: value for name, value in wanted.items() if value is not None})
    return await house.http.send(request)


def bytes_of(body: Any, version: str) -> bytes:
    """The message, with what each one of the modern era carries."""
    if version == "2026-07-28" and isinstance(body, dict) and "params" not in body:
        body = body | {"params": {"_meta": MODERN}}
    return json.dumps(body).encode()


NO_IDS: list[Any] = [None, True, 1.5, 1.0, [], {}, 1 << 70, "\ud800"]
WRONG: list[tuple[Any, int, int | None]] = [
    *((PLAIN | {"id": wrong}, -32600, None) for wrong in NO_IDS),
    ([PLAIN], -32600, None),
    ([], -32600, None),
    ("tools/list", -32600, None),
    (None, -32600, None),
    (PLAIN | {"jsonrpc": "1.0"}, -32600, 7),
    (PLAIN | {"jsonrpc": 2.0}, -32600, 7),
    ({"id": 7, "method": "tools/list"}, -32600, 7),
    (PLAIN | {"method": 5}, -32600, 7),
    ({"jsonrpc": "2.0", "id": 7}, -32600, 7),
    (PLAIN | {"params": "x"}, -32600, 7),
    (PLAIN | {"params": 0}, -32600, 7),
    (PLAIN | {"params": []}, -32602, 7),
    (PLAIN | {"params": {"cursor": "\ud800"}}, -32700, 7),
    ({"jsonrpc": "2.0", "id": 7, "result": {}}, -32600, None),
    ({"jsonrpc": "2.0", "id": None, "error": {"code": 1, "message": "x"}}, -32600, None),
]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("body", "code", "id"), WRONG, ids=lambda value: json.dumps(value)[:70])
async def test_what_is_no_message_is_refused_by_the_code_of_json_rpc(
    house: House, version: str, body: Any, code: int, id: int | None
) -> None:
    said = await send(house, version, bytes_of(body, version))
    assert said.status_code == 400
    assert said.json() == {"jsonrpc": "2.0", "id": id, "error": said.json()["error"]}
    assert said.json()["error"]["code"] == code
    assert set(said.json()["error"]["data"]) == {"error", "message", "hint"}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff", b'\xef\xbb\xbf{"id":7}', json.dumps(PLAIN).encode("utf-16"), b"[" * 5000],
    ids=range(6),
)
async def test_bytes_that_are_no_json_are_a_parse_error(
    house: House, version: str, content: bytes
) -> None:
    said = await send(house, version, content)
    assert (said.status_code, said.json()["error"]["code"]) == (400, -32700)
    assert "id" in said.json() and said.json()["id"] is None


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("id", [0, -1, 2**53, 2**63, "", "seven", "\U0001f3b2"])
async def test_an_id_comes_back_as_it_was(house: House, version: str, id: Any) -> None:
    said = await send(house, version, bytes_of(PLAIN | {"id": id}, version))
    assert said.status_code == 200
    assert said.json()["id"] == id and type(said.json()["id"]) is type(id)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_message_without_an_id_is_a_notification_and_calls_nothing(
    house: House, version: str
) -> None:
    account = house.account()
    body: Json = {
        "jsonrpc": "2.0",
        "method": "tools/call",
        "params": {"name": "create_channel", "arguments": {}, "_meta": MODERN},
    }
    said = await send(
        house, version, json.dumps(body).encode(), **house.statement(account), mcp_method=None
    )
    assert (said.status_code, said.content) == (202, b"")
    assert not (await house.rest(account, "list_channels")).data["channels"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("accept", "status"),
    [
        (None, 200),
        ("", 200),
        ("*/*", 200),
        ("application/*", 200),
        ("Application/JSON", 200),
        ("application/json", 200),
        ("text/event-stream, */*;q=0.1", 200),
        ("text/html;q=0.9, application/json; q=0.5", 200),
        ("text/event-stream", 406),
        ("text/html", 406),
        ("application/json;q=0", 406),
        ("application/json;q=0.000, */*", 406),
    ],
)
async def test_no_accept_means_any_and_one_with_json_is_met(
    house: House, version: str, accept: str | None, status: int
) -> None:
    said = await send(house, version, bytes_of(PLAIN, version), accept=accept)
    assert said.status_code == status, said.text
    assert said.headers["content-type"] == "application/json"
    assert ("error" in said.json()) == (status != 200)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (None, 200),
        ("Application/JSON; charset=UTF-8", 200),
        ("application/json;charset=utf-8", 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/jsonp", 415),
    ],
)
async def test_json_is_json_in_whatever_case_and_with_a_charset(
    house: House, version: str, kind: str | None, status: int
) -> None:
    said = await send(house, version, bytes_of(PLAIN, version), content_type=kind)
    assert said.status_code == status, said.text
    assert ("error" in said.json()) == (status != 200)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "PUT", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("version", VERSIONS)
async def test_the_endpoint_is_only_posted_to_and_says_so(
    house: House, version: str, method: str
) -> None:
    headers = house.statement(house.account()) | {"Mcp-Protocol-Version": version}
    said = await house.http.request(method, "/mcp", headers=headers)
    assert (said.status_code, said.headers["allow"]) == (405, "POST")


async def test_many_keys_take_no_longer_than_they_are_many(house: House) -> None:
    many = ",".join(f'"k{n}":0' for n in range(60_000))
    said = await ask(house, "handshake, short", f'{{{many},"k59999":1}}')
    assert said.json()["error"]["data"]["message"].startswith("the key k59999 ")


@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize("era", ERAS)
async def test_whatever_has_one_meaning_is_answered_as_before(
    house: House, era: str, pieces: int
) -> None:
    said = await ask(house, era, '{"topic":"play"}', pieces)
    assert said.status_code == 200
    assert not said.json()["result"]["isError"], json.dumps(said.json())[:500]
