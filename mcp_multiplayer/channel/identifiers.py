"""What things in a room may be called.

A name never proves a role: who speaks is known from how the call arrived. These
rules only keep one party from looking like another.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from mcp_multiplayer.errors import BadMessage, InvalidRequest, TooLarge

LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
RESERVED = frozenset(
    ["system", "bot", "control", "server", "admin", "all", "everyone", "you", "me"]
)
KIND = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,31}")
#: Kinds that would make a player's words look like the referee's or the server's.
NOT_A_PLAYERS_KIND = frozenset({"bot", "system", "control"})
MAX_NAME = 80  #: characters of a room's name
CHANNEL_ID = re.compile(r"chn_[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class SlotSpec:
    """One wanted slot: ``bot:label``, ``invite:label``, ``invite:label:admin`` or
    ``watch:label``, a spectator's."""

    kind: str
    label: str
    admin: bool = False


def slot_specs(specs: Sequence[str], *, max_seats: int) -> tuple[SlotSpec, ...]:
    """Read slot specs; a label that is already taken gets -2, -3, … in the order given."""
    if len(specs) > max_seats:
        raise TooLarge(f"{len(specs)} slots; at most {max_seats} are allowed")
    found: list[SlotSpec] = []
    for spec in specs:
        wanted = slot_spec(spec)
        taken = {slot.label.lower() for slot in found if _people(slot) == _people(wanted)}
        found.append(SlotSpec(wanted.kind, unique(wanted.label, taken), wanted.admin))
    if not any(slot.kind == "invite" for slot in found):
        raise InvalidRequest(
            "a room needs at least one seat",
            hint='For example slots=["bot:referee", "invite:bob"].',
        )
    return tuple(found)


def _people(slot: SlotSpec) -> bool:
    return slot.kind != "bot"


def slot_spec(spec: str) -> SlotSpec:
    """Read one slot spec, or raise `InvalidRequest` with the forms that exist."""
    hint = "A slot is bot:label, invite:label, invite:label:admin or watch:label (a spectator)."
    kind, _, rest = spec.partition(":")
    label, _, flag = rest.partition(":")
    flags = ("", "admin") if kind == "invite" else ("",)
    if kind not in ("bot", "invite", "watch") or flag not in flags:
        raise InvalidRequest(f"{spec[:60]!r} is not a slot", hint=hint)
    if not LABEL.fullmatch(label):
        raise InvalidRequest(
            f"{label[:60]!r} is not a label", hint="Letters, digits, _ and -, at most 32."
        )
    if kind != "bot" and label.lower() in RESERVED:
        raise InvalidRequest(f"the label {label!r} is reserved", hint="Choose another name.")
    return SlotSpec(kind, label, flag == "admin")


def unique(label: str, taken: set[str]) -> str:
    """Return ``label``, or its first free variant; ``taken`` holds lower-case labels."""
    if label.lower() not in taken:
        return label
    number = 2
    while (variant := f"{label[:28]}-{number}").lower() in taken:
        number += 1
    return variant


def room_name(name: str, *, what: str = "a room's name") -> str:
    """Return the name if people and models can read it on one line. ``what`` it names is
    said when they cannot."""
    if len(name) > MAX_NAME:
        raise TooLarge(f"{what} has at most {MAX_NAME} characters")
    if any(unicodedata.category(mark) in ("Cc", "Cf", "Cs", "Zl", "Zp") for mark in name):
        raise InvalidRequest(f"{what} may not hold control characters or line breaks")
    return name


@lru_cache(maxsize=256)  # each post asks, and nearly all say the same
def players_kind(kind: str) -> str:
    """Return the kind if a player may give it to a message, or raise `BadMessage`."""
    if kind.lower() in NOT_A_PLAYERS_KIND:
        raise BadMessage(f"a player cannot post kind {kind!r}")
    if not KIND.fullmatch(kind):
        raise BadMessage(f"{kind[:60]!r} is not a kind: letters, digits, _ . -, at most 32")
    return kind
