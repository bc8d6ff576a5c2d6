"""A server that lets somebody think longer than the referee allows is not PROVEN to be fair."""

from __future__ import annotations

import pytest

from mcp_multiplayer.service.sequencer import Sequencer
from mcp_multiplayer.verifier.executor import Executor
from tests.verifier.games import Table, codes, states, verify

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(("seconds", "state"), [(20, "PROVEN"), (40, "NOT PROVEN")])
async def test_a_move_after_its_time_is_seen(
    server: Table, jail: Executor, monkeypatch: pytest.MonkeyPatch, seconds: int, state: str
) -> None:
    monkeypatch.setattr(Sequencer, "_clock", lambda *_: None)  # no clock ever rings
    game = await (await server.open("CoinBot", params={"seconds": 30})).seated()
    server.clock.advance(seconds)
    await game.say("alice", "heads")
    await game.say("bob", "tails")
    checked = verify(game.bundle(), jail)
    assert states(checked)["RULES"] == state
    assert ("I_LATE" in codes(checked)) == (state != "PROVEN")


async def test_a_clock_that_rang_is_not_late(server: Table, jail: Executor) -> None:
    game = await (await server.open("CoinBot", params={"seconds": 30})).seated()
    server.clock.advance(1000)
    await game.say("alice", "heads")  # the clock comes first
    assert "I_LATE" not in codes(verify(game.bundle(), jail))
    assert game.bundle().of("tick")
