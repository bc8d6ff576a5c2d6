"""GuessBot under random players: every game ends, by its rules, and its number was committed."""

from __future__ import annotations

import hashlib
import random
from typing import Any

import pytest

from mcp_multiplayer.workshop.table import Plain, Table, source_of

SOURCE = source_of("guess_bot.py")
NAMES = ["alice", "bob", "carol", "dave"]
ODD: list[Any] = ["hello", "guess", "guess x", {"text": 5}, {"type": "move", "game": "chess"}]


async def play(number: int) -> Table:
    """A game of two to four whose players do anything, in and out of turn."""
    chance = random.Random(number)
    players, high = NAMES[: chance.randint(2, 4)], chance.choice([2, 10, 100])
    params = {"high": high, "guesses": chance.choice([None, 1, 3])}
    table = Table(Plain(), SOURCE, params, seed=str(number).encode())
    await table.begin(*players)
    for _ in range(5000):
        if table.end is not None:
            return table
        assert table.turn is not None
        mover = table.turn.players[0]
        who = mover if chance.random() < 0.8 else chance.choice(players)
        said: Any = f"guess {chance.randint(0, high + 1)}"
        if chance.random() < 0.1:
            said = chance.choice([*ODD, "concede"])
        await table.say(who, said)
    raise AssertionError("it does not end")


async def check(number: int) -> None:
    table = await play(number)
    bodies = [dict(post.body) for post in table.posts]
    by_type = {str(body.get("type")): body for body in bodies}
    reveal, commitment = by_type["reveal"], by_type["commitment"]["commitment_hash"]
    made = hashlib.sha256((str(reveal["target"]) + reveal["salt"]).encode()).hexdigest()
    assert reveal["hash"] == commitment == made
    assert table.end is not None
    judged = [body for body in bodies if body.get("type") == "judge"]
    for one in judged:
        guess, target = one["guess"], reveal["target"]
        if one["result"] in ("high", "low", "correct"):
            over = "high" if guess > target else "low" if guess < target else "correct"
            assert one["result"] == over
    right = [one["player"] for one in judged if one["result"] == "correct"]
    if right:
        assert table.end["winners"] == right
    out = {body["player"] for body in bodies if body.get("type") == "concede"}
    assert not out & set(table.end["winners"])


@pytest.mark.parametrize("number", range(25))
async def test_a_random_game_ends_by_its_rules(number: int) -> None:
    await check(number)


@pytest.mark.long
async def test_a_thousand_random_games_end_by_their_rules() -> None:
    for number in range(1000):
        await check(number)
