"""Programs that ask for tokens, as they registered.

A `client_id` identifies a program, never a person: all users of a product may share one.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass

from authlib.oauth2.rfc6749 import ClientMixin  # type: ignore[import-untyped]

from mcp_multiplayer.edge.auth import redirects, secret
from mcp_multiplayer.edge.auth.database import Database

#: The one scope there is. What a member may do is decided per room, not per token.
SCOPE = "mcp"

UNUSED_DAYS = 7  #: a registration that never got a token is forgotten after this
MAX_UNUSED = 20_000  #: beyond it the oldest unused registrations go early


@dataclass(frozen=True)
class Client(ClientMixin):  # type: ignore[misc]
    """One registration. ``secret_hash`` is empty for a public client."""

    client_id: str
    name: str
    redirect_uris: tuple[str, ...]
    grant_types: tuple[str, ...]
    auth_method: str
    service: str  #: the account it acts as with client credentials
    admitted: str  #: see `secret.admission`
    secret_hash: str = ""
    network: str = ""  #: of whoever registered it, see `secret.network`

    # What authlib asks a client.

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> str | None:
        return self.redirect_uris[0] if len(self.redirect_uris) == 1 else None

    def get_allowed_scope(self, scope: str | None) -> str:
        # RFC 6749 §3.3: what we do not know is left out and the answer says what was granted.
        # Hosted clients send scopes of other servers; refusing them would lock them out.
        return SCOPE

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return any(redirects.matches(known, redirect_uri) for known in self.redirect_uris)

    def check_client_secret(self, client_secret: str) -> bool:
        return bool(self.secret_hash) and secret.same(
            self.secret_hash, secret.digest(client_secret)
        )

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        # Either way of sending a secret proves the same; clients often register one and use the
        # other. A client with a secret must send it.
        if self.auth_method == "none":
            return method == "none"
        return method in ("client_secret_basic", "client_secret_post")

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code" and "authorization_code" in self.grant_types

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in self.grant_types


class Clients:
    """Keeps registrations."""

    def __init__(self, database: Database, *, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now

    def add(
        self,
        *,
        name: str,
        redirect_uris: tuple[str, ...],
        grant_types: tuple[str, ...],
        auth_method: str,
        admitted: str = "",
        network: str = "",
    ) -> tuple[Client, str]:
        """Register a client and return it with its secret ("" for a public one)."""
        clear = "" if auth_method == "none" else secret.mint(secret.CLIENT_SECRET)
        client = Client(
            client_id="cli_" + secrets.token_urlsafe(16),
            name=name,
            redirect_uris=redirect_uris,
            grant_types=grant_types,
            auth_method=auth_method,
            # A prefix of its own, so that no client can become a person's account.
            service="svc_" + secrets.token_urlsafe(16),
            admitted=admitted,
            secret_hash=secret.digest(clear) if clear else "",
            network=network,
        )
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO clients VALUES (?,?,?,?,?,?,?,?,?,NULL,?)",
                (
                    client.client_id,
                    client.secret_hash,
                    name,
                    json.dumps(redirect_uris),
                    json.dumps(grant_types),
                    auth_method,
                    client.service,
                    admitted,
                    self._now(),
                    network,
                ),
            )
        return client, clear

    def find(self, client_id: str) -> Client | None:
        """Return the client that was registered under this id."""
        row = self._database.row("SELECT * FROM clients WHERE client_id=?", (client_id,))
        return _client(row) if row else None

    def sweep(self) -> int:
        """Forget registrations that never led to a token; return how many."""
        with self._database.write() as connection:
            old = connection.execute(
                "DELETE FROM clients WHERE used_at IS NULL AND created_at < ?",
                (self._now() - UNUSED_DAYS * 86400,),
            ).rowcount
            many = connection.execute(
                "DELETE FROM clients WHERE used_at IS NULL AND client_id IN (SELECT client_id FROM"
                " clients WHERE used_at IS NULL ORDER BY created_at DESC LIMIT -1 OFFSET ?)",
                (MAX_UNUSED,),
            ).rowcount
        return old + many


def _client(row: sqlite3.Row) -> Client:
    return Client(
        client_id=row["client_id"],
        name=row["name"],
        redirect_uris=tuple(json.loads(row["redirect_uris"])),
        grant_types=tuple(json.loads(row["grant_types"])),
        auth_method=row["auth_method"],
        service=row["service"],
        admitted=row["admitted"],
        secret_hash=row["secret_hash"],
        network=row["network"],
    )
