"""A listener that lets a program in which cannot send a token: it adds one to every request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from multidict import CIMultiDict
from starlette.types import Receive, Scope, Send
from yarl import URL

from mcp_multiplayer.edge.until_gone import until_gone
from tests.edge.harness import serving

#: Belong to one connection, and there are two; `date` each listener writes itself.
_OF_THE_HOP = {b"connection", b"content-length", b"date", b"keep-alive", b"transfer-encoding"}
_NOT_ADDED = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


class Bearer:
    """Forwards everything as it comes, both ways, Host and every part of a stream included."""

    def __init__(self, base: str, token: str, session: aiohttp.ClientSession) -> None:
        self._base = base
        self._token = token
        self._session = session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        async with until_gone(receive):
            await self._exchange(scope, body, send)

    async def _exchange(self, scope: Scope, body: bytes, send: Send) -> None:
        query = scope["query_string"].decode("latin-1")
        path = scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
        headers = CIMultiDict(
            (name.decode("latin-1"), value.decode())
            for name, value in scope["headers"]
            if name not in _OF_THE_HOP
        )
        headers["Authorization"] = f"Bearer {self._token}"
        async with self._session.request(
            scope["method"],
            URL(self._base + path, encoded=True),
            headers=headers,
            data=body or None,
            allow_redirects=False,
        ) as answer:
            kept = [(k.lower(), v) for k, v in answer.raw_headers if k.lower() not in _OF_THE_HOP]
            start = {"type": "http.response.start", "status": answer.status, "headers": kept}
            await send(start)
            async for chunk in answer.content.iter_any():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def bearer(base: str, token: str) -> AsyncIterator[str]:
    """Listen on loopback for ``base``, with ``token`` in every request; give the own address."""
    async with (
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_NOT_ADDED,
        ) as session,
        serving(Bearer(base, token, session)) as port,
    ):
        yield f"http://127.0.0.1:{port}"
