"""Does a seat win more often? Plays a referee with everybody choosing at random.

scripts/fairness bots/guess_bot.py --games 200
scripts/fairness my_bot.py --games 50 --params '{"high": 10}'

The games are rooms as try_bot has them, with the seats of the referee's manifest; each game the
players sit one seat further. They choose at random among what the turn expects, so what is left
is the game's own slant and the referee's. A referee below bots/ runs in this process, for speed;
any other in the sandbox, where the network is as BOT_EGRESS says. A move is one of a list, of
words with | between, of `guess N, 1 to 100`, or {"body": one of these}. What cannot be
played is said at once: a hook that fails, a turn that nobody can choose for, moves that change
nothing.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any, cast

from mcp_multiplayer.config import bots_dir
from mcp_multiplayer.edge.api.try_bot.events import Event
from mcp_multiplayer.edge.api.try_bot.runner import Step, Trial
from mcp_multiplayer.errors import InvalidRequest
from mcp_multiplayer.sandbox.call import Failed, HookCall, HookResult
from mcp_multiplayer.sandbox.executor import Executor
from mcp_multiplayer.service.bot_manager import Bot, BotSpec, default_slots
from mcp_multiplayer.workshop.sandbox_room import Workshop, run, workshop
from mcp_multiplayer.workshop.table import Plain

MOVES = 5_000  #: a game that is not over by then is left
RINGS = 1_000  #: clocks that may run out in one game
#: So many moves in a row that change nothing are more than bad luck; when they are slow, fewer.
VAIN, SLOW_VAIN, SLOW_SECONDS = 100, 10, 6.0
QUIET_SECONDS = 5.0  #: the longest that nothing is told
RANGE = re.compile(r"(?P<words>.*)\bN\b.*?(?P<low>-?\d+) to (?P<high>-?\d+)", re.DOTALL)


class Here:
    """The sandbox's place for our own referees: this process, without walls."""

    def __init__(self, pool: Executor) -> None:
        self.limits, self.isolation = pool.limits, pool.isolation
        self._plain = Plain()

    async def run(self, call: HookCall, **_: Any) -> HookResult:
        try:
            return await self._plain.run(call)
        except Exception as error:  # noqa: BLE001 the referee's own fault, told as the sandbox would
            return Failed(type(error).__name__, text=str(error))


def normal(tests: int = 1) -> float:
    """Within so many standard deviations lie 95 %, of several intervals together (Bonferroni)."""
    return NormalDist().inv_cdf(1 - 0.025 / tests)


def wilson(wins: int, games: int, tests: int = 1) -> tuple[float, float]:
    """The 95 % interval of a rate that was seen as ``wins`` of ``games`` (Wilson 1927)."""
    if not games:
        return 0.0, 1.0
    z = normal(tests)
    rate, spread = wins / games, z * z / games
    centre = (rate + spread / 2) / (1 + spread)
    half = z * (rate * (1 - rate) / games + spread / games / 4) ** 0.5 / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def choose(expect: Any, chance: random.Random) -> Any:
    """A body that the turn expects."""
    if isinstance(expect, Mapping) and "body" in expect:
        return choose(expect["body"], chance)
    if isinstance(expect, list) and expect:
        return chance.choice(expect)
    if isinstance(expect, str) and (found := RANGE.match(expect)):
        number = chance.randint(int(found["low"]), int(found["high"]))
        return f"{found['words']}{number}"
    if isinstance(expect, str) and "|" in expect:
        return chance.choice([word.strip() for word in expect.split("|")])
    raise InvalidRequest(
        f"nobody could choose from this expect: {json.dumps(expect)[:200]}",
        hint='A list of bodies, {"body": […]}, "heads | tails" or "guess N, 1 to 9".',
    )


def unplayable(text: str, hint: str = "Try it first: mcp-multiplayer run-bot.") -> InvalidRequest:
    return InvalidRequest(text, hint=hint)


@dataclass
class Told:
    """Says where the games are, when nothing else has been said for a while."""

    games: int
    number: int = 0
    moves: int = 0
    ended: int = 0
    at: float = 0.0

    def tick(self) -> None:
        now = time.monotonic()
        if now - (self.at or now) >= QUIET_SECONDS:
            text = f"game {self.number + 1} of {self.games}, move {self.moves}; ended: {self.ended}"
            print(text, file=sys.stderr, flush=True)
            self.at = now
        self.at = self.at or now


class Game:
    """One room, from the first who joins to the end."""

    def __init__(self, trial: Trial, chance: random.Random, told: Told) -> None:
        self._trial, self._chance, self._told = trial, chance, told
        self._vain, self._since = 0, 0.0

    async def play(self) -> list[str] | None:
        """Who has won, or None when it went on for too long."""
        self._held(self._trial.opening)
        for seat in self._trial.seats:
            await self._do({"join": seat}, "join", seat)
        self._told.moves = 0
        while self._told.moves < MOVES:
            self._told.tick()
            now = self._trial.tried([])
            if now.result is not None:
                return [str(name) for name in now.result["winners"]]
            if now.turn and now.turn["players"]:
                await self._move(now.turn)
            elif now.clocks:
                soonest = min(clock["seconds"] for clock in now.clocks)
                await self._do({"wait": max(0.001, soonest)}, "wait")
            else:
                raise unplayable(
                    f"after {self._told.moves} moves nobody is to move and no clock runs",
                    "Chance plays by ctx.set_turn(players, expect=…): it says whose turn it is.",
                )
        return None

    async def _move(self, turn: Mapping[str, Any]) -> None:
        body = choose(turn["expect"], self._chance)
        who = self._chance.choice(turn["players"])
        asked = {"say": body, "as": who} | ({"to": turn["to"]} if "to" in turn else {})
        before = self._state()
        started = time.monotonic()
        step = await self._do(asked, "say", who)
        self._told.moves += 1
        if self._state() != before:
            self._vain = 0
            return
        self._since = self._since if self._vain else started
        self._vain += 1
        slow = self._vain >= SLOW_VAIN and time.monotonic() - self._since > SLOW_SECONDS
        if self._vain >= VAIN or slow:
            answer = json.dumps(step.posts[-1]["body"]) if step.posts else "nothing"
            raise unplayable(
                f"{self._vain} moves in a row changed nothing. The last: {json.dumps(asked)[:300]};"
                f" the referee said {answer[:300]}",
                "What a turn expects must be what the referee takes.",
            )

    def _state(self) -> Any:
        now = self._trial.tried([])
        return now.state, now.turn, now.result

    async def _do(self, asked: Mapping[str, Any], kind: str, who: str = "") -> Step:
        return self._held(await self._trial.do(Event(asked, kind, who)))

    def _held(self, step: Step) -> Step:
        """The step, unless the room refused it or a hook failed."""
        if step.refused:
            raise unplayable(f"{json.dumps(step.event.asked)[:300]} was refused: {step.refused}")
        for ran in step.ran:
            if ran.error:
                where = ran.hook if ran.line is None else f"{ran.hook}, line {ran.line}"
                raise unplayable(f"{where}: {ran.text or ran.error}")
        return step


async def play(
    shop: Workshop, bot: Bot, options: argparse.Namespace
) -> tuple[Counter[str], float, list[str]]:
    """All games: who has won, by seat and by name; how many moves a game took; the names."""
    names = [slot.split(":")[1] for slot in default_slots(bot)[1:]]
    counts, moves, told = Counter[str](), 0, Told(options.games)
    for number in range(options.games):
        told.number = number
        at = number % len(names)
        seats = names[at:] + names[:at]
        chance = random.Random(f"{options.seed} {number}")
        trial = Trial(shop.bots, bot, seats, limits=shop.limits, rings=RINGS, mint=chance.randbytes)
        async with trial:
            winners = await Game(trial, chance, told).play()
        if winners is None:
            counts["unfinished"] += 1
            if not told.ended:
                raise unplayable(f"a game of {MOVES} moves did not end", "Give it an end: ctx.end.")
            continue
        told.ended += 1
        moves += told.moves
        counts["finished"] += 1
        if len(winners) == 1 and winners[0] in seats:
            counts[f"seat {seats.index(winners[0])}"] += 1
            counts[f"name {winners[0]}"] += 1
        else:
            counts["undecided"] += 1
    return counts, moves / max(1, counts["finished"]), names


def report(counts: Counter[str], moves: float, names: list[str]) -> list[str]:
    """The rates with their intervals, and what they say."""
    seats = [counts[f"seat {n}"] for n in range(len(names))]
    told = [f"seat {n + 1}  {_rate(won, counts['finished'])}" for n, won in enumerate(seats)]
    by_name = ", ".join(f"{name} {counts[f'name {name}']}" for name in names)
    told.append(
        f"nobody or several {counts['undecided']}, not ended {counts['unfinished']}, "
        f"{moves:.1f} moves a game; won by name: {by_name}"
    )
    decided = sum(seats)
    if not decided or len(seats) < 2:
        return [*told, "no game was decided between seats: nothing to compare"]
    tests = len(seats) if len(seats) > 2 else 1  # of two seats one interval says it for both
    slanted = [n for n, won in enumerate(seats) if not _holds(won, decided, len(seats), tests)]
    if not slanted:
        return [*told, f"even: no seat's share of {decided} decided games differs from the others'"]
    return [
        *told,
        *(
            f"NOT EVEN: of the decided games seat {n + 1} {_rate(seats[n], decided, tests)}"
            for n in slanted
        ),
    ]


def _holds(won: int, decided: int, seats: int, tests: int) -> bool:
    low, high = wilson(won, decided, tests)
    return low <= 1 / seats <= high


def _rate(wins: int, games: int, tests: int = 1) -> str:
    low, high = wilson(wins, games, tests)
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
    own = bots_dir() in options.file.resolve().parents
    async with workshop() as shop:
        bot = await shop.bots.prepare(BotSpec(code=source, params=options.params))
        if own:
            shop.bots.pool = cast(Executor, Here(shop.bots.pool))
        shop.bots.second = None  # try_bot and rooms say whether it is deterministic
        where = "in this process, without walls: a file below bots/" if own else "in the sandbox"
        print(f"{bot.new.name}: {options.games} games at random, seats moved on, {where}")
        sys.stdout.flush()
        counts, moves, names = await play(shop, bot, options)
    print("\n".join(report(counts, moves, names)))
    return 0


def start() -> None:
    """Run it with the arguments of the command line; ends the process."""
    run(main)
