"""What a tool call looks like in both protocol eras, and one session that makes them.

`check` compares with the real client: what is measured is the protocol, not our idea of it.
"""

from __future__ import annotations

import json
from typing import Any, Literal, get_args

from benchmarks.wire import Connection, Reply, request
from mcp_multiplayer.edge.api.mcp_call import STRUCTURED

Era = Literal["legacy", "modern"]
ERAS: tuple[Era, ...] = get_args(Era)

VERSIONS: dict[Era, str] = {"legacy": "2025-11-25", "modern": "2026-07-28"}
_CLIENT = {"name": "benchmark", "version": "1"}
#: What every request of the modern era brings along instead of a handshake.
_META = {
    "io.modelcontextprotocol/protocolVersion": VERSIONS["modern"],
    "io.modelcontextprotocol/clientInfo": _CLIENT,
    "io.modelcontextprotocol/clientCapabilities": {},
}
Json = dict[str, Any]
#: Asks our server for the JSON of an answer beside its text.
JSON_TOO: Json = {STRUCTURED: True}


class Refused(Exception):
    """The server answered, but not with a result."""


class Session:
    """One client of one server, with a connection of its own."""

    def __init__(self, connection: Connection, port: int, era: Era, token: str) -> None:
        self._connection = connection
        self._port = port
        self._era = era
        self._number = 0
        self._headers = {
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
            "MCP-Protocol-Version": VERSIONS[era],
        }
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    @classmethod
    async def open(cls, port: int, era: Era, token: str = "") -> Session:
        """Connect, and shake hands where the era does."""
        session = cls(await Connection.open(port), port, era, token)
        if era == "legacy":
            await session._initialize()
        return session

    async def _initialize(self) -> None:
        wish = {
            "protocolVersion": VERSIONS["legacy"],
            "capabilities": {},
            "clientInfo": _CLIENT,
        }
        reply = await self._send(self._envelope("initialize", wish), {})
        result_of(reply)
        # A server that keeps sessions says which; ours keeps none.
        if b"mcp-session-id" in reply.headers:
            self._headers["Mcp-Session-Id"] = reply.headers[b"mcp-session-id"].decode()
        done = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        await self._send(json.dumps(done).encode(), {})

    async def call(self, tool: str, arguments: Json, meta: Json | None = None) -> Json:
        """Call a tool and return its result, or raise `Refused`."""
        params: Json = {"name": tool, "arguments": arguments, "_meta": meta or {}}
        extra: dict[str, str] = {}
        if self._era == "modern":
            params["_meta"] = _META | params["_meta"]
            extra = {"Mcp-Method": "tools/call", "Mcp-Name": tool}
        result = result_of(await self._send(self._envelope("tools/call", params), extra))
        if result.get("isError"):
            raise Refused(result["content"][0]["text"])
        return result

    async def data(self, tool: str, arguments: Json) -> Json:
        """Call a tool of ours and return the facts of its answer."""
        found: Json = (await self.call(tool, arguments, JSON_TOO))["structuredContent"]
        return found

    def close(self) -> None:
        self._connection.close()

    def _envelope(self, method: str, params: Json) -> bytes:
        self._number += 1
        asked = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}
        return json.dumps(asked, separators=(",", ":")).encode()

    async def _send(self, body: bytes, extra: dict[str, str]) -> Reply:
        headers = self._headers | extra
        if self._connection.closed:  # uvicorn closes what is idle for 5 s by default
            self._connection = await Connection.open(self._port)
        return await self._connection.exchange(request("POST", "/mcp", self._port, headers, body))


def result_of(reply: Reply) -> Json:
    """Read the one JSON-RPC answer of a reply, plain or framed as an event."""
    body = reply.body
    if reply.headers.get(b"content-type", b"").startswith(b"text/event-stream"):
        body = next(line[5:] for line in body.splitlines() if line.startswith(b"data:"))
    if reply.status != 200:
        raise Refused(f"{reply.status}: {body[:300]!r}")
    answer = json.loads(body)
    if "result" not in answer:
        raise Refused(str(answer.get("error")))
    result: Json = answer["result"]
    return result
