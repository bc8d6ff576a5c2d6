"""Connections that a bot speaks over, held by the host.

On the other side are a worker that may have fallen to its bot, and a peer that may be anybody. The
worker holds no end of a connection: it says what to send and asks for what came, so the record has
all that went over it, in the clear where it was encrypted, and a replay needs neither network nor
keys.
"""

from __future__ import annotations

import asyncio
import base64
import errno
import functools
import os
import socket
import ssl
import warnings
from typing import Any

from mcp_multiplayer.sandbox.hostcalls.certificates import believing, usual
from mcp_multiplayer.sandbox.protocol.hostcalls import USUAL, Secure

_PART = 1 << 16
_DER = 2  #: as `_ssl` calls the form of a certificate's bytes


class Connection:
    """One connection. What it raises is an `OSError` or a ValueError."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._tls: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._tried = self._closed = False

    async def secure(self, question: Secure, own: str) -> dict[str, Any]:
        """Speak TLS from now on, or hang up: once. ``own``: authorities that this server believes
        besides."""
        if self._tried:
            raise ValueError("TLS was tried already")
        self._tried = True
        try:
            context = await asyncio.to_thread(_context, question, own)
            self._tls = await asyncio.open_connection(
                sock=self._sock, ssl=context, server_hostname=question.name or "", limit=_PART
            )
        except BaseException:
            self.close()  # nothing is ever said in the clear that was meant for TLS
            raise
        return _facts(self._tls[1].get_extra_info("ssl_object"), verified=question.verify)

    async def send(self, data: bytes) -> dict[str, Any]:
        """Send all of it."""
        self._check()
        if self._tls is None:
            await self._loop.sock_sendall(self._sock, data)
        else:
            self._tls[1].write(data)
            await self._tls[1].drain()
        return {}

    async def receive(self, most: int) -> dict[str, Any]:
        """What has come, at most so much; nothing when the other side has said all."""
        self._check()
        if self._tls is None:
            data = await self._loop.sock_recv(self._sock, most)
        else:
            data = await self._tls[0].read(most)
        return {"data": base64.b64encode(data).decode()}

    def _check(self) -> None:
        if self._closed:
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))

    async def shut(self, *, all: bool) -> dict[str, Any]:
        """Say that nothing more is sent, or hang up."""
        if all:
            self.close()
        elif self._tls is None and not self._closed:
            self._sock.shutdown(socket.SHUT_WR)
        return {}

    def close(self) -> None:
        """Hang up; nothing happens the second time."""
        self._closed = True
        if self._tls is not None:
            self._tls[1].transport.abort()
        self._sock.close()


def _context(question: Secure, own: str) -> ssl.SSLContext:
    """What a bot wishes; made in a thread, because reading certificates takes its time."""
    if question.authorities == USUAL:
        return _usual(own, question.check, question.alpn, question.oldest, question.newest)
    if not question.verify:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    elif question.authorities:
        context = believing(question.authorities)
        context.check_hostname = question.check
    else:  # whoever believes nobody
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return _as_wished(context, question.alpn, question.oldest, question.newest)


@functools.lru_cache(maxsize=32)
def _usual(
    own: str, check: bool, alpn: tuple[str, ...], oldest: int | None, newest: int | None
) -> ssl.SSLContext:
    """With the usual authorities: 15 ms."""
    context = believing(usual() + own)
    context.check_hostname = check
    return _as_wished(context, alpn, oldest, newest)


def _as_wished(
    context: ssl.SSLContext, alpn: tuple[str, ...], oldest: int | None, newest: int | None
) -> ssl.SSLContext:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # old versions: it is the bot's wish
        if oldest is not None:
            context.minimum_version = ssl.TLSVersion(oldest)
        if newest is not None:
            context.maximum_version = ssl.TLSVersion(newest)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def _facts(tls: Any, *, verified: bool) -> dict[str, Any]:
    """What a bot may ask of a connection over TLS, as JSON."""
    cipher = tls.cipher()
    return {
        "protocol": tls.version(),
        "cipher": None if cipher is None else list(cipher),
        "alpn": tls.selected_alpn_protocol(),
        "peer": tls.getpeercert() if verified else {},
        "chain": [base64.b64encode(der).decode() for der in _chain(tls, verified)],
    }


def _chain(tls: Any, verified: bool) -> list[bytes]:
    """The certificates, the peer's own first. Python shows them all since 3.13, and knows them
    before."""
    name = "get_verified_chain" if verified else "get_unverified_chain"
    found = getattr(tls, name, None) or getattr(getattr(tls, "_sslobj", None), name, None)
    known = (found() or ()) if found else ()
    whole = [one if isinstance(one, bytes) else one.public_bytes(_DER) for one in known]
    leaf = tls.getpeercert(binary_form=True)
    return whole or ([leaf] if leaf else [])
