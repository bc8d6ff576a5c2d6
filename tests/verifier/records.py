"""Finished games for forgers: one of each kind, played as its seed says.

Each kind has what some attacks need: sealed moves, opened and withheld commitments, clocks,
answers of the network, several epochs, changes by consent. All are honest, and over.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from mcp_multiplayer.channel.identifiers import slot_specs
from mcp_multiplayer.sandbox.host.fair_queue import Owner
from mcp_multiplayer.service.bot_manager import BotSpec
from mcp_multiplayer.service.log_keys import LogKey
from mcp_multiplayer.transcript.seeds import commit_member
from tests.harness import BOTS_DIR
from tests.verifier.games import KEY, Bundle
from tests.verifier.matches import PRESETS, Match, World
from tests.verifier.wild import NETTED

NEXT = LogKey(b"n" * 32)


async def opened(
    house: World, rng: random.Random, *, seats: tuple[str, ...] = ("alice", "bob"), **spec: Any
) -> Match:
    slots = slot_specs(tuple(f"invite:{seat}" for seat in seats), max_seats=32)
    bot = await house.bots.prepare(BotSpec(**spec), owner=Owner("A"))
    room, invites = await house.channels.create_channel(
        "A", host="mp.example", name=f"game {rng.random()}", slots=slots, bots=[bot]
    )
    return Match(house, room, dict(invites), rng=rng)


def _words(game: Match, who: str) -> str:
    return f"{who} says {game.rng.getrandbits(96):024x}"


async def _promised(game: Match, who: str) -> str:
    value = _words(game, who)
    slot = game.room.channel.seat(who)
    assert slot is not None
    await game.sit(who, f"commit:{commit_member(game.room.channel.origin, slot.id, value)}")
    return value


async def guess(house: World, rng: random.Random) -> Bundle:
    """GuessBot, which draws once; alice gives up."""
    while True:  # until nobody hits the number by chance
        game = await opened(house, rng, preset="GuessBot")
        for who in ("alice", "bob"):
            await game.sit(who, _words(game, who))
        for _ in range(rng.randint(2, 4)):
            for who in ("alice", "bob"):
                await game.speak(who, f"guess {rng.randint(1, 100)}")
        if game.room.channel.status == "playing":
            break
    await game.speak("bob", f"hello {rng.random()}")
    await game.speak("alice", "concede")
    return game.bundle()


async def coin(house: World, rng: random.Random) -> Bundle:
    """CoinBot twice: bob promises his words and opens them; calls are sealed; a clock runs out."""
    game = await opened(house, rng, preset="CoinBot", params={"seconds": 30})
    await game.sit("alice", _words(game, "alice"))
    value = await _promised(game, "bob")
    await game.sit("bob", value)
    for who in ("alice", "bob"):
        await game.speak(who, rng.choice(("heads", "tails")), ["bot:coin"])
    for who in ("alice", "bob"):
        await game.speak(who, "rematch")
    await game.speak("bob", "psst", ["alice"])
    await game.speak("alice", rng.choice(("heads", "tails")), ["bot:coin"])
    await game.ring()
    return game.bundle("bob")


async def late(house: World, rng: random.Random) -> Bundle:
    """As coin, but carol keeps her promise and bob does not."""
    game = await opened(house, rng, seats=("alice", "bob", "carol"), preset="CoinBot")
    await game.sit("alice", _words(game, "alice"))
    await _promised(game, "bob")
    value = await _promised(game, "carol")
    await game.sit("carol", value)
    await game.ring()
    for who in ("alice", "bob", "carol"):
        await game.speak(who, rng.choice(("heads", "tails")))
    return game.bundle("carol")


async def wild(house: World, rng: random.Random) -> Bundle:
    """A referee that fails, deals in private, asks the network, starts clocks; twice over."""
    game = await opened(house, rng, code=NETTED)
    await game.sit("alice", _words(game, "alice"))
    await game.sit("bob", _words(game, "bob"))
    script = ["fail", "spin", "draw", "open", "fetch", "secure", "timer", "turn"]
    rng.shuffle(script)
    for word in script:
        await game.speak(rng.choice(("alice", "bob")), word)
    await game.speak("bob", "sealed", ["bot:wild-bot"])
    await game.ring()
    await game.speak("alice", "end")
    await game.speak("bob", "draw")
    await game.speak("bob", "turn")
    await game.speak("bob", "sealed", ["bot:wild-bot"])
    await game.leave("alice")
    await game.speak("bob", "end")
    return game.bundle("bob")


async def change(house: World, rng: random.Random) -> Bundle:
    """Referees come and go by consent, seats change hands, the key rotates; bob closes it."""
    game = await opened(house, rng, seats=("alice:admin", "bob", "carol"), preset="CoinBot")
    for who in ("alice", "bob", "carol"):
        await game.sit(who, _words(game, who))
    code = (BOTS_DIR / "guess_bot.py").read_text()
    for op in (
        {"op": "attach_bot", "bot_code": code},
        {"op": "set_admin", "player_id": "bob", "admin": True},
        {"op": "set_bot", "bot_id": "coin", "bot_code": code},
    ):
        spec = BotSpec(code=code) if "bot_code" in op else None
        await game.change("alice", op, spec=spec)
        await game.speak("bob", f"let me think {rng.random()}")
        assert game.room.channel.proposal
        terms = game.room.channel.proposal.terms
        for who in ("bob", "carol"):
            await game.change(who, {"op": "accept_change", "terms": terms})
    game.accounts["carol"] = "E"
    await game.sit("carol", None)
    await game.change("bob", {"op": "yield_slot", "player_id": "carol"})
    assert game.room.channel.proposal
    terms = game.room.channel.proposal.terms
    await game.change("alice", {"op": "accept_change", "terms": terms})
    await game.leave("alice")
    await game.change(
        "bob", {"op": "reissue_invite", "player_id": "alice"}, {"op": "rename", "name": "alone"}
    )
    await _rotated(game)
    await game.speak("bob", "alone at last")
    await game.change("bob", {"op": "close"})
    file = game.bundle("bob")
    house.keys = (KEY,)
    house.restart()
    return file


async def _rotated(game: Match) -> None:
    game.world.keys = (NEXT, KEY)
    await game.crash()


Play = Callable[[World, random.Random], Coroutine[Any, Any, Bundle]]
KINDS: dict[str, Play] = {
    "guess": guess,
    "coin": coin,
    "late": late,
    "wild": wild,
    "change": change,
}


async def shipped(house: World, preset: str, rng: random.Random) -> Bundle:
    """A short game of a referee that is shipped, closed so that all of it can be proven."""
    game = await opened(house, rng, preset="TLSBot" if preset == "TlsBot" else preset)
    for who in ("alice", "bob"):
        await game.sit(who, f"{who} says {rng.getrandbits(96):024x}")
    for _ in range(6):
        word = rng.choice(PRESETS[preset]).replace("#", str(rng.randint(1, 100)))
        await game._quietly(game.speak(rng.choice(("alice", "bob")), word))
    for who in ("alice", "bob"):
        await game._quietly(game.leave(who))
    return game.bundle("bob")


async def games(house: World, seeds: Sequence[int]) -> dict[str, Bundle]:
    """The games of these seeds: of every kind there is, one after the other."""
    found = {}
    names = [*KINDS, *PRESETS]
    for seed in seeds:
        name, rng = names[seed % len(names)], random.Random(f"elsewhere {seed}")
        play = KINDS[name](house, rng) if name in KINDS else shipped(house, name, rng)
        found[f"{seed:05}-{name}"] = await play
    return found
