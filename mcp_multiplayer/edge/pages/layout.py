"""The frame of every page: templates, style, security headers.

On the other side are strangers' words (client names, room names, whatever a referee says) and
pages that would frame ours. Neither may act in our name (`tests/attacks/test_clickjacking.py`):
every value is escaped by the template engine or set as text, scripts and styles are files of ours
and nothing else, and no script can make an element out of text (Trusted Types).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from mcp_multiplayer.edge.pages import static_files
from mcp_multiplayer.edge.product import FAVICON

TEMPLATES = Path(__file__).with_name("templates")

#: For people who look for the player they were. Agents read `render_text.way_back`.
WAY_BACK = (
    "A player belongs to the browser in which it first signed in. In another one, or without its"
    " cookies, you become a new player without rooms or seats. To go on with the old one, sign in"
    " in that browser; or give your agent the rejoin token of your seat, with which it takes the"
    " seat over (join_channel)."
)


@dataclass(frozen=True)
class Card:
    """What programs show of a link to a page: chats, and search engines if it is ``indexed``.
    ``base``: our address as the visitor spells it."""

    title: str
    description: str
    base: str
    path: str
    indexed: bool = True

    @property
    def url(self) -> str:
        return self.base + self.path

    @property
    def image(self) -> str:
        return f"{self.base}{static_files.prefix()}{static_files.CARD}"


def load() -> None:
    """Read every file of the pages, before there is an event loop that it could hold up."""
    for name in _environment().list_templates():
        _environment().get_template(name)
    static_files.prefix()


@functools.cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters["day"] = _day
    made.filters["capitalize_first"] = lambda words: words[:1].upper() + words[1:]
    made.globals |= {
        "favicon": FAVICON,
        "static": static_files.prefix(),
        "way_back": WAY_BACK,
    }
    return made


def _day(at: float) -> str:
    """Seconds since the epoch, for people."""
    return datetime.fromtimestamp(at, UTC).strftime("%d %B %Y, %H:%M UTC")


def page(
    template: str,
    *,
    status: int = 200,
    script: str = "",
    form_targets: tuple[str, ...] = (),
    wait: float = 0,
    card: Card | None = None,
    here: str = "",
    bare: bool = False,
    **values: Any,
) -> HTMLResponse:
    """Return the page that ``template`` makes of ``values``.

    ``script`` names the one module that runs in it. ``form_targets`` are CSP sources: this server
    (`'self'`) and where its answer may lead. ``wait``: seconds, for Retry-After. ``here``: which
    entry of the navigation it is. ``bare``: there are no other pages to lead to (WEB=off).
    """
    policy = [
        "default-src 'none'",
        "style-src 'self'",
        "img-src 'self' data:",
        f"form-action {' '.join(form_targets) or chr(39) + 'none' + chr(39)}",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
    if script:
        policy += ["script-src 'self'", "connect-src 'self'"]
    headers = {
        "Content-Security-Policy": "; ".join(policy),
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        # Not no-referrer: browsers then send `Origin: null` with our own forms (Fetch, "append a
        # request Origin header"), and a form that hides where it comes from is refused.
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
    if wait:
        headers["Retry-After"] = str(int(wait) + 1)
    frame = {"script": script, "card": card, "here": here, "bare": bare, "status": status}
    shown = _environment().get_template(template).render(values, **frame)
    return HTMLResponse(shown, status, headers)


def text(template: str, **values: Any) -> str:
    """Return the plain text that ``template`` makes of ``values``, as they are."""
    made = _environment().overlay(autoescape=False, keep_trailing_newline=True)
    return made.get_template(template).render(values)


def plain(said: str, kind: str = "text/plain", status: int = 200) -> Response:
    """Answer with a text that is no page."""
    headers = {
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-cache",
    }
    return Response(said, status, headers, media_type=kind)


def problem(status: int, reason: str, *, back: str = "", wait: float = 0) -> HTMLResponse:
    """Return a page that says why not, and offers the way ``back`` to the app if there is one:
    a redirect URI that it has registered, so of no scheme that runs code, with the error."""
    return page("problem.html", status=status, wait=wait, reason=reason, back=back)


def refusal_page(
    status: int, message: str, hint: str, home: str = "", *, wait: float = 0, bare: bool = False
) -> HTMLResponse:
    """Return a page for whoever has come to an address that shows a person nothing."""
    said: dict[str, Any] = {"message": message, "hint": hint, "home": home}
    return page("refusal.html", status=status, wait=wait, bare=bare, **said)
