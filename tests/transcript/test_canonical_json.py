"""RFC 8785 against the reference implementation, and our narrower number domain."""

from __future__ import annotations

import math
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from mcp_multiplayer.transcript.canonical_json import (
    Canonical,
    NotCanonical,
    canonical,
    number,
    parse,
    through,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
numbers = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(
    -(2.0**53), 2.0**53, exclude_min=True, exclude_max=True
)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_agrees_with_the_reference(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(values)
def test_reading_back_and_writing_again_changes_nothing(value: Any) -> None:
    data = canonical(value)
    assert canonical(parse(data)) == data


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_prints_as_the_reference_does(value: float) -> None:
    assert number(value).encode() == rfc8785.dumps(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (333333333.33333329, "333333333.3333333"),
        (1e-7, "1e-7"),
        (0.000001, "0.000001"),
        (-0.0, "0"),
        (4.5, "4.5"),
        (2e-3, "0.002"),
        (1.0, "1"),
        ({"\U0001f600": 1, "\ufb33": 2}, '{"\U0001f600":1,"\ufb33":2}'),
        ({"b": 1, "a": "\x00\u2028"}, '{"a":"\\u0000\u2028","b":1}'),
    ],
)
def test_known_answers(value: Any, text: str) -> None:
    assert canonical(value) == text.encode()


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        2**53,
        -(2**53),
        2.0**53,
        -(2.0**53),
        1e300,
        "\ud800",
        {"\ud800": 1},
        {1: 2},
        {"a": {2}},
        b"bytes",
        object(),
    ],
)
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises(NotCanonical):
        canonical(value)


def test_the_refusal_names_the_place() -> None:
    with pytest.raises(NotCanonical, match=r"scores\[1\]\.n: .* send it as a string"):
        canonical({"scores": [1, {"n": 2**60}]})


def test_32_levels_are_not_too_deep_and_33_are() -> None:
    value = 1
    for _ in range(32):
        value = [value]  # type: ignore[assignment]
    assert canonical(value) == b"[" * 32 + b"1" + b"]" * 32
    for read in (lambda: canonical([value]), lambda: parse(b"[" + canonical(value) + b"]")):
        with pytest.raises(NotCanonical, match="nested deeper than 32"):
            read()


@pytest.mark.parametrize("text", ['{"a":1,"a":1}', '[{"b":{"a":1,"\\u0061":2}}]'])
def test_a_key_that_stands_twice_is_refused_whichever_value_would_win(text: str) -> None:
    with pytest.raises(NotCanonical, match="twice"):
        parse(text)


def test_depth_is_bounded_both_ways() -> None:
    deep: Any = 1
    for _ in range(40):
        deep = [deep]
    with pytest.raises(NotCanonical, match="nested"):
        canonical(deep)
    with pytest.raises(NotCanonical):
        parse(b"[" * 200_000)


def test_a_reader_gets_what_was_hashed() -> None:
    assert through({"a": 1.0, "b": (1, 2)}) == {"a": 1, "b": [1, 2]}
    assert isinstance(through(1.0), int)


def test_what_is_known_to_be_canonical_is_not_written_again() -> None:
    known = Canonical.of({"b": 1, "a": "é"})
    assert known.data == canonical({"b": 1, "a": "é"})
    assert canonical(known) is known.data
    with pytest.raises(NotCanonical):
        Canonical.of({"a": math.nan})


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (math.nan, "value: "),
        ({"a": {"b": [1, 2**60]}}, "a.b[1]: "),
        ([[object()]], "[0][0]: object is not JSON"),
        ([{1: 2}], "[0]: the key 1 is not a string"),
        ({"k" * 50: math.inf}, "k" * 40 + ": "),
    ],
)
def test_the_place_of_what_is_out_of_the_domain_is_named(value: Any, place: str) -> None:
    with pytest.raises(NotCanonical) as refused:
        canonical(value)
    assert str(refused.value).startswith(place)
