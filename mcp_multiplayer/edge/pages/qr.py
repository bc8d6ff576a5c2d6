"""Links as pictures that a telephone's camera reads.

On the other side is anybody. The link comes in a body, for an invite in an address would stand in
logs and histories; it is drawn and forgotten. The longest takes 28 ms, on the threads that look
tokens up as well, so addresses are counted (`tests/attacks/test_drawing_flood.py`).
"""

from __future__ import annotations

import io
import json
from collections.abc import Awaitable, Callable

import segno
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mcp_multiplayer.edge import body
from mcp_multiplayer.edge.api import errors
from mcp_multiplayer.edge.proxy.address import Addresses
from mcp_multiplayer.errors import RateLimited
from mcp_multiplayer.ratelimit import RateLimit

QR = "/qr"
MAX_TEXT = 500  #: characters; an invite's link has some 120
PER_MINUTE = 60  #: of an address
_MAX_BODY = 2048


def routes(
    addresses: Addresses, drawn: RateLimit
) -> dict[tuple[str, str], Callable[[Request], Awaitable[Response]]]:
    """Return (method, path) -> handler."""

    async def endpoint(request: Request) -> Response:
        if (wait := drawn.take(addresses.sender(request.scope))) > 0:
            error = RateLimited("too many pictures drawn for your network", retry_after=wait)
            return JSONResponse(errors.body(error), errors.status(error), errors.headers(error))
        return await _qr(request)

    return {("POST", QR): endpoint}


async def _qr(request: Request) -> Response:
    """{"text": …} -> image/svg+xml"""
    try:
        text = json.loads(await body.read(request, _MAX_BODY))["text"]
        if not isinstance(text, str) or not 0 < len(text) <= MAX_TEXT:
            raise ValueError
        drawn = await run_sync(_drawn, text)
    except (body.TooLong, ValueError, KeyError, TypeError, RecursionError):
        said = {
            "error": "INVALID_REQUEST",
            "message": f"the body is no JSON object with a text of 1 to {MAX_TEXT} characters",
            "hint": 'Send {"text": "https://…"}.',
        }
        return JSONResponse(said, 400, {"Cache-Control": "no-store"})
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(drawn, media_type="image/svg+xml", headers=headers)


def _drawn(text: str) -> bytes:
    made = io.BytesIO()
    segno.make(text, error="m", micro=False).save(made, kind="svg", border=2, xmldecl=False)
    return made.getvalue()
