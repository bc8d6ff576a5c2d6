"""The page behind an invite link.

On the other side is whoever was sent the link. The code stands in the URL's fragment, so
it reaches no server log; the script sends it to one route only, which uses nothing up.
"""

from __future__ import annotations

from starlette.responses import Response

from mcp_multiplayer.connecting import SETUPS
from mcp_multiplayer.edge.pages.layout import page


def join_page(base_url: str, *, on_loopback: bool = False) -> Response:
    """Return the page; it is the same for every invite, for the server never sees the code."""
    endpoint = f"{base_url}/mcp"
    setup = SETUPS[0]
    return page(
        "join.html",
        script="join.js",
        endpoint=endpoint,
        setup=setup,
        command=setup.paste(endpoint, False),
        on_loopback=on_loopback,
    )
