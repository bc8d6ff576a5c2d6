"""Programs that ask for tokens: how they register (RFC 7591), and what is kept of it. Those that do
not register but name a document about themselves are read by ``client_documents``.

On the other side is anybody at all. He may fill neither the disk nor the consent page
with his text, and gets client credentials behind a passcode only by presenting it
(`tests/attacks/test_registration_abuse.py`).

A `client_id` identifies a program, never a person: all users of a product may share one.
"""

from __future__ import annotations

import hmac
import json
import logging
import secrets
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from authlib.oauth2.rfc6749 import ClientMixin  # type: ignore[import-untyped]
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mcp_multiplayer.edge.auth import redirects
from mcp_multiplayer.edge.auth.database import Database, digest, mint
from mcp_multiplayer.edge.auth.passcode import Passcode

log = logging.getLogger(__name__)

#: The one scope there is. What a member may do is decided per room, not per token.
SCOPE = "mcp"

UNUSED_DAYS = 7  #: a registration that never got a token is forgotten after this
MAX_UNUSED = 20_000  #: beyond it the oldest unused registrations go early

MAX_BYTES = 16_384
MAX_REDIRECTS = 20
MAX_NAME = 100
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"  #: RFC 8628 §3.4
GRANTS = ("authorization_code", "refresh_token", "client_credentials", DEVICE_GRANT)
CLIENT_SECRET = "mps_"
#: How a client of a document proves who it is, if at all: it signs (RFC 7523 §2.2).
ASSERTION_METHOD = "private_key_jwt"


@dataclass(frozen=True)
class Client(ClientMixin):  # type: ignore[misc]
    """One client, registered or of a document. ``secret_hash`` is empty for a public client."""

    client_id: str
    name: str
    redirect_uris: tuple[str, ...]
    grant_types: tuple[str, ...]
    auth_method: str
    service: str  #: the account it acts as with client credentials
    admitted: str  #: see `Passcode.mark`
    secret_hash: str = ""
    network: str = ""  #: of whoever registered it, see `Addresses.mark`
    keys: str = ""  #: of a client that signs: its public keys, a JSON Web Key Set (RFC 7517)
    read_at: float = 0.0  #: when its document was read, 0 of a registration
    fresh_until: float = 0.0  #: when it has to be read again

    @classmethod
    def of_document(
        cls,
        client_id: str,
        *,
        name: str,
        redirect_uris: tuple[str, ...],
        grant_types: tuple[str, ...] = GRANTS[:2],
        auth_method: str = "none",
        keys: str = "",
    ) -> Client:
        """Return the client that the document at the address ``client_id`` describes."""
        return cls(
            client_id=client_id,
            name=_name(name),
            redirect_uris=redirect_uris,
            grant_types=grant_types,
            auth_method=auth_method,
            service=_service(),
            admitted="",
            keys=keys,
        )

    def withdrawn(self) -> Client:
        """Return the client after its document has gone: it may do nothing any more."""
        return replace(self, redirect_uris=(), grant_types=(), keys="")

    @property
    def publisher(self) -> str:
        """The host that vouches for name and addresses; "" of a registration, which nobody does."""
        return urlsplit(self.client_id).netloc if self.read_at else ""

    @property
    def key_ids(self) -> list[str]:
        return [key.get("kid", "") for key in json.loads(self.keys)["keys"]] if self.keys else []

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
        return bool(self.secret_hash) and hmac.compare_digest(
            self.secret_hash, digest(client_secret)
        )

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        # Either way of sending a secret proves the same; clients often register one and use the
        # other. A client with a secret must send it.
        if self.auth_method in ("none", ASSERTION_METHOD):
            return method == self.auth_method
        return method in ("client_secret_basic", "client_secret_post")

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code" and "authorization_code" in self.grant_types

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in self.grant_types


def is_address(client_id: str) -> bool:
    """Return whether ``client_id`` is meant as the address of a document, and not as one that was
    given out here."""
    return client_id.startswith("https://")


class Clients:
    """Keeps clients. Those of documents are not known where ``documents`` is false."""

    def __init__(
        self,
        database: Database,
        *,
        documents: bool = True,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._documents = documents
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
        clear = "" if auth_method == "none" else mint(CLIENT_SECRET)
        client = Client(
            client_id="cli_" + secrets.token_urlsafe(16),
            name=name,
            redirect_uris=redirect_uris,
            grant_types=grant_types,
            auth_method=auth_method,
            service=_service(),
            admitted=admitted,
            secret_hash=digest(clear) if clear else "",
            network=network,
        )
        self._write(client)
        return client, clear

    def keep(self, client: Client, *, fresh_until: float) -> None:
        """Note what the client's document said, in place of what it said before."""
        self._write(replace(client, fresh_until=fresh_until))

    def _write(self, client: Client) -> None:
        of_document = ("name", "redirect_uris", "grant_types", "auth_method", "keys")
        row = {
            "client_id": client.client_id,
            "secret_hash": client.secret_hash,
            "name": client.name,
            "redirect_uris": json.dumps(client.redirect_uris),
            "grant_types": json.dumps(client.grant_types),
            "auth_method": client.auth_method,
            "service": client.service,
            "admitted": client.admitted,
            "created_at": self._now(),
            "network": client.network,
            "keys": client.keys,
            "read_at": client.read_at,
            "fresh_until": client.fresh_until,
        }
        told = ", ".join(f"{n}=excluded.{n}" for n in (*of_document, "read_at", "fresh_until"))
        with self._database.write() as connection:
            connection.execute(
                f"INSERT INTO clients ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"
                f" ON CONFLICT (client_id) DO UPDATE SET {told}",
                tuple(row.values()),
            )

    def spend(self, client_id: str, assertion_id: str, until: float) -> bool:
        """Return whether a client's assertion is new, and have it be used from now on. It is
        remembered ``until`` it has expired (RFC 7523 §3)."""
        with self._database.write() as connection:
            return bool(
                connection.execute(
                    "INSERT INTO assertions VALUES (?,?) ON CONFLICT DO NOTHING",
                    (digest(json.dumps([client_id, assertion_id])), until),
                ).rowcount
            )

    def find(self, client_id: str) -> Client | None:
        """Return the client of this id: that registered, or whose document was read."""
        if not client_id.isascii():  # SQLite takes no half of a surrogate pair
            return None
        row = self._database.row("SELECT * FROM clients WHERE client_id=?", (client_id,))
        if row is None or (row["read_at"] and not self._documents):
            return None
        return _client(row)

    def sweep(self) -> int:
        """Forget clients that never got a token, and assertions that have expired; return how
        many."""
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
            # A document that nobody uses can be read again when somebody does.
            many += connection.execute(
                "DELETE FROM clients WHERE read_at > 0 AND read_at < ? AND client_id NOT IN"
                " (SELECT client_id FROM grants)",
                (self._now() - UNUSED_DAYS * 86400,),
            ).rowcount
            spent = connection.execute(
                "DELETE FROM assertions WHERE expires_at < ?", (self._now(),)
            ).rowcount
        return old + many + spent


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
        keys=row["keys"],
        read_at=row["read_at"],
        fresh_until=row["fresh_until"],
    )


def _service() -> str:
    """A prefix of its own, so that no client can become a person's account."""
    return "svc_" + secrets.token_urlsafe(16)


class Refused(Exception):
    """The registration is not made. ``error`` is a code of RFC 7591 §3.2.2 or RFC 6750 §3.1."""

    def __init__(self, error: str, description: str, *, status: int = 400, wait: float = 0) -> None:
        super().__init__(description)
        self.error = error
        self.status = status
        self.wait = wait


class ClientMetadata(BaseModel):
    """What we read of a registration. The rest (logo, contacts …) is neither kept nor shown:
    nobody has checked it, and a page that showed it would vouch for it."""

    model_config = ConfigDict(extra="ignore", strict=True)

    client_name: str | None = None
    redirect_uris: list[str] | None = Field(None, max_length=MAX_REDIRECTS)
    grant_types: list[str] | None = Field(None, max_length=20)
    response_types: list[str] | None = Field(None, max_length=20)
    token_endpoint_auth_method: str | None = None


@dataclass(frozen=True)
class Registration:
    """Registers clients for one server. ``auto_token`` is CLAUDE_AUTO_TOKEN."""

    clients: Clients
    passcode: Passcode | None
    auto_token: bool = False

    def register(
        self,
        document: bytes,
        *,
        issue: Callable[[Client], dict[str, Any]],
        sender: str,
        network: str = "",
        initial_token: str = "",
    ) -> dict[str, Any]:
        """Make a client as ``document`` wishes and return what it is told, or raise `Refused`.
        ``network`` is the sender's (`Addresses.mark`); ``issue`` gives a client the token that
        ``auto_token`` wants it to have at once."""
        admitted = self._admit(initial_token, sender)
        wish = _read(document)
        method = _auth_method(wish)
        uris = acceptable_redirects(wish)
        grants = _grant_types(wish, uris, method, services=admitted)
        client, clear = self.clients.add(
            name=_name(wish.client_name or ""),
            redirect_uris=uris,
            grant_types=grants,
            auth_method=method,
            admitted=self.passcode.mark if self.passcode and admitted else "",
            network=network,
        )
        log.info("registered client %s (%s)", client.client_id, ", ".join(grants))
        answer = _answer(client, clear)
        if self.auto_token and admitted and client.name == "Claude":
            answer |= issue(client)
        return answer

    def _admit(self, initial_token: str, sender: str) -> bool:
        """Return whether client credentials may be had; a wrong passcode is refused outright."""
        if self.passcode is None:
            return True
        if not initial_token:
            return False
        opened, wait = self.passcode.check(initial_token, sender)
        if not opened:
            status = 429 if wait else 401
            raise Refused("invalid_token", "Wrong passcode.", status=status, wait=wait)
        return True


def _read(document: bytes) -> ClientMetadata:
    try:
        return ClientMetadata.model_validate_json(document)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        field = str(fault["loc"][0]) if fault["loc"] else "body"
        code = "invalid_redirect_uri" if field == "redirect_uris" else "invalid_client_metadata"
        raise Refused(code, _complaint(field)) from None


def _complaint(field: str) -> str:
    """What would fit, for whoever writes a client; the reader's own words name its types."""
    match field:
        case "body":
            return "the registration must be a JSON object"
        case "client_name" | "token_endpoint_auth_method":
            return f"{field} must be text"
        case _:
            return f"{field} must be a short list of texts"


def _auth_method(wish: ClientMetadata) -> str:
    method = wish.token_endpoint_auth_method or "client_secret_basic"  # RFC 7591 §2
    if method not in ("none", "client_secret_basic", "client_secret_post"):
        raise Refused("invalid_client_metadata", "token_endpoint_auth_method is not supported")
    return method


def acceptable_redirects(wish: ClientMetadata) -> tuple[str, ...]:
    """Return the redirect URIs that are kept, or raise `Refused`.

    Keep what is acceptable. Cursor registers https and private schemes in one list: one
    unfamiliar address must not cost the others (but a hostile one condemns the list)."""
    asked = wish.redirect_uris or []
    try:
        kept = tuple(dict.fromkeys(uri for uri in asked if redirects.acceptable(uri)))
    except redirects.Hostile as error:
        raise Refused("invalid_redirect_uri", str(error)) from None
    if asked and not kept:
        raise Refused(
            "invalid_redirect_uri",
            "redirect_uris must be https, http on a loopback address, or of a private-use scheme"
            " in reverse domain form, such as com.example.app:/callback",
        )
    return kept


def _grant_types(
    wish: ClientMetadata, uris: tuple[str, ...], method: str, *, services: bool
) -> tuple[str, ...]:
    # Without a list RFC 7591 §2 means the code grant. Scripts that leave it out want credentials
    # and can have them: whoever holds a secret is no worse for an account of his own.
    asked = tuple(g for g in GRANTS if g in (wish.grant_types or GRANTS[:3]))
    _check_code(wish, asked, uris)
    allowed = set(asked)
    if not uris:
        allowed.discard("authorization_code")
    if not allowed & {"authorization_code", DEVICE_GRANT}:
        allowed.discard("refresh_token")
    if method == "none" or not services:
        allowed.discard("client_credentials")
    if not allowed - {"refresh_token"}:
        _explain(wish, asked, method, services=services)
    return tuple(grant for grant in GRANTS if grant in allowed)


def grants_of_document(wish: ClientMetadata, uris: tuple[str, ...]) -> tuple[str, ...]:
    """Return the grants of a client that has not registered, or raise `Refused`: those of a person.
    It has no account of its own, for anybody can be it."""
    asked = tuple(wish.grant_types or GRANTS[:2])
    _check_code(wish, asked, uris)
    allowed = tuple(g for g in GRANTS if g in asked and g != "client_credentials")
    if not {"authorization_code", DEVICE_GRANT} & set(allowed):
        raise Refused("invalid_client_metadata", "grant_types must contain authorization_code")
    return allowed


def _check_code(wish: ClientMetadata, asked: tuple[str, ...], uris: tuple[str, ...]) -> None:
    if wish.response_types and "code" not in wish.response_types and uris:
        raise Refused("invalid_client_metadata", "response_types must contain code")
    if wish.grant_types and "authorization_code" in asked and not uris:
        raise Refused("invalid_redirect_uri", "redirect_uris is missing")


def _explain(wish: ClientMetadata, asked: tuple[str, ...], method: str, *, services: bool) -> None:
    if "client_credentials" in asked and method != "none" and not services:
        raise Refused(
            "invalid_token",
            "This server has a passcode: send it as Bearer (initial access token).",
            status=401,
        )
    if "authorization_code" in asked or not asked:
        raise Refused("invalid_redirect_uri", "redirect_uris is missing, or no grant is supported")
    raise Refused("invalid_client_metadata", "client_credentials needs a client secret")


def _name(name: str) -> str:
    """Make a stranger's text fit for one line of a page: no controls, no direction marks."""
    return "".join(sign for sign in name if sign.isprintable()).strip()[:MAX_NAME]


def _answer(client: Client, clear: str) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "client_id": client.client_id,
        "client_name": client.name,
        "redirect_uris": list(client.redirect_uris),
        "grant_types": list(client.grant_types),
        "response_types": ["code"] if client.redirect_uris else [],
        "token_endpoint_auth_method": client.auth_method,
        "scope": SCOPE,
    }
    if clear:
        answer |= {"client_secret": clear, "client_secret_expires_at": 0}
    return answer
