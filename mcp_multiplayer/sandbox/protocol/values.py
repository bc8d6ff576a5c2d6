"""Which values may cross the boundary, and in which form.

Used on both sides: in the worker, where a fault is explained to the bot's author
with its path, and in the host, where nothing a worker says is believed. What `plain` gives
is what a reader of the log gets (`canonical_json.through`): 1.0 is 1, a tuple a list, members
stand in the log's order. So a hook cannot tell whether it runs for the first time or again.
"""

from __future__ import annotations

import json
import math
from typing import Any

from mcp_multiplayer.transcript.canonical_json import MAX_DEPTH, MAX_SAFE_INTEGER

#: The largest whole number every JSON reader keeps exact.
EXACT = MAX_SAFE_INTEGER
#: HTTP methods a bot may use.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
#: No clock of a room runs longer, in seconds.
LONGEST = 366 * 86400.0
#: Timers one hook may set or cancel.
TIMERS = 32
#: Levels around a value that a worker says or hears: answer, result, list of posts, post. A
#: log's entry needs no more.
AROUND = 4
#: Deeper nesting is refused: a log could not hold it.
DEPTH = MAX_DEPTH - AROUND


class BadValue(ValueError):
    """A value cannot be written as JSON; the text starts with its path."""


def plain(value: Any, path: str, depth: int = 0) -> Any:
    """A copy made of dict, list, str, int, float, bool and None, or BadValue with the path.

    Tuples become lists. Subclasses (Counter, defaultdict, namedtuple, str enums)
    are read through the base class, so a method a bot overrode is never called.
    ``depth`` -AROUND is for what still has its levels around it.
    """
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return _text(value, path)
    if isinstance(value, int):
        return _whole(value, path)
    if isinstance(value, float):
        return _number(value, path)
    if depth >= DEPTH:
        raise BadValue(f"{path}: nested more than {DEPTH} levels deep")
    if isinstance(value, dict):
        return _object(value, path, depth)
    if isinstance(value, list | tuple):
        items = list.__iter__(value) if isinstance(value, list) else tuple.__iter__(value)
        return [plain(item, f"{path}[{i}]", depth + 1) for i, item in enumerate(items)]
    raise BadValue(f"{path}: {type(value).__name__} is not a JSON value{_remedy(value)}")


def _text(value: str, path: str) -> str:
    text = str.__str__(value)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise BadValue(f"{path}: half of a surrogate pair is not text") from None
    return text


def _whole(value: int, path: str) -> int:
    number = int.__int__(value)
    if not -EXACT <= number <= EXACT:
        raise BadValue(f"{path}: a whole number beyond 2**53-1 loses digits; send it as a string")
    return number


def _number(value: float, path: str) -> int | float:
    number = float.__float__(value)
    if not math.isfinite(number):
        raise BadValue(f"{path}: {number} is not a JSON number; send it as a string")
    if abs(number) > EXACT:
        raise BadValue(f"{path}: a number beyond 2**53-1 loses digits; send it as a string")
    return int(number) if number.is_integer() else number


def _object(value: dict[Any, Any], path: str, depth: int) -> dict[str, Any]:
    result = {}
    for key, item in dict.items(value):
        if not isinstance(key, str):
            shown = repr(key) if isinstance(key, int | float | None) else type(key).__name__
            raise BadValue(f"{path}: the key {shown} is not a string; use str(...)")
        name = _text(key, f"{path} key")
        shown = f"{path}.{name}" if name.isidentifier() else f"{path}[{name[:40]!r}]"
        result[name] = plain(item, shown, depth + 1)
    plainly = all(map(str.isascii, result))
    return {name: result[name] for name in sorted(result, key=None if plainly else _place)}


def _place(name: str) -> bytes:
    """Where a member stands among others: by UTF-16 code units (RFC 8785 section 3.2.3), which for
    names of ASCII is their order as texts."""
    return name.encode("utf-16-be")


def _remedy(value: Any) -> str:
    if isinstance(value, set | frozenset):
        return "; use sorted(...)"
    if isinstance(value, bytes | bytearray):
        return "; use .hex() or base64"
    return ""


def text(value: Any) -> str:
    """The JSON text of a plain value, as sizes are counted."""
    return _WRITER.encode(value)


def size(value: Any) -> int:
    """How many bytes a plain value takes as JSON."""
    return len(text(value).encode())


def read(data: bytes) -> Any:
    """The value of a JSON text; ValueError for anything else, NaN and deep nesting included."""
    try:
        return _READER.decode(data.decode())
    except RecursionError:
        raise ValueError("nested too deep") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_WRITER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_READER = json.JSONDecoder(parse_constant=_no_constant)
