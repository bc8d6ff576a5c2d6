"""A game played at random by the turn alone: bodies from ``expect``, and now and then a mistake."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

from mcp_multiplayer.workshop.table import Table

STRANGER = "mallory"


def choices(expect: Any) -> tuple[list[Any], list[str] | None]:
    """The bodies that may be posted, and to whom."""
    if isinstance(expect, dict):
        return list(expect["body"]), expect.get("to")
    return list(expect), None


async def move(table: Table, chance: random.Random) -> None:
    """One of those to move does one of the things that are expected; it is never refused."""
    bodies, to = choices(table.expect)
    player = chance.choice(table.movers)
    said = await table.say(player, chance.choice(bodies), to)
    assert "violation" not in {body["type"] for body in said}, said


async def err(table: Table, chance: random.Random, nonsense: Sequence[Any]) -> None:
    """Somebody says something wrong; the state holds, whatever is answered."""
    before = (table.state, table.turn, table.end)
    player = chance.choice([*table.players, STRANGER])
    to = chance.choice([None, True, [f"bot:{table.bot_id}", "bot:spy"]])
    said = await table.say(player, chance.choice(nonsense), to)
    assert {body["type"] for body in said} <= {"violation", "help"}, said
    assert (table.state, table.turn, table.end) == before


async def wander(
    table: Table,
    chance: random.Random,
    nonsense: Sequence[Any],
    idle: Callable[[Table], Any] | None = None,
    most: int = 400,
) -> None:
    """Play to the end. ``idle`` is what happens when nobody is to move."""
    for _ in range(most):
        if table.end is not None:
            break
        what = chance.random()
        if what < 0.2:
            await err(table, chance, nonsense)
        elif table.turn is None:
            assert idle is not None, "nobody is to move, and the game is not over"
            await idle(table)
        elif what < 0.24 and table.seconds is not None:
            await table.late()
        elif what < 0.26 and len(table.players) > 1:
            await table.leave(chance.choice(table.players))
        else:
            await move(table, chance)
    assert table.end is not None, "the game does not end"
    assert set(table.end["winners"]) <= set(table.state["players"])


def public(table: Table) -> str:
    """All that everybody may read so far."""
    return json.dumps([dict(post.body) for post in table.posts if post.to is None])


def heard_by(table: Table, player: str) -> str:
    """All that one player may read so far."""
    posts = [post for post in table.posts if post.to is None or player in post.to]
    return json.dumps([[dict(post.body), dict(post.private or {})] for post in posts])
