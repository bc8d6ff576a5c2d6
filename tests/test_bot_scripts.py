"""run_bot.py and fairness.py as an author calls them: no server, the real sandbox."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mcp_multiplayer.demo.pair import ROOT

#: On no library.
COIN = """\
class Coin:
    def __init__(self, ctx, params):
        self.ctx = ctx
        self.s = ctx.get_state()            # {} the first time
    def on_start(self):                     # every seat is taken: now dice, secrets
        self.s = {"calls": {}}
        self.ctx.post("bot", {"text": 'Call heads or tails, sealed: to=["bot:coin"]'})
        self.ask()
    def on_message(self, msg):              # players' only: {id, sender, kind, body, ts, to?}
        call = str(msg["body"].get("text", "")).strip().lower()
        if self.s and call in ("heads", "tails"):
            self.s["calls"][msg["sender"]] = call
            self.ask()
    def on_timer(self, name):               # "turn" when a turn's seconds run out
        self.finish()
    def ask(self):
        self.ctx.set_state(self.s)
        waiting = [p for p in self.ctx.players if p not in self.s["calls"]]
        self.ctx.set_turn(waiting, seconds=3600, expect="heads | tails", to=["bot:coin"])
        if not waiting:
            self.finish()
    def finish(self):
        side = self.ctx.random.choice(["heads", "tails"])
        won = [p for p, call in self.s["calls"].items() if call == side]
        self.ctx.post("bot", {"side": side, "calls": self.s["calls"]})
        self.ctx.end({"winners": won, "reason": "coin " + side})
        self.ctx.set_state({})
"""
GUESS = str(ROOT / "bots" / "guess_bot.py")


def call(directory: Path, script: str, *arguments: str, typed: str = "") -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / script), *arguments],
        cwd=directory,
        env={**os.environ, "DATA_DIR": str(directory)},
        input=typed,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def coin(tmp_path: Path) -> str:
    """The bot as a file."""
    (tmp_path / "coin.py").write_text(COIN)
    return "coin.py"


def test_a_script_of_events_is_played_and_leaves_nothing_behind(tmp_path: Path, coin: str) -> None:
    events = [{"join": "ann"}, {"join": "ben"}, {"say": "heads", "as": "ann"}, {"wait": 3600}]
    (tmp_path / "events.json").write_text(json.dumps(events))
    code, said, complaint = call(tmp_path, "run_bot.py", coin, "--script", "events.json")
    assert (code, complaint) == (0, "")
    lines = said.splitlines()
    assert "3 say as ann: on_message ok" in lines and "4 wait 3600 s: on_timer ok" in lines
    assert any(line.startswith("  result, in the referee's words:") for line in lines)
    assert sorted(p.name for p in tmp_path.iterdir()) == [coin, "events.json"]


def test_a_hook_that_fails_is_told_with_its_line_and_the_script_ends_with_1(
    tmp_path: Path, coin: str
) -> None:
    (tmp_path / coin).write_text(COIN.replace('msg["sender"]', 'msg["player"]'))
    (tmp_path / "events.json").write_text('[{"say": "heads", "as": "bob"}]')
    arguments = [coin, "--seats", "bob,carl", "--script", "events.json"]
    code, said, _ = call(tmp_path, "run_bot.py", *arguments)
    assert code == 1
    assert "3 say as bob: on_message KeyError on line 12" in said.splitlines()


def test_lines_are_moves_and_what_is_none_is_explained(tmp_path: Path, coin: str) -> None:
    typed = [
        "alice -> bot:coin: heads",
        "nonsense",
        'bob: {"text": "tails"}',
        "bob: {",
        "wait soon",
        "state",
        "wait 5",
        "leave bob",
        "carl: hi",
    ]
    code, said, _ = call(tmp_path, "run_bot.py", coin, typed="\n".join(typed))
    lines = said.splitlines()
    assert code == 0
    assert '3 say as alice -> "bot:coin": on_message ok' in lines
    assert "4 say as bob: on_message ok" in lines
    assert "5 wait 5 s: no hook of it ran" in lines
    assert "6 leave bob: no hook of it ran" in lines
    assert any(line.startswith("  a line is alice: guess 50") for line in lines)
    assert any("wait takes seconds" in line for line in lines)
    assert len([line for line in lines if line.startswith("state after: ")]) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["none.py"], "none.py", marks=pytest.mark.long),
        ([GUESS, "--params", '{"low": "x"}'], "params.low: 'x' is not an integer"),
        pytest.param(
            [GUESS, "--seats", "alice,alice"],
            "events[1]: 'alice' has joined before",
            marks=pytest.mark.long,
        ),
        pytest.param(
            ["lacking.py"],
            "Line 1: module 'typing' has no attribute 'NamedTuple'",
            marks=pytest.mark.long,
        ),
        (["misspelt.py"], "Line 2: on_mesage is no hook"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    (tmp_path / "lacking.py").write_text(f"from typing import NamedTuple\n{COIN}")
    (tmp_path / "misspelt.py").write_text("class A:\n    def on_mesage(self, msg): pass")
    code, said, complaint = call(tmp_path, "run_bot.py", *arguments)
    assert (code, said) == (1, "")
    assert words in complaint and complaint.count("\n") == 1


def test_the_rates_of_both_seats_are_told_with_their_intervals(tmp_path: Path) -> None:
    arguments = [GUESS, "--games", "60", "--params", '{"high": 4}']
    code, said, complaint = call(tmp_path, "fairness.py", *arguments)
    assert (code, complaint) == (0, "")
    head, first, second, rest, *verdict = said.splitlines()
    assert "60 games at random" in head and head.endswith(
        "in this process, without walls: a file below bots/"
    )
    assert "of 60:" in first and "of 60:" in second and "(95 %: " in second
    assert "not ended 0" in rest
    assert all("decided games" in line for line in verdict) and verdict


def test_a_file_from_elsewhere_is_played_in_the_sandbox(tmp_path: Path, coin: str) -> None:
    code, said, _ = call(tmp_path, "fairness.py", coin, "--games", "4")
    assert code == 0
    assert said.splitlines()[0].endswith("in the sandbox")


def test_a_game_that_cannot_be_chosen_in_is_told_so(tmp_path: Path, coin: str) -> None:
    (tmp_path / coin).write_text(COIN.replace('"heads | tails"', '{"what": "you like"}'))
    code, _, complaint = call(tmp_path, "fairness.py", coin, "--games", "1")
    assert code == 1
    assert "nobody could choose from this expect" in complaint
