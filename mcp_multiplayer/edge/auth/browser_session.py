"""A browser's own cookie as a second, narrow way in: for the pages of this server alone.

On the other side are the pages of other sites that the same browser has open, among them whatever
runs on another port of the user's machine, to which browsers send our cookie as well (cookies know
no ports). They may not act as the person (`tests/attacks/test_cookie_from_elsewhere.py`), so the
cookie counts only when all of this holds:

- The request says which account of the browser it is for, in `X-Mpx-Web`. Another origin cannot
  set a header without asking first (Fetch, CORS-preflight), and is never told that it may.
- The browser says that a page of ours asks: `Sec-Fetch-Site: same-origin`; where it says nothing,
  as on plain http, the Origin or the Referer is ours.
- No Authorization comes along: who asks is one or the other. (A program may keep the cookie of its
  own sign-in in a jar and send it beside its token; without the header it means nothing, as ever.)
- A POST is JSON, which no form can send.

There is no second store of sessions: the cookie, and what sign-in has written down of the browser
that carries it. Two players in two tabs are two values of the header. What the cookie opens is
decided by whoever asks here (`proxy/app.py`): never MCP, never a token.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mcp_multiplayer.edge import body
from mcp_multiplayer.edge.auth.cookie import Cookie
from mcp_multiplayer.edge.auth.grants import Account, Browser, Grants
from mcp_multiplayer.edge.auth.passcode import Passcode
from mcp_multiplayer.edge.proxy.address import Addresses
from mcp_multiplayer.edge.proxy.origins import Origins
from mcp_multiplayer.ratelimit import RateLimit

log = logging.getLogger(__name__)

HEADER = "x-mpx-web"
SESSION = "/session"
CLIENT = "web"  #: in place of the id of an OAuth client
PAGES = "these pages"  #: as which they stand in the list of a player's apps
_MAX_BODY = 4096


def tag(sub: str) -> str:
    """Return what pages call an account: it tells nothing, and no other page can guess it."""
    return hashlib.sha256(b"mpx-web:" + sub.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class NotOurs(Exception):
    """The cookie does not count here. ``status`` and ``reason`` are for the answer."""

    status: int
    reason: str
    hint: str


@dataclass(frozen=True)
class Session:
    """An account of a browser, and when it was made."""

    sub: str
    born: int


class BrowserSessions:
    """Tells whose cookie a request carries, and makes players for browsers that have none."""

    def __init__(
        self,
        grants: Grants,
        passcode: Passcode | None,
        addresses: Addresses,
        origins: Origins,
        arrivals: RateLimit,
    ) -> None:
        self._grants = grants
        self._passcode = passcode
        self._addresses = addresses
        self._origins = origins
        self._cookie = Cookie(secure=origins.secure)
        self._arrivals = arrivals

    def routes(self) -> dict[tuple[str, str], Callable[[Request], Awaitable[Response]]]:
        """Return (method, path) -> handler."""
        return {("GET", SESSION): self._who, ("POST", SESSION): self._become}

    async def session(self, request: Request) -> Session:
        """Return for whom the request of a page of ours is, or raise `NotOurs`."""
        self._check(request)
        found = await run_sync(self._find, self._cookie.of(request), request.headers[HEADER])
        if found is None:
            raise NotOurs(
                401,
                "This browser does not hold that player.",
                f"GET {SESSION} names those it holds; POST {SESSION} makes one.",
            )
        return found

    # --- who is here

    async def _who(self, request: Request) -> Response:
        """The players of this browser: {"accounts": [{"name", "tag"}], "passcode": whether it has
        to be typed first}."""
        try:
            self._check(request)
        except NotOurs as error:
            return _refusal(error)
        return await run_sync(self._told, self._cookie.of(request))

    def _told(self, cookie: str) -> Response:
        browser = self._grants.browser(cookie) if cookie else None
        locked = self._locked(browser)
        held = [] if locked else self._grants.held(browser)
        return _json({"accounts": [_account(one) for one in held], "passcode": locked})

    async def _become(self, request: Request) -> Response:
        """Make a new player, or note that the pages act as one that the browser holds:
        {"account": tag, "" for a new one; "passcode": …} -> {"name", "tag"}."""
        sender = self._addresses.sender(request.scope)
        try:
            self._check(request)  # first: pages of other sites must not use the network's share up
            if (wait := self._arrivals.take(sender)) > 0:
                hint = f"Wait {int(wait) + 1} s."
                raise NotOurs(429, "Too many new players from your network.", hint)
            asked = await _read(request)
            return await run_sync(self._made, self._cookie.of(request), asked, sender)
        except NotOurs as error:
            return _refusal(error)

    def _made(self, cookie: str, asked: dict[str, str], sender: str) -> Response:
        browser = self._grants.browser(cookie) if cookie else None
        if self._locked(browser):
            assert self._passcode is not None
            opened, wait = self._passcode.check(asked.get("passcode", ""), sender)
            if not opened:
                hint = f"Wait {int(wait) + 1} s." if wait else "Ask whoever runs this server."
                raise NotOurs(403, "That is not the passcode.", hint)
            browser = browser and self._grants.admitted(browser)
        account = None
        if wanted := asked.get("account", ""):
            account = next((one for one in self._grants.held(browser) if _is(one, wanted)), None)
            if account is None:
                raise NotOurs(403, "This browser does not hold that player.", "Reload the page.")
        account, fresh = self._grants.play_here(browser, account, PAGES)
        log.info("%s plays in a browser", account.sub)
        answer = _json(_account(account))
        if fresh:
            self._cookie.put(answer, fresh)
        return answer

    # --- steps

    def _find(self, cookie: str, wanted: str) -> Session | None:
        browser = self._grants.browser(cookie) if cookie else None
        if browser is None or self._locked(browser):
            return None
        for account in self._grants.held(browser):
            if _is(account, wanted):
                self._grants.acts(account)
                return Session(account.sub, int(account.created_at))
        return None

    def _locked(self, browser: Browser | None) -> bool:
        return self._passcode is not None and not self._passcode.admits(
            browser.admitted if browser else ""
        )

    def _check(self, request: Request) -> None:
        """Raise `NotOurs` unless a page of ours asks, by the rules at the top."""
        headers = request.headers
        if HEADER not in headers:
            raise NotOurs(401, "Only the pages of this server may ask here.", "Open one of them.")
        if "authorization" in headers:
            raise NotOurs(
                400,
                "A token and the browser's cookie came together.",
                "Send one of them: Authorization for programs, X-Mpx-Web for our own pages.",
            )
        if len(headers.getlist(HEADER)) > 1 or not self._origins.is_own_page(headers):
            raise NotOurs(
                403,
                "A page of another site may not ask here.",
                "Programs send Authorization: Bearer <access token>.",
            )
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if request.method == "POST" and kind != "application/json":
            raise NotOurs(403, "A page sends JSON.", "Set Content-Type: application/json.")


def _is(account: Account, wanted: str) -> bool:
    return tag(account.sub) == wanted


def _account(account: Account) -> dict[str, str]:
    return {"name": account.name, "tag": tag(account.sub)}


async def _read(request: Request) -> dict[str, str]:
    try:
        asked = json.loads(await body.read(request, _MAX_BODY) or b"{}")
    except body.TooLong:
        raise NotOurs(413, "The request is too long.", f"At most {_MAX_BODY} bytes.") from None
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict) or not all(isinstance(one, str) for one in asked.values()):
        raise NotOurs(400, "The body must be a JSON object of texts.", "Reload the page.")
    return asked


def _json(data: dict[str, Any], status: int = 200) -> JSONResponse:
    return JSONResponse(data, status, {"Cache-Control": "no-store", "Vary": "Cookie"})


def _refusal(error: NotOurs) -> Response:
    code = "RATE_LIMITED" if error.status == 429 else "UNAUTHORIZED"
    said = {"error": code, "message": error.reason, "hint": error.hint}
    return _json(said, error.status)
