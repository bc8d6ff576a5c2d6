"""Clocks that had run out when something else was written down.

On the other side is a server that lets its friend think longer than the referee allows: a `tick`
that is missing looks like a clock that never ran out. An honest server that is busy or down may be
late, so nobody is accused.
"""

from __future__ import annotations

from mcp_multiplayer.verifier.findings import Findings
from mcp_multiplayer.verifier.parse_log import Log
from mcp_multiplayer.verifier.replay_log import Walked

SLACK = 5_000  #: ms that a busy server may be late
_RINGS = ("tick", "abort", "restored")


def judge(walked: Walked, log: Log, findings: Findings) -> None:
    """Add an `I_LATE` for each clock that did not ring before what came after its time."""
    for line, before in zip(log.lines[1:], walked.channels, strict=False):
        entry, clock = line.entry or {}, before.timer
        if clock is None or "ts" not in entry or entry["t"] in _RINGS:
            continue
        late = line.ts - clock.due
        if late > SLACK:
            text = (
                f"clock {clock.name} of bot {clock.bot} had run out {late / 1000:.0f} s before, "
                "and the server did not let it ring"
            )
            findings.once("I_LATE", f"{clock}", text, line.index)
