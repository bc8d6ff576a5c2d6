"""What stays of an entry whose words were erased: everything that the room's state and the rules
need, so that whoever folds or verifies the log goes on behind it. The entry's hash stays in the
tree; what is left stands in the `erase` entry that came with it, as the operator's word. It
cannot be made up freely: counters, states and signatures around it have to fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mcp_multiplayer.channel import events
from mcp_multiplayer.channel.events import Disclose, Event, Msg, Run
from mcp_multiplayer.errors import BadOp

#: Stands where words were.
GONE: Mapping[str, Any] = {"erased": True}
NO_SALT = "A" * 22  #: 16 zero bytes: with the salt, digests of short words could be guessed


def emptied(event: Event) -> Event:
    """The event without its words. `BadOp` for one that holds none: it shapes the room, and only
    the whole room can be deleted.

    Digests stay: they hide what is private, and states and seals are chained by them.
    """
    match event:
        case Msg(m):
            return Msg({**m, "b": GONE}) if "b" in m else event
        case Run():
            turn = None if event.turn is None else {**event.turn}
            if turn is not None:
                turn.pop("expect", None)
            end = None if event.end is None else GONE
            return replace(event, out=[_post(post) for post in event.out], turn=turn, end=end)
        case Disclose(entry):
            return Disclose(entry, NO_SALT, GONE)
        case _:
            what = type(event).__name__.lower()
            raise BadOp(
                f"an entry of type {what} holds no member's or bot's words",
                hint="Entries that can be erased: msg, run, disclose.",
            )


def _post(post: Mapping[str, Any]) -> dict[str, Any]:
    if "b" not in post:
        return dict(post)
    sealed = {"_sd": post["b"]["_sd"]} if "to" in post and "_sd" in post["b"] else {}
    return {**post, "b": {**GONE, **sealed}}


def left(entry: Mapping[str, Any], event: Event) -> dict[str, Any]:
    """What an `erase` says of an entry: its type, time and ``more``, and its fields without words.
    ``event`` is what the entry holds."""
    kept = {name: entry[name] for name in ("ts", "more") if name in entry}
    return {**kept, **events.write(emptied(event))}


def filled_in(left: Mapping[str, Any], index: int, before: str | None) -> dict[str, Any]:
    """The entry as it stands in the walk of a log: ``left`` at its place, behind the entry whose
    hash is ``before``."""
    place = {"i": index} if before is None else {"i": index, "p": before}
    return {**left, **place}
