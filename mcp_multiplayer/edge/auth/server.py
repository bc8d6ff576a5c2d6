"""The token endpoint and revocation: authlib's core bound to us, with what OAuth 2.1 and MCP add.

On the other side is any program. What authlib leaves open are the methods of `Server`; what it
judges too mildly (PKCE, replay, resource, 401) is in the grants below. Consuming a credential is
not done here but in `Grants`, in the transaction that issues what it is consumed for. One `Server`
per spelling of our address, because tokens name the issuer that the client used.

`Parameters` and what they say of a resource serve the authorization endpoint as well.
"""

from __future__ import annotations

import json
import logging
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from authlib.oauth2 import AuthorizationServer, OAuth2Error  # type: ignore[import-untyped]
from authlib.oauth2.rfc6749 import (  # type: ignore[import-untyped]
    AccessDeniedError,
    InvalidClientError,
    InvalidGrantError,
    InvalidRequestError,
    OAuth2Payload,
    OAuth2Request,
    UnauthorizedClientError,
)
from authlib.oauth2.rfc6749.grants import (  # type: ignore[import-untyped]
    AuthorizationCodeGrant,
    ClientCredentialsGrant,
    RefreshTokenGrant,
)
from authlib.oauth2.rfc7009 import RevocationEndpoint  # type: ignore[import-untyped]
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion  # type: ignore[import-untyped]
from authlib.oauth2.rfc7636 import CodeChallenge  # type: ignore[import-untyped]
from authlib.oauth2.rfc8628 import (  # type: ignore[import-untyped]
    AuthorizationPendingError,
    DeviceAuthorizationEndpoint,
    DeviceCodeGrant,
    ExpiredTokenError,
    SlowDownError,
)
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from mcp_multiplayer import addresses
from mcp_multiplayer.edge.auth.clients import (
    ASSERTION_METHOD,
    DEVICE_GRANT,
    SCOPE,
    Client,
    Clients,
)
from mcp_multiplayer.edge.auth.grants import (
    DEVICE_SECONDS,
    Credential,
    Grants,
    Pair,
    Spent,
    spelled,
)
from mcp_multiplayer.edge.auth.passcode import Passcode
from mcp_multiplayer.ratelimit import RateLimit

log = logging.getLogger(__name__)

SECRET_METHODS = ["client_secret_basic", "client_secret_post"]
AUTH_METHODS = ["none", *SECRET_METHODS, ASSERTION_METHOD]
#: What a client may sign with (RFC 7518 §3.1, RFC 8037 §3.1): public keys only.
ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]
#: Of a client that signs; all users of a hosted one share it, and each is a row on the disk.
ASSERTIONS_PER_HOUR = 6000
ASSERTION_SECONDS = 600  #: how far ahead an assertion may expire; it is remembered so long
MAX_ASSERTION_ID = 256
ISSUES_PER_HOUR = 600  #: of a client with client credentials, and of a grant that refreshes
MAX_PARAMETERS = 50
DEVICE_PAGE = "/device"
POLL_SECONDS = 5  #: between two questions of a device
#: The paths of this server that a resource may name: clients spell it as what they connected to.
RESOURCES = ("", "/", "/mcp", "/mcp/")


class NotParameters(ValueError):
    """The text is no list of parameters; says why."""


class Parameters(OAuth2Payload):  # type: ignore[misc]
    """The parameters of a request, read by one rule at every endpoint."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._data = dict(pairs)
        self._lists: defaultdict[str, list[str]] = defaultdict(list)
        for name, value in pairs:
            self._lists[name].append(value)

    @classmethod
    def read(cls, text: str | bytes) -> Parameters:
        """Return the parameters of a query or form, or raise `NotParameters`.

        One without a value counts as left out, and none may be there twice (RFC 6749 §3.1, §3.2),
        except that ``resource`` stands once for each that is asked for (RFC 8707 §2).
        """
        try:
            plain = text.decode() if isinstance(text, bytes) else text
        except UnicodeDecodeError:
            raise NotParameters("The request is not UTF-8.") from None
        try:
            pairs = parse_qsl(plain, keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
        except ValueError:
            raise NotParameters("The request has too many parameters.") from None
        names = [name for name, _ in pairs if name != "resource"]
        if len(names) != len(set(names)):
            raise NotParameters("The request has a parameter twice.")
        return cls([pair for pair in pairs if pair[1]])

    @property
    def data(self) -> dict[str, str]:
        return self._data

    @property
    def datalist(self) -> defaultdict[str, list[str]]:
        return self._lists

    def check_resource(self, issuers: tuple[str, ...]) -> None:
        """Raise `InvalidTarget` unless every resource asked for is a spelling of this server.

        None asked for means this server, too: conformance tools and older clients send none. A
        query is ignored, for ChatGPT was seen to add one; a fragment is forbidden (RFC 8707 §2).
        """
        for resource in self._lists.get("resource", []):
            try:
                parts = urlsplit(resource)
                ours = addresses.origin(f"{parts.scheme}://{parts.netloc}") in issuers
            except ValueError:
                ours = False
            if "#" in resource or not ours or parts.path not in RESOURCES:
                raise InvalidTarget


def asserted(given: Parameters) -> tuple[str, str]:
    """Return the client and the key that a signed assertion names, as yet unproven; "" for none."""
    try:
        token = jws.extract_compact(given.data.get("client_assertion", "").encode())
        sub, key = json.loads(token.payload).get("sub"), token.headers().get("kid", "")
    except (JoseError, ValueError, AttributeError, RecursionError):
        return "", ""
    return (sub, key) if isinstance(sub, str) and isinstance(key, str) else ("", "")


class InvalidTarget(OAuth2Error):  # type: ignore[misc]
    """RFC 8707 §2: the resource asked for is not ours."""

    error = "invalid_target"
    description = "This server issues tokens for itself only."


class TooOften(OAuth2Error):  # type: ignore[misc]
    """One client or grant asks for more tokens than anybody needs; each is a row on the disk."""

    error = "temporarily_unavailable"
    description = "Too many tokens were asked for. Use the one you have until it expires."
    status_code = 429


class TokenRequest(OAuth2Request):  # type: ignore[misc]
    """A form that was posted to us, as authlib takes it. ``headers``: Authorization, if any;
    ``network``: what is kept of the sender's."""

    def __init__(
        self, parameters: Parameters, headers: Mapping[str, str], network: str = ""
    ) -> None:
        # authlib looks at the address only to refuse plain http. Whether TLS ends in front of us
        # or the operator's network is his own is not for it to judge, hence a constant.
        super().__init__("POST", "https://this.invalid/", headers=headers)
        self.payload = parameters
        self.network = network

    @property
    def form(self) -> dict[str, str]:
        data: dict[str, str] = self.payload.data
        return data


@dataclass(frozen=True)
class Answer:
    """An answer as authlib gives it."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]


class Server(AuthorizationServer):  # type: ignore[misc]
    """The authorization server at one of our addresses, as far as programs ask it."""

    def __init__(
        self,
        issuer: str,
        *,
        issuers: tuple[str, ...],
        clients: Clients,
        grants: Grants,
        passcode: Passcode | None,
        issues: RateLimit,
        polls: RateLimit,
        assertions: RateLimit,
    ) -> None:
        super().__init__()
        self.issuer = issuer
        self.issuers = issuers
        self.grants = grants
        self.passcode = passcode
        self.issues = issues
        self.polls = polls
        self._clients = clients
        self.register_client_auth_method(ASSERTION_METHOD, Assertion(issuers, clients, assertions))
        self.register_grant(CodeGrant, [Verifier(required=True)])
        self.register_grant(RotatingGrant)
        self.register_grant(ServiceGrant)
        self.register_grant(DeviceGrant)
        self.register_endpoint(Revocation)
        self.register_endpoint(DeviceAuthorization)
        self.register_token_generator("default", self._generate)

    def authenticate_client(
        self, request: TokenRequest, methods: list[str], endpoint: str = "token"
    ) -> Client:
        # Who signs does it by that alone, for the client that is named (RFC 7521 §4.2).
        if "client_assertion" in request.form:
            named = request.form.get("client_id")
            if named and named != asserted(request.payload)[0]:
                raise InvalidClientError
            methods = [method for method in methods if method == ASSERTION_METHOD]
        client: Client = super().authenticate_client(request, methods, endpoint)
        return client

    def query_client(self, client_id: str) -> Client | None:
        return self._clients.find(client_id)

    def save_token(self, token: dict[str, Any], request: OAuth2Request) -> None:
        pair = Pair(token["access_token"], token.get("refresh_token", ""))
        try:
            if request.authorization_code:
                self.grants.redeem(request.authorization_code, pair)
            elif request.refresh_token:
                self.grants.rotate(request.refresh_token, pair)
            elif request.credential:
                self.grants.redeem_device(request.credential, pair)
            else:
                self._issue(request.client, pair)
        except Spent as error:
            log.info("refused and revoked: a %s", error)
            raise InvalidGrantError from error

    def issue(self, client: Client) -> dict[str, Any]:
        """Give the client what its credentials would, and return the answer that says so."""
        token = self._generate("client_credentials", client, include_refresh_token=False)
        self._issue(client, Pair(token["access_token"]))
        return token

    def _generate(
        self,
        grant_type: str,
        client: Client,
        user: str | None = None,
        scope: str | None = None,
        expires_in: int | None = None,
        include_refresh_token: bool = True,
    ) -> dict[str, Any]:
        refresh = include_refresh_token and client.check_grant_type("refresh_token")
        pair = Pair.mint(refresh=refresh)
        token: dict[str, Any] = {
            "access_token": pair.access,
            "token_type": "Bearer",
            "expires_in": self.grants.access_seconds,
            "scope": SCOPE,
        }
        return token | ({"refresh_token": pair.refresh} if refresh else {})

    def _issue(self, client: Client, pair: Pair) -> None:
        self.grants.issue(
            sub=client.service,
            client_id=client.client_id,
            issuer=self.issuer,
            network=client.network,
            pair=pair,
        )

    def end_replayed(self, found: Credential | None) -> Credential | None:
        """Return what may be redeemed. One that was redeemed before ends its family, whatever else
        comes with it (OAuth 2.1 §4.1.3, §4.3.1)."""
        if found is None or not found.replayed:
            return found
        self.grants.revoke(found)
        return None

    def create_oauth2_request(self, request: OAuth2Request) -> OAuth2Request:
        return request

    def create_json_request(self, request: Any) -> Any:
        # Registration has more rules of its own than authlib's endpoint leaves hooks for.
        raise NotImplementedError

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""

    def handle_response(self, status: int, body: Any, headers: list[tuple[str, str]]) -> Answer:
        return Answer(status, body if isinstance(body, dict) else dict(body or ()), dict(headers))

    def handle_error_response(self, request: OAuth2Request, error: OAuth2Error) -> Answer:
        if isinstance(error, InvalidClientError):
            # RFC 6749 §5.2. On 400 hosted clients keep a registration we no longer have.
            error.status_code = 401
            error.description = "The client is not known here, or did not prove who it is."
        answer: Answer = super().handle_error_response(request, error)
        return answer


class Assertion(JWTBearerClientAssertion):  # type: ignore[misc]
    """RFC 7523 §3: a client of a document signs that it is the one, for us, for a short time, and
    once. The key is in the document; which algorithm it is for, the key says, not the signature."""

    CLIENT_AUTH_METHOD = ASSERTION_METHOD

    def __init__(self, issuers: tuple[str, ...], clients: Clients, assertions: RateLimit) -> None:
        super().__init__()
        self._issuers = issuers
        self._assertions = assertions
        self._clients = clients

    def get_audiences(self) -> list[str]:
        # The draft of OAuth 2.1's successor to RFC 7523 wants the issuer alone; today's clients
        # name the endpoint.
        return [f"{issuer}{path}" for issuer in self._issuers for path in ("", "/token")]

    def resolve_client_public_key(self, client: Client) -> KeySet:
        if not client.keys:
            raise InvalidClientError
        return KeySet.import_key_set(json.loads(client.keys))

    def extract_assertion(self, assertion: str) -> tuple[dict[str, Any], dict[str, Any]]:
        try:
            found: tuple[dict[str, Any], dict[str, Any]] = super().extract_assertion(assertion)
        except RecursionError as error:
            raise InvalidClientError from error
        return found

    def process_assertion_claims(self, assertion: str, key: KeySet) -> dict[str, Any]:
        try:
            token = jwt.decode(assertion, key, algorithms=ALGORITHMS)
        except (JoseError, ValueError) as error:
            raise InvalidClientError from error
        self.verify_claims(token.claims)
        return token.claims

    def validate_jti(self, claims: dict[str, Any], jti: Any) -> bool:
        if not isinstance(jti, str) or len(jti) > MAX_ASSERTION_ID:
            return False
        until = claims["exp"] + self.leeway
        if until > time.time() + ASSERTION_SECONDS:
            return False
        if self._assertions.take(claims["sub"]) > 0:
            raise TooOften
        return self._clients.spend(claims["sub"], jti, until)


class CodeGrant(AuthorizationCodeGrant):  # type: ignore[misc]
    """RFC 6749 §4.1.3, for codes that `Grants.approve` gave out."""

    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS

    def query_authorization_code(self, code: str, client: Any) -> Credential | None:
        found: Credential | None = self.server.end_replayed(
            self.server.grants.code(code, client.client_id)
        )
        return found

    def delete_authorization_code(self, authorization_code: Credential) -> None:
        """Nothing left to do: `Grants.redeem` consumed it when it issued the tokens."""

    def authenticate_user(self, authorization_code: Credential) -> str:
        return authorization_code.sub


class Verifier(CodeChallenge):  # type: ignore[misc]
    """RFC 7636 §4.6 for every client, and our resource. The challenge was judged when it came."""

    def validate_code_verifier(self, grant: CodeGrant, result: None) -> None:
        super().validate_code_verifier(grant, result)
        grant.request.payload.check_resource(grant.server.issuers)


class RotatingGrant(RefreshTokenGrant):  # type: ignore[misc]
    """RFC 6749 §6 with a new refresh token each time (OAuth 2.1 §4.3.1)."""

    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> Credential | None:
        found: Credential | None = self.server.end_replayed(
            self.server.grants.refresh(refresh_token, self.request.client.client_id)
        )
        if found and self.server.issues.take(f"grant {found.grant_id}") > 0:
            raise TooOften
        return found

    def validate_token_request(self) -> None:
        self.request.payload.check_resource(self.server.issuers)
        super().validate_token_request()

    def _validate_token_scope(self, token: Credential) -> None:
        """Whatever scope is asked for, the answer grants and names the one there is."""

    def authenticate_user(self, refresh_token: Credential) -> str:
        return refresh_token.sub

    def revoke_old_credential(self, refresh_token: Credential) -> None:
        """Nothing left to do: `Grants.rotate` consumed it when it issued the next."""


class ServiceGrant(ClientCredentialsGrant):  # type: ignore[misc]
    """RFC 6749 §4.4: scripts and bots, each registration with an account of its own."""

    TOKEN_ENDPOINT_AUTH_METHODS = SECRET_METHODS

    def validate_token_request(self) -> None:
        self.request.payload.check_resource(self.server.issuers)
        super().validate_token_request()
        passcode = self.server.passcode
        if passcode and not passcode.admits(self.request.client.admitted):
            raise UnauthorizedClientError(
                "This server has a passcode: register with it as initial access token."
            )
        if self.server.issues.take(self.request.client.client_id) > 0:
            raise TooOften


class DeviceAuthorization(DeviceAuthorizationEndpoint):  # type: ignore[misc]
    """RFC 8628 §3.1: a device without a browser asks for a code."""

    CLIENT_AUTH_METHODS = AUTH_METHODS

    def create_endpoint_response(
        self, request: TokenRequest
    ) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        client = self.authenticate_client(request)
        if not client.check_grant_type(DEVICE_GRANT):
            raise UnauthorizedClientError(f"The client did not register for '{DEVICE_GRANT}'.")
        request.payload.check_resource(self.server.issuers)
        device_code, letters = self.server.grants.start_device(
            client, issuer=self.server.issuer, network=request.network
        )
        page, user_code = self.server.issuer + DEVICE_PAGE, spelled(letters)
        told = {
            "device_code": device_code,
            "user_code": user_code,
            "verification_uri": page,
            "verification_uri_complete": f"{page}?user_code={user_code}",
            "expires_in": DEVICE_SECONDS,
            "interval": POLL_SECONDS,
        }
        return 200, told, []


class DeviceGrant(DeviceCodeGrant):  # type: ignore[misc]
    """RFC 8628 §3.4: it asks whether its person has answered."""

    def validate_token_request(self) -> None:
        request = self.request
        request.payload.check_resource(self.server.issuers)
        request.client = self.server.authenticate_client(request, AUTH_METHODS)
        device_code = request.payload.data.get("device_code")
        if not device_code:
            raise InvalidRequestError("The device_code is missing.")
        found = self.server.end_replayed(
            self.server.grants.device(device_code, request.client.client_id)
        )
        if found is None:
            raise InvalidGrantError
        self._check_answer(found)
        request.user, request.credential = found.sub, found

    def _check_answer(self, device: Credential) -> None:
        match device.state:
            case "approved":
                return
            case "denied":
                raise AccessDeniedError
            case "expired":
                raise ExpiredTokenError
        if self.server.polls.take(device.hash) > 0:
            raise SlowDownError
        raise AuthorizationPendingError


class Revocation(RevocationEndpoint):  # type: ignore[misc]
    """RFC 7009."""

    CLIENT_AUTH_METHODS = AUTH_METHODS

    def check_params(self, request: OAuth2Request, client: Any) -> None:
        # The hint is only a hint (§2.1): tokens of both kinds are found by their hash.
        if not request.form.get("token"):
            raise InvalidRequestError("The token is missing.")

    def query_token(self, token_string: str, token_type_hint: str | None) -> Credential | None:
        found: Credential | None = self.server.grants.any_token(token_string)
        return found

    def revoke_token(self, token: Credential, request: OAuth2Request) -> None:
        self.server.grants.revoke(token)
