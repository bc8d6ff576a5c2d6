"""Which clocks run in a room.

The referees' own, and two of the server's: a seed comes out after so many days, and who does
not open a commitment in time is left behind.

A clock is started by a run, and is over when its tick is written, when a later run of the
same referee says so, or when the referee or the room goes. The clock of a turn is called
``turn`` and belongs to the turn: another turn, none, or the end of the game stops it.
"""

from __future__ import annotations

from mcp_multiplayer.channel.events import Run
from mcp_multiplayer.channel.model import Channel, Timer

TURN = "turn"
MOST = 32  #: clocks of one referee at a time, not counting the turn's
SHORTEST = 1000  #: ms


def due_at(now: int, seconds: float) -> int:
    """When a clock of so many seconds runs out that was started at ``now``, in ms."""
    return now + max(SHORTEST, round(seconds * 1000))


def after_run(channel: Channel, run: Run) -> tuple[Timer, ...]:
    """The clocks that run after ``run``, the first one due first."""
    touched = run.timers or {}
    turn_over = run.turn is not None or run.end is not None
    running = [
        timer
        for timer in channel.timers
        if not (timer.name == TURN and turn_over)
        and not (timer.bot == run.bot and timer.name in touched)
    ]
    running += [Timer(due, run.bot, name) for name, due in touched.items() if due is not None]
    if run.turn is not None and run.turn["players"] and run.end is None:
        deadline = run.turn.get("deadline")
        running += [] if deadline is None else [Timer(deadline, run.bot, TURN)]
    return tuple(sorted(running))


def after_tick(channel: Channel, bot: str, name: str) -> tuple[Timer, ...]:
    return tuple(timer for timer in channel.timers if (timer.bot, timer.name) != (bot, name))


def after_detach(channel: Channel, bot: str, *, turn_over: bool) -> tuple[Timer, ...]:
    return tuple(
        timer
        for timer in channel.timers
        if timer.bot != bot and not (timer.name == TURN and turn_over)
    )


def too_many(channel: Channel, run: Run) -> bool:
    """True when ``run`` would leave its referee with more clocks than it may have."""
    own = [t for t in after_run(channel, run) if t.bot == run.bot and t.name != TURN]
    return len(own) > MOST
