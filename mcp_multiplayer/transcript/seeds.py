"""Where dice come from: commitments, a bot's chain of seeds, and the keys made of both. On the
other side is a server that would like other dice: every word that enters a hash is fixed before the
last member has spoken, and nothing the server chooses later enters `epoch_key`. A bot is named by
`bot_name`, so two attaches of one bot never share a key.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from typing import Any, Literal

from mcp_multiplayer.transcript.canonical_json import canonical
from mcp_multiplayer.transcript.entries import b64u

SEEDS = 1024  #: epochs of one bot; the seed of the last is the root of its chain
SEED_LENGTH = 32


def bot_name(bot_id: str, nth: int) -> str:
    """Name the bot of the ``nth`` attach entry of its log, counted from 1."""
    return f"{bot_id}@{nth}"


def chain_seed(root: bytes, epoch: int) -> bytes:
    """Return the seed of ``epoch`` in the chain whose last seed is ``root``."""
    if not 0 <= epoch < SEEDS:
        raise ValueError(f"a chain has the epochs 0 to {SEEDS - 1}")
    seed = _seed(root)
    for _ in range(SEEDS - 1 - epoch):
        seed = _before(seed)
    return seed


def follows(earlier: bytes, later: bytes) -> bool:
    """Tell whether ``later`` is the seed of the epoch right after ``earlier``'s."""
    return len(later) == SEED_LENGTH and hmac.compare_digest(_before(later), earlier)


def commit_seed(origin: str, bot: str, epoch: int, seed: bytes) -> str:
    """Return what binds the server to ``seed`` before anybody has spoken."""
    text = f"mpx/seed/1\n{origin}\n{bot}\n{epoch}\n".encode()
    return b64u(hashlib.sha256(text + _seed(seed)).digest())


def commit_member(origin: str, slot: str, value: str, bot: str = "*", epoch: int = 0) -> str:
    """Return what a member sends ahead of its ``value``. One value counts for all bots."""
    text = f"mpx/entropy/1\n{origin}\n{bot}\n{epoch}\n{slot}\n{value}"
    return b64u(hashlib.sha256(text.encode()).digest())


def epoch_key(
    seed: bytes, origin: str, bot: str, epoch: int, values: Iterable[tuple[str, str]]
) -> bytes:
    """Return K, from which all draws of one epoch follow. ``values`` are (slot, value) pairs
    in any order, one for a slot; they are sorted by slot as text ("s10" before "s2")."""
    pairs = sorted(values)
    if len({slot for slot, _ in pairs}) != len(pairs):
        raise ValueError("a slot has two values")
    said = ["mpx/epoch/1", origin, bot, epoch, pairs, None]  # None: a beacon's place
    return hmac.digest(_seed(seed), canonical(said), "sha256")


def kid(key: bytes) -> str:
    """Name K without telling it. A receipt carries the name, so that a wrong K is noticed
    even where its draws happen to come out alike."""
    return b64u(hmac.digest(key, b"mpx/kid/1", "sha256")[:9])


def part(seed: bytes, use: Literal["state", "priv"], origin: str, bot: str, epoch: int) -> bytes:
    """Return the key for blinding states or for salting private words in one epoch."""
    text = f"mpx/{use}/1\n{origin}\n{bot}\n{epoch}"
    return hmac.digest(_seed(seed), text.encode(), "sha256")


def blind(k_state: bytes, state: Any) -> str:
    """Return a state's digest that nobody can guess at without the epoch's seed."""
    return b64u(hmac.digest(k_state, canonical(state), "sha256"))


def salt(k_priv: bytes, on: int, n: int, name: str) -> str:
    """Return the salt of a value called ``name`` in the ``n``-th post to entry ``on``.

    ``name`` is empty for a whole body.
    """
    return b64u(hmac.digest(k_priv, f"{on}/{n}/{name}".encode(), "sha256")[:16])


def _before(seed: bytes) -> bytes:
    return hashlib.sha256(b"mpx/chain/1\n" + seed).digest()


def _seed(seed: bytes) -> bytes:
    if len(seed) != SEED_LENGTH:
        raise ValueError(f"a seed has {SEED_LENGTH} bytes")
    return seed
