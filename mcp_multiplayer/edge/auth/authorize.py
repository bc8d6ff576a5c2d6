"""The authorization endpoint: who lends which account to which client.

On the other side are a client's wish, carried by a browser, and whatever page sent the
browser here. A page may not press our buttons, frame them, or have a code sent where the
person did not agree (`tests/attacks/test_consent_csrf.py`, `test_open_redirect.py`).

Every form carries the client's whole wish again and it is judged again: nothing is kept
between the page and its answer, so a restart in between loses nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from authlib.oauth2 import OAuth2Error  # type: ignore[import-untyped]

from mcp_multiplayer.edge.auth import parameters, redirects, secret
from mcp_multiplayer.edge.auth.accounts import Account, Accounts, Browser
from mcp_multiplayer.edge.auth.clients import Client
from mcp_multiplayer.edge.auth.grants import Approval
from mcp_multiplayer.edge.auth.parameters import NotParameters
from mcp_multiplayer.edge.auth.passcode import Passcode
from mcp_multiplayer.edge.auth.server import Answer, Form, Server

log = logging.getLogger(__name__)

FORM_SECONDS = 600
MAX_QUERY = 8192


@dataclass(frozen=True)
class Visit:
    """One arrival of a browser with a client's wish. ``network``: see `secret.network`."""

    server: Server
    query: str
    cookie: str
    address: str
    network: str


@dataclass(frozen=True)
class Redirect:
    """Send the browser on. ``cookie`` is set when not empty."""

    location: str
    cookie: str = ""


@dataclass(frozen=True)
class Ask:
    """Show a page with a form. ``accounts`` is empty on the passcode page."""

    client: Client
    redirect_uri: str
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


Outcome = Redirect | Ask | Problem


class _Stop(Exception):
    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome


class Consent:
    """Decides about authorization requests. All methods are synchronous."""

    def __init__(
        self, accounts: Accounts, passcode: Passcode, *, now: Callable[[], float] = time.time
    ) -> None:
        self._accounts = accounts
        self._passcode = passcode
        self._now = now

    def arrive(self, visit: Visit) -> Outcome:
        """Answer a GET: at once where that is safe, else with a question."""
        try:
            grant = self._judge(visit)
        except _Stop as stop:
            return stop.outcome
        browser = self._browser(visit.cookie)
        if not self._admitted(browser):
            return self._ask(visit, grant, browser, passcode=True)
        return self._decide(visit, grant, browser)

    def answer(self, visit: Visit, form: Mapping[str, str]) -> Outcome:
        """Answer a POST of one of our own forms."""
        if not self._csrf_holds(visit, form.get("csrf", "")):
            log.info("refused a form without a valid csrf token")
            return Problem(
                403, "This page has expired or cookies are off. Start again from your app."
            )
        try:
            grant = self._judge(visit)
        except _Stop as stop:
            return stop.outcome
        browser = self._browser(visit.cookie)
        if form.get("choice") == "deny":
            return self._finish(visit, grant, None)
        if not self._admitted(browser):
            opened, wait = self._passcode.check(form.get("passcode", ""), visit.address)
            if not opened:
                return self._ask(visit, grant, browser, passcode=True, wrong=True, wait=wait)
            return self._let_in(visit, grant, browser)
        return self._choose(visit, grant, browser, form.get("choice", ""))

    # Steps

    def _judge(self, visit: Visit) -> Any:
        """Return authlib's grant for the wish, or stop with what is wrong with it."""
        server = visit.server
        if len(visit.query) > MAX_QUERY:
            raise _Stop(Problem(400, "The request is too long."))
        try:
            given = parameters.read(visit.query)
        except NotParameters as error:
            raise _Stop(Problem(400, str(error))) from None
        # authlib would quote it in an error and fail over characters RFC 6749 forbids there.
        if dict(given).get("response_type") != "code":
            given = tuple(p for p in given if p[0] != "response_type")
            given += (("response_type", "unsupported"),)
        form = Form("GET", given)
        try:
            return server.get_consent_grant(form)
        except OAuth2Error as error:
            raise _Stop(self._fault(visit, error)) from None

    def _fault(self, visit: Visit, error: OAuth2Error) -> Outcome:
        log.info("refused an authorization request: %s", error.error)
        answer: Answer = visit.server.handle_error_response(None, error)
        if not answer.location:
            return Problem(400, error.description or "The request is not valid.")
        # RFC 9700 §4.11.2: who registers an address and sends people here with a broken request
        # must not get an automatic redirect from our name to his page.
        if redirects.is_known(error.redirect_uri):
            return Redirect(answer.location)
        return Problem(400, error.description or "The request is not valid.", answer.location)

    def _decide(
        self, visit: Visit, grant: Any, browser: Browser | None, new_cookie: str = ""
    ) -> Outcome:
        """Approve without a click what this browser has approved before, and a well-known client
        in a browser that has nothing to lose yet; else ask."""
        client, uri = grant.request.client, grant.redirect_uri
        held = self._accounts.held(browser)
        approved = self._accounts.approved(held, client, uri)
        if len(approved) == 1:
            return self._finish(visit, grant, approved[0], browser, new_cookie)
        if not held and redirects.is_known(uri):
            return self._finish(visit, grant, self._accounts.add(), browser, new_cookie)
        return self._ask(visit, grant, browser, new_cookie=new_cookie, passcode=False)

    def _choose(self, visit: Visit, grant: Any, browser: Browser | None, choice: str) -> Outcome:
        if choice == "new":
            return self._finish(visit, grant, self._accounts.add(), browser)
        for account in self._accounts.held(browser):
            if secret.same(account.sub, choice):
                return self._finish(visit, grant, account, browser)
        return Problem(403, "This browser does not hold that player. Start again from your app.")

    def _let_in(self, visit: Visit, grant: Any, browser: Browser | None) -> Outcome:
        if browser is not None:
            return self._decide(visit, grant, self._accounts.admit(browser, self._passcode.mark))
        browser, cookie = self._accounts.add_browser(self._passcode.mark)
        return self._decide(visit, grant, browser, cookie)

    def _finish(
        self,
        visit: Visit,
        grant: Any,
        account: Account | None,
        browser: Browser | None = None,
        new_cookie: str = "",
    ) -> Redirect:
        """Send the browser back with a code for ``account``, or with access_denied for None."""
        if account is not None:
            if browser is None:
                browser, new_cookie = self._accounts.add_browser(self._passcode.mark)
            self._accounts.approve(browser, account, grant.request.client, grant.redirect_uri)
            log.info("%s approved client %s", account.sub, grant.request.client.client_id)
        answer: Answer = visit.server.create_authorization_response(
            grant.request,
            grant_user=Approval(account.sub, visit.network) if account else None,
            grant=grant,
        )
        return Redirect(answer.location, new_cookie or (visit.cookie if browser else ""))

    def _ask(
        self,
        visit: Visit,
        grant: Any,
        browser: Browser | None,
        *,
        passcode: bool,
        new_cookie: str = "",
        wrong: bool = False,
        wait: float = 0.0,
    ) -> Ask:
        cookie = new_cookie or visit.cookie or secret.mint(secret.BROWSER)
        return Ask(
            client=grant.request.client,
            redirect_uri=grant.redirect_uri,
            csrf=self._csrf(cookie, visit.query, int(self._now())),
            cookie=cookie,
            passcode=passcode,
            accounts=() if passcode else tuple(self._accounts.held(browser)),
            wrong=wrong,
            wait=wait,
        )

    def _browser(self, cookie: str) -> Browser | None:
        return self._accounts.browser(cookie) if cookie else None

    def _admitted(self, browser: Browser | None) -> bool:
        return self._passcode.admits(browser.admitted if browser else "")

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
        return secret.same(token, self._csrf(visit.cookie, visit.query, int(at)))
