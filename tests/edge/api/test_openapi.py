"""openapi.json says what the server does: each operation, argument and code, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_pydantic import OpenAPI

from mcp_multiplayer.edge.api import errors, openapi
from mcp_multiplayer.edge.api.operations.table import TABLE
from mcp_multiplayer.errors import NotMember
from tests.edge.api.house import open_house
from tests.test_doc_names import CODES, operations

BASE = "https://mp.example"
DISPATCH = operations()
DOCUMENT: Mapping[str, Any] = openapi.document(
    DISPATCH.operations.values(), base=BASE, version="0.1.0"
)
ROUTES = {
    f"/{path}": DISPATCH.operations[entry.name]
    for entry in TABLE
    for path in (entry.name, *entry.routes)
}
WHERE = "#/components/responses/"


def test_it_is_a_document_of_openapi() -> None:
    read = OpenAPI.model_validate(DOCUMENT)
    assert read.openapi == "3.1.0"
    assert [server.url for server in read.servers] == [BASE]


def test_it_has_each_route_with_its_method_and_no_other() -> None:
    found = {path: [*methods] for path, methods in DOCUMENT["paths"].items()}
    assert found == {path: [one.entry.method.lower()] for path, one in ROUTES.items()}
    ids = [
        said["operationId"] for methods in DOCUMENT["paths"].values() for said in methods.values()
    ]
    assert sorted(ids) == sorted(set(ids))


@pytest.mark.parametrize("path", ROUTES)
def test_the_arguments_are_those_that_are_checked(path: str) -> None:
    operation = ROUTES[path]
    (said,) = DOCUMENT["paths"][path].values()
    assert said["description"] == operation.description
    known, needed = operation.schema["properties"], set(operation.schema.get("required", ()))
    if operation.entry.method == "GET":
        found = {one["name"]: one for one in said.get("parameters", ())}
        assert {name for name, one in found.items() if one.get("required")} == needed
        assert {one["in"] for one in found.values()} <= {"query"}
        shown = {
            name: one["schema"] | {key: one[key] for key in ("description",) if key in one}
            for name, one in found.items()
        }
        assert "requestBody" not in said
    else:
        schema = said["requestBody"]["content"]["application/json"]["schema"]
        assert set(schema.get("required", ())) == needed
        assert schema["additionalProperties"] is False
        shown = {
            name: {key: value for key, value in one.items() if key != "examples"}
            for name, one in schema["properties"].items()
        }
        assert "parameters" not in said
    assert shown == known


@pytest.mark.parametrize("path", [path for path, one in ROUTES.items() if one.examples])
def test_the_examples_of_arguments_fit_their_schemas(path: str) -> None:
    (said,) = DOCUMENT["paths"][path].values()
    schema = said["requestBody"]["content"]["application/json"]["schema"]
    Draft202012Validator.check_schema(schema)
    for about in schema["properties"].values():
        for example in about.get("examples", ()):
            Draft202012Validator(about).validate(example)


def test_a_query_holds_no_list_and_no_object() -> None:
    """They would need a way to be written there, which nothing promises."""
    for operation in ROUTES.values():
        if operation.entry.method == "GET":
            kinds = {about.get("type") for about in operation.schema["properties"].values()}
            assert kinds <= {"string", "integer", "boolean"}


def test_it_has_each_code_once_with_its_status_and_no_other() -> None:
    found = [
        code
        for answer in DOCUMENT["components"]["responses"].values()
        for code in answer["x-codes"]
    ]
    assert sorted(found) == sorted({*CODES, openapi.UNAUTHORIZED})
    enum = DOCUMENT["components"]["schemas"]["Error"]["properties"]["error"]["enum"]
    assert sorted(enum) == sorted(found)
    status = str(errors.status(NotMember("no seat")))
    assert NotMember.code in DOCUMENT["components"]["responses"][status]["x-codes"]


def test_each_operation_may_be_refused_with_each_status() -> None:
    known = {*DOCUMENT["components"]["responses"]}
    for methods in DOCUMENT["paths"].values():
        for said in methods.values():
            references = {status: one.get("$ref") for status, one in said["responses"].items()}
            assert references.pop("200") is None
            assert references == {status: WHERE + status for status in known}


async def test_a_refusal_has_the_form_that_it_says(tmp_path: Path) -> None:
    checker = Draft202012Validator(DOCUMENT["components"]["schemas"]["Error"])
    async with open_house(tmp_path) as house:
        somebody = house.account()
        for name, arguments in [
            ("join_channel", {"invite_code": "inv_nothing"}),
            ("post_message", {"channel_id": "chn_x"}),
            ("get_bot_code", {"bot_preset": "NoBot"}),
        ]:
            said = await house.rest(somebody, name, **arguments)
            checker.validate(said.data)
            known = DOCUMENT["components"]["responses"][str(said.status)]["x-codes"]
            assert said.refused in known
