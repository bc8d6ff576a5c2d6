"""What a bot's manifest asks to have drawn (`show`), found in what the bot has said.

A manifest names fields, messages carry the data once: nothing is said for the sake of a drawing,
and who replays a room sees what its members saw. The values are a stranger's. Whoever draws them
holds each to the panel it is for, and shows one that does not fit as text
(`edge/api/render_boards.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp_multiplayer.channel.model import Bot
from mcp_multiplayer.service.replica import Replica

LOOK_BACK = 512  #: messages in which a field is looked for, from the newest on
_AT_ONCE = 64


@dataclass(frozen=True)
class Said:
    """A message of a bot's, for whoever looks into it."""

    id: int
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Panel:
    """One drawing: its kind, and what is drawn. ``message`` is where that was said. ``more`` has
    what belongs to the kind: ``last`` of chess, ``width`` of a grid, ``low`` and ``high`` of a
    range, ``opens`` of what will be opened, with ``text`` and ``salt`` once it is."""

    kind: str
    value: Any
    message: int
    title: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)


def of_room(
    room: Replica, names: frozenset[str], *, since: int = 0
) -> Iterator[tuple[str, list[Panel]]]:
    """The panels of each bot that has any, for the reader called ``names`` who sat down with entry
    ``since``: what is said to others alone is not looked into."""
    for bot in room.channel.bots:
        if "show" in bot.manifest and (
            found := drawn(bot.manifest, bot.params, _newest_first(room, bot, names, since))
        ):
            yield bot.id, found


def _newest_first(room: Replica, bot: Bot, names: frozenset[str], since: int) -> Iterator[Said]:
    """What this bot has said since it came."""
    upper = room.channel.messages
    lowest = max(0, upper - LOOK_BACK)
    while upper > lowest:
        start = max(lowest, upper - _AT_ONCE)
        for message in reversed(room.messages_after(start, upper - start)):
            if message.sender == f"bot:{bot.id}" and message.entry > bot.at:
                shown = room.shown(message, names, since=since)
                yield Said(shown.id, shown.body)
        upper = start


def drawn(
    manifest: Mapping[str, Any], params: Mapping[str, Any], newest_first: Iterable[Said]
) -> list[Panel]:
    """The panels for which something was said, in the manifest's order. ``manifest`` has passed
    `manifest.check`."""
    wanted = list(manifest.get("show", ()))
    found: dict[int, Panel] = {}
    openings: dict[int, dict[str, Any]] = {}
    for said in newest_first:
        for place, panel in enumerate(wanted):
            if place in found or said.body.get("type") != panel.get("in", said.body.get("type")):
                continue
            if "open" in panel and place not in openings:
                openings |= _opening(place, panel, said.body)
            if (value := _at(said.body, panel["of"])) is not None:
                more = _more(panel, params, manifest, said.body) | openings.get(place, {})
                title = panel.get("title", "")
                found[place] = Panel(panel["panel"], value, said.id, title, more)
        if len(found) == len(wanted):
            break
    return [found[place] for place in sorted(found)]


def _opening(
    place: int, panel: Mapping[str, Any], body: Mapping[str, Any]
) -> dict[int, dict[str, Any]]:
    """What opens a commitment, from the newest message with both; only one said after the
    commitment is met before it here."""
    opened = {name: _at(body, path) for name, path in panel["open"].items()}
    return {} if None in opened.values() else {place: opened}


def _more(
    panel: Mapping[str, Any],
    params: Mapping[str, Any],
    manifest: Mapping[str, Any],
    body: Mapping[str, Any],
) -> dict[str, Any]:
    more: dict[str, Any] = {}
    if "width" in panel:
        more["width"] = panel["width"]
    if "open" in panel:
        more["opens"] = True
    if "last" in panel:
        more["last"] = _at(body, panel["last"])
    for bound in ("low", "high"):
        if bound in panel:
            more[bound] = _bound(panel[bound], params, manifest)
    return {name: value for name, value in more.items() if value is not None}


def _bound(value: Any, params: Mapping[str, Any], manifest: Mapping[str, Any]) -> Any:
    """A number, or the param that is named, as given or as the schema says that it is without."""
    if not isinstance(value, str):
        return value
    name = value.removeprefix("param:")
    return params.get(name, _at(manifest, f"params.properties.{name}.default"))


def _at(body: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path; None where there is none."""
    value: Any = body
    for name in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value
