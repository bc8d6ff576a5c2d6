"""scripts/demo: an honest game, then servers that cheat, and what the verifier says of each. The
reader watches it for the first time.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from mcp_multiplayer.client import Failed
from mcp_multiplayer.demo import acts
from mcp_multiplayer.demo.acts import Act, Outcome
from mcp_multiplayer.demo.verdict import Json

WIDTH = 100
INTRODUCTION = """\
Two scripted agents, alice and bob, play a guessing game over MCP: once on an honest server, then \
on servers that cheat. Each server is a real process. After the game bob downloads the record, and \
the verifier judges it in a process of its own, without network. It also gets what the two have \
kept: bob's invite, what each gave to the dice and was shown, and from every answer the line \
"log:" and its signature."""
END = "All cheats were found out, and the honest server was accused of nothing."
AMISS = "Not as it should be: {}."


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__.split("\n")[0])
    parser.add_argument("--directory", type=Path, help="where evidence is left (a new directory)")
    wish = parser.parse_args()
    directory = wish.directory or Path(tempfile.mkdtemp(prefix="mpx-demo-"))
    try:
        amiss = show((acts.HONEST, *acts.CHEATS), directory.absolute())
    except KeyboardInterrupt:
        sys.exit(130)
    except (AssertionError, OSError, RuntimeError, Failed) as error:
        sys.exit(f"The demonstration cannot go on: {error}")
    sys.exit(1 if amiss else 0)


def show(programme: tuple[Act, ...], directory: Path) -> list[str]:
    """Perform the acts, one after the other; return the names of those that went otherwise."""
    began, amiss = time.monotonic(), []
    say(INTRODUCTION)
    for number, outcome in enumerate(performed(programme, directory), 1):
        tell(number, outcome, directory / outcome.act.name)
        if not outcome.as_expected:
            amiss.append(outcome.act.title)
    print()
    say(AMISS.format("; ".join(amiss)) if amiss else END)
    say(f"{time.monotonic() - began:.0f} seconds. Records and evidence: {directory}")
    return amiss


def performed(programme: tuple[Act, ...], directory: Path) -> Iterator[Outcome]:
    """Each act's outcome. The next server starts while one act is on: that takes longest."""
    with ExitStack() as waiting:
        coming = [(act, directory / act.name) for act in programme]
        pair = waiting.enter_context(acts.serving(*coming[0]))
        for place, (act, own) in enumerate(coming):
            with waiting.pop_all():
                if place + 1 < len(coming):
                    following = waiting.enter_context(acts.serving(*coming[place + 1]))
                outcome = acts.perform(act, pair)
            shutil.rmtree(own / "data")
            (own / "tokens.json").unlink()
            yield outcome
            pair = following


def tell(number: int, outcome: Outcome, directory: Path) -> None:
    act = outcome.act
    print(f"\n{number}. {act.title}")
    say(act.deed)
    say(outcome.story)
    for name in outcome.unconfirmed:
        say(f"That is not what {name} said and did: {name} does not confirm the record.")
    print(f"   The verifier (exit {outcome.verdict.exit}):")
    for line in outcome.verdict.violated or outcome.verdict.lines:
        print(verdict_line(line["state"], line["line"], reason(outcome, line)))
    if not outcome.as_expected:
        wanted = act.code or "no violation"
        say(f"THIS IS NOT WHAT WAS EXPECTED ({wanted}). Findings: {sorted(outcome.verdict.codes)}")
    if outcome.verdict.evidence:
        print(f"   Evidence: {directory / 'evidence'}")
        print(
            textwrap.indent(textwrap.fill(" ".join(outcome.verdict.evidence), WIDTH - 13), " " * 13)
        )


def reason(outcome: Outcome, line: Json) -> str:
    """The verifier's words. Of several findings one that is proof by itself: a line that somebody
    typed may be mistyped, the signed head is not."""
    found = [one for one in outcome.verdict.broken if line["line"] in one["lines"]]
    if not found:
        return str(line["reason"])
    best = min(found, key=lambda one: "mistyped" in one["text"])
    place = "" if best["entry"] is None else f"entry {best['entry']}: "
    return f"{best['code']}: {place}{best['text']}"


def verdict_line(state: str, line: str, words: str) -> str:
    head = f"     {state:<12}{line:<14}"
    return textwrap.fill(words, WIDTH, initial_indent=head, subsequent_indent=" " * 10)


def say(text: str) -> None:
    print(textwrap.fill(text, WIDTH, initial_indent="   ", subsequent_indent="   "), flush=True)


if __name__ == "__main__":
    main()
