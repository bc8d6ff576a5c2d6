"""The HTTP face of the authorization server.

On the other side is the whole internet: nothing here needs a token. Bodies are bounded
before they are read, answers with secrets are never cached, and every call that touches
the database or authlib leaves the event loop.
"""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mcp_multiplayer.edge import body
from mcp_multiplayer.edge.auth import metadata
from mcp_multiplayer.edge.auth.authorize import (
    Ask,
    AuthorizationConsent,
    Outcome,
    Problem,
    Redirect,
    Told,
    Visit,
)
from mcp_multiplayer.edge.auth.client_documents import ClientDocuments, NoDocument
from mcp_multiplayer.edge.auth.clients import MAX_BYTES, Refused, Registration, is_address
from mcp_multiplayer.edge.auth.cookie import Cookie
from mcp_multiplayer.edge.auth.device import DeviceConsent
from mcp_multiplayer.edge.auth.server import (
    DEVICE_PAGE,
    Answer,
    NotParameters,
    Parameters,
    Server,
    TokenRequest,
    asserted,
)
from mcp_multiplayer.edge.pages import consent as pages
from mcp_multiplayer.edge.pages.layout import page, problem
from mcp_multiplayer.edge.proxy.address import Addresses
from mcp_multiplayer.edge.proxy.origins import Origins
from mcp_multiplayer.ratelimit import RateLimit

log = logging.getLogger(__name__)

REGISTRATIONS_PER_HOUR = 200  #: of an address; hosted clients share a few
AUTHORIZATIONS_PER_HOUR = 600
DEVICES_PER_HOUR = 60  #: that ask from an address

Endpoint = Callable[[Request], Awaitable[Response]]

NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
#: Metadata, registration and tokens carry no cookie, so any page may ask (RFC 8414 clients in
#: browsers). /oauth/authorize is for navigation only and has no such header.
CORS = {"Access-Control-Allow-Origin": "*"}
PREFLIGHT = {
    **CORS,
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, MCP-Protocol-Version",
    "Access-Control-Max-Age": "600",
}
MAX_FORM = 16_384


@dataclass(frozen=True)
class Endpoints:
    """The handlers by method and path. ``documents``: None when no client may be known by one."""

    servers: dict[str, Server]
    documents: ClientDocuments | None
    registration: Registration
    consent: AuthorizationConsent
    devices: DeviceConsent
    addresses: Addresses
    origins: Origins
    registrations: RateLimit
    authorizations: RateLimit
    device_starts: RateLimit

    def routes(self) -> dict[tuple[str, str], Endpoint]:
        """Return (method, path) -> handler for every route that needs no login
        but /join and the keys of logs (`LogKeys`)."""
        server = partial(metadata.authorization_server, documents=self.documents is not None)
        documents: dict[str, Callable[[str], dict[str, Any]]] = {
            **{
                metadata.PROTECTED_RESOURCE + path: partial(metadata.protected_resource, path=path)
                for path in metadata.ENDPOINTS
            },
            metadata.AUTHORIZATION_SERVER: server,
            metadata.OPENID: server,
        }
        table: dict[tuple[str, str], Endpoint] = {
            ("GET", "/oauth/authorize"): self.authorize,
            ("POST", "/oauth/authorize"): self.answer_form,
            ("POST", "/register"): self.register,
            ("POST", "/token"): self.token,
            ("POST", "/revoke"): self.revoke,
            ("POST", "/device_authorization"): self.start_device,
            ("GET", DEVICE_PAGE): self.device,
            ("POST", DEVICE_PAGE): self.answer_form,
        }
        for path, document in documents.items():
            table["GET", path] = self._document(document)
        for path in [*documents, "/register", "/token", "/revoke", "/device_authorization"]:
            table["OPTIONS", path] = _preflight
        return table

    async def register(self, request: Request) -> Response:
        """RFC 7591."""
        sender = self.addresses.sender(request.scope)
        wait = self.registrations.take(sender)
        if wait > 0:
            return _error("temporarily_unavailable", "Too many registrations.", 429, wait)
        try:
            document = await body.read(request, MAX_BYTES)
            answer = await run_sync(
                lambda: self.registration.register(
                    document,
                    issue=self.servers[self._base(request)].issue,
                    sender=sender,
                    network=self.addresses.mark(sender),
                    initial_token=_bearer(request),
                )
            )
        except body.TooLong:
            return _error("invalid_client_metadata", "The registration is too long.", 413)
        except Refused as refusal:
            return _refused(refusal)
        return JSONResponse(answer, 201, NO_STORE | CORS)

    async def token(self, request: Request) -> Response:
        """RFC 6749 §3.2."""
        return await self._form_endpoint(request, lambda server: server.create_token_response)

    async def revoke(self, request: Request) -> Response:
        """RFC 7009."""
        return await self._form_endpoint(
            request, lambda server: partial(server.create_endpoint_response, "revocation")
        )

    async def start_device(self, request: Request) -> Response:
        """RFC 8628 §3.1."""
        sender = self.addresses.sender(request.scope)
        wait = self.device_starts.take(sender)
        if wait > 0:
            return _error("temporarily_unavailable", "Too many devices asked.", 429, wait)
        return await self._form_endpoint(
            request,
            lambda server: partial(server.create_endpoint_response, "device_authorization"),
            newcomers=True,
        )

    async def device(self, request: Request) -> Response:
        """RFC 8628 §3.3: a person comes to type a code, or with it in the link."""
        if not request.query_params.get("user_code"):
            return page("device.html", form_targets=("'self'",))
        return await self.authorize(request)

    async def authorize(self, request: Request) -> Response:
        """RFC 6749 §3.1: a browser arrives."""
        wait = self.authorizations.take(self.addresses.sender(request.scope))
        if wait > 0:
            return problem(429, "Too many sign-ins from your network. Try again later.", wait=wait)
        visit = self._visit(request, request.scope["query_string"].decode("latin-1"))
        return await self._decide(request, visit, lambda: self._asking(request).arrive(visit))

    async def answer_form(self, request: Request) -> Response:
        """A browser sends one of our own forms back."""
        wait = self.authorizations.take(self.addresses.sender(request.scope))
        if wait > 0:
            return problem(429, "Too many sign-ins from your network. Try again later.", wait=wait)
        origin = request.headers.get("origin", "")
        # A browser names the page a POST comes from. "null" is a page that hides it.
        if origin and not self.origins.is_own(origin):
            log.info("refused a form from another site")
            return problem(403, "This form was sent from another site.")
        try:
            form = Parameters.read(await body.read(request, MAX_FORM)).data
        except (body.TooLong, NotParameters):
            return problem(400, "The form is not valid.")
        visit = self._visit(request, form.get("request", ""))
        return await self._decide(request, visit, lambda: self._asking(request).answer(visit, form))

    # Shared steps

    def _asking(self, request: Request) -> AuthorizationConsent | DeviceConsent:
        return self.devices if request.url.path == DEVICE_PAGE else self.consent

    async def _decide(
        self, request: Request, visit: Visit, decide: Callable[[], Outcome]
    ) -> Response:
        try:
            if request.url.path != DEVICE_PAGE:
                await self._learn(visit)
        except NoDocument as error:
            log.info("refused a client's document: %s", error)
            return problem(error.status, str(error), wait=error.wait)
        return self._show(request, visit, await run_sync(decide))

    async def _learn(self, visit: Visit) -> None:
        """Have a client that names its document be known."""
        try:
            client_id = Parameters.read(visit.query).client_id or ""
        except NotParameters:  # which the one who decides says
            return
        await self._learn_of(client_id, visit.sender)

    async def _learn_of(self, client_id: str, sender: str) -> None:
        if self.documents and is_address(client_id):
            await self.documents.learn(client_id, sender)

    def _base(self, request: Request) -> str:
        return self.origins.base_url(request.headers.get("host", ""))

    @property
    def _cookie(self) -> Cookie:
        return Cookie(secure=self.origins.secure)

    def _visit(self, request: Request, query: str) -> Visit:
        sender = self.addresses.sender(request.scope)
        return Visit(
            issuer=self._base(request),
            query=query,
            cookie=self._cookie.of(request),
            sender=sender,
            network=self.addresses.mark(sender),
        )

    def _show(self, request: Request, visit: Visit, outcome: Outcome) -> Response:
        match outcome:
            case Redirect(location, cookie):
                response: Response = Redirection(location, after_form=request.method == "POST")
            case Told(reason, cookie):
                response = page("told.html", reason=reason)
            case Ask(cookie=cookie):
                response = pages.ask(outcome, visit)
            case Problem(status, reason, back, wait):
                return problem(status, reason, back=back, wait=wait)
        if cookie:
            self._cookie.put(response, cookie)
        return response

    def _document(self, make: Callable[[str], dict[str, Any]]) -> Endpoint:
        async def show(request: Request) -> Response:
            headers = {**CORS, "Cache-Control": "public, max-age=300", "Vary": "Host"}
            return JSONResponse(make(self._base(request)), headers=headers)

        return show

    async def _form_endpoint(
        self,
        request: Request,
        choose: Callable[[Server], Callable[[TokenRequest], Answer]],
        *,
        newcomers: bool = False,
    ) -> Response:
        """Have authlib answer; ``newcomers``: a client may name a document not read yet."""
        sender = self.addresses.sender(request.scope)
        try:
            given = Parameters.read(await body.read(request, MAX_FORM))
        except body.TooLong:
            return _error("invalid_request", "The request is too long.", 413)
        except NotParameters as error:
            return _error("invalid_request", str(error))
        signer, key = asserted(given)
        try:
            if newcomers:
                await self._learn_of(given.client_id or signer, sender)
            if self.documents and signer:
                await self.documents.renew_keys(signer, key, sender)
        except NoDocument as error:
            log.info("refused a client's document: %s", error)
            if error.wait:
                return _error("temporarily_unavailable", str(error), error.status, error.wait)
            return _error("invalid_client", str(error), 401)
        form = TokenRequest(given, _client_credentials(request), self.addresses.mark(sender))
        answer = await run_sync(choose(self.servers[self._base(request)]), form)
        return JSONResponse(answer.body, answer.status, answer.headers | NO_STORE | CORS)


class Redirection(Response):
    """A redirect that leaks neither our address to the next page nor a code into a cache."""

    def __init__(self, location: str, *, after_form: bool) -> None:
        headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        # 303 after a form, so that its fields are not posted on to the client (RFC 9700 §4.12).
        super().__init__(status_code=303 if after_form else 302, headers=headers)
        # Not Starlette's quoting: the client compares what it gets with what it registered.
        self.headers["location"] = location


async def _preflight(request: Request) -> Response:
    return Response(status_code=204, headers=PREFLIGHT)


def _bearer(request: Request) -> str:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


def _client_credentials(request: Request) -> dict[str, str]:
    """Return the Basic credentials for authlib, which stumbles over malformed ones."""
    header = request.headers.get("authorization", "")
    scheme, _, value = header.partition(" ")
    try:
        base64.b64decode(value.strip(), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return {}
    return {"Authorization": header} if scheme.lower() == "basic" and value.strip() else {}


def _error(error: str, description: str, status: int = 400, wait: float = 0) -> Response:
    headers = NO_STORE | CORS | ({"Retry-After": str(int(wait) + 1)} if wait else {})
    return JSONResponse({"error": error, "error_description": description}, status, headers)


def _refused(refusal: Refused) -> Response:
    response = _error(refusal.error, str(refusal), refusal.status, refusal.wait)
    if refusal.status == 401:
        response.headers["WWW-Authenticate"] = f'Bearer error="{refusal.error}"'
    return response
