"""scripts/demo as a person calls it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mcp_multiplayer.demo import show
from mcp_multiplayer.demo.acts import CHEATS, HONEST, Outcome
from mcp_multiplayer.demo.pair import ROOT
from mcp_multiplayer.demo.verdict import Verdict
from tests.pages import BLOCKS, fits


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The script in a directory whose setup is done and whose Python is this one, at home here."""
    python = f'cd "{ROOT}" && PYTHONPATH=scripts exec "{sys.executable}" "$@"'
    for name, text in {"scripts/setup": "", ".venv/bin/python": python}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/usr/bin/env bash\n{text}\n")
        path.chmod(0o755)
    copy = tmp_path / "scripts" / "demo"
    copy.write_bytes((ROOT / "scripts" / "demo").read_bytes())
    copy.chmod(0o755)
    return copy


@pytest.mark.servers
@pytest.mark.long
def test_the_demonstration_shows_every_cheat_and_ends_well(script: Path, tmp_path: Path) -> None:
    left = tmp_path / "left"
    done = subprocess.run(
        [script, "--directory", left], cwd="/", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for number, act in enumerate((HONEST, *CHEATS), 1):
        assert f"\n{number}. {act.title}\n" in done.stdout
        assert act.code in done.stdout
        assert (left / act.name / "room.zip").is_file()
        assert not (left / act.name / "data").exists()
    (shown,) = [b.text for b in BLOCKS if b.kind == "text" and "It rigs the number" in b.text]
    assert fits(shown, done.stdout), "the README shows another demonstration"


def test_a_cheat_that_is_missed_is_not_passed_over(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    clean = Verdict(0, [{"line": "RULES", "state": "PROVEN", "reason": "all well"}], [], [])
    missed = [Outcome(act, "so it went.", clean) for act in (HONEST, CHEATS[0])]
    monkeypatch.setattr(show, "performed", lambda *_: iter(missed))
    assert show.show((HONEST, CHEATS[0]), tmp_path) == [CHEATS[0].title]
    assert "NOT WHAT WAS EXPECTED" in capsys.readouterr().out


def test_an_honest_server_that_is_accused_is_not_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    finding = {"code": "E_RUN_OUT", "entry": 5, "text": "otherwise", "lines": ["RULES"]}
    accused = Verdict(1, [{"line": "RULES", "state": "VIOLATED", "reason": ""}], [finding], [])
    monkeypatch.setattr(show, "performed", lambda *_: iter([Outcome(HONEST, "", accused)]))
    assert show.show((HONEST,), tmp_path) == [HONEST.title]
