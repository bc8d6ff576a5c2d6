"""How well the house plays: what its level says, counted."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from mcp_multiplayer.house import blackjack, chess, grids, strategies
from mcp_multiplayer.house.game import Game
from mcp_multiplayer.house.strategies import STRATEGIES, offered


def game(*said: dict[str, Any], me: str = "house", **params: Any) -> Game:
    made = Game(me, "ref", params)
    for number, body in enumerate(said):
        made.hear({"id": number, "sender": "bot:ref", "body": body})
    return made


@pytest.mark.parametrize("target", [1, 2, 37, 50, 99, 100])
def test_a_number_up_to_100_is_found_in_seven_guesses(target: int) -> None:
    made = game()
    for used in range(1, 9):
        value = int(strategies.guess(made, []).removeprefix("guess "))
        if value == target:
            break
        result = "high" if value > target else "low"
        body = {"type": "judge", "player": "alice", "guess": value, "result": result}
        made.hear({"id": used, "sender": "bot:ref", "body": body})
    assert value == target and used <= 7


def test_a_guess_that_others_made_counts_and_an_invalid_one_does_not() -> None:
    judged = {"type": "judge", "player": "alice"}
    made = game(
        judged | {"guess": 60, "result": "high"}, judged | {"guess": "x", "result": "invalid"}
    )
    assert strategies.guess(made, []) == "guess 30"


def test_tic_tac_toe_is_never_lost() -> None:
    chance = random.Random(1)
    for own in "XO" * 30:
        board, mark = [""] * 9, "X"
        while all(board) is False and not _won(board):
            free = [at for at in range(9) if not board[at]]
            board[grids.square(board, mark) if mark == own else chance.choice(free)] = mark
            mark = grids.other(mark)
        assert _won(board) != grids.other(own)


def _won(board: list[str]) -> str:
    found = [board[a] for a, b, c in grids.ROWS if board[a] and board[a] == board[b] == board[c]]
    return found[0] if found else ""


def test_connect_four_wins_at_once_and_stops_who_would() -> None:
    board = [""] * 42
    board[35:38] = ["X", "X", "X"]  # the lowest row, from the left
    assert grids.column(board, "X") == 3
    board[38 - 7 : 38] = [*board[31:35], *board[35:38]]
    assert grids.column(board, "O") == 3


def test_connect_four_beats_chance() -> None:
    chance, won = random.Random(2), 0
    for number in range(20):
        board, mark, own = [""] * 42, "X", "XO"[number % 2]
        while not grids.is_four(tuple(board), grids.other(mark)) and not all(board[:7]):
            at = chance.choice(grids.columns(tuple(board)))
            at = grids.column(board, mark) if mark == own else at
            board[grids.landing(tuple(board), at)] = mark
            mark = grids.other(mark)
        won += grids.is_four(tuple(board), own)
    assert won >= 19


@pytest.mark.parametrize(
    ("fen", "legal", "best"),
    [
        ("6k1/5ppp/8/8/8/8/8/R5K1 w - - 0 1", ["Ra7", "Ra8#", "Kf1"], {"Ra8#"}),
        ("k7/8/8/3q4/4P3/8/8/K7 w - - 0 1", ["e5", "exd5", "Kb1"], {"exd5"}),
        # the queen may not go where a pawn takes her, nor take what is guarded
        ("k7/2p5/3p4/8/8/8/3Q4/K7 w - - 0 1", ["Qe5", "Qxd6", "Qd4"], {"Qd4"}),
        # a queen that is attacked moves away
        ("k7/8/8/8/3p4/4Q3/8/K7 w - - 0 1", ["Kb1", "Qxd4"], {"Qxd4"}),
        ("k7/8/1n6/8/8/3Q4/8/K7 b - - 0 1", ["Nd5", "Na4", "Nc4"], {"Na4"}),
        # ahead by a queen it refuses a draw, behind it takes one
        ("k7/8/8/8/8/3Q4/8/K7 w - - 0 1", ["Kb1", "draw"], {"Kb1"}),
        ("k7/8/8/8/8/3q4/8/K7 w - - 0 1", ["Kb2", "draw"], {"draw"}),
        ("k7/8/8/3pP3/8/8/8/K7 w - d6 0 1", ["exd6", "Kb1"], {"exd6"}),
        ("k7/4P3/8/8/8/8/8/K7 w - - 0 1", ["e8=Q+", "e8=N", "Kb1"], {"e8=Q+"}),
    ],
)
def test_chess_takes_what_is_offered_and_leaves_nothing_hanging(
    fen: str, legal: list[str], best: set[str]
) -> None:
    assert chess.move(fen, legal) in best


def test_chess_reads_what_it_cannot_understand_as_a_bad_move() -> None:
    assert chess.move("k7/8/8/8/8/8/8/K7 w - - 0 1", ["Zz9", "Kb1"]) == "Kb1"
    with pytest.raises(ValueError, match="no FEN"):
        chess.move("8/8 w", ["Kb1"])


@pytest.mark.parametrize(
    ("cards", "dealer", "legal", "best"),
    [
        (["TS", "6D"], "7H", "hit stand double", "hit"),
        (["TS", "6D"], "6H", "hit stand double", "stand"),
        (["TS", "2D"], "3H", "hit stand double", "hit"),
        (["6S", "5D"], "9H", "hit stand double", "double"),
        (["6S", "5D"], "9H", "hit stand", "hit"),
        (["AS", "7D"], "9H", "hit stand double", "hit"),
        (["AS", "7D"], "2H", "hit stand double", "stand"),
        (["AS", "AD"], "TH", "hit stand double split", "split"),
        (["KS", "QD"], "6H", "hit stand double split", "stand"),
        (["AS", "KD", "6C"], "TH", "hit stand", "stand"),
        (["AS", "5D", "AC"], "TH", "hit stand", "hit"),
    ],
)
def test_blackjack_is_played_by_the_book(
    cards: list[str], dealer: str, legal: str, best: str
) -> None:
    assert blackjack.move(cards, dealer, legal.split()) == best


def test_no_hand_of_blackjack_is_left_without_a_move() -> None:
    ranks = "A23456789TJQK"
    for one, two, up in itertools.product(ranks, ranks, ranks):
        assert blackjack.move([one + "S", two + "S"], up + "H", ["hit", "stand"]) in (
            "hit",
            "stand",
        )
        legal = ["hit", "stand", "double", "split"] if one == two else ["hit", "stand", "double"]
        assert blackjack.move([one + "S", two + "S"], up + "H", legal) in legal


def test_after_a_split_the_first_half_is_played_first() -> None:
    deal = {"type": "deal", "dealer": ["TH", "??"], "hands": {"house": {"cards": ["8S", "8D"]}}}
    hand = {"type": "hand", "player": "house", "action": "split"}
    made = game(
        {"type": "hand", "player": "house", "action": "hit", "cards": ["2S", "2D"]},
        deal,
        hand | {"hand": 1, "cards": ["8S", "9C"]},
        hand | {"hand": 2, "cards": ["8D", "2C"]},
    )
    assert strategies.play_hand(made, ["hit", "stand"]) == "stand"
    made.hear(
        {"id": 9, "sender": "bot:ref", "body": hand | {"action": "next", "cards": ["8D", "2C"]}}
    )
    assert strategies.play_hand(made, ["hit", "stand"]) == "hit"
    assert strategies.play_hand(made, ["bet 10", "bet 20"]) == "bet 10"
    assert strategies.play_hand(made, ["insurance", "decline"]) == "decline"


def test_bids_and_limits_leave_a_gain() -> None:
    worth = {"type": "worth", "player": "house", "worth": 80}
    assert strategies.bid(game(worth), []) == "bid 40"
    assert strategies.bid(game(worth, price="second"), []) == "bid 80"
    assert strategies.bid(game(worth, reserve=50), []) == "pass"
    for seller, low, high in (("house", 1, 50), ("alice", 51, 100)):
        start = {"type": "start", "parties": {"seller": seller, "buyer": "x"}}
        for _ in range(50):
            said = int(strategies.limit(game(start), []).removeprefix("limit "))
            assert low <= said <= high


def test_the_commonest_letter_is_said_first_and_an_unknown_one_last() -> None:
    assert strategies.letter(game(), ["z", "t", "e", "é"]) == "e"
    assert strategies.letter(game(), ["é", "z"]) == "z"


def test_what_is_expected_is_read_in_every_form() -> None:
    assert offered(["a", "b"]) == ["a", "b"]
    assert offered({"body": ["a"], "to": ["bot:x"], "also": "more"}) == ["a"]
    assert offered(None) == [] and offered("open NUMBER SALT") == ["open NUMBER SALT"]
    numbers = [int(one.removeprefix("guess ")) for one in offered("guess N, -3 to 5")]
    assert numbers and all(-3 <= one <= 5 for one in numbers)


def test_every_level_is_the_rest_of_a_sentence() -> None:
    for name, strategy in STRATEGIES.items():
        assert strategy.level.split()[0].endswith("s") or strategy.level.startswith("never"), name
