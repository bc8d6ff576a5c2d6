"""What stands in a log under a member's name besides messages, for its author to confirm. Nobody
signs as a member, so a server can write that somebody gave this to the dice, agreed or left, and
let everything else follow from it honestly: only that member knows better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from mcp_multiplayer.channel.events import (
    Accept,
    Ask,
    Entropy,
    Event,
    Join,
    Leave,
    Open,
    Propose,
    Takeover,
    Unseal,
)
from mcp_multiplayer.channel.model import Channel
from mcp_multiplayer.transcript import seeds
from mcp_multiplayer.verifier.findings import Findings

#: Entry, seat, value, commitment.
_Gift: TypeAlias = tuple[int, str, str | None, str | None]


@dataclass(frozen=True)
class Deed:
    """One entry in a member's name."""

    entry: int
    text: str


def of(events: Sequence[Event | None], channels: Sequence[Channel]) -> dict[str, list[Deed]]:
    """Return what each label did. ``channels`` are the states after each entry."""
    found: dict[str, list[Deed]] = {}
    for entry, (event, channel) in enumerate(zip(events, channels, strict=False)):
        done = _text(event)
        if done and channel.slot(done[0]).plays:  # a spectator brings nothing about
            slot, text = done
            text += _shared(event, channel)
            found.setdefault(channel.label(slot), []).append(Deed(entry, text))
    return found


def _text(event: Event | None) -> tuple[str, str] | None:
    match event:
        case Join(slot, terms=terms, entropy=value, commit=promise):
            given = _dice(value, promise)
            return slot, f"sat down on the terms {terms}" + (f" and {given}" if given else "")
        case Entropy(slot, value, promise):
            return slot, _dice(value, promise)
        case Open(slot, value):
            return slot, _dice(value, None)
        case Takeover(slot):
            return slot, "came back under another login"
        case Leave(slot, deleted):
            return slot, "left: the account was deleted" if deleted else "left, or was asked to"
        case Propose(slot, terms=terms):
            return slot, f"proposed a change: {terms}"
        case Ask(ops, _, slot) if slot is not None:
            return slot, f"asked for {', '.join(map(_asked, ops))}"
        case Accept(slot, terms=terms):
            return slot, f"agreed to a change: {terms}"
        case Unseal(slot, bot):
            return slot, f"agreed to open what was said to bot:{bot} in private"
        case _:
            return None


def _asked(op: Mapping[str, Any]) -> str:
    """``yield_slot bob``: an op and all that its member can tell it by."""
    about = [str(op[name]) for name in ("player_id", "bot_id", "name", "admin") if name in op]
    return " ".join([op["op"], *about, *([op["bot"]["code_hash"]] if "bot" in op else [])])


def _shared(event: Event | None, channel: Channel) -> str:
    """Under one account nobody is asked for consent to the other's changes."""
    if not isinstance(event, Join | Takeover):
        return ""
    others = [s.label for s in channel.seats_of(event.who) if s.id != event.slot]
    return f", under the same account as {' and '.join(others)}" if others else ""


def _dice(value: str | None, promise: str | None) -> str:
    if value is not None:
        return f'gave to the dice: "{value}"'
    return f"committed to a value for the dice: {promise}" if promise else ""


def check_gave(
    who: str, value: str, events: Sequence[Event | None], channel: Channel, findings: Findings
) -> None:
    """Hold what ``who`` says to have given to the dice against what stands under that name."""
    slots = [slot.id for slot in channel.seats if slot.label == who]
    given = [one for one in map(_given, range(len(events)), events) if one and one[1] in slots]
    if not given:
        text = f"{who} gave something to the dice, and nothing of it stands here"
        findings.add("E_GAVE", text)
        return

    def is_it(one: _Gift) -> bool:
        _, slot, found, promise = one
        return value == found or seeds.commit_member(channel.origin, slot, value) == promise

    entry = given[-1][0]
    if channel.started is None and is_it(given[-1]):
        return
    if channel.started is not None and any(map(is_it, given)):
        if not any(share.slot in slots and share.value == value for share in channel.entropy):
            text = (
                f"what {who} gave stands here, but was not theirs to the dice when the game began"
            )
            findings.add("I_GAVE_LATE", text, entry)
        return
    text = (
        f"{who} gave something else to the dice than stands here: the server put another value in "
        "its place, which it could choose to suit, or this one is mistyped. Only the server and "
        f"{who} know which."
    )
    findings.add("E_GAVE", text, entry)


def _given(entry: int, event: Event | None) -> _Gift | None:
    match event:
        case Join(slot, entropy=value, commit=promise) if value or promise:
            return entry, slot, value, promise
        case Entropy(slot, value, promise):
            return entry, slot, value, promise
        case _:
            return None
