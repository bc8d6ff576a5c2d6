"""Random honest games: no line is ever VIOLATED, and RULES and RECORD are PROVEN where nothing
that is in the log excuses them."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mcp_multiplayer.verifier import build
from mcp_multiplayer.verifier.check import Checked
from mcp_multiplayer.verifier.executor import Executor
from tests.sample import sample
from tests.verifier.games import Bundle, codes, states, verify, violations
from tests.verifier.matches import PRESETS, Match, World, match, replayer, world
from tests.verifier.records import KINDS, games, opened
from tests.verifier.test_command import elsewhere, strangers_python

pytestmark = pytest.mark.asyncio(loop_scope="module")
GAMES, PROVEN, PARTS = 2000, 1950, 20


@pytest.fixture(scope="module")
def judge() -> Iterator[Executor]:
    with replayer() as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with world(tmp_path_factory.mktemp("tls")) as made:
        yield made


def excuses(file: Bundle, *, over: bool) -> set[str]:
    """What an honest record may say against being PROVEN, by what stands in it."""
    found: set[str] = set()
    runs = file.of("run")
    if not over:
        found |= {"I_LIVE", "I_SEED", "I_PRIVATE"}
    if any(run["res"].startswith("killed:") for run in runs):
        found.add("I_LIMIT")
    if any("NonDeterministic" in run["res"] for run in runs):
        found.add("I_NONDETERMINISTIC")
    if any(attach["manifest"].get("sealed") == "kept" for attach in file.of("attach")):
        found.add("I_PRIVATE_KEPT")
    types = [entry["t"] for entry in file.entries]
    if "join" in types and {"attach", "detach", "admin", "change", "close"} & {
        *types[types.index("join") :]
    }:
        found.add("I_CONSENT")  # who sat there alone or twice is the only one to know
    return found


def judged(game: Match, file: Bundle, checked: Checked) -> None:
    """Nobody is accused, and nothing is held back that could be proven."""
    told = [(one.code, one.entry, one.text) for one in checked.findings.found]
    assert not violations(checked), told
    over = game.room.channel.status == "closed" or (
        game.room.channel.status == "ended"
        and not any(bot.dice.used for bot in game.room.channel.bots)
    )
    allowed = excuses(file, over=over)
    against = {one.code for line in ("RULES", "RECORD") for one in checked.findings.of(line)}
    assert against <= allowed, told
    assert over is False or against or states(checked)["RULES"] == "PROVEN", told


async def play(house: World, judge: Executor, seed: int, *, moves: int, files: int) -> Bundle:
    """The game of this seed, and what is said of the files of some of its players."""
    game = await match(house, seed, (None, None, *PRESETS)[seed % (len(PRESETS) + 2)], moves)
    labels = [label for label in game.tokens if game.room.channel.seat(label)]
    for who in random.Random(seed).sample(labels, min(files, len(labels))):
        file = game.bundle(who)
        judged(game, file, verify(file, judge))
    return file


@pytest.mark.parametrize("seed", sample(range(len(PRESETS) + 2), {0, 2}))
async def test_an_honest_game_is_never_accused(house: World, judge: Executor, seed: int) -> None:
    """Two games of referees that do everything, and a short one of each that is shipped."""
    await play(house, judge, seed, moves=20 if seed < 2 else 5, files=1)


@pytest.fixture(scope="module")
def seen() -> Counter[str]:
    """What happened in all the games of the long run."""
    return Counter()


@pytest.mark.long
@pytest.mark.parametrize("first", range(1000, 1300, 20))
async def test_three_hundred_honest_games_are_never_accused(
    house: World, judge: Executor, seen: Counter[str], first: int
) -> None:
    for seed in range(first, first + 20):
        file = await play(house, judge, seed, moves=14, files=2)
        seen.update(entry["t"] for entry in file.entries)
        seen.update(run["res"] for run in file.of("run"))
        seen.update("fx" for run in file.of("run") if "fx" in run)


@pytest.mark.long
async def test_all_that_can_happen_has_happened_in_them(seen: Counter[str]) -> None:
    """Else an accusation of it would be missed without a word."""
    kinds = {"open", "abort", "takeover", "leave", "change", "tick", "disclose", "fx", "start"}
    ends = {"ok", "fuel", "error:ValueError", "error:NonDeterministic", "killed:TimeLimit"}
    assert kinds | ends <= seen.keys(), seen


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
async def test_two_thousand_closed_games_are_proven(
    house: World, judge: Executor, part: int
) -> None:
    """Of every kind there is, and none accused; the few that are not proven met a limit."""
    count = GAMES // PARTS
    files = await games(house, range(5000 + part * count, 5000 + (part + 1) * count))
    found = {name: verify(file, judge) for name, file in files.items()}
    assert {name: told for name, one in found.items() if (told := violations(one))} == {}
    unproven = [name for name, one in found.items() if states(one)["RULES"] != "PROVEN"]
    assert len(unproven) <= (GAMES - PROVEN) // PARTS, unproven


ASKS = """
import random
import requests

class AskBot:
    def on_message(self, message):
        told = random.randint(1, 10**9)
        answer = requests.get("http://api.example.com/x?n=%d" % told).json()
        self.ctx.post("bot", {"target": answer["target"]})
"""


async def test_a_question_that_depends_on_a_seed_accuses_nobody_before_it_is_out(
    house: World, judge: Executor
) -> None:
    game = await opened(house, random.Random(1), code=ASKS)
    for who in ("alice", "bob"):
        await game.sit(who, f"{who} says 0123456789abcdef")
    await game.speak("alice", "ask")
    checked = verify(game.bundle(), judge)
    assert not violations(checked) and "I_SEED" in codes(checked), checked.findings.found


# --- elsewhere -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pyz") / "verifier.pyz"
    path.write_bytes(build.build())
    return path


async def strangers_say(file: Bundle, pyz: Path, place: Path) -> dict[str, Any]:
    """What the single file says in a directory and to a user of their own."""
    nobody: dict[str, Any] = {"user": 65534, "group": 65534, "extra_groups": []}
    how = {"python": strangers_python(), **nobody}
    done = await asyncio.to_thread(lambda: elsewhere(pyz, file, place, **how))
    assert done.returncode == 2, (done.stdout, done.stderr)
    said: dict[str, Any] = json.loads(done.stdout)
    return said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
async def test_another_user_elsewhere_comes_to_the_same(
    house: World, judge: Executor, pyz: Path, in_public: Path
) -> None:
    file = await KINDS["wild"](house, random.Random(7))
    said = await strangers_say(file, pyz, in_public / "there")
    here = verify(file, judge)
    assert {one["line"]: one["state"] for one in said["verdict"]} == states(here)
    assert states(here)["RULES"] == "PROVEN"


@pytest.mark.long
@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
@pytest.mark.parametrize("seed", range(2000, 2028))
async def test_another_user_elsewhere_comes_to_the_same_on_any_game(
    house: World, judge: Executor, pyz: Path, in_public: Path, seed: int
) -> None:
    file = await play(house, judge, seed, moves=14, files=1)
    said = await strangers_say(file, pyz, in_public / "there")
    assert {one["line"]: one["state"] for one in said["verdict"]} == states(verify(file, judge))
