"""The events of a trial as a caller writes them down. Words only; nothing happens here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcp_multiplayer.errors import InvalidRequest

EVENTS = 32  #: in one trial
LONGEST_WAIT = 366 * 86_400
KINDS = ("join", "say", "wait", "leave")


@dataclass(frozen=True)
class Event:
    """Something that happens in a trial, as it was asked for. No ``kind``: the attaching."""

    asked: Mapping[str, Any]
    kind: str = ""
    who: str = ""


_HINT = (
    'Events are {"join": "alice"}, {"say": "heads", "as": "alice"}, {"wait": 60}, '
    '{"leave": "alice"}.'
)
_TAKES = {"join": {"join"}, "say": {"say", "as", "to"}, "wait": {"wait"}, "leave": {"leave"}}


def read(asked: Sequence[Any], *, most: int = EVENTS) -> list[Event]:
    """Read events and see that they can happen in this order, or raise `InvalidRequest`."""
    if len(asked) > most:
        raise InvalidRequest(f"{len(asked)} events; a trial takes {most}", hint=_HINT)
    seated: list[str] = []
    gone: set[str] = set()
    events = []
    for place, one in enumerate(asked):
        try:
            event = read_one(one, seated)
            _follow(event, seated, gone)
        except InvalidRequest as error:
            raise InvalidRequest(f"events[{place}]: {error}", hint=_HINT) from None
        events.append(event)
    return events


def read_one(asked: Any, seated: Sequence[str]) -> Event:
    """One event, with these players seated: a lone one need not be named."""
    kinds = [kind for kind in KINDS if isinstance(asked, dict) and kind in asked]
    if len(kinds) != 1:
        raise InvalidRequest(f"an event has one of {', '.join(KINDS)}", hint=_HINT)
    kind = kinds[0]
    if unknown := sorted(asked.keys() - _TAKES[kind]):
        raise InvalidRequest(f"{unknown[0][:40]!r} is not understood beside {kind}", hint=_HINT)
    if kind == "wait":
        _check_wait(asked["wait"])
        return Event(asked, kind)
    who = asked.get("as", seated[0] if len(seated) == 1 else None) if kind == "say" else asked[kind]
    if not isinstance(who, str):
        what = "say needs as: who says it" if kind == "say" else f"{kind} takes a player id"
        raise InvalidRequest(what, hint=_HINT)
    if kind == "say":
        _check_say(asked)
    return Event(asked, kind, who)


def _check_wait(seconds: Any) -> None:
    number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not number or not 0 < seconds <= LONGEST_WAIT:
        raise InvalidRequest("wait takes seconds, above 0 and at most a year", hint=_HINT)


def _check_say(asked: Mapping[str, Any]) -> None:
    if not isinstance(asked["say"], str | dict):
        raise InvalidRequest("say takes text or a JSON object", hint=_HINT)
    to = asked.get("to", [])
    if not isinstance(to, list) or not all(isinstance(name, str) for name in to):
        raise InvalidRequest("to takes a list of ids", hint=_HINT)


def _follow(event: Event, seated: list[str], gone: set[str]) -> None:
    if event.kind == "join":
        if event.who.lower() in {name.lower() for name in {*seated, *gone}}:
            raise InvalidRequest(f"{event.who[:40]!r} has joined before")
        seated.append(event.who)
    elif event.kind in ("say", "leave") and event.who not in seated:
        raise InvalidRequest(f"{event.who[:40]!r} is not seated; join first")
    if event.kind == "leave":
        seated.remove(event.who)
        gone.add(event.who)
