"""What the server says of itself to pages that need no login: the referees that ship with it, and
its operations. Open routes, which the proxy asks (`edge/pages/`); nothing here is about a room.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mcp_multiplayer.edge.api import openapi, render_text, rest
from mcp_multiplayer.edge.api.dispatch import Dispatch
from mcp_multiplayer.errors import MultiplayerError
from mcp_multiplayer.service.bot_manager import Bot

PRESETS, OPENAPI = "/presets_card", "/openapi_card"
Json = dict[str, Any]
Endpoint = Callable[[Request], Awaitable[Response]]


def routes(dispatch: Dispatch) -> list[Route]:
    return [
        Route(PRESETS, _presets(dispatch), methods=["GET"]),
        Route(OPENAPI, _openapi(dispatch), methods=["GET"]),
    ]


async def warm_up(dispatch: Dispatch) -> None:
    """Inspect the presets, so that no visitor has to wait for it: a second of work."""
    with suppress(MultiplayerError):
        await dispatch.desk.bots.presets()


def _presets(dispatch: Dispatch) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        """{"presets": […], "library": the text that they import, "reveal_days": …}"""
        try:
            found = await dispatch.desk.bots.presets()
        except MultiplayerError as error:
            return rest.refusal(error)
        library = next((bot.library for bot in found if bot.library), "")
        days = dispatch.desk.status.limits["reveal_days"]
        presets = [preset_card(bot) for bot in found]
        return JSONResponse({"presets": presets, "library": library, "reveal_days": days})

    return endpoint


def preset_card(bot: Bot) -> Json:
    """What a page shows of a referee that ships with this server, its source among it."""
    new, manifest = bot.new, bot.new.manifest
    seats = manifest.get("seats", [])
    return {
        "name": new.name,
        "version": new.version,
        "label": new.label,
        "summary": manifest.get("summary", ""),
        "rules": render_text.rules_of(new, bot.source),
        "seats": seats,
        "min_seats": manifest.get("min_seats", len(seats)),
        "max_seats": manifest.get("max_seats", len(seats)),
        "moves": manifest.get("moves", []),
        "params": manifest.get("params", {}).get("properties", {}),
        "required": manifest.get("params", {}).get("required", []),
        "sealed": manifest.get("sealed", "opened"),
        "network": bool(new.reach.get("network")),
        "dice": bool(new.reach.get("dice")),
        "code_hash": new.code_hash,
        "manifest_hash": new.manifest_hash,
        "library": new.library,
        "source": bot.source,
    }


def _openapi(dispatch: Dispatch) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        """The document for the address that ``base`` in the query says."""
        base = request.query_params.get("base", "")
        version = dispatch.desk.status.version
        return JSONResponse(
            openapi.document(dispatch.operations.values(), base=base, version=version)
        )

    return endpoint
