"""Holds a bot's params to the JSON schema in its manifest (JSON Schema 2020-12).

On the other side is a stranger's schema, read in the server's own process. `jsonschema` does the
checking; what it is handed is narrowed first: an allow list of keywords (no ``$ref``, so nothing is
fetched or recurses), a ``pattern`` that is one set of characters, repeated, so nothing backtracks,
and a bound on the work. A keyword outside the list is refused rather than shown to people who
would rely on it. Missing params are not filled in with a ``default``: the bot's own code says what
it does without.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator, ValidationError, validators

from mcp_multiplayer.errors import BotRejected, InvalidRequest

#: Schemas times values, and comparisons of list items: at 10 µs each, a tenth of a second.
MOST_STEPS = 10_000
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
    value = dict(params)
    if _size(schema) * _size(value) + _comparisons(value) > MOST_STEPS:
        raise InvalidRequest("params and their schema are too large to be checked")
    error = next(_Validator(_pathed(schema)).iter_errors(value), None)
    if error is not None:
        raise InvalidRequest(
            _told(error),
            hint="Correct it and call again; list_bots and the manifest name the params.",
        )


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
            raise _bad(where, f"has an invalid {keyword}")
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


#: JSON's types, as an error calls them.
TYPES: Mapping[str, str] = {
    "null": "null",
    "boolean": "true or false",
    "integer": "an integer",
    "number": "a number",
    "string": "a string",
    "array": "a list",
    "object": "an object",
}

#: Keyword -> whether a value of it means anything.
KEYWORDS: Mapping[str, Callable[[Any], bool]] = {
    "type": _is_type,
    "enum": _some,
    "const": _anything,
    "minimum": _number,
    "maximum": _number,
    "exclusiveMinimum": _number,
    "exclusiveMaximum": _number,
    "multipleOf": lambda n: _number(n) and n > 0,
    "minLength": _count,
    "maxLength": _count,
    "pattern": _is_pattern,
    "minItems": _count,
    "maxItems": _count,
    "items": _anything,
    "uniqueItems": lambda value: isinstance(value, bool),
    "properties": lambda value: isinstance(value, dict),
    "required": _names,
    "additionalProperties": _anything,
    "minProperties": _count,
    "maxProperties": _count,
    "anyOf": _some,
    "allOf": _some,
    "oneOf": _some,
    "not": _anything,
}


def _size(value: Any) -> int:
    """How many values there are in one, itself included, each 100 characters counting once more."""
    if isinstance(value, dict):
        return 1 + sum(map(_size, value.values()))
    if isinstance(value, list):
        return 1 + sum(map(_size, value))
    return 1 + len(value) // 100 if isinstance(value, str) else 1


def _comparisons(value: Any) -> int:
    """How many pairs of items ``uniqueItems`` may have to compare."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = len(value) ** 2 // 2 if isinstance(value, list) else 0
    return own + sum(map(_comparisons, inner))


# --- the params ----------------------------------------------------------------------------


def _pattern(validator: Any, pattern: str, value: Any, schema: Any) -> Iterator[ValidationError]:
    """``pattern`` to the last character: ``$`` alone would let a line feed follow."""
    if isinstance(value, str) and not re.fullmatch(pattern, value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


_Validator: Any = validators.extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]


def _pathed(schema: Any) -> Any:
    """The same schema without ``false`` for a value: jsonschema's error for that has no path."""
    if schema is False:
        return {"not": {}}
    if not isinstance(schema, dict):
        return schema
    changed: dict[str, Any] = {}
    for keyword, wanted in schema.items():
        if keyword == "properties":
            wanted = {name: _pathed(part) for name, part in wanted.items()}
        elif keyword in ("anyOf", "allOf", "oneOf"):
            wanted = [_pathed(part) for part in wanted]
        elif keyword in ("items", "not") or (keyword == "additionalProperties" and wanted):
            wanted = _pathed(wanted)
        changed[keyword] = wanted
    return changed


def _told(error: ValidationError) -> str:
    """What is wrong, with its path. Strangers' values are shown in few words."""
    if error.validator == "anyOf" and error.context:
        return _told(error.context[0])
    where = "params" + "".join(
        f"[{part}]" if isinstance(part, int) else f".{part[:40]}" for part in error.absolute_path
    )
    wanted: Any = error.validator_value
    schema: Any = error.schema
    value: Any = error.instance
    keyword = error.validator
    if keyword == "required":
        missing = next(name for name in wanted if name not in value)
        return f"{where}.{missing[:40]} is missing"
    if keyword == "additionalProperties" and wanted is False:
        known = schema.get("properties", {})
        other = next(name for name in value if name not in known)
        return f"{where}.{other[:40]} is not known; {where} takes {', '.join(known) or 'nothing'}"
    if keyword == "not" and wanted == {}:
        return f"{where} must be left out"
    return f"{where}: {_shown(value)} {_expected(str(keyword), wanted)}"


def _expected(keyword: str, wanted: Any) -> str:
    if keyword == "type":
        names = wanted if isinstance(wanted, list) else [wanted]
        return f"is not {' or '.join(TYPES[name] for name in names)}"
    if keyword in ("enum", "const"):
        values = wanted if keyword == "enum" else [wanted]
        return f"is not one of {', '.join(map(_shown, values[:20]))}"
    return _WORDS[keyword].format(wanted)


#: Keyword -> what is wrong with a value that does not fit.
_WORDS: Mapping[str, str] = {
    "minimum": "is below {}",
    "maximum": "is above {}",
    "exclusiveMinimum": "is not above {}",
    "exclusiveMaximum": "is not below {}",
    "multipleOf": "is not a multiple of {}",
    "minLength": "is shorter than {} characters",
    "maxLength": "is longer than {} characters",
    "pattern": "does not match {}",
    "minItems": "has fewer than {} items",
    "maxItems": "has more than {} items",
    "uniqueItems": "has equal items",
    "minProperties": "has fewer than {} members",
    "maxProperties": "has more than {} members",
    "anyOf": "fits none of the choices",
    "oneOf": "does not fit exactly one of the choices",
    "not": "is ruled out",
}


def _shown(value: Any) -> str:
    """A value in few words, whatever its size: it may be shown many times."""
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else f"{value[:39]}…")
    if isinstance(value, list | dict) and value:
        return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value)}"
    return json.dumps(value)
