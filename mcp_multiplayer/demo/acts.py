"""The acts of scripts/demo: what each server does, what is played, what has to be found out. Each
act is a pair of processes of its own and ends in the verifier, which runs in a process of its own
on what the players have kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp_multiplayer.config import Settings
from mcp_multiplayer.demo import history, players, verdict
from mcp_multiplayer.demo.pair import SERVER, Pair
from mcp_multiplayer.demo.players import Game
from mcp_multiplayer.demo.plot import ALICES_NUMBER, BOBS_NUMBER, HIGH, SAID
from mcp_multiplayer.demo.verdict import Verdict

Play = Callable[[Game, Pair], Awaitable[str]]
CHEAT = "mcp_multiplayer.demo.server"
#: What `Pair` sets by itself.
KEPT = {"PROXY_PORT", "MCP_PORT", "DATA_DIR", "RATE_LIMIT", "BOT_EGRESS"}


@dataclass(frozen=True)
class Act:
    """``cheat``: the module that replaces a piece of the server, if any does. ``deed``: what the
    server does, for people. ``code``: what the verifier must find; none in an honest game."""

    name: str
    title: str
    deed: str
    play: Play
    code: str = ""
    cheat: str = ""
    high: int = HIGH


@dataclass(frozen=True)
class Outcome:
    """What came of an act."""

    act: Act
    story: str  #: what was to be seen at the table
    verdict: Verdict
    unconfirmed: list[str] = field(default_factory=list)  #: players who do not stand by their words

    @property
    def as_expected(self) -> bool:
        if not self.act.code:
            return self.verdict.exit == 0
        return self.verdict.exit == 1 and self.act.code in self.verdict.codes


@contextmanager
def serving(act: Act, directory: Path) -> Iterator[Pair]:
    """The pair of an act, on its way up. What the environment says of other servers is not its."""
    names = {name.upper() for name in Settings.model_fields} - KEPT
    unset: dict[str, Any] = dict.fromkeys(names, "")
    if act.cheat:
        pair = Pair(directory, server=CHEAT, CHEAT=act.cheat, **unset)
    else:
        pair = Pair(directory, **unset)
    try:
        pair.launch()
        yield pair
    finally:
        pair.stop()


def perform(act: Act, pair: Pair) -> Outcome:
    """Wait for the pair, play, and have the verifier judge. Leaves its files in the directory."""
    pair.wait()
    return asyncio.run(_perform(act, pair))


async def _perform(act: Act, pair: Pair) -> Outcome:
    async with players.seated(pair.base, pair.directory, act.high) as game:
        story = await act.play(game, pair)
        both = (game.alice, game.bob)
        for player in both:
            await player.look()
        files = [await game.download(player) for player in both]
    confirmed = [p.name for p, file in zip(both, files, strict=True) if p.confirms(file)]
    found = await verdict.ask(game, files[1], confirmed, pair.directory)
    return Outcome(act, story, found, [p.name for p in both if p.name not in confirmed])


# What is played


async def to_the_end(game: Game, pair: Pair) -> str:
    return f"{await players.halve(game)}."


async def alice_hits(game: Game, pair: Pair) -> str:
    result = await game.alice.guess(ALICES_NUMBER)
    return f"alice guesses {ALICES_NUMBER}, one of {HIGH:,} numbers: {result}."


async def both_guess(game: Game, pair: Pair) -> str:
    """Alice, bob, alice, then bob gives up."""
    story = await _two_guesses(game)
    await _bob_gives_up(game)
    return story


async def _two_guesses(game: Game) -> str:
    await game.alice.guess(ALICES_NUMBER)
    result = await game.bob.guess(BOBS_NUMBER)
    return f"bob guesses {BOBS_NUMBER} and is told: {result}."


async def _bob_gives_up(game: Game) -> None:
    await game.bob.say("concede")


async def bob_speaks(game: Game, pair: Pair) -> str:
    """Bob says something, and the game goes on."""
    words = "I am in for 5, not for 50"
    await game.bob.say(words)
    await game.alice.guess(ALICES_NUMBER)
    await _bob_gives_up(game)
    return f'bob says "{words}" and is told that this stands in the log.'


async def a_word_after(game: Game, pair: Pair) -> str:
    await _two_guesses(game)
    await _bob_gives_up(game)
    await game.alice.say(SAID)
    last = (await game.bob.look())["messages"][-1]["body"]
    return f'alice writes "{SAID}". bob reads "{last["text"]}".'


async def an_old_database(game: Game, pair: Pair) -> str:
    """Bob's guess is lost with the database that knew of it; then the game goes on."""
    data = pair.directory / "data"
    before = pair.directory / "before.db"

    def restore() -> None:
        for file in data.glob("channels.db*"):
            file.unlink()
        history.copy(before, data / "channels.db")
        (data / "signed-heads").unlink()

    await game.alice.guess(ALICES_NUMBER)
    await asyncio.to_thread(history.copy, data / "channels.db", before)
    result = await game.bob.guess(BOBS_NUMBER)
    await asyncio.to_thread(pair.kill, SERVER, restore)
    await asyncio.to_thread(pair.wait)
    await game.bob.say("concede")
    return f"bob guesses {BOBS_NUMBER} and is told: {result}. Later the room knows nothing of it."


HONEST = Act(
    "honest",
    "An honest server",
    "The product as it is. alice and bob each give a random word to the dice when they sit down.",
    to_the_end,
    high=100,
)
CHEATS = (
    Act(
        "other_dice",
        "It rigs the number",
        "The number follows from a seed whose hash the server announced before anybody joined, and "
        "from what both players gave. This server draws from dice of its own, tried until the "
        "number is the one its friend alice will guess. What the referee commits to and reveals "
        "agrees with it.",
        alice_hits,
        "E_RUN_RNG",
        "other_dice",
    ),
    Act(
        "other_code",
        "It runs other code than it shows",
        "Both players have read GuessBot's source; its hash is in the log. What this server runs "
        "is a copy with one more line, which says what the number is.",
        alice_hits,
        "E_RUN_OUT",
        "other_code",
    ),
    Act(
        "rewritten_word",
        "It rewrites a word",
        "When bob has guessed and has been told that this stands in the log, the server goes back "
        "to before, posts another guess in his name, lets the true referee judge it, and signs.",
        both_guess,
        "E_FORK",
        "rewritten_word",
    ),
    Act(
        "dropped_word",
        "It drops a word",
        "The same, but nothing is put in its place.",
        bob_speaks,
        "E_FORK",
        "dropped_word",
    ),
    Act(
        "two_logs",
        "It shows two logs",
        "The server keeps two logs of one room, and each player reads another. Each of the two is "
        "complete, in order and signed.",
        a_word_after,
        "E_FORK",
        "two_logs",
    ),
    Act(
        "swapped_entropy",
        "It swaps what bob gave to the dice",
        "Seed, code and dice are those announced. But in the place of bob's random word stands "
        "another, which this server chose so that the number is the one alice will guess. Only "
        "bob can know.",
        alice_hits,
        "E_GAVE",
        "swapped_entropy",
    ),
    Act(
        "lying_answers",
        "It says other words than it writes down",
        "There is one log, all in it is true, and both players have its heads. But bob is told "
        "high for low and low for high. Answers are not signed: only bob can know it.",
        both_guess,
        "E_SHOWN",
        "lying_answers",
    ),
    Act(
        "other_seed",
        "It reveals another seed",
        "The game is honest, but the seed that comes out at its end is not the one whose hash was "
        "announced. Who may choose it afterwards may have chosen the dice before.",
        both_guess,
        "E_SEED",
        "other_seed",
    ),
    Act(
        "old_database",
        "It restores a backup and says nothing",
        "No code is changed here: the operator stops the server, puts an older database back, "
        "deletes the record of what was signed since, and starts again.",
        an_old_database,
        "E_FORK",
    ),
)
#: Not found out and not believed: the verifier cannot know, and does not say PROVEN.
OPEN = (Act("feigned_failure", "", "", both_guess, cheat="feigned_failure"),)
#: Found out, and too much like another to be shown.
UNSHOWN = (Act("false_runtime", "", "", alice_hits, "E_RUN_RNG", "false_runtime"),)
