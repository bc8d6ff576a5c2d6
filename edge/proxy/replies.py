"""Short answers of the proxy itself. Changes when an error of ours is told differently."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

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
    send: Send,
    status: int,
    code: str,
    message: str,
    hint: str,
    *,
    headers: Headers = (),
    rpc: bool = False,
) -> None:
    """Send a refusal in the one form REST callers know; with ``rpc`` within a JSON-RPC error
    (-32603), the only words of such an answer that MCP clients show. Its id was not read."""
    said: dict[str, Any] = {"error": code, "message": message, "hint": hint}
    if rpc:
        error = {"code": -32603, "message": f"{code}: {message} {hint}", "data": said}
        said = {"jsonrpc": "2.0", "id": None, "error": error}
    body = json.dumps(said).encode()
    fixed = [("Cache-Control", "no-store"), *headers]
    await reply(send, status, body, kind="application/json", headers=fixed)
