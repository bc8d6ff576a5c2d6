"""The proxy as one ASGI callable: which request goes where.

On the other side is the internet. What is not in the table of public routes needs a live
token and a Host that is ours; nothing else decides here
(`tests/attacks/test_unauthenticated.py`).
"""

from __future__ import annotations

import asyncio
import functools
import logging
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, nullcontext, suppress
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from mcp_multiplayer.config import Settings
from mcp_multiplayer.edge import identity
from mcp_multiplayer.edge.api.operations.table import TABLE
from mcp_multiplayer.edge.auth.browser_session import CLIENT, HEADER, BrowserSessions, NotOurs
from mcp_multiplayer.edge.auth.endpoints import CORS, PREFLIGHT, Endpoint
from mcp_multiplayer.edge.auth.metadata import challenge
from mcp_multiplayer.edge.pages.visit import Visit, wants_markdown
from mcp_multiplayer.edge.pages.website import Website
from mcp_multiplayer.edge.proxy.address import Addresses
from mcp_multiplayer.edge.proxy.authentication import Authentication, Denied
from mcp_multiplayer.edge.proxy.forward import Extra, Forward, unavailable
from mcp_multiplayer.edge.proxy.origins import Origins, cors, preflight
from mcp_multiplayer.edge.proxy.replies import Refusal, bodiless, is_browser, reply
from mcp_multiplayer.edge.proxy.watchers import Watchers
from mcp_multiplayer.edge.until_gone import until
from mcp_multiplayer.ratelimit import RateLimit

log = logging.getLogger(__name__)

#: What the access line names.
METHODS = ("GET", "HEAD", "POST", "DELETE", "OPTIONS")
INVITE_CARD = "/invite_card"
#: The file behind a link of get_transcript: the ticket in the path is its own permission.
_RECORD = re.compile(r"/transcript/[A-Za-z0-9_.-]{1,1024}")
#: The same bytes for everybody; who checks a record needs no login.
VERIFIER = "/verifier.pyz"
_CLOSE = (b"connection", b"close")
_MCP = ("/", "/mcp", "/mcp/")
#: Server-sent events of a room (edge/api/events.py): for a seat, or for anybody who may watch.
EVENTS = "/events"
WATCH = "/watch_events"  #: where the server has them for whoever has no account
WATCH_RECORD = "/watch_record"  #: the record of a room that anybody may watch
#: What is behind the gate, and how it is asked.
PRIVATE: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_MCP, ("POST",)),
    **{f"/{path}": (one.method,) for one in TABLE for path in (one.name, *one.routes)},
    EVENTS: ("GET",),
}
#: Other methods of MCP's transport. The server answers them with 405, but to whoever may ask:
#: clients that look for the sign-in begin with a GET and need its 401.
_TRANSPORT = ("GET", "DELETE")
_WELL_KNOWN = "/.well-known/"
SWEEP_SECONDS = 3600.0
INVITE_CARDS_PER_MINUTE = 60  #: of an address
WATCHED_PER_MINUTE = 300  #: streams that an address opens; its share may come back at once, often
#: Records on their way, in all and of an address: the server has a whole one, up to some 64 MB, in
#: memory until it is read. And how long somebody may take to read it.
RECORDS, RECORDS_EACH = 8, 2
RECORD_SECONDS = 300.0
HEALTH_SECONDS = 1.0
WATCH_AGAIN = 30.0  #: seconds; then a place may be free
STILL_SECONDS = 15.0  #: between looks whether whoever reads events is still let in


@dataclass(frozen=True)
class Parts:
    """What the proxy is made of."""

    settings: Settings
    public: dict[tuple[str, str], Endpoint]
    authentication: Authentication
    website: Website
    browsers: BrowserSessions | None  #: None: no page acts for a player
    forward: Forward
    signer: identity.Signer
    addresses: Addresses
    origins: Origins
    cards: RateLimit
    watchers: Watchers
    watched: RateLimit  #: streams that were opened
    records: Watchers
    sweep: Callable[[], None]
    close: Callable[[], None]


class Proxy:
    """ASGI application. Also an async context manager: what its lifespan does."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._settings = parts.settings
        self._origins = parts.origins
        self._public_paths = {path for _, path in parts.public} | {"/healthz", INVITE_CARD}
        #: Of the paths that are one by one, how each may be asked: no pattern is tried on those.
        self._asked = {path: self._methods_of(path) for path in {*self._public_paths, *PRIVATE}}
        self._stack = AsyncExitStack()
        self._health = (0.0, False)

    async def __aenter__(self) -> Proxy:
        await self._stack.enter_async_context(self._parts.forward)
        sweeper = asyncio.create_task(self._sweep())
        self._stack.callback(self._parts.close)
        self._stack.callback(sweeper.cancel)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    async def stop(self) -> None:
        """The proxy is about to end: see that everybody who waits is answered."""
        await self._parts.forward.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._logged(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        async with self:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _logged(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and write the one access line: no query, no value from the path."""
        started = time.perf_counter()
        status = 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if self._parts.forward.stopping:
                    message = {**message, "headers": [*message.get("headers", ()), _CLOSE]}
            await send(message)

        try:
            await self._answered(scope, receive, noting)
        finally:
            took = (time.perf_counter() - started) * 1000
            method = scope["method"] if scope["method"] in METHODS else "OTHER"
            name = self._named(scope["path"])
            # Containers ask every few seconds; that is no news.
            level = logging.DEBUG if name == "/healthz" else logging.INFO
            log.log(level, "%s %s %d %.1f ms", method, name, status, took)

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "HEAD":
            scope, send = {**scope, "method": "GET"}, bodiless(send)
        try:
            await self._route(scope, receive, send)
        except Refusal as refusal:
            # The way home from a name that is not ours is another name.
            home = self._settings.base_url() if refusal.status == 421 else ""
            bare = self._settings.web == "off" or home != ""
            await refusal.answer(scope, receive, send, home, bare=bare)

    def _named(self, path: str) -> str:
        """The name of what was asked for. Any other path is a stranger's text, which may be a code
        pasted into the address bar."""
        if path in _MCP:
            return "mcp"
        if path in self._public_paths or path in (VERIFIER, WATCH_RECORD):
            return path
        if found := self._parts.website.find(path):
            return found[0]
        if _RECORD.fullmatch(path):
            return "transcript"
        return f"rest{path}" if path in PRIVATE else "rest"

    def _methods(self, path: str) -> set[str]:
        """How a path may be asked; nothing where nothing is."""
        return self._asked.get(path) or self._methods_of(path)

    def _methods_of(self, path: str) -> set[str]:
        found = {method for method, known in self._parts.public if known == path}
        found.update(PRIVATE.get(path, ()))
        if path == INVITE_CARD:
            found.add("POST")
        if path in ("/healthz", VERIFIER, WATCH_RECORD) or _RECORD.fullmatch(path):
            found.add("GET")
        if self._parts.website.find(path):
            found.add("GET")
        return found

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if path == "/healthz" and method == "GET":
            await self._healthz(send)
            return
        base = self._origins.base_url(host) if len(headers.getlist("host")) == 1 else ""
        if not base:
            raise _misdirected()
        methods = self._methods(path)
        if not methods:
            await self._nowhere(path, method, send)
        elif path == EVENTS and method == "GET" and not _claims(headers):
            await self._watch(scope, receive, send)
        elif path in PRIVATE and not (path == "/" and _reads(scope)):
            await self._gated(scope, receive, send, headers, base)
        elif method not in methods:
            await _other_method(method, methods, send)
        else:
            await self._public(scope, receive, send, headers, base)

    async def _nowhere(self, path: str, method: str, send: Send) -> None:
        """Say that nothing is here, to anybody: a token would not change it. Pages of other sites
        may read it, for a client in a browser looks for metadata in several places."""
        if method == "OPTIONS" and path.startswith(_WELL_KNOWN):
            await reply(send, 204, headers=PREFLIGHT.items())
            return
        hint = (
            "Check the address. REST routes are one word, such as /list_bots;"
            " the MCP endpoint is / or /mcp."
        )
        raise Refusal(404, "INVALID_REQUEST", "There is nothing here.", hint, tuple(CORS.items()))

    async def _public(
        self, scope: Scope, receive: Receive, send: Send, headers: Headers, base: str
    ) -> None:
        path, method = scope["path"], scope["method"]
        endpoint = self._parts.public.get((method, path))
        if endpoint is not None:
            response: Response = await endpoint(Request(scope, receive))
            await response(scope, receive, send)
        elif found := self._parts.website.find(path):
            _, key, shown = found
            response = await shown(Visit(Request(scope, receive), base, key))
            await response(scope, receive, send)
        elif path == INVITE_CARD:
            await self._invite_card(scope, receive, send, headers)
        else:
            await self._record(scope, receive, send)

    async def _invite_card(
        self, scope: Scope, receive: Receive, send: Send, headers: Headers
    ) -> None:
        """The one route that crosses without a caller: what an invite's page may show."""
        origin = headers.get("origin", "")
        if origin and not self._origins.is_own(origin):
            raise _foreign_page()
        wait = self._parts.cards.take(self._parts.addresses.sender(scope))
        if wait > 0:
            raise _too_often(wait, "Too many invites looked at.")
        await self._parts.forward.carry(
            {**scope, "query_string": b""}, receive, send, path=INVITE_CARD
        )

    async def _record(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A member's copy of a record, by its ticket, that of whoever may watch, or the verifier;
        all are large, so addresses are counted, and records on their way."""
        path, sender = scope["path"], self._parts.addresses.sender(scope)
        wait = self._parts.cards.take(sender)
        if wait > 0:
            raise _too_often(wait, "Too many records or verifiers fetched.")
        if path != WATCH_RECORD:
            scope = {**scope, "query_string": b""}
        if path == VERIFIER:
            await self._parts.forward.carry(scope, receive, send, path=path)
            return
        if not self._parts.records.enter(sender):
            raise _too_often(WATCH_AGAIN, "Too many records are being fetched.")
        try:
            async with until(functools.partial(asyncio.sleep, RECORD_SECONDS)):
                await self._parts.forward.carry(scope, receive, send, path=path)
        finally:
            self._parts.records.leave(sender)

    async def _gated(
        self, scope: Scope, receive: Receive, send: Send, headers: Headers, base: str
    ) -> None:
        path, method = scope["path"], scope["method"]
        origin = headers.get("origin", "")
        extra: Extra = []
        if origin:
            if not self._origins.may_ask(origin):
                raise _foreign_page()
            extra = cors(origin)
            if method == "OPTIONS" and "access-control-request-method" in headers:
                asked = headers.get("access-control-request-headers", "")
                await reply(send, 204, headers=preflight(origin, asked))
                return
        if method not in PRIVATE[path] and not (path in _MCP and method in _TRANSPORT):
            await _other_method(method, self._methods(path), send, extra)
            return
        if self._parts.browsers is not None and HEADER in headers and path not in _MCP:
            ask = functools.partial(self._of_browser, Request(scope, receive), base)
            # Two players of one browser ask the same address with the same cookie.
            extra = [(b"vary", b"Cookie, X-Mpx-Web"), (b"cache-control", b"no-store")]
        else:
            ask = functools.partial(self._of_token, scope, headers, base, extra)
        caller = await ask()
        # Events may be read for hours: for no longer than whoever reads them may ask.
        async with until(functools.partial(_refused, ask)) if path == EVENTS else nullcontext():
            await self._parts.forward.carry(
                scope,
                receive,
                send,
                path="/mcp" if path in _MCP else path,
                extra=extra,
                sign=lambda: [(identity.HEADER, self._parts.signer.sign(caller))],
            )

    async def _of_token(
        self, scope: Scope, headers: Headers, base: str, extra: Extra
    ) -> identity.Caller:
        """Who calls with a token."""
        try:
            bearer = await self._parts.authentication.authenticate(
                headers.getlist("authorization"), scope["query_string"]
            )
        except Denied as denied:
            raise _denied(base, scope["path"], denied, extra) from None
        return identity.Caller(bearer.sub, base, bearer.client_id, bearer.network, bearer.born)

    async def _of_browser(self, request: Request, base: str) -> identity.Caller:
        """Who calls from a page of ours, by the browser's cookie."""
        assert self._parts.browsers is not None
        try:
            session = await self._parts.browsers.session(request)
        except NotOurs as error:
            code = "INVALID_REQUEST" if error.status == 400 else "UNAUTHORIZED"
            headers = (("Vary", "Cookie"),)
            raise Refusal(error.status, code, error.reason, error.hint, headers) from None
        addresses = self._parts.addresses
        network = addresses.mark(addresses.sender(request.scope))
        return identity.Caller(session.sub, base, CLIENT, network, session.born)

    async def _watch(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The events of a room for somebody without an account: of a listed one, or by a link."""
        sender = self._parts.addresses.sender(scope)
        wait = self._parts.watched.take(sender)
        if wait > 0:
            raise _too_often(wait, "Too many rooms were opened from your network.")
        if not self._parts.watchers.enter(sender):
            raise _too_often(WATCH_AGAIN, "Too many rooms are watched from your network.")
        try:
            await self._parts.forward.carry(scope, receive, send, path=WATCH)
        finally:
            self._parts.watchers.leave(sender)

    async def _healthz(self, send: Send) -> None:
        """For containers: are both processes up? Anyone may ask, so a short memory answers."""
        now = time.monotonic()
        until, healthy = self._health
        if until <= now:
            healthy = await self._parts.forward.healthy()
            self._health = (now + HEALTH_SECONDS, healthy)
        if healthy:
            await reply(send, 200, b'{"status": "ok"}', kind="application/json")
        else:
            await unavailable(send, [])

    async def _sweep(self) -> None:
        with suppress(asyncio.CancelledError):
            while True:
                await asyncio.to_thread(self._parts.sweep)
                await asyncio.sleep(SWEEP_SECONDS)


async def _refused(ask: Callable[[], Awaitable[object]]) -> None:
    """Return when ``ask`` refuses, or cannot tell: whoever was cut off may come again."""
    with suppress(Exception):
        while True:
            await asyncio.sleep(STILL_SECONDS)
            await ask()


def _claims(headers: Headers) -> bool:
    """Whether a request says that somebody with an account sends it."""
    return "authorization" in headers or HEADER in headers


def _reads(scope: Scope) -> bool:
    """Whether somebody wants to read what this is: a person, or an agent for one."""
    return is_browser(scope) or wants_markdown(scope)


async def _other_method(
    method: str, methods: set[str], send: Send, extra: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    """Answer a method that the path does not have; OPTIONS is how to ask for those it has."""
    head = {"HEAD"} if "GET" in methods else set()
    allowed = ", ".join(sorted({"OPTIONS", *methods, *head}))
    headers = (("Allow", allowed), *_text(extra))
    if method == "OPTIONS":
        await reply(send, 204, headers=headers)
        return
    message = "This route has no such method."
    raise Refusal(405, "INVALID_REQUEST", message, f"It has {allowed}.", headers)


def _denied(base: str, path: str, denied: Denied, extra: Extra) -> Refusal:
    where = path if path.startswith("/mcp") else ""
    told = challenge(base, where, error=denied.error, description=denied.description)
    return Refusal(
        denied.status,
        "INVALID_REQUEST" if denied.status == 400 else "UNAUTHORIZED",
        denied.description or "This address needs an access token.",
        f"Sign in with OAuth (metadata at {base}/.well-known/oauth-authorization-server)"
        " and send Authorization: Bearer <access token>.",
        (("WWW-Authenticate", told), *_text(extra)),
    )


def _misdirected() -> Refusal:
    return Refusal(
        421,
        "INVALID_REQUEST",
        "This server does not answer under that host name.",
        "Use the address the server prints at start; its operator sets PUBLIC_URL or DOMAIN.",
    )


def _too_often(wait: float, message: str) -> Refusal:
    seconds = int(wait) + 1
    hint = f"Wait {seconds} s, then repeat the same call; nothing was done."
    return Refusal(429, "RATE_LIMITED", message, hint, (("Retry-After", str(seconds)),))


def _foreign_page() -> Refusal:
    hint = "Call from a program, from this machine, or from the server's own pages."
    return Refusal(403, "INVALID_REQUEST", "A page of another site may not ask here.", hint)


def _text(extra: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in extra]
