"""Tosses of CoinBot as scripts: calls in, words out."""

from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_multiplayer.sandbox.call import Failed, HookCall
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.transcript.names import HOOKS
from mcp_multiplayer.workshop.table import Plain, Runner, Table, source_of

SOURCE = source_of("coin_bot.py")
SIDES = ["heads", "tails"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


def new(runner: Runner, seed: bytes = b"s", **params: Any) -> Table:
    return Table(runner, SOURCE, params, seed, bot_id="coin")


@pytest_asyncio.fixture(loop_scope="module")
async def table(pool: Pool) -> Table:
    made = new(pool, seconds=60)
    await made.begin("alice", "bob")
    return made


async def test_it_is_announced_with_its_manifest_and_hooks(pool: Pool) -> None:
    report = await pool.inspect(SOURCE)
    assert report.class_name == "CoinBot" and set(report.hooks) == set(HOOKS) - {"on_join"}
    assert report.manifest is not None and report.manifest["max_seats"] == 8
    assert report.dice and not report.network


@pytest.mark.parametrize("sealed", [None, True])
async def test_one_toss_is_drawn_when_all_have_called(table: Table, sealed: Any) -> None:
    assert table.movers == ["alice", "bob"]
    assert table.expect == SIDES and table.seconds == 60
    assert await table.say("alice", "heads", sealed) == [{"type": "called", "player": "alice"}]
    assert table.draws == 0 and table.movers == ["bob"]
    called, toss = await table.say("bob", "tails", sealed)
    assert called == {"type": "called", "player": "bob"}
    assert toss["calls"] == {"alice": "heads", "bob": "tails"} and toss["late"] == []
    assert table.draws == 1 and table.end is not None
    assert table.end["winners"] == [{"heads": "alice", "tails": "bob"}[toss["side"]]]
    assert table.end["reason"] == "it was " + toss["side"]


async def test_when_all_call_the_same_all_win_or_nobody() -> None:
    winners = []
    for seed in range(20):
        table = new(Plain(), bytes([seed]))
        await table.begin("alice", "bob")
        await table.say("alice", "heads")
        await table.say("bob", "heads")
        (toss,) = table.said("toss")
        assert table.end is not None
        assert table.end["winners"] == (["alice", "bob"] if toss["side"] == "heads" else [])
        winners.append(len(table.end["winners"]))
    assert set(winners) == {0, 2}


@pytest.mark.parametrize(
    "move", [" Call HEADS", {"type": "move", "game": "coin", "action": "call", "value": "Heads"}]
)
async def test_a_call_may_be_said_in_several_ways(table: Table, move: Any) -> None:
    await table.say("alice", move)
    assert table.state["calls"] == {"alice": "heads"}


async def test_what_is_no_call_changes_nothing_and_says_why(table: Table) -> None:
    assert "not a player" in await table.refused("carol", "heads")
    assert "still going on" in await table.refused("alice", "rematch")
    for value in (None, True, 1, "edge", ["heads"]):
        move = {"type": "move", "game": "coin", "action": "call", "value": value}
        assert await table.refused("alice", move, to=True) == "call heads or tails"
        assert table.posts[-1].to == ("alice",)
    move = {"type": "move", "game": "coin", "action": "bend"}
    assert "the moves are" in await table.refused("alice", move)
    await table.say("alice", "heads")
    assert "final" in await table.refused("alice", "tails")
    for chat in ("hello", "heads I win", {"x": 1}):
        assert await table.say("bob", chat) == []
    (answer,) = await table.say("bob", "!help")
    assert "within 60 seconds" in answer["text"] and 'to=["bot:coin"]' in answer["text"]


async def test_a_call_before_the_start_is_refused(pool: Pool) -> None:
    early = new(pool)
    early.players = ["alice"]
    assert await early.refused("alice", "heads") == "the game has not started"


async def test_who_has_not_called_in_time_is_out_of_the_toss(table: Table) -> None:
    table.now += 20
    await table.say("alice", "heads")
    assert table.seconds == pytest.approx(40, abs=1e-3)
    (toss,) = await table.late()
    assert toss["late"] == ["bob"] and toss["calls"] == {"alice": "heads"}
    assert table.end is not None
    assert table.end["winners"] == (["alice"] if toss["side"] == "heads" else [])
    assert await table.call("on_timer", "turn") == []


async def test_when_nobody_calls_in_time_nobody_wins_and_nothing_is_drawn(table: Table) -> None:
    await table.late()
    assert table.end is not None and table.end["winners"] == []
    assert table.end["reason"] == "nobody called in time" and table.draws == 0


@pytest.mark.parametrize("how", ["concede", "Resign", "leave"])
async def test_of_two_the_other_wins_without_a_toss(table: Table, how: str) -> None:
    await table.say("alice", "heads")
    await (table.leave("alice") if how == "leave" else table.say("alice", how))
    assert table.end is not None and table.end["winners"] == ["bob"] and table.draws == 0
    assert "over" in await table.refused("bob", "heads")


async def test_of_more_the_others_toss_when_the_one_they_waited_for_goes(pool: Pool) -> None:
    table = new(pool)
    await table.begin("a", "b", "c")
    await table.say("a", "heads")
    await table.say("b", "tails")
    (concede, toss) = await table.leave("c")
    assert concede["player"] == "c" and toss["calls"] == {"a": "heads", "b": "tails"}
    assert table.end is not None and len(table.end["winners"]) == 1
    await table.say("a", "rematch")
    await table.say("b", "rematch")
    assert table.movers == ["a", "b"]


async def test_one_who_is_out_may_not_call(pool: Pool) -> None:
    table = new(pool)
    await table.begin("a", "b", "c")
    await table.say("b", "concede")
    assert await table.refused("b", "heads") == "out of the game"
    assert table.movers == ["a", "c"]


async def test_a_rematch_begins_when_all_who_are_here_have_asked(pool: Pool) -> None:
    table = new(pool)
    await table.begin("a", "b", "c")
    for player in ("a", "b", "c"):
        await table.say(player, "heads")
    for player in ("a", "b"):
        await table.say(player, "rematch")
    assert "waiting" in await table.refused("a", "rematch")
    await table.leave("c")
    assert table.movers == ["a", "b"]
    await table.say("a", "concede")
    await table.leave("b")
    assert await table.refused("a", "rematch") == "the others have left"


async def test_alone_nobody_plays(pool: Pool) -> None:
    alone = new(pool)
    await alone.begin("alice")
    assert alone.end == {"winners": [], "reason": "this game takes two players or more"}
    assert await alone.call("on_start") == []


@pytest.mark.parametrize("seconds", [0, -1, "60", True])
async def test_params_that_make_no_game_are_refused(pool: Pool, seconds: Any) -> None:
    result = await pool.run(HookCall(SOURCE, "on_init", params={"seconds": seconds}))
    assert isinstance(result, Failed) and result.error == "ValueError"


@pytest.mark.long
async def test_the_coin_is_even() -> None:
    heads = 0
    for seed in range(2000):
        table = new(Plain(), seed.to_bytes(2, "big"))
        await table.begin("a", "b")
        await table.say("a", "heads")
        await table.say("b", "tails")
        heads += table.end is not None and table.end["winners"] == ["a"]
    assert abs(heads - 1000) < 3.3 * (2000 * 0.25) ** 0.5  # p > 0.001, and the seeds are fixed


STEP = st.tuples(
    st.integers(0, 8),
    st.sampled_from([*SIDES, "edge", "call x", "concede", "rematch", "rematch", "hello"])
    | st.sampled_from(["leave", "late"]),
    st.sampled_from([True, None]),
)


async def any_toss(runner: Runner, count: int, seed: bytes, steps: list[Any]) -> None:
    """Whatever is said, each toss is drawn after its last call, and the game ends."""
    table = new(runner, seed, seconds=60)
    await table.begin(*[f"p{n}" for n in range(count)])
    for who, move, to in steps:
        player = f"p{who}"
        if player not in table.players and who != 8:
            continue  # the room lets only members speak
        if move == "leave":
            await (table.say(player, "hi") if who == 8 else table.leave(player))
        elif move == "late":
            await (table.late() if table.turn else table.call("on_timer", "turn"))
        else:
            await table.say(player, move, to)
    while table.turn is not None:
        await table.say(table.turn.players[-1], table.expect[who_calls(table)], to=True)
    assert table.end is not None and table.draws == len(table.said("toss"))
    if table.end["reason"].startswith("it was "):
        toss = table.said("toss")[-1]
        right = {player for player, call in toss["calls"].items() if call == toss["side"]}
        assert set(table.end["winners"]) == right
    else:
        assert len(table.end["winners"]) == (table.end["reason"] != "nobody called in time")


def who_calls(table: Table) -> int:
    return table.hooks % 2


@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(
    count=st.integers(2, 8),
    seed=st.binary(min_size=1, max_size=4),
    steps=st.lists(STEP, max_size=12),
)
async def test_every_toss_ends_by_its_rules(
    pool: Pool, count: int, seed: bytes, steps: list[Any]
) -> None:
    await any_toss(pool, count, seed, steps)


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(
    count=st.integers(2, 8),
    seed=st.binary(min_size=1, max_size=4),
    steps=st.lists(STEP, max_size=40),
)
async def test_many_tosses_end_by_their_rules(count: int, seed: bytes, steps: list[Any]) -> None:
    await any_toss(Plain(), count, seed, steps)


@pytest.mark.long
@settings(max_examples=3000, suppress_health_check=list(HealthCheck))
@given(
    count=st.integers(2, 8),
    seed=st.binary(min_size=1, max_size=4),
    steps=st.lists(STEP, max_size=60),
)
async def test_thousands_of_tosses_end_by_their_rules(
    count: int, seed: bytes, steps: list[Any]
) -> None:
    await any_toss(Plain(), count, seed, steps)
