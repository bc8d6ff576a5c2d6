"""A fold of the log, written down so that a cold start need not read the whole log.

It may be thrown away at any time; `FORM`
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import asdict
from typing import Any

from mcp_multiplayer.channel.model import (
    Bot,
    Channel,
    Dice,
    Kept,
    Proposal,
    Share,
    Slot,
    Timer,
    Turn,
)
from mcp_multiplayer.transcript.entries import Head

FORM = 7
EVERY = 256  #: entries between two snapshots


def write(channel: Channel, head: Head) -> bytes:
    """Return the snapshot of a channel at this head."""
    peaks = [b64encode(peak).decode() for peak in head.peaks]
    return json.dumps(
        {
            "form": FORM,
            "head": {"size": head.size, "ts": head.ts, "peaks": peaks, "last": head.last.hex()},
            "channel": asdict(channel),
        }
    ).encode()


def read(data: bytes) -> tuple[Channel, Head] | None:
    """Return what `write` was given, or None when the snapshot is of another form."""
    kept = json.loads(data)
    if kept.get("form") != FORM:
        return None
    head = kept["head"]
    peaks = tuple(b64decode(peak) for peak in head["peaks"])
    return _channel(kept["channel"]), Head(
        head["size"], bytes.fromhex(head["last"]), peaks, head["ts"]
    )


def _channel(kept: dict[str, Any]) -> Channel:
    turn, proposal = kept["turn"], kept["proposal"]
    return Channel(
        **{
            **kept,
            "slots": tuple(Slot(**slot) for slot in kept["slots"]),
            "bots": tuple(_bot(bot) for bot in kept["bots"]),
            "entropy": tuple(Share(**share) for share in kept["entropy"]),
            "turn": _turn(turn) if turn else None,
            "timers": tuple(Timer(**timer) for timer in kept["timers"]),
            "proposal": Proposal(
                proposal["slot"],
                tuple(proposal["ops"]),
                proposal["terms"],
                tuple(proposal["accepted"]),
            )
            if proposal
            else None,
        }
    )


def _turn(kept: dict[str, Any]) -> Turn:
    to = kept["to"]
    listed = {"players": tuple(kept["players"]), "to": None if to is None else tuple(to)}
    return Turn(**{**kept, **listed})


def _bot(kept: dict[str, Any]) -> Bot:
    said = kept["kept"]
    by, agreed = tuple(map(tuple, said["by"])), tuple(said["agreed"])
    words = Kept(said["since"], said["nth"], by, agreed)
    listed = {"hooks": tuple(kept["hooks"]), "dice": Dice(**kept["dice"]), "kept": words}
    return Bot(**{**kept, **listed})
