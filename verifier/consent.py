"""Whether the terms changed under somebody who was not asked. Changes with who must be asked.

On the other side is a server that writes one account under two seats: then nobody else sits
there to be asked, and it may put another referee into the middle of a game. Which account holds a
seat is its word; only who sits there knows.
"""

from __future__ import annotations

from collections.abc import Collection

from engine.channel.events import Admin, Attach, Change, Detach
from verifier.findings import Findings
from verifier.heads import Heads
from verifier.walk import Walked


def judge(walked: Walked, heads: Heads, findings: Findings, sure: Collection[str]) -> None:
    """Add an `I_CONSENT` for a change with which nobody was asked; ``sure`` are labels of those who
    confirm all that stands under their names."""
    for step in heads.log.steps:
        first = step[0].index
        happened = [heads.events[line.index] for line in step]
        touches = any(isinstance(event, Attach | Detach | Admin) for event in happened)
        if not first or not touches or any(isinstance(event, Change) for event in happened):
            continue
        here = walked.channels[first - 1].players
        if len(here) > 1 and not set(here) <= set(sure):
            text = (
                f"the terms changed without consent: {', '.join(here)} are said to be one account, "
                "and only they know"
            )
            findings.add("I_CONSENT", text, first)
