"""Accounts, and the browsers that hold them.

On the other side is a person's browser, and every page it has open. A page of somebody
else may not learn, use or plant a browser's cookie (`tests/attacks/test_consent_csrf.py`).

An account is a random `sub` with a readable name and nothing about the person. A browser
may hold several ("New separate player"), else signing in again would lose the second one.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from mcp_multiplayer.edge.auth import redirects, secret
from mcp_multiplayer.edge.auth.clients import Client
from mcp_multiplayer.edge.auth.database import Database

MAX_HELD = 8  #: accounts a browser is shown, the most recently used first
UNUSED_HOURS = 24  #: an account that never led to a token is forgotten after this
BROWSER_DAYS = 400  #: as long as browsers keep a cookie at most


@dataclass(frozen=True)
class Account:
    sub: str
    name: str
    created_at: float
    last_client: str = ""
    last_at: float = 0.0


@dataclass(frozen=True)
class Browser:
    """A browser we know. ``admitted`` is the mark of the passcode typed in it."""

    hash: str
    admitted: str


class Accounts:
    """Keeps accounts, browsers and who approved which client."""

    def __init__(self, database: Database, *, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now

    def browser(self, cookie: str) -> Browser | None:
        """Return the browser that carries ``cookie``, if it is one we gave out and remember."""
        row = self._database.row("SELECT * FROM browsers WHERE hash=?", (secret.digest(cookie),))
        return Browser(row["hash"], row["admitted"]) if row else None

    def add_browser(self, admitted: str) -> tuple[Browser, str]:
        """Remember a browser under a fresh cookie and return both.

        Always a fresh one: a cookie that somebody planted there must not become a session.
        """
        cookie = secret.mint(secret.BROWSER)
        browser = Browser(secret.digest(cookie), admitted)
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO browsers VALUES (?,?,?)", (browser.hash, admitted, self._now())
            )
        return browser, cookie

    def admit(self, browser: Browser, admitted: str) -> Browser:
        """Note that the passcode was typed in this browser."""
        with self._database.write() as connection:
            connection.execute(
                "UPDATE browsers SET admitted=? WHERE hash=?", (admitted, browser.hash)
            )
        return Browser(browser.hash, admitted)

    def held(self, browser: Browser | None) -> list[Account]:
        """Return the browser's accounts, the most recently used first."""
        if browser is None:
            return []
        rows = self._database.rows(
            "SELECT a.sub, a.name, a.created_at, h.last_client, h.last_at"
            " FROM holdings h JOIN accounts a USING (sub)"
            " WHERE h.browser=? ORDER BY h.last_at DESC, h.rowid DESC LIMIT ?",
            (browser.hash, MAX_HELD),
        )
        return [Account(*row) for row in rows]

    def add(self) -> Account:
        """Make an empty account."""
        account = Account(
            "acc_" + secrets.token_urlsafe(16), "player-" + secrets.token_hex(2), self._now()
        )
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO accounts VALUES (?,?,?,NULL)",
                (account.sub, account.name, account.created_at),
            )
        return account

    def approve(self, browser: Browser, account: Account, client: Client, uri: str) -> None:
        """Remember that this account, in this browser, lends itself to this client there."""
        now = self._now()
        with self._database.write() as connection:
            connection.execute("UPDATE browsers SET seen_at=? WHERE hash=?", (now, browser.hash))
            connection.execute(
                "INSERT INTO holdings VALUES (?,?,?,?) ON CONFLICT DO UPDATE"
                " SET last_client=excluded.last_client, last_at=excluded.last_at",
                (browser.hash, account.sub, client.name, now),
            )
            connection.execute(
                "INSERT INTO approvals VALUES (?,?,?) ON CONFLICT DO NOTHING",
                (account.sub, client.client_id, redirects.portless(uri)),
            )

    def approved(self, accounts: list[Account], client: Client, uri: str) -> list[Account]:
        """Return those of ``accounts`` that approved this client at this address before."""
        rows = self._database.rows(
            "SELECT sub FROM approvals WHERE client_id=? AND redirect_uri=?",
            (client.client_id, redirects.portless(uri)),
        )
        subs = {row["sub"] for row in rows}
        return [account for account in accounts if account.sub in subs]

    def sweep(self) -> int:
        """Forget accounts that never got a token, and browsers long gone; return how many.

        Link previews and clients that try the address first leave such accounts behind.
        """
        now = self._now()
        with self._database.write() as connection:
            gone = connection.execute(
                "DELETE FROM accounts WHERE used_at IS NULL AND created_at < ?",
                (now - UNUSED_HOURS * 3600,),
            ).rowcount
            gone += connection.execute(
                "DELETE FROM browsers WHERE seen_at < ?", (now - BROWSER_DAYS * 86400,)
            ).rowcount
        return gone
