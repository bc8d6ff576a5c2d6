"""What a referee commits to cannot be opened by trying with all that is public."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from mcp_multiplayer.workshop.table import Plain, Table, source_of

BOTS = [
    "guess_bot",
    "blackjack_bot",
    "coin_bot",
    "rock_paper_scissors_bot",
    "trivia_bot",
    "auction_bot",
    "word_bot",
]
CARDS = [rank + suit for rank in "23456789TJQKA" for suit in "SHDC"]
SECRETS = [*map(str, range(1, 1001)), *CARDS, "heads", "tails", "rock", "paper", "scissors"]
SECRETS += Plain().space(source_of("word_bot.py"))["WORDS"]
WEAK = """
import hashlib
MANIFEST = {"name": "WeakBot", "seats": ["alice", "bob"]}
class WeakBot:
    def __init__(self, ctx, params):
        self.ctx = ctx
    def on_start(self):
        target = self.ctx.random.randint(1, 100)
        digest = hashlib.sha256((str(target) + self.ctx.players[0]).encode()).hexdigest()
        self.ctx.post("bot", {"type": "commitment", "commitment_hash": digest})
        self.ctx.set_turn(self.ctx.players[:1])
"""


def digests(public: str) -> set[str]:
    """Everything in it that may be a SHA-256, as hex."""
    found = set(re.findall(r"\b[0-9a-f]{64}\b", public))
    for text in re.findall(r"\b[A-Za-z0-9_-]{43}\b", public):
        found.add(base64.urlsafe_b64decode(text + "=").hex())
    return found


def words(value: Any) -> Iterator[str]:
    """All scalars that were said, as somebody might use them for a salt."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from words(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from words(inner)
    else:
        yield str(value)


def opened(table: Table) -> list[tuple[str, str]]:
    """(secret, salt) of every commitment that trying opens."""
    bodies = [dict(post.body) for post in table.posts if post.to is None]
    wanted = digests(json.dumps(bodies))
    salts = {"", *words(bodies), *words(table.params), *table.players, table.bot_id, "0" * 32}
    code_hash = hashlib.sha256(table.source.encode()).hexdigest()
    salts |= {str(int(table.now)), str(table.now), code_hash}
    return [
        (secret, salt)
        for secret in SECRETS
        for salt in salts
        for text in (secret + salt, salt + secret, json.dumps([salt, secret]))
        if hashlib.sha256(text.encode()).hexdigest() in wanted
    ]


async def started(source: str, seed: int) -> Table:
    table = Table(Plain(), source, {}, seed=str(seed).encode())
    await table.begin("alice", "bob")
    assert table.end is None
    return table


@pytest.mark.parametrize("name", BOTS)
async def test_trying_opens_no_commitment(name: str) -> None:
    for seed in range(5):
        assert opened(await started(source_of(f"{name}.py"), seed)) == []


async def test_trying_opens_a_weak_one() -> None:
    ((secret, salt),) = opened(await started(WEAK, 1))
    assert (1 <= int(secret) <= 100, salt) == (True, "alice")
