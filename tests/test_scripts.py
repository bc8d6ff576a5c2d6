"""The programs in scripts/ against a running server, as a person would call them."""

from __future__ import annotations

import json
import os
import re
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from mcp_multiplayer.demo.pair import ROOT, Pair
from tests.sample import sample

pytestmark = pytest.mark.servers

SHARED = {"client.py", "workshop.py"}
SCRIPTS = sorted(p.name for p in (ROOT / "scripts").glob("*.py") if p.name not in SHARED)


class Shell:
    """Calls scripts with a token file of their own."""

    def __init__(self, base: str, directory: Path) -> None:
        self.tokens = directory / "tokens.json"
        self._directory = directory
        self._environment = {
            **os.environ,
            "MCP_BASE_URL": base,
            "MCP_TOKEN_FILE": str(self.tokens),
        }

    def run(self, script: str, *arguments: str, **environment: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, str(ROOT / "scripts" / script), *arguments],
            env={**self._environment, **environment},
            cwd=self._directory,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done.returncode, done.stdout, done.stderr

    @contextmanager
    def started(self, script: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """The script while it runs; it has to end well by the end of the block."""
        with subprocess.Popen(
            [sys.executable, str(ROOT / "scripts" / script), *arguments],
            env=self._environment,
            cwd=self._directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as running:
            try:
                yield running
                assert running.wait(60) == 0
            finally:
                running.kill()

    def ok(self, script: str, *arguments: str, **environment: str) -> str:
        code, said, complaint = self.run(script, *arguments, **environment)
        assert code == 0, said + complaint
        return said.strip()

    @property
    def kept(self) -> dict[str, Any]:
        ((_, accounts),) = json.loads(self.tokens.read_text()).items()
        return dict(accounts)

    def change(self, account: str, **values: Any) -> None:
        everything = json.loads(self.tokens.read_text())
        for accounts in everything.values():
            accounts[account] |= values
        self.tokens.write_text(json.dumps(everything))


@pytest.fixture
def shell(pair: Pair, tmp_path: Path) -> Shell:
    return Shell(pair.base, tmp_path)


def rooms(base: str, token: str) -> int:
    """How many rooms the account of a token has; a new account has none."""
    header = {"Authorization": f"Bearer {token}"}
    return len(httpx.get(f"{base}/list_channels", headers=header).json()["channels"])


@pytest.mark.parametrize("script", sample(SCRIPTS, {"create_channel.py", "fairness.py"}))
def test_each_script_says_what_it_is_for(script: str, tmp_path: Path) -> None:
    assert "usage:" in Shell("http://127.0.0.1:1", tmp_path).ok(script, "--help")


@pytest.mark.parametrize(
    "script", ["test_guessing_game.py", "test_inline_bot.py", "session_test.py"]
)
def test_the_test_scripts_pass_against_a_running_server(shell: Shell, script: str) -> None:
    assert "ok: " in shell.ok(script)
    assert stat.S_IMODE(shell.tokens.stat().st_mode) == 0o600


def test_a_played_game_is_verified_with_what_its_players_kept(shell: Shell, tmp_path: Path) -> None:
    said = shell.ok("test_guessing_game.py", "--record", "mine.zip")
    for line in ("RULES", "RECORD", "DICE", "SAME FOR ALL", "WORDS"):
        assert f"  PROVEN      {line}" in said
    (command,) = [line for line in said.splitlines() if " -m mcp_multiplayer.verifier " in line]
    assert str(tmp_path / "mine.zip") in command
    again = subprocess.run(shlex.split(command), cwd=ROOT, capture_output=True)
    assert again.returncode == 0, again.stdout + again.stderr


@pytest.mark.long
def test_who_opens_or_joins_has_a_part_in_the_dice_and_is_told_which(shell: Shell) -> None:
    opened = shell.ok("create_channel.py", "--join-as", "alice", "--entropy", "0123456789abcdef")
    (link,) = [word for word in opened.split() if "/join#inv_" in word]
    joined = shell.ok("join_channel.py", link)
    assert opened.startswith("entropy: 0123456789abcdef\n")
    assert "given theirs: alice." in joined
    assert re.search(r"(?m)^entropy: [0-9a-f]{32}$", joined)


def test_one_opens_a_room_and_another_joins_it(shell: Shell) -> None:
    opened = shell.ok("create_channel.py", "--join-as", "alice", "--name", "From a shell")
    (link,) = [word for word in opened.split() if "/join#inv_" in word]
    assert "You are bob" in shell.ok("join_channel.py", link)
    assert set(shell.kept) == {"alice", "bob"}
    code, _, complaint = shell.run("join_channel.py", link, "--only-look", "--account", "carol")
    assert code == 1
    assert "SLOT_ALREADY_FILLED" in complaint


def test_a_token_is_kept_and_a_stale_one_renewed_for_the_same_account(
    shell: Shell, pair: Pair
) -> None:
    first = shell.ok("get_token.py", "--account", "carol")
    header = {"Authorization": f"Bearer {first}"}
    httpx.post(f"{pair.base}/create_channel", headers=header, json={}).raise_for_status()
    assert shell.ok("get_token.py", "--account", "carol") == first
    shell.change("carol", expires_at=0)
    second = shell.ok("get_token.py", "--account", "carol")
    assert second != first
    shell.change("carol", access_token="mpt_revoked")
    third = shell.ok("get_token.py", "--account", "carol")
    assert third not in (first, second, "mpt_revoked")
    assert [rooms(pair.base, token) for token in (first, second, third)] == [1, 1, 1]


def test_an_account_the_server_has_forgotten_is_replaced(shell: Shell) -> None:
    shell.ok("get_token.py", "--account", "carol")
    shell.change("carol", client_id="cli_gone", access_token="mpt_gone")
    assert shell.ok("get_token.py", "--account", "carol") != "mpt_gone"
    assert shell.kept["carol"]["client_id"] != "cli_gone"


def test_with_a_browser_the_account_is_the_browsers(shell: Shell, tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text('#!/bin/sh\nexec curl --silent --location --output /dev/null "$1" &\n')
    browser.chmod(0o755)
    token = shell.ok("get_token.py", "--account", "me", "--browser", BROWSER=f"{browser} %s")
    assert "client_secret" not in shell.kept["me"]
    shell.change("me", expires_at=0)
    assert shell.ok("get_token.py", "--account", "me") != token
    # Not silently another account, once the sign-in is over.
    shell.change("me", access_token="mpt_gone", refresh_token="mpr_gone")
    code, _, complaint = shell.run("get_token.py", "--account", "me")
    assert code == 1
    assert "--browser" in complaint


def test_without_a_browser_a_code_is_typed_elsewhere(shell: Shell, pair: Pair) -> None:
    with shell.started("get_token.py", "--account", "far", "--device") as device:
        assert device.stderr and device.stdout
        page, code = re.findall(
            r"Go to (\S+) in any browser and type (\S+)", device.stderr.readline()
        )[0]
        with httpx.Client() as browser:
            asked = browser.get(page, params={"user_code": code})
            form = dict(re.findall(r'name="(request|csrf)" value="([^"]*)"', asked.text))
            browser.post(page, data=form | {"choice": "new"}).raise_for_status()
        assert device.stdout.read().startswith("mpt_")
    assert shell.kept["far"]["refresh_token"]


def test_without_a_server_the_scripts_fail_in_one_line(tmp_path: Path) -> None:
    shell = Shell("http://127.0.0.1:9", tmp_path)
    code, said, complaint = shell.run("test_guessing_game.py")
    assert (code, said) == (1, "")
    (line,) = complaint.splitlines()
    assert "does not answer" in line


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Pair]:
    running = Pair(tmp_path / "locked", ACCESS_PASSCODE="open sesame")
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.mark.long
def test_behind_a_passcode_the_scripts_need_it(locked: Pair, tmp_path: Path) -> None:
    shell = Shell(locked.base, tmp_path)
    code, _, complaint = shell.run("get_token.py")
    assert code == 1
    assert "ACCESS_PASSCODE" in complaint
    assert shell.ok("get_token.py", ACCESS_PASSCODE="open sesame").startswith("mpt_")
