"""One request has one meaning: over MCP, too, no key stands twice."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.edge.api.house import House

pytestmark = pytest.mark.asyncio(loop_scope="module")

ERAS = {
    "handshake, short": ("2025-11-25", "application/json", ""),
    "handshake, long": ("2025-11-25", "application/json; charset=utf-8", ""),
    "modern": (
        "2026-07-28",
        "application/json",
        ',"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",'
        '"io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},'
        '"io.modelcontextprotocol/clientCapabilities":{}}',
    ),
}


async def ask(house: House, era: str, arguments: str, pieces: int = 1) -> httpx.Response:
    """Call help with these arguments as bytes, in so many pieces."""
    version, kind, meta = ERAS[era]
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
        "Content-Type": kind,
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


async def test_what_is_no_json_is_left_to_the_library(house: House) -> None:
    said = await ask(house, "handshake, short", '{"a":1,"a":1')
    assert (said.status_code, said.json()["error"]["code"]) == (400, -32700)


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
