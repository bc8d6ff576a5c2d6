"""A small site for tests of the pages' own modules: the static files and an empty page, from a real
server that sends the policy of the room pages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from playwright.async_api import Page

import mcp_multiplayer.edge.pages as pages

STATIC = Path(pages.__file__).parent / "static"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none';"
    " require-trusted-types-for 'script'; trusted-types 'none'"
)
_STYLES = [name for name in ("style.css", "room.css") if (STATIC / name).exists()]
_LINKS = "\n".join(f'<link rel="stylesheet" href="/static/{name}">' for name in _STYLES)
PAGE = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Stage</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">{_LINKS}
<link rel="stylesheet" href="/stage.css"></head>
<body><main id="stage"><h1>Stage</h1></main></body></html>"""
STYLE = """html { color-scheme: light dark; background: Canvas; color: CanvasText }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
main { max-width: 60rem; margin: 0 auto; padding: 1rem }"""
_KINDS = {".js": "text/javascript", ".css": "text/css"}


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = STATIC / Path(self.path).name
        if self.path == "/":
            self._send("text/html; charset=utf-8", PAGE.encode())
        elif self.path == "/stage.css":
            self._send("text/css", STYLE.encode() if "style.css" not in _STYLES else b"")
        elif self.path.startswith("/static/") and path.exists():
            self._send(_KINDS[path.suffix], path.read_bytes())
        else:
            self.send_error(404)

    def _send(self, kind: str, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def served() -> Iterator[str]:
    """The address of the page."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


#: Puts what the modules export into `made`, with short ways to draw; posts are kept in `posted`.
_SETUP = """async () => {
  const panels = await import("/static/panels.js");
  const moves = await import("/static/moves.js");
  const feed = await import("/static/feed.js");
  const stage = document.querySelector("#stage");
  window.posted = [];
  const post = (body, to) => window.posted.push([body, to ?? null]);
  const viewOf = (view = {}) => ({ moves: new Set(view.moves ?? []), side: view.side, send: post });
  window.made = {
    ...panels, ...moves, ...feed, stage, post, viewOf,
    panel: (item, view) => stage.append(panels.drawPanel(item, viewOf(view))),
    controls: (state) => stage.append(moves.moveControls({ canPost: true, ...state }, post)),
    clear: () => { stage.replaceChildren(); window.posted = []; },
    count: () => stage.querySelectorAll("*").length,
  };
}"""


async def ready(page: Page) -> Page:
    """The page with all modules at hand, as ``made`` of its window."""
    await page.evaluate(_SETUP)
    return page


async def posted(page: Page) -> list[Any]:
    """What was posted so far: bodies, and to whom."""
    return list(await page.evaluate("window.posted"))
