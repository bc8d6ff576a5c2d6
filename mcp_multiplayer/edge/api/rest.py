"""Operations as REST twins: ``/<name>`` with the tool's arguments, JSON or query."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mcp_multiplayer.edge.api import errors
from mcp_multiplayer.edge.api.dispatch import Dispatch, Operation
from mcp_multiplayer.edge.identity import Identify
from mcp_multiplayer.edge.until_gone import until_gone
from mcp_multiplayer.errors import BadMessage, InvalidRequest, MultiplayerError
from mcp_multiplayer.transcript.canonical_json import NotCanonical, canonical, parse

#: As JSON writes it, and no longer than any that could be meant.
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,18})")


def routes(dispatch: Dispatch, identify: Identify) -> list[Route]:
    return [
        Route(
            f"/{path}", _endpoint(dispatch, operation, identify), methods=[operation.entry.method]
        )
        for operation in dispatch.operations.values()
        for path in (operation.name, *operation.entry.routes)
    ]


def refusal(error: MultiplayerError) -> Response:
    return JSONResponse(errors.body(error), errors.status(error), errors.headers(error))


def _endpoint(
    dispatch: Dispatch, operation: Operation, identify: Identify
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            if operation.entry.method == "GET":
                arguments = _query(operation, request.query_params)
            else:
                arguments = read_json(await request.body())
            waits = operation.waits(arguments)
            async with until_gone(request.receive) if waits else nullcontext():
                answer = await dispatch(operation, identify(request.scope), arguments)
                return JSONResponse(answer.data)
        except MultiplayerError as error:
            return refusal(error)
        return Response(status_code=204)  # nobody is there to read it

    return endpoint


def read_json(body: bytes) -> dict[str, Any]:
    """Read strictly: two readers of one request must not see two requests."""
    try:
        arguments = parse(body or b"{}")
        canonical(arguments)  # half a surrogate pair is JSON, and no log could hold it
    except NotCanonical as error:
        if isinstance(error.__cause__, json.JSONDecodeError | UnicodeDecodeError):
            raise InvalidRequest("the body must be a JSON object") from None
        raise BadMessage(str(error), hint=errors.VALUE_HINT) from None
    if not isinstance(arguments, dict):
        raise InvalidRequest("the body must be a JSON object")
    return arguments


def _query(operation: Operation, query: QueryParams) -> dict[str, Any]:
    """Query values are text; numbers are read as the schema wants them."""
    properties = operation.schema["properties"]
    found: dict[str, Any] = {}
    for name, value in query.multi_items():
        if name in found:
            raise InvalidRequest(f"{name[:40]!r} stands twice in the query")
        wanted = properties.get(name, {}).get("type")
        found[name] = _number(name, value) if wanted == "integer" else value
    return found


def _number(name: str, value: str) -> int:
    if not _WHOLE.fullmatch(value):
        raise InvalidRequest(f"{name} must be a whole number")
    return int(value)
