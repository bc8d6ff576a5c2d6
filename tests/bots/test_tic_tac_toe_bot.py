"""Games of TicTacToeBot as scripts: moves in, words out."""

import itertools
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_multiplayer.sandbox.call import Failed, HookCall
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.transcript.names import HOOKS
from mcp_multiplayer.workshop.table import Plain, Runner, Table, source_of

SOURCE = source_of("tic_tac_toe_bot.py")
ROWS = ("123", "456", "789", "147", "258", "369", "159", "357")
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def table(pool: Pool) -> Table:
    made = Table(pool, SOURCE, {"seconds": 60})
    await made.begin("alice", "bob")
    return made


async def play(table: Table, squares: str) -> None:
    for square in squares:
        await table.say(table.mover, square)


async def test_it_is_announced_with_its_manifest_and_hooks(pool: Pool) -> None:
    report = await pool.inspect(SOURCE)
    assert report.class_name == "TicTacToeBot" and set(report.hooks) == set(HOOKS) - {"on_join"}
    assert report.manifest is not None and report.manifest["max_seats"] == 2
    assert not report.dice and not report.network


async def test_the_first_who_joined_is_x_and_is_told_what_may_be_said(table: Table) -> None:
    (start,) = table.said("start")
    assert (start["X"], start["O"]) == ("alice", "bob")
    assert start["text"] == "1 2 3\n4 5 6\n7 8 9" and start["board"] == [""] * 9
    assert table.expect == list("123456789")
    assert (table.mover, table.seconds) == ("alice", 60)


async def test_a_mark_is_shown_and_the_turn_passes(table: Table) -> None:
    (mark,) = await table.say("alice", "5")
    assert mark["text"] == "1 2 3\n4 X 6\n7 8 9"
    assert mark["board"] == ["", "", "", "", "X", "", "", "", ""]
    assert (mark["player"], mark["mark"], mark["square"]) == ("alice", "X", 5)
    assert table.expect == list("12346789")
    assert table.mover == "bob"


@pytest.mark.parametrize(
    "move",
    [
        "5",
        " mark 5 ",
        {"type": "move", "game": "tic-tac-toe", "action": "mark", "value": 5},
        {"type": "move", "game": "tic-tac-toe", "action": "mark", "value": "5"},
    ],
)
async def test_a_square_may_be_named_in_several_ways(table: Table, move: Any) -> None:
    await table.say("alice", move)
    assert table.state["board"][4] == "X"


async def test_what_is_no_move_changes_nothing_and_says_why(table: Table) -> None:
    assert "it is alice" in await table.refused("bob", "5")
    assert "not a player" in await table.refused("carol", "5")
    for text in ("0", "10", "mark x", "mark 99999"):
        assert "1 to 9" in await table.refused("alice", text)
    for value in (True, None, 5.5, [5], {"a": 1}, "", "²"):
        move = {"type": "move", "game": "tic-tac-toe", "action": "mark", "value": value}
        assert "1 to 9" in await table.refused("alice", move)
    move = {"type": "move", "game": "tic-tac-toe", "action": "castle"}
    assert "resign" in await table.refused("alice", move)
    assert "still going on" in await table.refused("alice", "rematch")
    await table.say("alice", "5")
    assert "taken; free: 1 2 3 4 6" in await table.refused("bob", "5")


@pytest.mark.parametrize("body", ["hello", "I take 5", "", {"type": "move"}, {"x": 1}, {"text": 5}])
async def test_chat_is_ignored(table: Table, body: Any) -> None:
    await table.say("alice", "1")
    if body != {"text": 5}:
        assert await table.say("bob", body) == []


async def test_help_is_answered_at_any_time(table: Table) -> None:
    (answer,) = await table.say("carol", " !HELP ")
    assert "within 60 seconds" in answer["text"]


async def test_a_move_before_the_start_is_refused(pool: Pool) -> None:
    early = Table(pool, SOURCE, players=["alice"])
    assert await early.refused("alice", "5") == "the game has not started"
    assert await early.refused("alice", "resign") == "the game has not started"


@pytest.mark.parametrize("row", ROWS)
async def test_each_of_the_eight_rows_wins(row: str) -> None:
    for winner, other in (("alice", "bob"), ("bob", "alice")):
        table = Table(Plain(), SOURCE)
        await table.begin("alice", "bob")
        spare = [s for s in "123456789" if s not in row]
        losing = next(m for m in itertools.permutations(spare, 3) if "".join(sorted(m)) not in ROWS)
        moves = (
            zip(row, losing, strict=True) if winner == "alice" else zip(losing, row, strict=True)
        )
        for square in itertools.chain.from_iterable(moves):
            if table.end is None:
                await table.say(table.mover, square)
        assert table.end is not None and table.end["winners"] == [winner]
        assert table.end["scores"] == {winner: 1, other: 0}
        assert table.end["reason"].endswith("-".join(row))


async def test_a_full_board_without_a_row_is_a_draw(table: Table) -> None:
    await play(table, "123546879")
    assert table.end == {
        "winners": [],
        "reason": "draw, the board is full",
        "scores": {"alice": 0.5, "bob": 0.5},
    }
    assert table.turn is None


async def test_a_row_with_the_last_square_wins(table: Table) -> None:
    await play(table, "125364879")
    assert table.end is not None and table.end["winners"] == ["alice"]


@pytest.mark.parametrize("how", ["resign", "Concede", "structured", "leave", "late"])
async def test_the_other_wins_when_one_gives_up_leaves_or_is_late(table: Table, how: str) -> None:
    words = {"leave": "left", "late": "ran out of time"}
    if how == "leave":
        await table.leave("alice")
    elif how == "late":
        await table.late()
    elif how == "structured":
        await table.say("alice", {"type": "move", "game": "tic-tac-toe", "action": "resign"})
    else:
        await table.say("alice", how)
    assert table.end == {
        "winners": ["bob"],
        "reason": "alice " + words.get(how, "resigned"),
        "scores": {"alice": 0, "bob": 1},
    }
    ended = table.end
    await table.call("on_timer", "turn")
    assert table.end is ended


async def test_one_may_resign_in_the_others_turn(table: Table) -> None:
    await table.say("bob", "resign")
    assert table.end is not None and table.end["winners"] == ["alice"]


async def test_a_rematch_begins_when_both_have_asked_and_swaps_the_sides(table: Table) -> None:
    await play(table, "14253")
    assert "rematch" in await table.refused("bob", "6")
    (asked,) = await table.say("bob", "rematch")
    assert asked["type"] == "rematch" and table.end is not None
    assert "waiting for alice" in await table.refused("bob", "rematch")
    (start,) = await table.say(
        "alice", {"type": "move", "game": "tic-tac-toe", "action": "rematch"}
    )
    assert (start["X"], start["O"]) == ("bob", "alice") and table.mover == "bob"
    await play(table, "14253")
    assert table.end is not None and table.end["winners"] == ["bob"]
    await table.leave("alice")
    assert await table.refused("bob", "rematch") == "alice has left"


async def test_alone_nobody_plays_and_a_third_looks_on(pool: Pool) -> None:
    alone = Table(pool, SOURCE)
    await alone.begin("alice")
    assert alone.end == {"winners": [], "reason": "this game takes two players"}
    crowd = Table(pool, SOURCE)
    await crowd.begin("a", "b", "c")
    assert crowd.mover == "a" and "not a player" in await crowd.refused("c", "5")
    await crowd.leave("c")
    assert crowd.end is None and await crowd.call("on_start") == []


@pytest.mark.parametrize("seconds", [0, -1, "60", True, 1e9])
async def test_params_that_make_no_game_are_refused(pool: Pool, seconds: Any) -> None:
    result = await pool.run(HookCall(SOURCE, "on_init", params={"seconds": seconds}))
    assert isinstance(result, Failed) and result.error == "ValueError"


PLAYERS = st.sampled_from(["alice", "bob", "carol"])
MOVE = st.sampled_from(
    [*"1234567890", "resign", "rematch", "leave", "late", "hello", "!help", "mark 5", "mark z"]
)


async def any_game(runner: Runner, moves: list[tuple[str, str]]) -> None:
    """Whatever is said, the game goes on by its rules and ends when the rest is played out."""
    table = Table(runner, SOURCE, {"seconds": 60})
    await table.begin("alice", "bob")
    for player, move in moves:
        if player not in table.players and player != "carol":
            continue  # the room lets only members speak
        if move == "leave" and player != "carol":
            await table.leave(player)
        elif move == "late" and table.turn is not None:
            await table.late()
        elif move != "leave":
            await table.say(player, move)
    while table.turn is not None:
        await table.say(table.mover, table.expect[0])
    assert table.end is not None
    judge(table)


def judge(table: Table) -> None:
    """The result, worked out from the marks alone."""
    assert table.end is not None
    start = max(n for n, post in enumerate(table.posts) if post.body["type"] == "start")
    marks = [post.body for post in table.posts[start:] if post.body["type"] == "mark"]
    has: dict[str, set[str]] = {"X": set(), "O": set()}
    for n, mark in enumerate(marks):
        assert mark["mark"] == "XO"[n % 2]
        assert not any(set(row) <= squares for row in ROWS for squares in has.values())
        has[mark["mark"]].add(str(mark["square"]))
    won = (
        [marks[-1]["player"] for row in ROWS if set(row) <= has[marks[-1]["mark"]]] if marks else []
    )
    if won:
        assert table.end["winners"] == [won[0]]
    elif len(marks) == 9:
        assert table.end["winners"] == []
    else:
        assert table.end["reason"].split(" ", 1)[1] in ("resigned", "left", "ran out of time")


@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(moves=st.lists(st.tuples(PLAYERS, MOVE), max_size=14))
async def test_every_game_ends_by_its_rules(pool: Pool, moves: list[tuple[str, str]]) -> None:
    await any_game(pool, moves)


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(moves=st.lists(st.tuples(PLAYERS, MOVE), max_size=30))
async def test_many_games_end_by_their_rules(moves: list[tuple[str, str]]) -> None:
    await any_game(Plain(), moves)


@pytest.mark.long
@settings(max_examples=3000, suppress_health_check=list(HealthCheck))
@given(moves=st.lists(st.tuples(PLAYERS, MOVE), max_size=40))
async def test_thousands_of_games_end_by_their_rules(moves: list[tuple[str, str]]) -> None:
    await any_game(Plain(), moves)
