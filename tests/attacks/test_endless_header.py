"""Somebody sends a header, or a trailer, that never ends. Stopped by edge/uvicorn_protocol.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mcp_multiplayer.edge.uvicorn_protocol import MAX_HEAD, Http1Protocol
from mcp_multiplayer.oauth_proxy import create_app
from tests.edge.harness import serving, settings_for

CHUNKED = b"POST /mcp HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"


@asynccontextmanager
async def connection(
    data: Path,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    app = create_app(settings_for(data))
    async with serving(app, http=Http1Protocol) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield reader, writer
        finally:
            writer.close()


@pytest.mark.parametrize(
    ("start", "filler"),
    [
        (b"POST /mcp HTTP/1.1\r\nhost: localhost\r\n", b"x-a: b\r\n"),
        (b"POST /mcp HTTP/1.1\r\nhost: localhost\r\nx-a: ", b"x" * 1024),
        (b"GET /", b"x" * 1024),
        (CHUNKED + b"2\r\n{}\r\n0\r\n", b"x-a: b\r\n"),
        (CHUNKED + b"2\r\n{}\r\n0\r\nx-a: ", b"x" * 1024),
        (CHUNKED + b"2;a=", b"x" * 1024),
    ],
)
async def test_the_connection_ends(tmp_path: Path, start: bytes, filler: bytes) -> None:
    async with connection(tmp_path) as (reader, writer):
        writer.write(start)
        seen = b""
        try:
            for _ in range(8 * MAX_HEAD // len(filler)):
                writer.write(filler)
                await writer.drain()
            seen = await asyncio.wait_for(reader.read(), 10)
        except (ConnectionError, BrokenPipeError):
            return  # cut off while we were still sending
        refused = (b"HTTP/1.1 431", b"HTTP/1.1 400", b"HTTP/1.1 401")
        assert seen == b"" or seen.startswith(refused)


async def test_an_ordinary_connection_serves_many_requests(tmp_path: Path) -> None:
    request = b"POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n{}"
    async with connection(tmp_path) as (reader, writer):
        for _ in range(2 * MAX_HEAD // len(request)):
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 401")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
