"""Every referee: who gives up, leaves or is silent until the clock runs out brings about a result
that is defined, and a rematch goes on from it."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from mcp_multiplayer.workshop.table import Plain, Table, source_of
from tests.bots.test_presets import FILES


class Endings(NamedTuple):
    """How alice gives up, and who then wins against the silence of bob; who wins when she
    leaves, and when both are silent. None: chance says."""

    word: str
    gave_up: list[str] | None
    left: list[str] | None
    silent: list[str] | None


BOB, NOBODY = ["bob"], list[str]()
ENDINGS = {
    "auction_bot": Endings("pass", NOBODY, NOBODY, NOBODY),
    "bet_bot": Endings("concede", NOBODY, NOBODY, NOBODY),
    "blackjack_bot": Endings("resign", BOB, BOB, None),
    "chess_bot": Endings("resign", BOB, BOB, BOB),
    "coin_bot": Endings("concede", BOB, BOB, NOBODY),
    "connect_four_bot": Endings("resign", BOB, BOB, BOB),
    "deal_bot": Endings("cancel", NOBODY, NOBODY, NOBODY),
    "guess_bot": Endings("concede", BOB, BOB, BOB),
    "judge_bot": Endings("cancel", NOBODY, NOBODY, NOBODY),
    "memory_exchange_bot": Endings("opt out", NOBODY, NOBODY, NOBODY),
    "price_bot": Endings("concede", BOB, BOB, NOBODY),
    "rock_paper_scissors_bot": Endings("resign", BOB, BOB, NOBODY),
    "tic_tac_toe_bot": Endings("resign", BOB, BOB, BOB),
    "tls_bot": Endings("done", NOBODY, NOBODY, NOBODY),
    "trivia_bot": Endings("resign", BOB, BOB, NOBODY),
    "word_bot": Endings("resign", BOB, BOB, BOB),
}
each = pytest.mark.parametrize("name", ENDINGS)


async def begun(name: str) -> Table:
    """Two at a table whose turns have a clock."""
    table = Table(Plain(), source_of(f"{name}.py"), {"seconds": 60})
    await table.begin("alice", "bob")
    assert table.end is None and table.movers and table.seconds is not None
    return table


async def silence(table: Table) -> list[str]:
    """Nobody says anything any more; the winners."""
    for _ in range(40):
        if table.end is not None:
            assert table.turn is None and table.end["reason"]
            return list(table.end["winners"])
        await table.late()
    raise AssertionError("no end")


def test_no_referee_is_left_out() -> None:
    assert sorted(ENDINGS) == [path.stem for path in FILES]


@each
async def test_giving_up_has_a_result(name: str) -> None:
    table = await begun(name)
    await table.say("alice", ENDINGS[name].word)
    assert await silence(table) == ENDINGS[name].gave_up


@each
async def test_leaving_has_a_result(name: str) -> None:
    table = await begun(name)
    await table.leave("alice")
    assert await silence(table) == ENDINGS[name].left
    if name != "tls_bot":  # certificates can be looked at alone
        assert "left" in await table.refused("bob", "rematch")


@each
async def test_silence_has_a_result(name: str) -> None:
    table = await begun(name)
    winners = await silence(table)
    assert ENDINGS[name].silent in (None, winners) and set(winners) <= {"alice", "bob"}


@each
async def test_everybody_leaving_has_a_result(name: str) -> None:
    table = await begun(name)
    await table.leave("alice")
    await table.leave("bob")
    await silence(table)


@each
async def test_a_rematch_takes_both_and_begins_anew(name: str) -> None:
    table = await begun(name)
    await table.say("alice", ENDINGS[name].word)
    await silence(table)
    await table.say("alice", "rematch")
    assert table.end is not None
    await table.say("bob", "rematch")
    assert table.end is None and table.movers
    await silence(table)
