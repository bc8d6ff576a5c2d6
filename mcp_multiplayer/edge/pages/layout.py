"""The frame of every page: style, escaping, security headers.

On the other side are strangers' words (client names, room names) and pages that would
frame ours. Neither may act in our name (`tests/attacks/test_clickjacking.py`).
"""

from __future__ import annotations

import base64
import hashlib
from html import escape

from starlette.responses import HTMLResponse

esc = escape
FAVICON = "/favicon.svg"

#: For people who look for the player they were. Agents read `sentences.way_back`.
WAY_BACK = (
    "A player belongs to the browser in which it first signed in. In another one, or without its"
    " cookies, you become a new player without rooms or seats. To go on with the old one, sign in"
    " in that browser; or give your agent the rejoin token of your seat, with which it takes the"
    " seat over (join_channel)."
)

STYLE = """
:root { color-scheme: light dark; --line: #8886; --soft: #8882; --go: #2a6df4; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 38rem; margin: 8vh auto; padding: 0 1rem;
  overflow-wrap: anywhere }
h1 { font-size: 1.4rem } h2 { font-size: 1.05rem; margin-top: 1.8rem }
code, pre { font: 14px/1.5 ui-monospace, monospace }
pre, .say { background: var(--soft); border: 1px solid var(--line); border-radius: 8px;
  padding: .8rem; white-space: pre-wrap; overflow-wrap: anywhere }
button { font: inherit; padding: .6rem 1rem; margin: .3rem .3rem .3rem 0; border-radius: 8px;
  border: 1px solid var(--line); background: var(--soft); color: inherit; cursor: pointer }
button.go { background: var(--go); border-color: var(--go); color: #fff }
input { font: inherit; padding: .55rem; border-radius: 8px; border: 1px solid var(--line) }
.small { font-size: .87rem; opacity: .8 } .host { font-weight: 600; overflow-wrap: anywhere }
"""


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def page(
    title: str,
    body: str,
    *,
    status: int = 200,
    script: str = "",
    form_targets: tuple[str, ...] = (),
    wait: float = 0,
) -> HTMLResponse:
    """Return a whole page. ``body`` is HTML whose strangers' parts went through `esc`.

    ``form_targets`` are CSP sources: this server (`'self'`) and where its answer may lead.
    """
    policy = [
        "default-src 'none'",
        f"style-src {_hash(STYLE)}",
        "img-src 'self'",
        f"form-action {' '.join(form_targets) or chr(39) + 'none' + chr(39)}",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
    if script:
        policy += [f"script-src {_hash(script)}", "connect-src 'self'"]
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
    tail = f"<script>{script}</script>" if script else ""
    document = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="{FAVICON}">'
        f"<title>{esc(title)}</title><style>{STYLE}</style></head>"
        f"<body><main>{body}</main>{tail}</body></html>"
    )
    return HTMLResponse(document, status, headers)


def problem(status: int, reason: str, *, back: str = "", wait: float = 0) -> HTMLResponse:
    """Return a page that says why not, and offers the way ``back`` to the app if there is one:
    a redirect URI that it has registered, so of no scheme that runs code, with the error."""
    way = ""
    if back:
        way = (
            f'<p class="small">The app can be told about it:'
            f' <a rel="noreferrer" href="{esc(back)}">return to the app</a></p>'
        )
    body = f"<h1>That did not work</h1><p>{esc(reason)}</p>{way}"
    return page("MCP Multiplayer", body, status=status, wait=wait)


def refusal_page(status: int, message: str, hint: str, home: str) -> HTMLResponse:
    """Return a page for whoever has come to an address that shows a person nothing."""
    body = (
        f"<h1>{esc(message)}</h1><p>{esc(hint)}</p>"
        f'<p><a href="{esc(home)}/">What this server is, and how to connect to it</a></p>'
    )
    return page("MCP Multiplayer", body, status=status)
