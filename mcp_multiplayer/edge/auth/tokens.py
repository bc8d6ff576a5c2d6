"""Grants, and the codes and tokens issued from them.

On the other side is whoever holds a stolen code or token. It may not work a second time,
and using it a second time ends what the thief got with the first
(`tests/attacks/test_code_replay.py`, `test_refresh_replay.py`).

Every method is one transaction: consuming and issuing happen together or not at all, and
revocation found out on the way is durable before the refusal is told.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass

from mcp_multiplayer.edge.auth import secret
from mcp_multiplayer.edge.auth.database import Database

ACCESS_SECONDS = 3600
REFRESH_SECONDS = 90 * 86400
CODE_SECONDS = 60

#: Hosted clients refresh from several machines at once. Within this time a refresh token that
#: was just used gives another pair of the same family instead of ending the family.
GRACE_SECONDS = 10


class Spent(Exception):
    """The code or refresh token is unknown, expired, revoked or used; nothing was issued."""


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
    """A code or refresh token that could be redeemed a moment ago, in authlib's terms."""

    hash: str
    grant_id: int
    sub: str
    client_id: str
    issuer: str
    redirect_uri: str = ""
    code_challenge: str = ""
    code_challenge_method: str = "S256"

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


class Tokens:
    """Keeps grants. ``issuers`` are our own addresses; grants of others are void, as are those
    without the current ``admission`` mark when there is one."""

    def __init__(
        self,
        database: Database,
        *,
        issuers: tuple[str, ...],
        admission: str = "",
        now: Callable[[], float] = time.time,
        on_revoked: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._issuers = issuers
        self._admission = admission
        self._now = now
        self.on_revoked = on_revoked

    # Issuing

    def add_code(
        self,
        *,
        sub: str,
        client_id: str,
        issuer: str,
        redirect_uri: str,
        challenge: str,
        network: str = "",
    ) -> str:
        """Open a grant and return the code for it. ``network`` is the consenting browser's."""
        code, now = secret.mint(secret.CODE), self._now()
        with self._database.write() as connection:
            ends = now + CODE_SECONDS
            grant_id = self._open(connection, sub, client_id, issuer, network, ends)
            connection.execute(
                "INSERT INTO codes VALUES (?,?,?,?,?,NULL)",
                (secret.digest(code), grant_id, redirect_uri, challenge, ends),
            )
        return code

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
        self._refuse(code.grant_id, "code was presented twice")

    def rotate(self, old: Credential, pair: Pair) -> None:
        """Consume the refresh token and issue ``pair``, or revoke the family and raise `Spent`."""
        now = self._now()
        with self._database.write() as connection:
            connection.execute(
                "UPDATE tokens SET used_at=? WHERE hash=? AND used_at IS NULL", (now, old.hash)
            )
            row = connection.execute(
                "SELECT used_at FROM tokens WHERE hash=?", (old.hash,)
            ).fetchone()
            in_time = row is not None and now - row["used_at"] <= GRACE_SECONDS
            if in_time and self._issue(connection, old.grant_id, pair):
                return
            self._revoke(connection, old.grant_id)
        self._refuse(old.grant_id, "refresh token was presented twice")

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
        """Return the live code of this client. Presenting a used one revokes its family."""
        row = self._find("codes", code)
        if row is None or row["client_id"] != client_id:
            return None
        if row["used_at"] is not None:
            self._end(row["grant_id"])
            return None
        if row["expires_at"] <= self._now():
            return None
        return _credential(row, row["redirect_uri"], row["challenge"])

    def refresh(self, token: str, client_id: str) -> Credential | None:
        """Return the live refresh token of this client. Replaying one revokes its family."""
        row = self._find("tokens", token)
        if row is None or row["client_id"] != client_id or row["kind"] != "refresh":
            return None
        if row["used_at"] is not None and self._now() - row["used_at"] > GRACE_SECONDS:
            self._end(row["grant_id"])
            return None
        if row["expires_at"] <= self._now():
            return None
        return _credential(row)

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
        """End the token's grant: everything issued from it is void when this returns.

        RFC 7009 §2.1 lets an access token take its refresh token along: signing out means out.
        """
        self._end(token.grant_id)

    def sweep(self) -> int:
        """Delete what expired long enough ago that no replay needs to be noticed any more."""
        now = self._now()
        with self._database.write() as connection:
            gone = connection.execute(
                "DELETE FROM tokens WHERE expires_at < ?", (now - 60,)
            ).rowcount
            gone += connection.execute(
                "DELETE FROM grants WHERE ends_at < ?", (now - ACCESS_SECONDS,)
            ).rowcount
        return gone

    # Shared steps

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

    def _issue(self, connection: sqlite3.Connection, grant_id: int, pair: Pair) -> bool:
        now = self._now()
        ends = now + (REFRESH_SECONDS if pair.refresh else ACCESS_SECONDS)
        alive = connection.execute(
            "UPDATE grants SET ends_at=max(ends_at, ?) WHERE grant_id=? AND revoked_at IS NULL",
            (ends, grant_id),
        ).rowcount
        if not alive:
            return False
        rows = [(secret.digest(pair.access), grant_id, "access", now + ACCESS_SECONDS)]
        if pair.refresh:
            rows.append((secret.digest(pair.refresh), grant_id, "refresh", now + REFRESH_SECONDS))
        connection.executemany("INSERT INTO tokens VALUES (?,?,?,?,NULL)", rows)
        return True

    def _find(self, table: str, clear: str) -> sqlite3.Row | None:
        row = self._database.row(
            f"SELECT * FROM {table} JOIN grants USING (grant_id)"
            " WHERE hash=? AND revoked_at IS NULL",
            (secret.digest(clear),),
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

    def _end(self, grant_id: int) -> None:
        with self._database.write() as connection:
            self._revoke(connection, grant_id)
        self.on_revoked()

    def _refuse(self, grant_id: int, reason: str) -> None:
        self.on_revoked()
        raise Spent(reason)


def _mark_used(connection: sqlite3.Connection, sub: str, client_id: str, now: float) -> None:
    for table, key, value in (("accounts", "sub", sub), ("clients", "client_id", client_id)):
        connection.execute(
            f"UPDATE {table} SET used_at=? WHERE {key}=? AND used_at IS NULL", (now, value)
        )


def _credential(row: sqlite3.Row, redirect_uri: str = "", challenge: str = "") -> Credential:
    return Credential(
        hash=row["hash"],
        grant_id=row["grant_id"],
        sub=row["sub"],
        client_id=row["client_id"],
        issuer=row["issuer"],
        redirect_uri=redirect_uri,
        code_challenge=challenge,
    )
