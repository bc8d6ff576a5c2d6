"""DealBot's record: what is proven of a deal while its limits are kept, and once they are open."""

from __future__ import annotations

import json

import pytest

from mcp_multiplayer.errors import BadOp
from mcp_multiplayer.verifier.executor import Executor
from tests.verifier.games import Game, Table, codes, reforge, states, verify, violations

pytestmark = pytest.mark.asyncio(loop_scope="module")

TO = ["bot:deal"]
OPEN = {"op": "open_sealed", "bot_id": "deal"}
LEAST, MOST = "13579", "97531"


async def over(server: Table, rule: str = "split-by-dice") -> Game:
    """A negotiation in which both have named a limit."""
    params = {"low": 10_000, "high": 100_000, "rule": rule}
    game = await (await server.open("DealBot", params=params)).seated()
    await game.say("alice", f"limit {LEAST}", TO)
    with pytest.raises(BadOp, match="dice"):
        await game.update("alice", OPEN)
    await game.say("bob", f"limit {MOST}", TO)
    return game


def limits(game: Game) -> set[str]:
    """Those that stand in the record as either reads it."""
    text = "".join(json.dumps([game.bundle(who).entries, game.bundle(who).openings]) for who in WHO)
    return {limit for limit in (LEAST, MOST) if limit in text}


WHO = ("alice", "bob")


@pytest.mark.parametrize("agree", [(), ("alice",), ("bob",)])
async def test_of_kept_limits_the_verifier_says_that_nothing_is_proven(
    server: Table, jail: Executor, agree: tuple[str, ...]
) -> None:
    game = await over(server)
    for who in agree:
        await game.update(who, OPEN)
    assert limits(game) == set() and game.bundle().of("reveal")
    for who in WHO:
        checked = verify(game.bundle(who), jail)
        assert not violations(checked), checked.findings.found
        assert states(checked)["RULES"] == "NOT PROVEN" and "I_PRIVATE_KEPT" in codes(checked)
        assert states(checked)["RECORD"] == "PROVEN"


@pytest.mark.parametrize("rule", ["split-by-dice", "middle"])
async def test_of_opened_limits_everything_is_proven(
    server: Table, jail: Executor, rule: str
) -> None:
    game = await over(server, rule)
    for who in WHO:
        await game.update(who, OPEN)
    assert limits(game) == {LEAST, MOST}
    for who in WHO:
        checked = verify(game.bundle(who), jail)
        assert not violations(checked), checked.findings.found
        assert states(checked)["RULES"] == states(checked)["DICE"] == "PROVEN"


@pytest.mark.long
async def test_a_server_that_says_another_outcome_is_caught_when_both_open(
    server: Table, jail: Executor
) -> None:
    game = await over(server, "seller")
    for who in WHO:
        await game.update(who, OPEN)
    forged = game.bundle()
    (run,) = [run for run in forged.of("run") if '"outcome"' in json.dumps(run)]
    (shown,) = [out for out in run["out"] if out["b"].get("type") == "outcome"]
    shown["b"]["price"] += 1
    assert violations(verify(reforge(forged), jail))
