"""Refusals on the wire: one table for HTTP, one line for MCP."""

from __future__ import annotations

from typing import Any

from mcp_multiplayer.edge.api import render_text
from mcp_multiplayer.errors import (
    BotRejected,
    Conflict,
    Later,
    Malformed,
    MultiplayerError,
    NotFound,
    RateLimited,
    Refused,
    TooLarge,
    Unavailable,
)

#: The first family that an error belongs to gives its status.
STATUS: dict[type[MultiplayerError], int] = {
    Malformed: 400,
    Refused: 403,
    NotFound: 404,
    Conflict: 409,
    TooLarge: 413,
    BotRejected: 422,
    RateLimited: 429,
    Unavailable: 503,
    MultiplayerError: 500,
}


#: For a value that no log could hold, wherever in the arguments it stands.
VALUE_HINT = "Correct that value and call again."


class Internal(MultiplayerError):
    """Our own fault. The caller learns nothing of it but that it may try again."""

    code = "INTERNAL_ERROR"
    hint = "This is the server's fault. Repeat the call; if it stays, tell the operator."


def status(error: MultiplayerError) -> int:
    return status_of(type(error))


def status_of(kind: type[MultiplayerError]) -> int:
    return next(code for family, code in STATUS.items() if issubclass(kind, family))


def body(error: MultiplayerError) -> dict[str, Any]:
    said: dict[str, Any] = {"error": error.code, "message": str(error), "hint": error.hint}
    return said | {"retry_after": error.wait} if isinstance(error, Later) else said


def headers(error: MultiplayerError) -> dict[str, str]:
    """``Retry-After`` in whole seconds, rounded up (RFC 9110 §10.2.3)."""
    return {"Retry-After": str(error.wait)} if isinstance(error, Later) else {}


def line(error: MultiplayerError) -> str:
    """``CODE: sentence. Hint.`` on one line, whatever names the sentence quotes."""
    sentence = str(error).rstrip(".")
    return render_text.plain(" ".join(f"{error.code}: {sentence}. {error.hint}".split()))


def rpc(error: MultiplayerError, code: int, **more: Any) -> dict[str, Any]:
    """The error of a JSON-RPC response; ``more`` is told in its data."""
    return {"code": code, "message": line(error), "data": body(error) | more}
