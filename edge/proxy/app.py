"""The proxy as one ASGI callable: which request goes where. Changes when a kind of route does.

On the other side is the internet. What is not in the table of public routes needs a live
token and a Host that is ours; nothing else decides here
(`tests/attacks/test_unauthenticated.py`).
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from edge import identity
from edge.oauth.endpoints import Endpoint
from edge.oauth.metadata import challenge
from edge.oauth.throttle import Quota
from edge.proxy.address import Addresses
from edge.proxy.forward import Extra, Forward, unavailable
from edge.proxy.gate import Denied, Gate
from edge.proxy.origins import Origins, cors, preflight
from edge.proxy.replies import refuse, reply
from edge.web.join import join_page
from edge.web.landing import landing
from settings import Settings

log = logging.getLogger(__name__)

METHODS = ("GET", "POST", "DELETE", "OPTIONS")
INVITE_CARD = "/invite_card"
#: The file behind a link of get_transcript: the ticket in the path is its own permission.
_RECORD = re.compile(r"/transcript/[A-Za-z0-9_.-]{1,1024}")
#: The same bytes for everybody; who checks a record needs no login.
VERIFIER = "/verifier.pyz"
_OPERATION = re.compile(r"/[A-Za-z][A-Za-z0-9_-]{0,63}")
_MCP = ("/", "/mcp", "/mcp/")
SWEEP_SECONDS = 3600.0
HEALTH_SECONDS = 1.0


@dataclass(frozen=True)
class Parts:
    """What the proxy is made of."""

    settings: Settings
    public: dict[tuple[str, str], Endpoint]
    gate: Gate
    forward: Forward
    signer: identity.Signer
    addresses: Addresses
    cards: Quota
    sweep: Callable[[], None]
    close: Callable[[], None]


class Proxy:
    """ASGI application. Also an async context manager: what its lifespan does."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._settings = parts.settings
        self._origins = Origins(parts.settings)
        self._public_paths = {path for _, path in parts.public} | {"/join", "/healthz", INVITE_CARD}
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
            await send(message)

        try:
            await self._route(scope, receive, noting)
        finally:
            took = (time.perf_counter() - started) * 1000
            method = scope["method"] if scope["method"] in (*METHODS, "HEAD") else "OTHER"
            name = self._named(scope["path"], status)
            # Containers ask every few seconds; that is no news.
            level = logging.DEBUG if name == "/healthz" else logging.INFO
            log.log(level, "%s %s %d %.1f ms", method, name, status, took)

    def _named(self, path: str, status: int) -> str:
        if path in _MCP:
            return "mcp"
        if path in self._public_paths or path == VERIFIER:
            return path
        if _RECORD.fullmatch(path):
            return "transcript"
        # A name the server answered is an operation; any other is a stranger's text, which may be
        # a code pasted into the address bar.
        served = status not in (0, 401, 404, 405, 421) and _OPERATION.fullmatch(path)
        return f"rest{path}" if served else "rest"

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if path == "/healthz":
            await self._healthz(send)
        elif len(headers.getlist("host")) != 1 or not self._origins.is_ours(host):
            await _misdirected(send)
        elif path in self._public_paths:
            await self._public(scope, receive, send, headers)
        elif scope["method"] == "GET" and (_RECORD.fullmatch(path) or path == VERIFIER):
            await self._record(scope, receive, send)
        elif scope["method"] in ("GET", "HEAD") and path == "/" and _is_browser(headers):
            page = landing(
                self._settings.base_url(host),
                on_loopback=self._settings.on_loopback,
                operator=self._settings.operator_contact,
            )
            await page(scope, receive, send)
        else:
            await self._gated(scope, receive, send, headers)

    async def _public(self, scope: Scope, receive: Receive, send: Send, headers: Headers) -> None:
        path, method = scope["path"], scope["method"]
        endpoint = self._parts.public.get((method, path))
        if endpoint is not None:
            response: Response = await endpoint(Request(scope, receive))
            await response(scope, receive, send)
        elif path == "/join" and method in ("GET", "HEAD"):
            page = join_page(
                self._settings.base_url(headers["host"]), on_loopback=self._settings.on_loopback
            )
            await page(scope, receive, send)
        elif path == INVITE_CARD and method == "POST":
            await self._invite_card(scope, receive, send, headers)
        else:
            methods = {m for m, p in self._parts.public if p == path}
            methods |= {"POST"} if path == INVITE_CARD else {"GET"} if path == "/join" else set()
            await _wrong_method(send, ", ".join(sorted(methods)), [])

    async def _invite_card(
        self, scope: Scope, receive: Receive, send: Send, headers: Headers
    ) -> None:
        """The one route that crosses without a caller: what an invite's page may show."""
        origin = headers.get("origin", "")
        if origin and origin not in (self._settings.base_url(headers["host"]), *self._own):
            await _foreign_page(send)
            return
        wait = self._parts.cards.take(self._parts.addresses.of(scope))
        if wait > 0:
            await _too_often(send, wait, "Too many invites looked at.")
            return
        await self._parts.forward.carry(
            {**scope, "query_string": b""}, receive, send, path=INVITE_CARD, added=[], extra=[]
        )

    async def _record(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A member's copy of a record, by its ticket, or the verifier; both are large, so addresses
        are counted."""
        wait = self._parts.cards.take(self._parts.addresses.of(scope))
        if wait > 0:
            await _too_often(send, wait, "Too many records or verifiers fetched.")
            return
        await self._parts.forward.carry(
            {**scope, "query_string": b""}, receive, send, path=scope["path"], added=[], extra=[]
        )

    @property
    def _own(self) -> tuple[str, ...]:
        return self._settings.issuers

    async def _gated(self, scope: Scope, receive: Receive, send: Send, headers: Headers) -> None:
        path, method = scope["path"], scope["method"]
        origin = headers.get("origin", "")
        extra: Extra = []
        if origin:
            if not self._origins.may_ask(origin):
                await _foreign_page(send)
                return
            extra = cors(origin)
            if method == "OPTIONS" and "access-control-request-method" in headers:
                asked = headers.get("access-control-request-headers", "")
                await reply(send, 204, headers=preflight(origin, asked))
                return
        base = self._settings.base_url(headers["host"])
        try:
            bearer = await self._parts.gate.admit(
                headers.getlist("authorization"), scope["query_string"]
            )
        except Denied as denied:
            await _denied(send, base, path, denied, extra)
            return
        caller = identity.Caller(bearer.sub, base, bearer.client_id, bearer.network, bearer.born)
        await self._forward(scope, receive, send, caller, extra)

    async def _forward(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        caller: identity.Caller,
        extra: Extra,
    ) -> None:
        path = "/mcp" if scope["path"] in _MCP else scope["path"]
        if not _OPERATION.fullmatch(path):
            hint = "REST routes are one word, such as /list_bots; the MCP endpoint is / or /mcp."
            await refuse(send, 404, "NOT_FOUND", "No such route.", hint, headers=_text(extra))
            return
        if scope["method"] not in METHODS:
            await _wrong_method(send, ", ".join(METHODS), extra)
            return
        statement = self._parts.signer.sign(caller)
        await self._parts.forward.carry(
            scope,
            receive,
            send,
            path=path,
            added=[(identity.HEADER, statement)],
            extra=extra,
        )

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


def _is_browser(headers: Headers) -> bool:
    return "text/html" in headers.get("accept", "") and "authorization" not in headers


async def _denied(send: Send, base: str, path: str, denied: Denied, extra: Extra) -> None:
    where = "/mcp" if path.startswith("/mcp") else ""
    told = challenge(base, where, error=denied.error, description=denied.description)
    await refuse(
        send,
        denied.status,
        "INVALID_REQUEST" if denied.status == 400 else "UNAUTHORIZED",
        denied.description or "This address needs an access token.",
        f"Sign in with OAuth (metadata at {base}/.well-known/oauth-authorization-server)"
        " and send Authorization: Bearer <access token>.",
        headers=[("WWW-Authenticate", told), *_text(extra)],
    )


async def _misdirected(send: Send) -> None:
    await refuse(
        send,
        421,
        "INVALID_REQUEST",
        "This server does not answer under that host name.",
        "Use the address the server prints at start; its operator sets PUBLIC_URL or DOMAIN.",
    )


async def _too_often(send: Send, wait: float, message: str) -> None:
    seconds = int(wait) + 1
    after = [("Retry-After", str(seconds))]
    hint = f"Wait {seconds} s, then repeat the same call; nothing was done."
    await refuse(send, 429, "RATE_LIMITED", message, hint, headers=after)


async def _foreign_page(send: Send) -> None:
    hint = "Call from a program, from this machine, or from the server's own pages."
    await refuse(send, 403, "INVALID_REQUEST", "A page of another site may not ask here.", hint)


async def _wrong_method(send: Send, allowed: str, extra: Extra) -> None:
    await refuse(
        send,
        405,
        "INVALID_REQUEST",
        "This route has no such method.",
        f"It has {allowed}.",
        headers=[("Allow", allowed), *_text(extra)],
    )


def _text(extra: Extra) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in extra]
