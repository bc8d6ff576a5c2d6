"""What the server declares, it serves; what it lacks is told by the code of the specification."""

from __future__ import annotations

from typing import Any

import pytest
from mcp.shared.exceptions import MCPError
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from tests.edge.api.house import MODES, House, Mode, via_client

pytestmark = pytest.mark.asyncio(loop_scope="module")

Json = dict[str, Any]
VERSION, CAPABILITIES = (
    f"io.modelcontextprotocol/{name}" for name in ("protocolVersion", "clientCapabilities")
)


async def ask(house: House, version: str, method: str, **params: Any) -> tuple[int, Json]:
    """One bare request of either era: the HTTP status and the response."""
    headers = house.statement(house.account()) | {"Mcp-Protocol-Version": version}
    if version not in HANDSHAKE_PROTOCOL_VERSIONS:
        params["_meta"] = {VERSION: version, CAPABILITIES: {}}
        headers["Mcp-Method"] = method
        if name := params.get("name", params.get("uri")):
            headers["Mcp-Name"] = name
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    answer = await house.http.post("/mcp", json=body, headers=headers)
    return answer.status_code, answer.json()


PLAY = {"type": "ref/prompt", "name": "play"}
NEVER = {"listChanged", "subscribe"}  #: promises of a message nobody asked for


@pytest.mark.parametrize("version", ["2025-03-26", "2025-11-25", "2026-07-28"])
async def test_nothing_is_declared_that_is_not_served(house: House, version: str) -> None:
    if version == "2026-07-28":
        _, said = await ask(house, version, "server/discover")
    else:
        told = {"protocolVersion": version, "capabilities": {}}
        client = {"name": "t", "version": "1"}
        _, said = await ask(house, version, "initialize", **told, clientInfo=client)
    declared = said["result"]["capabilities"]
    assert set(declared) == {"tools", "prompts", "resources"}
    assert not [name for one in declared.values() for name in NEVER if one.get(name)]


@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28"])
async def test_the_server_says_what_it_is_and_where_its_pages_and_its_mark_are(
    house: House, version: str
) -> None:
    if version == "2026-07-28":
        _, said = await ask(house, version, "server/discover")
        told = said["result"]["_meta"]["io.modelcontextprotocol/serverInfo"]
    else:
        wish = {"protocolVersion": version, "capabilities": {}}
        client = {"name": "t", "version": "1"}
        _, said = await ask(house, version, "initialize", **wish, clientInfo=client)
        told = said["result"]["serverInfo"]
    assert (told["name"], told["title"]) == ("MCP Multiplayer", "MCP Multiplayer")
    assert told["version"] and "referee" in told["description"]
    [mark] = told["icons"]
    assert mark["src"] == told["websiteUrl"] + "/favicon.svg"
    assert (mark["mimeType"], mark["sizes"]) == ("image/svg+xml", ["any"])


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("logging/setLevel", {"level": "info"}),
        ("completion/complete", {"ref": PLAY, "argument": {"name": "x", "value": ""}}),
        ("resources/subscribe", {"uri": "mpx://channel/chn_x"}),
        ("resources/unsubscribe", {"uri": "mpx://channel/chn_x"}),
        ("subscriptions/listen", {"notifications": {}}),
        ("tasks/list", {}),
        ("no/such/method", {}),
    ],
)
@pytest.mark.parametrize(("version", "status"), [("2025-11-25", 200), ("2026-07-28", 404)])
async def test_what_is_not_declared_is_no_method(
    house: House, version: str, status: int, method: str, params: Json
) -> None:
    got, said = await ask(house, version, method, **params)
    assert (got, said["error"]["code"], said["id"]) == (status, -32601, 1)


@pytest.mark.parametrize(("version", "status"), [("2025-11-25", 200), ("2026-07-28", 400)])
async def test_an_unknown_tool_is_an_error_of_the_protocol(
    house: House, version: str, status: int
) -> None:
    got, said = await ask(house, version, "tools/call", name="nope", arguments={})
    assert (got, said["error"]["code"]) == (status, -32602)
    assert said["error"]["data"]["error"] == "INVALID_REQUEST"
    assert "result" not in said


@pytest.mark.parametrize("mode", MODES)
async def test_a_client_reads_which_tool_there_is_not(house: House, mode: Mode) -> None:
    async with house.client(house.account(), mode) as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("nope", {})
        assert (await via_client(client, "help")).text
    assert caught.value.code == -32602
    assert "nope" in caught.value.message


@pytest.mark.parametrize("uri", ["mpx://channel/chn_x", "mpx://nothing", "https://example.com/x"])
@pytest.mark.parametrize(("version", "code"), [("2025-11-25", -32002), ("2026-07-28", -32602)])
async def test_a_missing_resource_has_the_code_of_its_era(
    house: House, version: str, code: int, uri: str
) -> None:
    _, said = await ask(house, version, "resources/read", uri=uri)
    assert said["error"]["code"] == code
    assert said["error"]["data"]["uri"] == uri


@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28"])
@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("prompts/get", {"name": "nope"}),
        ("prompts/get", {}),
        ("resources/read", {}),
        ("tools/call", {"arguments": {}}),
        ("tools/call", {"name": "help", "arguments": []}),
    ],
)
async def test_params_that_do_not_fit_are_invalid_params(
    house: House, version: str, method: str, params: Json
) -> None:
    _, said = await ask(house, version, method, **params)
    assert said["error"]["code"] in (-32602, -32020 if "name" not in params else -32602)


async def test_a_version_that_nobody_speaks_is_told_the_ones_there_are(house: House) -> None:
    status, said = await ask(house, "1999-01-01", "tools/list")
    assert (status, said["error"]["code"]) == (400, -32022)
    assert "2026-07-28" in said["error"]["data"]["supported"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Mcp-Method": "tools/list"},
        {"Mcp-Name": "list_bots"},
        {"Mcp-Protocol-Version": "2026-07-29"},
    ],
)
async def test_a_header_that_says_other_than_the_body_is_refused(
    house: House, headers: dict[str, str]
) -> None:
    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "help", "_meta": {VERSION: "2026-07-28", CAPABILITIES: {}}},
    }
    right = {"Mcp-Method": "tools/call", "Mcp-Name": "help", "Mcp-Protocol-Version": "2026-07-28"}
    signed = house.statement(house.account())
    answer = await house.http.post("/mcp", json=body, headers=signed | right | headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32020)


@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28"])
async def test_a_cancelled_request_that_nobody_knows_is_taken(house: House, version: str) -> None:
    body = {
        "jsonrpc": "2.0",
        "method": "notifications/cancelled",
        "params": {"requestId": 99, "reason": "x"},
    }
    headers = house.statement(house.account()) | {"Mcp-Protocol-Version": version}
    answer = await house.http.post("/mcp", json=body, headers=headers)
    assert (answer.status_code, answer.content) == (202, b"")


async def test_ping_is_answered_in_the_era_that_has_it(house: House) -> None:
    assert await ask(house, "2025-11-25", "ping") == (
        200,
        {"jsonrpc": "2.0", "id": 1, "result": {}},
    )
    status, said = await ask(house, "2026-07-28", "ping")
    assert (status, said["error"]["code"]) == (404, -32601)
