"""What tests of the proxy share: a proxy in memory, a little server behind it, a sign-in."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_multiplayer.config import Settings
from mcp_multiplayer.edge.auth.client_documents import Fetch, Page, Unreachable
from mcp_multiplayer.edge.auth.passcode import Guesses
from mcp_multiplayer.edge.proxy.app import Proxy
from mcp_multiplayer.oauth_proxy import create_app

BASE = "http://localhost:8100"
VERIFIER = "v" * 64
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
)
LOOPBACK_URI = "http://127.0.0.1/callback"
WEB_URI = "https://client.example/cb"


@dataclass
class Clock:
    """Time that moves when told to."""

    at: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.at


@dataclass
class Lab:
    """A proxy in memory and a browserless client for it."""

    settings: Settings
    app: Proxy
    http: httpx.AsyncClient
    clock: Clock

    def browser(self, base: str = BASE) -> httpx.AsyncClient:
        """Return a client with a cookie jar of its own."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=base)

    async def register(self, **wish: Any) -> dict[str, Any]:
        body = {
            "client_name": "Test app",
            "redirect_uris": [LOOPBACK_URI],
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "none",
        } | wish
        answer = await self.http.post("/register", json=body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def sign_in(
        self, client: dict[str, Any], browser: httpx.AsyncClient | None = None, **wish: str
    ) -> dict[str, Any]:
        """Go through a click-less sign-in and return the tokens."""
        answer = await (browser or self.http).get(wish_for(client, **wish))
        assert answer.status_code == 302, answer.text
        token = await self.redeem(client, returned(answer)["code"])
        assert token.status_code == 200, token.text
        return dict(token.json())

    async def redeem(self, client: dict[str, Any], code: str, **changed: str) -> httpx.Response:
        form = {
            "grant_type": "authorization_code",
            "client_id": client["client_id"],
            "code": code,
            "redirect_uri": client["redirect_uris"][0],
            "code_verifier": VERIFIER,
        } | changed
        return await self.http.post("/token", data={k: v for k, v in form.items() if v})

    async def refresh(self, client: dict[str, Any], token: str, **changed: str) -> httpx.Response:
        form = {
            "grant_type": "refresh_token",
            "client_id": client["client_id"],
            "refresh_token": token,
        }
        return await self.http.post("/token", data=form | changed)

    async def call(self, token: str, path: str = "/mcp", **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} | more.pop("headers", {})
        return await self.http.post(path, headers=headers, **more)


def wish_for(client: dict[str, Any], **changed: str) -> str:
    """Return the address a client sends a browser to; an empty value leaves a parameter out."""
    wish = {
        "response_type": "code",
        "client_id": client["client_id"],
        "redirect_uri": client["redirect_uris"][0],
        "state": "st4te",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    } | changed
    return "/oauth/authorize?" + urlencode({k: v for k, v in wish.items() if v})


def returned(answer: httpx.Response) -> dict[str, str]:
    """Return the parameters of a redirect back to the client."""
    query = urlsplit(answer.headers["location"]).query
    return {name: values[0] for name, values in parse_qs(query).items()}


def fields(page: str) -> dict[str, str]:
    """Return the hidden fields of a page's form."""
    from html import unescape

    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page)
    return {name: unescape(value) for name, value in found}


def choices(page: str) -> list[str]:
    """Return what the buttons of a page would choose."""
    return re.findall(r'<button name="choice" value="([^"]*)"', page)


def settings_for(data: Path, **values: Any) -> Settings:
    return Settings(_env_file=None, data_dir=data, **values)  # type: ignore[call-arg]


async def nothing_there(address: str) -> Page:
    """The internet of a machine without one."""
    raise Unreachable("no way there")


@asynccontextmanager
async def lab(
    data: Path,
    *,
    clock: Clock | None = None,
    base: str = BASE,
    fetch: Fetch = nothing_there,
    **values: Any,
) -> AsyncIterator[Lab]:
    """Run a proxy in memory on ``data``; ``values`` are settings, ``fetch`` is its internet."""
    clock = clock or Clock()
    settings = settings_for(data, **values)
    app = create_app(settings, now=clock, guesses=Guesses(now=clock), fetch=fetch)
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base)
    async with app, http:
        yield Lab(settings, app, http, clock)


class _Server(uvicorn.Server):
    def capture_signals(self) -> Any:  # pytest keeps its own
        return nullcontext()


@asynccontextmanager
async def serving(app: ASGIApp, *, port: int = 0, http: Any = "auto") -> AsyncIterator[int]:
    """Serve ``app`` on a real socket and give its port."""
    bound = socket.socket(proto=socket.IPPROTO_TCP)  # else asyncio leaves Nagle on: 40 ms a call
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    bound.listen()
    server = _Server(
        uvicorn.Config(
            app,
            http=http,
            log_config=None,
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=1,
        )
    )
    task = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        yield int(bound.getsockname()[1])
    finally:
        server.should_exit = True
        await task
        bound.close()


@dataclass
class Upstream:
    """A server that tells what it got, streams, and notices when a caller leaves; `?do=` says
    which."""

    seen: list[dict[str, Any]] = field(default_factory=list)
    more: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path = scope["path"]
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.seen.append(
            {
                "method": scope["method"],
                "path": path,
                "query": scope["query_string"].decode(),
                "headers": {k.decode(): v.decode("latin-1") for k, v in scope["headers"]},
                "body": body.decode("latin-1"),
            }
        )
        wanted = self.seen[-1]["query"].removeprefix("do=")
        if wanted == "hang":
            await self._hang(receive)
        elif wanted == "sse":
            await self._stream(send)
        else:
            await self._echo(wanted, send)

    async def _hang(self, receive: Receive) -> None:
        self.waiting.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        self.left.set()

    async def _stream(self, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream"), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b": ping\n\n", "more_body": True})
        await self.more.wait()
        await send({"type": "http.response.body", "body": b"data: 2\n\n"})

    async def _echo(self, wanted: str, send: Send) -> None:
        status = {"refuse": 400, "unsigned": 401, "gone": 404}.get(wanted, 200)
        body = json.dumps(self.seen[-1]).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"mcp-session-id", b"inner"),
            (b"set-cookie", b"inner=1"),
            (b"mpx-caller", b"inner"),
            (b"x-kept", b"yes"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
