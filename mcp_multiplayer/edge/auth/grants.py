"""Who lends which account to which client: grants, and the codes and tokens issued from them.

On the other side is a person's browser with every page it has open, and whoever holds a stolen
code or token. A page may not learn, use or plant a browser's cookie
(`tests/attacks/test_consent_csrf.py`). What was stolen may not work a second time, and using it a
second time ends what the thief got with the first (`tests/attacks/test_code_replay.py`,
`test_refresh_replay.py`).

An account is a random `sub` with a readable name and nothing about the person. A browser may hold
several ("New separate player"), else signing in again would lose the second one.

Methods that ask write nothing. Each of the others is one transaction: approving and giving out the
code, consuming and issuing happen together or not at all, and a revocation found out on the way is
durable before the refusal is told.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from mcp_multiplayer.edge.auth import redirects
from mcp_multiplayer.edge.auth.clients import Client
from mcp_multiplayer.edge.auth.database import Database, digest, mint

ACCESS = "mpt_"
REFRESH = "mpr_"
CODE = "mpc_"
DEVICE = "mpd_"
BROWSER = "mpb_"

CODE_SECONDS = 60

DEVICE_SECONDS = 600  #: in which a person has to type the code that a device shows
ANSWERED_SECONDS = 60  #: that a device has at least to hear of the answer
#: Letters of such codes: no vowels, so that no word comes up, and none that look alike; 20 to the
#: eighth are 34 bits (RFC 8628 §5.1, §6.1). How often they may be tried: `device.WRONG_PER_MINUTE`.
USER_CODE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
USER_CODE_LENGTH = 8

#: Hosted clients refresh from several machines at once. Within this time a refresh token that
#: was just used gives another pair of the same family instead of ending the family.
GRACE_SECONDS = 10

MAX_HELD = 8  #: accounts a browser is shown, the most recently used first
UNUSED_HOURS = 24  #: an account that never led to a token is forgotten after this
BROWSER_DAYS = 400  #: as long as browsers keep a cookie at most


class Spent(Exception):
    """The code or refresh token is unknown, expired, revoked or used; nothing was issued."""


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


@dataclass(frozen=True)
class AuthorizationRequest:
    """What a client asks a person for, found valid (`authorize.Consent`)."""

    issuer: str  #: our address as the client spells it
    client: Client
    redirect_uri: str  #: where the answer goes
    given_uri: str  #: the parameter, "" when left out; a token request has to repeat it
    state: str
    challenge: str


def spelled(letters: str) -> str:
    """Return a user code as people read it: in two halves."""
    half = USER_CODE_LENGTH // 2
    return f"{letters[:half]}-{letters[half:]}"


@dataclass(frozen=True)
class Device:
    """A device that asks a person, found waiting (`device.DeviceConsent`)."""

    hash: str
    user_code: str  #: as its person reads it there
    client: Client
    issuer: str
    network: str  #: of the device
    created_at: float


@dataclass(frozen=True)
class Approval:
    """What a yes gives: whose it was, the code for the client, and the cookie of a browser that
    had none of ours before."""

    account: Account
    code: str
    cookie: str


@dataclass(frozen=True)
class Bearer:
    """What a live access token says."""

    sub: str
    client_id: str
    issuer: str
    expires_at: float
    network: str  #: in which it was consented to; of client credentials, in which they registered
    born: int  #: when the account was made


@dataclass(frozen=True)
class Credential:
    """A code or refresh token as it stood a moment ago, in authlib's terms. ``replayed``: it was
    redeemed before, so that its family has to end."""

    hash: str
    grant_id: int
    sub: str
    client_id: str
    issuer: str
    redirect_uri: str = ""
    code_challenge: str = ""
    code_challenge_method: str = "S256"
    replayed: bool = False
    state: str = ""  #: of a device: what the person said so far

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return "mcp"

    def check_client(self, client: object) -> bool:
        return getattr(client, "client_id", None) == self.client_id


@dataclass(frozen=True)
class Pair:
    """The tokens of one answer, in clear. ``refresh`` may be empty."""

    access: str
    refresh: str = ""

    @classmethod
    def mint(cls, *, refresh: bool) -> Pair:
        """Return fresh ones, worth nothing before they are issued."""
        return cls(mint(ACCESS), mint(REFRESH) if refresh else "")


class Grants:
    """Keeps browsers, accounts and grants. ``issuers`` are our own addresses; grants of others are
    void, as are those without the current ``admission`` mark when there is one. Tokens are good
    for ``access_seconds`` and ``refresh_seconds``."""

    def __init__(
        self,
        database: Database,
        *,
        issuers: tuple[str, ...],
        admission: str = "",
        access_seconds: int = 3600,
        refresh_seconds: int = 90 * 86400,
        now: Callable[[], float] = time.time,
        on_revoked: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._issuers = issuers
        self._admission = admission
        self.access_seconds = access_seconds
        self._refresh_seconds = refresh_seconds
        self._now = now
        self.on_revoked = on_revoked

    # Who asks for a yes

    def browser(self, cookie: str) -> Browser | None:
        """Return the browser that carries ``cookie``, if it is one we gave out and remember."""
        row = self._database.row("SELECT * FROM browsers WHERE hash=?", (digest(cookie),))
        return Browser(row["hash"], row["admitted"]) if row else None

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

    def approved(self, accounts: list[Account], client: Client, uri: str) -> list[Account]:
        """Return those of ``accounts`` that approved this client at this address before."""
        rows = self._database.rows(
            "SELECT sub FROM approvals WHERE client_id=? AND redirect_uri=?",
            (client.client_id, redirects.portless(uri)),
        )
        subs = {row["sub"] for row in rows}
        return [account for account in accounts if account.sub in subs]

    # A yes

    def admit(self, browser: Browser | None) -> str:
        """Remember that today's passcode was typed in ``browser``, or in one that had no cookie of
        ours (None), and return the cookie that this one is given."""
        with self._database.write() as connection:
            return self._see(connection, browser and self.admitted(browser))

    def admitted(self, browser: Browser) -> Browser:
        """Return the browser as one in which today's passcode was typed."""
        return replace(browser, admitted=self._admission)

    def play_here(
        self, browser: Browser | None, account: Account | None, by: str
    ) -> tuple[Account, str]:
        """Have our own pages, named ``by``, act in ``browser`` as ``account``, a new one for None;
        return it with the cookie of a browser that had none. It is no approval of any client."""
        with self._database.write() as connection:
            return self._lend(connection, by, browser, account)

    def acts(self, account: Account) -> None:
        """Note that the account has done something, so that it is not forgotten."""
        row = self._database.row("SELECT used_at FROM accounts WHERE sub=?", (account.sub,))
        if row is not None and row["used_at"] is None:
            with self._database.write() as connection:
                _mark_used(connection, account.sub, "", self._now())

    def approve(
        self,
        request: AuthorizationRequest,
        *,
        browser: Browser | None = None,
        account: Account | None = None,
        network: str = "",
    ) -> Approval:
        """Have ``account`` of ``browser`` lend itself to the client that asks; None is a new one.
        ``network`` is the browser's.

        A crash before COMMIT leaves nothing of it; one after, an account that the browser has no
        cookie for and a code that nobody got: the sweep takes both.
        """
        now, client = self._now(), request.client
        code = mint(CODE)
        with self._database.write() as connection:
            account, cookie = self._lend(connection, client.name, browser, account)
            connection.execute(
                "INSERT INTO approvals VALUES (?,?,?) ON CONFLICT DO NOTHING",
                (account.sub, client.client_id, redirects.portless(request.redirect_uri)),
            )
            ends = now + CODE_SECONDS
            grant_id = self._open(
                connection, account.sub, client.client_id, request.issuer, network, ends
            )
            connection.execute(
                "INSERT INTO codes VALUES (?,?,?,?,?,NULL)",
                (digest(code), grant_id, request.given_uri, request.challenge, ends),
            )
        return Approval(account, code, cookie)

    # A yes for a device without a browser

    def start_device(self, client: Client, *, issuer: str, network: str) -> tuple[str, str]:
        """Return a device code and the user code for a person to type. ``network`` is the
        device's."""
        device_code, now = mint(DEVICE), self._now()
        letters = "".join(secrets.choice(USER_CODE_LETTERS) for _ in range(USER_CODE_LENGTH))
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO devices VALUES (?,?,?,?,?,?,?,'pending',NULL,NULL)",
                (
                    digest(device_code),
                    digest(letters),
                    client.client_id,
                    issuer,
                    network,
                    now,
                    now + DEVICE_SECONDS,
                ),
            )
        return device_code, letters

    def waiting_device(self, letters: str, find: Callable[[str], Client | None]) -> Device | None:
        """Return the device that shows the user code ``letters`` and waits for an answer; ``find``
        knows its client."""
        row = self._database.row(
            "SELECT * FROM devices WHERE user_code=? AND state='pending' AND expires_at>?",
            (digest(letters), self._now()),
        )
        client = find(row["client_id"]) if row and row["issuer"] in self._issuers else None
        if row is None or client is None:
            return None
        return Device(
            row["hash"], letters, client, row["issuer"], row["network"], row["created_at"]
        )

    def approve_device(
        self,
        device: Device,
        *,
        browser: Browser | None = None,
        account: Account | None = None,
        network: str = "",
    ) -> Approval | None:
        """Have ``account`` lend itself to the device's client, as `approve` does; None when the
        device waits no more. Nothing is approved for later: the next device asks again."""
        with self._database.write() as connection:
            if not self._answer(connection, device, "approved"):
                return None
            account, cookie = self._lend(connection, device.client.name, browser, account)
            ends = max(device.created_at + DEVICE_SECONDS, self._now() + ANSWERED_SECONDS)
            grant_id = self._open(
                connection, account.sub, device.client.client_id, device.issuer, network, ends
            )
            connection.execute(
                "UPDATE devices SET grant_id=?, expires_at=? WHERE hash=?",
                (grant_id, ends, device.hash),
            )
        return Approval(account, "", cookie)

    def deny_device(self, device: Device) -> None:
        """Tell the device no."""
        with self._database.write() as connection:
            self._answer(connection, device, "denied")

    def _answer(self, connection: sqlite3.Connection, device: Device, state: str) -> bool:
        return bool(
            connection.execute(
                "UPDATE devices SET state=? WHERE hash=? AND state='pending' AND expires_at>?",
                (state, device.hash, self._now()),
            ).rowcount
        )

    # Issuing

    def redeem(self, code: Credential, pair: Pair) -> None:
        """Consume the code and issue ``pair``; a second time revoke the first and raise `Spent`."""
        with self._database.write() as connection:
            fresh = connection.execute(
                "UPDATE codes SET used_at=? WHERE hash=? AND used_at IS NULL",
                (self._now(), code.hash),
            ).rowcount
            if fresh and self._issue(connection, code.grant_id, pair):
                _mark_used(connection, code.sub, code.client_id, self._now())
                return
            self._revoke(connection, code.grant_id)
        self._refuse("code was presented twice")

    def redeem_device(self, device: Credential, pair: Pair) -> None:
        """Consume the device code and issue ``pair``; a second time, but for a device that repeats
        what it lost the answer of, revoke the first and raise `Spent`."""
        with self._database.write() as connection:
            in_time = self._consume(connection, "devices", device)
            if in_time and self._issue(connection, device.grant_id, pair):
                _mark_used(connection, device.sub, device.client_id, self._now())
                return
            self._revoke(connection, device.grant_id)
        self._refuse("device code was presented twice")

    def rotate(self, old: Credential, pair: Pair) -> None:
        """Consume the refresh token and issue ``pair``, or revoke the family and raise `Spent`."""
        with self._database.write() as connection:
            in_time = self._consume(connection, "tokens", old)
            if in_time and self._issue(connection, old.grant_id, pair):
                return
            self._revoke(connection, old.grant_id)
        self._refuse("refresh token was presented twice")

    def issue(
        self, *, sub: str, client_id: str, issuer: str, pair: Pair, network: str = ""
    ) -> None:
        """Open a grant without a code: client credentials. ``network``: of the registration."""
        now = self._now()
        with self._database.write() as connection:
            grant_id = self._open(connection, sub, client_id, issuer, network, now)
            self._issue(connection, grant_id, pair)
            _mark_used(connection, sub, client_id, now)

    # Asking

    def code(self, code: str, client_id: str) -> Credential | None:
        """Return the code if it is this client's, and live or redeemed before (`replayed`)."""
        row = self._find("codes", code)
        if row is None or row["client_id"] != client_id:
            return None
        replayed = row["used_at"] is not None
        if not replayed and row["expires_at"] <= self._now():
            return None
        return _credential(row, row["redirect_uri"], row["challenge"], replayed=replayed)

    def device(self, device_code: str, client_id: str) -> Credential | None:
        """Return the device code if it is this client's; its ``state`` is `pending`, `denied`,
        `expired`, or `approved`, which alone has a grant."""
        row = self._database.row("SELECT * FROM devices WHERE hash=?", (digest(device_code),))
        if row is None or row["client_id"] != client_id or row["issuer"] not in self._issuers:
            return None
        now, used_at = self._now(), row["used_at"]
        if used_at is None and row["expires_at"] <= now:
            return _waiting(row, "expired")
        if row["grant_id"] is None:
            return _waiting(row, row["state"])
        grant = self._find("devices", device_code)
        if grant is None:  # revoked, or of another passcode
            return None
        replayed = used_at is not None and now - used_at > GRACE_SECONDS
        return replace(_credential(grant, replayed=replayed), state="approved")

    def refresh(self, token: str, client_id: str) -> Credential | None:
        """Return the refresh token if it is this client's, and live or replayed after the grace."""
        row = self._find("tokens", token)
        if row is None or row["client_id"] != client_id or row["kind"] != "refresh":
            return None
        now, used_at = self._now(), row["used_at"]
        replayed = used_at is not None and now - used_at > GRACE_SECONDS
        if not replayed and row["expires_at"] <= now:
            return None
        return _credential(row, replayed=replayed)

    def bearer(self, token: str) -> Bearer | None:
        """Return whom the access token stands for, or None when it is worth nothing."""
        row = self._find("tokens", token)
        if row is None or row["kind"] != "access" or row["expires_at"] <= self._now():
            return None
        return Bearer(
            row["sub"],
            row["client_id"],
            row["issuer"],
            row["expires_at"],
            row["network"],
            self._born(row["sub"], row["client_id"]),
        )

    def _born(self, sub: str, client_id: str) -> int:
        """When the account was made: a person's, or the one a client registered."""
        row = self._database.row(
            "SELECT created_at FROM accounts WHERE sub=? UNION ALL"
            " SELECT created_at FROM clients WHERE client_id=? AND service=?",
            (sub, client_id, sub),
        )
        return int(row["created_at"]) if row else 0

    def any_token(self, token: str) -> Credential | None:
        """Return the token of either kind, live or expired, for revocation."""
        row = self._find("tokens", token)
        return _credential(row) if row else None

    # Ending

    def revoke(self, token: Credential) -> None:
        """End the grant of a code or token: everything issued from it is void when this returns.

        RFC 7009 §2.1 lets an access token take its refresh token along: signing out means out.
        """
        with self._database.write() as connection:
            self._revoke(connection, token.grant_id)
        self.on_revoked()

    def sweep(self) -> int:
        """Forget what expired long enough ago that no replay needs to be noticed any more, accounts
        that never got a token with browsers that held no other, and browsers long gone; return how
        many.

        Link previews and clients that try the address first leave such accounts behind.
        """
        now = self._now()
        unused = now - UNUSED_HOURS * 3600
        with self._database.write() as connection:
            return sum(
                connection.execute(f"DELETE FROM {what} < ?", (before,)).rowcount
                for what, before in (
                    ("tokens WHERE expires_at", now - 60),
                    ("devices WHERE expires_at", now - DEVICE_SECONDS),
                    ("grants WHERE ends_at", now - self.access_seconds),
                    ("accounts WHERE used_at IS NULL AND created_at", unused),
                    (
                        "browsers WHERE admitted='' AND hash NOT IN"
                        " (SELECT browser FROM holdings) AND seen_at",
                        unused,
                    ),
                    ("browsers WHERE seen_at", now - BROWSER_DAYS * 86400),
                )
            )

    # Shared steps

    def _add_account(self, connection: sqlite3.Connection) -> Account:
        account = Account(
            "acc_" + secrets.token_urlsafe(16), "player-" + secrets.token_hex(2), self._now()
        )
        connection.execute(
            "INSERT INTO accounts VALUES (?,?,?,NULL)",
            (account.sub, account.name, account.created_at),
        )
        return account

    def _lend(
        self,
        connection: sqlite3.Connection,
        by: str,
        browser: Browser | None,
        account: Account | None,
    ) -> tuple[Account, str]:
        """Have the browser hold ``account``, or a new one, as last used by an app of that name;
        return it with the cookie of a browser that had none of ours."""
        account = account or self._add_account(connection)
        cookie = self._see(connection, browser)
        holder = browser.hash if browser else digest(cookie)
        connection.execute(
            "INSERT INTO holdings VALUES (?,?,?,?) ON CONFLICT DO UPDATE"
            " SET last_client=excluded.last_client, last_at=excluded.last_at",
            (holder, account.sub, by, self._now()),
        )
        return account, cookie

    def _see(self, connection: sqlite3.Connection, browser: Browser | None) -> str:
        """Note that the browser was here; return the cookie of one that had none of ours."""
        cookie = ""
        if browser is None:
            # Under a fresh one always: what somebody planted there must not become a session.
            cookie = mint(BROWSER)
            browser = Browser(digest(cookie), self._admission)
        connection.execute(  # known a moment ago, but the sweep may have been quicker
            "INSERT INTO browsers VALUES (?,?,?) ON CONFLICT DO UPDATE"
            " SET admitted=excluded.admitted, seen_at=excluded.seen_at",
            (browser.hash, browser.admitted, self._now()),
        )
        return cookie

    def _open(
        self,
        connection: sqlite3.Connection,
        sub: str,
        client_id: str,
        issuer: str,
        network: str,
        ends: float,
    ) -> int:
        cursor = connection.execute(
            "INSERT INTO grants VALUES (NULL,?,?,?,?,?,?,NULL,?)",
            (sub, client_id, issuer, self._admission, self._now(), ends, network),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def _consume(self, connection: sqlite3.Connection, table: str, spent: Credential) -> bool:
        """Note that the credential was used; return whether it may be, for the first time or within
        the grace after it."""
        now = self._now()
        connection.execute(
            f"UPDATE {table} SET used_at=? WHERE hash=? AND used_at IS NULL", (now, spent.hash)
        )
        row = connection.execute(
            f"SELECT used_at FROM {table} WHERE hash=?", (spent.hash,)
        ).fetchone()
        return row is not None and now - row["used_at"] <= GRACE_SECONDS

    def _issue(self, connection: sqlite3.Connection, grant_id: int, pair: Pair) -> bool:
        now = self._now()
        ends = now + (self._refresh_seconds if pair.refresh else self.access_seconds)
        alive = connection.execute(
            "UPDATE grants SET ends_at=max(ends_at, ?) WHERE grant_id=? AND revoked_at IS NULL",
            (ends, grant_id),
        ).rowcount
        if not alive:
            return False
        rows = [(digest(pair.access), grant_id, "access", now + self.access_seconds)]
        if pair.refresh:
            rows.append((digest(pair.refresh), grant_id, "refresh", now + self._refresh_seconds))
        connection.executemany("INSERT INTO tokens VALUES (?,?,?,?,NULL)", rows)
        return True

    def _find(self, table: str, clear: str) -> sqlite3.Row | None:
        row = self._database.row(
            f"SELECT * FROM {table} JOIN grants USING (grant_id)"
            " WHERE hash=? AND revoked_at IS NULL",
            (digest(clear),),
        )
        if row is None or row["issuer"] not in self._issuers:
            return None
        if self._admission and row["admitted"] != self._admission:
            return None
        return row

    def _revoke(self, connection: sqlite3.Connection, grant_id: int) -> None:
        connection.execute(
            "UPDATE grants SET revoked_at=? WHERE grant_id=? AND revoked_at IS NULL",
            (self._now(), grant_id),
        )

    def _refuse(self, reason: str) -> None:
        self.on_revoked()
        raise Spent(reason)


def _mark_used(connection: sqlite3.Connection, sub: str, client_id: str, now: float) -> None:
    for table, key, value in (("accounts", "sub", sub), ("clients", "client_id", client_id)):
        connection.execute(
            f"UPDATE {table} SET used_at=? WHERE {key}=? AND used_at IS NULL", (now, value)
        )


def _waiting(row: sqlite3.Row, state: str) -> Credential:
    return Credential(row["hash"], 0, "", row["client_id"], row["issuer"], state=state)


def _credential(
    row: sqlite3.Row, redirect_uri: str = "", challenge: str = "", *, replayed: bool = False
) -> Credential:
    return Credential(
        hash=row["hash"],
        grant_id=row["grant_id"],
        sub=row["sub"],
        client_id=row["client_id"],
        issuer=row["issuer"],
        redirect_uri=redirect_uri,
        code_challenge=challenge,
        replayed=replayed,
    )
