"""Which names we answer to, and which web pages may ask.

On the other side is a web page in a user's browser. A name of its own that points at this
machine (DNS rebinding) must not become our name, and it may not ask in the user's place
(`tests/attacks/test_dns_rebinding.py`). MCP: a bad Origin MUST be answered 403.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers

from mcp_multiplayer import addresses
from mcp_multiplayer.config import LOOPBACK, Settings

_EXPOSED = "WWW-Authenticate, Mcp-Session-Id, Retry-After"
_METHODS = "GET, POST, DELETE, OPTIONS"
_ALWAYS = ("authorization", "content-type", "accept", "last-event-id", "traceparent", "tracestate")


class Origins:
    """Judges Host and Origin."""

    def __init__(self, settings: Settings) -> None:
        self.is_own = settings.is_own
        self.secure = settings.base_url().startswith("https:")
        public = _named(urlsplit(settings.public_url).netloc)
        names = {settings.domain, *LOOPBACK, *filter(None, [public])}
        self._base_urls = {name: settings.base_url(name) for name in names}

    def base_url(self, host: str) -> str:
        """Return our address as whoever wrote ``host``, a Host header, spells it; "" when that does
        not name this server, on whatever port.

        Ports may be mapped in front of us; only the name can be rebound. Our loopback names are
        always good: no stranger can point them elsewhere.
        """
        name = _named(host)
        try:
            return self._base_urls.get(name) or self._base_urls.get(addresses.host(name), "")
        except ValueError:
            return ""

    def is_own_page(self, headers: Headers) -> bool:
        """Return whether the browser says that a page of ours sends this request (Fetch Metadata).

        Sec-Fetch-Site stands for exactly this and no script can set it; but browsers leave it out
        on plain http. Then Origin says it, which comes with every POST, or Referer, which another
        page can leave out and cannot choose.
        """
        if "sec-fetch-site" in headers:
            return headers.getlist("sec-fetch-site") == ["same-origin"]
        said = headers.get("origin") or _origin_of(headers.get("referer", ""))
        name = _named(headers.get("host", ""))
        return self.is_own(said) and _named(urlsplit(said).netloc) == name

    def may_ask(self, origin: str) -> bool:
        """Return whether a page of this origin may call us with a token it has.

        Our own pages, and pages served on the user's own machine, such as the MCP Inspector.
        """
        if self.is_own(origin):
            return True
        try:
            return _named(urlsplit(addresses.origin(origin)).netloc) in LOOPBACK
        except ValueError:
            return False


def _origin_of(address: str) -> str:
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}"


def _named(authority: str) -> str:
    """The host of an authority, without its port."""
    return authority if authority.endswith("]") else authority.rpartition(":")[0] or authority


def cors(origin: str) -> list[tuple[bytes, bytes]]:
    """Return the headers that let a page of ``origin`` read an answer."""
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", _EXPOSED.encode()),
        (b"vary", b"Origin"),
    ]


def preflight(origin: str, asked: str) -> list[tuple[str, str]]:
    """Return the answer to a preflight: MCP's own headers are open-ended (`Mcp-Param-*`)."""
    names = [name.strip() for name in asked.split(",")]
    allowed = [n for n in names if n.lower() in _ALWAYS or n.lower().startswith("mcp-")]
    return [
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Allow-Methods", _METHODS),
        ("Access-Control-Allow-Headers", ", ".join(allowed) or "Authorization, Content-Type"),
        ("Access-Control-Max-Age", "600"),
        ("Vary", "Origin, Access-Control-Request-Headers"),
    ]
