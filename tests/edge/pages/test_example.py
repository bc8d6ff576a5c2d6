"""The game on the start page is one that the referee of this release judges so."""

from __future__ import annotations

from pathlib import Path

from mcp_multiplayer.edge.pages import example
from tests.edge.api.house import open_house


async def test_the_game_of_the_start_page_ends_as_it_is_shown(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        pair = await house.pair(bot_preset=example.PRESET)
        players = {example.WHITE: pair.alice, example.BLACK: pair.bob}
        moves = example.last_moves(99)
        assert [move for _, move in moves] == example.MOVES.split()
        for player, move in moves:
            posted = await house.rest(
                players[player], "post_message", channel_id=pair.id, body=move
            )
            assert posted.status == 200, posted.data
        read = await house.rest(pair.alice, "sync_messages", channel_id=pair.id, timeout_ms=0)
    said = [one["body"] for one in read.data["messages"] if one["sender"] == "bot:chess"]
    last = next(body for body in reversed(said) if body["type"] == "move")
    assert (last["fen"], last["uci"], last["san"]) == (example.FEN, example.LAST, moves[-1][1])
    assert read.data["view"]["result"] == example.RESULT


def test_each_square_has_a_name_for_whoever_hears_the_page() -> None:
    board = example.board()
    assert [len(rank) for rank in board] == [8] * 8
    named = {square.name for rank in board for square in rank}
    assert len(named) == 64
    assert {"d8: white rook", "e8: black king", "d1: empty"} <= named
    assert [one.name for rank in board for one in rank if one.moved] == [
        "d8: white rook",
        "d1: empty",
    ]
    assert not board[7][7].dark and board[7][0].dark  # h1 is light
