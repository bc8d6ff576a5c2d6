"""Reads entries of a log that may be anybody's: each has the fields of its type and no others, and
each field holds what it may.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, get_args, get_type_hints

from mcp_multiplayer.channel import erasure
from mcp_multiplayer.channel.events import (
    COMMON,
    REQUIRED,
    TYPES,
    Ask,
    Attach,
    Entropy,
    Erase,
    Event,
    Genesis,
    Json,
    Run,
)
from mcp_multiplayer.channel.field_types import Check, Holds
from mcp_multiplayer.errors import BadOp
from mcp_multiplayer.transcript import checkpoint
from mcp_multiplayer.transcript.canonical_json import canonical
from mcp_multiplayer.transcript.entries import TIMELESS


class BadEntry(Exception):
    """An entry that no server of ours writes; ``code`` is the finding's."""

    def __init__(self, code: str, text: str) -> None:
        self.code = code
        super().__init__(text)


def _holds(hint: Any) -> Check:
    """What the type of a field says that it takes; of ``X | None`` what X says."""
    for part in (hint, *get_args(hint)):
        for said in getattr(part, "__metadata__", ()):
            if isinstance(said, Holds):
                return said.check
    raise TypeError(f"{hint} does not say what it holds")


_CHECKS: dict[str, dict[str, Check]] = {
    name: {field: _holds(hint) for field, hint in get_type_hints(kind, include_extras=True).items()}
    for name, kind in TYPES.items()
}


def fields_of(name: str) -> tuple[frozenset[str], frozenset[str]]:
    """The fields that an entry of this type must have and those that it may have, besides those of
    every entry; KeyError for no type."""
    must = REQUIRED[TYPES[name]]
    return must, frozenset(_CHECKS[name]) - must


def read(entry: Mapping[str, Json]) -> Event:
    """Return the event of a parsed entry, or raise `BadEntry`."""
    name = entry["t"]
    if name not in _CHECKS:
        raise BadEntry("E_TYPE", f"there is no type {name!r:.40}")
    must, may = fields_of(name)
    own = {field: value for field, value in entry.items() if field not in COMMON}
    missing, extra = must - own.keys(), own.keys() - must - may
    if missing or extra:
        what = f"lacks {min(missing)}" if missing else f"has a field {min(extra)!r:.40} too many"
        raise BadEntry("E_FIELDS", f"this {name} {what}")
    for field, value in own.items():
        if not _CHECKS[name][field](value):
            raise BadEntry("E_FIELDS", f"{field} of this {name} cannot be {value!r:.80}")
    event = TYPES[name](**own)
    _check_together(event)
    return event


def _check_together(event: Event) -> None:
    """Fields that fit each other."""
    match event:
        case Genesis():
            _check_genesis(event)
        case Attach():
            _check_attach(event)
        case Run():
            _check_run(event)
        case Erase():
            _check_left(event)
        case Ask(who=who, slot=slot, by=by) if (who is None) == (by is None) or (by and slot):
            raise BadEntry("E_FIELDS", "somebody asks, or the operator does, who has no seat")
        case Entropy(value=value, commit=commit) if (value is None) == (commit is None):
            raise BadEntry("E_FIELDS", "it is either a value or a commitment")


def _check_genesis(event: Genesis) -> None:
    if (event.creator is None) != (event.queue is True) or (event.rated and not event.queue):
        raise BadEntry("E_FIELDS", "it has a creator or is a queue's, and only a queue's is rated")
    if checkpoint.read_vkey(event.key)[0] != event.origin:
        raise BadEntry("E_KEY", "the key is not named after this room")
    names = {(slot["kind"] == "bot", slot["label"].lower()) for slot in event.slots}
    in_order = all(slot["id"] == f"s{place}" for place, slot in enumerate(event.slots))
    seats = [slot for slot in event.slots if slot["kind"] == "invite"]
    if not in_order or len(names) != len(event.slots) or not seats:
        raise BadEntry("E_FIELDS", "its slots are not numbered, or two have one name")


def _check_attach(event: Attach) -> None:
    expected = "sha256:" + hashlib.sha256(canonical(event.manifest)).hexdigest()
    if event.manifest_hash != expected:
        raise BadEntry("E_ATTACH", "manifest_hash is the hash of another manifest")


def _check_left(event: Erase) -> None:
    """That it is an entry without words, but for its place in the log."""
    left = event.left
    if not isinstance(left.get("t"), str) or left.keys() & {"i", "p"} or left["t"] == "erase":
        raise BadEntry("E_FIELDS", "what is left of an entry has no type, or names its place")
    has_time = type(left.get("ts")) is int
    if has_time != (left["t"] not in TIMELESS) or left.get("more", True) is not True:
        raise BadEntry("E_FIELDS", "what is left of an entry has another time than its type")
    try:
        empty = erasure.emptied(read(left))
    except BadOp as error:
        raise BadEntry("E_FIELDS", str(error)) from None
    if canonical(erasure.left(left, empty)) != canonical(left):
        raise BadEntry("E_FIELDS", "what is left of an entry has words in it")


def _check_run(event: Run) -> None:
    if event.res == "ok":
        if event.line is not None:
            raise BadEntry("E_RUN_RES", "a hook that ended well names no line")
        return
    same = event.st[0] == event.st[1] and event.rng[2] == 0
    if event.out or not same or (event.turn, event.end, event.timers) != (None, None, None):
        raise BadEntry("E_RUN_RES", "a hook that failed has said or changed something")
