"""Carries a request to the server and streams the answer back.

Every wait can be cut short by the client: closing the connection cancels the call to the
server even before its first byte, so an abandoned long poll costs nobody anything.

A request is read whole (at most MAX_BODY) before it is sent on: the server cannot begin
with half a JSON document anyway, a slow sender occupies the proxy only, and what follows on
`receive` can then only be the disconnect. The answer is never held back.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import aiohttp
from multidict import CIMultiDict
from starlette.types import Receive, Scope, Send
from yarl import URL

from mcp_multiplayer.edge.proxy import headers
from mcp_multiplayer.edge.proxy.replies import refuse, request_id, rpc_error
from mcp_multiplayer.edge.until_gone import until_gone
from mcp_multiplayer.errors import Restarting

log = logging.getLogger(__name__)

MAX_BODY = 1 << 20
MAX_DRAINED = 8 << 20
DRAIN_SECONDS = 2.0
CONNECT_SECONDS = 5.0
#: Shorter than the server's own keep-alive (75 s), so that a pooled connection is never one
#: the server is about to close.
POOL_SECONDS = 30.0
RETRY_AFTER = str(Restarting().wait)
AWAY = "The game server is not reachable at the moment."
REPEAT = f"Repeat the same call in {RETRY_AFTER} s."
STREAM = "text/event-stream"
MCP = "/mcp"  #: the path of the server's MCP endpoint
#: How long the server has to answer what it was asked when the proxy ends. It ends at the same
#: time as a rule, and then answers at once.
STOP_SECONDS = 3.0
ASK_SECONDS = 5.0  #: for what a page shows

#: aiohttp would add its own; the server is to see the client's or none.
_NOT_ADDED = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")

Extra = list[tuple[bytes, bytes]]
Sign = Callable[[], Iterable[tuple[str, str]]]
_NONE: Extra = []


class TooLarge(Exception):
    """The request's body exceeds MAX_BODY. ``more`` of it may still come."""

    def __init__(self, *, more: bool) -> None:
        self.more = more


class Gone(Exception):
    """The client closed the connection."""


class Forward:
    """The way to one server. Use as an async context manager, inside the loop that serves."""

    def __init__(self, host: str, port: int) -> None:
        bare = f"[{host}]" if ":" in host and not host.startswith("[") else host
        self._origin = f"http://{bare}:{port}"
        self._session: aiohttp.ClientSession | None = None
        self._under_way = 0
        self._answered = asyncio.Event()
        self.stopping = False

    async def stop(self) -> None:
        """Carry nothing more. What is under way has `STOP_SECONDS` to be answered; whoever still
        waits then is told to repeat the call."""
        self.stopping = True
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                while self._under_way:
                    self._answered.clear()
                    await self._answered.wait()
        if self._session is not None:
            await self._session.close()

    async def __aenter__(self) -> Forward:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, keepalive_timeout=POOL_SECONDS, ttl_dns_cache=10
            ),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_NOT_ADDED,
            read_bufsize=1 << 16,
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def healthy(self) -> bool:
        """Return whether the server says it is, and will be asked."""
        if self.stopping:
            return False
        assert self._session is not None
        limit = aiohttp.ClientTimeout(total=2.0)
        try:
            async with self._session.get(f"{self._origin}/healthz", timeout=limit) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def ask(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        """GET an open route of the server, for a page; (503, None) when the server is away."""
        assert self._session is not None
        limit = aiohttp.ClientTimeout(total=ASK_SECONDS)
        try:
            address = URL(f"{self._origin}{path}").with_query(query)
            async with self._session.get(address, timeout=limit) as answer:
                return answer.status, await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return 503, None

    async def carry(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        path: str,
        extra: Extra = _NONE,
        sign: Sign = tuple,
    ) -> None:
        """Send the request to ``path`` of the server with the headers of ``sign``; answer the
        client with the server's answer and ``extra`` headers.

        It is signed when the whole body is here: a slow sender would outlive an earlier statement.
        """
        try:
            body = await _read(receive, scope)
        except TooLarge as excess:
            if excess.more:
                await _drain(receive)
            hint = f"At most {MAX_BODY} bytes; health_check shows the limits."
            # There may still be more of it: the connection cannot be used again.
            closing = [("Connection", "close"), *_decoded(extra)]
            await refuse(send, 413, "TOO_LARGE", "The request is too long.", hint, headers=closing)
            return
        except Gone:
            return
        if self.stopping:
            await unavailable(send, extra, body if path == MCP else None)
            return
        sent = CIMultiDict(headers.to_server(scope["headers"]))
        for name, value in sign():
            sent[name] = value
        query = scope["query_string"].decode("latin-1")
        address = URL(f"{self._origin}{path}{'?' + query if query else ''}", encoded=True)
        self._under_way += 1
        try:
            async with until_gone(receive):
                await self._exchange(scope["method"], address, sent, body, send, extra)
        finally:
            self._under_way -= 1
            self._answered.set()

    async def _exchange(
        self,
        method: str,
        address: URL,
        sent: CIMultiDict[str],
        body: bytes,
        send: Send,
        extra: Extra,
    ) -> None:
        started = False
        try:
            answer = await self._request(method, address, sent, body)
            try:
                if answer.status == 401:
                    # The client's token was good: the server refused *our* statement.
                    log.error("the server refused our statement; do both use the same DATA_DIR?")
                    raise aiohttp.ClientError("refused our statement")
                started = True
                await _stream(answer, send, extra)
            finally:
                answer.release() if answer.content.at_eof() else answer.close()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if started:
                log.warning("the server broke off an answer: %s", type(error).__name__)
                if answer.content_type == STREAM:
                    await _end(send, body)
                # Half of any other answer is out. Returning without its end makes uvicorn cut the
                # connection, which is the only honest way to say that the rest is missing.
                return
            log.warning("the server is not reachable: %s", type(error).__name__)
            await unavailable(send, extra, body if address.path == MCP else None)

    async def _request(
        self, method: str, address: URL, sent: CIMultiDict[str], body: bytes
    ) -> aiohttp.ClientResponse:
        assert self._session is not None
        try:
            return await self._session.request(
                method, address, headers=sent, data=body or None, allow_redirects=False
            )
        except aiohttp.ClientConnectionResetError:
            # A pooled connection was closed before a byte could be written: nothing was sent, so
            # sending it now is not sending it twice. Any later failure might be; then we say 503.
            return await self._session.request(
                method, address, headers=sent, data=body or None, allow_redirects=False
            )


async def _end(send: Send, asked: bytes) -> None:
    """End the event stream that answers ``asked`` with an error of that request: its client waits
    for an event, and takes the end of the connection for a pause."""
    id = request_id(asked)
    if id is None:
        return
    event = json.dumps(rpc_error("UNAVAILABLE", AWAY, REPEAT, id)).encode()
    # Blank lines first, for half an event may be out.
    end = b"\n\nevent: message\ndata: " + event + b"\n\n"
    await send({"type": "http.response.body", "body": end})


async def unavailable(send: Send, extra: Extra, asked: bytes | None = None) -> None:
    """Say that the server is away for the moment, as it is during a restart. ``asked`` is the
    request where it is one of MCP."""
    await refuse(
        send,
        503,
        "UNAVAILABLE",
        AWAY,
        REPEAT,
        headers=[("Retry-After", RETRY_AFTER), *_decoded(extra)],
        asked=asked,
    )


async def _read(receive: Receive, scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > MAX_BODY:
            raise TooLarge(more=True)
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Gone
    first: bytes = message.get("body", b"")
    if not message.get("more_body") and len(first) <= MAX_BODY:
        return first
    parts, size = [first], len(first)
    while message.get("more_body") and size <= MAX_BODY:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
    if size > MAX_BODY:
        raise TooLarge(more=message.get("more_body", False))
    return b"".join(parts)


async def _drain(receive: Receive) -> None:
    """Read on for a moment: closing on unread bytes resets the connection, and the client would
    never see why."""
    size = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            while size < MAX_DRAINED:
                message = await receive()
                size += len(message.get("body", b""))
                if not message.get("more_body"):
                    return


async def _stream(answer: aiohttp.ClientResponse, send: Send, extra: Extra) -> None:
    raw = headers.to_client(answer.raw_headers)
    await send({"type": "http.response.start", "status": answer.status, "headers": raw + extra})
    more = True
    while more:
        chunk = await answer.content.readany()
        more = not answer.content.at_eof()
        await send({"type": "http.response.body", "body": chunk, "more_body": more})


def _decoded(extra: Extra) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in extra]
