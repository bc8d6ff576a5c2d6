"""`python -m benchmarks`: run scenarios, print ratios, write them down.

python -m benchmarks                     all of them, about six minutes
python -m benchmarks post delivery       these
python -m benchmarks --seconds 1 post    shorter runs, less steady figures
python -m benchmarks --json out.json     where to write (default: benchmarks/results/)
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks.check import check
from benchmarks.delivery import delivery
from benchmarks.eras import ERAS
from benchmarks.history import history
from benchmarks.idle import idle
from benchmarks.posting import echo, post, referee, turn
from benchmarks.stage import Json, Stage, stage
from benchmarks.watch import watch
from mcp_multiplayer.edge.serve import raise_descriptor_limit

SCENARIOS: dict[str, Callable[[Stage], Awaitable[list[Json]]]] = {
    "check": check,
    "post": post,
    "turn": turn,
    "echo": echo,
    "referee": referee,
    "history": history,
    "delivery": delivery,
    "idle": idle,
    "watch": watch,
}
CLIENTS = (1, 8, 32)
RESULTS = Path(__file__).parent / "results"


async def measure(chosen: argparse.Namespace) -> dict[str, list[Json]]:
    found = {}
    for name in chosen.scenarios or SCENARIOS:
        async with stage(chosen.seconds, chosen.eras, chosen.clients) as prepared:
            print(f"{name}:", flush=True)
            found[name] = await SCENARIOS[name](prepared)
        for line in found[name]:
            print("  " + "  ".join(_shown(line)), flush=True)
    return found


def _shown(line: Json) -> list[str]:
    """Figures in one line; what a server's rate comes to is spelt out in the JSON."""
    shown = []
    for name, value in line.items():
        if isinstance(value, dict):
            shown.append(
                f"{name} {value['per_second']:.0f}/s p50 {value['p50']:.1f} p99 {value['p99']:.1f}"
                f" cpu {value['cpu']:.2f} ms"
            )
        else:
            shown.append(f"{name} {value:.2f}" if isinstance(value, float) else f"{name} {value}")
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="benchmarks", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("scenarios", nargs="*", metavar="|".join(SCENARIOS), help="default: all")
    parser.add_argument("--seconds", type=float, default=3.0, help="of one run (default 3)")
    parser.add_argument("--eras", nargs="+", choices=ERAS, default=ERAS)
    parser.add_argument("--clients", nargs="+", type=int, default=CLIENTS)
    parser.add_argument("--json", type=Path, default=None)
    chosen = parser.parse_args()
    if unknown := [name for name in chosen.scenarios if name not in SCENARIOS]:
        parser.error(f"no scenario is called {unknown[0]}; there are {', '.join(SCENARIOS)}")
    raise_descriptor_limit()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # not without ending the servers
    with asyncio.Runner(loop_factory=_loop()) as runner:
        found = runner.run(measure(chosen))
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    path: Path = chosen.json or RESULTS / f"{stamp}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"at": stamp, "seconds": chosen.seconds, **found}, indent=1))
    print(f"written to {path}")


def _loop() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


if __name__ == "__main__":
    main()
