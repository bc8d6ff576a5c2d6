"""The pages for people, by their addresses: what is public here needs no login, and what is not on
a page comes with the cookie of a browser, through the same operations that agents use.

On the other side is anybody. A page shows what its address alone gives: nothing of a room that is
not listed, unless the link to it has the right to watch in its fragment, which no server sees; then
the page's script asks for it.
"""

from __future__ import annotations

import json
import re
from typing import Any

from anyio.to_thread import run_sync
from starlette.responses import Response

from mcp_multiplayer.channel.identifiers import CHANNEL_ID
from mcp_multiplayer.config import Settings
from mcp_multiplayer.connecting import SETUPS
from mcp_multiplayer.edge.pages import match, static_files
from mcp_multiplayer.edge.pages.layout import Card, page, plain, text
from mcp_multiplayer.edge.pages.match_file import match_file
from mcp_multiplayer.edge.pages.public import MARKDOWN, PublicPages
from mcp_multiplayer.edge.pages.visit import Ask, Page, Place, Visit, wants_markdown

WATCH_CARD = "/watch_card"  #: the server's open route


class Website:
    """Finds the page of an address. ``ask`` reaches the server."""

    def __init__(self, settings: Settings, ask: Ask) -> None:
        self._settings = settings
        self._ask = ask
        #: Name in the access log -> what the path looks like, and its page.
        public = PublicPages(settings, ask)
        self._shelf = public.shelf
        self._pages: dict[str, Place] = public.places() | {
            "/join": (re.compile("/join"), self._join),
        }
        if settings.web == "on":
            channel = f"({CHANNEL_ID.pattern})"
            self._pages |= {
                "/rooms": (re.compile("/rooms"), self._rooms),
                "/room": (re.compile("/room/" + channel), self._room),
                "/watch": (re.compile("/watch/" + channel), self._watch),
                "/match": (re.compile("/match/" + channel), self._match),
                "/match.html": (re.compile(r"/match\.html"), self._match_file),
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
        shelf = await self._shelf.presets()
        names = ("name", "summary", "params")
        presets = [{one: bot.told[one] for one in names} for bot in shelf.all] if shelf else []
        return page("rooms.html", script="rooms.js", here="/rooms", presets=presets)

    async def _room(self, visit: Visit) -> Response:
        """The board and the words of one room, for whoever has a seat in it."""
        return page("room.html", script="room.js", channel_id=visit.key, title="Room")

    async def _watch(self, visit: Visit) -> Response:
        """The same for whoever only watches. What anybody may see stands in it as it is now."""
        status, shown = await self._ask(WATCH_CARD, {"channel_id": visit.key})
        values: dict[str, Any] = {"watch": True, "channel_id": visit.key, "title": "A room"}
        if status == 200:
            view = shown["view"]
            stands = situation(view)
            values |= {
                "title": view["name"],
                "shown": shown,
                "situation": stands,
                "players": _players(view),
                "log": shown["log"],
                "over": view["result"] is not None or view["status"] == "closed",
                "base": visit.base,
                "card": Card(
                    f"{view['name']}: MCP Multiplayer",
                    f"{_players(view)}. {stands}",
                    visit.base,
                    f"/watch/{visit.key}",
                ),
            }
            if wants_markdown(visit.request.scope):
                # A stranger's words in quotation marks, as agents read them everywhere.
                values["quoted"] = json.dumps(view["name"], ensure_ascii=False)
                return plain(text("watch.md", **values), MARKDOWN)
        return page("room.html", script="room.js", **values)

    async def _match(self, visit: Visit) -> Response:
        """A game to step through, with its checks. What anybody may know stands in it."""
        status, shown = await self._ask(WATCH_CARD, {"channel_id": visit.key})
        values: dict[str, Any] = {"channel_id": visit.key, "facts": None}
        if status == 200:
            view = shown["view"]
            bot = view["bots"][0] if view["bots"] else {"name": "", "code_hash": ""}
            size = view["head"]["size"]
            values["card"] = match.share(
                _seated(view),
                bot["name"],
                view["result"],
                size,
                base=visit.base,
                path=f"/match/{visit.key}",
            )
            values["facts"] = {
                "players": _seated(view),
                "referee": bot["name"],
                "code_hash": bot["code_hash"],
                "result": situation(view),
                "entries": size,
                "root": view["head"]["root"],
            }
        return page("match.html", script="match_page.js", **values)

    async def _match_file(self, visit: Visit) -> Response:
        """The viewer as a file: empty, for whichever record; or for one to be put in."""
        made = await run_sync(match_file, b"" if "record" in visit.request.query_params else None)
        headers = {
            "Content-Disposition": 'attachment; filename="match.html"',
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
        return Response(made, media_type="text/html; charset=utf-8", headers=headers)


def _seated(view: dict[str, Any]) -> list[str]:
    seats = (one for one in view["slots"] if one["kind"] == "invite")
    return [one["label"] for one in seats if one["state"] in ("taken", "left")]


def _players(view: dict[str, Any]) -> str:
    return " v ".join(_seated(view)) or "Nobody is seated"


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
