"""What a token is for (RFC 8707). Changes when there is more than one resource.

There is one: this server. Clients spell it as what they connected to.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from authlib.oauth2 import OAuth2Error  # type: ignore[import-untyped]

ENDPOINTS = ("", "/", "/mcp", "/mcp/")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class InvalidTarget(OAuth2Error):  # type: ignore[misc]
    """RFC 8707 §2: the resource asked for is not ours."""

    error = "invalid_target"
    description = "This server issues tokens for itself only."


def check(asked: list[str], issuers: tuple[str, ...]) -> None:
    """Raise `InvalidTarget` unless every asked resource is a spelling of this server.

    None asked means this server, too: conformance tools and older clients send none. A
    query is ignored, for ChatGPT was seen to add one; a fragment is forbidden by §2.
    """
    ours = {_origin(issuer) for issuer in issuers}
    for resource in asked:
        if "#" in resource or _origin(resource) not in ours:
            raise InvalidTarget
        if urlsplit(resource).path not in ENDPOINTS:
            raise InvalidTarget


def _origin(address: str) -> tuple[str, str, int | None] | None:
    try:
        parts = urlsplit(address)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    if "@" in parts.netloc:
        return None
    return parts.scheme, parts.hostname or "", port
