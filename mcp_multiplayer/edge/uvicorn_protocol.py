"""HTTP/1.1 requests as both processes take them: whole, or refused and the connection closed.

On the other side is anybody. uvicorn's parser has no limit on a head, stops at an Upgrade that
nobody here follows, and waits for ever for the rest of a body; a request that lost its body on the
way would be another request (`tests/attacks/test_lost_body.py`, `test_endless_header.py`). h11 has
none of these faults and costs several times the CPU.

An answer goes out in one packet: uvicorn writes its head by itself and uvloop sends what it gets at
once, so each answer took two system calls and woke whoever reads it twice; behind the proxy that is
paid three times.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

#: What may have come of a head or a trailer that has not ended. One read may exceed it.
MAX_HEAD = 64 * 1024
#: How long a request may take to come in.
REQUEST_SECONDS = 60.0


class BatchedTransport:
    """A transport that writes once per turn of the loop; all else is the transport's own."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []
        self.is_closing = transport.is_closing  # asked with each answer

    def write(self, data: bytes) -> None:
        if not self._held:
            self._loop.call_soon(self._release)
        self._held.append(data)

    def close(self) -> None:
        self._release()
        self._transport.close()

    def _release(self) -> None:
        held, self._held = self._held, []
        if held and not self._transport.is_closing():
            self._transport.write(b"".join(held))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Http1Protocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 without these faults."""

    _in_head = True
    _whole = True  #: nothing has begun that has not ended
    _moved = False  #: this read ended a head or brought some of a body
    _unended = 0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.transport = BatchedTransport(transport, self.loop)  # type: ignore[assignment]
        self._expect_a_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_the_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        self._moved = False
        size = len(data)
        try:
            while data:
                data = self._feed(data)
        except httptools.HttpParserError:
            self._refuse(400, "this is not HTTP/1.1 as it is read here")
            return
        self._unended = 0 if self._moved else self._unended + size
        if self._unended > MAX_HEAD:
            self._refuse(431, f"the head or trailer is longer than {MAX_HEAD} bytes")
        elif self._whole:
            self._stop_the_clock()
        elif self._deadline is None:
            self._expect_a_request()

    def eof_received(self) -> None:
        if not self._whole:
            self._refuse(400, "the request ended before all of it had come")

    def _feed(self, data: bytes) -> bytes:
        """Parse ``data``; return what the parser left.

        It stops behind a head that asks for another protocol. Who does not know that protocol
        ignores the header (RFC 9110 §7.8): the head is read again without it. A CONNECT has it
        built in, and there is no tunnel here.
        """
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as stop:
            method = self.parser.get_method()
            if method == b"CONNECT":
                raise httptools.HttpParserError("no tunnel") from None
            version = self.parser.get_http_version().encode()
            lines = [method + b" " + self.url + b" HTTP/" + version]
            lines += [n + b": " + value for n, value in self.headers if n != b"upgrade"]
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
            self.parser.feed_data(b"\r\n".join([*lines, b"", b""]))
            return data[stop.args[0] :]
        return b""

    # What the parser calls

    def on_message_begin(self) -> None:
        self._in_head, self._whole = True, False
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        # A field of a trailer is none of the head (RFC 9110 §6.5.1): the head was judged already.
        if self._in_head:
            super().on_header(name, value.rstrip(b" \t"))  # no part of it (RFC 9110 §5.5)

    def on_headers_complete(self) -> None:
        self._moved = True
        if self.parser.should_upgrade():
            return
        coded = [value.lower() for name, value in self.headers if name == b"transfer-encoding"]
        # We undo no other coding, and HTTP/1.0 has none (RFC 9112 §6.1): its end is a guess.
        if coded and (coded != [b"chunked"] or self.parser.get_http_version() == "1.0"):
            raise httptools.HttpParserError("unknown transfer coding")
        self._in_head = False
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._moved = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        if not self.parser.should_upgrade():
            self._whole = True
            super().on_message_complete()

    # Time, and refusals

    def _expect_a_request(self) -> None:
        self._deadline = self.loop.call_later(REQUEST_SECONDS, self._too_late)

    def _stop_the_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        if self.flow.read_paused:  # it is we who do not read
            self._expect_a_request()
        elif self._whole:
            self.transport.close()
        else:
            self._refuse(408, f"the request did not come within {REQUEST_SECONDS:.0f} s")

    def _refuse(self, status: int, why: str) -> None:
        """Close, and say ``why`` unless the words would be taken for another request's answer."""
        if self._in_head or self._whole:
            free = self.cycle is None or self.cycle.response_complete
        else:
            free = not self.pipeline and not self.cycle.response_started
        if free and not self.transport.is_closing():
            said = f"{HTTPStatus(status).phrase}: {why}.".encode()
            head = b"content-type: text/plain; charset=utf-8\r\nconnection: close\r\n"
            length = b"content-length: %d\r\n\r\n" % len(said)
            self.transport.write(STATUS_LINE[status] + head + length + said)
        self.transport.close()
