"""The game that the start page shows: one that was played here, by the referee that ships with this
server (`tests/edge/pages/test_example.py` plays it again and compares).

The moves are Morphy's against the Duke of Brunswick and Count Isouard, Paris 1858.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

PRESET = "ChessBot"
WHITE, BLACK = "alice", "bob"
MOVES = (  #: in SAN
    "e4 e5 Nf3 d6 d4 Bg4 dxe5 Bxf3 Qxf3 dxe5 Bc4 Nf6 Qb3 Qe7 Nc3 c6 Bg5 b5 Nxb5 cxb5 Bxb5+ Nbd7"
    " O-O-O Rd8 Rxd7 Rxd7 Rd1 Qe6 Bxd7+ Nxd7 Qb8+ Nxb8 Rd8#"
)
#: What the referee said of the last move, and how the game ended.
FEN = "1n1Rkb1r/p4ppp/4q3/4p1B1/4P3/8/PPP2PPP/2K5 b k - 1 17"
LAST = "d1d8"
RESULT = {"winners": [WHITE], "scores": {WHITE: 1, BLACK: 0}, "reason": "checkmate"}

_FIGURES = {"k": "♚", "q": "♛", "r": "♜", "b": "♝", "n": "♞", "p": "♟"}
_MEN = {"k": "king", "q": "queen", "r": "rook", "b": "bishop", "n": "knight", "p": "pawn"}
_AS_FIGURE = "\ufe0e"  #: and not as a little picture in colours of its own


@dataclass(frozen=True)
class Square:
    """``name``: as a screen reader says it. ``figure`` is empty where nothing stands."""

    name: str
    figure: str
    side: str
    dark: bool
    moved: bool


def board() -> list[list[Square]]:
    """The position, from the eighth rank down."""
    return [list(_rank(8 - row, text)) for row, text in enumerate(FEN.split(" ")[0].split("/"))]


def _rank(number: int, text: str) -> Iterator[Square]:
    pieces = re.sub("[1-8]", lambda blank: " " * int(blank[0]), text)
    for column, piece in enumerate(pieces):
        where = f"{'abcdefgh'[column]}{number}"
        side = "white" if piece.isupper() else "black"
        kind = piece.lower()
        yield Square(
            name=f"{where}: {side} {_MEN[kind]}" if kind in _MEN else f"{where}: empty",
            figure=_FIGURES[kind] + _AS_FIGURE if kind in _FIGURES else "",
            side=side,
            dark=(column + number) % 2 == 1,
            moved=where in (LAST[:2], LAST[2:]),
        )


def last_moves(count: int) -> list[tuple[str, str]]:
    """The last moves with who made them."""
    moves = MOVES.split()
    return [((WHITE, BLACK)[at % 2], move) for at, move in enumerate(moves)][-count:]
