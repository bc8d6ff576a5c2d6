"""What crosses between client and server.

On the other side of the first function is the client: it may not pass a statement about
who it is, nor its token, on to the server (`tests/attacks/test_forged_caller_header.py`). Of the
second the server: it may not reach the client's cookies.

Names are let through unless listed, because MCP's `Mcp-Param-*` are open-ended and unknown
ones MUST be forwarded (2026-07-28, streamable HTTP).
"""

from __future__ import annotations

from collections.abc import Iterable

Raw = Iterable[tuple[bytes, bytes]]

#: RFC 9110 §7.6.1, and what older hops send.
HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

#: Ends here. `host`, `content-length` and `expect` belong to each hop; `origin` was judged; a
#: session id of an older era means nothing to a server without sessions (and FastMCP would
#: take it for one).
ENDS_HERE = HOP_BY_HOP | {
    "host",
    "content-length",
    "expect",
    "origin",
    "referer",
    "authorization",
    "cookie",
    "mcp-session-id",
    "forwarded",
    "via",
    "x-real-ip",
}
_PREFIXES = ("mpx-", "x-forwarded-", "x-original-", "sec-fetch-")

STAYS_INSIDE = HOP_BY_HOP | {"set-cookie", "mcp-session-id", "server", "date", "mpx-caller"}


def to_server(raw: Raw) -> list[tuple[str, str]]:
    """Return the client's headers that the server may see."""
    named = [(name.decode("latin-1"), value) for name, value in raw]
    gone = _nominated(named)
    kept = []
    for name, value in named:
        # Some stacks read `_` as `-`; ours does not, but a forged name is dropped in both.
        plain = name.lower().replace("_", "-")
        if plain in ENDS_HERE or plain in gone or plain.startswith(_PREFIXES):
            continue
        kept.append((name, _text(value)))
    return kept


def to_client(raw: Raw) -> list[tuple[bytes, bytes]]:
    """Return the server's headers that the client may see."""
    pairs = [(name.lower(), value) for name, value in raw]
    gone = _nominated([(name.decode("latin-1"), value) for name, value in pairs])
    return [
        (name, value)
        for name, value in pairs
        if (text := name.decode("latin-1")) not in STAYS_INSIDE
        and text not in gone
        and not text.startswith("access-control-")
    ]


def _nominated(named: list[tuple[str, bytes]]) -> set[str]:
    """Return the names a Connection header declares hop-by-hop."""
    values = [value.decode("latin-1") for name, value in named if name.lower() == "connection"]
    return {part.strip().lower() for value in values for part in value.split(",")} - {""}


def _text(value: bytes) -> str:
    # aiohttp writes UTF-8; bytes that are not would change on the way, so they come as latin-1.
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
