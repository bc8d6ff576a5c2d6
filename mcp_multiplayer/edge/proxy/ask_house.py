"""Asking the server's own player to an invite.

On the other side is anybody who holds an invite: it opens one seat, and the house may have it as
well as whoever was meant. Addresses are counted, for each question makes the house look at a room.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mcp_multiplayer.config import Settings
from mcp_multiplayer.edge import body
from mcp_multiplayer.edge.api import errors
from mcp_multiplayer.edge.proxy.address import Addresses
from mcp_multiplayer.errors import InvalidRequest, MultiplayerError, RateLimited, TooLarge
from mcp_multiplayer.house import invitations
from mcp_multiplayer.ratelimit import RateLimit

PATH = "/ask_house"
PER_MINUTE = 20  #: of an address
_MAX_BODY = 4096

Endpoint = Callable[[Request], Awaitable[Response]]


def routes(
    settings: Settings, addresses: Addresses, asked: RateLimit
) -> dict[tuple[str, str], Endpoint]:
    """Return (method, path) -> handler; nothing where no house plays."""

    async def endpoint(request: Request) -> Response:
        """{"invite_code": …} -> {"channel_id", "seated", "preset", "level"}"""
        try:
            if (wait := asked.take(addresses.sender(request.scope))) > 0:
                raise RateLimited("the house was asked too often from here", retry_after=wait)
            invite = await _invite(request)
            answer = JSONResponse(await invitations.ask(settings, invite))
        except MultiplayerError as error:
            headers = errors.headers(error)
            answer = JSONResponse(errors.body(error), errors.status(error), headers)
        answer.headers["Cache-Control"] = "no-store"
        return answer

    return {("POST", PATH): endpoint} if settings.house_players else {}


async def _invite(request: Request) -> str:
    try:
        invite = json.loads(await body.read(request, _MAX_BODY))["invite_code"]
    except body.TooLong:
        raise TooLarge("that is too long for an invite") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        invite = None
    if not isinstance(invite, str):
        raise InvalidRequest("invite_code is missing", hint='Send {"invite_code": "inv_…"}.')
    return invite
