"""Short answers of the proxy itself. Changes when an error of ours is told differently."""

from __future__ import annotations

import json
from collections.abc import Iterable

from starlette.types import Send

Headers = Iterable[tuple[str, str]]


async def reply(
    send: Send, status: int, body: bytes = b"", *, kind: str = "", headers: Headers = ()
) -> None:
    """Send a whole answer."""
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    if kind:
        raw.append((b"content-type", kind.encode()))
    if status != 204:
        raw.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


async def refuse(
    send: Send, status: int, code: str, message: str, hint: str, *, headers: Headers = ()
) -> None:
    """Send a refusal in the one form REST callers know."""
    body = json.dumps({"error": code, "message": message, "hint": hint}).encode()
    fixed = [("Cache-Control", "no-store"), *headers]
    await reply(send, status, body, kind="application/json", headers=fixed)
