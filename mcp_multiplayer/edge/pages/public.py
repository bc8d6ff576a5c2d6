"""The pages that need no login and are about no room: what this is, its games, its interface, and
what agents, crawlers and chats ask for instead of a page.

On the other side is anybody. What a referee's author wrote is escaped by the template; what an
operator wrote about privacy is shown as text.
"""

from __future__ import annotations

import json
import re
from typing import Any

from starlette.responses import Response

from mcp_multiplayer.config import Settings
from mcp_multiplayer.connecting import SETUPS
from mcp_multiplayer.edge import product
from mcp_multiplayer.edge.pages import example, prose, reference
from mcp_multiplayer.edge.pages.layout import Card, page, plain, refusal_page, text
from mcp_multiplayer.edge.pages.presets import Preset, Presets, Shelf
from mcp_multiplayer.edge.pages.visit import Ask, Place, Visit, wants_markdown

#: Referees whose game can be tried at once, in the order of the start page.
PLAY_NOW = (
    "TicTacToeBot",
    "ConnectFourBot",
    "ChessBot",
    "GuessBot",
    "RockPaperScissorsBot",
    "WordBot",
    "BlackjackBot",
    "TriviaBot",
)
OPENAPI, LISTED_ROOMS = "/openapi_card", "/listed_rooms"  #: open routes of the server
LIVE = 3  #: rooms on the start page
MARKDOWN = "text/markdown"
RETRY_SECONDS = 2.0
#: What search engines may keep, and what has to be read for a chat to show a card of it: the page
#: behind an invite says itself that it is not to be kept.
_CRAWLED = ("/$", "/games", "/api", "/llms.txt", "/openapi.json", "/privacy", "/terms", "/join")
_LOADED = ("/static/", "/favicon.svg")
_PRESET = re.compile("/games/([A-Z][A-Za-z]{1,40}Bot)")
_SOURCE = re.compile("/games/([A-Z][A-Za-z]{1,40}Bot|referee)\\.py")


class PublicPages:
    """See the module. ``ask`` reaches the server."""

    def __init__(self, settings: Settings, ask: Ask) -> None:
        self._settings = settings
        self._ask = ask
        self.shelf = Shelf(ask)
        self._bare = settings.web == "off"
        self._house = settings.house_players > 0
        self._privacy = _of_operator("PRIVACY_FILE", settings.privacy_file)
        self._terms = _of_operator("TERMS_FILE", settings.terms_file)

    def places(self) -> dict[str, Place]:
        """Name in the access log -> what the path looks like, and its page."""
        always: dict[str, Place] = {
            "/": (re.compile("/"), self._landing),
            "/robots.txt": (re.compile("/robots\\.txt"), self._robots),
        }
        if self._bare:
            return always
        return always | {
            "/games": (re.compile("/games"), self._games),
            "/games/preset": (_PRESET, self._game),
            "/games/source": (_SOURCE, self._source),
            "/api": (re.compile("/api"), self._api),
            "/openapi.json": (re.compile("/openapi\\.json"), self._openapi),
            "/llms.txt": (re.compile("/llms\\.txt"), self._llms),
            "/sitemap.xml": (re.compile("/sitemap\\.xml"), self._sitemap),
            "/privacy": (re.compile("/privacy"), self._show_privacy),
            "/terms": (re.compile("/terms"), self._show_terms),
        }

    # --- what this is ----------------------------------------------------------------------

    async def _landing(self, visit: Visit) -> Response:
        """What this is, what there is to play, and what to paste where."""
        if wants_markdown(visit.request.scope) and not self._bare:
            return await self._llms(visit)
        presets = None if self._bare else await self.shelf.presets()
        games = [presets.named(name) for name in PLAY_NOW] if presets else []
        return page(
            "landing.html",
            script="start.js",
            bare=self._bare,
            house=self._house,
            card=Card(product.NAME, product.DESCRIPTION, visit.base, "/"),
            games=[game for game in games if game],
            rooms=[] if self._bare else await self._listed(),
            board=example.board(),
            last_moves=example.last_moves(3),
            example=example,
            operator=self._settings.operator_contact,
            **self._connecting(visit),
        )

    async def _listed(self) -> list[dict[str, Any]]:
        """The liveliest of the rooms that anybody may watch."""
        _, said = await self._ask(LISTED_ROOMS, {})
        rooms: list[dict[str, Any]] = (said or {}).get("rooms", [])
        return [room for room in rooms if len(room["players"]) > 1][:LIVE]

    def _connecting(self, visit: Visit) -> dict[str, Any]:
        endpoint = f"{visit.base}/mcp"
        local = self._settings.on_loopback
        setups = [one for one in SETUPS if one.printed and not (one.cloud and local)]
        return {
            "endpoint": endpoint,
            "on_loopback": local,
            "setups": [
                (setup, _spread(setup.paste(endpoint, self._settings.unencrypted)))
                for setup in setups
            ],
            "clouds": [setup.name for setup in SETUPS if setup.cloud],
        }

    # --- games -----------------------------------------------------------------------------

    async def _games(self, visit: Visit) -> Response:
        presets = await self.shelf.presets()
        if presets is None:
            return _away()
        return page(
            "games.html",
            here="/games",
            card=Card(
                "Games: MCP Multiplayer",
                "Games that agents and people play here, each under a referee with public source.",
                visit.base,
                "/games",
            ),
            games=presets.all,
        )

    async def _game(self, visit: Visit) -> Response:
        presets = await self.shelf.presets()
        if presets is None:
            return _away()
        game = presets.named(visit.key)
        if game is None:
            return _no_such_game()
        values = self._of_game(visit, presets, game)
        if wants_markdown(visit.request.scope):
            return plain(text("game.md", **values), MARKDOWN)
        summary = f"{game.told['summary']} {game.seats}; the referee's whole source."
        card = Card(f"{game.title}: MCP Multiplayer", summary, visit.base, visit.request.url.path)
        return page("game.html", script="start.js", here="/games", card=card, **values)

    def _of_game(self, visit: Visit, presets: Presets, game: Preset) -> dict[str, Any]:
        address = f"{visit.base}/games/{game.name}"
        return {
            "game": game,
            "told": game.told,
            "address": address,
            "reveal_days": f"{presets.reveal_days:g}",
            "check": f"curl -s {address}.py | sha256sum",
            "plays": self._house and game.name in PLAY_NOW,
        }

    async def _source(self, visit: Visit) -> Response:
        """The text whose hash a room names, to the byte."""
        presets = await self.shelf.presets()
        if presets is None:
            return _away()
        if visit.key == "referee":
            return plain(presets.library)
        game = presets.named(visit.key)
        return plain(game.told["source"]) if game else _no_such_game()

    # --- interface -------------------------------------------------------------------------

    async def _document(self, visit: Visit) -> dict[str, Any] | None:
        status, said = await self._ask(OPENAPI, {"base": visit.base})
        return said if status == 200 and isinstance(said, dict) and "paths" in said else None

    async def _openapi(self, visit: Visit) -> Response:
        document = await self._document(visit)
        if document is None:
            return _away()
        answer = plain(json.dumps(document, indent=1, ensure_ascii=False), "application/json")
        answer.headers["Access-Control-Allow-Origin"] = "*"  # tools in other pages read it
        return answer

    async def _api(self, visit: Visit) -> Response:
        document = await self._document(visit)
        if document is None:
            return _away()
        return page(
            "api.html",
            script="copy.js",
            here="/api",
            card=Card(
                "API: MCP Multiplayer",
                "Every operation, as an MCP tool and as a REST route, with its arguments and the"
                " codes of its refusals.",
                visit.base,
                "/api",
            ),
            base=visit.base,
            operations=reference.operations(document),
            codes=reference.codes(document),
        )

    async def _llms(self, visit: Visit) -> Response:
        """What an agent reads first (llmstxt.org)."""
        document, presets = await self._document(visit), await self.shelf.presets()
        if document is None or presets is None:
            return _away()
        said = text(
            "llms.md",
            product=product,
            base=visit.base,
            operations=reference.operations(document),
            codes=reference.codes(document),
            games=presets.all,
            operator=self._settings.operator_contact,
        )
        return plain(said, MARKDOWN if wants_markdown(visit.request.scope) else "text/plain")

    # --- crawlers --------------------------------------------------------------------------

    async def _robots(self, visit: Visit) -> Response:
        allowed = ("/$", "/join") if self._bare else _CRAWLED
        lines = ["User-agent: *", *(f"Allow: {path}" for path in (*allowed, *_LOADED))]
        lines.append("Disallow: /")
        if not self._bare:
            lines.append(f"Sitemap: {visit.base}/sitemap.xml")
        return plain("\n".join(lines) + "\n")

    async def _sitemap(self, visit: Visit) -> Response:
        presets = await self.shelf.presets()
        games = [f"/games/{game.name}" for game in presets.all] if presets else []
        paths = ["/", "/games", *games, "/api", "/privacy", "/terms"]
        return plain(text("sitemap.xml", base=visit.base, paths=paths), "application/xml")

    # --- the operator's words --------------------------------------------------------------

    async def _show_privacy(self, visit: Visit) -> Response:
        described = "What this server stores about those who use it."
        return self._prose(visit, "Privacy", self._privacy, "privacy.md", described)

    async def _show_terms(self, visit: Visit) -> Response:
        described = "On which terms this server may be used."
        return self._prose(visit, "Terms", self._terms, "terms.md", described)

    def _prose(self, visit: Visit, name: str, own: str, default: str, described: str) -> Response:
        said = own or text(default, operator=self._settings.operator_contact)
        if wants_markdown(visit.request.scope):
            return plain(said, MARKDOWN)
        title = prose.title(said, name)
        card = Card(f"{name}: {product.NAME}", described, visit.base, visit.request.url.path)
        return page("prose.html", card=card, heading=title, blocks=prose.blocks(said))


def _of_operator(setting: str, path: str) -> str:
    return prose.read(setting, path) if path else ""


def _away() -> Response:
    message = "The game server is not reachable at the moment."
    hint = "It is most likely being restarted. Load this page again in a few seconds."
    return refusal_page(503, message, hint, wait=RETRY_SECONDS)


def _no_such_game() -> Response:
    hint = "list_bots names the presets; /games shows them."
    return refusal_page(404, "There is no such game here.", hint)


def _spread(pasted: str) -> str:
    """A configuration on lines of its own, a command as it is."""
    return json.dumps(json.loads(pasted), indent=2) if pasted.startswith("{") else pasted
