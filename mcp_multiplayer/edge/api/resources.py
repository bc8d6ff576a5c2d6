"""Rooms and referees as MCP resources: what get_channel_info and get_bot_code show, for clients
that put it before the model themselves.

On the other side is whoever holds a token. Who may read is decided where those two operations
decide it, `ChannelManager.look`, with the same words for a stranger. No message stands in either
resource, so nothing private can. A reader takes nothing away: the author's log stays for the next
answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from fastmcp import FastMCP
from fastmcp.resources.template import ResourceTemplate
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    ListResourcesResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    TextResourceContents,
)
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from mcp_multiplayer.edge.api import errors, render_json, render_text
from mcp_multiplayer.edge.api.dispatch import Dispatch
from mcp_multiplayer.edge.api.errors import Internal
from mcp_multiplayer.edge.api.operations import info
from mcp_multiplayer.edge.api.operations.base import OperationsBase
from mcp_multiplayer.edge.identity import Caller, Identify
from mcp_multiplayer.errors import InvalidRequest, Later, MultiplayerError

ROOM = "mpx://channel/{channel_id}"
BOT = ROOM + "/bot/{bot_id}"
_URI = re.compile(r"mpx://channel/([^/?#]{1,100})(?:/bot/([^/?#]{1,100}))?")
_LISTED = 100
RESOURCE_NOT_FOUND = -32002  #: of 2025-11-25 and before; retired since
_T = TypeVar("_T")


class Shown(NamedTuple):
    """A resource as it is read."""

    text: str
    mime: str


def read(desk: OperationsBase, caller: Caller, uri: str) -> Shown:
    """What a URI stands for, or a refusal."""
    found = _URI.fullmatch(uri)
    if found is None:
        raise InvalidRequest("there is no such resource", hint=f"There are {ROOM} and {BOT}.")
    room, who = desk.channels.look(found[1], caller.account)
    if found[2] is None:
        data = {
            "view": render_json.view(room, room.channel.seats_of(who)),
            "bots": render_json.bots(room),
        }
        return Shown(json.dumps(data, ensure_ascii=False), "application/json")
    bot = info.bot_of(room.channel, found[2])
    return Shown(room.source(bot.code_hash), "text/x-python")


def listed(desk: OperationsBase, caller: Caller) -> list[Resource]:
    """The caller's own rooms, each with its referees."""
    found: list[Resource] = []
    for room, _ in desk.channels.rooms_of(caller.account, limit=_LISTED).rooms:
        name = render_text.plain(room.channel.name)
        uri = ROOM.format(channel_id=room.channel_id)
        found.append(Resource(uri=uri, name=name, mime_type="application/json"))
        for bot in room.channel.bots:
            found.append(
                Resource(
                    uri=f"{uri}/bot/{bot.id}", name=f"{name}: {bot.id}", mime_type="text/x-python"
                )
            )
    return found[:_LISTED]


def offer(mcp: FastMCP[None], dispatch: Dispatch, identify: Identify) -> None:
    """Add them to a server, beside the same low-level seam as the tools."""
    mcp.add_template(_template(ROOM, "Room", "Seats, turn, result, referees of a room of yours."))
    mcp.add_template(_template(BOT, "Referee", "Exact source of a referee; sha256: code_hash."))

    async def on_read(
        ctx: ServerRequestContext[Any, Any], params: ReadResourceRequestParams
    ) -> ReadResourceResult:
        uri = str(params.uri)

        def reading(who: Caller) -> Shown:
            return read(dispatch.desk, who, uri)

        shown = await _asked(dispatch, identify, ctx, reading, uri=uri)
        contents = TextResourceContents(uri=uri, text=shown.text, mime_type=shown.mime)
        return ReadResourceResult(contents=[contents])

    async def on_list(
        ctx: ServerRequestContext[Any, Any], params: PaginatedRequestParams | None
    ) -> ListResourcesResult:
        found = await _asked(dispatch, identify, ctx, lambda who: listed(dispatch.desk, who))
        return ListResourcesResult(resources=found)

    low = mcp._mcp_server
    low.add_request_handler("resources/read", ReadResourceRequestParams, on_read)
    low.add_request_handler("resources/list", PaginatedRequestParams, on_list)


async def _asked(
    dispatch: Dispatch,
    identify: Identify,
    ctx: ServerRequestContext[Any, Any],
    work: Callable[[Caller], _T],
    **told: str,
) -> _T:
    """Do it for whoever is calling; a refusal in the words that tools use, with
    ``told`` in its data."""
    assert ctx.request is not None  # calls come over HTTP only
    caller = identify(ctx.request.scope)

    async def working() -> _T:
        return work(caller)

    try:
        return await dispatch.settle("resources", caller, working)
    except (Later, Internal) as error:
        raise MCPError(**errors.rpc(error, INTERNAL_ERROR)) from None
    except MultiplayerError as error:
        raise MCPError(**errors.rpc(error, _not_found(ctx), **told)) from None


def _not_found(ctx: ServerRequestContext[Any, Any]) -> int:
    """The code for a resource that is not there, or not for this caller: in the era of the
    handshake one of its own (2025-11-25, server/resources), later that of any wrong parameter."""
    legacy = ctx.protocol_version in HANDSHAKE_PROTOCOL_VERSIONS
    return RESOURCE_NOT_FOUND if legacy else INVALID_PARAMS


def _template(uri: str, name: str, description: str) -> ResourceTemplate:
    """A template as it is listed; reads do not come this way."""
    return ResourceTemplate(
        uri_template=uri,
        name=name,
        description=description,
        mime_type="text/x-python" if uri == BOT else "application/json",
        parameters={},
    )
