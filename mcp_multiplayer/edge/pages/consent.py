"""The questions of a sign-in: the passcode, and which player.

On the other side of the form is a person who may have been sent here by a stranger's link.
What he needs to notice that is on the page: which client, under a name nobody checked, and
where the code goes, or which device asks, from where and since when.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from mcp_multiplayer.edge.auth import redirects
from mcp_multiplayer.edge.auth.authorize import Ask, Visit
from mcp_multiplayer.edge.auth.grants import Device, spelled
from mcp_multiplayer.edge.auth.server import DEVICE_PAGE
from mcp_multiplayer.edge.pages.layout import page


def ask(question: Ask, visit: Visit) -> Response:
    """Return the page that asks ``question`` of whoever came with ``visit``."""
    status = 200
    if question.wrong:
        status = 429 if question.wait else 403
    asked = question.request
    shared: dict[str, Any] = {"question": question, "client": asked.client, "query": visit.query}
    if isinstance(asked, Device):
        return page(
            "device_consent.html",
            status=status,
            form_targets=("'self'",),
            wait=question.wait,
            action=DEVICE_PAGE,
            code=spelled(asked.user_code),
            asked_at=asked.created_at,
            elsewhere=asked.network != visit.network,
            **shared,
        )
    return page(
        "consent.html",
        status=status,
        form_targets=("'self'", redirects.form_target(asked.redirect_uri)),
        wait=question.wait,
        action="/oauth/authorize",
        host=redirects.shown_host(asked.redirect_uri),
        loopback=redirects.is_loopback(asked.redirect_uri),
        **shared,
    )
