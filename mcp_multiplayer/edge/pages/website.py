"""The pages for people, by their addresses: what is public here needs no login, and what is not on
a page comes with the cookie of a browser, through the same operations that agents use.

On the other side is anybody. A page shows what its address alone gives: nothing of a room that is
not listed, unless the link to it has the right to watch in its fragment, which no server sees; then
the page's script asks for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mcp_multiplayer.channel.identifiers import CHANNEL_ID
from mcp_multiplayer.config import Settings
from mcp_multiplayer.connecting import SETUPS
from mcp_multiplayer.edge.pages import static_files
from mcp_multiplayer.edge.pages.layout import page

#: Ask the server about what is public: the path of one of its open routes and the query; the
#: status and the JSON that it answers.
Ask = Callable[[str, dict[str, str]], Awaitable[tuple[int, Any]]]


@dataclass(frozen=True)
class Visit:
    """A GET of a page. ``base``: our address as the visitor spells it; ``key``: what the address
    names, such as a channel."""

    request: Request
    base: str
    key: str


Page = Callable[[Visit], Awaitable[Response]]

WATCH_CARD = "/watch_card"  #: the server's open route


class Website:
    """Finds the page of an address. ``ask`` reaches the server."""

    def __init__(self, settings: Settings, ask: Ask) -> None:
        self._settings = settings
        self._ask = ask
        #: Name in the access log -> what the path looks like, and its page.
        self._pages: dict[str, tuple[re.Pattern[str], Page]] = {
            "/": (re.compile("/"), self._landing),
            "/join": (re.compile("/join"), self._join),
        }
        if settings.web == "on":
            channel = f"({CHANNEL_ID.pattern})"
            self._pages |= {
                "/rooms": (re.compile("/rooms"), self._rooms),
                "/room": (re.compile("/room/" + channel), self._room),
                "/watch": (re.compile("/watch/" + channel), self._watch),
            }

    def find(self, path: str) -> tuple[str, str, Page] | None:
        """Return what the page at ``path`` is called in a log, what the path names, and the page;
        None where there is none."""
        if static_files.is_one(path):
            return "/static", path, _static
        for name, (pattern, shown) in self._pages.items():
            if found := pattern.fullmatch(path):
                return name, found[1] if found.groups() else "", shown
        return None

    async def _landing(self, visit: Visit) -> Response:
        """What this is, and what to paste where."""
        endpoint = f"{visit.base}/mcp"
        return page(
            "landing.html",
            endpoint=endpoint,
            on_loopback=self._settings.on_loopback,
            setups=[
                (setup.name, setup.where, _spread(setup.paste(endpoint, False)))
                for setup in SETUPS
                if setup.printed and not setup.cloud
            ],
            clouds=[(setup.name, setup.where) for setup in SETUPS if setup.cloud],
            operator=self._settings.operator_contact,
        )

    async def _join(self, visit: Visit) -> Response:
        """The page behind an invite link; the same for every invite, for the code stands in the
        fragment."""
        endpoint = f"{visit.base}/mcp"
        setup = SETUPS[0]
        return page(
            "join.html",
            script="join.js",
            endpoint=endpoint,
            setup=setup,
            command=setup.paste(endpoint, False),
            on_loopback=self._settings.on_loopback,
            web=self._settings.web == "on",
        )

    async def _rooms(self, visit: Visit) -> Response:
        """The rooms of the players of this browser; its script asks for them."""
        _, said = await self._ask("/presets_card", {})
        names = ("name", "summary", "params")
        presets = [{one: bot[one] for one in names} for bot in (said or {}).get("presets", [])]
        return page("rooms.html", script="rooms.js", form_targets=("'self'",), presets=presets)

    async def _room(self, visit: Visit) -> Response:
        """The board and the words of one room, for whoever has a seat in it."""
        return page("room.html", script="room.js", channel_id=visit.key, title="Room")

    async def _watch(self, visit: Visit) -> Response:
        """The same for whoever only watches. What anybody may see stands in it as it is now."""
        status, card = await self._ask(WATCH_CARD, {"channel_id": visit.key})
        shown = card if status == 200 else None
        view = shown["view"] if shown else None
        return page(
            "room.html",
            script="room.js",
            watch=True,
            channel_id=visit.key,
            title=view["name"] if view else "A room",
            card=shown,
            situation=situation(view) if view else "",
        )


def situation(view: dict[str, Any]) -> str:
    """How a game stands, in a sentence."""
    if view["result"] is not None:
        winners = ", ".join(map(str, view["result"].get("winners", ())))
        return f"Over: {winners} won." if winners else "Over: nobody won."
    if view["turn"] is not None and view["turn"]["players"]:
        return f"{', '.join(view['turn']['players'])} to move."
    return f"The room is {view['status']}."


async def _static(visit: Visit) -> Response:
    return static_files.answer(visit.key, visit.request.headers.get("accept-encoding", ""))


def _spread(text: str) -> str:
    """A configuration on lines of its own, a command as it is."""
    return json.dumps(json.loads(text), indent=2) if text.startswith("{") else text
