"""The scripts a newcomer types first: what they say when something is missing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BASH = sorted(
    path
    for path in [*(ROOT / "scripts").iterdir(), ROOT / ".ci" / "run"]
    if path.is_file() and path.read_bytes().startswith(b"#!/usr/bin/env bash")
)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The scripts in a directory of their own, without .venv."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "setup", tmp_path / "scripts")
    for name in ("requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def setup(root: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [root / "scripts" / "setup", *arguments],
        env={**os.environ, **environment},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


def stand_in(path: Path, script: str) -> Path:
    path.write_text(f"#!/usr/bin/env bash\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("path", BASH, ids=lambda path: path.name)
def test_a_script_is_careful(path: Path) -> None:
    shellcheck = Path(sys.executable).parent / "shellcheck"
    done = subprocess.run([shellcheck, path], capture_output=True, text=True, check=False)
    assert done.stdout == ""
    assert "\nset -euo pipefail\n" in path.read_text()
    assert os.access(path, os.X_OK)


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_version_is_exact(name: str) -> None:
    for line in (ROOT / name).read_text().splitlines():
        line = line.split("#")[0].strip()
        assert not line or line == "-r requirements.txt" or re.match(r"[a-z0-9.-]+==\d[\w.]*", line)


def test_an_interpreter_that_does_not_run_is_named(copy: Path) -> None:
    done = setup(copy, PYTHON="/nowhere/python")
    assert done.returncode == 1
    assert done.stderr == "PYTHON=/nowhere/python does not run. Name a Python 3.11 or newer.\n"


def test_an_old_interpreter_is_named_with_its_version(copy: Path) -> None:
    old = stand_in(copy / "old python", "echo 3.9")
    done = setup(copy, PYTHON=str(old))
    assert done.returncode == 1
    assert f"{old} is 3.9: too old" in done.stderr
    assert not (copy / ".venv").exists()


def test_a_missing_venv_is_told_with_the_package_that_brings_it(copy: Path) -> None:
    bare = stand_in(copy / "bare", '[[ "$*" == *ensurepip* ]] && exit 1; echo 3.12')
    done = setup(copy, PYTHON=str(bare))
    assert done.returncode == 1
    assert "apt install python3.12-venv" in done.stderr


@pytest.mark.long
def test_a_failed_installation_shows_why_and_leaves_nothing_that_looks_finished(copy: Path) -> None:
    (copy / "requirements.txt").write_text("./no-such-directory\n")
    done = setup(copy, PYTHON=sys.executable)
    assert done.returncode == 1
    assert "no-such-directory" in done.stderr
    assert ".venv/setup.log" in done.stderr
    assert not (copy / ".venv" / "contents").exists()


@pytest.mark.long
def test_what_is_in_place_is_left_alone_and_what_is_broken_is_made_anew(copy: Path) -> None:
    (copy / "requirements.txt").write_text("")
    first = setup(copy, PYTHON=sys.executable)
    assert (first.returncode, first.stdout) == (0, "")
    assert "one moment" in first.stderr
    inode = (copy / ".venv" / "contents").stat().st_ino
    again = setup(copy)
    assert (again.returncode, again.stdout + again.stderr) == (0, "")
    assert (copy / ".venv" / "contents").stat().st_ino == inode

    pip = next((copy / ".venv" / "lib").glob("python*/site-packages/pip"))
    shutil.rmtree(pip)
    assert setup(copy, PYTHON=sys.executable).returncode == 0
    assert pip.is_dir()


def test_an_unknown_argument_is_refused(copy: Path) -> None:
    assert setup(copy, "--fast").returncode == 2
