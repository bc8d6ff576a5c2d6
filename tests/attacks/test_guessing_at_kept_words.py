"""A seller's lowest price has few possible values: whoever has the record of a game that is over
tries them all against the digests in it. Stopped by keys that no seed tells (`Signing._blinding`)
and by salts of the members' own words."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from mcp_multiplayer.channel import invite_codes
from mcp_multiplayer.transcript import seeds
from tests.verifier.games import Bundle, Game, Table, table

pytestmark = pytest.mark.asyncio(loop_scope="module")

REFEREE = """
MANIFEST = {"sealed": "SEALED", "label": "deal"}
class Deal:
    def on_message(self, msg):
        text = msg["body"]["text"]
        if text == "end":
            self.ctx.end({"winners": [], "reason": str(self.ctx.random.randint(1, 6))})
        else:
            self.ctx.set_state({"price": int(text)})
            self.ctx.post("bot", {"price": int(text)}, to=[msg["sender"]])
            self.ctx.post("bot", {"heard": True}, private={"price": int(text)}, to=[msg["sender"]])
"""
PRICE = 140


async def over(server: Table, sealed: str) -> Game:
    game = await (await server.open(code=REFEREE.replace("SEALED", sealed))).seated()
    await game.say("alice", str(PRICE), ["bot:deal"])
    await game.say("bob", "end")
    return game


def guessed(file: Bundle) -> set[str]:
    """What of alice's price the record lets one find by trying: which digests have it in them."""
    (reveal,) = file.of("reveal")
    seed = base64.urlsafe_b64decode(reveal["seed"] + "=")
    origin, bot = file.entries[0]["origin"], seeds.bot_name("deal", 1)
    run = next(run for run in file.of("run") if len(run["out"]) == 2)
    whole, parts = run["out"]
    k_state = seeds.part(seed, "state", origin, bot, 0)
    k_priv = seeds.part(seed, "priv", origin, bot, 0)
    found: set[str] = set()
    for price in range(1000):
        body: dict[str, Any] = {"price": price}
        if seeds.blind(k_state, body) == run["st"][1]:
            found.add(f"the state holds {price}")
        if invite_codes.seal(seeds.salt(k_priv, run["on"], 0, ""), body) == whole["d"]:
            found.add(f"the post holds {price}")
        salt = seeds.salt(k_priv, run["on"], 1, "price")
        if invite_codes.seal_value(salt, "price", price) in parts["b"]["_sd"]:
            found.add(f"the value is {price}")
    return found


async def test_with_the_seed_a_price_that_is_opened_anyway_is_found_by_trying() -> None:
    """That the attack is one: it works where nothing is kept."""
    async with table() as server:
        game = await over(server, "opened")
        assert guessed(game.bundle("bob")) == {
            f"the state holds {PRICE}",
            f"the post holds {PRICE}",
            f"the value is {PRICE}",
        }


async def test_with_the_seed_a_price_that_is_kept_is_not_found() -> None:
    async with table() as server:
        game = await over(server, "kept")
        file = game.bundle("bob")
        assert guessed(file) == set()
        assert str(PRICE) not in str(file.members())
