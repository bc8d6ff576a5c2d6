"""What holds for every referee that comes with the server."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from mcp_multiplayer.workshop.table import BOTS

ROOT = BOTS.parent
FILES = sorted(BOTS.glob("*_bot.py"))


def manifest(path: Path) -> dict[str, Any]:
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "MANIFEST":
            found: dict[str, Any] = ast.literal_eval(node.value)
            return found
    raise AssertionError(f"{path.name} has no MANIFEST")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_says_what_people_read_first(path: Path) -> None:
    told = manifest(path)
    assert {"name", "version", "label", "summary", "seats", "params", "moves"} <= set(told)
    assert len(told["summary"]) <= 100 and len(told["seats"]) == 2
    schema = told["params"]
    assert (schema["type"], schema["additionalProperties"]) == ("object", False)
    for name, rule in schema["properties"].items():
        assert {"type", "default", "description"} <= set(rule), name


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_pages_name_it_with_its_params(path: Path) -> None:
    told = manifest(path)
    name = told["name"]
    assert f"`{name}`" in (ROOT / "README.md").read_text()
    rows = re.findall(rf"^\| `{name}` \|.*\| (.*) \|$", (ROOT / "docs/bots.md").read_text(), re.M)
    assert rows == [" ".join(f"`{param}`" for param in told["params"]["properties"])]
