"""A tool call over MCP (server/tools): who answers it, and what the answer is.

The library opens a transport, a session and five tasks for each call of the handshake era, and a
connection, a context and four models for one of the era without (2026-07-28): a third of the
server's work, though nothing of it outlives the request. A call that is beyond doubt is answered
here with the same status, type and JSON; whatever is not (another version, a field more) goes to
the library, which also refuses it. `tests/edge/api/test_mcp_call.py` asks both ways the same.

The result is text, and JSON only where it was asked for. Claude Code, Codex, the Claude agent SDK
and pydantic-ai show a model nothing but `structuredContent` where there is any, so what the text
alone says (who could cheat, whose words these are, the receipt) would never reach it, and a move
would cost four times the tokens. A program that wants the JSON of the REST twin says so in the
request's `_meta`; data for a board view, which no client hands to a model, is in the result's own
`_meta`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp_types import (
    CLIENT_CAPABILITIES_META_KEY,
    CLIENT_INFO_META_KEY,
    INVALID_PARAMS,
    PROTOCOL_VERSION_META_KEY,
    SERVER_INFO_META_KEY,
)
from mcp_types.methods import validate_client_request
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, LATEST_MODERN_VERSION
from pydantic import ValidationError
from pydantic_core import to_json
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_multiplayer.edge.api import errors, progress
from mcp_multiplayer.edge.api.dispatch import Dispatch, Operation
from mcp_multiplayer.edge.api.envelope import AGAIN, MESSAGE, STREAMS
from mcp_multiplayer.edge.api.operations.base import Answer
from mcp_multiplayer.edge.api.waits import CANCELLED, Waits
from mcp_multiplayer.edge.identity import Caller, Identify
from mcp_multiplayer.errors import BadMessage, InvalidRequest, MultiplayerError
from mcp_multiplayer.transcript.canonical_json import NotCanonical, canonical

METHOD = "tools/call"
#: Versions whose plain calls are answered here: of the handshake era those with structured content.
VERSIONS = frozenset({"2025-06-18", "2025-11-25", LATEST_MODERN_VERSION})
#: Keys of `_meta`: true in a request, JSON is wanted; in a result, the panels of a referee.
STRUCTURED = "mcp-multiplayer/structured"
BOARDS = "mcp-multiplayer/boards"

_JSON = b"application/json"
_ENVELOPE = {"jsonrpc", "id", "method", "params"}
_PARAMS = {"name", "arguments", "_meta"}
_META = {"progressToken", STRUCTURED}
#: What each request of the modern era has beside these.
_MODERN = {PROTOCOL_VERSION_META_KEY, CLIENT_CAPABILITIES_META_KEY, CLIENT_INFO_META_KEY}
#: A prefix with one of these labels is the protocol's own (MCP, basic, `_meta`).
_RESERVED = {"modelcontextprotocol", "mcp"}
_VERSION = b"mcp-protocol-version"
Json = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """A message that asks for a tool, with what every part of the way has to know of it."""

    message: Json
    name: str
    arguments: Json
    meta: Json

    @classmethod
    def of(cls, message: Json) -> Call | None:
        """The call that the message is; None for all else, and for what no tool can be called
        with."""
        params = message.get("params")
        if message.get("method") != METHOD or not isinstance(params, dict):
            return None
        name, given, meta = params.get("name"), params.get("arguments"), params.get("_meta")
        arguments, meta = {} if given is None else given, {} if meta is None else meta
        if isinstance(name, str) and isinstance(arguments, dict) and isinstance(meta, dict):
            return cls(message, name, arguments, meta)
        return None

    @property
    def token(self) -> str | int | None:
        """With which it asks for progress."""
        token = self.meta.get("progressToken")
        return token if type(token) in (str, int) else None

    @property
    def plain(self) -> bool:
        """It has no member that only some version knows, and none that is null."""
        params = self.message["params"]
        return (
            self.message.keys() == _ENVELOPE
            and params.keys() <= _PARAMS
            and None not in params.values()
            and (self.token is not None or "progressToken" not in self.meta)
        )

    def means_only(self, known: set[str]) -> bool:
        """Its metadata has nothing but what is ``known``, and what some client says to itself."""
        return all(map(_is_of_a_client, self.meta.keys() - known))


class Calls:
    """ASGI, behind `Envelope`: answers the calls it can, hands the library the rest, and watches
    over those that wait, whoever answers them. ``info``: what names this server in a result of the
    modern era."""

    def __init__(self, mcp: ASGIApp, dispatch: Dispatch, identify: Identify, info: Json) -> None:
        self._mcp = mcp
        self._dispatch = dispatch
        self._identify = identify
        self._info = info
        self._waits = Waits()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = scope.get(MESSAGE, {})
        call = Call.of(message)
        if call is None:
            if message.get("method") == CANCELLED:
                self._waits.cancel(self._identify(scope), message)
            await self._library(scope, receive, send)
            return
        caller = self._identify(scope)
        operation = self._dispatch.operations.get(call.name)
        serve: ASGIApp = self._library
        version = dict(scope["headers"]).get(_VERSION, b"").decode("latin-1")
        if call.plain and _is_ours(call, operation, version, scope):
            serve = partial(self._answer, call, caller, version)
        if operation is not None and operation.waits(call.arguments):
            serve = partial(self._waits.watch, serve, caller, message.get("id"))
        if scope[STREAMS] and (token := call.token) is not None:
            serve = partial(progress.report, serve, token)
        await serve(scope, receive, send)

    async def _library(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._mcp(scope, scope.get(AGAIN, receive), send)

    async def _answer(
        self, call: Call, caller: Caller, version: str, _: Scope, __: Receive, send: Send
    ) -> None:
        reply: Json = {"jsonrpc": "2.0", "id": call.message["id"]}
        try:
            said, failed = await answer(self._dispatch, caller, call.name, call.arguments)
            result = reply["result"] = result_of(said, failed, call.meta)
            if version == LATEST_MODERN_VERSION:
                result["resultType"] = "complete"
                result["_meta"] = {**result.get("_meta", {}), SERVER_INFO_META_KEY: self._info}
        except MCPError as error:
            reply["error"] = error.error.model_dump(exclude_none=True)
        body = to_json(reply)
        headers = [(b"content-type", _JSON), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _is_of_a_client(key: str) -> bool:
    prefix, slash, _ = key.partition("/")
    return bool(slash) and not _RESERVED & set(prefix.lower().split("."))


def _is_ours(call: Call, operation: Operation | None, version: str, scope: Scope) -> bool:
    """Whether a plain call is beyond doubt in its version, or one of any version of the handshake
    era which the library could not read: our own check of the arguments refuses those by name, for
    clients send what a model wrote."""
    if version == LATEST_MODERN_VERSION:
        return version in VERSIONS and operation is not None and _is_modern(call, scope)
    if not call.means_only(_META):
        return False
    return version in VERSIONS or (
        version in ("", *HANDSHAKE_PROTOCOL_VERSIONS) and not _is_readable(call)
    )


def _is_modern(call: Call, scope: Scope) -> bool:
    """Whether the headers say what the body says (2026-07-28, streamable HTTP), each once and no
    argument among them, and the body is what the library takes for a call."""
    told = sorted(pair for pair in scope["headers"] if pair[0].startswith(b"mcp-"))
    said = [
        (b"mcp-method", METHOD.encode()),
        (b"mcp-name", call.name.encode()),
        (_VERSION, LATEST_MODERN_VERSION.encode()),
    ]
    if told != said or not call.means_only(_META | _MODERN):
        return False
    if call.meta.get(PROTOCOL_VERSION_META_KEY) != LATEST_MODERN_VERSION:
        return False
    try:
        validate_client_request(METHOD, LATEST_MODERN_VERSION, call.message["params"])
        return True
    except ValidationError:
        return False


def _is_readable(call: Call) -> bool:
    try:
        canonical(call.message["params"])
        return True
    except NotCanonical:
        return False


async def answer(
    dispatch: Dispatch, caller: Caller, name: str, arguments: Json
) -> tuple[Answer, bool]:
    """Call a tool. Return what it says, and whether that is a refusal. That there is no such tool
    is an error of the protocol (MCP, server/tools, Error Handling)."""
    operation = dispatch.operations.get(name)
    if operation is None:
        unknown = InvalidRequest(f"there is no tool {name[:60]!r}", hint="tools/list names them.")
        raise MCPError(**errors.rpc(unknown, INVALID_PARAMS))
    try:
        return await dispatch(operation, caller, _checked(arguments)), False
    except MultiplayerError as error:
        return Answer(errors.body(error), errors.line(error)), True


def _checked(arguments: Json) -> Json:
    """Refuse what no log could hold before anything looks at it."""
    try:
        canonical(arguments)
    except NotCanonical as error:
        raise BadMessage(str(error), hint=errors.VALUE_HINT) from None
    return arguments


def result_of(said: Answer, failed: bool, meta: Mapping[str, Any] | None) -> Json:
    """The result as JSON. ``meta`` is the request's `_meta`."""
    result: Json = {
        "content": [{"type": "text", "text": said.text}],
        "isError": failed,
    }
    if meta is not None and meta.get(STRUCTURED) is True:
        result["structuredContent"] = said.data
    if boards := said.data.get("boards"):
        result["_meta"] = {BOARDS: boards}
    return result
