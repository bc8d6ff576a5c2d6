"""The short way of a tool call in the era of the handshake (2025-06-18 and 2025-11-25).

The library opens a transport, a session and five tasks for each such request, a third of the
server's work, though nothing of it outlives the request. A call that is beyond doubt is answered
here with the same status, type and JSON; whatever is not (another method or era, a field more) goes
to the library, which also refuses it. `tests/edge/api/test_mcp_fastpath.py` asks both ways the
same.
"""

from __future__ import annotations

import json
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_multiplayer.edge.api.dispatch import Dispatch
from mcp_multiplayer.edge.api.envelope import MESSAGE
from mcp_multiplayer.edge.api.mcp_result import STRUCTURED, result_of
from mcp_multiplayer.edge.api.tools import answer
from mcp_multiplayer.edge.identity import Caller, Identify
from mcp_multiplayer.transcript.canonical_json import NotCanonical, canonical

VERSIONS = frozenset({"2025-06-18", "2025-11-25"})
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
        if scope["type"] == "http" and _may_be_short(scope):
            await self._answer(scope[MESSAGE], self._identify(scope), send)
        else:
            await self._mcp(scope, receive, send)

    async def _answer(self, asked: Json, caller: Caller, send: Send) -> None:
        params = asked["params"]
        reply = {"jsonrpc": "2.0", "id": asked["id"]}
        try:
            said, failed = await answer(
                self._dispatch, caller, params["name"], params.get("arguments") or {}
            )
            reply["result"] = result_of(said, failed, params.get("_meta"))
        except MCPError as error:
            reply["error"] = error.error.model_dump(exclude_none=True)
        body = json.dumps(reply, ensure_ascii=False, separators=(",", ":")).encode()
        headers = [(b"content-type", _JSON), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _may_be_short(scope: Scope) -> bool:
    """Whether this is a plain call of a version with structured content, or one of any version of
    this era which the library could not read: our own check of the arguments refuses those by
    name, for clients send what a model wrote."""
    version = dict(scope["headers"]).get(b"mcp-protocol-version", b"").decode("latin-1")
    asked = scope[MESSAGE]
    return _is_call(asked) and (
        version in VERSIONS
        or (version in ("", *HANDSHAKE_PROTOCOL_VERSIONS) and not _readable(asked["params"]))
    )


def _is_call(asked: Json) -> bool:
    return (
        asked.keys() == _ENVELOPE
        and asked["method"] == "tools/call"
        and isinstance(asked["params"], dict)
        and _plain(asked["params"])
    )


def _readable(params: Json) -> bool:
    try:
        canonical(params)
        return True
    except NotCanonical:
        return False


def _plain(params: Json) -> bool:
    """A name, arguments, and of metadata at most a token for progress (``progress``), and whether
    JSON is wanted."""
    meta = params.get("_meta", {})
    return (
        params.keys() <= {"name", "arguments", "_meta"}
        and isinstance(params.get("name"), str)
        and isinstance(params.get("arguments", {}), dict)
        and isinstance(meta, dict)
        and meta.keys() <= {"progressToken", STRUCTURED}
        and type(meta.get("progressToken", "")) in (int, str)
    )
