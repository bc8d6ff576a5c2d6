"""Every random number a referee can get, drawn from the key it was given.

Changes when bots may draw in a new way. ``ctx.random`` and the modules ``random``,
``secrets`` and ``uuid`` share one numbered stream (`engine/transcript/draws.py`), so
whoever knows the key and the position at
which the hook began can repeat them. Never CPython's own algorithms where the
result decides a game: those are not promised from one version to the next.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import random
import uuid
from typing import Any

from engine.sandbox.libm import Settling
from engine.transcript.draws import Draws

LIBRARIES = b"mpx/libraries/1"


class Chance(Settling):
    """The stream as a ``random.Random``; distributions such as gauss are inherited."""

    _draws: Draws

    def __init__(self, key: bytes, position: int = 0) -> None:
        self._draws = Draws(key, position)
        self._began = position
        super().__init__()

    def seed(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing: a referee cannot choose its own dice."""

    def random(self) -> float:
        """From 0 up to, not including, 1."""
        return self._draws.random()

    def below(self, n: int) -> int:
        """A whole number from 0 to n - 1."""
        if n < 1:
            raise ValueError("empty range to draw from")
        if n <= 1 << 64:
            return self._draws.below(n)
        return int.from_bytes(self.take(n.bit_length() // 8 + 16), "big") % n

    def take(self, n: int) -> bytes:
        """n random bytes."""
        return b"".join(self._draws.take() for _ in range(-(-n // 32)))[:n]

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

    def shuffle(self, x: Any) -> None:
        """Reorder a list in place."""
        self._draws.shuffle(x)

    @property
    def drawn(self) -> int:
        """How many blocks of the stream this hook has used."""
        return self._draws.position - self._began

    def sample(self, population: Any, k: int, *, counts: Any = None) -> list[Any]:
        """k different items: the first k of a shuffle from the bottom."""
        pool = list(population)
        if counts is not None:
            pool = [item for item, n in zip(pool, counts, strict=True) for _ in range(n)]
        if not 0 <= k <= len(pool):
            raise ValueError("sample larger than population or negative")
        for i in range(k):
            j = i + self.below(len(pool) - i)
            pool[i], pool[j] = pool[j], pool[i]
        return pool[:k]


def seed_libraries(key: bytes, position: int) -> None:
    """What libraries draw by themselves (boundaries, nonces) is the same in a replay, too.

    It leaves the room with a request, so it comes from another stream than the dice, and
    says nothing of the key.
    """
    seed = hmac.digest(key, LIBRARIES + position.to_bytes(8, "big"), hashlib.sha256)
    stream = random.Random(seed)
    random.seed(seed)
    os.urandom = stream.randbytes


CONTEXT = ("random", "randint", "randrange", "choice", "shuffle", "sample")
_RANDOM = (*CONTEXT, "betavariate", "choices", "expovariate", "gammavariate", "gauss",
           "getrandbits", "lognormvariate", "normalvariate", "paretovariate", "randbytes", "seed",
           "triangular", "uniform", "vonmisesvariate", "weibullvariate")  # fmt: skip


def random_names(chance: Chance) -> dict[str, Any]:
    """The ``random`` module of a bot."""

    def generator(seed: Any = None) -> random.Random:
        """``Random(7)`` repeats itself as its author wants; ``Random()`` is the room's dice."""
        return chance if seed is None else Settling(seed)

    names = {name: getattr(chance, name) for name in _RANDOM}
    return names | {"Random": generator, "SystemRandom": lambda *_: chance}


def secrets_names(chance: Chance) -> dict[str, Any]:
    """The ``secrets`` module of a bot: drawn from the key, secret until it is revealed."""

    def token_urlsafe(nbytes: int | None = None) -> str:
        return base64.urlsafe_b64encode(chance.take(nbytes or 32)).rstrip(b"=").decode()

    return {
        "choice": chance.choice, "randbelow": chance.below, "randbits": chance.getrandbits,
        "token_bytes": lambda nbytes=None: chance.take(32 if nbytes is None else nbytes),
        "token_hex": lambda nbytes=None: chance.take(32 if nbytes is None else nbytes).hex(),
        "token_urlsafe": token_urlsafe, "compare_digest": hmac.compare_digest,
        "SystemRandom": lambda *_: chance,
    }  # fmt: skip


def uuid_names(chance: Chance) -> dict[str, Any]:
    """What ``uuid`` draws."""
    return {"uuid4": lambda: uuid.UUID(bytes=chance.take(16), version=4)}
