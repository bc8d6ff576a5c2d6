"""How the house plays on grids: tic-tac-toe perfectly, connect four two plies deep. Boards are what
the referees post: a list of "X", "O" and "", from the top left.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from functools import cache

Board = tuple[str, ...]

ROWS = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))
WIDTH, HEIGHT = 7, 6
WIN = 10_000
#: What a window of four is worth that holds so many discs of one side and none of the other.
WORTH = (0, 1, 5, 25, WIN)


def other(mark: str) -> str:
    """The mark of the other side."""
    return "O" if mark == "X" else "X"


def placed(board: Board, at: int, mark: str) -> Board:
    """The board with one more mark."""
    return (*board[:at], mark, *board[at + 1 :])


# Tic-tac-toe


def square(board: Sequence[str], mark: str) -> int:
    """The best square, 0 to 8, for ``mark``, whose turn it is; one of them where several are."""
    now = tuple(board)
    free = [at for at in range(9) if not now[at]]
    worth = {at: -value(placed(now, at, mark), other(mark)) for at in free}
    return secrets.choice([at for at in free if worth[at] == max(worth.values())])


@cache  # 5,478 boards can arise
def value(board: Board, mark: str) -> int:
    """1 if ``mark``, whose turn it is, wins against every defence, 0 for a draw, else -1."""
    if any(all(board[at] == other(mark) for at in row) for row in ROWS):
        return -1
    free = [at for at in range(9) if not board[at]]
    return max((-value(placed(board, at, mark), other(mark)) for at in free), default=0)


# Connect four


def column(board: Sequence[str], mark: str) -> int:
    """The best column, 0 to 6, by what stands there after it and after the best reply."""
    now = tuple(board)
    worth = {}
    for at in columns(now):
        after = placed(now, landing(now, at), mark)
        worth[at] = worth_of(after, mark)
        if not is_four(after, mark):
            replies = [
                worth_of(placed(after, landing(after, one), other(mark)), mark)
                for one in columns(after)
            ]
            worth[at] = min(replies, default=0)
    return secrets.choice([at for at, one in worth.items() if one == max(worth.values())])


def columns(board: Board) -> list[int]:
    """Those that are not full."""
    return [at for at in range(WIDTH) if not board[at]]


def landing(board: Board, at: int) -> int:
    """Where a disc comes to lie."""
    return max(place for place in range(at, len(board), WIDTH) if not board[place])


@cache
def windows() -> tuple[tuple[int, ...], ...]:
    """Every four places in a line."""
    return tuple(_windows())


def _windows() -> Iterator[tuple[int, ...]]:
    for row in range(HEIGHT):
        for start in range(WIDTH):
            for across, down in ((1, 0), (0, 1), (1, 1), (-1, 1)):
                if 0 <= start + 3 * across < WIDTH and row + 3 * down < HEIGHT:
                    yield tuple(
                        (row + step * down) * WIDTH + start + step * across for step in range(4)
                    )


def is_four(board: Board, mark: str) -> bool:
    """Whether four of this side lie in a line."""
    return any(all(board[at] == mark for at in four) for four in windows())


def worth_of(board: Board, mark: str) -> int:
    """How well the board stands for ``mark``."""
    total = 0
    for four in windows():
        lying = [board[at] for at in four]
        own, others = lying.count(mark), lying.count(other(mark))
        if not others:
            total += WORTH[own]
        elif not own:
            total -= WORTH[others]
    return total
