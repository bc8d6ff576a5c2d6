"""Every random number a referee can get, each asked of the host, which makes and counts it.
``ctx.random``, the modules ``random``, ``secrets`` and ``uuid`` and whatever libraries draw by
themselves (boundaries, nonces) take blocks of one numbered stream (`transcript/drbg.py`), so
whoever knows the hook's key can repeat them; this process does not. Never CPython's own algorithms
where the result decides a game: those are not promised from one version to the next.
"""

from __future__ import annotations

import base64
import hmac
import itertools
import os
import random
import uuid
from bisect import bisect
from collections.abc import Callable
from typing import Any

from mcp_multiplayer.sandbox.hostcalls.dice import AT_ONCE, BLOCKS, LOT, SINGLY
from mcp_multiplayer.sandbox.language.libm import Settling
from mcp_multiplayer.transcript.drbg import SIZE, scale, unit


class DrawLimit(Exception):
    """The hook drew more often, or more, than it may."""


class Rng(Settling):
    """The stream as a ``random.Random``; distributions such as gauss are inherited."""

    def __init__(self, take: Callable[[int], bytes]) -> None:
        """``take``: so many blocks of the hook's stream, from whoever has its key."""
        self._take = take
        self._calls = self._told = 0
        self._left = b""  # of the last lot
        super().__init__()

    def _draw(self, blocks: int) -> list[bytes]:
        """The next blocks: one call, one question to the host, at first."""
        self._calls += 1
        missing = blocks - len(self._left) // SIZE
        if missing > BLOCKS - self._told:
            raise DrawLimit(
                f"a hook may draw {BLOCKS} blocks of 32 bytes, one for each number; "
                "random.Random(seed) draws none"
            )
        lot = LOT if self._calls > SINGLY else 1
        while missing > 0:
            asked = min(max(missing, lot), AT_ONCE, BLOCKS - self._told)
            self._left += self._take(asked)
            self._told, missing = self._told + asked, missing - asked
        end = max(0, blocks) * SIZE
        drawn, self._left = self._left[:end], self._left[end:]
        return [drawn[at : at + SIZE] for at in range(0, end, SIZE)]

    def seed(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing: a referee cannot choose its own dice."""

    def getstate(self) -> Any:
        """There is none here: the host has it."""
        raise NotImplementedError("the room's dice have no state to be had")

    def setstate(self, state: Any) -> None:
        """As `getstate`."""
        self.getstate()

    def random(self) -> float:
        """From 0 up to, not including, 1."""
        return unit(self._draw(1)[0])

    def below(self, n: int) -> int:
        """A whole number from 0 to n - 1."""
        if n < 1:
            raise ValueError("empty range to draw from")
        if n <= 1 << 64:
            return scale(self._draw(1)[0], n)
        return int.from_bytes(self.take(n.bit_length() // 8 + 16), "big") % n

    def take(self, n: int) -> bytes:
        """n random bytes."""
        return b"".join(self._draw(-(-n // SIZE)))[: max(0, n)]

    def getrandbits(self, k: int) -> int:
        """A whole number of k random bits."""
        if k < 0:
            raise ValueError("number of bits must be non-negative")
        return int.from_bytes(self.take(-(-k // 8)), "big") >> (-k % 8)

    def randbytes(self, n: int) -> bytes:
        """n random bytes."""
        return self.take(n)

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        """One of range(start, stop, step)."""
        if stop is None:
            start, stop = 0, start
        numbers = range(start, stop, step)  # checks the arguments; its len() knows no large ones
        count = max(0, (stop - start + step - (1 if step > 0 else -1)) // step)
        return numbers[self.below(count)]

    def randint(self, a: int, b: int) -> int:
        """A whole number from a to b, both included."""
        return a + self.below(b - a + 1)

    def choice(self, seq: Any) -> Any:
        """One item of a sequence."""
        if not len(seq):
            raise IndexError("cannot choose from an empty sequence")
        return seq[self.below(len(seq))]

    def choices(
        self, population: Any, weights: Any = None, *, cum_weights: Any = None, k: int = 1
    ) -> list[Any]:
        """k items, any of them several times; in one call."""
        if weights is not None and cum_weights is not None:
            raise TypeError("Cannot specify both weights and cumulative weights")
        if not len(population):
            raise IndexError("cannot choose from an empty sequence")
        if weights is None and cum_weights is None:
            return [population[scale(drawn, len(population))] for drawn in self._draw(k)]
        sums = list(itertools.accumulate(weights) if cum_weights is None else cum_weights)
        if len(sums) != len(population):
            raise ValueError("The number of weights does not match the population")
        if not 0.0 < sums[-1] < float("inf"):
            raise ValueError("Total of weights must be greater than zero and finite")
        last = len(sums) - 1
        places = (bisect(sums, unit(drawn) * sums[-1], 0, last) for drawn in self._draw(k))
        return [population[place] for place in places]

    def shuffle(self, x: Any) -> None:
        """Reorder a list in place: Fisher-Yates from the top, a draw for each item but one."""
        tops = range(len(x) - 1, 0, -1)
        for i, drawn in zip(tops, self._draw(len(tops)), strict=True):
            j = scale(drawn, i + 1)
            x[i], x[j] = x[j], x[i]

    def sample(self, population: Any, k: int, *, counts: Any = None) -> list[Any]:
        """k different items: the first k of a shuffle from the bottom."""
        pool = list(population)
        if counts is not None:
            pool = [item for item, n in zip(pool, counts, strict=True) for _ in range(n)]
        if not 0 <= k <= len(pool):
            raise ValueError("sample larger than population or negative")
        for i, drawn in enumerate(self._draw(k)):
            j = i + scale(drawn, len(pool) - i)
            pool[i], pool[j] = pool[j], pool[i]
        return pool[:k]


class Seeded(Settling):
    """A generator of the author's own, which repeats itself and draws nothing."""

    def seed(self, a: Any = None, version: int = 2) -> None:
        """Begin anew; without a seed, with one that is a draw."""
        super().seed(_running[0].take(SIZE) if a is None and _running else a, version)


# --- what libraries draw by themselves ------------------------------------------------------------

#: The dice of the hook that runs in this process, for whoever asks the machine for chance.
_running: list[Rng] = []
_hidden: Any = random.seed.__self__  # type: ignore[attr-defined]  # behind the functions of `random`


def govern_libraries(chance: Rng | None) -> None:
    """From here on all that libraries draw is a draw of this hook; None: of the machine again."""
    _running[:] = [] if chance is None else [chance]


def stand_ins() -> dict[Any, Any]:
    """What a library may have taken hold of, with what does the same by the hook's dice."""
    found: dict[Any, Any] = {os.urandom: _standing_in(os.urandom, "take")}
    for name in random.__all__:
        real = getattr(random, name)
        if getattr(real, "__self__", None) is _hidden:
            found[real] = _standing_in(real, name)
    return found


def _standing_in(real: Any, name: str) -> Any:
    def drawn(*args: Any, **kwargs: Any) -> Any:
        return (getattr(_running[0], name) if _running else real)(*args, **kwargs)

    return drawn


# --- what a bot imports ---------------------------------------------------------------------------

CONTEXT = ("random", "randint", "randrange", "choice", "shuffle", "sample")
_RANDOM = (
    *CONTEXT,
    "betavariate",
    "choices",
    "expovariate",
    "gammavariate",
    "gauss",
    "getrandbits",
    "lognormvariate",
    "normalvariate",
    "paretovariate",
    "randbytes",
    "seed",
    "triangular",
    "uniform",
    "vonmisesvariate",
    "weibullvariate",
)


def random_names(chance: Rng) -> dict[str, Any]:
    """The ``random`` module of a bot."""

    def generator(seed: Any = None) -> random.Random:
        """``Random(7)`` repeats itself as its author wants; ``Random()`` is the room's dice."""
        return chance if seed is None else Seeded(seed)

    names = {name: getattr(chance, name) for name in _RANDOM}
    return names | {"Random": generator, "SystemRandom": lambda *_: chance}


def secrets_names(chance: Rng) -> dict[str, Any]:
    """The ``secrets`` module of a bot: drawn from the key, secret until it is revealed."""

    def token_urlsafe(nbytes: int | None = None) -> str:
        return base64.urlsafe_b64encode(chance.take(nbytes or 32)).rstrip(b"=").decode()

    return {
        "choice": chance.choice,
        "randbelow": chance.below,
        "randbits": chance.getrandbits,
        "token_bytes": lambda nbytes=None: chance.take(32 if nbytes is None else nbytes),
        "token_hex": lambda nbytes=None: chance.take(32 if nbytes is None else nbytes).hex(),
        "token_urlsafe": token_urlsafe,
        "compare_digest": hmac.compare_digest,
        "SystemRandom": lambda *_: chance,
    }


def uuid_names(chance: Rng) -> dict[str, Any]:
    """What ``uuid`` draws."""
    return {"uuid4": lambda: uuid.UUID(bytes=chance.take(16), version=4)}
