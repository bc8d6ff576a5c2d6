"""Dynamic registration (RFC 7591).

On the other side is anybody at all. He may fill neither the disk nor the consent page
with his text, and gets client credentials behind a passcode only by presenting it
(`tests/attacks/test_registration_abuse.py`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mcp_multiplayer.edge.auth import redirects, secret
from mcp_multiplayer.edge.auth.clients import SCOPE, Client, Clients
from mcp_multiplayer.edge.auth.passcode import Passcode
from mcp_multiplayer.edge.auth.tokens import ACCESS_SECONDS, Pair, Tokens

log = logging.getLogger(__name__)

MAX_BYTES = 16_384
MAX_REDIRECTS = 20
MAX_NAME = 100
GRANTS = ("authorization_code", "refresh_token", "client_credentials")


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
    tokens: Tokens
    passcode: Passcode
    auto_token: bool = False

    def register(
        self,
        document: bytes,
        *,
        issuer: str,
        address: str,
        network: str = "",
        initial_token: str = "",
    ) -> dict[str, Any]:
        """Make a client as ``document`` wishes and return what it is told, or raise `Refused`.
        ``network`` is the sender's, as `secret.network` names it."""
        admitted = self._admit(initial_token, address)
        wish = _read(document)
        method = _auth_method(wish)
        uris = _redirect_uris(wish)
        grants = _grant_types(wish, uris, method, services=admitted)
        client, clear = self.clients.add(
            name=_name(wish.client_name or ""),
            redirect_uris=uris,
            grant_types=grants,
            auth_method=method,
            admitted=self.passcode.mark if admitted else "",
            network=network,
        )
        log.info("registered client %s (%s)", client.client_id, ", ".join(grants))
        answer = _answer(client, clear)
        if self.auto_token and admitted and client.name == "Claude":
            answer |= self._auto_token(client, issuer)
        return answer

    def _admit(self, initial_token: str, address: str) -> bool:
        """Return whether client credentials may be had; a wrong passcode is refused outright."""
        if not self.passcode.locked:
            return True
        if not initial_token:
            return False
        opened, wait = self.passcode.check(initial_token, address)
        if not opened:
            status = 429 if wait else 401
            raise Refused("invalid_token", "Wrong passcode.", status=status, wait=wait)
        return True

    def _auto_token(self, client: Client, issuer: str) -> dict[str, Any]:
        pair = Pair(secret.mint(secret.ACCESS))
        self.tokens.issue(
            sub=client.service,
            client_id=client.client_id,
            issuer=issuer,
            network=client.network,
            pair=pair,
        )
        return {
            "access_token": pair.access,
            "token_type": "Bearer",
            "expires_in": ACCESS_SECONDS,
        }


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


def _redirect_uris(wish: ClientMetadata) -> tuple[str, ...]:
    """Keep what is acceptable. Cursor registers https and private schemes in one list: one
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
    asked = GRANTS if not wish.grant_types else tuple(g for g in GRANTS if g in wish.grant_types)
    if wish.response_types and "code" not in wish.response_types and uris:
        raise Refused("invalid_client_metadata", "response_types must contain code")
    if wish.grant_types and "authorization_code" in asked and not uris:
        raise Refused("invalid_redirect_uri", "redirect_uris is missing")
    allowed = set(asked)
    if not uris:
        allowed -= {"authorization_code", "refresh_token"}
    if method == "none" or not services:
        allowed.discard("client_credentials")
    if not allowed & {"authorization_code", "client_credentials"}:
        _explain(wish, asked, method, services=services)
    return tuple(grant for grant in GRANTS if grant in allowed)


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
