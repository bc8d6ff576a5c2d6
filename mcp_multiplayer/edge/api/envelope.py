"""A request to the MCP endpoint before any library sees it: is it one message of one meaning?

On the other side is whoever holds a token. The rules are those of JSON-RPC 2.0, of MCP (an id is
text or a whole number, no batches since 2025-06-18) and of RFC 9110 (media types); what breaks one
is refused here, in our words and with the code of the specification, in both protocol eras alike.
The libraries behind would take a request whose id is null for a notification, which is never
answered, and keep the last of two equal keys, where a reader in between may have seen the first.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import pydantic_core
from mcp_types import INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_multiplayer.edge.api import errors
from mcp_multiplayer.errors import BadMessage, InvalidRequest, MultiplayerError

#: In the scope of a request that passed: its one message, as JSON has it.
MESSAGE = "mpx.message"
#: In the scope, too: whether its client takes an event stream for an answer, and says so.
STREAMS = "mpx.streams"
#: And a `receive` that gives its body again, for a library that reads it itself.
AGAIN = "mpx.again"
Json = dict[str, Any]
Headers = Iterable[tuple[bytes, bytes]]

_JSON = "application/json"
STREAM = "text/event-stream"
_TAKEN = b"application/json, text/event-stream"
_LONGEST_ID = 1 << 64
_DIGITS = 100  #: more are beyond any number that a message may hold


class Fault(Exception):
    """The request is no message of MCP. ``id`` is the request's own where it could be read."""

    def __init__(
        self,
        error: MultiplayerError,
        *,
        code: int = INVALID_REQUEST,
        status: int = 400,
        id: int | str | None = None,
    ) -> None:
        super().__init__(str(error))
        said = {"jsonrpc": "2.0", "id": id, "error": errors.rpc(error, code)}
        self.response = JSONResponse(said, status)


class Envelope:
    """ASGI: refuses what is no single message, hands on the rest with what was read of it."""

    def __init__(self, mcp: ASGIApp) -> None:
        self._mcp = mcp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                scope = await _opened(scope, receive)
            except Fault as fault:
                await fault.response(scope, receive, send)
                return
            except ClientDisconnect:  # half a message has been asked by nobody
                return
        await self._mcp(scope, receive, send)


async def _opened(scope: Scope, receive: Receive) -> Scope:
    """The request with its message in the scope, or a `Fault`; `ClientDisconnect` when its body
    does not come whole."""
    if scope["method"] != "POST":
        error = InvalidRequest(
            f"the MCP endpoint is not asked with {scope['method']}",
            hint="POST one JSON-RPC message; there are no sessions and no streams here.",
        )
        fault = Fault(error, status=405)
        fault.response.headers["Allow"] = "POST"
        raise fault
    headers, streams = _negotiated(scope["headers"])
    came: list[Message] = []
    while not came or came[-1].get("more_body"):
        came.append(await receive())
        if came[-1]["type"] == "http.disconnect":
            raise ClientDisconnect
    body = b"".join(part.get("body", b"") for part in came)
    read = {MESSAGE: _message(body), STREAMS: streams, AGAIN: _again(came, receive)}
    return {**scope, "headers": headers, **read}


def _again(came: list[Message], receive: Receive) -> Receive:
    """``receive`` as it was before these messages were taken from it."""
    left = came[::-1]

    async def replay() -> Message:
        return left.pop() if left else await receive()

    return replay


# Media types


def _negotiated(headers: Headers) -> tuple[list[tuple[bytes, bytes]], bool]:
    """The headers as the libraries want them, whose own reading of the two is narrower than RFC
    9110 has it, and whether a stream is taken; or a `Fault`."""
    accept = _values(headers, b"accept")
    if not accepts_json(accept):
        error = InvalidRequest(
            "answers here are JSON, which this Accept excludes",
            hint="Send Accept: application/json, text/event-stream, or none.",
        )
        raise Fault(error, status=406)
    kind = _values(headers, b"content-type").lower()
    if kind.partition(";")[0].strip() not in ("", _JSON):
        error = InvalidRequest(
            "a message is JSON, and this Content-Type is not", hint=f"Send Content-Type: {_JSON}."
        )
        raise Fault(error, status=415)
    kept = [pair for pair in headers if pair[0] not in (b"accept", b"content-type")]
    kept += [(b"accept", _TAKEN), (b"content-type", (kind or _JSON).encode("latin-1"))]
    return kept, _taken(accept).get(STREAM, False)


def _values(headers: Headers, name: bytes) -> str:
    return ", ".join(value.decode("latin-1") for key, value in headers if key == name)


def accepts_json(accept: str) -> bool:
    """Whether a client that sends this Accept takes JSON (RFC 9110 §12.5.1): none means any, the
    most specific range counts, and a weight of 0 excludes."""
    taken = _taken(accept)
    ranges = (_JSON, "application/*", "*/*")
    return not accept.strip() or next((taken[kind] for kind in ranges if kind in taken), False)


@lru_cache(maxsize=64)  # there are few, and each request has one
def _taken(accept: str) -> Mapping[str, bool]:
    """What each range of an Accept says."""
    taken: dict[str, bool] = {}
    for part in accept.lower().split(","):
        kind, *params = [field.strip() for field in part.split(";")]
        weight = next((p[2:] for p in params if p.startswith("q=")), "1")
        taken[kind] = bool(weight.strip("0."))
    return taken


# The message


def _message(body: bytes) -> Json:
    try:
        found = json.loads(body.decode(), object_pairs_hook=_unique, parse_int=_whole)
    except BadMessage as error:
        raise Fault(error, id=_id_of(body)) from None
    except (ValueError, RecursionError):
        raise _no_json() from None
    if isinstance(found, list):
        raise _invalid("batches are not taken", "Send each message in a request of its own.")
    if not isinstance(found, dict):
        raise _invalid("a message is a JSON object", "See JSON-RPC 2.0.")
    _check(found)
    if found["method"] != "tools/call" and not _plain(body):
        text = "a text holds half of a surrogate pair, or the message is nested too deeply"
        raise Fault(BadMessage(text, hint=errors.VALUE_HINT), code=PARSE_ERROR, id=found.get("id"))
    return found


def _check(message: Json) -> None:
    """The envelope's own members (JSON-RPC 2.0 §4), or a `Fault`."""
    if "method" not in message and message.keys() & {"result", "error"}:
        raise _invalid(
            "this server asks its clients nothing, so it takes no responses",
            "Send requests and notifications only.",
        )
    known = message.get("id")
    if "id" in message and not _is_id(known):
        raise _invalid("id must be text or a whole number", "A notification has no id at all.")
    if message.get("jsonrpc") != "2.0":
        raise _invalid('jsonrpc must be "2.0"', "See JSON-RPC 2.0.", known)
    if not isinstance(message.get("method"), str):
        raise _invalid("method must be text", "tools/list and tools/call do most.", known)
    params = message.get("params", {})
    if isinstance(params, list):
        error = InvalidRequest("params must be an object", hint="MCP names each parameter.")
        raise Fault(error, code=INVALID_PARAMS, id=known)
    if params is not None and not isinstance(params, dict):
        raise _invalid("params must be an object", "Leave it out where there are none.", known)


def _no_json() -> Fault:
    text = "the body is no JSON, or is nested too deeply"
    error = InvalidRequest(text, hint="Send one JSON-RPC message in UTF-8.")
    return Fault(error, code=PARSE_ERROR)


def _invalid(text: str, hint: str, id: int | str | None = None) -> Fault:
    return Fault(InvalidRequest(text, hint=hint), id=id)


def _is_id(value: Any) -> bool:
    """MCP: text or a whole number. The answer repeats it, so it must be possible to write."""
    if isinstance(value, str):
        return value.isascii() or not any("\ud800" <= sign <= "\udfff" for sign in value)
    return type(value) is int and abs(value) < _LONGEST_ID


def _id_of(body: bytes) -> int | str | None:
    """The id of a message with some key twice, unless it is the id. What is no JSON further on is a
    `Fault`, for the first of two readers would not have got that far."""
    try:
        members = json.loads(body, object_pairs_hook=_Members, parse_int=_whole)
    except (ValueError, RecursionError):
        raise _no_json() from None
    pairs = members.pairs if isinstance(members, _Members) else []
    ids = [value for name, value in pairs if name == "id"]
    return ids[0] if len(ids) == 1 and _is_id(ids[0]) else None


class _Members:
    """The members of an object as they stand, equal keys and all."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs


def _whole(digits: str) -> int:
    """What Python refuses to read is too large here as well, and stays so when it is cut."""
    return int(digits[:_DIGITS])


def _plain(body: bytes) -> bool:
    """Whether the library of the handshake era can read it. What a model wrote into the arguments
    of a tool may be worse, and is refused by name where they are checked."""
    try:
        pydantic_core.from_json(body)
        return True
    except ValueError:
        return False


def _unique(members: list[tuple[str, Any]]) -> Json:
    """For `json.loads`: the object of these members, or `BadMessage` when it has two meanings."""
    found = dict(members)
    if len(found) == len(members):
        return found
    twice, _ = Counter(key for key, _ in members).most_common(1)[0]
    text = f"the key {twice:.40} stands twice in one object"
    raise BadMessage(text, hint=errors.VALUE_HINT)
