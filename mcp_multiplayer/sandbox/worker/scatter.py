"""Objects that lie elsewhere in each process. A bot that looks where they lie (the order of a set
of its own functions) comes to something else from run to run; this is how it is found out, on the
server and by whoever verifies a record.

New objects lie in the holes of what was let go. The zygote leaves the same holes to all its
workers, and what prepares a hook leaves more of them, so it is not enough to disturb memory once:
a lot of pieces is kept in which one takes another's place, at random, many times before a bot's
code runs and once at every tick while it runs. What all hooks have in common (functions of
libraries) lies where it lay in the zygote, which may do the same while it loads them.
"""

from __future__ import annotations

import itertools
import operator
import os
import struct
import sys
from collections import deque
from collections.abc import Iterator

#: Pieces are cut from one of these. A list of two, besides itself, takes the 16 bytes of an
#: ``object()``.
_BYTES, _LIST = bytes(512), [None, None]
#: The interpreter keeps objects of up to 512 bytes, of each 16 bytes apart; two in five pieces are
#: of the sizes that functions, methods and functions of C have.
_CUTS = [
    (_BYTES, slice(0, size - sys.getsizeof(b"")))
    for size in (*range(48, 528, 16), *(64, 80, 160) * 8)
] + [(_LIST, slice(0, 2))] * 10
_PIECES = 1024
#: Larger ones (classes among them) lie where the C library puts them; at most so many of each size.
_LARGE = range(512, 2048, 16)
_MOST_LARGE = 8
_BEFORE = 1024  #: moves before a bot's code runs

_kept: list[object] = []
#: One move each, without end; None where objects may lie as they fall.
moves: Iterator[object] | None = None


def begin() -> None:
    """Have the objects of this process lie elsewhere than in any other, from here on."""
    global moves
    drawn = os.urandom(len(_LARGE))
    # Not bytes(size), which takes from calloc what malloc has kept for the next of that size.
    _keep_half(
        [b"." * size for size, n in zip(_LARGE, drawn, strict=True) for _ in range(n % _MOST_LARGE)]
    )
    cuts = [_CUTS[n % len(_CUTS)] for n in os.urandom(_PIECES - 1)]  # so no round is the last one
    pieces: list[object] = [one[cut] for one, cut in cuts]
    places = struct.unpack(f"{_PIECES}H", os.urandom(2 * _PIECES))
    # Iterators and functions of C: neither a frame nor a call that would make the stack deeper.
    moves = map(
        operator.setitem,
        itertools.repeat(pieces),
        itertools.cycle([n % len(pieces) for n in places]),
        itertools.starmap(operator.getitem, itertools.cycle(cuts)),
    )


def move() -> None:
    """Before a bot's code runs: whatever was prepared for it left its holes."""
    if moves is not None:
        deque(itertools.islice(moves, _BEFORE), maxlen=0)


def begin_loading() -> None:
    """Have whatever is loaded lie elsewhere than in any other process, until `loaded`."""
    begin()
    assert moves is not None
    more = moves

    def move_one(*_: object) -> None:
        next(more)

    sys.settrace(move_one)  # at every call of a function


def loaded() -> None:
    """Everything has been loaded that is."""
    sys.settrace(None)


def _keep_half(made: list[object]) -> None:
    _kept.extend(one for one, n in zip(made, os.urandom(len(made)), strict=True) if n & 1)
