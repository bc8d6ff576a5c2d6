"""The frame of every page: templates, style, security headers.

On the other side are strangers' words (client names, room names) and pages that would
frame ours. Neither may act in our name (`tests/attacks/test_clickjacking.py`): every value is
escaped by the template engine, and what is no escaping is a file of ours.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from mcp_multiplayer.edge.product import FAVICON

TEMPLATES = Path(__file__).with_name("templates")

#: For people who look for the player they were. Agents read `render_text.way_back`.
WAY_BACK = (
    "A player belongs to the browser in which it first signed in. In another one, or without its"
    " cookies, you become a new player without rooms or seats. To go on with the old one, sign in"
    " in that browser; or give your agent the rejoin token of your seat, with which it takes the"
    " seat over (join_channel)."
)


def load() -> None:
    """Read every file of the pages, before there is an event loop that it could hold up."""
    for name in _environment().list_templates():
        if name.endswith(".html"):
            _environment().get_template(name)
        else:
            text(name)


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
    made.globals |= {
        "favicon": FAVICON,
        "script": "",
        "style": Markup(text("style.css")),
        "way_back": WAY_BACK,
    }
    return made


@functools.cache
def text(name: str) -> str:
    """A file of ours that goes into a page as it stands."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _day(at: float) -> str:
    """Seconds since the epoch, for people."""
    return datetime.fromtimestamp(at, UTC).strftime("%d %B %Y, %H:%M UTC")


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def page(
    template: str,
    *,
    status: int = 200,
    script: str = "",
    form_targets: tuple[str, ...] = (),
    wait: float = 0,
    **values: Any,
) -> HTMLResponse:
    """Return the page that ``template`` makes of ``values``.

    ``script`` names the one file that may run in it. ``form_targets`` are CSP sources: this server
    (`'self'`) and where its answer may lead. ``wait``: seconds, for Retry-After.
    """
    policy = [
        "default-src 'none'",
        f"style-src {_hash(text('style.css'))}",
        "img-src 'self'",
        f"form-action {' '.join(form_targets) or chr(39) + 'none' + chr(39)}",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
    code = text(script) if script else ""
    if code:
        policy += [f"script-src {_hash(code)}", "connect-src 'self'"]
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
    shown = _environment().get_template(template).render(values, script=Markup(code))
    return HTMLResponse(shown, status, headers)


def problem(status: int, reason: str, *, back: str = "", wait: float = 0) -> HTMLResponse:
    """Return a page that says why not, and offers the way ``back`` to the app if there is one:
    a redirect URI that it has registered, so of no scheme that runs code, with the error."""
    return page("problem.html", status=status, wait=wait, reason=reason, back=back)


def refusal_page(status: int, message: str, hint: str, home: str) -> HTMLResponse:
    """Return a page for whoever has come to an address that shows a person nothing."""
    return page("refusal.html", status=status, message=message, hint=hint, home=home)
