"""authlib's core bound to us: the six methods it leaves open, and nothing else. One instance per
spelling of our address, because `iss` (RFC 9207) has to be the spelling the client used, on success
and on error alike.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from authlib.common.urls import add_params_to_uri  # type: ignore[import-untyped]
from authlib.oauth2 import AuthorizationServer, OAuth2Error  # type: ignore[import-untyped]
from authlib.oauth2.rfc6749 import (  # type: ignore[import-untyped]
    InvalidClientError,
    InvalidGrantError,
    OAuth2Payload,
    OAuth2Request,
)

from mcp_multiplayer.edge.auth import secret
from mcp_multiplayer.edge.auth.clients import SCOPE, Client, Clients
from mcp_multiplayer.edge.auth.grants import (
    CodeGrant,
    Revocation,
    RotatingGrant,
    ServiceGrant,
    StrictChallenge,
)
from mcp_multiplayer.edge.auth.passcode import Passcode
from mcp_multiplayer.edge.auth.tokens import ACCESS_SECONDS, Pair, Spent, Tokens
from mcp_multiplayer.ratelimit import RateLimit

log = logging.getLogger(__name__)

ISSUES_PER_HOUR = 600  #: of a client with client credentials, and of a grant that refreshes


@dataclass(frozen=True)
class Form:
    """A request as authlib is given it: parameters in order, and the headers it looks at."""

    method: str
    parameters: tuple[tuple[str, str], ...]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """An answer as authlib gives it."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def location(self) -> str:
        return self.headers.get("Location", "")


class _Payload(OAuth2Payload):  # type: ignore[misc]
    def __init__(self, parameters: tuple[tuple[str, str], ...]) -> None:
        self._lists: defaultdict[str, list[str]] = defaultdict(list)
        for name, value in parameters:
            self._lists[name].append(value)
        self._data = dict(parameters)

    @property
    def data(self) -> dict[str, str]:
        return self._data

    @property
    def datalist(self) -> defaultdict[str, list[str]]:
        return self._lists


class _Request(OAuth2Request):  # type: ignore[misc]
    def __init__(self, form: Form) -> None:
        # authlib looks at the address only to refuse plain http. Whether TLS ends in front of us
        # or the operator's network is his own is not for it to judge, hence a constant.
        super().__init__(form.method, "https://this.invalid/", headers=form.headers)
        self.payload = _Payload(form.parameters)

    @property
    def args(self) -> dict[str, str]:
        data: dict[str, str] = self.payload.data
        return data

    @property
    def form(self) -> dict[str, str]:
        return self.args


class Server(AuthorizationServer):  # type: ignore[misc]
    """The authorization server at one of our addresses."""

    def __init__(
        self,
        issuer: str,
        *,
        issuers: tuple[str, ...],
        clients: Clients,
        tokens: Tokens,
        passcode: Passcode,
        issues: RateLimit,
    ) -> None:
        super().__init__()
        self.issuer = issuer
        self.issuers = issuers
        self.tokens = tokens
        self.passcode = passcode
        self.issues = issues
        self._clients = clients
        self.register_grant(CodeGrant, [StrictChallenge(required=True)])
        self.register_grant(RotatingGrant)
        self.register_grant(ServiceGrant)
        self.register_endpoint(Revocation)
        self.register_token_generator("default", _generate)

    def query_client(self, client_id: str) -> Client | None:
        return self._clients.find(client_id)

    def save_token(self, token: dict[str, Any], request: OAuth2Request) -> None:
        pair = Pair(token["access_token"], token.get("refresh_token", ""))
        try:
            if request.authorization_code:
                self.tokens.redeem(request.authorization_code, pair)
            elif request.refresh_token:
                self.tokens.rotate(request.refresh_token, pair)
            else:
                client: Client = request.client
                self.tokens.issue(
                    sub=client.service,
                    client_id=client.client_id,
                    issuer=self.issuer,
                    network=client.network,
                    pair=pair,
                )
        except Spent as error:
            log.info("refused and revoked: a %s", error)
            raise InvalidGrantError from error

    def create_oauth2_request(self, request: Form | OAuth2Request) -> OAuth2Request:
        return _Request(request) if isinstance(request, Form) else request

    def create_json_request(self, request: Any) -> Any:
        # Registration has more rules of its own than authlib's endpoint leaves hooks for.
        raise NotImplementedError

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""

    def handle_response(self, status: int, body: Any, headers: list[tuple[str, str]]) -> Answer:
        named = dict(headers)
        if "Location" in named:
            named["Location"] = add_params_to_uri(named["Location"], [("iss", self.issuer)])
        return Answer(status, body if isinstance(body, dict) else dict(body or ()), named)

    def handle_error_response(self, request: OAuth2Request, error: OAuth2Error) -> Answer:
        if isinstance(error, InvalidClientError):
            # RFC 6749 §5.2. On 400 hosted clients keep a registration we no longer have.
            error.status_code = 401
            error.description = "The client is not known here, or did not prove who it is."
        answer: Answer = super().handle_error_response(request, error)
        return answer


def _generate(
    grant_type: str,
    client: Client,
    user: str | None = None,
    scope: str | None = None,
    expires_in: int | None = None,
    include_refresh_token: bool = True,
) -> dict[str, Any]:
    token: dict[str, Any] = {
        "access_token": secret.mint(secret.ACCESS),
        "token_type": "Bearer",
        "expires_in": ACCESS_SECONDS,
        "scope": SCOPE,
    }
    if include_refresh_token and client.check_grant_type("refresh_token"):
        token["refresh_token"] = secret.mint(secret.REFRESH)
    return token
