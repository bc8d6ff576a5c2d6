"""The document of the REST routes (`edge/api/openapi.py`) as rows for a page and for agents."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mcp_multiplayer.edge.pages.presets import Param, kind

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Argument(Param):
    """An argument of an operation."""

    required: bool


@dataclass(frozen=True)
class Operation:
    """A route."""

    name: str
    method: str
    title: str
    paragraphs: list[str]
    arguments: list[Argument]
    same_as: str  #: it is another address of that one


@dataclass(frozen=True)
class Code:
    """What a refusal can say."""

    code: str
    status: str
    meaning: str


def operations(document: Json) -> list[Operation]:
    """The routes in the order of the table."""
    return [
        Operation(
            name=said["operationId"],
            method=method.upper(),
            title=said["summary"],
            paragraphs=said["description"].split("\n"),
            arguments=list(_arguments(said)),
            same_as=said.get("x-same-as", ""),
        )
        for route in document["paths"].values()
        for method, said in route.items()
    ]


def _arguments(said: Json) -> Iterator[Argument]:
    for parameter in said.get("parameters", ()):
        schema = {"description": parameter.get("description", ""), **parameter["schema"]}
        yield _argument(parameter["name"], schema, parameter.get("required", False))
    if "requestBody" in said:
        schema = said["requestBody"]["content"]["application/json"]["schema"]
        needed = schema.get("required", ())
        for name, about in schema["properties"].items():
            yield _argument(name, about, name in needed)


def _argument(name: str, about: Json, required: bool) -> Argument:
    default = json.dumps(about["default"]) if "default" in about else ""
    return Argument(name, default, kind(about), about.get("description", ""), required)


def codes(document: Json) -> list[Code]:
    """Every code of a refusal, by its status."""
    return [
        Code(code, status, meaning)
        for status, answer in document["components"]["responses"].items()
        for code, meaning in answer["x-codes"].items()
    ]
