"""Links as pictures that a telephone's camera reads.

On the other side is anybody. The link comes in a body, for an invite in an address would stand in
logs and histories; it is drawn and forgotten.
"""

from __future__ import annotations

import io
import json
from collections.abc import Awaitable, Callable

import segno
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

QR = "/qr"
MAX_TEXT = 500  #: characters; an invite's link has some 120
_MAX_BODY = 2048


def routes() -> dict[tuple[str, str], Callable[[Request], Awaitable[Response]]]:
    """Return (method, path) -> handler."""
    return {("POST", QR): _qr}


async def _qr(request: Request) -> Response:
    """{"text": …} -> image/svg+xml"""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY:
            break
    try:
        text = json.loads(body)["text"]
        if not isinstance(text, str) or not 0 < len(text) <= MAX_TEXT:
            raise ValueError
        drawn = await run_sync(_drawn, text)
    except (ValueError, KeyError, TypeError, RecursionError):
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
