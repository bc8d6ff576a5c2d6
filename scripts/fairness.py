"""Does a seat win more often? Plays a referee for two, seats swapped every other game.

scripts/fairness bots/guess_bot.py --games 200
scripts/fairness my_bot.py --games 50 --params '{"high": 10}'

Both players choose at random among what the turn expects, so what is left is the game's own
slant and the referee's. A referee below bots/ runs in this process, for speed; any other in the
sandbox, where the network is as BOT_EGRESS says. A chosen move is one of a list, of words with
| between, or of `guess N, 1 to 100`; an expect that is none of these cannot be played.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from workshop import ROOT, run, workshop

from bot_manager import BotSpec
from engine.errors import InvalidRequest
from engine.sandbox.call import Failed, HookCall, HookResult
from engine.sandbox.pool import Pool
from tests.bots.table import Plain, Runner, Table

MOVES = 5_000  #: a game that is not over by then is left
Z = 1.959964  #: 95 % of a normal distribution lie within so many standard deviations
RANGE = re.compile(r"(?P<words>.*)\bN\b.*?(?P<low>-?\d+) to (?P<high>-?\d+)", re.DOTALL)


class Jailed:
    """The sandbox; a hook that fails ends the games with its line."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def run(self, call: HookCall) -> HookResult:
        result = await self._pool.run(call)
        if isinstance(result, Failed):
            where = call.hook if result.line is None else f"{call.hook}, line {result.line}"
            raise InvalidRequest(f"{where}: {result.text or result.error}", hint="Try it first.")
        return result


def wilson(wins: int, games: int) -> tuple[float, float]:
    """The 95 % interval of a rate that was seen as ``wins`` of ``games`` (Wilson 1927)."""
    if not games:
        return 0.0, 1.0
    rate, spread = wins / games, Z * Z / games
    centre = (rate + spread / 2) / (1 + spread)
    half = Z * math.sqrt(rate * (1 - rate) / games + spread / games / 4) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def choose(expect: Any, chance: random.Random) -> tuple[Any, list[str] | None]:
    """A body that the turn expects, and to whom it goes."""
    if isinstance(expect, Mapping) and "body" in expect:
        body, _ = choose(expect["body"], chance)
        return body, expect.get("to")
    if isinstance(expect, list) and expect:
        return chance.choice(expect), None
    if isinstance(expect, str) and (found := RANGE.match(expect)):
        number = chance.randint(int(found["low"]), int(found["high"]))
        return f"{found['words']}{number}", None
    if isinstance(expect, str) and "|" in expect:
        return chance.choice([word.strip() for word in expect.split("|")]), None
    raise InvalidRequest(
        f"nobody could choose from this expect: {json.dumps(expect)[:200]}",
        hint='A list of bodies, {"body": […], "to": […]}, "heads | tails" or "guess N, 1 to 9".',
    )


async def game(table: Table, seats: tuple[str, str], chance: random.Random) -> int | None:
    """Play once. The moves it took, or None when it did not end."""
    await table.begin(*seats)
    for moves in range(MOVES):
        if table.end is not None:
            return moves
        if not table.movers:
            return None
        body, to = choose(table.expect, chance)
        await table.say(chance.choice(table.movers), body, to)
    return None


async def play(
    runner: Runner, source: str, label: str, options: argparse.Namespace
) -> tuple[Counter[str], float]:
    """All games: who has won, by seat and by name, and how many moves a game took."""
    chance, counts, moves = random.Random(options.seed), Counter[str](), 0
    for number in range(options.games):
        seats = ("alice", "bob") if number % 2 == 0 else ("bob", "alice")
        seed = f"{options.seed} {number}".encode()
        table = Table(runner, source, dict(options.params), seed, label, now=time.time())
        took = await game(table, seats, chance)
        winners = [] if table.end is None else list(table.end["winners"])
        if took is None:
            counts["unfinished"] += 1
            continue
        moves += took
        counts["finished"] += 1
        if len(winners) == 1 and winners[0] in seats:
            counts[f"seat {seats.index(winners[0])}"] += 1
            counts[winners[0]] += 1
        else:
            counts["undecided"] += 1
    return counts, moves / max(1, counts["finished"])


def report(counts: Counter[str], moves: float) -> list[str]:
    """The rates with their intervals, and what they say."""
    finished, decided = counts["finished"], counts["seat 0"] + counts["seat 1"]
    told = [
        f"{seat}  {_rate(counts[f'seat {n}'], finished)}"
        for n, seat in enumerate(("first seat ", "second seat"))
    ]
    told.append(
        f"nobody or both {counts['undecided']}, not ended {counts['unfinished']}, "
        f"{moves:.1f} moves a game; alice won {counts['alice']}, bob {counts['bob']}"
    )
    if not decided:
        return [*told, "no game was decided: nothing to compare"]
    low, high = wilson(counts["seat 0"], decided)
    even = "even" if low <= 0.5 <= high else "NOT EVEN"
    return [
        *told,
        f"{even}: of the decided games the first seat {_rate(counts['seat 0'], decided)}",
    ]


def _rate(wins: int, games: int) -> str:
    low, high = wilson(wins, games)
    rate = wins / games if games else 0.0
    return f"won {wins} of {games}: {rate:.1%} (95 %: {low:.1%} to {high:.1%})"


def arguments() -> argparse.Namespace:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("file", type=Path, help="the referee's source")
    made.add_argument("--games", type=int, default=200)
    made.add_argument("--params", type=json.loads, default={}, help="the referee's, as JSON")
    made.add_argument("--seed", default="1", help="another one plays other games")
    return made.parse_args()


async def main() -> int:
    options = arguments()
    source = options.file.read_text(encoding="utf-8")
    own = (ROOT / "bots") in options.file.resolve().parents
    async with AsyncExitStack() as stack:
        shop = await stack.enter_async_context(workshop())
        bot = await shop.bots.prepare(BotSpec(code=source, params=options.params))
        runner: Runner = Plain() if own else Jailed(shop.bots.pool)
        where = "in this process, without walls: a file below bots/" if own else "in the sandbox"
        print(f"{bot.new.name}: {options.games} games at random, seats swapped, {where}")
        counts, moves = await play(runner, source, bot.new.label, options)
    print("\n".join(report(counts, moves)))
    return 0


if __name__ == "__main__":
    run(main)
