"""What clients discover about us.

Every document is made from one issuer string, because clients compare it byte by byte
(RFC 8414 §3.3, RFC 9207 §2.4, RFC 9728 §3.3).
"""

from __future__ import annotations

from typing import Any

from mcp_multiplayer.edge import product
from mcp_multiplayer.edge.auth.clients import ASSERTION_METHOD, GRANTS, SCOPE
from mcp_multiplayer.edge.auth.server import ALGORITHMS, AUTH_METHODS

PROTECTED_RESOURCE = "/.well-known/oauth-protected-resource"
AUTHORIZATION_SERVER = "/.well-known/oauth-authorization-server"
#: Clients try this name too, and get the same document.
OPENID = "/.well-known/openid-configuration"
JWKS = "/.well-known/jwks.json"
#: The paths of the MCP endpoint which have a document of their own: a client compares it with what
#: it connected to. The root's slash is no part of its name (RFC 9728 §3.1).
ENDPOINTS = ("", "/mcp", "/mcp/")


def authorization_server(issuer: str, *, documents: bool) -> dict[str, Any]:
    """RFC 8414. ``documents``: clients may be known by one. `offline_access` is left out: refresh
    tokens come unasked, and clients that see it would ask for `prompt=consent` with it."""
    methods = AUTH_METHODS if documents else [m for m in AUTH_METHODS if m != ASSERTION_METHOD]
    signing = {
        f"{endpoint}_endpoint_auth_signing_alg_values_supported": ALGORITHMS
        for endpoint in ("token", "revocation")
        if documents
    }
    return signing | {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "token_endpoint": f"{issuer}/token",
        "registration_endpoint": f"{issuer}/register",
        "revocation_endpoint": f"{issuer}/revoke",
        "device_authorization_endpoint": f"{issuer}/device_authorization",
        "jwks_uri": issuer + JWKS,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(GRANTS),
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
        "client_id_metadata_document_supported": documents,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "scopes_supported": [SCOPE],
        "subject_types_supported": ["public"],
    }


def protected_resource(issuer: str, path: str) -> dict[str, Any]:
    """RFC 9728 for the endpoint at ``path``, one of ENDPOINTS.

    The root document names the bare address, which is what a client of `/` compares with
    (§3.3) and, as its parent, also satisfies clients of `/mcp` that only look there.
    """
    return {
        "resource": issuer + path,
        "authorization_servers": [issuer],
        "scopes_supported": [SCOPE],
        "bearer_methods_supported": ["header"],
        "resource_name": product.NAME,
    }


def challenge(issuer: str, path: str, *, error: str = "", description: str = "") -> str:
    """Return the WWW-Authenticate of a 401 at ``path`` (RFC 6750 §3, RFC 9728 §5.1).

    Without an ``error`` when no token was sent: §3.1 wants none told then.
    """
    where = path if path in ENDPOINTS else ""
    parts = [f'resource_metadata="{issuer}{PROTECTED_RESOURCE}{where}"', f'scope="{SCOPE}"']
    if error:
        parts += [f'error="{error}"', f'error_description="{description}"']
    return "Bearer " + ", ".join(parts)
