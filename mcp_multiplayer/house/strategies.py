"""How the house plays under each preset: a pure function from what the referee has said to the
words of a move. What is not here it does not play, with the reason in `NOT_PLAYED`.

Whatever a function returns or raises, the house goes on: a refused move is followed by another out
of what the referee expects (`player`).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcp_multiplayer.house import blackjack, chess, grids
from mcp_multiplayer.house.game import Game

Params = Mapping[str, Any]
Bodies = Sequence[Any]
Choose = Callable[[Game, Bodies], Any]

_RANGE = re.compile(r"(.*)\bN\b(.*?), (-?\d+) to (-?\d+)")
_MANY = 5
#: Letters by how often they stand in English words.
LETTERS = "eariotnslcudpmhgbfywkvxzjq"


def offered(expect: Any) -> list[Any]:
    """The bodies that a turn's ``expect`` names: all of a list, some of a range."""
    if isinstance(expect, Mapping):
        expect = expect.get("body")
    if isinstance(expect, list):
        return list(expect)
    if not isinstance(expect, str):
        return []
    found = _RANGE.fullmatch(expect)
    if not found:
        return [expect]
    before, after, low, high = found[1], found[2], int(found[3]), int(found[4])
    numbers = {low + secrets.randbelow(max(1, high - low + 1)) for _ in range(_MANY)}
    return [f"{before}{number}{after}" for number in sorted(numbers)]


def by_chance(game: Game, bodies: Bodies) -> Any:
    """Any of them."""
    return secrets.choice(bodies)


def guess(game: Game, bodies: Bodies) -> str:
    """The middle of what is left."""
    low, high = game.params.get("low", 1), game.params.get("high", 100)
    for judged in game.all("judge"):
        if judged["result"] == "high":
            high = min(high, judged["guess"] - 1)
        elif judged["result"] == "low":
            low = max(low, judged["guess"] + 1)
    return f"guess {(low + high) // 2}"


def mark(game: Game, bodies: Bodies) -> str:
    """The best square."""
    board, own = _grid(game, "mark")
    return str(grids.square(board, own) + 1)


def drop(game: Game, bodies: Bodies) -> str:
    """The best column."""
    board, own = _grid(game, "drop")
    return str(grids.column(board, own) + 1)


def _grid(game: Game, kind: str) -> tuple[list[str], str]:
    start = game.last("start") or {}
    return (game.last(kind) or start)["board"], "X" if start["X"] == game.me else "O"


def move(game: Game, bodies: Bodies) -> str:
    """The move that wins most at once."""
    fen = (game.last("move") or game.last("start") or {})["fen"]
    return chess.move(fen, [str(one) for one in bodies])


def play_hand(game: Game, bodies: Bodies) -> Any:
    """The least bet, no insurance, basic strategy."""
    if "hit" not in bodies:
        return "decline" if "decline" in bodies else bodies[0]
    deal = game.last("deal") or {}
    own = [body for body in game.since("deal") if body.get("player") == game.me]
    shown = [body for body in own if body.get("type") == "hand"]
    hand = shown[-1] if shown else deal["hands"][game.me]
    if shown and hand["action"] == "split":  # both halves are shown, and the first is played first
        hand = shown[-2]
    return blackjack.move(hand["cards"], deal["dealer"][0], bodies)


def bid(game: Game, bodies: Bodies) -> str:
    """What the lot is worth to us where the second price is paid, else half of it, which is best
    between two; nothing below the reserve."""
    worth = game.mine("worth")[-1]["worth"]
    amount = worth if game.params.get("price") == "second" else worth // 2
    amount = min(amount, game.params.get("limit") or amount)
    return f"bid {amount}" if amount >= game.params.get("reserve", 0) else "pass"


def limit(game: Game, bodies: Bodies) -> str:
    """A limit that leaves room for a deal: from our end of the range up to its middle."""
    low, high = game.params.get("low", 1), game.params.get("high", 100)
    part = secrets.randbelow((high - low) // 2 + 1)
    parties = (game.last("start") or {})["parties"]
    return f"limit {low + part if parties['seller'] == game.me else high - part}"


def letter(game: Game, bodies: Bodies) -> Any:
    """The letter that English words have most often."""
    return min(bodies, key=lambda one: LETTERS.find(str(one)) % (len(LETTERS) + 1))


@dataclass(frozen=True)
class Strategy:
    """How one preset is played."""

    level: str  #: how well, in words that follow "It"
    choose: Choose = by_chance
    gives_up: str = "resign"  #: what the referee calls it
    avoids: frozenset[str] = frozenset()  #: what is expected, too, and would end the game
    #: params -> why the house does not play with them
    unfit: Callable[[Params], str | None] = lambda params: None


def _real(*names: str) -> Callable[[Params], str | None]:
    """Refuse what would be about something real."""

    def unfit(params: Params) -> str | None:
        if any(params.get(name) is not None for name in names):
            return "the house owns nothing, so it plays only for points: without " + " and ".join(
                names
            )
        return None

    return unfit


STRATEGIES: Mapping[str, Strategy] = {
    "AuctionBot": Strategy("bids honestly", bid, "pass", frozenset({"pass"}), _real("item")),
    "BetBot": Strategy(
        "calls by chance",
        gives_up="concede",
        avoids=frozenset({"decline"}),
        unfit=_real("claim", "stake"),
    ),
    "BlackjackBot": Strategy("plays basic strategy with the least bets", play_hand),
    "ChessBot": Strategy("looks one move ahead: a beginner", move),
    "CoinBot": Strategy("calls by chance", gives_up="concede"),
    "ConnectFourBot": Strategy("looks two moves ahead", drop),
    "DealBot": Strategy(
        "names a limit by chance", limit, "cancel", frozenset({"cancel"}), _real("item")
    ),
    "GuessBot": Strategy("guesses the middle of what is left", guess, "concede"),
    "RockPaperScissorsBot": Strategy("throws by chance"),
    "TicTacToeBot": Strategy("never loses", mark),
    "TriviaBot": Strategy("answers by chance", avoids=frozenset({"pass"})),
    "WordBot": Strategy("says the commonest letters", letter),
}
_NOT_SO = "the house has no "
NOT_PLAYED: Mapping[str, str] = {
    "JudgeBot": _NOT_SO + "terms to agree on with you",
    "MemoryExchangeBot": _NOT_SO + "memory to ask for",
    "PriceBot": _NOT_SO + "opinion of prices",
    "TLSBot": _NOT_SO + "certificate to compare",
}
