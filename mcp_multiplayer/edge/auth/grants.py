"""authlib's grants with what OAuth 2.1 and MCP add.

Stock authlib would accept a missing or plain code challenge, redeem a code twice in a
race and keep one refresh token for ever. Consuming a credential is not done here but in
`Tokens`, in the transaction that issues what it is consumed for.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

from authlib.oauth2 import OAuth2Error  # type: ignore[import-untyped]
from authlib.oauth2.rfc6749 import (  # type: ignore[import-untyped]
    InvalidRequestError,
    OAuth2Request,
    UnauthorizedClientError,
)
from authlib.oauth2.rfc6749.grants import (  # type: ignore[import-untyped]
    AuthorizationCodeGrant,
    ClientCredentialsGrant,
    RefreshTokenGrant,
)
from authlib.oauth2.rfc7009 import RevocationEndpoint  # type: ignore[import-untyped]
from authlib.oauth2.rfc7636 import CodeChallenge  # type: ignore[import-untyped]

from mcp_multiplayer.edge.auth import resource
from mcp_multiplayer.edge.auth.tokens import Credential

AUTH_METHODS = ["none", "client_secret_basic", "client_secret_post"]


class TooOften(OAuth2Error):  # type: ignore[misc]
    """One client or grant asks for more tokens than anybody needs; each is a row on the disk."""

    error = "temporarily_unavailable"
    description = "Too many tokens were asked for. Use the one you have until it expires."
    status_code = 429


class Approval(NamedTuple):
    """Who lends an account, and the network of the browser in which he did."""

    sub: str
    network: str


class CodeGrant(AuthorizationCodeGrant):  # type: ignore[misc]
    """RFC 6749 §4.1. ``grant_user`` is an `Approval`."""

    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS

    @staticmethod
    def validate_authorization_redirect_uri(request: OAuth2Request, client: Any) -> str:
        # authlib quotes the address in its error, and refuses to build an error with
        # characters that RFC 6749 §4.1.2.1 forbids: an odd address would be a 500.
        asked = request.payload.redirect_uri or client.get_default_redirect_uri()
        if not asked:
            raise InvalidRequestError("The redirect_uri is missing.")
        if not client.check_redirect_uri(asked):
            raise InvalidRequestError("The redirect_uri is not one this client registered.")
        return str(asked)

    def save_authorization_code(self, code: str, request: OAuth2Request) -> None:
        """Nothing left to do: `generate_authorization_code` stores the code it makes."""

    def generate_authorization_code(self) -> str:
        data = self.request.payload.data
        return self.server.tokens.add_code(  # type: ignore[no-any-return]
            sub=self.request.user.sub,
            client_id=self.request.client.client_id,
            issuer=self.server.issuer,
            redirect_uri=data.get("redirect_uri", ""),
            challenge=data["code_challenge"],
            network=self.request.user.network,
        )

    def query_authorization_code(self, code: str, client: Any) -> Credential | None:
        found: Credential | None = self.server.tokens.code(code, client.client_id)
        return found

    def delete_authorization_code(self, authorization_code: Credential) -> None:
        """Nothing left to do: `Tokens.redeem` consumed it when it issued the tokens."""

    def authenticate_user(self, authorization_code: Credential) -> str:
        return authorization_code.sub


class StrictChallenge(CodeChallenge):  # type: ignore[misc]
    """PKCE for every client, S256 only (OAuth 2.1 §4.1.1, RFC 9700 §2.1.1), and our resource."""

    SUPPORTED_CODE_CHALLENGE_METHOD: ClassVar = ["S256"]

    def validate_code_challenge(self, grant: CodeGrant, redirect_uri: str) -> None:
        request = grant.request
        if not request.payload.data.get("code_challenge"):
            raise InvalidRequestError("Missing 'code_challenge': PKCE is required.")
        # RFC 7636 §4.3: without a method the client means plain.
        if request.payload.data.get("code_challenge_method") != "S256":
            raise InvalidRequestError("The 'code_challenge_method' must be S256.")
        super().validate_code_challenge(grant, redirect_uri)
        resource.check(request.payload.datalist.get("resource", []), grant.server.issuers)

    def validate_code_verifier(self, grant: CodeGrant, result: None) -> None:
        super().validate_code_verifier(grant, result)
        resource.check(grant.request.payload.datalist.get("resource", []), grant.server.issuers)


class RotatingGrant(RefreshTokenGrant):  # type: ignore[misc]
    """RFC 6749 §6 with a new refresh token each time (OAuth 2.1 §4.3.1)."""

    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> Credential | None:
        found: Credential | None = self.server.tokens.refresh(
            refresh_token, self.request.client.client_id
        )
        if found and self.server.issues.take(f"grant {found.grant_id}") > 0:
            raise TooOften
        return found

    def validate_token_request(self) -> None:
        resource.check(self.request.payload.datalist.get("resource", []), self.server.issuers)
        super().validate_token_request()

    def _validate_token_scope(self, token: Credential) -> None:
        """Whatever scope is asked for, the answer grants and names the one there is."""

    def authenticate_user(self, refresh_token: Credential) -> str:
        return refresh_token.sub

    def revoke_old_credential(self, refresh_token: Credential) -> None:
        """Nothing left to do: `Tokens.rotate` consumed it when it issued the next."""


class ServiceGrant(ClientCredentialsGrant):  # type: ignore[misc]
    """RFC 6749 §4.4: scripts and bots, each registration with an account of its own."""

    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS[1:]

    def validate_token_request(self) -> None:
        resource.check(self.request.payload.datalist.get("resource", []), self.server.issuers)
        super().validate_token_request()
        if not self.server.passcode.admits(self.request.client.admitted):
            raise UnauthorizedClientError(
                "This server has a passcode: register with it as initial access token."
            )
        if self.server.issues.take(self.request.client.client_id) > 0:
            raise TooOften


class Revocation(RevocationEndpoint):  # type: ignore[misc]
    """RFC 7009."""

    CLIENT_AUTH_METHODS = AUTH_METHODS

    def check_params(self, request: OAuth2Request, client: Any) -> None:
        # The hint is only a hint (§2.1): tokens of both kinds are found by their hash.
        if not request.form.get("token"):
            raise InvalidRequestError("The token is missing.")

    def query_token(self, token_string: str, token_type_hint: str | None) -> Credential | None:
        found: Credential | None = self.server.tokens.any_token(token_string)
        return found

    def revoke_token(self, token: Credential, request: OAuth2Request) -> None:
        self.server.tokens.revoke(token)
