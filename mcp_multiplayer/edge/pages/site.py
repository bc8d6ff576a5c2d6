"""What browsers and crawlers ask of every address: a small picture, and what to leave alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from mcp_multiplayer.edge.product import FAVICON

#: Where OpenAI's app directory looks for the word that it gave whoever submits an app.
CHALLENGE = "/.well-known/openai-apps-challenge"
#: Two speech bubbles, one of them a die.
_PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    '<path fill="#2a6df4" d="M3 4h17a3 3 0 0 1 3 3v9a3 3 0 0 1-3 3h-8l-6 5v-5H3z"/>'
    '<rect x="13" y="12" width="16" height="16" rx="4" fill="#fff" stroke="#2a6df4"'
    ' stroke-width="2"/><g fill="#2a6df4"><circle cx="18" cy="17" r="1.8"/>'
    '<circle cx="24" cy="23" r="1.8"/><circle cx="21" cy="20" r="1.8"/></g></svg>'
)
#: The start page is for everybody; an invite is for whom it was sent to.
_ROBOTS = "User-agent: *\nAllow: /$\nDisallow: /\n"

Endpoint = Callable[[Request], Awaitable[Response]]


def routes(challenge: str) -> dict[tuple[str, str], Endpoint]:
    """Return (method, path) -> handler, as the proxy's public table wants them. ``challenge``: the
    word by which OpenAI's app directory knows whose address this is; none, no such path."""
    picture = _fixed(_PICTURE, "image/svg+xml")
    proof = {("GET", CHALLENGE): _fixed(challenge, "text/plain")} if challenge else {}
    return proof | {
        ("GET", FAVICON): picture,
        ("GET", "/favicon.ico"): picture,  # asked for by name where no page has told the other
        ("GET", "/robots.txt"): _fixed(_ROBOTS, "text/plain"),
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
