"""The panels of a room in words and letters, for a model or a terminal.

On the other side is a stranger's bot that would like to speak in the server's voice: every line
drawn from its words begins with ``| ``, and what it could use to begin another is escaped. A value
of another shape than its panel's is shown as JSON.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mcp_multiplayer.edge.api import render_text
from mcp_multiplayer.service.boards import Panel

ROWS = 50  #: of a table
CELL, LINE = 12, 400  #: characters of a cell of a grid, and of any other value
MOST_CELLS = 400
_FEN = re.compile(r"([1-8pnbrqkPNBRQK]{1,8}/){7}[1-8pnbrqkPNBRQK]{1,8} [wb]( \S{1,6}){0,4}")
_FILES = "a b c d e f g h"


def items(bot_id: str, panels: Iterable[Panel]) -> list[dict[str, Any]]:
    """Items of ``boards``: ``message`` is the number of the message that is drawn."""
    return [
        {
            "bot_id": bot_id,
            "panel": panel.kind,
            "value": panel.value,
            "message": panel.message,
            **({"title": panel.title} if panel.title else {}),
            **panel.more,
        }
        for panel in panels
    ]


def lines(bot_id: str, panels: Iterable[Panel], counts: str = "") -> list[str]:
    """A heading for each panel and what it shows. ``counts``: what a panel's ``message`` is the
    number of, where no messages are counted."""
    told = []
    for panel in panels:
        title = f" {render_text.quoted(panel.title)}" if panel.title else ""
        told.append(f"board: {panel.kind}{title}, from bot:{bot_id} [{counts}{panel.message}]")
        shown = _DRAWN[panel.kind](panel.value, panel.more)
        told += [f"| {line}" for line in shown or [_short(panel.value)]]
    return told


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _short(value: Any) -> str:
    return _cut(render_text.quoted(value), LINE)


def _bare(value: Any) -> str:
    """Of a text what stands between its quotation marks."""
    text = render_text.quoted(value)
    return text[1:-1] if isinstance(value, str) else text


def _text(value: Any) -> str:
    return _cut(_bare(value), LINE)


def _cell(value: Any) -> str:
    return _cut(_bare(value).strip(), CELL) or "."


def _chess(value: Any, more: Mapping[str, Any]) -> list[str]:
    """Rows from 8 to 1; White's pieces are capitals."""
    if not isinstance(value, str) or not _FEN.fullmatch(value):
        return []
    placed, side = value.split(" ")[:2]
    ranks = [re.sub("[1-8]", lambda blank: "." * int(blank[0]), rank) for rank in placed.split("/")]
    if any(len(rank) != 8 for rank in ranks):
        return []
    last = f", last move {_cell(more['last'])}" if "last" in more else ""
    return [
        *(f"{8 - row} {' '.join(rank)}" for row, rank in enumerate(ranks)),
        f"  {_FILES}",
        f"{'White' if side == 'w' else 'Black'} to move{last}",
    ]


def _grid(value: Any, more: Mapping[str, Any]) -> list[str]:
    if not isinstance(value, list) or not 0 < len(value) <= MOST_CELLS:
        return []
    cells = [_cell(one) for one in value]
    size = max(map(len, cells))
    width = more["width"]
    rows = [cells[start : start + width] for start in range(0, len(cells), width)]
    return [" ".join(cell.ljust(size) for cell in row).rstrip() for row in rows]


def _cards(value: Any, _: Mapping[str, Any]) -> list[str]:
    """A hand, or one for each name; hands of a player who has several are split by a bar."""
    if isinstance(value, Mapping):
        return [f"{_cell(name)}: {_hand(hand)}" for name, hand in _first(value.items())]
    if isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
        return [f"{_cell(one.get('player', ''))}: {_hand(one)}" for one in _first(value)]
    return [_hand(value)] if isinstance(value, list | str) else []


def _hand(hand: Any) -> str:
    if isinstance(hand, Mapping):
        hand = hand.get("cards")
    if not isinstance(hand, list):
        return _text(hand)
    if hand and all(isinstance(one, list | Mapping) for one in hand):
        return " | ".join(_hand(one) for one in _first(hand))
    return " ".join(_cell(card) for card in _first(hand)) or "no cards"


def _dice(value: Any, _: Mapping[str, Any]) -> list[str]:
    rolled = value if isinstance(value, list) else [value]
    return [" ".join(_cell(die) for die in _first(rolled))]


def _table(value: Any, _: Mapping[str, Any]) -> list[str]:
    if isinstance(value, Mapping):
        return [f"{_cell(name)}: {_text(one)}" for name, one in _first(value.items())]
    if isinstance(value, list):
        return [_row(row) for row in _first(value)]
    return []


def _row(row: Any) -> str:
    if isinstance(row, Mapping):
        return ", ".join(f"{_cell(name)}: {_text(one)}" for name, one in _first(row.items()))
    if isinstance(row, list):
        return ", ".join(_text(one) for one in _first(row))
    return _text(row)


def _said(value: Any, _: Mapping[str, Any]) -> list[str]:
    return [_short(value)]


def _range(value: Any, more: Mapping[str, Any]) -> list[str]:
    low, high = more.get("low"), more.get("high")
    bounds = "" if low is None or high is None else f" of {_short(low)} to {_short(high)}"
    return [f"{_short(value)}{bounds}"]


def _hash(value: Any, more: Mapping[str, Any]) -> list[str]:
    if "salt" not in more:
        return [_short(value) + (", not opened yet" if "opens" in more else "")]
    text, salt = more["text"], more["salt"]
    written = text if isinstance(text, str) else render_text.quoted(text)
    opened = f"opened: text {_short(text)}, salt {_short(salt)}"
    agrees = hashlib.sha256(f"{written}{salt}".encode("utf-8", "replace")).hexdigest() == value
    return [
        _short(value),
        f"{opened}; their SHA-256 is {'this' if agrees else 'ANOTHER: this opening is false'}",
    ]


def _first(items: Iterable[Any]) -> list[Any]:
    """As many as are shown."""
    return list(itertools.islice(items, ROWS))


_DRAWN: Mapping[str, Callable[[Any, Mapping[str, Any]], list[str]]] = {
    "chess": _chess,
    "grid": _grid,
    "cards": _cards,
    "dice": _dice,
    "table": _table,
    "text": _said,
    "range": _range,
    "hash": _hash,
}
