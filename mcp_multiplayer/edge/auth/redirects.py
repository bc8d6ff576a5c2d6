"""Which addresses a code may be sent to.

On the other side is anybody who registers a client. He may not have a code delivered
to a script, to another host than the page named, or without a click to an address that
is not a well-known product's (`tests/attacks/test_open_redirect.py`). Whether an address may
be registered depends on its form alone (`acceptable`); `KNOWN` only spares a click.
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")

#: Private-use schemes are a domain name in reverse order (RFC 8252 §7.1), so that no two
#: programs have the same one; without a period they are refused (§8.4).
_REVERSE_DOMAIN = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")

#: Programs that speak MCP and ask for their codes under a scheme without a period.
SHORT_SCHEMES = (
    "claude",
    "cursor",
    "goose",
    "jetbrains",
    "lmstudio",
    "vscode",
    "vscode-insiders",
    "warp",
    "windsurf",
    "zed",
)

#: Never legitimate. One of these condemns the whole registration, others are just left out.
HOSTILE_SCHEMES = ("javascript", "data", "vbscript", "file", "blob", "about", "view-source")

#: Addresses of products. A code sent there reaches the product and nobody else, so a browser
#: without an account gets there without a click.
KNOWN = re.compile(
    r"https://claude\.(ai|com)/api/mcp/auth_callback"
    r"|https://chatgpt\.com/(connector_platform_oauth_redirect|connector/oauth/[A-Za-z0-9_-]+)"
    r"|https://(www\.)?cursor\.com/agents/mcp/oauth/callback"
    r"|cursor://anysphere\.cursor-mcp/oauth/callback"
    r"|https://(insiders\.)?vscode\.dev/redirect"
    r"|vscode(-insiders)?://vscode\.[a-z-]+(/[A-Za-z0-9_./-]*)?"
)

MAX_LENGTH = 1024

#: RFC 3986 characters, less the fragment mark (RFC 6749 §3.1.2 forbids fragments).
_PLAIN = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]+")
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|[0-9a-f:.]+")


class Hostile(Exception):
    """An address no honest client would register."""


def acceptable(uri: str) -> bool:
    """Return whether a client may register ``uri``, or raise `Hostile`."""
    if len(uri) > MAX_LENGTH:
        raise Hostile("a redirect URI is too long")
    if not _PLAIN.fullmatch(uri):
        raise Hostile("a redirect URI has a fragment or characters a URI cannot have")
    parts = _split(uri)
    if parts is None or parts.scheme in HOSTILE_SCHEMES or "@" in parts.netloc:
        raise Hostile("a redirect URI could run code or disguise its host")
    if parts.scheme == "https":
        return bool(_HOST.fullmatch(parts.hostname or ""))
    if parts.scheme == "http":
        return parts.hostname in LOOPBACK_HOSTS
    return _is_private(parts, uri)


def _is_private(parts: SplitResult, uri: str) -> bool:
    """`scheme:/path` or `scheme://name…`. Without the slash `example.com:8080/cb`, an https
    address that lacks its scheme, would be one; with three the answer would lose two of them."""
    if parts.scheme not in SHORT_SCHEMES and not _REVERSE_DOMAIN.fullmatch(parts.scheme):
        return False
    return bool(re.match(r"[^:]+:/(/?[^/]|$)", uri))


def matches(registered: str, asked: str) -> bool:
    """Compare exactly, except that a loopback address may be on any port (RFC 8252 §7.3).

    Programs listen wherever they find a free port; Claude Code registers `localhost`
    without one, so the name gets the freedom of the addresses.
    """
    if registered == asked:
        return True
    if not _PLAIN.fullmatch(asked) or not (is_loopback(registered) and is_loopback(asked)):
        return False
    return portless(registered) == portless(asked)


def portless(uri: str) -> str:
    """Return ``uri`` in the form in which an approval remembers it."""
    parts = _split(uri)
    if parts is None or not is_loopback(uri):
        return uri
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return parts._replace(netloc=host or "", path=parts.path or "/").geturl()


def is_loopback(uri: str) -> bool:
    """Return whether only a program on the browser's own machine can receive the code."""
    parts = _split(uri)
    return (
        parts is not None
        and parts.scheme == "http"
        and parts.hostname in LOOPBACK_HOSTS
        and "@" not in parts.netloc
    )


def is_known(uri: str) -> bool:
    """Return whether the address belongs to a well-known product or to this very machine."""
    return is_loopback(uri) or bool(KNOWN.fullmatch(uri))


def shown_host(uri: str) -> str:
    """Return what the consent page names as the receiver."""
    parts = urlsplit(uri)
    if is_loopback(uri):
        return "a program on this computer"
    if parts.scheme == "https":
        return parts.netloc
    return f"the program that opens {parts.scheme}: links on this device"


def form_target(uri: str) -> str:
    """Return the CSP `form-action` source that lets a form's answer redirect to ``uri``.

    Chromium applies form-action to the redirect that follows a POST, too. CSP has no way to
    write an IPv6 address.
    """
    parts = urlsplit(uri)
    if parts.scheme in ("http", "https") and "[" not in parts.netloc:
        return f"{parts.scheme}://{parts.netloc}"
    return f"{parts.scheme}:"


def _split(uri: str) -> SplitResult | None:
    try:
        parts = urlsplit(uri)
        _ = parts.port  # raises when it is no number
    except ValueError:
        return None
    return parts
