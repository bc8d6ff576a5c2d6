"""Run a referee without a server, in the sandbox of real rooms: scripted, or line by line.

python workshop/run_bot.py my_bot.py --script events.json
python workshop/run_bot.py my_bot.py --seats alice,bob

A script is what try_bot takes: [{"join": "alice"}, {"say": "heads", "as": "alice"}, {"wait": 60},
{"leave": "alice"}]. Without one, lines are read:

alice: guess 50            a message; {"…"} after the colon is an object
alice -> bot:coin: heads   a sealed one
wait 60 · leave alice · state
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Any

from mcp_multiplayer.edge.api.try_bot import report
from mcp_multiplayer.edge.api.try_bot.events import read, read_one
from mcp_multiplayer.edge.api.try_bot.runner import Step, Trial
from mcp_multiplayer.errors import InvalidRequest
from mcp_multiplayer.service.bot_manager import BotSpec, default_slots
from mcp_multiplayer.workshop.sandbox_room import Workshop, run, workshop

RINGS = 100_000  #: clocks that may run out before somebody looks
SAID = re.compile(r"(?P<who>[\w-]+)(?:\s*->\s*(?P<to>[\w:,\s-]+?))?\s*:\s(?P<body>.*)")
DONE = re.compile(r"(?P<kind>wait|leave)\s+(?P<what>\S+)")


def arguments() -> argparse.Namespace:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("file", type=Path, help="the referee's source")
    made.add_argument("--params", type=json.loads, help="the referee's, as JSON")
    made.add_argument("--seats", help="who joins, in this order: alice,bob")
    made.add_argument("--script", type=Path, help="events as a JSON list")
    return made.parse_args()


def show(number: int, step: Step) -> bool:
    """Print what an event led to. True when no hook failed."""
    print("\n".join(report.step_lines(number, step)), flush=True)
    return not any(ran.error for ran in step.ran)


def asked(line: str) -> dict[str, Any]:
    """A line as an event, or `InvalidRequest`."""
    if found := DONE.fullmatch(line):
        what = found["what"]
        if found["kind"] == "leave":
            return {"leave": what}
        return {"wait": float(what) if re.fullmatch(r"\d+(\.\d+)?", what) else what}
    found = SAID.fullmatch(f"{line} " if line.endswith(":") else line)
    if found is None:
        raise InvalidRequest("a line is alice: guess 50, wait 60, leave alice or state", hint="")
    body = found["body"].strip()
    event: dict[str, Any] = {"say": body, "as": found["who"]}
    if body.startswith("{"):
        event["say"] = json.loads(body)
    if found["to"]:
        event["to"] = [name.strip() for name in found["to"].split(",")]
    return event


async def converse(trial: Trial, number: int) -> list[Step]:
    """Read lines until there are no more."""
    steps: list[Step] = []
    while line := await asyncio.to_thread(sys.stdin.readline):
        if line.strip() == "state":
            print("\n".join(report.after(trial.tried(steps))), flush=True)
            continue
        try:
            event = read_one(asked(line.strip()), trial.seated) if line.strip() else None
        except (InvalidRequest, json.JSONDecodeError) as error:
            print(f"  {error}", flush=True)
            continue
        if event is not None:
            steps.append(await trial.do(event))
            show(number + len(steps), steps[-1])
    return steps


async def play(shop: Workshop, options: argparse.Namespace) -> int:
    spec = BotSpec(code=options.file.read_text(encoding="utf-8"), params=options.params)
    bot = await shop.bots.prepare(spec)
    script = json.loads(options.script.read_text()) if options.script else []
    if not isinstance(script, list):
        raise InvalidRequest("a script is a JSON list of events")
    if not any(isinstance(event, dict) and "join" in event for event in script):
        seats = [slot.partition(":")[2] for slot in default_slots(bot)[1:]]
        seats = options.seats.split(",") if options.seats else seats
        script = [*({"join": seat.strip()} for seat in seats), *script]
    events = read(script, most=len(script))
    joined = [event.who for event in events if event.kind == "join"]
    async with Trial(shop.bots, bot, joined, limits=shop.limits, rings=RINGS) as trial:
        steps: list[Step] = []
        good = True
        for event in [None, *events]:
            step = trial.opening if event is None else await trial.do(event)
            steps.append(step)
            good &= show(len(steps) - 1, step)
        if options.script is None:
            steps += await converse(trial, len(events))
        print("\n".join(report.after(trial.tried(steps))))
    return 0 if good else 1


async def main() -> int:
    options = arguments()
    async with workshop() as shop:
        return await play(shop, options)


def start() -> None:
    """Run it with the arguments of the command line; ends the process."""
    run(main)
