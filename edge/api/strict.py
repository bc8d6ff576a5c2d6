"""No key twice in one object of a request to MCP, as REST has it.

The library reads such a request and keeps the last value; a reader in between that keeps the first
has seen another request. Whatever its reader takes for JSON is JSON here, so nothing slips by.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pydantic_core
from mcp_types import INVALID_REQUEST
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.api import errors
from engine.errors import BadMessage


class Strict:
    """ASGI: refuses what has two meanings, hands on the rest as it came."""

    def __init__(self, mcp: ASGIApp) -> None:
        self._mcp = mcp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            came = await _all_of(receive)
            body = b"".join(message.get("body", b"") for message in came)
            refusal = _refusal(body)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
            receive = _again(came, receive)
        await self._mcp(scope, receive, send)


async def _all_of(receive: Receive) -> list[Message]:
    came = [await receive()]
    while came[-1].get("more_body"):
        came.append(await receive())
    return came


def _again(came: list[Message], receive: Receive) -> Receive:
    """``receive`` as it was before these messages were taken from it."""
    left = came[::-1]

    async def replay() -> Message:
        return left.pop() if left else await receive()

    return replay


def _refusal(body: bytes) -> JSONResponse | None:
    """What to answer instead of the library, which says in its own words what is no JSON."""
    try:
        json.loads(body, object_pairs_hook=unique, parse_int=str)
        return None
    except BadMessage as found:
        error = found
    except (ValueError, RecursionError):
        return None
    try:
        asked = pydantic_core.from_json(body)
    except ValueError:
        return None
    number = asked.get("id") if isinstance(asked, dict) else None
    known = number if type(number) in (int, str) else None
    said = {"code": INVALID_REQUEST, "message": errors.line(error), "data": errors.body(error)}
    return JSONResponse({"jsonrpc": "2.0", "id": known, "error": said}, 400)


def unique(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """For `json.loads`: the object of these members, or `BadMessage` when it has two meanings."""
    found = dict(members)
    if len(found) == len(members):
        return found
    twice, _ = Counter(key for key, _ in members).most_common(1)[0]
    text = f"the key {twice:.40} stands twice in one object"
    raise BadMessage(text, hint=errors.VALUE_HINT)
