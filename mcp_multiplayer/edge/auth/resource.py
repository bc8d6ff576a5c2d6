"""What a token is for (RFC 8707).

There is one: this server. Clients spell it as what they connected to.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from authlib.oauth2 import OAuth2Error  # type: ignore[import-untyped]

from mcp_multiplayer import addresses

ENDPOINTS = ("", "/", "/mcp", "/mcp/")


class InvalidTarget(OAuth2Error):  # type: ignore[misc]
    """RFC 8707 §2: the resource asked for is not ours."""

    error = "invalid_target"
    description = "This server issues tokens for itself only."


def check(asked: list[str], issuers: tuple[str, ...]) -> None:
    """Raise `InvalidTarget` unless every asked resource is a spelling of this server.

    None asked means this server, too: conformance tools and older clients send none. A
    query is ignored, for ChatGPT was seen to add one; a fragment is forbidden by §2.
    """
    for resource in asked:
        try:
            parts = urlsplit(resource)
            ours = addresses.origin(f"{parts.scheme}://{parts.netloc}") in issuers
        except ValueError:
            ours = False
        if "#" in resource or not ours or parts.path not in ENDPOINTS:
            raise InvalidTarget
