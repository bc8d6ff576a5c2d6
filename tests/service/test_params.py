"""Params against the schema of a manifest, which a stranger wrote."""

from __future__ import annotations

import ast
import time
from pathlib import Path
from typing import Any

import pytest

from mcp_multiplayer.errors import BotRejected, InvalidRequest
from mcp_multiplayer.service.params import MOST_STEPS, check

BOTS = sorted((Path(__file__).parents[2] / "bots").glob("*_bot.py"))

SCHEMA = {
    "type": "object",
    "properties": {
        "low": {"type": "integer", "minimum": 1, "maximum": 9, "multipleOf": 2},
        "seconds": {"type": ["number", "null"], "exclusiveMinimum": 0, "exclusiveMaximum": 60},
        "price": {"enum": ["first", "second"]},
        "fixed": {"const": 1},
        "name": {"type": "string", "minLength": 2, "maxLength": 4, "pattern": "^[a-z]+$"},
        "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2},
        "set": {"type": "array", "uniqueItems": True},
        "deep": {
            "type": "object",
            "properties": {"list": {"items": {"required": ["a"]}}},
            "maxProperties": 1,
        },
        "any": {"anyOf": [{"type": "integer"}, {"type": "boolean"}]},
        "one": {"oneOf": [{"minimum": 1}, {"minimum": 5}]},
        "all": {"allOf": [{"type": "integer"}, {"minimum": 3}]},
        "odd": {"not": {"multipleOf": 2}},
        "gone": False,
    },
    "additionalProperties": False,
}

FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"low": "x"}, "params.low: 'x' is not an integer"),
    ({"low": True}, "params.low: true is not an integer"),
    ({"low": 2.5}, "params.low: 2.5 is not an integer"),
    ({"low": 0}, "params.low: 0 is below 1"),
    ({"low": 10}, "params.low: 10 is above 9"),
    ({"low": 3}, "params.low: 3 is not a multiple of 2"),
    ({"seconds": "1"}, "params.seconds: '1' is not a number or null"),
    ({"seconds": 0}, "params.seconds: 0 is not above 0"),
    ({"seconds": 60}, "params.seconds: 60 is not below 60"),
    ({"price": "third"}, "params.price: 'third' is not one of 'first', 'second'"),
    ({"fixed": True}, "params.fixed: true is not one of 1"),
    ({"name": "x"}, "params.name: 'x' is shorter than 2 characters"),
    ({"name": "xxxxx"}, "params.name: 'xxxxx' is longer than 4 characters"),
    ({"name": "X1"}, "params.name: 'X1' does not match ^[a-z]+$"),
    ({"tags": []}, "params.tags: [] has fewer than 1 items"),
    ({"tags": ["a", 1]}, "params.tags[1]: 1 is not a string"),
    ({"set": [1, 1]}, "params.set: a list of 2 has equal items"),
    ({"deep": {"list": [{"a": 1}, {}]}}, "params.deep.list[1].a is missing"),
    ({"deep": {"x": 1, "y": 2}}, "params.deep: an object of 2 has more than 1 members"),
    ({"any": "x"}, "params.any: 'x' is not an integer"),
    ({"one": 7}, "params.one: 7 does not fit exactly one of the choices"),
    ({"all": 1}, "params.all: 1 is below 3"),
    ({"odd": 2}, "params.odd: 2 is ruled out"),
    ({"gone": 1}, "params.gone must be left out"),
]


@pytest.mark.parametrize(("params", "words"), FAULTS)
def test_params_that_do_not_fit_are_named_with_what_would(
    params: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        check(SCHEMA, params)
    assert str(refusal.value) == words


def test_params_that_nobody_knows_are_refused_with_those_that_are_known() -> None:
    schema = {"properties": {"low": {}, "high": {}}, "additionalProperties": False}
    with pytest.raises(InvalidRequest, match=r"params\.hihg is not known; params takes low, high$"):
        check(schema, {"hihg": 5})


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"low": 2, "seconds": None, "price": "second", "fixed": 1, "name": "abc"},
        {"tags": ["a"], "set": [1, "1", True], "deep": {"list": [{"a": None}]}},
        {"any": True, "one": 3, "all": 3, "odd": 3, "seconds": 0.5},
    ],
)
def test_params_that_fit_are_taken_as_they_are(params: dict[str, Any]) -> None:
    before = dict(params)
    check(SCHEMA, params)
    assert params == before  # no default is filled in


def test_without_a_schema_everything_goes() -> None:
    check(None, {"x": [1]})


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ("low, high", "must be a JSON schema"),
        ({"low": {"type": "integer"}}, "of params has 'low', which is not checked here"),
        ({"properties": {"a": {"$ref": "https://example.com/s"}}}, "of params.a has '\\$ref'"),
        ({"$ref": "#"}, "'\\$ref'"),
        ({"patternProperties": {"(a+)+$": {}}}, "'patternProperties'"),
        ({"properties": {"a": {"pattern": "^(a+)+$"}}}, "of params.a has an invalid pattern"),
        ({"pattern": "^[a-z]*[a-z]*x$"}, "pattern"),
        ({"pattern": "[a-z]"}, "pattern"),
        ({"pattern": "^[z-a]$"}, "pattern"),
        ({"type": "int"}, "of params has an invalid type"),
        ({"properties": {"a": 5}}, "of params.a is not a schema"),
        ({"minimum": True}, "minimum"),
        ({"multipleOf": 0}, "multipleOf"),
        ({"maxLength": -1}, "maxLength"),
        ({"enum": []}, "enum"),
        ({"required": "a"}, "required"),
        ({"anyOf": [{"nullable": True}]}, "'nullable'"),
    ],
)
def test_a_schema_that_nobody_would_be_held_to_is_refused(schema: Any, words: str) -> None:
    with pytest.raises(BotRejected, match=words):
        check(schema, {})


def test_annotations_are_let_through() -> None:
    notes = {"title": "t", "description": "d", "default": 1, "examples": [1], "format": "uri"}
    check({"properties": {"a": notes}, "$schema": "https://json-schema.org/x"}, {"a": "anything"})


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"items": {"anyOf": [{"type": "null"}] * 100}}, [1] * MOST_STEPS),
        ({"items": {"enum": list(range(1000))}}, [1] * MOST_STEPS),
        ({"items": {"required": [str(n) for n in range(1000)]}}, [{}] * MOST_STEPS),
        ({"anyOf": [{"pattern": "^[ab]*$"}] * 1000}, "a" * 1_000_000),
        ({"anyOf": [{"type": "null"}] * MOST_STEPS}, [1] * 1_000_000),
    ],
)
def test_the_work_is_bounded(schema: Any, value: Any) -> None:
    began = time.process_time()
    with pytest.raises(InvalidRequest):
        check({"properties": {"a": schema}}, {"a": value})
    assert time.process_time() - began < 2


@pytest.mark.parametrize("pattern", ["^[A-Za-z0-9._-]{1,20}$", "^[^,;]*$", r"^[\w\-]+$", "^[ab]$"])
def test_one_set_of_characters_repeated_is_a_pattern(pattern: str) -> None:
    check({"properties": {"a": {"pattern": pattern}}}, {"a": "b"})


@pytest.mark.parametrize("path", BOTS, ids=lambda path: path.stem)
def test_the_schemas_of_the_referees_that_ship_can_be_held_to(path: Path) -> None:
    tree = ast.parse(path.read_text())
    (manifest,) = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "MANIFEST"
    ]
    defaults = {name: part["default"] for name, part in manifest["params"]["properties"].items()}
    check(manifest["params"], defaults)
