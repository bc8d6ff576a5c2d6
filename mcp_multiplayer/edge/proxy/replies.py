"""Short answers of the proxy itself."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from mcp_multiplayer.edge.pages.layout import refusal_page

Headers = Iterable[tuple[str, str]]


@dataclass(frozen=True)
class Refusal(Exception):
    """What the proxy answers instead of what was asked for."""

    status: int
    code: str
    message: str
    hint: str
    headers: tuple[tuple[str, str], ...] = ()

    async def answer(
        self, scope: Scope, receive: Receive, send: Send, home: str, *, bare: bool = False
    ) -> None:
        """Tell it to a program in the form that REST callers know, to a person as a page with a
        way to ``home``, and if not ``bare`` to the other pages."""
        if not is_browser(scope):
            await refuse(
                send, self.status, self.code, self.message, self.hint, headers=self.headers
            )
            return
        page = refusal_page(self.status, self.message, self.hint, home, bare=bare)
        page.headers.update(dict(self.headers))
        await page(scope, receive, send)


def is_browser(scope: Scope) -> bool:
    """Whether a person looks at the answer."""
    headers = dict(scope["headers"])
    asked = scope["method"] == "GET" and b"authorization" not in headers
    return asked and b"text/html" in headers.get(b"accept", b"").lower()


def bodiless(send: Send) -> Send:
    """``send`` for an answer to HEAD: that of GET without its body (RFC 9110 §9.3.2)."""

    async def without(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return without


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


def rpc_error(code: str, message: str, hint: str, id: Any = None) -> dict[str, Any]:
    """Return a refusal as a JSON-RPC error, of the request ``id``."""
    said = {"error": code, "message": message, "hint": hint}
    error = {"code": -32603, "message": f"{code}: {message} {hint}", "data": said}
    return {"jsonrpc": "2.0", "id": id, "error": error}


def request_id(asked: bytes) -> str | int | None:
    """Return the id of a JSON-RPC request. An error without it is nobody's answer: Codex drops it
    and waits on for minutes."""
    try:
        id = json.loads(asked)["id"]
    except (ValueError, KeyError, TypeError):
        return None
    return id if isinstance(id, str | int) else None


async def refuse(
    send: Send,
    status: int,
    code: str,
    message: str,
    hint: str,
    *,
    headers: Headers = (),
    asked: bytes | None = None,
) -> None:
    """Send a refusal in the one form REST callers know; to ``asked``, a request of MCP, within a
    JSON-RPC error (-32603), the only words of such an answer that its clients show."""
    said: dict[str, Any] = {"error": code, "message": message, "hint": hint}
    if asked is not None:
        said = rpc_error(code, message, hint, request_id(asked))
    body = json.dumps(said).encode()
    fixed = [("Cache-Control", "no-store"), *headers]
    await reply(send, status, body, kind="application/json", headers=fixed)
