"""How the house plays chess: it takes the move that wins most at once and leaves least hanging. The
referee lists the legal moves, so this knows only how pieces capture: it is no engine, and a move
that it reads wrongly is a bad move and never an illegal one.

Squares count 0 to 63 from a8; White's pieces are capitals, as in FEN.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence

WORTH = {"p": 1.0, "n": 3.0, "b": 3.0, "r": 5.0, "q": 9.0, "k": 100.0, ".": 0.0}
SAN = re.compile(r"([KQRBN]?)([a-h]?)([1-8]?)x?([a-h])([1-8])(?:=([QRBN]))?[+#]?")
KNIGHT = ((1, 2), (2, 1), (2, -1), (1, -2), (-1, -2), (-2, -1), (-2, 1), (-1, 2))
DIAGONAL = ((1, 1), (1, -1), (-1, 1), (-1, -1))
STRAIGHT = ((1, 0), (-1, 0), (0, 1), (0, -1))
LINES = {"b": DIAGONAL, "r": STRAIGHT, "q": DIAGONAL + STRAIGHT}
MATE, CHECK, PAWN, CASTLE, CENTRE = 1000.0, 0.2, 0.15, 0.4, 0.1
AHEAD = 2.0  #: who is so many pawns ahead wants no draw


class Position:
    """A board and whose turn it is."""

    def __init__(self, board: Sequence[str], white: bool) -> None:
        self.board = list(board)
        self.white = white

    @classmethod
    def of_fen(cls, fen: str) -> Position:
        """The position that a FEN describes."""
        places, turn = fen.split()[:2]
        board = re.sub(r"[1-8]", lambda found: "." * int(found[0]), places.replace("/", ""))
        if len(board) != 64:
            raise ValueError(f"no FEN: {fen[:100]}")
        return cls(board, turn == "w")

    def is_own(self, piece: str) -> bool:
        """Whether a piece is of the side that moves."""
        return piece != "." and piece.isupper() == self.white

    def balance(self) -> float:
        """How many pawns the side that moves is ahead."""
        return sum(
            WORTH[piece.lower()] * (1 if self.is_own(piece) else -1)
            for piece in self.board
            if piece.lower() not in ".k"
        )

    def attackers(self, at: int, own: bool) -> Iterator[str]:
        """The pieces, in small letters, of one side that could capture on a square."""
        for start, piece in enumerate(self.board):
            if piece != "." and self.is_own(piece) == own and self.sees(start, at):
                yield piece.lower()

    def sees(self, start: int, at: int) -> bool:
        """Whether the piece on ``start`` attacks a square."""
        kind, white = self.board[start].lower(), self.board[start].isupper()
        down, across = at // 8 - start // 8, at % 8 - start % 8
        if kind == "p":
            return abs(across) == 1 and down == (-1 if white else 1)
        if kind == "n":
            return (across, down) in KNIGHT
        if kind == "k":
            return max(abs(across), abs(down)) == 1
        length = max(abs(across), abs(down))
        if not length or (across % length, down % length) != (0, 0):
            return False
        step = (across // length, down // length)
        between = [start + n * (8 * step[1] + step[0]) for n in range(1, length)]
        return step in LINES[kind] and all(self.board[one] == "." for one in between)

    def after(self, san: str) -> tuple[Position, float]:
        """The position after a move, the same side still to move, and what the move wins."""
        if san.startswith("O-O"):
            return self, CASTLE
        found = SAN.fullmatch(san)
        if not found:
            raise ValueError(f"no move: {san[:20]}")
        kind, file, rank, to_file, to_rank, promotion = found.groups()
        at = "abcdefgh".index(to_file) + 8 * (8 - int(to_rank))
        board = list(self.board)
        start = self._start((kind or "P").lower(), file, rank, at)
        piece, won = board[start], WORTH[board[at].lower()]
        if kind == "" and file and board[at] == ".":  # en passant
            won = WORTH["p"]
            board[start // 8 * 8 + at % 8] = "."
        if promotion:
            won += WORTH[promotion.lower()] - WORTH["p"]
            piece = promotion if self.white else promotion.lower()
        board[start], board[at] = ".", piece
        return Position(board, self.white), won

    def _start(self, kind: str, file: str, rank: str, at: int) -> int:
        """Where a piece comes from; of several that a pin tells apart, any."""
        for start, piece in enumerate(self.board):
            fits = self.is_own(piece) and piece.lower() == kind
            fits = fits and (not file or "abcdefgh"[start % 8] == file)
            fits = fits and (not rank or str(8 - start // 8) == rank)
            if fits and (self.pushes(start, at) if kind == "p" and not file else False):
                return start
            if fits and (kind != "p" or file) and self.sees(start, at):
                return start
        raise ValueError("no piece goes there")

    def pushes(self, start: int, at: int) -> bool:
        """Whether a pawn on ``start`` may go straight on to ``at``."""
        step = -8 if self.white else 8
        if at - start == step:
            return True
        home = start // 8 == (6 if self.white else 1)
        return home and at - start == 2 * step and self.board[start + step] == "."

    def hanging(self) -> float:
        """What the other side could win by one capture."""
        worst = 0.0
        for at, piece in enumerate(self.board):
            if not self.is_own(piece) or piece.lower() == "k":
                continue
            takers = [WORTH[one] for one in self.attackers(at, own=False)]
            if takers:
                guarded = any(self.attackers(at, own=True))
                lost = WORTH[piece.lower()] - (min(takers) if guarded else 0.0)
                worst = max(worst, lost)
        return worst


def move(fen: str, legal: Sequence[str]) -> str:
    """One of the legal moves, in SAN; ``draw`` among them is claimed or accepted by who is not
    ahead."""
    position = Position.of_fen(fen)
    if "draw" in legal and position.balance() < AHEAD:
        return "draw"
    worth = {san: _worth(position, san) for san in legal if san != "draw"}
    best = max(worth.values())
    return secrets.choice([san for san, one in worth.items() if one > best - 0.05])


def _worth(position: Position, san: str) -> float:
    if san.endswith("#"):
        return MATE
    try:
        after, won = position.after(san)
    except ValueError:  # the referee knows better
        return -1.0
    more = CHECK * san.endswith("+") + PAWN * san[0].islower()
    more += CENTRE * bool(re.search("[c-f][4-5]", san)) - 0.5 * (san[0] == "K")
    return won - after.hanging() + more
