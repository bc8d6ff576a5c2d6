"""What is said of a finished game in one line: on its page, and on the card that chat programs make
of a link to it.

On the other side are strangers' words: labels, a referee's name, its reason for the result. They
come out bounded and on one line, with what turns or hides text written out; the template escapes
them. static/match.js says the same of a file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mcp_multiplayer.edge.api.render_text import plain
from mcp_multiplayer.edge.pages.layout import Card

MOST = 200  #: characters; chat programs show fewer
_REST = "Step through the game and check its record."
_WORDS = re.compile(r"([a-z])([A-Z])")


def share(
    players: Sequence[str],
    referee: str,
    result: Mapping[str, Any] | None,
    entries: int,
    *,
    base: str,
    path: str,
    indexed: bool = True,
) -> Card:
    """Return what a link to this game says, at most `MOST` characters each. ``players`` are the
    labels of who sat down, ``referee`` the name of the first bot, "" without one, ``result`` what
    it ended the game with."""
    reason = (result or {}).get("reason")
    said = _cut(_line(reason), MOST // 2) if isinstance(reason, str) and reason else ""
    told = f"{said} · {entries} entries. {_REST}" if said else f"{entries} entries. {_REST}"
    return Card(headline(players, referee, result), told, base, path, indexed=indexed)


def headline(players: Sequence[str], referee: str, result: Mapping[str, Any] | None) -> str:
    """The result in a line: "alice beat bob · Chess"."""
    named = (result or {}).get("winners")
    winners = [str(one) for one in named] if isinstance(named, list | tuple) else []
    others = [one for one in players if one not in winners]
    if len(winners) == 1 and len(others) == 1:
        line = f"{winners[0]} beat {others[0]}"
    elif winners:
        line = f"{' and '.join(winners)} won"
    else:
        line = f"{' and '.join(players)}: {'not over' if result is None else 'nobody won'}"
    game = _WORDS.sub(r"\1 \2", referee.removesuffix("Bot"))
    return _cut(_line(f"{line} · {game}" if game else line), MOST)


def _line(text: str) -> str:
    return plain(" ".join(text.split()))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
