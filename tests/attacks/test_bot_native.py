"""The language is lost: what can native code do inside the jail? Stopped by
sandbox/jail/confinement.py.

Each run is a program of its own (`tests/attacks/native_lab.py`): something like the server, a
zygote, and a jailed worker for each row of `tests/attacks/native.py`. The same rows are then
run with walls taken away, to show that they are real and what each wall holds alone.
"""

from __future__ import annotations

import functools
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.attacks import native

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="the rows name system calls of x86-64"
)
LAB = Path(native.__file__).with_name("native_lab.py")
ROWS = native.rows()
as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
OWN, SHARED = 0, 1000  #: bots have users of their own; bots and server are all user 1000


@functools.cache
def lab(uid: int, *without: str) -> dict[str, Any]:
    """Run every attack once: outcomes by name, and what changed outside."""
    command = [sys.executable, str(LAB), str(uid), json.dumps(without)]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["outcomes"].keys() == ROWS.keys()
    return found


def got_through(found: dict[str, Any], names: Iterable[str] = ROWS) -> dict[str, str]:
    """Which of these had another outcome than is expected of the full jail, and what."""
    outcomes = found["outcomes"]
    return {name: outcomes[name] for name in names if outcomes[name] not in ROWS[name][1]}


@pytest.mark.parametrize(
    ("uid", "without"),
    [
        pytest.param(OWN, (), id="with every wall"),
        pytest.param(SHARED, (), id="as the server's own user", marks=as_root),
        pytest.param(OWN, ("landlock",), id="without Landlock"),
        pytest.param(SHARED, ("landlock",), id="without Landlock, as its user", marks=as_root),
        pytest.param(OWN, ("landlock", "uid", "namespaces"), id="seccomp alone"),
        pytest.param(OWN, ("uid",), id="as the server, which is root", marks=as_root),
    ],
)
def test_no_attack_gets_through_and_none_has_an_effect(uid: int, without: tuple[str, ...]) -> None:
    found = lab(uid, *without)
    assert got_through(found) == {}
    assert found["effects"] == {}


def test_there_are_more_attacks_than_were_asked_for() -> None:
    assert len(ROWS) >= 60


@as_root
def test_without_any_wall_the_same_attacks_take_the_server_over() -> None:
    found = lab(SHARED, "seccomp", "landlock", "uid", "namespaces")
    assert found["effects"]["memory"].startswith("xxx")
    assert {"signals", "secret", "files", "tcp", "udp", "unix", "limits", "shared"} <= set(
        found["effects"]
    )
    assert sum(said.startswith("got") for said in found["outcomes"].values()) > 80


@as_root
def test_without_seccomp_the_other_walls_still_keep_every_effect_out() -> None:
    found = lab(OWN, "seccomp")
    assert found["effects"] == {}
    assert got_through(found, BY_LANDLOCK + BY_USER) == {}


@as_root
def test_without_seccomp_and_landlock_a_user_of_its_own_still_shields_the_server() -> None:
    found = lab(OWN, "seccomp", "landlock")
    assert found["effects"] == {"elsewhere": True}  # a file in /tmp
    assert got_through(found, BY_USER) == {}


@as_root
def test_landlock_alone_keeps_files_processes_and_ordinary_connections() -> None:
    """And not more: why this profile is never used, and inline bots are refused in it."""
    found = lab(SHARED, "seccomp", "uid", "namespaces")
    assert got_through(found, BY_LANDLOCK) == {}
    assert not {"memory", "signals", "files", "unix", "elsewhere"} & found["effects"].keys()
    assert {"tcp", "udp", "limits"} <= found["effects"].keys()  # fast open goes around it


BY_LANDLOCK = [
    "open a file",
    "open by old call",
    "openat",
    "openat2",
    "open the password file",
    "list a directory",
    "write a file",
    "write to /tmp",
    "truncate by name",
    "unlink",
    "rename",
    "make a directory",
    "symlink",
    "mount",
    "execve",
    "execveat",
    "signal the server",
    "tgkill",
    "sigqueue",
    "attach a debugger",
    "read memory of the server",
    "write memory of the server",
    "read memory as a file",
    "write memory as a file",
    "read the server's environment",
    "connect over tcp",
]
BY_USER = [
    "openat",
    "unlink",
    "rename",
    "chmod",
    "chown",
    "utimes",
    "signal the server",
    "tgkill",
    "sigqueue",
    "attach a debugger",
    "read memory of the server",
    "write memory of the server",
    "read memory as a file",
    "write memory as a file",
    "read the server's environment",
    "limits of the server",
    "priority of the server",
    "scheduler of the server",
    "root again",
    "mount",
    "chroot",
    "set the clock",
    "reboot keys",
    "more descriptors",
    "less nice",
    "real-time",
]
