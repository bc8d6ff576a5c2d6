"""The public halves of the keys that sign logs, for everybody.

On the other side is the whole internet. The server writes the file; this process reads
nothing else in its directory, so no private key is in reach here. Nobody should trust a
key because it stands here: an invite pins the one that counts (docs/trust.md).
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from mcp_multiplayer.channel.identifiers import CHANNEL_ID
from mcp_multiplayer.edge.auth.endpoints import CORS, PREFLIGHT, Endpoint
from mcp_multiplayer.edge.auth.metadata import JWKS
from mcp_multiplayer.service.log_keys import PUBLISHED, published_vkeys

VKEYS = "/.well-known/mpx/vkeys"
HEADERS = {**CORS, "Cache-Control": "public, max-age=300"}
ORIGIN = re.compile(rf"[A-Za-z0-9.:\[\]-]{{1,255}}/c/{CHANNEL_ID.pattern}")
_EMPTY: dict[str, Any] = {"keys": []}


class Jwks:
    """The published file of ``directory``, read anew when the server has written it."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / PUBLISHED
        self._seen: tuple[tuple[int, int], dict[str, Any]] | None = None

    def routes(self) -> dict[tuple[str, str], Endpoint]:
        """Return (method, path) -> handler, as the proxy's public table wants them."""
        return {
            ("GET", JWKS): self.jwks,
            ("GET", VKEYS): self.vkeys,
            ("OPTIONS", JWKS): _preflight,
            ("OPTIONS", VKEYS): _preflight,
        }

    async def jwks(self, request: Request) -> Response:
        """RFC 7517 §5. Access tokens are opaque: the set holds keys of logs and no others."""
        return JSONResponse(await run_sync(self._read), headers=HEADERS)

    async def vkeys(self, request: Request) -> Response:
        """The keys under the name of one room, one a line, the newest first."""
        origin = request.query_params.get("origin", "")
        if not ORIGIN.fullmatch(origin):
            said = "Name the room: /.well-known/mpx/vkeys?origin=<host>/c/<channel id>\n"
            return PlainTextResponse(said, 400, CORS | {"Cache-Control": "no-store"})
        lines = published_vkeys(await run_sync(self._read), origin)
        return PlainTextResponse("".join(f"{line}\n" for line in lines), headers=HEADERS)

    def _read(self) -> dict[str, Any]:
        try:
            found = self._path.stat()
        except FileNotFoundError:  # no server has run here yet
            return _EMPTY
        mark = (found.st_ino, found.st_mtime_ns)
        if self._seen is None or self._seen[0] != mark:
            self._seen = (mark, json.loads(self._path.read_text()))
        return self._seen[1]


async def _preflight(request: Request) -> Response:
    return Response(status_code=204, headers=PREFLIGHT)
