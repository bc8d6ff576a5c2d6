"""One value, one byte string: RFC 8785 (JCS) with a narrower number domain. Integers up to 2^53-1,
other numbers finite and below 2^53 (a larger float prints as an integer that cannot be read back).
Strings are not normalised. Every value that enters a log or crosses to a referee goes through
`canonical` and `parse`, so that what is hashed is what is used.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_SAFE_INTEGER = 2**53 - 1  #: RFC 7493 §2.2; beyond it two languages read two numbers
MAX_DEPTH = 32  #: levels of nesting; a hostile value must not exhaust a reader's stack


class NotCanonical(ValueError):
    """The value has no canonical form; the text names the place and the remedy. Keys stand in
    it, and half of a surrogate pair in one must not keep the text from being written."""

    def __init__(self, text: str) -> None:
        super().__init__(text.encode("utf-8", "backslashreplace").decode())


class _NotJson(ValueError):
    """Python reads it and JSON does not have it."""


@dataclass(frozen=True)
class Canonical:
    """A value that was held to the rules, and its bytes: nobody checks or writes it again. It is
    not to be changed."""

    value: Any
    data: bytes

    @classmethod
    def of(cls, value: Any) -> Canonical:
        """``value`` with its bytes, or `NotCanonical`."""
        return cls(value, canonical(value))


def canonical(value: Any) -> bytes:
    """Encode ``value`` as RFC 8785 bytes, or raise `NotCanonical`."""
    if isinstance(value, Canonical):
        return value.data
    try:
        if _is_simple(value):
            return _encode_simple(value).encode()
        return _encode(value).encode()
    except UnicodeEncodeError as error:
        raise NotCanonical("a string holds half of a surrogate pair") from error


def parse(data: bytes | str) -> Any:
    """Decode JSON strictly: no duplicate keys, no NaN, nothing outside the domain.

    The result of ``parse(canonical(x))`` is what a reader in any language sees.
    """
    try:
        value = json.loads(data, object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError:
        raise NotCanonical(f"nested deeper than {MAX_DEPTH} levels") from None
    except (json.JSONDecodeError, UnicodeDecodeError, _NotJson) as error:
        raise NotCanonical(f"not JSON: {error}") from error
    except ValueError:  # Python's own limit to the digits of an integer, in words of its own
        raise NotCanonical("a number is too large; send it as a string") from None
    _is_simple(value)
    return value


def unquoted(value: Any) -> Any:
    """``value``, or the list or object that it is as JSON text; other text stays text."""
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return value
    try:
        read = parse(value)
        canonical(read)
        return read
    except NotCanonical:
        return value


def through(value: Any) -> Any:
    """Return what a reader of ``value`` gets: 1.0 becomes 1, a tuple becomes a list."""
    return json.loads(canonical(value))  # what was just written by the rules is not held to them


_encode_simple = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
).encode


class _Unfit(Exception):
    """What is outside the domain. ``path`` grows from there outwards, on the way to who asked."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.path: list[str | int] = []

    def place(self) -> str:
        """``a.b[2]``"""
        place = ""
        for part in reversed(self.path):
            if isinstance(part, int):
                place += f"[{part}]"
            else:
                place += f".{part:.40}" if place else part[:40]
        return place or "value"


def _is_simple(value: Any) -> bool:
    """Check the domain. True when the C encoder's output is canonical as it stands:
    no float, and no key outside the BMP (it sorts by code point, JCS by UTF-16)."""
    try:
        return _simple(value, 0)
    except _Unfit as unfit:
        raise NotCanonical(f"{unfit.place()}: {unfit}") from None


def _simple(value: Any, depth: int) -> bool:
    if value is None or isinstance(value, str | bool):
        return True
    if isinstance(value, int):
        if abs(value) > MAX_SAFE_INTEGER:
            raise _Unfit(f"{value!r:.40} is too large a number; send it as a string")
        return True
    if isinstance(value, float):
        if not abs(value) < 2**53:
            wrong = "not a JSON number" if math.isnan(value) else "too large a number"
            raise _Unfit(f"{value!r} is {wrong}; send it as a string")
        return False
    if depth >= MAX_DEPTH:
        raise NotCanonical(f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, Mapping):
        return _simple_members(value, depth)
    if isinstance(value, list | tuple):
        return _simple_items(value, depth)
    raise _Unfit(f"{type(value).__name__} is not JSON")


def _simple_members(value: Mapping[Any, Any], depth: int) -> bool:
    simple = isinstance(value, dict)
    for key, item in value.items():
        if not isinstance(key, str):
            raise _Unfit(f"the key {key!r:.40} is not a string")
        try:
            # Most are text, which needs no call.
            if type(item) is not str and not _simple(item, depth + 1):
                simple = False
        except _Unfit as unfit:
            unfit.path.append(key)
            raise
        if simple and not key.isascii() and max(key) > "\uffff":
            simple = False
    return simple


def _simple_items(value: list[Any] | tuple[Any, ...], depth: int) -> bool:
    simple = True
    for place, item in enumerate(value):
        try:
            if type(item) is not str and not _simple(item, depth + 1):
                simple = False
        except _Unfit as unfit:
            unfit.path.append(place)
            raise
    return simple


def _encode(value: Any) -> str:
    if isinstance(value, float):
        return number(value)
    if isinstance(value, Mapping):
        members = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be"))
        return "{" + ",".join(f"{_encode_simple(k)}:{_encode(v)}" for k, v in members) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_encode, value)) + "]"
    return _encode_simple(value)


def number(value: float) -> str:
    """Print a float as ECMAScript does (RFC 8785 §3.2.2.3); both use the shortest digits."""
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    point = int(exponent or 0) - len(fraction) + len(digits)  # value = 0.digits * 10^point
    digits = digits.rstrip("0")
    return sign + _place(digits, point)


def _place(digits: str, point: int) -> str:
    if len(digits) <= point <= 21:
        return digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    tail = f".{digits[1:]}" if len(digits) > 1 else ""
    power = point - 1
    return f"{digits[0]}{tail}e{'+' if power > 0 else '-'}{abs(power)}"


def _unique(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) != len(members):
        raise _NotJson("a key stands twice in one object")
    return found


def _no_constant(name: str) -> Any:
    raise _NotJson(f"{name} is not a JSON number")
