"""What a release publishes beside the wheel (scripts/release.py)."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mcp_multiplayer.config import VERSION
from mcp_multiplayer.verifier import build

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Where it was written, and the line for the notes."""
    directory = tmp_path_factory.mktemp("dist")
    command = [
        sys.executable,
        str(ROOT / "scripts/release.py"),
        "someone/somewhere",
        str(directory),
    ]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return directory, done.stdout


def manifest(released: tuple[Path, str]) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((released[0] / "server.json").read_text())
    return read


def test_the_line_of_the_notes_is_the_hash_of_the_verifier(released: tuple[Path, str]) -> None:
    directory, line = released
    data = (directory / "verifier.pyz").read_bytes()
    assert data == build.build()
    assert line == f"{hashlib.sha256(data).hexdigest()}  verifier.pyz\n"


def test_the_manifest_carries_the_same_hash_where_a_registry_keeps_it(
    released: tuple[Path, str],
) -> None:
    ours = manifest(released)["_meta"]
    (kept,) = ours.values()
    assert list(ours) == ["io.modelcontextprotocol.registry/publisher-provided"]
    assert f"{kept['verifier']['sha256']}  {kept['verifier']['file']}\n" == released[1]


def test_the_manifest_is_within_the_limits_of_its_schema(released: tuple[Path, str]) -> None:
    """2025-12-11: what is required, the form of a name, the length of a description, and that every
    part of an address in braces is a variable."""
    said = manifest(released)
    assert re.fullmatch(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+", said["name"])
    assert said["name"] == "io.github.someone/somewhere"
    assert said["version"] == VERSION
    assert 1 <= len(said["description"]) <= 100
    assert 1 <= len(said["title"]) <= 100
    for remote in said["remotes"]:
        assert re.findall(r"\{(\w+)\}", remote["url"]) == list(remote["variables"])
