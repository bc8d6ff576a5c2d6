"""What may cross the boundary, and how a fault is named."""

import json
import math
from collections import Counter, defaultdict, namedtuple
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_multiplayer.sandbox.protocol.values import (
    AROUND,
    DEPTH,
    EXACT,
    BadValue,
    plain,
    read,
    size,
)
from mcp_multiplayer.transcript.canonical_json import MAX_DEPTH, NotCanonical, canonical, through

Point = namedtuple("Point", "x y")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-EXACT, EXACT) | st.text() | st.floats(-EXACT, EXACT),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES)
def test_json_values_cross_unchanged(value: Any) -> None:
    assert plain(value, "v") == value
    assert json.dumps(plain(value, "v")) == json.dumps(through(value))  # in order and in kind
    assert read(json.dumps(value).encode()) == value
    assert size(value) == len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


@pytest.mark.parametrize(
    ("value", "crossed"),
    [
        ((1, (2, 3)), [1, [2, 3]]),
        (Point(1, 2), [1, 2]),
        (Counter("aab"), {"a": 2, "b": 1}),
        (defaultdict(list, {"a": [1]}), {"a": [1]}),
        ({"n": EXACT, "m": -EXACT}, {"n": EXACT, "m": -EXACT}),
        ([1.0, -0.0, 1e15, 0.5], [1, 0, 10**15, 0.5]),
    ],
)
def test_subclasses_are_read_as_their_base(value: Any, crossed: Any) -> None:
    got = plain(value, "v")
    assert got == crossed and type(got) is type(crossed)
    assert json.dumps(got, sort_keys=True) == json.dumps(crossed, sort_keys=True)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"scores": [1, 2, 3, math.nan]}, "state.scores[3]: nan is not a JSON number"),
        ({"a": math.inf}, "state.a: inf is not"),
        ({"a": [2.0**53]}, "state.a[0]: a number beyond 2**53-1 loses digits; send it as a string"),
        ({"big": 2**53}, "state.big: a whole number beyond 2**53-1 loses digits; send it as a str"),
        ({3: 1}, "state: the key 3 is not a string; use str(...)"),
        ({"a": {(1, 2): 1}}, "state.a: the key tuple is not a string"),
        ({"a b": {"c": set()}}, "state['a b'].c: set is not a JSON value; use sorted(...)"),
        ({"x": b"1"}, "state.x: bytes is not a JSON value; use .hex() or base64"),
        ({"x": "\ud800"}, "state.x: half of a surrogate pair"),
        ({"\ud800": 1}, "half of a surrogate pair"),
        ({"x": object()}, "state.x: object is not a JSON value"),
    ],
)
def test_anything_else_is_refused_with_its_path(value: Any, words: str) -> None:
    with pytest.raises(BadValue) as refusal:
        plain(value, "state")
    assert words in str(refusal.value)


def test_nesting_and_cycles_end() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(BadValue, match=f"more than {DEPTH} levels"):
        plain(value, "v")


def test_the_deepest_value_still_fits_an_entry_of_the_log() -> None:
    value: Any = 1
    for _ in range(DEPTH):
        value = {"a": value}
    assert plain(value, "v") == value
    said: Any = {"answer": {"finished": {"said": [{"body": value}]}}}["answer"]
    assert plain(said, "answer", -AROUND) == said
    canonical({"t": "run", "out": [{"b": value}]})
    with pytest.raises(BadValue):
        plain({"a": value}, "v")
    for _ in range(MAX_DEPTH - DEPTH + 1):
        value = [value]
    with pytest.raises(NotCanonical):
        canonical(value)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"NaN", b"[Infinity]", b"\xff", b"[" * 200_000, b"1" * 5000, b"{}{}"]
)
def test_what_is_not_json_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        read(data)


def test_methods_a_bot_overrode_are_never_called() -> None:
    class Sly(dict[str, Any]):
        def items(self) -> Any:
            raise AssertionError

    class Str(str):
        def __str__(self) -> str:
            raise AssertionError

    got = plain({"a": Sly(b=Str("c"))}, "v")
    assert got == {"a": {"b": "c"}} and type(got["a"]["b"]) is str
