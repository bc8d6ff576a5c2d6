"""scripts/rotate_log_key as an operator calls it, on a data directory of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mcp_multiplayer.demo.pair import ROOT
from mcp_multiplayer.service.log_keys import LogKeys


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The script in a directory whose setup is done and whose Python is this one."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "rotate_log_key", tmp_path / "scripts")
    python = f'PYTHONPATH="{ROOT}" exec "{sys.executable}" -B "$@"'
    for name, script in {"scripts/setup": "", ".venv/bin/python": python}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/usr/bin/env bash\n{script}\n")
        path.chmod(0o755)
    return tmp_path


def rotate(copy: Path, data: str = "data") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [copy / "scripts" / "rotate_log_key"],
        env={**os.environ, "DATA_DIR": data},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_new_key_signs_from_the_next_start_on_and_the_old_one_is_kept(copy: Path) -> None:
    directory = copy / "data" / "keys"
    old = LogKeys.load(directory).newest
    done = rotate(copy)
    assert (done.returncode, done.stderr) == (0, "")
    ring = LogKeys.load(directory)
    assert [key.kid for key in ring.keys] == [ring.newest.kid, old.kid]
    assert ring.newest.kid in done.stdout and old.kid in done.stdout
    assert (directory / f"{old.file_name}.key").stat().st_mode & 0o777 == 0o600


def test_a_directory_that_cannot_be_used_is_named_in_one_line(copy: Path) -> None:
    done = rotate(copy, "/dev/null")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "/dev/null" in done.stderr and done.stderr.count("\n") == 1
