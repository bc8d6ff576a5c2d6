"""A seller works out the buyer's limit from the price and the seed of the dice, which comes out at
the end: it plays the deal again with each limit that the buyer may have had. Stopped by a price
that is drawn without looking at the limits (`bots/deal_bot.py`)."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_multiplayer.workshop.table import Plain, Table, source_of

SOURCE = source_of("deal_bot.py")
#: The rule as it first comes to mind.
NAIVE = SOURCE.replace("randint(self.low, self.high)", "randint(least, max(least, most))")
HIGH, LEAST = 30, 8


async def played(source: str, seed: bytes, most: int) -> list[Any]:
    """What everybody reads of a deal: words and result, and how often the dice were used."""
    table = Table(Plain(), source, {"low": 1, "high": HIGH}, seed)
    await table.begin("seller", "buyer")
    await table.say("seller", f"limit {LEAST}", to=True)
    await table.say("buyer", f"limit {most}", to=True)
    return [[post.body for post in table.posts if post.to is None], table.end, table.draws]


async def left(source: str, seed: bytes, most: int) -> tuple[list[int], Any]:
    """The limits of the buyer that agree with what the seller has read, and the outcome."""
    seen = await played(source, seed, most)
    again = [limit for limit in range(1, HIGH + 1) if await played(source, seed, limit) == seen]
    return again, next(body for body in seen[0] if body["type"] == "outcome")


@pytest.mark.parametrize("seed", [b"1", b"2", b"3", b"4"])
async def test_the_seed_leaves_every_limit_on_the_buyers_side_of_the_price(seed: bytes) -> None:
    limits, shown = await left(SOURCE, seed, 24)
    drawn = shown["drawn"]
    if shown["deal"]:
        assert limits == list(range(drawn, HIGH + 1))
    elif drawn >= LEAST:  # it suited the seller
        assert limits == list(range(1, drawn))
    else:
        assert limits == list(range(1, HIGH + 1))


async def test_a_price_drawn_between_the_limits_gives_them_away() -> None:
    assert NAIVE != SOURCE
    found = [await left(NAIVE, seed, 24) for seed in (b"1", b"2", b"3", b"4")]
    assert all(shown["deal"] and 24 in limits for limits, shown in found)
    assert min(len(limits) for limits, _ in found) <= 2
