"""What is asked of every address by name: a small picture, and the word of an app directory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from mcp_multiplayer.edge.product import FAVICON

#: Where OpenAI's app directory looks for the word that it gave whoever submits an app.
CHALLENGE = "/.well-known/openai-apps-challenge"
#: A die that speaks.
PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    '<path fill="#2a6df4" d="M9 2h14a7 7 0 0 1 7 7v10a7 7 0 0 1-7 7h-7.6l-6.8 4.8A1 1 0 0 1 7 30'
    'v-4.3A7 7 0 0 1 2 19V9a7 7 0 0 1 7-7z"/><g fill="#fff"><circle cx="9.6" cy="7.8" r="2.5"/>'
    '<circle cx="16" cy="14" r="2.5"/><circle cx="22.4" cy="20.2" r="2.5"/></g></svg>'
)

Endpoint = Callable[[Request], Awaitable[Response]]


def routes(challenge: str) -> dict[tuple[str, str], Endpoint]:
    """Return (method, path) -> handler, as the proxy's public table wants them. ``challenge``: the
    word by which OpenAI's app directory knows whose address this is; none, no such path."""
    picture = _fixed(PICTURE, "image/svg+xml")
    proof = {("GET", CHALLENGE): _fixed(challenge, "text/plain")} if challenge else {}
    return proof | {
        ("GET", FAVICON): picture,
        ("GET", "/favicon.ico"): picture,  # asked for by name where no page has told the other
    }


def _fixed(text: str, kind: str) -> Endpoint:
    async def show(request: Request) -> Response:
        headers = {
            "Cache-Control": "public, max-age=86400",
            "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
            "X-Content-Type-Options": "nosniff",
        }
        return Response(text, media_type=kind, headers=headers)

    return show
