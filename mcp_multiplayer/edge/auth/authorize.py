"""Asking a person: who lends which account to which client.

On the other side are a client's wish, carried by a browser, and whatever page sent the
browser here. A page may not press our buttons, frame them, or have a code sent where the
person did not agree (`tests/attacks/test_consent_csrf.py`, `test_open_redirect.py`).

Each request is validated once, and carried as a value from there on. Every form carries the
client's whole wish again: nothing is kept between the page and its answer, so a restart in between
loses nothing, and who goes away leaves nothing behind. The one thing written before a yes is that
the passcode was typed, so that nobody types it twice.

`Consent` is the way to a yes, the same for whatever is asked; `AuthorizationConsent` asks for the
authorization endpoint (RFC 6749 §3.1), ``device.DeviceConsent`` for a device without a browser.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from authlib.common.urls import add_params_to_uri  # type: ignore[import-untyped]

from mcp_multiplayer.edge.auth import redirects
from mcp_multiplayer.edge.auth.clients import Client, Clients
from mcp_multiplayer.edge.auth.database import mint
from mcp_multiplayer.edge.auth.grants import (
    BROWSER,
    Account,
    AuthorizationRequest,
    Browser,
    Device,
    Grants,
)
from mcp_multiplayer.edge.auth.passcode import Passcode
from mcp_multiplayer.edge.auth.server import InvalidTarget, NotParameters, Parameters

log = logging.getLogger(__name__)

FORM_SECONDS = 600
MAX_QUERY = 8192

_CHALLENGE = re.compile(r"[a-zA-Z0-9._~-]{43,128}")  #: RFC 7636 §4.2


@dataclass(frozen=True)
class Visit:
    """One arrival of a browser with a client's wish. ``issuer``: our address as the browser has it;
    ``sender`` and ``network``: who it is, and what is kept of that (`Addresses.sender`, `mark`)."""

    issuer: str
    query: str
    cookie: str
    sender: str
    network: str


@dataclass(frozen=True)
class Redirect:
    """Send the browser on. ``cookie`` is set when not empty."""

    location: str
    cookie: str = ""


@dataclass(frozen=True)
class Told:
    """Show a page that says that all is done."""

    reason: str
    cookie: str = ""


@dataclass(frozen=True)
class Ask:
    """Show a page with a form. ``accounts`` is empty on the passcode page."""

    request: AuthorizationRequest | Device
    csrf: str
    cookie: str
    passcode: bool
    accounts: tuple[Account, ...] = ()
    wrong: bool = False
    wait: float = 0.0


@dataclass(frozen=True)
class Problem:
    """Show a page that says why not. ``back`` is where a person may choose to go on."""

    status: int
    reason: str
    back: str = ""
    wait: float = 0.0


Outcome = Redirect | Told | Ask | Problem
#: What is asked for.
Asked = TypeVar("Asked", AuthorizationRequest, Device)


class Invalid(Exception):
    """The request is not valid. ``back`` is the error as a redirect to the client, empty as long as
    nobody knows that the client or the address is its own (RFC 6749 §4.1.2.1). ``wait``: seconds
    after which it may be asked again."""

    def __init__(
        self, reason: str, *, back: str = "", known: bool = False, wait: float = 0.0
    ) -> None:
        super().__init__(reason)
        self.wait = wait
        self.back = back
        self.known = known


class Consent(ABC, Generic[Asked]):
    """Asks whoever arrives, and decides by the answer. All methods are synchronous."""

    def __init__(
        self, grants: Grants, passcode: Passcode | None, *, now: Callable[[], float] = time.time
    ) -> None:
        self._grants = grants
        self._passcode = passcode
        self._now = now

    # What is asked, and what a yes or no leads to

    @abstractmethod
    def _validate(self, visit: Visit) -> Asked:
        """Return what is asked for, or raise `Invalid`."""

    @abstractmethod
    def _decide(self, visit: Visit, request: Asked, browser: Browser | None) -> Outcome | None:
        """Answer without a question; None: a person has to be asked."""

    @abstractmethod
    def _approve(
        self, visit: Visit, request: Asked, browser: Browser | None, account: Account | None
    ) -> Outcome:
        """Lend ``account``, a new one for None."""

    @abstractmethod
    def _deny(self, request: Asked) -> Outcome:
        """The person said no."""

    @abstractmethod
    def _refuse(self, error: Invalid) -> Outcome:
        """Nothing can be asked."""

    def arrive(self, visit: Visit) -> Outcome:
        """Answer a GET: at once where that is safe, else with a question."""
        try:
            request = self._validate(visit)
        except Invalid as error:
            return self._refuse(error)
        browser = self._browser(visit.cookie)
        if self._locked(browser):
            return self._ask(visit, request, passcode=True)
        return self._decide(visit, request, browser) or self._ask(visit, request, browser)

    def answer(self, visit: Visit, form: Mapping[str, str]) -> Outcome:
        """Answer a POST of one of our own forms."""
        if not self._csrf_holds(visit, form.get("csrf", "")):
            log.info("refused a form without a valid csrf token")
            return Problem(
                403, "This page has expired or cookies are off. Start again from your app."
            )
        try:
            request = self._validate(visit)
        except Invalid as error:
            return self._refuse(error)
        if form.get("choice") == "deny":
            return self._deny(request)
        browser = self._browser(visit.cookie)
        if lock := self._locked(browser):
            opened, wait = lock.check(form.get("passcode", ""), visit.sender)
            if not opened:
                return self._ask(visit, request, passcode=True, wrong=True, wait=wait)
            return self._let_in(visit, request, browser)
        return self._choose(visit, request, browser, form.get("choice", ""))

    # Steps

    def _let_in(self, visit: Visit, request: Asked, browser: Browser | None) -> Outcome:
        browser = browser and self._grants.admitted(browser)
        if decided := self._decide(visit, request, browser):
            return decided
        cookie = self._grants.admit(browser)
        return self._ask(visit, request, browser, cookie=cookie)

    def _choose(
        self, visit: Visit, request: Asked, browser: Browser | None, choice: str
    ) -> Outcome:
        if choice == "new":
            return self._approve(visit, request, browser, None)
        for account in self._grants.held(browser):
            if account.sub == choice:
                return self._approve(visit, request, browser, account)
        return Problem(403, "This browser does not hold that player. Start again from your app.")

    def _ask(
        self,
        visit: Visit,
        request: Asked,
        browser: Browser | None = None,
        *,
        passcode: bool = False,
        cookie: str = "",
        wrong: bool = False,
        wait: float = 0.0,
    ) -> Ask:
        cookie = cookie or visit.cookie or mint(BROWSER)
        return Ask(
            request=request,
            csrf=self._csrf(cookie, visit.query, int(self._now())),
            cookie=cookie,
            passcode=passcode,
            accounts=tuple(self._grants.held(browser)),
            wrong=wrong,
            wait=wait,
        )

    def _browser(self, cookie: str) -> Browser | None:
        return self._grants.browser(cookie) if cookie else None

    def _locked(self, browser: Browser | None) -> Passcode | None:
        """Return the passcode that has to be typed in this browser first, if there is one."""
        lock = self._passcode
        return lock if lock and not lock.admits(browser.admitted if browser else "") else None

    # The csrf token: a MAC under the cookie, which other pages can send but not read. It binds
    # browser, wish and time without a key of ours and without storing anything.

    def _csrf(self, cookie: str, query: str, at: int) -> str:
        mac = hmac.new(cookie.encode(), f"{at}|{query}".encode(), hashlib.sha256)
        return f"{at}.{mac.hexdigest()}"

    def _csrf_holds(self, visit: Visit, token: str) -> bool:
        at = token.split(".", 1)[0]
        if not visit.cookie or not at.isascii() or not at.isdigit() or len(at) > 12:
            return False
        if not 0 <= self._now() - int(at) <= FORM_SECONDS:
            return False
        right = self._csrf(visit.cookie, visit.query, int(at))
        return hmac.compare_digest(token.encode("utf-8", "replace"), right.encode())


class AuthorizationConsent(Consent[AuthorizationRequest]):
    """Decides about authorization requests at any of our addresses, ``issuers``."""

    def __init__(
        self,
        clients: Clients,
        grants: Grants,
        passcode: Passcode | None,
        *,
        issuers: tuple[str, ...],
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(grants, passcode, now=now)
        self._clients = clients
        self._issuers = issuers

    def _validate(self, visit: Visit) -> AuthorizationRequest:
        """Return what the client asks for, or raise `Invalid` (RFC 6749 §4.1.1)."""
        if len(visit.query) > MAX_QUERY:
            raise Invalid("The request is too long.")
        try:
            given = Parameters.read(visit.query)
        except NotParameters as error:
            raise Invalid(str(error)) from None
        client = self._clients.find(given.client_id or "")
        if client is None:
            raise Invalid("The client is not known here.")
        uri = given.redirect_uri or client.get_default_redirect_uri()
        if not uri:
            raise Invalid("The redirect_uri is missing.")
        if not client.check_redirect_uri(uri):
            raise Invalid("The redirect_uri is not one this client registered.")
        request = AuthorizationRequest(
            issuer=visit.issuer,
            client=client,
            redirect_uri=uri,
            given_uri=given.redirect_uri or "",
            state=given.state or "",
            challenge=given.data.get("code_challenge", ""),
        )
        if fault := self._fault(given, client):
            code, reason = fault
            back = _back(request, error=code, error_description=reason)
            raise Invalid(reason, back=back, known=redirects.is_known(uri))
        return request

    def _fault(self, given: Parameters, client: Client) -> tuple[str, str] | None:
        """Return error and description of what the client is to hear of, None when all is well."""
        challenge = given.data.get("code_challenge", "")
        if given.response_type != "code":
            return "unsupported_response_type", "The 'response_type' must be code."
        if not client.check_response_type("code"):
            reason = "The client is not authorized to use 'response_type=code'"
            return "unauthorized_client", reason
        # PKCE for every client, S256 only (OAuth 2.1 §4.1.1, RFC 9700 §2.1.1).
        if not challenge:
            return "invalid_request", "Missing 'code_challenge': PKCE is required."
        # RFC 7636 §4.3: without a method the client means plain.
        if given.data.get("code_challenge_method") != "S256":
            return "invalid_request", "The 'code_challenge_method' must be S256."
        if not _CHALLENGE.fullmatch(challenge):
            return "invalid_request", "Invalid 'code_challenge'"
        try:
            given.check_resource(self._issuers)
        except InvalidTarget as error:
            return error.error, error.description
        return None

    def _decide(
        self, visit: Visit, request: AuthorizationRequest, browser: Browser | None
    ) -> Redirect | None:
        """Approve without a click what this browser has approved before, and a well-known client
        in a browser that has nothing to lose yet; None: a person has to be asked."""
        held = self._grants.held(browser)
        approved = self._grants.approved(held, request.client, request.redirect_uri)
        # Everybody knows the id of a client of a document, so any program on this machine, or any
        # app on this device, could be it: only https says where the answer goes (RFC 8252 §8.6).
        proven = not request.client.publisher or request.redirect_uri.startswith("https:")
        if len(approved) == 1 and proven:
            return self._approve(visit, request, browser, approved[0])
        if not held and redirects.is_known(request.redirect_uri):
            return self._approve(visit, request, browser, None)
        return None

    def _approve(
        self,
        visit: Visit,
        request: AuthorizationRequest,
        browser: Browser | None,
        account: Account | None,
    ) -> Redirect:
        """Send the browser back with a code for ``account``, a new one for None."""
        given = self._grants.approve(
            request, browser=browser, account=account, network=visit.network
        )
        log.info("%s approved client %s", given.account.sub, request.client.client_id)
        return Redirect(_back(request, code=given.code), given.cookie or visit.cookie)

    def _deny(self, request: AuthorizationRequest) -> Redirect:
        denied = "The resource owner or authorization server denied the request"
        return Redirect(_back(request, error="access_denied", error_description=denied))

    def _refuse(self, error: Invalid) -> Outcome:
        log.info("refused an authorization request: %s", error)
        # RFC 9700 §4.11.2: who registers an address and sends people here with a broken request
        # must not get an automatic redirect from our name to his page.
        if error.known:
            return Redirect(error.back)
        return Problem(400, str(error), error.back)


def _back(request: AuthorizationRequest, **said: str) -> str:
    """Return the redirect that tells the client (RFC 6749 §4.1.2), with `iss` as the client spells
    us, on success and on error alike (RFC 9207 §2)."""
    if request.state:
        said["state"] = request.state
    said["iss"] = request.issuer
    location: str = add_params_to_uri(request.redirect_uri, list(said.items()))
    return location
