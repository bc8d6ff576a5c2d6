"""Progress of MCP calls that wait (MCP 2025-11-25 and 2026-07-28, Progress): a word every ten
seconds to a client that sent a token for it.

Some clients (the TypeScript SDK) count their time-out from the last word, and middle boxes close
connections on which nothing comes. An answer that is there within the first ten seconds is JSON as
ever; only a longer one becomes an event stream (Streamable HTTP allows either), whose last event is
the same JSON. So a call that does not wait pays for nothing but a timer.

Whoever breaks such a stream off has to end it with an error of the request: its client waits for an
event, not for the connection (`edge/proxy/forward.py`).
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_multiplayer.edge.api.envelope import STREAM

EVERY_SECONDS = 10.0
_HEADERS = [
    (b"content-type", STREAM.encode()),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]


async def report(
    serve: ASGIApp, token: str | int, scope: Scope, receive: Receive, send: Send
) -> None:
    """Have ``serve`` answer, and report to a client that takes a stream for as long as it takes."""
    answer = _Answer(send, token)
    reports = asyncio.create_task(answer.report())
    try:
        await serve(scope, receive, answer.send)
    finally:
        reports.cancel()


class _Answer:
    """An answer on its way: JSON, or a stream once something was reported."""

    def __init__(self, send: Send, token: str | int) -> None:
        self._send = send
        self._token = token
        self._begun = time.monotonic()
        self._turn = asyncio.Lock()  # a report is whole, and none comes after the answer began
        self._streams = False
        self._answered = False
        self._events = False  # the answer is a stream by itself
        self._whole = b""  # of one that goes into one event

    async def report(self) -> None:
        """Say every so often that the call is still under way, until the answer begins."""
        for number in itertools.count(1):  # which has to grow; seconds may stand still
            await asyncio.sleep(EVERY_SECONDS)
            async with self._turn:
                if self._answered:
                    return
                if not self._streams:
                    await self._send(
                        {"type": "http.response.start", "status": 200, "headers": _HEADERS}
                    )
                    self._streams = True
                told = {
                    "progressToken": self._token,
                    "progress": number,
                    "message": f"waiting for {time.monotonic() - self._begun:.0f} s",
                }
                said = {"jsonrpc": "2.0", "method": "notifications/progress", "params": told}
                await self._event(json.dumps(said).encode())

    async def send(self, message: Message) -> None:
        """Pass on what the call answers, as the last event if the answer is a stream by now."""
        async with self._turn:
            self._answered = True
            if message["type"] == "http.response.start":
                kind = dict(message["headers"]).get(b"content-type", b"")
                self._events = kind.startswith(STREAM.encode())
            if not self._streams:
                await self._send(message)
            elif self._events:  # the library's own, from where we are
                if message["type"] == "http.response.body":
                    await self._send(message)
            elif message["type"] == "http.response.body":
                self._whole += message.get("body", b"")
                if not message.get("more_body"):
                    if self._whole:
                        await self._event(self._whole)
                    await self._send({"type": "http.response.body", "body": b""})

    async def _event(self, data: bytes) -> None:
        body = b"event: message\ndata: " + data + b"\n\n"
        await self._send({"type": "http.response.body", "body": body, "more_body": True})
