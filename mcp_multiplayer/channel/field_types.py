"""What the fields of an entry may hold: exactly, so that none is free. The types of the event
classes carry it (`channel.events`), and whoever reads a log that it does not trust holds each field
to it (`strict_reader.read`). On the other side is whoever has the key of a log and looks for a
place in which to write what nobody checks.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

from mcp_multiplayer.channel.identifiers import LABEL, RESERVED, players_kind, room_name
from mcp_multiplayer.errors import MultiplayerError
from mcp_multiplayer.transcript import checkpoint
from mcp_multiplayer.transcript.entries import b64u
from mcp_multiplayer.transcript.names import HOOKS, KIND

VERSION = "mpx-log/2"
LIMITS = frozenset(
    {
        *("body_kb", "channel_mb", "hook_fuel", "hook_seconds", "invite_days", "open_seconds"),
        *("output_kb", "reveal_days", "seats", "state_kb"),
    }
)

Check: TypeAlias = Callable[[Any], bool]


@dataclass(frozen=True)
class Holds:
    """Says of a field's type which values it takes."""

    check: Check


# --- checks ----------------------------------------------------------------------------------


def _matches(pattern: str) -> Check:
    compiled = re.compile(pattern)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def _is_whole(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and value >= 0


def _b64u(length: int) -> Check:
    """Base64url of so many bytes, in its one form."""

    def check(value: Any) -> bool:
        if not isinstance(value, str):
            return False
        try:
            data = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
        except (binascii.Error, ValueError):
            return False
        return len(data) == length and b64u(data) == value

    return check


def _list(check: Check, *, empty: bool = True) -> Check:
    return lambda value: (
        isinstance(value, list) and (empty or bool(value)) and all(map(check, value))
    )


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_name(value: Any) -> bool:
    try:
        return isinstance(value, str) and room_name(value) == value
    except MultiplayerError:
        return False


def _is_players_kind(value: Any) -> bool:
    try:
        return isinstance(value, str) and players_kind(value) == value
    except MultiplayerError:
        return False


def _is_vkey(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(checkpoint.read_vkey(value))
    except checkpoint.BadNote:
        return False


def _shape(must: Mapping[str, Check], may: Mapping[str, Check] | None = None) -> Check:
    """An object with these members and no others."""
    either = {**must, **(may or {})}
    return lambda value: (
        isinstance(value, dict)
        and must.keys() <= value.keys() <= either.keys()
        and all(either[name](item) for name, item in value.items())
    )


_is_slot_id = _matches(r"s(0|[1-9][0-9]{0,3})")
_is_label = _matches(LABEL.pattern)
_is_sha = _matches(r"sha256:[0-9a-f]{64}")
_is_hex = _matches(r"[0-9a-f]{64}")
_is_digest = _b64u(32)
_is_kind = _matches(KIND.pattern)
_is_hook = _matches("|".join(HOOKS))
_is_version = _matches(r"(?s:.{0,32})")
_is_isolation = _matches(r"[a-z]{1,20}")
_is_ref = _matches(r"builtin://[A-Z][A-Za-z]{1,40}Bot")
_is_to = _list(_matches(r"(bot:)?[A-Za-z0-9][A-Za-z0-9_-]{0,31}"), empty=False)
_is_reach = _shape({"network": _is_bool, "dice": _is_bool})
_ABOUT = {"bot_id": _is_label, "player_id": _is_label, "admin": _is_bool}
_BOT = {
    "name": _is_name,
    "version": _is_version,
    "code_hash": _is_sha,
    "manifest_hash": _is_sha,
    "params": _is_object,
    "reach": _is_reach,
    "hooks": _list(_is_hook),
    "label": _is_label,
}
_BOT_MAY = {"ref": _is_ref, "slot": _is_text, "isolation": _is_isolation, "library": _is_sha}
_is_proposed_op = _shape(
    {"op": _matches("set_bot|attach_bot|remove_bot|set_admin|yield_slot|close")},
    {**_ABOUT, "bot": _shape({**_BOT, "manifest": _is_object}, _BOT_MAY)},
)
_brought = _shape(
    {name: check for name, check in _BOT.items() if name != "params"},
    {name: check for name, check in _BOT_MAY.items() if name != "slot"},
)
_ASKED = {
    "set_bot": _shape({"op": _is_text, "bot_id": _is_label, "bot": _brought}),
    "attach_bot": _shape({"op": _is_text, "bot": _brought}),
    "remove_bot": _shape({"op": _is_text, "bot_id": _is_label}),
    "set_admin": _shape({"op": _is_text, "player_id": _is_label, "admin": _is_bool}),
    "yield_slot": _shape({"op": _is_text, "player_id": _is_label, "invite": _is_hex}),
    "reissue_invite": _shape({"op": _is_text, "player_id": _is_label, "invite": _is_hex}),
    "rename": _shape({"op": _is_text, "name": _is_name}),
    "start": _shape({"op": _is_text}),
    "close": _shape({"op": _is_text}),
    "hand_over": _shape({"op": _is_text, "player_id": _is_label}),
}
#: Those of the operator where they look otherwise than a member's.
_OPERATED = {
    "yield_slot": _shape({"op": _is_text, "player_id": _is_label}),
    "erase": _shape({"op": _is_text, "entry": _is_whole}),
}


def _is_asked_op(value: Any) -> bool:
    name = value.get("op") if isinstance(value, dict) else None
    if not isinstance(name, str):
        return False
    return any(name in forms and forms[name](value) for forms in (_ASKED, _OPERATED))


def _is_slot(value: Any) -> bool:
    kinds = {
        "invite": {"admin": lambda v: v is True, "invite": _is_hex},
        "watch": {"invite": _is_hex},
        "bot": {},
    }
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in kinds:
        return False
    shape = _shape({"id": _is_slot_id, "kind": _is_text, "label": _is_label}, kinds[kind])
    return shape(value) and not (kind != "bot" and value["label"].lower() in RESERVED)


def _is_words(value: Any) -> bool:
    must = {"s": _is_slot_id, "c": _is_whole, "k": _is_players_kind}
    return _shape({**must, "b": _is_object})(value) or _shape(
        {**must, "d": _is_digest, "to": _is_to}
    )(value)


def _is_post(value: Any) -> bool:
    """One of a run's ``out``: in clear, sealed, or with sealed values."""
    if _shape({"k": _is_kind, "b": _is_object})(value):
        return True
    if _shape({"k": _is_kind, "d": _is_digest, "to": _is_to})(value):
        return True
    if not _shape({"k": _is_kind, "b": _is_object, "to": _is_to})(value):
        return False
    return _list(_is_digest, empty=False)(value["b"].get("_sd"))


def _is_rng(value: Any) -> bool:
    if not isinstance(value, list) or len(value) != 3 or not _b64u(9)(value[0]):
        return False
    return _is_whole(value[1]) and _is_whole(value[2])


def _is_limits(value: Any) -> bool:
    return _is_object(value) and value.keys() == LIMITS and all(map(_is_number, value.values()))


def _is_timers(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and bool(value)
        and all(_is_kind(name) and name != "turn" for name in value)
        and all(due is None or _is_whole(due) for due in value.values())
    )


_is_turn = _shape(
    {"players": _list(_is_label)},
    {"expect": lambda value: value is not None, "deadline": _is_whole, "to": _is_to},
)
_is_effect = _shape(
    {
        "k": _matches("fetch|resolve|connect|tls|send|receive|shut"),
        "q": _is_digest,
        "r": _is_digest,
    }
)

# --- types -----------------------------------------------------------------------------------

Json: TypeAlias = Any
Object: TypeAlias = Annotated[Mapping[str, Json], Holds(_is_object)]
Text: TypeAlias = Annotated[str, Holds(_is_text)]
Whole: TypeAlias = Annotated[int, Holds(_is_whole)]
Flag: TypeAlias = Annotated[bool, Holds(_is_bool)]
Yes: TypeAlias = Annotated[bool, Holds(lambda value: value is True)]
Operator: TypeAlias = Annotated[str, Holds(lambda value: value == "operator")]

Version: TypeAlias = Annotated[str, Holds(lambda value: value == VERSION)]
Origin: TypeAlias = Annotated[
    str, Holds(_matches(r"[^\s+/\x00-\x1f\x7f]{1,255}/c/chn_[A-Za-z0-9_-]{1,64}"))
]
Vkey: TypeAlias = Annotated[str, Holds(_is_vkey)]
Name: TypeAlias = Annotated[str, Holds(_is_name)]
Who: TypeAlias = Annotated[str, Holds(_matches(r"[A-Za-z0-9_-]{16}"))]
Nonce: TypeAlias = Annotated[str, Holds(_matches("[0-9a-f]{32}"))]
SlotId: TypeAlias = Annotated[str, Holds(_is_slot_id)]
SlotIds: TypeAlias = Annotated[list[str], Holds(_list(_is_slot_id))]
SomeSlotIds: TypeAlias = Annotated[list[str], Holds(_list(_is_slot_id, empty=False))]
Slots: TypeAlias = Annotated[list[Json], Holds(_list(_is_slot, empty=False))]
Limits: TypeAlias = Annotated[Mapping[str, Json], Holds(_is_limits)]
Label: TypeAlias = Annotated[str, Holds(_is_label)]
BotVersion: TypeAlias = Annotated[str, Holds(_is_version)]
Sha256: TypeAlias = Annotated[str, Holds(_is_sha)]
Sha256Hex: TypeAlias = Annotated[str, Holds(_is_hex)]
Digest: TypeAlias = Annotated[str, Holds(_is_digest)]
Salt: TypeAlias = Annotated[str, Holds(_b64u(16))]
Reach: TypeAlias = Annotated[Mapping[str, Json], Holds(_is_reach)]
Hook: TypeAlias = Annotated[str, Holds(_is_hook)]
Hooks: TypeAlias = Annotated[list[str], Holds(_list(_is_hook))]
Ref: TypeAlias = Annotated[str, Holds(_is_ref)]
Isolation: TypeAlias = Annotated[str, Holds(_is_isolation)]
Runtime: TypeAlias = Annotated[
    str,
    Holds(
        _matches(
            r"cpython-[0-9]{1,2}(?:\.[0-9]{1,3}){2}(?:(?:a|b|rc)[0-9]{1,3})?"
            r"\+[0-9a-f]{8}/mpx-[1-9][0-9]{0,5}"
        )
    ),
]
Ops: TypeAlias = Annotated[list[Json], Holds(_list(_is_proposed_op, empty=False))]
AskedOps: TypeAlias = Annotated[list[Json], Holds(_list(_is_asked_op, empty=False))]
Words: TypeAlias = Annotated[Mapping[str, Json], Holds(_is_words)]
Outcome: TypeAlias = Annotated[str, Holds(_matches(r"ok|fuel|(error|killed):\w{1,64}"))]
Posts: TypeAlias = Annotated[list[Json], Holds(_list(_is_post))]
Turn: TypeAlias = Annotated[Mapping[str, Json], Holds(_is_turn)]
Timers: TypeAlias = Annotated[Mapping[str, Json], Holds(_is_timers)]
TimerName: TypeAlias = Annotated[str, Holds(_is_kind)]
States: TypeAlias = Annotated[
    list[str], Holds(lambda value: _list(_is_digest)(value) and len(value) == 2)
]
Rng: TypeAlias = Annotated[list[Json], Holds(_is_rng)]
Effects: TypeAlias = Annotated[list[Json], Holds(_list(_is_effect, empty=False))]
