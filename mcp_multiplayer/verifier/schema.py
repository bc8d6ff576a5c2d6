"""Which fields an entry has and what each may hold: exactly, so that none is free. On the other
side is whoever has the key and looks for a place in which to write what nobody checks.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any

from mcp_multiplayer.channel.identifiers import LABEL, RESERVED, players_kind, room_name
from mcp_multiplayer.errors import MultiplayerError
from mcp_multiplayer.sandbox.call import HOOKS
from mcp_multiplayer.sandbox.protocol.values import KIND as BOT_KIND
from mcp_multiplayer.transcript import checkpoint
from mcp_multiplayer.transcript.canonical_json import canonical
from mcp_multiplayer.transcript.entries import b64u
from mcp_multiplayer.verifier.findings import Violation

V0, V1 = "mpx-log/0", "mpx-log/1"
COMMON = frozenset({"i", "t", "p", "ts", "more"})
LIMITS = frozenset(
    {
        *("body_kb", "channel_mb", "hook_fuel", "hook_seconds", "invite_days", "open_seconds"),
        *("output_kb", "reveal_days", "seats", "state_kb"),
    }
)

Check = Callable[[Any], bool]


# --- values ----------------------------------------------------------------------------------


def _matches(pattern: str) -> Check:
    compiled = re.compile(pattern)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def is_whole(value: Any) -> bool:
    return type(value) is int and value >= 0


def is_number(value: Any) -> bool:
    return type(value) in (int, float) and value >= 0


def is_b64u(value: Any, length: int) -> bool:
    """Base64url of so many bytes, in its one form."""
    if not isinstance(value, str):
        return False
    try:
        data = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
    except (binascii.Error, ValueError):
        return False
    return len(data) == length and b64u(data) == value


def _b64u(length: int) -> Check:
    return lambda value: is_b64u(value, length)


def _list(check: Check, *, empty: bool = True) -> Check:
    return lambda value: (
        isinstance(value, list) and (empty or bool(value)) and all(map(check, value))
    )


def _is_dict(value: Any) -> bool:
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


_slot_id = _matches(r"s(0|[1-9][0-9]{0,3})")
_who = _matches(r"[A-Za-z0-9_-]{16}")
_sha = _matches(r"sha256:[0-9a-f]{64}")
_hex32 = _matches(r"[0-9a-f]{64}")
_label = _matches(LABEL.pattern)
_digest = _b64u(32)
_origin = _matches(r"[^\s+/\x00-\x1f\x7f]{1,255}/c/chn_[A-Za-z0-9_-]{1,64}")
_runtime = _matches(
    r"cpython-[0-9]{1,2}(?:\.[0-9]{1,3}){2}(?:(?:a|b|rc)[0-9]{1,3})?\+[0-9a-f]{8}/mpx-[1-9][0-9]{0,5}"
)
_to = _list(_matches(r"(bot:)?[A-Za-z0-9][A-Za-z0-9_-]{0,31}"), empty=False)
_value = _is_text  # what it may be is the dice's to say (channel.entropy.said)
_reach = _shape({"network": _is_bool, "dice": _is_bool})
_version = _matches(r"(?s:.{0,32})")
_isolation = _matches(r"[a-z]{1,20}")
_ref = _matches(r"builtin://[A-Z][A-Za-z]{1,40}Bot")
_hook = _matches("|".join(HOOKS))
_bot = {
    "name": _is_name,
    "version": _version,
    "code_hash": _sha,
    "manifest": _is_dict,
    "manifest_hash": _sha,
    "params": _is_dict,
    "reach": _reach,
    "hooks": _list(_hook),
}
_op = _shape(
    {"op": _matches("set_bot|attach_bot|remove_bot|set_admin|yield_slot|close")},
    {
        "bot_id": _label,
        "player_id": _label,
        "admin": _is_bool,
        "bot": _shape(
            {**_bot, "label": _label}, {"ref": _ref, "slot": _is_text, "isolation": _isolation}
        ),
    },
)


def _is_slot(value: Any) -> bool:
    kinds = {
        "invite": {"admin": lambda v: v is True, "invite": _hex32},
        "watch": {"invite": _hex32},
        "bot": {},
    }
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in kinds:
        return False
    shape = _shape({"id": _slot_id, "kind": _is_text, "label": _label}, kinds[kind])
    return shape(value) and not (kind != "bot" and value["label"].lower() in RESERVED)


def _is_m(value: Any) -> bool:
    must = {"s": _slot_id, "c": is_whole, "k": _is_players_kind}
    return _shape({**must, "b": _is_dict})(value) or _shape({**must, "d": _digest, "to": _to})(
        value
    )


def _is_post(value: Any) -> bool:
    """One of a run's ``out``: in clear, sealed, or with sealed values."""
    kind = _matches(BOT_KIND.pattern)
    if _shape({"k": kind, "b": _is_dict})(value):
        return True
    if _shape({"k": kind, "d": _digest, "to": _to})(value):
        return True
    if not _shape({"k": kind, "b": _is_dict, "to": _to})(value):
        return False
    return _list(_digest, empty=False)(value["b"].get("_sd"))


def _is_rng(value: Any) -> bool:
    if not isinstance(value, list) or len(value) != 3 or not is_b64u(value[0], 9):
        return False
    return is_whole(value[1]) and is_whole(value[2])


def _is_limits(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == LIMITS
        and all(is_number(limit) for limit in value.values())
    )


def _is_timers(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and bool(value)
        and all(BOT_KIND.fullmatch(name) and name != "turn" for name in value)
        and all(due is None or is_whole(due) for due in value.values())
    )


_turn = _shape(
    {"players": _list(_label)},
    {"expect": lambda value: value is not None, "deadline": is_whole, "to": _to},
)
_effect_kind = _matches("fetch|resolve|connect|tls|send|receive|shut")
_effect = _shape({"k": _effect_kind, "q": _digest, "r": _digest})
_slots = _list(_slot_id)

# --- entries ---------------------------------------------------------------------------------

_RUN = {
    "bot": _label,
    "at": is_whole,
    "hook": _hook,
    "on": is_whole,
    "res": _matches(r"ok|fuel|(error|killed):\w{1,64}"),
    "out": _list(_is_post),
}
_RUN_MAY = {
    "turn": _turn,
    "end": _is_dict,
    "timers": _is_timers,
    "line": is_whole,
    "fx": _list(_effect, empty=False),
}

#: type -> (fields it must have, fields it may have)
ENTRIES: Mapping[str, tuple[Mapping[str, Check], Mapping[str, Check]]] = {
    "genesis": (
        {
            "v": lambda value: value == V1,
            "origin": _origin,
            "key": _is_vkey,
            "name": _is_name,
            "creator": _who,
            "slots": _list(_is_slot, empty=False),
            "limits": _is_limits,
            "nonce": _matches("[0-9a-f]{32}"),
        },
        {},
    ),
    "attach": (
        {"bot": _label, "slot": _slot_id, **_bot, "runtime": _runtime, "commit": _digest},
        {"ref": _ref, "isolation": _isolation},
    ),
    "join": (
        {"slot": _slot_id, "who": _who, "terms": _sha},
        {"entropy": _value, "commit": _digest},
    ),
    "entropy": ({"slot": _slot_id}, {"value": _value, "commit": _digest}),
    "open": ({"slot": _slot_id, "value": _value}, {}),
    "abort": ({"missing": _list(_slot_id, empty=False)}, {}),
    "takeover": ({"slot": _slot_id, "who": _who}, {}),
    "leave": ({"slot": _slot_id}, {}),
    "invite": ({"slot": _slot_id, "hash": _hex32}, {}),
    "admin": ({"slot": _slot_id, "on": _is_bool}, {}),
    "rename": ({"name": _is_name}, {}),
    "detach": ({"bot": _label}, {}),
    "propose": ({"slot": _slot_id, "ops": _list(_op, empty=False), "terms": _sha}, {}),
    "accept": ({"slot": _slot_id, "terms": _sha}, {}),
    "change": ({"terms": _sha, "accepted": _slots}, {}),
    "start": ({"closed": _slots}, {}),
    "close": ({}, {}),
    "msg": ({"m": _is_m}, {}),
    "run": (
        {
            **_RUN,
            "now": is_whole,
            "st": lambda v: _list(_digest)(v) and len(v) == 2,
            "rng": _is_rng,
        },
        _RUN_MAY,
    ),
    "tick": ({"bot": _label, "name": _matches(BOT_KIND.pattern)}, {}),
    "disclose": ({"entry": is_whole, "salt": _b64u(16), "body": _is_dict}, {}),
    "unseal": (
        {"slot": _slot_id, "bot": _label, "at": is_whole},
        {"key": _digest},
    ),
    "reveal": ({"bot": _label, "at": is_whole, "epoch": is_whole, "seed": _digest}, {}),
    "runtime": ({"runtime": _runtime}, {}),
    "key": ({"vkey": _is_vkey, "note": _is_text}, {}),
    "restored": ({"size": is_whole, "root": _digest}, {}),
}


def check(entry: Mapping[str, Any], index: int) -> None:
    """Raise `Violation` unless the entry has the fields of its type, each of the right form."""
    kind = entry["t"]
    if kind not in ENTRIES:
        raise Violation("E_TYPE", f"there is no type {kind!r:.40}", index)
    must, may = ENTRIES[kind]
    own = {name: value for name, value in entry.items() if name not in COMMON}
    missing, extra = must.keys() - own.keys(), own.keys() - must.keys() - may.keys()
    if missing or extra:
        what = f"lacks {min(missing)}" if missing else f"has a field {min(extra)!r:.40} too many"
        raise Violation("E_FIELDS", f"this {kind} {what}", index)
    for name, value in own.items():
        if not (must.get(name) or may[name])(value):
            raise Violation("E_FIELDS", f"{name} of this {kind} cannot be {value!r:.80}", index)
    extra_check = _MORE.get(kind)
    if extra_check:
        extra_check(entry, index)


def _genesis(entry: Mapping[str, Any], index: int) -> None:
    if checkpoint.read_vkey(entry["key"])[0] != entry["origin"]:
        raise Violation("E_KEY", "the key is not named after this room", index)
    slots = entry["slots"]
    names = {(slot["kind"] == "bot", slot["label"].lower()) for slot in slots}
    in_order = all(slot["id"] == f"s{place}" for place, slot in enumerate(slots))
    seats = [slot for slot in slots if slot["kind"] == "invite"]
    if not in_order or len(names) != len(slots) or not seats:
        raise Violation("E_FIELDS", "its slots are not numbered, or two have one name", index)


def _attach(entry: Mapping[str, Any], index: int) -> None:
    expected = "sha256:" + hashlib.sha256(canonical(entry["manifest"])).hexdigest()
    if entry["manifest_hash"] != expected:
        raise Violation("E_ATTACH", "manifest_hash is the hash of another manifest", index)


def _run(entry: Mapping[str, Any], index: int) -> None:
    if entry["res"] == "ok":
        if "line" in entry:
            raise Violation("E_RUN_RES", "a hook that ended well names no line", index)
        return
    effects = {"turn", "end", "timers"} & entry.keys()
    same = entry["st"][0] == entry["st"][1] and entry["rng"][2] == 0
    if entry["out"] or effects or not same:
        raise Violation("E_RUN_RES", "a hook that failed has said or changed something", index)


def _entropy(entry: Mapping[str, Any], index: int) -> None:
    if ("value" in entry) == ("commit" in entry):
        raise Violation("E_FIELDS", "it is either a value or a commitment", index)


_MORE: Mapping[str, Callable[[Mapping[str, Any], int], None]] = {
    "genesis": _genesis,
    "attach": _attach,
    "run": _run,
    "entropy": _entropy,
}
