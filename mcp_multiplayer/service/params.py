"""Holds a referee's params to the JSON schema in its manifest.

On the other side is a stranger's schema, read in the server's own process. So it is a small
strict subset: nothing is fetched (no ``$ref``), nothing backtracks (a ``pattern`` is one set of
characters, repeated), the work is bounded, and a keyword that would not be checked is refused
rather than shown to people who would rely on it. What is left out is not filled in with a
``default``: the referee's own code says what it does without.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from mcp_multiplayer.errors import BotRejected, InvalidRequest
from mcp_multiplayer.transcript.canonical_json import canonical

MOST_STEPS = 20_000  #: schemas and values looked at, one against the other
#: Said to readers, and checked by nobody.
ANNOTATIONS = {
    *("title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"),
    *("format", "$schema", "$id", "$comment"),
}
_PATTERN = re.compile(r"\^\[\^?(?:[^\[\]\\^]|\\[dws.\-])+\](?:[*+?]|\{\d{1,4}(?:,\d{0,4})?\})?\$")
_EXAMPLE = '{"type": "object", "properties": {"low": {"type": "integer", "minimum": 1}}}'


def check(schema: Any, params: Mapping[str, Any]) -> None:
    """Raise `BotRejected` for a schema that cannot be held to, `InvalidRequest` for params that
    do not fit, with their path. Both are canonical JSON values; None is no schema."""
    if schema is None:
        return
    if not isinstance(schema, dict):
        raise BotRejected("MANIFEST params must be a JSON schema", hint=f"As in {_EXAMPLE}.")
    _read(schema, "params")
    if fault := _Check().fault(schema, dict(params), "params"):
        raise InvalidRequest(fault, hint='Correct it and call again; list_bots and the manifest '
                             "name the params.")  # fmt: skip


# --- the schema ----------------------------------------------------------------------------


def _read(schema: Any, where: str) -> None:
    """Refuse what is no schema, or is one that this server would not hold anybody to."""
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        raise _bad(where, "is not a schema")
    for keyword, wanted in schema.items():
        if keyword in ANNOTATIONS:
            continue
        if keyword not in KEYWORDS:
            known = ", ".join(sorted(KEYWORDS))
            raise _bad(where, f"has {keyword[:40]!r}, which is not checked here; {known} are")
        if not KEYWORDS[keyword](wanted):
            raise _bad(where, f"has a {keyword} that is none")
        for name, part in _parts(keyword, wanted):
            _read(part, f"{where}.{name}" if name else where)


def _bad(where: str, what: str) -> BotRejected:
    return BotRejected(
        f"MANIFEST params: the schema of {where} {what}",
        hint=f"A schema is as in {_EXAMPLE}; what it cannot say, check in __init__.",
    )


def _parts(keyword: str, wanted: Any) -> list[tuple[str, Any]]:
    """The schemas in a keyword's value, each with what it adds to the path."""
    if keyword == "properties":
        return [(name[:40], part) for name, part in wanted.items()]
    if keyword in ("anyOf", "allOf", "oneOf"):
        return [("", part) for part in wanted]
    return [("", wanted)] if keyword in ("items", "additionalProperties", "not") else []


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_type(value: Any) -> bool:
    names = value if isinstance(value, list) else [value]
    return bool(names) and all(isinstance(name, str) and name in TYPES for name in names)


def _is_pattern(value: Any) -> bool:
    """One set of characters, repeated, from ^ to $: matched in one pass."""
    if not isinstance(value, str) or not _PATTERN.fullmatch(value):
        return False
    try:
        re.compile(value)
    except (re.error, OverflowError):
        return False
    return True


def _some(value: Any) -> bool:
    return isinstance(value, list) and bool(value)


def _names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _anything(value: Any) -> bool:
    return True  # `_read` looks into it


#: Keyword -> whether a value of it means anything.
KEYWORDS: Mapping[str, Callable[[Any], bool]] = {
    "type": _is_type, "enum": _some, "const": _anything,
    "minimum": _number, "maximum": _number, "exclusiveMinimum": _number,
    "exclusiveMaximum": _number, "multipleOf": lambda n: _number(n) and n > 0,
    "minLength": _count, "maxLength": _count, "pattern": _is_pattern,
    "minItems": _count, "maxItems": _count, "items": _anything,
    "uniqueItems": lambda value: isinstance(value, bool),
    "properties": lambda value: isinstance(value, dict), "required": _names,
    "additionalProperties": _anything, "minProperties": _count, "maxProperties": _count,
    "anyOf": _some, "allOf": _some, "oneOf": _some, "not": _anything,
}  # fmt: skip


# --- the params ----------------------------------------------------------------------------

#: JSON's types: what one is called, and what is of it.
TYPES: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "null": ("null", lambda value: value is None),
    "boolean": ("true or false", lambda value: isinstance(value, bool)),
    "integer": ("an integer", lambda n: _number(n) and n == int(n)),
    "number": ("a number", _number),
    "string": ("a string", lambda value: isinstance(value, str)),
    "array": ("a list", lambda value: isinstance(value, list)),
    "object": ("an object", lambda value: isinstance(value, dict)),
}

#: Keyword -> does a number of the value and the keyword's go together, and what is wrong if not.
_SIZES: Mapping[str, tuple[Any, Callable[[Any, Any], bool], str]] = {
    "minimum": (float, lambda n, k: n >= k, "is below {}"),
    "maximum": (float, lambda n, k: n <= k, "is above {}"),
    "exclusiveMinimum": (float, lambda n, k: n > k, "is not above {}"),
    "exclusiveMaximum": (float, lambda n, k: n < k, "is not below {}"),
    "multipleOf": (float, lambda n, k: n % k == 0, "is not a multiple of {}"),
    "minLength": (str, lambda n, k: n >= k, "is shorter than {} characters"),
    "maxLength": (str, lambda n, k: n <= k, "is longer than {} characters"),
    "minItems": (list, lambda n, k: n >= k, "has fewer than {} items"),
    "maxItems": (list, lambda n, k: n <= k, "has more than {} items"),
    "minProperties": (dict, lambda n, k: n >= k, "has fewer than {} members"),
    "maxProperties": (dict, lambda n, k: n <= k, "has more than {} members"),
}


class _Check:
    """One look at params, which takes so many steps and no more."""

    def __init__(self) -> None:
        self._steps = 0

    def fault(self, schema: Any, value: Any, where: str) -> str | None:
        """The first thing that does not fit, or None."""
        if isinstance(schema, bool):
            return None if schema else f"{where} must be left out"
        self._steps += 1 + len(schema.get("enum", ())) + len(schema.get("required", ()))
        if "pattern" in schema and isinstance(value, str):
            self._steps += len(value) // 100
        if self._steps > MOST_STEPS:
            raise InvalidRequest("params and their schema are too large to be checked")
        for look in (_of_type, _of_values, _of_size, self._of_list, self._of_object, self._of_many):
            if what := look(schema, value, where):
                return what
        return None

    def _of_list(self, schema: Mapping[str, Any], value: Any, where: str) -> str | None:
        if not isinstance(value, list):
            return None
        if schema.get("uniqueItems") and len({canonical(item) for item in value}) < len(value):
            return f"{where}: no two items may be equal"
        if "items" not in schema:
            return None
        faults = (self.fault(schema["items"], v, f"{where}[{n}]") for n, v in enumerate(value))
        return next((fault for fault in faults if fault), None)

    def _of_object(self, schema: Mapping[str, Any], value: Any, where: str) -> str | None:
        if not isinstance(value, dict):
            return None
        known = schema.get("properties", {})
        for name in schema.get("required", ()):
            if name not in value:
                return f"{where}.{name[:40]} is missing"
        other = schema.get("additionalProperties", True)
        for name, inner in value.items():
            if name not in known and other is False:
                takes = ", ".join(known) or "nothing"
                return f"{where}.{name[:40]} is not known; {where} takes {takes}"
            if fault := self.fault(known.get(name, other), inner, f"{where}.{name[:40]}"):
                return fault
        return None

    def _of_many(self, schema: Mapping[str, Any], value: Any, where: str) -> str | None:
        faults = {
            keyword: [self.fault(part, value, where) for part in schema.get(keyword, ())]
            for keyword in ("allOf", "anyOf", "oneOf")
        }
        if fault := next(filter(None, faults["allOf"]), None):
            return fault
        if faults["anyOf"] and all(faults["anyOf"]):
            return faults["anyOf"][0]
        fits = faults["oneOf"].count(None)
        if faults["oneOf"] and fits != 1:
            return f"{where}: {_shown(value)} fits {fits} of the {len(faults['oneOf'])} choices"
        if "not" in schema and self.fault(schema["not"], value, where) is None:
            return f"{where}: {_shown(value)} is ruled out"
        return None


def _of_type(schema: Mapping[str, Any], value: Any, where: str) -> str | None:
    wanted = schema.get("type", [])
    names = wanted if isinstance(wanted, list) else [wanted]
    if not names or any(TYPES[name][1](value) for name in names):
        return None
    return f"{where}: {_shown(value)} is not {' or '.join(TYPES[name][0] for name in names)}"


def _of_values(schema: Mapping[str, Any], value: Any, where: str) -> str | None:
    allowed = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if allowed is not None and canonical(value) not in map(canonical, allowed):
        return f"{where}: {_shown(value)} is not one of {', '.join(map(_shown, allowed[:20]))}"
    pattern = schema.get("pattern")
    if pattern and isinstance(value, str) and not re.fullmatch(pattern, value):
        return f"{where}: {_shown(value)} does not match {pattern}"
    return None


def _of_size(schema: Mapping[str, Any], value: Any, where: str) -> str | None:
    for keyword, (kind, fits, words) in _SIZES.items():
        if keyword not in schema:
            continue
        if kind is float and _number(value):
            size = value
        elif kind is not float and isinstance(value, kind):
            size = len(value)
        else:
            continue
        if not fits(size, schema[keyword]):
            return f"{where}: {_shown(value)} {words.format(schema[keyword])}"
    return None


def _shown(value: Any) -> str:
    """A value in few words, whatever its size: it may be shown many times."""
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else f"{value[:39]}…")
    if isinstance(value, list | dict) and value:
        return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value)}"
    return json.dumps(value)
