"""The language layer is switched off, and bots are ordinary Python. Stopped by sandbox/jail/,
and by what is not in a worker at all.

Nothing that RestrictedPython and the guards keep may be needed to be kept: each of the rows of
`tests/attacks/native.py`, every gadget and every hostile bot is run by the server's own pool
without them (`tests/attacks/unrestricted_lab.py`), and so is a search for dice to come.
"""

from __future__ import annotations

import functools
import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.attacks import native

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="the rows name system calls of x86-64"
)
LAB = Path(native.__file__).with_name("unrestricted_lab.py")
ROWS = native.rows()
WITHOUT = [
    pytest.param((), id="with every wall"),
    pytest.param(("uid",), id="as the server's own user", marks=pytest.mark.long),
    pytest.param(("landlock", "uid", "namespaces"), id="seccomp alone", marks=pytest.mark.long),
]
of_each = pytest.mark.parametrize("without", WITHOUT)


@functools.cache
def lab(*without: str) -> dict[str, Any]:
    """Everything once."""
    done = subprocess.run(
        [sys.executable, str(LAB), json.dumps(without)],
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@of_each
@pytest.mark.parametrize("victims", ["outcomes", "neighbours"])
def test_no_native_attack_of_an_unrestricted_bot_gets_through(
    without: tuple[str, ...], victims: str
) -> None:
    found = lab(*without)[victims]
    assert len(found) == sum(victims == "outcomes" or "SERVER" in row for row, _ in ROWS.values())
    assert {name: said for name, said in found.items() if said not in ROWS[name][1]} == {}


@of_each
def test_the_whole_corpus_without_the_language_has_no_effect_outside(
    without: tuple[str, ...],
) -> None:
    found = lab(*without)
    assert (found["effects"], found["lost"]) == ({}, False)
    assert not [name for name, said in found["corpus"].items() if "root:" in said]
    assert found["corpus"]["open"].startswith("PermissionError")


@of_each
def test_no_dice_to_come_and_no_key_lie_in_a_worker(without: tuple[str, ...]) -> None:
    """It finds the one it was told, so it would find others."""
    assert lab(*without)["dice"] == "told"


@of_each
def test_the_language_is_off_indeed(without: tuple[str, ...]) -> None:
    found = lab(*without)
    assert found["switched"] == "got 'off'"
    assert {"eval": "{'got': '4'}", "exec": "{'got': '1'}"}.items() <= found["corpus"].items()
