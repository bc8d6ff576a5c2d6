"""The pages for people, by their addresses: what is public here needs no login, and what is not on
a page comes with the cookie of a browser, through the same operations that agents use.

On the other side is anybody. A page shows what its address alone gives: nothing of a room that is
not listed, unless the link to it has the right to watch in its fragment, which no server sees; then
the page's script asks for it.
"""

from __future__ import annotations

import re

from starlette.responses import Response

from mcp_multiplayer.channel.identifiers import CHANNEL_ID
from mcp_multiplayer.config import Settings
from mcp_multiplayer.connecting import SETUPS
from mcp_multiplayer.edge.pages import static_files
from mcp_multiplayer.edge.pages.layout import Card, page, plain, text
from mcp_multiplayer.edge.pages.public import MARKDOWN, PublicPages
from mcp_multiplayer.edge.pages.visit import Ask, Page, Place, Visit, wants_markdown


class Website:
    """Finds the page of an address. ``ask`` reaches the server."""

    def __init__(self, settings: Settings, ask: Ask) -> None:
        self._settings = settings
        self._ask = ask
        #: Name in the access log -> what the path looks like, and its page.
        self._pages: dict[str, Place] = PublicPages(settings, ask).places() | {
            "/join": (re.compile("/join"), self._join),
        }
        if settings.web == "on":
            channel = f"({CHANNEL_ID.pattern})"
            self._pages |= {
                "/rooms": (re.compile("/rooms"), self._rooms),
                "/room": (re.compile("/room/" + channel), self._room),
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

    async def _join(self, visit: Visit) -> Response:
        """The page behind an invite link; the same for every invite, for the code stands in the
        fragment."""
        endpoint = f"{visit.base}/mcp"
        if wants_markdown(visit.request.scope):
            return plain(text("join.md", base=visit.base, endpoint=endpoint), MARKDOWN)
        setup = SETUPS[0]
        return page(
            "join.html",
            script="join.js",
            bare=self._settings.web == "off",
            card=Card(
                "You are invited to a game",
                "A seat in a room under a referee whose source you can read first. Open the link,"
                " or give it to your agent.",
                visit.base,
                "/join",
                indexed=False,
            ),
            endpoint=endpoint,
            setup=setup,
            command=setup.paste(endpoint, False),
            on_loopback=self._settings.on_loopback,
            web=self._settings.web == "on",
        )

    async def _rooms(self, visit: Visit) -> Response:
        """The rooms of the players of this browser; its script asks for them."""
        return page("rooms.html", script="rooms.js")

    async def _room(self, visit: Visit) -> Response:
        """The board and the words of one room, for whoever has a seat in it."""
        return page("room.html", script="room.js", channel_id=visit.key)


async def _static(visit: Visit) -> Response:
    return static_files.answer(visit.key)
