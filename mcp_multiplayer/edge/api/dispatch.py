"""One way in for both projections: find the operation, check the arguments, call it,
translate the refusal.

On the other side is whoever holds a token. Arguments are checked against the method's
signature before anything else happens; what does not fit is refused in our words, not in
a library's.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from mcp_multiplayer.edge.api.errors import Internal
from mcp_multiplayer.edge.api.operations.base import Answer
from mcp_multiplayer.edge.api.operations.combined import Operations
from mcp_multiplayer.edge.api.operations.table import TABLE, Entry
from mcp_multiplayer.edge.identity import Caller
from mcp_multiplayer.errors import (
    InvalidRequest,
    MultiplayerError,
    NotMember,
    RateLimited,
    Restarting,
)
from mcp_multiplayer.ratelimit import RateLimit
from mcp_multiplayer.transcript.canonical_json import NotCanonical, canonical, parse, unquoted

log = logging.getLogger(__name__)
_T = TypeVar("_T")

#: Seconds. Giving up may take `channel_manager.CLOSING` more, and `edge.serve` cuts the
#: connections after SHUTDOWN_SECONDS.
LAST_WORK = 1.0


class Arguments(BaseModel):
    """Base of every operation's arguments."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


@dataclass(frozen=True)
class Operation:
    """An operation as both projections need it."""

    entry: Entry
    description: str
    schema: Mapping[str, Any]
    arguments: type[Arguments]
    call: Callable[..., Awaitable[Answer]]
    examples: Mapping[str, Any]  #: of lists and objects, for whoever sent something else

    @property
    def name(self) -> str:
        return self.entry.name

    def waits(self, arguments: Mapping[str, Any]) -> bool:
        """Whether a call with these may be answered later than at once."""
        fields = self.schema["properties"]
        asked = [arguments.get(name, fields[name].get("default")) for name in WAITS & fields.keys()]
        return any(asked)


#: Arguments that say how long.
WAITS = frozenset({"wait_ms", "timeout_ms"})
#: An account that was quiet may make this many seconds' worth of calls at once.
BURST_SECONDS = 2.0


class Dispatch:
    """The table in working order. ``rate``: how many calls a second an account may make
    (RATE_LIMIT), 0 for any; accounts are counted, for all of a vendor's users share a few
    addresses."""

    def __init__(self, operations: Operations, rate: float) -> None:
        self._rate = rate
        self._calls = RateLimit(rate, 1, burst=max(1.0, rate * BURST_SECONDS))
        self.desk = operations
        self._working: set[asyncio.Task[Any]] = set()
        self._over = False
        self.operations = {
            entry.name: _operation(entry, getattr(operations, entry.name)) for entry in TABLE
        }

    async def __call__(
        self, operation: Operation, caller: Caller, arguments: Mapping[str, Any]
    ) -> Answer:
        """Carry an operation out, or raise a `MultiplayerError` and nothing else."""

        async def working() -> Answer:
            said = await operation.call(caller, **_check(operation, arguments))
            return said.complete()

        began = time.monotonic()
        try:
            return await self.settle(operation.name, caller, working)
        except asyncio.CancelledError:
            if operation.waits(arguments):
                self.desk.patience.gave_up(caller.client_id, time.monotonic() - began)
            raise

    def _count(self, caller: Caller) -> None:
        wait = self._calls.take(caller.account)
        if wait:
            raise RateLimited(f"more than {self._rate:g} calls a second", retry_after=wait)

    async def settle(self, name: str, caller: Caller, work: Callable[[], Awaitable[_T]]) -> _T:
        """Count the call and do its work; what goes wrong is a `MultiplayerError`."""
        task = asyncio.current_task()
        assert task is not None
        self._working.add(task)
        try:
            self._count(caller)
            return await work()
        except NotMember as refusal:
            refusal.hint = self.desk.way_back(caller) or refusal.hint
            log.info("%s refused: %s", name, refusal.code)
            raise
        except MultiplayerError as refusal:
            log.info("%s refused: %s", name, refusal.code)
            raise
        except asyncio.CancelledError:
            if not self._over:
                raise
            task.uncancel()
            raise Restarting from None
        except Exception as error:  # our own fault; the caller learns that and no more
            log.exception("%s failed", name)
            raise Internal("something went wrong here") from error
        finally:
            self._working.discard(task)

    def stop(self) -> None:
        """The server is about to end: whoever waits is answered, and what is still worked on in
        `LAST_WORK` seconds is given up; its caller is told to repeat it."""
        self.desk.channels.stop()
        asyncio.get_running_loop().call_later(LAST_WORK, self._give_up)

    def _give_up(self) -> None:
        self._over = True
        for task in self._working:
            task.cancel()


def _check(operation: Operation, arguments: Mapping[str, Any]) -> dict[str, Any]:
    fields = operation.schema["properties"]
    required = operation.schema.get("required", ())
    given = {}
    for name, value in arguments.items():
        value = _meant(operation, name, value)
        if value is None and name in fields and name not in required:
            continue  # what many clients send for an argument they leave out
        if isinstance(value, bool) and fields.get(name, {}).get("type") == "integer":
            raise InvalidRequest(f"{name} must be {_wanted(fields[name])}")
        given[name] = value
    try:
        checked = operation.arguments.model_validate(given)
    except ValidationError as error:
        place = error.errors(include_url=False, include_input=False)[0]["loc"]
        hint = _example(operation, str(place[0]) if place else "")
        raise InvalidRequest(_complaint(operation, error), hint=hint) from None
    return {name: getattr(checked, name) for name in checked.model_fields_set}


def _meant(operation: Operation, name: str, value: Any) -> Any:
    """The list or object that an argument is: many clients send it as JSON text. What may be text
    stays text (a post's body is the referee's to read)."""
    wanted = operation.schema["properties"].get(name, {})
    if wanted.get("type") not in ("array", "object"):
        return value
    if isinstance(value, str):
        try:
            value = parse(value)
            canonical(value)  # half a surrogate pair is JSON, and no log could hold it
        except NotCanonical as error:
            text = f"{name} must be {_wanted(wanted)}; it came as text, and that is {error}"
            raise InvalidRequest(text, hint=_example(operation, name)) from None
    if isinstance(value, list) and wanted.get("items", {}).get("type") == "object":
        return [unquoted(item) for item in value]
    return value


def _example(operation: Operation, name: str) -> str | None:
    """The hint of a refusal: how a list or object looks."""
    if name not in operation.examples:
        return None
    shown = json.dumps(operation.examples[name], ensure_ascii=False)
    return f"For example {name}={shown}; the same as JSON text is taken too."


def _complaint(operation: Operation, error: ValidationError) -> str:
    """Name the first argument that does not fit, and what would."""
    fault = error.errors(include_url=False, include_input=False)[0]
    known = operation.schema["properties"]
    name = str(fault["loc"][0]) if fault["loc"] else ""
    if fault["type"] == "extra_forbidden":
        return (
            f"{operation.name} has no argument {name[:40]!r}; it takes {', '.join(known) or 'none'}"
        )
    if fault["type"] == "missing":
        return f"{operation.name} needs {name}"
    place, wanted = name, known[name]
    for part in fault["loc"][1:]:
        if isinstance(part, int):
            place, wanted = f"{place}[{part}]", wanted.get("items", {})
    return f"{place} must be {_wanted(wanted)}"


_KINDS = {"string": "text", "boolean": "true or false", "object": "a JSON object"}


def _wanted(schema: Mapping[str, Any]) -> str:
    """Say in words what a schema takes."""
    if "anyOf" in schema:
        return " or ".join(_wanted(kind) for kind in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f'"{value}"' for value in schema["enum"])
    match schema.get("type"):
        case "integer" if "minimum" in schema and "maximum" in schema:
            return f"a whole number from {schema['minimum']} to {schema['maximum']}"
        case "integer" if "minimum" in schema:
            return f"a whole number from {schema['minimum']}"
        case "integer":
            return "a whole number"
        case "array":
            return f"a list, each item {_wanted(schema['items'])}"
        case "string" if "maxLength" in schema:
            return f"text of at most {schema['maxLength']} characters"
        case kind:
            return _KINDS.get(str(kind), "something else")


def _operation(entry: Entry, method: Callable[..., Awaitable[Answer]]) -> Operation:
    signature = inspect.signature(method, eval_str=True)
    fields: dict[str, Any] = {
        parameter.name: (
            parameter.annotation,
            ... if parameter.default is parameter.empty else parameter.default,
        )
        for parameter in list(signature.parameters.values())[1:]
    }
    model = create_model(entry.name, __base__=Arguments, **fields)
    examples = {
        name: field.examples[0] for name, field in model.model_fields.items() if field.examples
    }
    return Operation(entry, _unwrapped(method), _schema(model), model, method, examples)


def _unwrapped(method: Callable[..., Any]) -> str:
    """The docstring with its source lines joined; a blank line stays a line break."""
    paragraphs = (inspect.getdoc(method) or "").split("\n\n")
    return "\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    """The input schema in few tokens: no titles, no examples, no null alternatives or defaults."""
    schema = model.model_json_schema()
    properties = {name: _plain(field) for name, field in schema.get("properties", {}).items()}
    plain: dict[str, Any] = {"type": "object", "properties": properties}
    if schema.get("required"):
        plain["required"] = schema["required"]
    return plain


def _plain(field: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in field.items() if key not in ("title", "anyOf", "examples")}
    if kept.get("default") in (None, ""):
        kept.pop("default", None)
    if kept.get("additionalProperties") is True:
        del kept["additionalProperties"]
    if "items" in kept:
        kept["items"] = _plain(kept["items"])
    kinds = [_plain(kind) for kind in field.get("anyOf", ()) if kind.get("type") != "null"]
    return (kinds[0] | kept) if len(kinds) == 1 else (kept | {"anyOf": kinds}) if kinds else kept
