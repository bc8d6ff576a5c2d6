"""The server's face to the proxy: MCP on `/mcp`, REST twins beside it.

On the other side is whoever can reach the port. Without the proxy's signed caller only
`/healthz` answers, and what carries its own proof: the card of an invite (for the join
page, by its code), the file behind a link of get_transcript (by its ticket), and what is the same
for everybody: the verifier, the referees that ship with the server, and its operations.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_multiplayer.edge import identity
from mcp_multiplayer.edge.api import about, cards, errors, rest, tools
from mcp_multiplayer.edge.api.dispatch import Dispatch
from mcp_multiplayer.edge.api.envelope import Envelope
from mcp_multiplayer.edge.api.events import Events
from mcp_multiplayer.edge.api.mcp_call import Calls
from mcp_multiplayer.edge.api.operations.combined import Operations
from mcp_multiplayer.edge.api.operations.transcripts import PATH as TRANSCRIPT
from mcp_multiplayer.edge.identity import Caller, Checker, NotSigned
from mcp_multiplayer.errors import InvalidRequest, MultiplayerError
from mcp_multiplayer.service.channel_manager import ChannelManager
from mcp_multiplayer.service.watching import Watching
from mcp_multiplayer.verifier import build

log = logging.getLogger(__name__)

_CALLER = "mpx.caller"
_HEADER = identity.HEADER.encode()
VERIFIER = "/verifier.pyz"
INVITE_CARD, WATCH_CARD, LISTED_ROOMS = "/invite_card", "/watch_card", "/listed_rooms"
EVENTS, WATCH_EVENTS, WATCH_RECORD = "/events", "/watch_events", "/watch_record"
OPEN = frozenset(
    {
        *("/healthz", VERIFIER, about.PRESETS, about.OPENAPI, INVITE_CARD, LISTED_ROOMS),
        *(WATCH_CARD, WATCH_EVENTS, WATCH_RECORD),
    }
)


class Face:
    """A raw ASGI callable: who is calling is settled before any framework runs."""

    def __init__(
        self,
        mcp: ASGIApp,
        rest_app: ASGIApp,
        checker: Checker,
        stop: Callable[[], None],
        warm_up: Callable[[], Awaitable[None]],
    ) -> None:
        self._mcp = mcp
        self._rest = rest_app
        self._checker = checker
        self._stop = stop
        self.warm_up = warm_up  #: do what the first visitor would wait for

    async def stop(self) -> None:
        """Answer everybody who waits: the server is about to end."""
        self._stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._mcp(scope, receive, send)  # the lifespan of its session manager
            return
        if scope["path"] not in OPEN and not scope["path"].startswith(TRANSCRIPT):
            statement = next((v for k, v in scope["headers"] if k == _HEADER), b"")
            try:
                scope[_CALLER] = self._checker.check(statement.decode("latin-1"))
            except NotSigned as error:
                log.info("refused a request without a signed caller: %s", error)
                await _unsigned(scope, receive, send)
                return
        inner = self._mcp if scope["path"] == "/mcp" else self._rest
        await inner(scope, receive, send)


async def _unsigned(scope: Scope, receive: Receive, send: Send) -> None:
    body = {
        "error": "UNAUTHORIZED",
        "message": "requests come through the proxy only",
        "hint": "Connect to the proxy's address (PUBLIC_URL, port 8100 by default).",
    }
    await JSONResponse(body, 401)(scope, receive, send)


def caller(scope: Scope) -> Caller:
    """Who the proxy says is calling; `Face` has checked it."""
    found: Caller = scope[_CALLER]
    return found


def face(
    website: str,
    version: str,
    dispatch: Dispatch,
    channels: ChannelManager,
    checker: Checker,
    events: Events,
) -> Face:
    """Both projections of ``dispatch`` behind the check of the caller, and what pages are shown.
    ``website``: the address of the pages for people, no trailing slash."""
    mcp = tools.server(website, version, dispatch, caller)
    # Stateless: no session is kept in either era, so a restart strands nobody.
    mcp_app = mcp.http_app(path="/mcp", stateless_http=True, json_response=True)
    watching = events.watching
    open_routes = [
        Route("/healthz", _healthz, methods=["GET"]),
        Route(INVITE_CARD, _invite_card(channels), methods=["POST"]),
        Route(WATCH_CARD, _watch_card(channels, watching), methods=["GET"]),
        Route(LISTED_ROOMS, _listed_rooms(channels, watching), methods=["GET"]),
        Route(EVENTS, events.of_account(caller), methods=["GET"]),
        Route(WATCH_RECORD, _watched_record(dispatch.desk), methods=["GET"]),
        Route(WATCH_EVENTS, events.of_watcher(), methods=["GET"]),
        Route(VERIFIER, _verifier, methods=["GET"]),
        Route(TRANSCRIPT + "{ticket}", _record(dispatch.desk), methods=["GET"]),
        *about.routes(dispatch),
    ]
    rest_app = Starlette(
        routes=[*open_routes, *rest.routes(dispatch, caller)],
        exception_handlers={404: _no_such_route, 405: _no_such_route},
    )
    # A redirect would name this server's own address, which no caller can reach.
    rest_app.router.redirect_slashes = False
    calls = Calls(mcp_app, dispatch, caller, tools.info(mcp))
    warm_up = functools.partial(about.warm_up, dispatch)
    return Face(Envelope(calls), rest_app, checker, dispatch.stop, warm_up)


async def _healthz(request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _verifier(request: Request) -> Response:
    """The verifier as one file. Whoever distrusts this server takes it from somebody else."""
    data = await asyncio.to_thread(_built)
    headers = {"Content-Disposition": 'attachment; filename="verifier.pyz"'}
    return Response(data, media_type="application/octet-stream", headers=headers)


@functools.cache
def _built() -> bytes:
    return build.build()


async def _no_such_route(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    headers = getattr(error, "headers", None) or {}
    refusal = InvalidRequest(
        "there is no such operation", hint="POST or GET /<operation>; the MCP endpoint is /mcp."
    )
    if status == 405:
        methods = " or ".join(sorted({*headers["Allow"].split(", ")} - {"HEAD"}))
        refusal = InvalidRequest(
            f"this operation is not asked with {request.method}", hint=f"Use {methods}."
        )
    return JSONResponse(errors.body(refusal), status, headers)


Endpoint = Callable[[Request], Awaitable[Response]]


def _invite_card(channels: ChannelManager) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            code = rest.read_json(await request.body()).get("invite_code")
            if not isinstance(code, str):
                raise InvalidRequest("invite_code is missing")
            return JSONResponse(cards.invite_card(channels, code))
        except MultiplayerError as error:
            return rest.refusal(error)

    return endpoint


def _watch_card(channels: ChannelManager, watching: Watching) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        query = request.query_params
        code, channel_id = query.get("watch", ""), query.get("channel_id", "")
        try:
            return JSONResponse(cards.watch_card(channels, watching, channel_id, code))
        except MultiplayerError as error:
            return rest.refusal(error)

    return endpoint


def _listed_rooms(channels: ChannelManager, watching: Watching) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        return JSONResponse(cards.listed_rooms(channels, watching))

    return endpoint


def _record(desk: Operations) -> Endpoint:
    return _zip(lambda request: desk.transcript_file(request.path_params["ticket"]))


def _watched_record(desk: Operations) -> Endpoint:
    def asked(request: Request) -> Awaitable[tuple[str, bytes]]:
        query = request.query_params
        return desk.watched_file(query.get("channel_id", ""), query.get("watch", ""))

    return _zip(asked)


def _zip(asked: Callable[[Request], Awaitable[tuple[str, bytes]]]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            name, data = await asked(request)
        except MultiplayerError as error:
            return rest.refusal(error)
        headers = {
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
        return Response(data, media_type="application/zip", headers=headers)

    return endpoint
