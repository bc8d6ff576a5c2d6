"""One HTTP request that the host makes for a bot.

Runs in the host, so that what a bot was answered is the host's word. On the other side
are two strangers: the bot that wrote the request and the server that wrote the answer.
The connection is there already and leads where it may (`sandbox/hostcalls/dialer.py`);
TLS is verified here; the answer is bounded before it is kept; no redirect is followed,
the bot's library comes back with the next address and is judged again.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass

import h11

from mcp_multiplayer.sandbox.hostcalls.http_request import Request
from mcp_multiplayer.sandbox.hostcalls.network_errors import Garbled, TooLong

#: Between two machines, not between a bot and its server; we speak for ourselves there.
_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "host",
        "content-length",
        "expect",
    }
)
_HEAD = 64 << 10  #: bytes of all header lines of an answer
_PART = 1 << 16


@dataclass(frozen=True)
class Response:
    """What came back, as it came: nothing is decoded or followed."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


async def fetch(
    sock: socket.socket, request: Request, tls: ssl.SSLContext | None, longest: int
) -> Response:
    """Send a request over a connected socket and read the answer; closes the socket.

    Raises `OSError`: `TooLong`, `Garbled`, ssl.SSLError, or what the network says.
    """
    name = request.host if tls else None
    try:
        reader, writer = await asyncio.open_connection(
            sock=sock, ssl=tls, server_hostname=name, limit=_PART
        )
    except BaseException:
        sock.close()
        raise
    try:
        return await _exchange(reader, writer, request, longest)
    except (h11.LocalProtocolError, h11.RemoteProtocolError) as error:
        whose = "request" if isinstance(error, h11.LocalProtocolError) else "server's answer"
        raise Garbled(f"the {whose} is not HTTP: {error}") from None
    finally:
        writer.transport.abort()


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request, longest: int
) -> Response:
    wire = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD)
    writer.write(_told(wire, request))
    await writer.drain()
    head: h11.Response | None = None
    body = bytearray()
    while True:
        event = wire.next_event()
        if event is h11.NEED_DATA:
            wire.receive_data(await reader.read(_PART))
        elif isinstance(event, h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > longest:
                raise TooLong(f"the answer is longer than {longest >> 10} KB")
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            return _read(head, bytes(body), request.method)
        elif not isinstance(event, h11.InformationalResponse):
            raise Garbled("the server stopped speaking HTTP/1.1")


def _told(wire: h11.Connection, request: Request) -> bytes:
    headers = [("Host", request.authority)]
    headers += [(n, v) for n, v in request.headers if n.lower() not in _HOP]
    if request.body or request.method in ("POST", "PUT", "PATCH"):
        headers.append(("Content-Length", str(len(request.body))))
    headers.append(("Connection", "close"))
    try:
        told = wire.send(
            h11.Request(
                method=request.method,
                target=request.target,
                headers=[(n.encode("ascii"), v.encode("latin-1")) for n, v in headers],
            )
        )
    except UnicodeEncodeError:
        raise Garbled("the request's target or headers are not Latin-1 text") from None
    parts = [told, wire.send(h11.Data(request.body)) if request.body else b""]
    parts.append(wire.send(h11.EndOfMessage()))
    return b"".join(part for part in parts if part)


def _read(head: h11.Response, body: bytes, method: str) -> Response:
    hop = _HOP - {"content-length"} if method == "HEAD" else _HOP
    headers = [
        (name.decode("ascii"), value.decode("latin-1"))
        for name, value in head.headers.raw_items()
        if name.decode("ascii").lower() not in hop
    ]
    if method != "HEAD" and head.status_code not in (204, 304):
        headers.append(("Content-Length", str(len(body))))
    reason = head.reason.decode("latin-1")
    return Response(head.status_code, reason, tuple(headers), body)
