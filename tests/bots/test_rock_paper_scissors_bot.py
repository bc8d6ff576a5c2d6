"""Matches of RockPaperScissorsBot as scripts: sealed throws in, words out."""

from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_multiplayer.sandbox.call import Failed, HookCall
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.transcript.names import HOOKS
from mcp_multiplayer.workshop.table import Plain, Runner, Table, source_of

SOURCE = source_of("rock_paper_scissors_bot.py")
THROWS = ("rock", "paper", "scissors")
EXPECT = {"body": list(THROWS), "to": ["bot:rps"]}
pytestmark = pytest.mark.asyncio(loop_scope="module")


def new(runner: Runner, **params: Any) -> Table:
    return Table(runner, SOURCE, params, bot_id="rps")


@pytest_asyncio.fixture(loop_scope="module")
async def table(pool: Pool) -> Table:
    made = new(pool, seconds=60)
    await made.begin("alice", "bob")
    return made


async def both(table: Table, alice: str, bob: str) -> list[dict[str, Any]]:
    await table.say("alice", alice, to=True)
    return await table.say("bob", bob, to=True)


async def test_it_is_announced_with_its_manifest_and_hooks(pool: Pool) -> None:
    report = await pool.inspect(SOURCE)
    assert report.class_name == "RockPaperScissorsBot"
    assert set(report.hooks) == set(HOOKS) - {"on_join"}
    assert report.manifest is not None and report.manifest["label"] == "rps"
    assert not report.dice and not report.network


async def test_both_are_to_throw_at_once_and_told_how(table: Table) -> None:
    assert table.movers == ["alice", "bob"]
    assert table.expect == EXPECT and table.seconds == 60
    assert 'to=["bot:rps"]' in table.said("prompt")[0]["text"]


async def test_a_throw_is_seen_by_nobody_before_both_are_in(table: Table) -> None:
    assert await table.say("alice", "rock", to=True) == [
        {"type": "thrown", "player": "alice", "round": 1}
    ]
    assert table.movers == ["bob"]
    (opened,) = await table.say("bob", "scissors", to=True)
    assert opened == {
        "type": "round",
        "number": 1,
        "throws": {"alice": "rock", "bob": "scissors"},
        "winner": "alice",
        "score": {"alice": 1, "bob": 0},
    }
    assert table.movers == ["alice", "bob"]


@pytest.mark.parametrize("alice", range(3))
@pytest.mark.parametrize("bob", range(3))
async def test_each_pair_of_throws_has_its_winner(alice: int, bob: int) -> None:
    table = new(Plain(), rounds=1)
    await table.begin("alice", "bob")
    await both(table, THROWS[alice], THROWS[bob])
    winner = (None, "alice", "bob")[(alice - bob) % 3]
    assert table.said("round")[0]["winner"] == winner
    assert (table.end is None) == (winner is None)
    if table.end is not None:
        assert table.end["winners"] == [winner]


@pytest.mark.parametrize(
    "move",
    [
        " Throw ROCK",
        {"type": "move", "game": "rock-paper-scissors", "action": "throw", "value": "Rock"},
    ],
)
async def test_a_throw_may_be_said_in_several_ways(table: Table, move: Any) -> None:
    await table.say("alice", move, to=True)
    assert table.state["throws"] == {"alice": "rock"}


@pytest.mark.parametrize("to", [None, ["bot:rps", "bob"], ["bot:rps", "bot:spy"]])
async def test_a_throw_that_others_can_read_is_void_and_costs_nothing(
    table: Table, to: Any
) -> None:
    assert "sealed" in await table.refused("alice", "rock", to)
    await both(table, "paper", "rock")
    assert table.state["score"] == {"alice": 1, "bob": 0}


async def test_what_is_no_throw_changes_nothing_and_says_why(table: Table) -> None:
    assert "not a player" in await table.refused("carol", "rock", to=True)
    assert "still going on" in await table.refused("alice", "rematch")
    for value in (None, True, 1, "lizard", ["rock"]):
        move = {"type": "move", "game": "rock-paper-scissors", "action": "throw", "value": value}
        assert await table.refused("alice", move, to=True) == "throw rock, paper or scissors"
        assert table.posts[-1].to == ("alice",)  # what was sealed is answered in private
    move = {"type": "move", "game": "rock-paper-scissors", "action": "well"}
    assert "the moves are" in await table.refused("alice", move)
    await table.say("alice", "rock", to=True)
    assert "final; waiting for bob" in await table.refused("alice", "paper", to=True)
    assert table.state["throws"] == {"alice": "rock"}
    for chat in ("hello", "rock on", {"x": 1}):
        assert await table.say("bob", chat) == []
    (answer,) = await table.say("bob", "!help")
    assert "Best of 3: 2 won" in answer["text"]


async def test_a_throw_before_the_start_is_refused(pool: Pool) -> None:
    early = new(pool)
    early.players = ["alice"]
    assert await early.refused("alice", "rock", to=True) == "the game has not started"


async def test_who_wins_more_than_half_wins_and_equal_throws_are_repeated(table: Table) -> None:
    for alice, bob in (("rock", "rock"), ("rock", "paper"), ("rock", "scissors")):
        await both(table, alice, bob)
        assert table.end is None
    await both(table, "paper", "scissors")
    assert table.end == {
        "winners": ["bob"],
        "reason": "2 to 1 in a best of 3",
        "scores": {"alice": 1, "bob": 2},
    }


async def test_who_withholds_loses_the_round_to_the_one_who_has_thrown(table: Table) -> None:
    table.now += 20
    await table.say("alice", "rock", to=True)
    assert table.seconds == pytest.approx(40, abs=1e-3)
    (opened,) = await table.late()
    assert (opened["winner"], opened["late"]) == ("alice", "bob")
    assert opened["throws"] == {"alice": "rock"}
    assert table.movers == ["alice", "bob"] and table.seconds == 60
    await table.say("alice", "rock", to=True)
    await table.late()
    assert table.end is not None and table.end["winners"] == ["alice"]
    assert await table.call("on_timer", "turn") == []


@pytest.mark.parametrize("leader", ["alice", None])
async def test_when_both_withhold_the_match_ends_as_it_stands(
    table: Table, leader: str | None
) -> None:
    await both(table, "rock", "scissors" if leader else "rock")
    await table.late()
    assert table.end is not None and table.end["winners"] == ([leader] if leader else [])
    assert table.end["reason"] == "nobody threw in time"


async def test_a_match_of_equal_throws_only_ends_in_a_draw() -> None:
    table = new(Plain(), rounds=1)
    await table.begin("alice", "bob")
    for _ in range(10):
        assert table.end is None
        await both(table, "rock", "rock")
    assert table.end == {
        "winners": [],
        "reason": "10 rounds are played",
        "scores": {"alice": 0, "bob": 0},
    }


@pytest.mark.parametrize("how", ["resign", "concede", "leave"])
async def test_the_other_wins_when_one_gives_up_or_leaves(table: Table, how: str) -> None:
    await table.say("alice", "rock", to=True)
    if how == "leave":
        await table.leave("alice")
    else:
        await table.say("alice", how)
    assert table.end is not None and table.end["winners"] == ["bob"]
    assert "over" in await table.refused("bob", "rock", to=True)


async def test_a_rematch_begins_when_both_have_asked(table: Table) -> None:
    await table.say("alice", "resign")
    await table.say("alice", "rematch")
    assert "waiting for bob" in await table.refused("alice", "rematch")
    await table.say("bob", "rematch")
    assert table.movers == ["bob", "alice"]
    assert table.state["score"] == {"alice": 0, "bob": 0}
    await table.say("bob", "resign")
    await table.say("alice", "rematch")
    await table.leave("alice")
    assert await table.refused("bob", "rematch") == "alice has left"


async def test_alone_nobody_plays(pool: Pool) -> None:
    alone = new(pool)
    await alone.begin("alice")
    assert alone.end == {"winners": [], "reason": "this game takes two players"}
    assert await alone.call("on_start") == []


@pytest.mark.parametrize(
    "params", [{"rounds": 0}, {"rounds": "3"}, {"rounds": 1.5}, {"seconds": 0}, {"rounds": True}]
)
async def test_params_that_make_no_game_are_refused(pool: Pool, params: dict[str, Any]) -> None:
    result = await pool.run(HookCall(SOURCE, "on_init", params=params))
    assert isinstance(result, Failed) and result.error == "ValueError"


STEP = st.tuples(
    st.sampled_from(["alice", "bob", "carol"]),
    st.sampled_from([*THROWS, *THROWS, "lizard", "throw x", "rematch", "hello", "late"])
    | st.sampled_from(["resign", "leave"]),
    st.sampled_from([True, True, None]),
)


async def any_match(runner: Runner, rounds: int, steps: list[tuple[str, str, Any]]) -> None:
    """Whatever is said, no throw shows before its round is opened, and the match ends."""
    table = new(runner, rounds=rounds, seconds=60)
    await table.begin("alice", "bob")
    for player, move, to in steps:
        if player not in table.players and player != "carol":
            continue  # the room lets only members speak
        if move == "leave":
            await (table.say("carol", "hi") if player == "carol" else table.leave(player))
        elif move == "late":
            await (table.late() if table.turn else table.call("on_timer", "turn"))
        else:
            said = await table.say(player, move, to)
            if table.state["phase"] == "playing" and table.state["throws"]:
                assert not any(
                    throw in str(one) for one in said for throw in THROWS if one["type"] == "thrown"
                )
    while table.turn is not None:
        assert table.expect == EXPECT
        winning = {"alice": "rock", "bob": "paper"}[table.turn.players[0]]
        await table.say(table.turn.players[0], winning, to=True)
    assert table.end is not None
    judge(table, rounds)


def judge(table: Table, rounds: int) -> None:
    """The result, worked out from the opened rounds of the last match alone."""
    assert table.end is not None
    score = {"alice": 0, "bob": 0}
    for shown in table.said("round")[-table.state["round"] :] if table.said("round") else []:
        if shown["number"] == 1:
            score = {"alice": 0, "bob": 0}
        throws = shown["throws"]
        if len(throws) == 2:
            beaten = (THROWS.index(throws["alice"]) - THROWS.index(throws["bob"])) % 3
            winner = (None, "alice", "bob")[beaten]
        else:
            winner = next(iter(throws), None)
        assert shown["winner"] == winner
        if winner:
            score[winner] += 1
    reason = table.end["reason"]
    if "best of" in reason:
        (winner,) = table.end["winners"]
        assert table.end["scores"] == score and score[winner] == rounds // 2 + 1
    else:
        assert reason.endswith(("resigned", "left", "in time", "played"))


@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(rounds=st.integers(1, 3), steps=st.lists(STEP, max_size=14))
async def test_every_match_ends_by_its_rules(
    pool: Pool, rounds: int, steps: list[tuple[str, str, Any]]
) -> None:
    await any_match(pool, rounds, steps)


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(rounds=st.integers(1, 5), steps=st.lists(STEP, max_size=40))
async def test_many_matches_end_by_their_rules(
    rounds: int, steps: list[tuple[str, str, Any]]
) -> None:
    await any_match(Plain(), rounds, steps)


@pytest.mark.long
@settings(max_examples=3000, suppress_health_check=list(HealthCheck))
@given(rounds=st.integers(1, 9), steps=st.lists(STEP, max_size=60))
async def test_thousands_of_matches_end_by_their_rules(
    rounds: int, steps: list[tuple[str, str, Any]]
) -> None:
    await any_match(Plain(), rounds, steps)
