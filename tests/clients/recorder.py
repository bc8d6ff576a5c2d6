"""A door before an MCP server that hands on every byte and keeps what was asked and answered: what
a client was sent, beside what it gave its model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tests.edge.harness import serving

Json = dict[str, Any]
_OF_A_HOP = {"host", "content-length", "connection", "accept-encoding", "transfer-encoding"}


@dataclass
class Recorder:
    """``base`` is where clients come in; ``exchanges`` are the requests with their answers."""

    base: str = ""
    exchanges: list[tuple[Json, bytearray]] = field(default_factory=list)
    _more: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def keep(self, asked: Json, answer: bytearray) -> None:
        async with self._more:
            self.exchanges.append((asked, answer))
            self._more.notify_all()

    async def reaches(self, count: int) -> None:
        """Wait until so many requests have come."""
        async with self._more:
            await self._more.wait_for(lambda: len(self.exchanges) >= count)

    def results(self, method: str, name: str = "") -> list[Json]:
        """What was answered to a method, or to the calls of one tool, in order of the requests."""
        return [
            self._result(answer)
            for asked, answer in self.exchanges
            if asked.get("method") == method and name in ("", asked["params"].get("name"))
        ]

    def text(self, name: str) -> str:
        """The text of the last answer to calls of this tool, of which nothing else may be told."""
        result = self.results("tools/call", name)[-1]
        (content,) = result["content"]
        assert "structuredContent" not in result
        return str(content["text"])

    @staticmethod
    def _result(answer: bytearray) -> Json:
        said = answer.decode()
        if not said.startswith("{"):  # a stream: progress, then the answer
            said = [line for line in said.splitlines() if line.startswith("data: ")][-1][6:]
        return dict(json.loads(said)["result"])


@asynccontextmanager
async def recording(base: str) -> AsyncIterator[Recorder]:
    """Stand before the server at ``base``."""
    recorder = Recorder()
    async with httpx.AsyncClient(base_url=base, timeout=None, verify=False) as http:

        async def hand_on(request: Request) -> Response:
            headers = {k: v for k, v in request.headers.items() if k not in _OF_A_HOP}
            body = await request.body()
            sent = http.build_request(
                request.method, request.url.path, content=body, headers=headers
            )
            kept = bytearray()
            if body:
                await recorder.keep(json.loads(body), kept)
            answer = await http.send(sent, stream=True)

            async def stream() -> AsyncIterator[bytes]:
                try:
                    async for chunk in answer.aiter_bytes():
                        kept.extend(chunk)
                        yield chunk
                finally:
                    await answer.aclose()

            named = {k: v for k, v in answer.headers.items() if k not in _OF_A_HOP}
            return StreamingResponse(stream(), answer.status_code, named)

        methods = ["GET", "POST", "DELETE"]
        app = Starlette(routes=[Route("/{path:path}", hand_on, methods=methods)])
        async with serving(app) as port:
            recorder.base = f"http://127.0.0.1:{port}"
            yield recorder
