"""Holds a manifest to what this server and its pages do with it. A manifest is a bot's own words
and may say anything; the fields that something here acts on must say it in one way, for all who
join accept them by hash.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from mcp_multiplayer.errors import InvalidRequest

MOST_PANELS = 8
_PATH = re.compile(r"\w{1,32}(\.\w{1,32}){0,7}", re.ASCII)
_PARAM = re.compile(r"param:\w{1,32}", re.ASCII)
_EXAMPLE = '{"show": [{"panel": "grid", "of": "board", "width": 3}]}'
_Check = Callable[[Any], bool]


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 64 and _PATH.fullmatch(value) is not None


def _is_title(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 80 and value.isprintable()


def _is_width(value: Any) -> bool:
    return type(value) is int and 1 <= value <= 400


def _is_bound(value: Any) -> bool:
    if isinstance(value, str):
        return _PARAM.fullmatch(value) is not None
    return type(value) in (int, float)


def _is_opening(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"text", "salt"}
        and all(map(_is_path, value.values()))
    )


#: What each of them asks for, in words.
_MEANT: Mapping[_Check, str] = {
    _is_path: "a field's name or dotted path",
    _is_title: "a printable text of 1 to 80 characters",
    _is_width: "a whole number from 1 to 400",
    _is_bound: 'a number or "param:NAME"',
    _is_opening: '{"text": FIELD, "salt": FIELD}',
}
#: Fields of a panel of any kind: the field of the bot's messages that it draws, the only ``type``
#: of message in which it looks, and what stands above it.
_ANY: Mapping[str, _Check] = {"of": _is_path, "in": _is_path, "title": _is_title}
#: Kind of panel -> what it may say besides.
PANELS: Mapping[str, Mapping[str, _Check]] = {
    "chess": {"last": _is_path},
    "grid": {"width": _is_width},
    "cards": {},
    "dice": {},
    "table": {},
    "text": {},
    "range": {"low": _is_bound, "high": _is_bound},
    "hash": {"open": _is_opening},
}
_MUST: Mapping[str, frozenset[str]] = {"grid": frozenset({"width"})}


def check(manifest: Mapping[str, Any], *, network: bool) -> None:
    """Raise `InvalidRequest` for a field that would be read otherwise than it is meant.
    ``network``: the bot's source reaches for it."""
    if manifest.get("sealed", "opened") not in ("opened", "kept"):
        raise InvalidRequest(
            'the manifest\'s "sealed" is neither "opened" nor "kept"',
            hint="opened, or nothing: what players seal to the bot is opened when the game ends. "
            "kept: only if all who said or were told something agree.",
        )
    if manifest.get("sealed") == "kept" and network:
        raise InvalidRequest(  # its questions, and with the seed their answers, stand in the record
            'a bot that keeps what it hears ("sealed": "kept") cannot use the network',
            hint="What it asks for could tell what it was told. Leave out one of the two.",
        )
    if "show" in manifest:
        _check_show(manifest["show"])


def _check_show(show: Any) -> None:
    if not isinstance(show, list) or not 1 <= len(show) <= MOST_PANELS:
        raise _bad("show", f"is no list of 1 to {MOST_PANELS} panels")
    for place, panel in enumerate(show):
        where = f"show[{place}]"
        kind = panel.get("panel") if isinstance(panel, dict) else None
        if not isinstance(kind, str) or kind not in PANELS:
            raise _bad(where, f"names no panel; there are {', '.join(PANELS)}")
        known = {**_ANY, **PANELS[kind]}
        must = {"of", *_MUST.get(kind, ())}
        if missing := sorted(must - panel.keys()):
            raise _bad(where, f"lacks {missing[0]}")
        for name, value in panel.items():
            if name == "panel":
                continue
            if name not in known:
                raise _bad(where, f"has {name[:40]!r}; a {kind} has {', '.join(known)}")
            if not known[name](value):
                meant = _MEANT[known[name]]
                raise _bad(f"{where}.{name}", f"cannot be {value!r:.60}; it is {meant}")


def _bad(where: str, what: str) -> InvalidRequest:
    return InvalidRequest(
        f"the manifest's {where} {what}",
        hint=f"Write it as in {_EXAMPLE}.",
    )
