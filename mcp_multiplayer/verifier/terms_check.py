"""Whether something was changed under somebody who was not asked.

On the other side is a server that writes one account under two seats, or the account that opened
the room under the only one: then nobody is asked, or not everybody, and it may put another referee
into the middle of a game, empty a seat or close the room. Which account holds a seat is its word;
only who sits there knows.
"""

from __future__ import annotations

from collections.abc import Collection

from mcp_multiplayer.channel.events import (
    Accept,
    Admin,
    Ask,
    Attach,
    Change,
    Close,
    Detach,
    Event,
    Propose,
)
from mcp_multiplayer.channel.model import Channel
from mcp_multiplayer.verifier.findings import Findings
from mcp_multiplayer.verifier.heads import Heads
from mcp_multiplayer.verifier.replay_log import Walked


def judge(walked: Walked, heads: Heads, findings: Findings, sure: Collection[str]) -> None:
    """Add an `I_CONSENT` for what takes consent and somebody was not asked; ``sure`` are labels of
    those who confirm all that stands under their names."""
    asked: set[str] = set()  #: seats in whose name the change that waits is agreed to
    opening = len(heads.log.steps[0])
    for step in heads.log.steps:
        first = step[0].index
        happened = [heads.events[line.index] for line in step]
        for event in happened:
            if isinstance(event, Propose):
                asked = {event.slot}
            elif isinstance(event, Accept):
                asked.add(event.slot)
        if not first:
            continue
        before = walked.channels[first - 1]
        if not any(_takes_consent(before, event) for event in happened):
            continue
        agreed = next((one.accepted for one in happened if isinstance(one, Change)), None)
        if agreed is None and _by_operator(happened[0]):
            continue  # who is bound by no consent, and says so: OUTSIDE
        silent = _alone(before, opening) if agreed is None else {*agreed} - asked
        labels = sorted(map(before.label, silent))
        if not set(labels) <= set(sure):
            text = (
                f"something was changed without the consent of {', '.join(labels)}, said to be of "
                "the account that asked for it: only they know"
            )
            findings.add("I_CONSENT", text, first)


def _by_operator(event: Event | None) -> bool:
    return isinstance(event, Ask) and event.by is not None


def _takes_consent(before: Channel, event: Event | None) -> bool:
    """Who leaves by himself, or is said to, has that among his own deeds."""
    if isinstance(event, Close):
        return before.running and len(before.seated) > 1
    return isinstance(event, Attach | Detach | Admin | Change)


def _alone(before: Channel, opening: int) -> set[str]:
    """Who sat there when one account changed the terms by itself. Who opened the room and sat
    down in one request did so; of any other that is to be believed."""
    seated = before.seated
    if len(seated) == 1 and seated[0].since < opening:
        return set()
    return {slot.id for slot in seated}
