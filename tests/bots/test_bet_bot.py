"""Bets of BetBot as scripts: terms, a committed number, a call, and who owes whom."""

import hashlib
import json
import random
from typing import Any

import pytest
import pytest_asyncio

from mcp_multiplayer.sandbox.call import Failed, HookCall
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.transcript.names import HOOKS
from mcp_multiplayer.workshop.table import Plain, Runner, Table, source_of
from tests.bots.wandering import heard_by, public, wander

SOURCE = source_of("bet_bot.py")
SALT = "0123456789abcdef" * 2
pytestmark = pytest.mark.asyncio(loop_scope="module")


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def new(runner: Runner, **params: Any) -> Table:
    return Table(runner, SOURCE, params, bot_id="bet")


async def accepted(runner: Runner, **params: Any) -> Table:
    """A bet whose terms alice, who holds the number, and bob have accepted."""
    table = new(runner, **params)
    await table.begin("alice", "bob")
    await table.say("bob", "accept")
    await table.say("alice", "accept")
    return table


async def called(runner: Runner, call: str = "yes", number: int = 57, **params: Any) -> Table:
    """A bet that bob has called on a number that I keep."""
    table = await accepted(runner, **params)
    await table.say("alice", f"number {number}", to=True)
    await table.say("bob", call)
    return table


@pytest_asyncio.fixture(loop_scope="module")
async def table(pool: Pool) -> Table:
    made = new(pool, claim="bugs found today", stake="a cake", seconds=60)
    await made.begin("alice", "bob")
    return made


async def test_it_is_announced_with_its_manifest_and_needs_no_network(pool: Pool) -> None:
    report = await pool.inspect(SOURCE)
    assert report.class_name == "BetBot" and set(report.hooks) == set(HOOKS) - {"on_join"}
    assert report.manifest is not None and report.manifest["label"] == "bet"
    assert not report.network


async def test_the_terms_say_all_that_counts_and_have_a_hash(table: Table) -> None:
    (terms,) = table.said("terms")
    for words in ("bugs found today", "above 50", "a cake", "alice commits", "bob says yes or no"):
        assert words in terms["text"]
    assert terms["hash"] == sha(terms["text"])
    assert (terms["holder"], terms["caller"]) == ("alice", "bob")
    assert table.movers == ["alice", "bob"] and table.expect == ["accept", "decline"]
    assert table.seconds == 60


async def test_nothing_counts_before_both_have_accepted(table: Table) -> None:
    (terms,) = table.said("terms")
    assert "now: accept or decline" in await table.refused("alice", "number 57", to=True)
    assert terms["hash"] in await table.refused("alice", "accept " + "0" * 64)
    await table.say("alice", "accept " + terms["hash"])
    assert "waiting for bob" in await table.refused("alice", "accept")
    assert table.movers == ["bob"]
    await table.say("bob", {"type": "move", "game": "bet", "action": "accept"})
    assert table.movers == ["alice"]
    assert table.expect["body"][0] == "number 48" and table.expect["to"] == ["bot:bet"]


@pytest.mark.parametrize("how", ["decline", "concede", "leave", "late"])
@pytest.mark.parametrize("first", [True, False])
async def test_without_both_there_is_no_bet_and_nobody_owes(
    table: Table, how: str, first: bool
) -> None:
    if first:
        await table.say("alice", "accept")
    if how == "leave":
        await table.leave("bob")
    elif how == "late":
        await table.late()
    else:
        await table.say("bob", how)
    assert table.end is not None and table.end["winners"] == []
    assert table.end["reason"].startswith("no bet: ") and not table.said("owed")


@pytest.mark.parametrize("how", ["concede", "leave", "late"])
async def test_who_goes_before_there_is_a_number_owes_nothing(pool: Pool, how: str) -> None:
    table = await accepted(pool)
    await (
        table.leave("alice")
        if how == "leave"
        else table.late()
        if how == "late"
        else table.say("alice", how)
    )
    assert table.end is not None and table.end["winners"] == [] and not table.said("owed")


async def test_a_kept_number_is_committed_and_told_to_nobody_before_the_call(pool: Pool) -> None:
    table = await accepted(pool)
    (committed,) = await table.say("alice", "number 5777", to=True)
    assert "5777" not in public(table) + heard_by(table, "bob")
    assert (table.mover, table.expect) == ("bob", ["yes", "no"])
    await table.say("bob", "YES!")
    (shown,) = table.said("reveal")
    assert (shown["number"], len(shown["salt"])) == (5777, 32)
    assert committed["commitment_hash"] == shown["hash"] == sha("5777" + shown["salt"])


@pytest.mark.parametrize(
    ("line", "number", "fits"),
    [
        ("above", 51, True),
        ("above", 50, False),
        ("below", 49, True),
        ("below", 50, False),
        ("equals", 50, True),
        ("equals", -50, False),
    ],
)
async def test_who_is_right_about_the_line_wins_the_stake(
    line: str, number: int, fits: bool
) -> None:
    for call in ("yes", "no"):
        table = await called(Plain(), call, number, stake="a cake", **{"is": line})
        winner, loser = ("bob", "alice") if fits == (call == "yes") else ("alice", "bob")
        assert table.said("owed") == [
            {"type": "owed", "owed": {"by": loser, "to": winner, "stake": "a cake"}}
        ]
        assert table.end is not None and table.end["winners"] == [winner]
        assert table.end["reason"] == (
            f"{number} is {'' if fits else 'not '}{line} 50: {loser} owes {winner} the stake"
        )


async def test_an_own_commitment_is_opened_by_its_holder(pool: Pool) -> None:
    table = await accepted(pool)
    await table.say("alice", "commit " + sha("57" + SALT))
    await table.say("bob", "no")
    assert (table.mover, table.expect) == ("alice", "open NUMBER SALT")
    for text in (f"open 58 {SALT}", f"open 57 {SALT[:-1]}", f"open 5 7{SALT}", "open 57 x"):
        assert "does not open" in await table.refused("alice", text)
    move = {"type": "move", "game": "bet", "action": "open", "value": f"57 {SALT}"}
    assert "not your turn" in await table.refused("bob", move)
    await table.say("alice", move)
    assert table.end is not None and table.end["winners"] == ["alice"]


@pytest.mark.parametrize("how", ["concede", "leave", "late"])
async def test_a_holder_who_does_not_open_loses(pool: Pool, how: str) -> None:
    table = await accepted(pool)
    await table.say("alice", "commit " + sha("57" + SALT))
    await table.say("bob", "no")
    await (
        table.leave("alice")
        if how == "leave"
        else table.late()
        if how == "late"
        else table.say("alice", how)
    )
    assert table.end is not None and table.end["winners"] == ["bob"]
    assert table.said("owed")[0]["owed"]["by"] == "alice"


@pytest.mark.parametrize("how", ["concede", "leave", "late"])
async def test_who_does_not_call_loses_and_reads_the_number(pool: Pool, how: str) -> None:
    table = await accepted(pool)
    await table.say("alice", "number 57", to=True)
    await (
        table.leave("bob")
        if how == "leave"
        else table.late()
        if how == "late"
        else table.say("bob", how)
    )
    assert table.end is not None and table.end["winners"] == ["alice"]
    assert table.said("reveal")[0]["number"] == 57


async def test_a_kept_number_is_opened_when_its_time_has_come(pool: Pool) -> None:
    table = await called(pool, delay=3600)
    assert table.end is None and table.movers == [] and not table.said("reveal")
    assert "until the number is opened" in await table.refused("bob", "no")
    await table.call("on_timer", "open")
    assert table.end is not None and table.end["winners"] == ["bob"]
    assert await table.call("on_timer", "open") == []


async def test_a_clock_of_a_bet_that_is_over_opens_nothing_of_the_next(pool: Pool) -> None:
    table = await called(pool, delay=3600)
    await table.say("bob", "concede")
    for player in ("alice", "bob"):
        await table.say(player, "rematch")
    before = table.state, table.turn
    assert await table.call("on_timer", "open") == []
    assert (table.state, table.turn) == before


@pytest.mark.parametrize("to", [None, ["bot:bet", "bob"], ["bot:bet", "bot:spy"]])
async def test_a_number_that_others_can_read_is_void(pool: Pool, to: Any) -> None:
    table = await accepted(pool)
    assert "sealed" in await table.refused("alice", "number 57", to)


async def test_what_is_no_move_changes_nothing_and_says_why(pool: Pool) -> None:
    table = await accepted(pool)
    assert "not a player" in await table.refused("carol", "accept")
    assert "not your turn" in await table.refused("bob", "yes")
    assert "now: number or commit" in await table.refused("alice", "yes")
    for value in (None, True, 5.5, "x", "1" * 16):
        move = {"type": "move", "game": "bet", "action": "number", "value": value}
        assert "15 digits" in await table.refused("alice", move, to=True)
        assert table.posts[-1].to == ("alice",)
    assert "64 hex digits" in await table.refused("alice", "commit 57")
    move = {"type": "move", "game": "bet", "action": "raise"}
    assert "the moves are accept, decline" in await table.refused("alice", move)
    for chat in ("hello", "I accept that", {"x": 1}):
        assert await table.say("bob", chat) == []
    (answer,) = await table.say("bob", "!help")
    assert "above 50" in answer["text"]


async def test_a_rematch_swaps_who_holds_the_number(pool: Pool) -> None:
    table = await called(pool)
    for player in ("alice", "bob"):
        await table.say(player, "rematch")
    for player in ("alice", "bob"):
        await table.say(player, "accept")
    assert table.mover == "bob"


async def test_alone_there_is_no_bet(pool: Pool) -> None:
    alone = new(pool)
    await alone.begin("alice")
    assert alone.end == {"winners": [], "reason": "this bet takes two players"}
    assert await alone.refused("alice", "accept") == "the bet has not started"


@pytest.mark.parametrize("params", [{"is": "near"}, {"than": 1.5}, {"delay": -1}, {"stake": ""}])
async def test_params_that_make_no_bet_are_refused(pool: Pool, params: dict[str, Any]) -> None:
    result = await pool.run(HookCall(SOURCE, "on_init", params=params))
    assert isinstance(result, Failed) and result.error == "ValueError"


async def test_before_the_call_nothing_depends_on_the_number() -> None:
    heard = []
    for number in (1, 99):
        table = await accepted(Plain())
        (committed,) = await table.say("alice", f"number {number}", to=True)
        assert len(committed.pop("commitment_hash")) == 64
        heard.append((committed, table.turn, table.draws))
    assert heard[0] == heard[1]


NONSENSE = ["number 57", "open 5", "commit x", "hello", "!help", "rematch", {"x": 1}]


async def any_bet(runner: Runner, seed: int) -> None:
    """Played at random; whoever owes has lost, and every commitment of mine is opened."""
    chance = random.Random(seed)
    table = new(runner, delay=chance.choice([0, 60]))
    await table.begin("alice", "bob")

    async def ring(table: Table) -> None:
        await table.call("on_timer", "open")

    await wander(table, chance, NONSENSE, ring)
    owed = [one["owed"] for one in table.said("owed")]
    assert table.end is not None and table.end["winners"] == [one["to"] for one in owed]
    committed = [one["commitment_hash"] for one in table.said("commitment")]
    shown = table.said("reveal")
    assert committed == [sha(f"{one['number']}{one['salt']}") for one in shown]
    assert len(committed) == len(owed) and "salt" not in json.dumps(table.said("terms"))


async def test_a_few_bets_at_random_end_by_their_rules(pool: Pool) -> None:
    for seed in range(3):
        await any_bet(pool, seed)
    for seed in range(60):
        await any_bet(Plain(), seed)
