"""What a person sees who opens the server's address."""

from __future__ import annotations

import json

from starlette.responses import Response

from mcp_multiplayer.connecting import SETUPS
from mcp_multiplayer.edge.pages.layout import page


def landing(base_url: str, *, on_loopback: bool, operator: str = "") -> Response:
    """Return the page that says what this is and what to paste where."""
    endpoint = f"{base_url}/mcp"
    return page(
        "landing.html",
        endpoint=endpoint,
        on_loopback=on_loopback,
        setups=[
            (setup.name, setup.where, _spread(setup.paste(endpoint, False)))
            for setup in SETUPS
            if setup.printed and not setup.cloud
        ],
        clouds=[(setup.name, setup.where) for setup in SETUPS if setup.cloud],
        operator=operator,
    )


def _spread(text: str) -> str:
    """A configuration on lines of its own, a command as it is."""
    return json.dumps(json.loads(text), indent=2) if text.startswith("{") else text
