"""The server as the proxy meets it: real rooms, real sandbox, a real port, signed callers."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import httpx
import httpx2
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport
from mcp_types import TextContent

from mcp_multiplayer.edge import identity
from mcp_multiplayer.edge.api.app import Face
from mcp_multiplayer.edge.api.operations.table import TABLE
from mcp_multiplayer.edge.identity import Caller, Signer
from mcp_multiplayer.multiplayer_server import running
from mcp_multiplayer.service import key_files
from tests.edge.harness import serving, settings_for
from tests.players import ASKS_JSON

Mode: TypeAlias = Literal["legacy", "auto"]
MODES: tuple[Mode, ...] = ("legacy", "auto")
PUBLIC = "http://localhost:8100"
METHODS = {entry.name: entry.method for entry in TABLE}


@dataclass(frozen=True)
class Said:
    """What an operation answered, whichever way it was asked."""

    data: dict[str, Any]
    text: str = ""
    status: int = 200
    headers: Any = None

    @property
    def refused(self) -> str:
        """The code of a refusal, or nothing."""
        return str(self.data.get("error", ""))

    @property
    def lines(self) -> list[str]:
        return self.text.split("\n")


class Signed(httpx2.Auth):
    """Signs each request as the proxy does: a statement that is signed once lives a minute, and a
    game on a busy machine lasts longer."""

    def __init__(self, house: House, account: str) -> None:
        self._house = house
        self._account = account

    def auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        request.headers.update(self._house.statement(self._account))
        yield request


@dataclass
class House:
    """A running server and the accounts of one test file."""

    url: str
    signer: Signer
    http: httpx.AsyncClient
    keys: Path
    numbers: Any
    face: Face
    born: dict[str, int] = field(default_factory=dict)  #: when accounts were made, as far as told

    def account(self) -> str:
        """Somebody nobody has met."""
        return f"acct-{next(self.numbers)}"

    def statement(self, account: str) -> dict[str, str]:
        born = self.born.get(account, 0)
        return {identity.HEADER: self.signer.sign(Caller(account, PUBLIC, born=born))}

    async def rest(self, account: str, name: str, /, **arguments: Any) -> Said:
        """Ask by HTTP: JSON for POST, the query for GET."""
        how: dict[str, Any] = {"params" if METHODS[name] == "GET" else "json": arguments}
        answer = await self.http.request(
            METHODS[name], f"/{name}", headers=self.statement(account), **how
        )
        return Said(answer.json(), "", answer.status_code, answer.headers)

    async def tool(self, account: str, name: str, /, **arguments: Any) -> Said:
        """Ask by one bare JSON-RPC request, as the older era allows."""
        request = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": name, "arguments": arguments, "_meta": ASKS_JSON},
        }
        headers = self.statement(account) | {
            "Accept": "application/json, text/event-stream",
            "Mcp-Protocol-Version": "2025-11-25",
        }
        answer = await self.http.post("/mcp", json=request, headers=headers)
        result = answer.json()["result"]
        assert bool(result.get("isError")) == ("error" in result["structuredContent"])
        return Said(result["structuredContent"], result["content"][0]["text"])

    def client(self, account: str, mode: Mode) -> Client[Any]:
        """A real client of either era, not yet connected."""
        transport = StreamableHttpTransport(f"{self.url}/mcp", auth=Signed(self, account))
        return Client(transport, mode=mode)

    async def room(self, host: str, **arguments: Any) -> dict[str, Any]:
        """A room that was opened."""
        said = await self.rest(host, "create_channel", **arguments)
        assert said.status == 200, said.data
        return said.data

    async def pair(self, **arguments: Any) -> Pair:
        """A room of alice and bob, both seated; without arguments there is no referee."""
        host, guest = self.account(), self.account()
        room = await self.room(host, join_as="alice", **arguments)
        joined = await self.rest(guest, "join_channel", invite_code=room["invites"][0])
        assert joined.status == 200, joined.data
        return Pair(room["channel_id"], host, guest, room, joined.data)


@dataclass(frozen=True)
class Pair:
    """Two players of one room and what opening and joining answered."""

    id: str
    alice: str
    bob: str
    opened: dict[str, Any]
    joined: dict[str, Any]


async def via_client(client: Client[Any], name: str, /, **arguments: Any) -> Said:
    result = await client.call_tool(name, arguments, raise_on_error=False, meta=ASKS_JSON)
    data = result.structured_content or {}
    assert result.is_error == ("error" in data)
    said = result.content[0]
    assert isinstance(said, TextContent)
    return Said(data, said.text)


@asynccontextmanager
async def open_house(data: Path, **settings: Any) -> AsyncIterator[House]:
    """Run a server on a free port; ``settings`` are settings, the store is in memory."""
    wanted = settings_for(data, **{"database_url": "memory://", "rate_limit": 0} | settings)
    async with running(wanted) as app, serving(app) as port:
        url = f"http://127.0.0.1:{port}"
        signer = Signer(key_files.load(wanted.keys_dir, "caller"))
        async with httpx.AsyncClient(base_url=url, timeout=60) as http:
            yield House(url, signer, http, wanted.keys_dir, itertools.count(1), app)
