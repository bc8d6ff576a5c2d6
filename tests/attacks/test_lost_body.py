"""A request whose body is lost on the way is another request. Stopped by edge/uvicorn_protocol.py.

Clients that offer another protocol (curl --http2, Java's HttpClient) sent theirs for nothing;
a body that ends early, or never, must not be taken for a whole or an empty one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mcp_multiplayer.edge import uvicorn_protocol
from mcp_multiplayer.edge.uvicorn_protocol import Http1Protocol
from mcp_multiplayer.oauth_proxy import create_app
from tests.edge.harness import Upstream, lab, serving, settings_for

pytestmark = pytest.mark.asyncio(loop_scope="module")

BODY = b'{"body": "guess 42"}'
LENGTH = b"content-length: %d\r\n" % len(BODY)
CHUNKED = b"transfer-encoding: chunked\r\n"
IN_CHUNKS = b"8;a=b\r\n" + BODY[:8] + b"\r\n%x\r\n" % len(BODY[8:]) + BODY[8:] + b"\r\n0\r\n"
CURL = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n"
UPGRADES = {
    "h2c": CURL,
    "websocket": b"connection: keep-alive, upgrade\r\nupgrade: websocket\r\n",
    "foo": b"upgrade: foo/1, bar\r\nconnection: Upgrade\r\n",
}


@dataclass
class Wire:
    """A bare connection to one of the two processes, and what the server behind it got."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    upstream: Upstream
    token: str

    def head(self, more: bytes, line: bytes = b"POST /post_message HTTP/1.1") -> bytes:
        return (
            line
            + b"\r\nhost: localhost\r\nauthorization: Bearer "
            + self.token.encode()
            + b"\r\n"
            + more
            + b"\r\n"
        )

    async def answer(self) -> tuple[int, Any]:
        """The next answer: its status, and its body if that is JSON."""
        async with asyncio.timeout(30):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.partition("content-length: ")[2].partition("\r\n")[0] or 0)
            body = await self.reader.readexactly(length)
        return int(head.split()[1]), json.loads(body) if "json" in head else body

    async def rest(self) -> bytes:
        """Everything until the other side closes."""
        async with asyncio.timeout(30):
            return await self.reader.read()


Open = Callable[[], Coroutine[Any, Any, Wire]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def signed_in(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The directory of a proxy, and a token that it has issued."""
    data = tmp_path_factory.mktemp("proxy")
    async with lab(data) as it:
        return data, (await it.sign_in(await it.register()))["access_token"]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["proxy", "server"])
async def process(
    request: pytest.FixtureRequest, signed_in: tuple[Path, str]
) -> AsyncIterator[tuple[int, Upstream]]:
    """The port of either process: of the proxy, or of the server as the proxy meets it."""
    upstream = Upstream()
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(serving(upstream, http=Http1Protocol))
        if request.param == "proxy":
            app = create_app(settings_for(signed_in[0], mcp_port=port))
            port = await stack.enter_async_context(serving(app, http=Http1Protocol))
        yield port, upstream


@pytest_asyncio.fixture(loop_scope="module")
async def connect(
    process: tuple[int, Upstream], signed_in: tuple[Path, str]
) -> AsyncIterator[Open]:
    """Opens connections."""
    port, upstream = process
    upstream.seen.clear()
    with ExitStack() as stack:

        async def connect() -> Wire:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            stack.callback(writer.close)
            return Wire(reader, writer, upstream, signed_in[1])

        yield connect


async def _served(wire: Wire, body: bytes = BODY) -> None:
    status, seen = await wire.answer()
    assert (status, seen["body"].encode()) == (200, body)
    assert "upgrade" not in seen["headers"]


@pytest.mark.parametrize("name", UPGRADES)
@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("pieces", ["together", "apart", "bytes"])
async def test_who_offers_another_protocol_is_served_with_the_whole_body(
    connect: Open, name: str, framing: str, pieces: str
) -> None:
    wire = await connect()
    framed, body = (LENGTH, BODY) if framing == "length" else (CHUNKED, IN_CHUNKS + b"\r\n")
    head = wire.head(UPGRADES[name] + framed)
    parts = {
        "together": [head + body],
        "apart": [head, body],
        "bytes": [b"%c" % byte for byte in head + body],
    }[pieces]
    for _ in range(2):  # and the connection goes on
        for part in parts:
            wire.writer.write(part)
            await wire.writer.drain()
            await asyncio.sleep(0)
        await _served(wire)


async def test_what_is_sent_behind_an_offer_is_the_next_request(connect: Open) -> None:
    wire = await connect()
    offer = wire.head(CURL + LENGTH) + BODY
    plain = wire.head(b"content-length: 2\r\n") + b"{}"
    bare = wire.head(CURL, b"GET /list_bots HTTP/1.1")
    wire.writer.write(offer + plain + bare + offer)
    for body in (BODY, b"{}", b"", BODY):
        await _served(wire, body)


async def test_an_offer_with_expect_is_told_to_go_on(connect: Open) -> None:
    wire = await connect()
    wire.writer.write(wire.head(CURL + LENGTH + b"expect: 100-continue\r\n"))
    assert (await wire.answer())[0] == 100
    wire.writer.write(BODY)
    await _served(wire)


async def test_an_offer_in_http_1_0_is_no_offer(connect: Open) -> None:
    wire = await connect()
    wire.writer.write(wire.head(CURL + LENGTH, b"POST /post_message HTTP/1.0") + BODY)
    await _served(wire)


async def test_a_field_of_a_trailer_is_none_of_the_head(connect: Open) -> None:
    wire = await connect()
    wire.writer.write(wire.head(CHUNKED) + IN_CHUNKS + b"x-late: 1\r\n\r\n")
    await _served(wire)
    assert "x-late" not in wire.upstream.seen[-1]["headers"]


SHORT = {
    "head": b"",
    "no body": LENGTH + b"\r\n",
    "some of a body": LENGTH + b"\r\n" + BODY[:-1],
    "none of an offer's body": CURL + LENGTH + b"\r\n",
    "some of an offer's body": CURL + LENGTH + b"\r\n" + BODY[:-1],
    "no chunk": CHUNKED + b"\r\n",
    "no last chunk": CHUNKED + b"\r\n" + IN_CHUNKS.removesuffix(b"0\r\n"),
    "no end behind the last chunk": CHUNKED + b"\r\n" + IN_CHUNKS,
    "an offer without a last chunk": CURL + CHUNKED + b"\r\n" + IN_CHUNKS[:-3],
}


@pytest.mark.parametrize("what", SHORT)
async def test_a_body_that_ends_early_is_refused_and_reaches_nobody(
    connect: Open, what: str
) -> None:
    wire = await connect()
    wire.writer.write(wire.head(b"")[:-2] + SHORT[what])
    wire.writer.write_eof()
    assert (await wire.rest()).startswith(b"HTTP/1.1 400 ")
    await _still_serving(connect)


@pytest.mark.parametrize("what", SHORT)
async def test_who_goes_away_in_the_middle_has_asked_nothing(connect: Open, what: str) -> None:
    wire = await connect()
    wire.writer.write(wire.head(b"")[:-2] + SHORT[what])
    await wire.writer.drain()
    wire.writer.close()
    await wire.writer.wait_closed()
    await _still_serving(connect)


async def _still_serving(connect: Open) -> None:
    """Another connection is served; by then the server has seen the end of the one before."""
    other = await connect()
    other.writer.write(other.head(LENGTH) + BODY)
    await _served(other)
    bodies = [seen["body"].encode() for seen in other.upstream.seen]
    assert bodies == [BODY]


@pytest.mark.parametrize("what", SHORT)
async def test_a_body_that_never_comes_is_not_waited_for_for_ever(
    connect: Open, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = await connect()
    wire.writer.write(wire.head(LENGTH) + BODY)
    await _served(wire)
    monkeypatch.setattr(uvicorn_protocol, "REQUEST_SECONDS", 0.05)
    wire.writer.write(wire.head(b"")[:-2] + SHORT[what])
    assert (await wire.rest()).startswith(b"HTTP/1.1 408 ")


async def test_a_connection_that_says_nothing_is_closed(
    connect: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uvicorn_protocol, "REQUEST_SECONDS", 0.05)
    assert await (await connect()).rest() == b""


@pytest.mark.parametrize(
    "framed",
    [
        CHUNKED + LENGTH,
        LENGTH + CHUNKED,
        CURL + CHUNKED + LENGTH,
        LENGTH + LENGTH,
        LENGTH + b"content-length: 3\r\n",
        b"transfer-encoding: gzip, chunked\r\n",
        b"transfer-encoding: gzip\r\n",
        b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        b"transfer-encoding: chunked, identity\r\n",
        b"content-length: +20\r\n",
        b"content-length:\r\n",
    ],
)
async def test_a_body_announced_in_two_ways_or_an_unknown_one_is_refused(
    connect: Open, framed: bytes
) -> None:
    wire = await connect()
    wire.writer.write(wire.head(framed) + IN_CHUNKS + b"\r\n")
    assert (await wire.rest()).startswith(b"HTTP/1.1 400 ")
    await _still_serving(connect)


async def test_chunks_in_http_1_0_are_refused(connect: Open) -> None:
    wire = await connect()
    wire.writer.write(wire.head(CHUNKED, b"POST /post_message HTTP/1.0") + IN_CHUNKS + b"\r\n")
    assert (await wire.rest()).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("line", [b"CONNECT other.example:443 HTTP/1.1", b"PRI * HTTP/2.0"])
async def test_there_is_no_tunnel_and_no_http_2(connect: Open, line: bytes) -> None:
    wire = await connect()
    wire.writer.write(wire.head(b"", line) + b"anything")
    assert (await wire.rest()).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("end", [b"\x00garbage", b"POST /post_message HTT"])
async def test_a_refusal_is_not_taken_for_the_answer_to_an_earlier_request(
    connect: Open, end: bytes
) -> None:
    wire = await connect()
    first = wire.head(b"content-length: 2\r\n", b"POST /mcp?do=hang HTTP/1.1") + b"{}"
    wire.writer.write(first)
    await asyncio.wait_for(wire.upstream.waiting.wait(), 30)
    wire.writer.write(end)
    wire.writer.write_eof()
    assert await wire.rest() == b""
