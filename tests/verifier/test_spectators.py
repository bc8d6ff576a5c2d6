"""A room with a spectator: the record is proven without a word of the spectator's, and a server
that lets one play is found out."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_multiplayer.verifier.executor import Executor
from tests.verifier.games import Game, Table, inserted, reforge, states, verify, violations

pytestmark = pytest.mark.asyncio(loop_scope="module")

SLOTS = ["bot:coin", "invite:alice", "invite:bob", "watch:carol"]


async def watched(server: Table) -> Game:
    """Carol comes before bob and goes when the coin has been tossed."""
    game = await server.open("CoinBot", slots=SLOTS)
    for who in ("carol", "alice", "bob"):
        await game.join(who, f"{who} says 0123456789abcdef")
    await game.say("alice", "heads")
    await game.say("bob", "tails", ["bot:coin"])
    return game


@pytest.mark.parametrize("reader", ["alice", "carol"])
async def test_a_watched_game_is_proven_by_its_players_alone(
    server: Table, jail: Executor, reader: str
) -> None:
    game = await watched(server)
    if reader == "alice":
        await game.leave("carol")
    honest = game.bundle(reader)
    size, root = len(honest.entries), honest.roots()[-1]
    lines = [f"{label}: {size} {root}" for label in ("alice", "bob")]
    checked = verify(honest, jail, lines=lines, confirmed=["alice", "bob"])
    assert {line: state for line, state in states(checked).items() if state != "PROVEN"} == {
        "OUTSIDE": "NOT PROVEN"
    }, checked.findings.found


@pytest.mark.parametrize(
    "forged",
    [
        {"t": "msg", "m": {"s": "s3", "c": 1, "k": "user", "b": {"text": "heads"}}},
        {"t": "admin", "slot": "s3", "on": True},
        {"t": "entropy", "slot": "s3", "value": "carol says 0123456789abcdef"},
    ],
    ids=lambda entry: entry["t"],
)
async def test_a_spectator_who_takes_part_is_a_violation(
    server: Table, jail: Executor, forged: dict[str, Any]
) -> None:
    honest = (await watched(server)).bundle()
    place = len(honest.entries)
    entry = {**forged, "i": place, "ts": max(e.get("ts", 0) for e in honest.entries)}
    assert f"E_{forged['t'].upper()}" in violations(
        verify(reforge(inserted(honest, place, entry)), jail)
    )
