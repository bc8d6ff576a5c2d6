"""The short way of a tool call in the era of the handshake (2025-06-18 and 2025-11-25).

The library opens a transport, a session and five tasks for each such request, a third of
the server's work, though nothing of it outlives the request. A call that is beyond doubt is
answered here with the same status, type and JSON; whatever is not (another method, era or
media type, a field more, a body in pieces, what is not JSON) goes to the library untouched, which
also refuses it. `tests/edge/api/test_short.py` asks both ways the same.
"""

from __future__ import annotations

import json
from typing import Any

import pydantic_core
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.api.dispatch import Dispatch
from edge.api.strict import unique
from edge.api.tools import answer
from edge.identity import Caller, Identify
from engine.errors import BadMessage

VERSIONS = frozenset({b"2025-06-18", b"2025-11-25"})
_JSON = b"application/json"
_ENVELOPE = {"jsonrpc", "id", "method", "params"}
Json = dict[str, Any]


class ShortWay:
    """ASGI: answers the calls it can, hands on the rest."""

    def __init__(self, mcp: ASGIApp, dispatch: Dispatch, identify: Identify) -> None:
        self._mcp = mcp
        self._dispatch = dispatch
        self._identify = identify

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _may_be_one(scope):
            first = await receive()
            asked = _call_in(first, short=dict(scope["headers"])[b"content-type"] == _JSON)
            if asked is not None:
                await self._answer(asked, self._identify(scope), send)
                return
            receive = _again(first, receive)
        await self._mcp(scope, receive, send)

    async def _answer(self, asked: Json, caller: Caller, send: Send) -> None:
        params = asked["params"]
        said, failed = await answer(
            self._dispatch, caller, params["name"], params.get("arguments") or {}
        )
        result = {
            "content": [{"type": "text", "text": said.text}],
            "structuredContent": said.data,
            "isError": failed,
        }
        reply = {"jsonrpc": "2.0", "id": asked["id"], "result": result}
        body = json.dumps(reply, ensure_ascii=False, separators=(",", ":")).encode()
        headers = [(b"content-type", _JSON), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _may_be_one(scope: Scope) -> bool:
    if scope["method"] != "POST":
        return False
    headers = dict(scope["headers"])
    return (
        headers.get(b"mcp-protocol-version") in VERSIONS
        and headers.get(b"content-type", b"").partition(b";")[0].strip() == _JSON
        and _JSON in [part.strip() for part in headers.get(b"accept", b"").split(b",")]
    )


def _call_in(message: Message, *, short: bool) -> Json | None:
    """Return the request, if the whole of it is here and is a plain tool call; when it is not to
    be answered the ``short`` way, only if the library could not read it."""
    if message["type"] != "http.request" or message.get("more_body"):
        return None
    try:
        asked = pydantic_core.from_json(message.get("body", b""))
        if not short:
            return None
    except ValueError:
        asked = _what_python_reads(message.get("body", b""))
    plain = (
        isinstance(asked, dict)
        and asked.keys() == _ENVELOPE
        and asked["jsonrpc"] == "2.0"
        and asked["method"] == "tools/call"
        and type(asked["id"]) in (int, str)
        and isinstance(asked["params"], dict)
        and _plain(asked["params"])
    )
    return asked if plain else None


def _what_python_reads(body: bytes) -> Any:
    """Half of a surrogate pair and deep nesting are JSON, and clients send what a model wrote. Our
    own check of the arguments refuses them by name; the library would only say it cannot parse."""
    try:
        asked = json.loads(body, object_pairs_hook=unique)
        return asked if str(asked["id"]).isascii() else None  # the answer repeats it
    except (ValueError, TypeError, KeyError, RecursionError, BadMessage):
        return None


def _plain(params: Json) -> bool:
    """A name, arguments and at most a token for progress, which no call of ours reports."""
    meta = params.get("_meta", {})
    return (
        params.keys() <= {"name", "arguments", "_meta"}
        and isinstance(params.get("name"), str)
        and isinstance(params.get("arguments", {}), dict)
        and isinstance(meta, dict)
        and meta.keys() <= {"progressToken"}
        and type(meta.get("progressToken", "")) in (int, str)
    )


def _again(first: Message, receive: Receive) -> Receive:
    """``receive`` as it was before ``first`` was taken from it."""
    taken = [first]

    async def replay() -> Message:
        return taken.pop() if taken else await receive()

    return replay
