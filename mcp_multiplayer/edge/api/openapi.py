"""The REST twins as an OpenAPI 3.1 document: the operations of the table, the schemas that their
arguments are checked against, and every code that a refusal can have.

Nothing here is written down twice, so the document cannot differ from the server
(`tests/edge/api/test_openapi.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mcp_multiplayer.edge import product
from mcp_multiplayer.edge.api import errors  # with `Internal`, one of the refusals
from mcp_multiplayer.edge.api.dispatch import Operation
from mcp_multiplayer.errors import Later, MultiplayerError

Json = dict[str, Any]

#: What the proxy says to a request without a live token, before any operation is asked.
UNAUTHORIZED = "UNAUTHORIZED"
_ABOUT = (
    "Each operation is an MCP tool and a REST route of the same name, with the same arguments and"
    " the same result. Sign in with OAuth 2.1 (a browser, a device code, or client credentials for"
    " programs) and send the token as a bearer. A refusal is JSON with a code for programs, a"
    " message, and a hint that says what to do next."
)
_STATUSES = {
    400: "The request is wrong.",
    401: "There is no token, or it is no longer good.",
    403: "The rules say no.",
    404: "There is no such thing, or you may not know of it.",
    409: "It was right a moment ago, or for somebody else.",
    413: "Something exceeds a limit.",
    422: "The source cannot be a referee here.",
    429: "Too fast. Retry-After says for how long to wait.",
    500: "The server's own fault.",
    503: "Not at the moment. Retry-After says when to try again.",
}


def document(
    operations: Iterable[Operation], *, base: str, version: str, scope: str = "mcp"
) -> Json:
    """Return the document for a server that is reached at ``base`` (no trailing slash)."""
    known = codes()
    paths = {
        f"/{path}": {operation.entry.method.lower(): _operation(operation, path, known)}
        for operation in operations
        for path in (operation.name, *operation.entry.routes)
    }
    flow = {"tokenUrl": f"{base}/token", "scopes": {scope: "everything that an account may do"}}
    signing_in = flow | {
        "authorizationUrl": f"{base}/oauth/authorize",
        "refreshUrl": f"{base}/token",
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": product.NAME, "version": version, "description": _ABOUT},
        "servers": [{"url": base}],
        "security": [{"oauth": [scope]}],
        "paths": paths,
        "components": {
            "schemas": {"Error": _error(known)},
            "responses": {str(status): _refusal(status, known[status]) for status in sorted(known)},
            "securitySchemes": {
                "oauth": {
                    "type": "oauth2",
                    "description": f"Metadata: {base}/.well-known/oauth-authorization-server",
                    "flows": {"authorizationCode": signing_in, "clientCredentials": flow},
                }
            },
        },
    }


def codes() -> dict[int, dict[str, str]]:
    """Status -> code -> what it means."""
    found: dict[int, dict[str, str]] = {401: {UNAUTHORIZED: "This address needs an access token."}}
    for kind in _below(MultiplayerError):
        if "code" in vars(kind):
            meaning = (kind.__doc__ or "").partition("\n")[0]
            found.setdefault(errors.status_of(kind), {})[kind.code] = meaning
    return found


def _below(kind: type[MultiplayerError]) -> Iterator[type[MultiplayerError]]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)


def _operation(operation: Operation, path: str, known: Mapping[int, Any]) -> Json:
    said: Json = {
        "operationId": path,
        **({} if path == operation.name else {"x-same-as": operation.name}),
        "summary": operation.entry.title,
        "description": operation.description,
        "responses": {
            "200": {
                "description": "What the operation says of what it did, as JSON.",
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
            **{
                str(status): {"$ref": f"#/components/responses/{status}"}
                for status in sorted(known)
            },
        },
    }
    if operation.entry.method == "GET":
        return said | {"parameters": _parameters(operation)} if _has_arguments(operation) else said
    return said | {"requestBody": _body(operation)}


def _has_arguments(operation: Operation) -> bool:
    return bool(operation.schema["properties"])


def _parameters(operation: Operation) -> list[Json]:
    """What stands in the query."""
    needed = operation.schema.get("required", ())
    found = []
    for name, schema in operation.schema["properties"].items():
        told = {"description": schema["description"]} if "description" in schema else {}
        plain = {key: value for key, value in schema.items() if key != "description"}
        needs = {"required": True} if name in needed else {}
        found.append({"name": name, "in": "query", **needs, **told, "schema": plain})
    return found


def _body(operation: Operation) -> Json:
    """What stands in the body: the schema that the arguments are checked against."""
    schema = {**operation.schema, "additionalProperties": False}
    shown: Json = {"schema": schema}
    if operation.examples:
        shown["schema"] = schema | {"properties": dict(_with_examples(operation))}
    needed = bool(operation.schema.get("required"))
    return {"required": needed, "content": {"application/json": shown}}


def _with_examples(operation: Operation) -> Iterator[tuple[str, Json]]:
    for name, schema in operation.schema["properties"].items():
        example = operation.examples.get(name)
        yield name, schema if example is None else {**schema, "examples": [example]}


def _error(known: Mapping[int, Mapping[str, str]]) -> Json:
    return {
        "type": "object",
        "required": ["error", "message", "hint"],
        "properties": {
            "error": {
                "type": "string",
                "enum": [code for status in sorted(known) for code in known[status]],
            },
            "message": {"type": "string", "description": "what is wrong, in this case"},
            "hint": {"type": "string", "description": "what to do next"},
            "retry_after": {
                "type": "integer",
                "minimum": 1,
                "description": "seconds to wait; as in Retry-After",
            },
        },
    }


def _refusal(status: int, known: Mapping[str, str]) -> Json:
    """The answer of a status, and in ``x-codes`` what its codes mean."""
    said: Json = {
        "description": _STATUSES[status],
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        "x-codes": dict(known),
    }
    if status in _later():
        said["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    return said


def _later() -> set[int]:
    return {errors.status_of(kind) for kind in _below(Later)}
