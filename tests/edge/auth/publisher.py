"""A host that publishes documents about clients, over real TLS, and a proxy that fetches them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey, Key

from mcp_multiplayer.edge.auth.client_documents import Fetch, GuardedFetch
from mcp_multiplayer.sandbox.hostcalls.dialer import Dialer
from mcp_multiplayer.sandbox.hostcalls.egress import Egress
from tests.edge.harness import BASE, LOOPBACK_URI, Clock, Lab, lab, returned, wish_for
from tests.sandbox.outside import make_chain, talking

HOST = "api.example.com"
ADDRESS = f"https://{HOST}/app/client.json"
APP = {"client_id": ADDRESS, "redirect_uris": [LOOPBACK_URI]}
KEYS = f"https://{HOST}/app/keys.json"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def document(**changed: Any) -> dict[str, Any]:
    """Return what an app publishes; None leaves a field out."""
    said = {
        "client_id": ADDRESS,
        "client_name": "Test app",
        "redirect_uris": [LOOPBACK_URI],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "none",
    } | changed
    return {name: value for name, value in said.items() if value is not None}


@dataclass
class Publisher:
    """Answers each path of ``pages`` (status, header lines, body) and counts."""

    pages: dict[str, tuple[int, tuple[str, ...], bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    connections: int = 0
    #: Cleared, answers wait.
    go: asyncio.Event = field(default_factory=asyncio.Event)
    _knocks: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    def publish(
        self, said: Any, *, path: str = "/app/client.json", status: int = 200, lines: str = ""
    ) -> None:
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.pages[path] = status, (lines,) if lines else (), body

    async def knocked(self, times: int = 1) -> None:
        """Wait until somebody has asked, so many times more."""
        for _ in range(times):
            await self._knocks.acquire()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        path = head.split(" ")[1]
        self.asked.append(path)
        self._knocks.release()
        await self.go.wait()
        status, lines, body = self.pages.get(path, (404, (), b""))
        rows = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *lines, "", ""]
        writer.write("\r\n".join(rows).encode() + body)
        with contextlib.suppress(ConnectionError):
            await writer.drain()


@asynccontextmanager
async def publishing(data: Path) -> AsyncIterator[tuple[Publisher, Fetch]]:
    """A server on loopback that publishes `document`, and a way on which it is HOST."""
    there = Publisher()
    there.go.set()
    there.publish(document())
    ca, tls = make_chain(data)
    async with talking(there.talk, tls) as port:
        instead = {(HOST, 443): (IPv4Address("127.0.0.1"), port)}
        dialer = Dialer(Egress(instead=instead, ports=frozenset({443})))
        fetch = GuardedFetch(dialer, ssl.create_default_context(cafile=ca))
        yield there, fetch
        dialer.close()


@asynccontextmanager
async def published(
    data: Path, *, clock: Clock | None = None, **values: Any
) -> AsyncIterator[tuple[Lab, Publisher]]:
    """A proxy in memory, to which HOST publishes `document`."""
    async with (
        publishing(data) as (there, fetch),
        lab(data, clock=clock, fetch=fetch, **values) as it,
    ):
        yield it, there


def new_key(name: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": name, "alg": "ES256", "use": "sig"})


def public(*keys: Key) -> dict[str, Any]:
    return {"keys": [key.as_dict(private=False) for key in keys]}


def signed(key: Key, *, alg: str = "ES256", **changed: Any) -> dict[str, str]:
    """Return the fields with which the app proves who it is."""
    claims = {
        "iss": ADDRESS,
        "sub": ADDRESS,
        "aud": f"{BASE}/token",
        "exp": int(time.time()) + 60,
        "jti": "once",
    } | changed
    kept = {name: value for name, value in claims.items() if value is not None}
    token = jwt.encode({"alg": alg, "kid": key.kid or ""}, kept, key, algorithms=[alg])
    return {"client_assertion_type": ASSERTION, "client_assertion": token}


def signing(*keys: Any, **more: Any) -> dict[str, Any]:
    return document(token_endpoint_auth_method="private_key_jwt", jwks=public(*keys), **more)


async def redeemed(it: Lab, **proof: str) -> httpx.Response:
    """Sign in anew and redeem the code with this proof of who it is."""
    code = returned(await it.browser().get(wish_for(APP)))["code"]
    return await it.redeem(APP, code, client_id="", **proof)
