"""What the README and docs/ name exists, and what exists is named: tools, routes, settings,
error codes, files, hooks, and the log's format field by field."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import pytest

from mcp_multiplayer.channel import events
from mcp_multiplayer.channel.identifiers import RESERVED
from mcp_multiplayer.channel.ops import FIELDS as OPS
from mcp_multiplayer.config import Settings
from mcp_multiplayer.demo.pair import ROOT
from mcp_multiplayer.edge.api.dispatch import Dispatch
from mcp_multiplayer.edge.api.errors import Internal
from mcp_multiplayer.edge.api.operations.combined import Operations
from mcp_multiplayer.edge.api.operations.table import TABLE
from mcp_multiplayer.edge.api.prompts import PROMPTS
from mcp_multiplayer.errors import MultiplayerError
from mcp_multiplayer.multiplayer_server import room_limits
from mcp_multiplayer.sandbox.language import source
from mcp_multiplayer.sandbox.language.imports import TABLE as MODULES
from mcp_multiplayer.sandbox.worker.context import Context
from mcp_multiplayer.storage.base import Table
from mcp_multiplayer.transcript.entries import place, read, verify
from mcp_multiplayer.transcript.names import HOOKS
from mcp_multiplayer.verifier.verdict import SETTLE
from mcp_multiplayer.workshop.table import own_library
from tests.bots.test_presets import FILES, manifest
from tests.pages import EVERYTHING, PAGES, prose


class _Nobody:
    pass


def operations() -> Dispatch:
    nobody: Any = _Nobody()
    return Dispatch(Operations(nobody, nobody, nobody), 0)


def codes(kind: type[MultiplayerError]) -> Iterator[str]:
    """Yield the code of every refusal below ``kind``."""
    for below in kind.__subclasses__():
        if "code" in vars(below):
            yield below.code
        yield from codes(below)


CODES = {Internal.code, *codes(MultiplayerError)}
ALLOWED = {path.split(".")[0] for path in MODULES}
SETTINGS = {name.upper() for name in Settings.model_fields}
SCRIPT_SETTINGS = {"MCP_BASE_URL", "MCP_CLIENT_NAME", "MCP_VERIFY_SSL", "MCP_TOKEN_FILE"}
#: Upper-case words of the docs that are neither settings nor codes.
OTHER_CAPITALS = {"PYTHONHASHSEED", "UNAUTHORIZED", "MANIFEST"}


@pytest.mark.parametrize("name", [entry.name for entry in TABLE])
def test_every_tool_stands_in_the_readmes_table_with_its_rest_method(name: str) -> None:
    entry = next(entry for entry in TABLE if entry.name == name)
    assert re.search(rf"(?m)^\| `{name}` \| {entry.method}\b", (ROOT / "README.md").read_text())


def test_the_readmes_table_names_no_tool_that_is_not_there() -> None:
    rows = re.findall(r"(?m)^\| `(\w+)` \| (?:GET|POST)", (ROOT / "README.md").read_text())
    assert sorted(rows) == sorted(entry.name for entry in TABLE)


def test_every_rest_path_that_is_named_is_a_route() -> None:
    routes = {path for entry in TABLE for path in (entry.name, *entry.routes)}
    proxy = {"mcp", "join", "healthz", "register", "token", "revoke", "oauth", "transcript"}
    proxy.add("verifier")
    named = {path for path in re.findall(r"8100/(\w+)|`(?:GET|POST) /(\w+)", EVERYTHING)}
    assert {a or b for a, b in named} <= routes | proxy


def test_every_other_rest_path_is_named_too() -> None:
    for entry in TABLE:
        assert all(f"/{route}" in EVERYTHING for route in entry.routes)


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_error_code_is_documented(code: str) -> None:
    assert f"`{code}`" in EVERYTHING


@pytest.mark.parametrize("setting", sorted(SETTINGS))
def test_every_setting_is_documented(setting: str) -> None:
    assert f"`{setting}" in EVERYTHING


def test_every_name_in_capitals_exists() -> None:
    known = SETTINGS | CODES | SCRIPT_SETTINGS | OTHER_CAPITALS | SETTLE.keys()
    named = set(re.findall(r"`([A-Z][A-Z_]{3,})(?![\w.:])", "\n".join(map(prose, PAGES))))
    assert named - known == set()


#: Names in answers and manifests that no table of ours lists.
OTHER_NAMES = {
    *(
        "author_log",
        "author_log_waits",
        "bot_id",
        "code_hash",
        "commitment_hash",
        "inline_code",
        "bots_announced",
    ),
    "restarting",
    # OAuth's
    "client_id",
    "private_key_jwt",
    "tool_timeout_sec",  # a setting of Codex
}


def of_the_library() -> set[str]:
    """What `bots/referee.py` defines, at its top or in its classes."""
    tree = ast.parse(own_library())
    bodies = [tree.body, *(node.body for node in tree.body if isinstance(node, ast.ClassDef))]
    return {name for body in bodies for node in body for name in source.defined(node)}


def known_names() -> set[str]:
    dispatch = operations()
    arguments = {
        argument
        for operation in dispatch.operations.values()
        for argument in operation.schema["properties"]
    }
    entry_fields = {field.name for kind in get_args(events.Event) for field in fields(kind)}
    return {
        *dispatch.operations,
        *arguments,
        *OPS,
        *HOOKS,
        *(name for name in dir(Context) if not name.startswith("_")),
        *entry_fields,
        *map(str, Table),
        *PROMPTS,
        *RESERVED,
        *ALLOWED,
        *room_limits(Settings(_env_file=None)),  # type: ignore[call-arg]
        *(path.stem for path in ROOT.glob("*.py")),
        "mcp_multiplayer",
        *of_the_library(),
        *(param for path in FILES for param in manifest(path)["params"]["properties"]),
        *OTHER_NAMES,
    }


def test_every_lower_case_name_with_an_underscore_exists() -> None:
    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)\b(?!\.)", "\n".join(map(prose, PAGES))))
    assert named - known_names() == set()


def test_every_file_that_is_named_exists() -> None:
    named = set(re.findall(r"`((?:[\w.-]+/)*[\w.-]+\.(?:py|md|yml|txt|toml|example))`", EVERYTHING))
    named |= set(
        re.findall(r"`((?:scripts|docs|deploy|mcp_multiplayer|bots|tests)/[\w./-]*)`", EVERYTHING)
    )
    bases = (ROOT, *(ROOT / "mcp_multiplayer" / below for below in ("", "edge/api")))
    somewhere = {path.name for path in ROOT.rglob("*.py") if ".venv" not in path.parts}
    missing = {name for name in named if not any((base / name).exists() for base in bases)}
    assert missing - somewhere <= {"README.txt"}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


# The bots' interface


def bots_text() -> str:
    return (ROOT / "docs" / "bots.md").read_text()


@pytest.mark.parametrize("name", [name for name in dir(Context) if not name.startswith("_")])
def test_everything_a_bot_can_do_is_in_its_page(name: str) -> None:
    assert f"`ctx.{name}" in bots_text()


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_in_the_bots_page(hook: str) -> None:
    assert f"`{hook}(" in bots_text()


def test_the_bots_page_lists_exactly_the_modules_that_may_be_imported() -> None:
    limits = bots_text().split("## Limits")[1].split("```")[0]
    assert set(re.findall(r"`([a-z_0-9]+)`", limits)) == ALLOWED


# The format


def format_text() -> str:
    return (ROOT / "docs" / "format.md").read_text()


def test_the_format_lists_no_other_entry() -> None:
    table = format_text().split("## Entries")[1].split("What the fields hold")[0]
    assert re.findall(r"(?m)^\| `(\w+)` \|", table) == [*events.TYPES]


def test_the_format_lists_the_limits_a_room_is_born_with() -> None:
    listed = re.search(
        r"`limits` are the room's own.*?:((?:\s*`\w+`)+)\.", format_text(), re.DOTALL
    )
    assert listed
    born = room_limits(Settings(_env_file=None))  # type: ignore[call-arg]
    assert re.findall(r"`(\w+)`", listed[1]) == sorted(born)


def test_the_vector_of_the_format_is_what_the_code_writes() -> None:
    """Two entries written down by hand; their hashes were computed without our code."""
    found = re.findall(r"(?m)^    (\{.*\})$", format_text())
    root = re.search(r"(?m)^    root +(\S+)$", format_text())
    assert len(found) == 2 and root
    head = verify(line.encode() for line in found)
    assert head.root.hex() == root[1]
    for index, line in enumerate(found):
        entry = read(line.encode(), index)
        events.read(entry)
        before = verify(one.encode() for one in found[:index])
        own = {key: value for key, value in entry.items() if key not in ("i", "p", "ts")}
        assert place(before, own, entry["ts"])[0] == line.encode()
