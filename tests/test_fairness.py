"""workshop/fairness.py: its figures, checked against numbers from elsewhere, and odd referees,
which it plays or says at once why not."""

from __future__ import annotations

import importlib.util
import random
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import AsyncIterator
from types import ModuleType
from typing import Any

import pytest
import pytest_asyncio

from mcp_multiplayer.demo.pair import ROOT
from mcp_multiplayer.errors import InvalidRequest
from mcp_multiplayer.service.bot_manager import BotSpec


@pytest.fixture(scope="module")
def fairness() -> ModuleType:
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        spec = importlib.util.spec_from_file_location(
            "fairness", ROOT / "mcp_multiplayer/workshop/fairness.py"
        )
        assert spec is not None and spec.loader is not None
        made = sys.modules["fairness"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(made)
    finally:
        sys.path.pop(0)
    return made


@pytest.mark.parametrize(
    ("wins", "games", "low", "high"),
    [
        (15, 40, 0.2422, 0.5297),
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (81, 263, 0.2553, 0.3662),
    ],
)  # Newcombe (1998) gives the last for method 3; the others are by hand
def test_intervals_are_wilsons(
    fairness: ModuleType, wins: int, games: int, low: float, high: float
) -> None:
    assert fairness.wilson(wins, games) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("expect", "bodies"),
    [
        (["a", {"b": 1}], ["a", {"b": 1}]),
        ({"body": ["rock", "paper"], "to": ["bot:rps"]}, ["rock", "paper"]),
        ("heads | tails", ["heads", "tails"]),
        ("guess N, 1 to 3", ["guess 1", "guess 2", "guess 3"]),
    ],
)
def test_every_choice_that_is_expected_is_made_and_no_other(
    fairness: ModuleType, expect: Any, bodies: list[Any]
) -> None:
    chance = random.Random(1)
    made = [fairness.choose(expect, chance) for _ in range(60)]
    assert all(body in bodies for body in made)
    assert all(body in made for body in bodies)


#: What each of the referees below begins with: alternating turns, and a coin at the fourth word.
USUAL = """
MANIFEST = {"name": "Odd", "seats": SEATS}
EXPECT = ["yes", "no"]

class Odd:
    def __init__(self, ctx, params):
        self.ctx = ctx

    def next(self, said):
        order = self.ctx.players
        if said >= 4:
            return self.ctx.end({"winners": [self.ctx.random.choice(order)], "reason": "luck"})
        self.ctx.set_state({"said": said})
        self.ctx.set_turn([order[said % len(order)]], expect=EXPECT)

    def on_start(self):
        self.next(0)

    def on_message(self, msg):
        self.next(self.ctx.get_state()["said"] + 1)
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(fairness: ModuleType) -> AsyncIterator[Any]:
    """Sandboxes as the script starts them."""
    async with fairness.workshop() as made:
        made.bots.second = None
        yield made


async def played(
    fairness: ModuleType, shop: Any, source: str, games: int = 3
) -> tuple[Any, float, list[str]]:
    code = source.replace("SEATS", "2")
    bot = await shop.bots.prepare(BotSpec(code=code))
    found: tuple[Any, float, list[str]] = await fairness.play(
        shop, bot, Namespace(games=games, seed="1", params={})
    )
    return found


NEXT = "    def next(self, said):\n"
PLAYABLE = {
    "posts of a kind of its own": USUAL.replace(
        NEXT, NEXT + '        self.ctx.post("score", {"said": said})\n'
    ),
    "posts that one seat can read": USUAL.replace(
        NEXT, NEXT + '        self.ctx.post("bot", {"said": said}, to=[self.ctx.players[0]])\n'
    ),
    "sealed moves": USUAL.replace('["yes", "no"]', '{"body": ["yes", "no"], "to": ["bot:odd"]}'),
    "everybody at once": USUAL.replace("[order[said % len(order)]]", "list(order)"),
    "a game on the library": """
from referee import Game

MANIFEST = {"name": "Odd", "seats": SEATS, "label": "odd"}


class Odd(Game):
    manifest = MANIFEST
    moves = ("yes", "no")

    def begin(self, players):
        self.deal(players, said=0)
        self.ask(players[0], self.moves)

    def bare(self, word):
        return word if word in self.moves else None

    def play(self, player, move, value):
        self.state["said"] += 1
        if self.state["said"] < 4:
            self.ask(self.other(player), self.moves)
        else:
            self.finish([player] if move == "yes" else [self.other(player)], "it is said")
""",
    "words": USUAL.replace('["yes", "no"]', '"yes | no"'),
    "a pause between two turns": USUAL.replace(
        "        self.next(self.ctx.get_state()",
        "        self.ctx.set_turn([])\n"
        '        self.ctx.set_timer("on", 30)\n\n'
        "    def on_timer(self, name):\n"
        "        self.next(self.ctx.get_state()",
    ),
}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("source", PLAYABLE.values(), ids=PLAYABLE)
async def test_an_odd_referee_is_played_to_its_end(
    fairness: ModuleType, shop: Any, source: str
) -> None:
    counts, moves, names = await played(fairness, shop, source)
    assert (counts["finished"], moves, names) == (3, 4, ["alice", "bob"])
    assert counts["seat 0"] + counts["seat 1"] == 3


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("seats", "names"),
    [("3", ["alice", "bob", "carol"]), ('["red", "blue", "green"]', ["red", "blue", "green"])],
)
async def test_the_seats_are_those_of_the_manifest(
    fairness: ModuleType, shop: Any, seats: str, names: list[str]
) -> None:
    first = "self.ctx.random.choice(order)", "order[0]"
    source = USUAL.replace("SEATS", seats).replace(*first)
    counts, moves, played_by = await played(fairness, shop, source, games=6)
    assert (played_by, counts["seat 0"]) == (names, 6)
    assert {name: counts[f"name {name}"] for name in names} == dict.fromkeys(names, 2)
    told = fairness.report(counts, moves, played_by)
    assert [line.split("  ")[0] for line in told[:3]] == ["seat 1", "seat 2", "seat 3"]


UNPLAYABLE = {
    "an expect that says nothing": (USUAL.replace(", expect=EXPECT", ""), "null"),
    "an expect that nobody can read": (USUAL.replace('["yes", "no"]', '"a word"'), "a word"),
    "no turn at all": (
        USUAL.replace("self.ctx.set_turn([order[said % len(order)]], expect=EXPECT)", "pass"),
        "nobody is to move",
    ),
    "moves refused in public": (
        USUAL.replace(
            "        self.next(self.ctx.get_state()",
            '        return self.ctx.post("bot", {"type": "violation"})\n'
            "        self.next(self.ctx.get_state()",
        ),
        "violation",
    ),
    "moves refused in private": (
        USUAL.replace(
            "        self.next(self.ctx.get_state()",
            '        return self.ctx.post("no", {"type": "violation"}, to=[msg["sender"]])\n'
            "        self.next(self.ctx.get_state()",
        ),
        "violation",
    ),
    "moves without an answer": (
        USUAL.replace("    def on_message", "    def other"),
        "changed nothing",
    ),
    "a hook that fails at the start": (
        USUAL.replace("        self.next(0)", "        {}[1]"),
        "on_start, line 17",
    ),
    "a hook that fails in the game": (
        USUAL.replace('["said"] + 1)', '["saed"] + 1)'),
        "on_message, line 20",
    ),
    "no end": (USUAL.replace("said >= 4", "said < 0"), "did not end"),
}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("source", "words"), UNPLAYABLE.values(), ids=UNPLAYABLE)
async def test_a_referee_that_cannot_be_played_is_told_why(
    fairness: ModuleType,
    shop: Any,
    source: str,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(fairness, "MOVES", 12)
    monkeypatch.setattr(fairness, "VAIN", 6)
    monkeypatch.setattr(fairness, "QUIET_SECONDS", 0)
    with pytest.raises(InvalidRequest) as caught:
        await played(fairness, shop, source)
    assert words in str(caught.value)
    told = capsys.readouterr().err
    assert words != "did not end" or "game 1 of 3, move 9; ended: 0" in told


def test_a_seat_that_wins_too_often_is_named(fairness: ModuleType) -> None:
    names = ["alice", "bob", "carol"]
    even = Counter({"seat 0": 100, "seat 1": 95, "seat 2": 105, "finished": 300})
    assert fairness.report(even, 3.0, names)[-1].startswith("even")
    slanted = Counter({"seat 0": 160, "seat 1": 70, "seat 2": 70, "finished": 300})
    assert "seat 1 won 160 of 300" in "\n".join(fairness.report(slanted, 3.0, names)[-3:])
    assert all("NOT EVEN" in line for line in fairness.report(slanted, 3.0, names)[-3:])
