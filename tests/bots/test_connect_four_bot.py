"""Games of ConnectFourBot as scripts: columns in, words out."""

import random
from itertools import product
from typing import Any

import pytest
import pytest_asyncio

from mcp_multiplayer.sandbox.call import Failed, HookCall
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.transcript.names import HOOKS
from mcp_multiplayer.workshop.table import Plain, Runner, Table, source_of

SOURCE = source_of("connect_four_bot.py")
#: Every line of four on the board, as places counted from the top left.
LINES = [
    [(row + n * down) * 7 + column + n * across for n in range(4)]
    for row, column in product(range(6), range(7))
    for across, down in ((1, 0), (0, 1), (1, 1), (-1, 1))
    if 0 <= column + 3 * across < 7 and row + 3 * down < 6
]
#: Fills the board without four in a line.
DRAW = "121212" + "212121" + "343434" + "434343" + "565656" + "656565" + "777777"
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def table(pool: Pool) -> Table:
    return await begun(pool, seconds=60)


async def begun(runner: Runner, **params: Any) -> Table:
    made = Table(runner, SOURCE, params, bot_id="connect-four")
    await made.begin("alice", "bob")
    return made


async def play(table: Table, columns: str) -> None:
    for column in columns:
        await table.say(table.mover, column)


async def test_it_is_announced_with_its_manifest_and_hooks(pool: Pool) -> None:
    report = await pool.inspect(SOURCE)
    assert report.class_name == "ConnectFourBot" and set(report.hooks) == set(HOOKS) - {"on_join"}
    assert report.manifest is not None and report.manifest["max_seats"] == 2
    assert not report.dice and not report.network


async def test_the_first_who_joined_is_x_and_is_told_what_may_be_said(table: Table) -> None:
    (start,) = table.said("start")
    assert (start["X"], start["O"]) == ("alice", "bob")
    assert start["board"] == [""] * 42
    assert start["text"].split("\n") == [". . . . . . ."] * 6 + ["1 2 3 4 5 6 7"]
    assert (table.mover, table.seconds, table.expect) == ("alice", 60, list("1234567"))


async def test_a_disc_falls_to_the_lowest_free_place(table: Table) -> None:
    (first,) = await table.say("alice", "4")
    assert (first["disc"], first["column"], first["row"]) == ("X", 4, 1)
    assert first["text"].split("\n")[5] == ". . . X . . ." and first["board"][38] == "X"
    (second,) = await table.say("bob", "drop 4")
    assert (second["player"], second["disc"], second["row"]) == ("bob", "O", 2)
    assert second["text"].split("\n")[4] == ". . . O . . ."
    assert table.mover == "alice"


@pytest.mark.parametrize("value", [4, "4"])
async def test_a_column_may_be_named_as_an_object(table: Table, value: Any) -> None:
    await table.say(
        "alice", {"type": "move", "game": "connect-four", "action": "drop", "value": value}
    )
    assert table.state["board"][38] == "X"


async def test_what_is_no_move_changes_nothing_and_says_why(table: Table) -> None:
    assert "it is alice" in await table.refused("bob", "4")
    assert "not a player" in await table.refused("carol", "4")
    for text in ("0", "8", "drop x", "drop 99999"):
        assert "1 to 7" in await table.refused("alice", text)
    for value in (True, None, 4.5, [4], {"a": 1}, "", "²"):
        move = {"type": "move", "game": "connect-four", "action": "drop", "value": value}
        assert "1 to 7" in await table.refused("alice", move)
    move = {"type": "move", "game": "connect-four", "action": "pop"}
    assert "resign" in await table.refused("alice", move)
    assert "still going on" in await table.refused("alice", "rematch")
    for chat in ("hello", "I take 4", {"x": 1}):
        assert await table.say("alice", chat) == []
    (answer,) = await table.say("carol", "!help")
    assert "within 60 seconds" in answer["text"]


async def test_a_full_column_takes_no_disc_and_is_offered_no_more(table: Table) -> None:
    await play(table, "444444")
    assert table.expect == list("123567")
    assert await table.refused("alice", "4") == "column 4 is full; free: 1 2 3 5 6 7"


@pytest.mark.parametrize("line", LINES, ids=lambda line: "-".join(map(str, line)))
async def test_each_of_the_69_lines_wins_with_any_of_its_discs(line: list[int]) -> None:
    """The board holds three of the four and what they lie on; the last one falls."""
    assert len(LINES) == 69
    for last in line:
        table = await begun(Plain())
        below = {place + 7 * n for place in line for n in range(1, 6)} - {*line}
        board = ["" if n not in below else "x" for n in range(42)]  # of nobody
        for place in line:
            board[place] = "X"
        for place in range(last % 7, last + 1, 7):
            board[place] = ""
        table.state["board"] = board
        if any(board[place] == "" for place in set(line) - {last}):
            continue  # the last one of a pile lies above the others
        await table.say("alice", str(last % 7 + 1))
        assert table.end == {
            "winners": ["alice"],
            "reason": "four X in a line",
            "scores": {"alice": 1, "bob": 0},
        }


async def test_four_around_the_edge_win_nothing(table: Table) -> None:
    table.state["board"] = [""] * 35 + ["X", "X", "", "", "", "X", ""]
    await table.say("alice", "7")  # 6, 7 and 1, 2 of the lowest row
    assert table.end is None and table.mover == "bob"


async def test_a_full_board_without_a_line_is_a_draw() -> None:
    table = await begun(Plain())
    await play(table, DRAW)
    assert table.end == {
        "winners": [],
        "reason": "draw, the board is full",
        "scores": {"alice": 0.5, "bob": 0.5},
    }


async def test_a_line_with_the_last_disc_wins() -> None:
    table = await begun(Plain())
    table.state |= {"board": ["", "O", "O", "O"] + ["x"] * 38, "turn": "bob"}
    await table.say("bob", "1")
    assert table.end is not None and table.end["winners"] == ["bob"]


@pytest.mark.parametrize("how", ["resign", "Concede", "leave", "late"])
async def test_the_other_wins_when_one_gives_up_leaves_or_is_late(table: Table, how: str) -> None:
    words = {"leave": "left", "late": "ran out of time"}
    if how == "leave":
        await table.leave("alice")
    elif how == "late":
        await table.late()
    else:
        await table.say("alice", how)
    assert table.end == {
        "winners": ["bob"],
        "reason": "alice " + words.get(how, "resigned"),
        "scores": {"alice": 0, "bob": 1},
    }


async def test_a_rematch_begins_when_both_have_asked_and_swaps_the_sides(table: Table) -> None:
    await play(table, "1212121")
    assert table.end is not None and table.end["winners"] == ["alice"]
    assert "rematch" in await table.refused("bob", "6")
    await table.say("bob", "rematch")
    assert "waiting for alice" in await table.refused("bob", "rematch")
    (start,) = await table.say("alice", "rematch")
    assert (start["X"], start["O"]) == ("bob", "alice") and table.mover == "bob"


async def test_alone_nobody_plays(pool: Pool) -> None:
    alone = Table(pool, SOURCE)
    await alone.begin("alice")
    assert alone.end == {"winners": [], "reason": "this game takes two players"}


@pytest.mark.parametrize("seconds", [0, -1, "60", True, 1e9])
async def test_params_that_make_no_game_are_refused(pool: Pool, seconds: Any) -> None:
    result = await pool.run(HookCall(SOURCE, "on_init", params={"seconds": seconds}))
    assert isinstance(result, Failed) and result.error == "ValueError"


async def any_game(runner: Runner, seed: int) -> list[str]:
    """Columns at random to the end; whoever wins has a line, and nobody had one before. The
    winners."""
    chance = random.Random(seed)
    table = await begun(runner)
    while table.end is None:
        board = table.state["board"]
        assert not lines(board)
        assert table.expect == [str(n + 1) for n in range(7) if not board[n]]
        await table.say(table.mover, chance.choice(table.expect))
    board = table.state["board"]
    winners = [{"X": "alice", "O": "bob"}[disc] for disc in lines(board)]
    assert table.end["winners"] == winners and (winners or all(board))
    return list(table.end["winners"])


def lines(board: list[str]) -> set[str]:
    """Whose discs make a line."""
    found = [{board[place] for place in line} for line in LINES]
    return {next(iter(one)) for one in found if len(one) == 1} - {""}


async def test_a_few_games_at_random_end_by_their_rules(pool: Pool) -> None:
    await any_game(pool, 0)
    for seed in range(30):
        await any_game(Plain(), seed)


@pytest.mark.long
async def test_of_a_thousand_games_at_random_the_first_wins_a_little_more_than_half() -> None:
    runner = Plain()
    won = [await any_game(runner, seed) for seed in range(1000)]
    assert 500 < won.count(["alice"]) < 620  # 55.6 % in the long run
