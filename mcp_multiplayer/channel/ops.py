"""The ops of update_channel: their words, not their permissions (`decide.MAY` has those)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcp_multiplayer.errors import BadOp, TooLarge
from mcp_multiplayer.transcript.canonical_json import unquoted

MAX_OPS = 16

#: op -> (fields it must have, fields it may have)
FIELDS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "set_bot": (
        frozenset({"bot_id"}),
        frozenset({"bot_preset", "bot_code", "params", "name", "manifest"}),
    ),
    "attach_bot": (
        frozenset(),
        frozenset({"bot_preset", "bot_code", "params", "name", "manifest"}),
    ),
    "remove_bot": (frozenset({"bot_id"}), frozenset()),
    "yield_slot": (frozenset({"player_id"}), frozenset()),
    "set_admin": (frozenset({"player_id", "admin"}), frozenset()),
    "rename": (frozenset({"name"}), frozenset()),
    "reissue_invite": (frozenset({"player_id"}), frozenset()),
    "start": (frozenset(), frozenset()),
    "close": (frozenset(), frozenset()),
    "accept_change": (frozenset({"terms"}), frozenset()),
    "open_sealed": (frozenset({"bot_id"}), frozenset()),
    "hand_over": (frozenset({"player_id"}), frozenset()),
}
#: What the operator of a server may do in a room.
OPERATES = frozenset({"close", "yield_slot", "erase"})
#: Ops that change what a joiner accepted; with others seated they need everybody's consent.
TOUCH_TERMS = frozenset({"set_bot", "attach_bot", "remove_bot", "set_admin"})
#: Ops that can decide a game; while one runs they need consent too (whose: `proposals.waiting`).
DECIDE_A_GAME = frozenset({"yield_slot", "close"})
#: Ops that need a referee to be inspected first, and those that need a fresh invite code.
BRING_BOT = frozenset({"set_bot", "attach_bot"})
NEED_INVITE = frozenset({"yield_slot", "reissue_invite"})
_TYPES: dict[str, type] = {"admin": bool, "params": dict, "manifest": dict}
_WORDS = {str: "text", bool: "true or false", dict: "a JSON object"}


@dataclass(frozen=True)
class Op:
    """One op with its fields, all present and of the right type."""

    op: str
    fields: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]


def read_ops(ops: Sequence[Mapping[str, Any]]) -> tuple[Op, ...]:
    """Check the words of every op, or raise `BadOp` naming the first bad one."""
    if not ops:
        raise BadOp("ops is empty", hint='For example ops=[{"op": "start"}].')
    if len(ops) > MAX_OPS:
        raise TooLarge(f"{len(ops)} ops; at most {MAX_OPS} at a time")
    return tuple(_read(place, op) for place, op in enumerate(ops))


def _read(place: int, op: Mapping[str, Any]) -> Op:
    name = op.get("op")
    if not isinstance(name, str) or name not in FIELDS:
        wrong = f"{name[:40]!r} is unknown" if isinstance(name, str) else 'it lacks "op"'
        raise BadOp(f"ops[{place}]: {wrong}; there are {', '.join(FIELDS)}")
    must, may = FIELDS[name]
    fields = {key: value for key, value in op.items() if key != "op" and value is not None}
    if "slot" in fields and "player_id" in must:  # what models write when they think of seats
        fields["player_id"] = fields.pop("slot")
    missing, unknown = must - fields.keys(), fields.keys() - must - may
    if missing or unknown:
        wrong = (
            f"lacks {', '.join(sorted(missing))}"
            if missing
            else f"has no {', '.join(repr(str(key)[:40]) for key in sorted(unknown, key=str))}"
        )
        raise BadOp(f"ops[{place}]: {name} {wrong}")
    for key, value in fields.items():
        wanted = _TYPES.get(key, str)
        if wanted is dict:
            fields[key] = value = unquoted(value)
        if not isinstance(value, wanted):
            raise BadOp(f"ops[{place}]: {key} must be {_WORDS[wanted]}")
    if name == "rename" and not fields["name"].strip():
        raise BadOp(f"ops[{place}]: a room's name is not blank")
    if name in BRING_BOT and ("bot_preset" in fields) == ("bot_code" in fields):
        raise BadOp(f"ops[{place}]: {name} takes one of bot_preset and bot_code")
    if "bot_id" in fields:  # it speaks as bot:<id>, and that is how answers name it
        fields["bot_id"] = fields["bot_id"].removeprefix("bot:")
    return Op(name, fields)
