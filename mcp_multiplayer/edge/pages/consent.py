"""The questions of a sign-in: the passcode, and which player.

On the other side of the form is a person who may have been sent here by a stranger's link.
What he needs to notice that is on the page: which client, under a name nobody checked, and
where the code goes.
"""

from __future__ import annotations

from starlette.responses import Response

from mcp_multiplayer.edge.auth import redirects
from mcp_multiplayer.edge.auth.authorize import Ask
from mcp_multiplayer.edge.pages.layout import page


def ask(question: Ask, *, query: str) -> Response:
    """Return the page that asks ``question`` about the client's wish ``query``."""
    status = 200
    if question.wrong:
        status = 429 if question.wait else 403
    return page(
        "consent.html",
        status=status,
        form_targets=("'self'", redirects.form_target(question.redirect_uri)),
        wait=question.wait,
        question=question,
        query=query,
        host=redirects.shown_host(question.redirect_uri),
        loopback=redirects.is_loopback(question.redirect_uri),
    )
