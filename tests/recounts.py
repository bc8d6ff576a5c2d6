"""Results a second time, from what everybody read and the rules alone.

Each takes the messages of a game that was played to its end, as a player saw them, and its
result; it asks no referee and none of its helpers.
"""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import chess
import chess.pgn

from mcp_multiplayer.sandbox.call import Said
from mcp_multiplayer.workshop.table import Plain, Table
from tests.bots import test_blackjack_bot as blackjack

Json = dict[str, Any]
BEATS = {("rock", "scissors"), ("scissors", "paper"), ("paper", "rock")}
ROWS = ["123", "456", "789", "147", "258", "369", "159", "357"]


class Told:
    """What a referee said, and what was said to it."""

    def __init__(self, messages: list[Json], result: Json, shown: str) -> None:
        self.messages, self.result = messages, result
        self.shown = shown  #: the fingerprint of what the site really shows
        self.bodies = [one["body"] for one in messages if one["sender"].startswith("bot:")]
        self.moves = [one for one in messages if one["kind"] == "user"]

    def of(self, *kinds: str) -> list[Json]:
        """The referee's bodies of these types."""
        return [body for body in self.bodies if body.get("type") in kinds]

    def won(self, *players: str) -> None:
        """These and no others are the winners."""
        assert sorted(self.result["winners"]) == sorted(players), self.result

    def ahead(self, scores: dict[str, int]) -> None:
        """Whoever has most wins; the same for both is a draw. The scores are these."""
        assert self.result["scores"] == scores
        best = [one for one in scores if scores[one] == max(scores.values())]
        self.won(*(best if len(best) < len(scores) else []))


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def guess(told: Told) -> None:
    (committed,), (opened,) = told.of("commitment"), told.of("reveal")
    number = opened["target"]
    assert committed["commitment_hash"] == sha(f"{number}{opened['salt']}")
    said = {True: "high", False: "low"}
    for one in told.of("judge"):
        right = one["guess"] == number
        fits = isinstance(one["guess"], int) and 1 <= one["guess"] <= 100
        expected = "correct" if right else said[one["guess"] > number] if fits else "invalid"
        assert one["result"] == expected, one
    told.won(told.of("judge")[-1]["player"])


def blackjack_(told: Told) -> None:
    closed = {"deck": "", "salt": ""}  # a round without its reveal opens nothing
    posts = [Said("bot", one["body"]) for one in told.messages if one["sender"].startswith("bot:")]
    seen = blackjack.judged(Table(Plain(), blackjack.SOURCE, state=closed, posts=posts))
    assert seen["settle"] == len(told.of("commitment")) == len(told.of("reveal")) > 0
    told.ahead(told.of("settle")[-1]["chips"])


def tic_tac_toe(told: Told) -> None:
    (start,) = told.of("start")
    board: dict[str, str] = {}
    for at, one in enumerate(told.of("mark")):
        assert one["player"] == start["XO"[at % 2]] and one["mark"] == "XO"[at % 2]
        assert board.setdefault(str(one["square"]), one["mark"]) == one["mark"]
        assert len(board) == at + 1
    full = [{board.get(square, square) for square in row} for row in ROWS]
    told.won(*(start[next(iter(row))] for row in full if len(row) == 1))


def connect_four(told: Told) -> None:
    (start,) = told.of("start")
    stacks: list[list[str]] = [[] for _ in range(7)]
    for at, one in enumerate(told.of("drop")):
        assert one["player"] == start["XO"[at % 2]] and one["disc"] == "XO"[at % 2]
        stacks[one["column"] - 1].append(one["disc"])
        assert one["row"] == len(stacks[one["column"] - 1]) <= 6
    discs = {(x, y): disc for x, stack in enumerate(stacks) for y, disc in enumerate(stack)}
    fours = [
        {discs.get((x + n * dx, y + n * dy), "") for n in range(4)}
        for x, y in discs
        for dx, dy in ((1, 0), (0, 1), (1, 1), (1, -1))
    ]
    won = {start[next(iter(four))] for four in fours if len(four) == 1}
    assert won or len(discs) == 42
    told.won(*won)


def chess_(told: Told) -> None:
    board, players = chess.Board(), ("bob", "alice")
    for one in told.of("move"):
        assert one["player"] == players[board.turn]
        move = board.parse_san(one["san"])
        assert move.uci() == one["uci"]
        board.push(move)
        assert one["fen"] == board.fen(en_passant="legal")
    said = [one["body"].get("text") for one in told.moves]
    assert len(board.move_stack) > 2 and {one["san"] for one in told.of("move")} <= set(said)
    (over,) = told.of("result")
    outcome = board.outcome(claim_draw="draw" in said)
    assert outcome is not None and over["result"] == outcome.result()
    told.won(*([] if outcome.winner is None else [players[outcome.winner]]))
    read = chess.pgn.read_game(io.StringIO(over["pgn"]))
    assert read is not None and not read.errors
    assert read.end().board().move_stack == board.move_stack


def coin(told: Told) -> None:
    (toss,) = told.of("toss")
    assert toss["side"] in ("heads", "tails")
    assert toss["calls"] == toss["calls"] | _public(told, "heads", "tails")
    told.won(*(one for one, call in toss["calls"].items() if call == toss["side"]))


def _public(told: Told, *words: str) -> Json:
    """The first of these words from each player, as far as everybody read it."""
    found: Json = {}
    for one in told.moves:
        if one["body"].get("text") in words:
            found.setdefault(one["sender"], one["body"]["text"])
    return found


def rock_paper_scissors(told: Told) -> None:
    score: Counter[str] = Counter(alice=0, bob=0)
    for one in told.of("round"):
        hands = one["throws"]
        pair = (hands["alice"], hands["bob"])
        winner = "alice" if pair in BEATS else "bob" if pair[::-1] in BEATS else None
        score.update([winner] if winner else [])
        assert (one["winner"], one["score"]) == (winner, dict(score))
    assert max(score.values()) == 2
    told.ahead(dict(score))


def trivia(told: Told) -> None:
    (committed,) = told.of("commitment")
    score, questions = Counter(alice=0, bob=0), told.of("question")
    for asked, one in zip(questions, told.of("answer"), strict=True):
        assert one["hash"] == sha(f"{asked['question']}\n{one['answer']}\n{one['salt']}")
        right = [who for who, answer in one["answers"].items() if answer == one["answer"]]
        assert sorted(one["correct"]) == sorted(right)
        score.update(right)
        assert one["score"] == dict(score)
    assert [one["hash"] for one in told.of("answer")] == committed["commitment_hashes"]
    told.ahead(dict(score))


def auction(told: Told) -> None:
    (opened,) = told.of("opened")
    bids, buyer = opened["bids"], opened["buyer"]
    if not bids:
        told.won()
        return
    assert opened["price"] == bids[buyer] == max(bids.values())
    assert len(told.of("worth")) == 1  # the reader's own
    for one in told.of("worth"):
        assert one["worth"] == opened["worth"][one["player"]]
    gain = opened["worth"][buyer] - opened["price"]
    assert told.result["scores"] == {"alice": 0, "bob": 0, buyer: gain}
    others = {*bids, *opened["passed"]} - {buyer}
    told.won(*([buyer] if gain > 0 else others if gain < 0 else []))


def deal(told: Told) -> None:
    if not told.of("outcome"):
        assert told.result["reason"].startswith("no deal: ")
        told.won()
        return
    (start,), (shown,) = told.of("start"), told.of("outcome")
    seller, drawn = start["parties"]["seller"], shown["drawn"]
    for one in told.moves:
        text = str(one["body"].get("text"))
        if shown["deal"] and text.startswith("limit "):  # the reader's own
            limit = int(text.removeprefix("limit "))
            assert limit <= drawn if one["sender"] == seller else limit >= drawn
    assert shown.get("price") == (drawn if shown["deal"] else None)
    told.won(*(["alice", "bob"] if shown["deal"] else []))


def price(told: Told) -> None:
    (settled,), (shown,) = told.of("settled"), told.of("guesses")
    paid = Decimal("114609.375")  # what the source of tests/sandbox/outside.py says
    assert Decimal(settled["price"]) == paid
    off = {who: abs(Decimal(str(one)) - paid) for who, one in shown["guesses"].items()}
    assert {who: Decimal(one) for who, one in settled["off"].items()} == off
    told.won(*(who for who in off if off[who] == min(off.values())))


def judge(told: Told) -> None:
    for one in told.of("terms"):
        assert one["hash"] == sha(one["text"])
    assert {one["hash"] for one in told.of("accepted")} <= {one["hash"] for one in told.of("terms")}
    kept = {one["player"] for one in told.of("fulfilled")}
    rulings = [one["for"] for one in told.of("ruling")]
    told.won(*([one for one in rulings if one] or (kept if len(kept) == 2 else [])))


def bet(told: Told) -> None:
    if not told.of("commitment"):
        assert told.result["reason"].startswith("no bet: ")
        told.won()
        return
    (terms,), (opened,), (owed,) = told.of("terms"), told.of("reveal"), told.of("owed")
    assert terms["hash"] == sha(terms["text"])
    assert {one["player"] for one in told.of("accepted")} == {"alice", "bob"}
    (committed,) = told.of("commitment")
    assert committed["commitment_hash"] == sha(f"{opened['number']}{opened['salt']}")
    (called,) = told.of("call")
    right = (opened["number"] > 50) == (called["call"] == "yes")
    winner = called["player"] if right else terms["holder"]
    assert (owed["owed"]["to"], called["player"]) == (winner, terms["caller"])
    told.won(winner)


def memory(told: Told) -> None:
    released = [one["number"] for one in told.of("closed") if one["how"] == "released"]
    assert [one["number"] for one in told.of("answer")] == released != []
    said = [str(one["body"].get("text")) for one in told.moves]
    answers = {one for one in said if one.startswith("answer ")}  # the reader's own
    assert not answers or {f"answer {one['text']}" for one in told.of("answer")} <= answers
    for number in released:
        given = [one["player"] for one in told.of("consent") if one["number"] == number]
        assert sorted(given) == ["alice", "bob"]
    assert told.result["reason"].endswith(f"released: {len(released)}")
    told.won()


def word(told: Told) -> None:
    (committed,), (opened,) = told.of("commitment"), told.of("reveal")
    hidden = list(opened["word"])
    assert committed["commitment_hash"] == sha(opened["word"] + opened["salt"])
    score, turn = Counter(alice=0, bob=0), told.of("guess")[0]["player"]
    for one in told.of("guess"):
        assert one["player"] == turn
        found = (
            [*hidden]
            if one["guess"] == opened["word"]
            else [one["guess"]] * hidden.count(one["guess"])
        )
        for letter in found:
            hidden.remove(letter)
        score[turn] += len(found)
        assert (one["found"], one["score"]) == (len(found), dict(score))
        turn = turn if found else next(who for who in score if who != turn)
    assert not hidden
    told.ahead(dict(score))


def tls(told: Told) -> None:
    (seen, *_) = told.of("certificate")
    assert (seen["valid"], seen["host"]) == (True, "api.coinbase.com")
    assert seen["fingerprint"] == told.shown
    assert told.result["reason"].startswith("all are done")
    told.won()


RECOUNTS: dict[str, Callable[[Told], None]] = {
    "AuctionBot": auction,
    "BetBot": bet,
    "BlackjackBot": blackjack_,
    "ChessBot": chess_,
    "CoinBot": coin,
    "ConnectFourBot": connect_four,
    "DealBot": deal,
    "GuessBot": guess,
    "JudgeBot": judge,
    "MemoryExchangeBot": memory,
    "PriceBot": price,
    "RockPaperScissorsBot": rock_paper_scissors,
    "TLSBot": tls,
    "TicTacToeBot": tic_tac_toe,
    "TriviaBot": trivia,
    "WordBot": word,
}
