"""A small server for tests of pages: answers what it was given, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from mcp_multiplayer.edge.pages.static_files import DIRECTORY

KINDS = {"js": "text/javascript", "css": "text/css", "html": "text/html; charset=utf-8"}
#: A page as strict as the server's own: its scripts come from the server, and no text is markup.
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self';"
    " img-src 'self' data:; base-uri 'none'; require-trusted-types-for 'script';"
    " trusted-types 'none'"
)


@dataclass
class Served:
    """``files`` by path; the pages' own files stand under /static/."""

    base: str = ""
    files: dict[str, bytes] = field(default_factory=dict)

    def put(self, path: str, data: bytes | str) -> str:
        self.files[path] = data if isinstance(data, bytes) else data.encode()
        return self.base + path


def _handler(served: Served) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = served.files.get(self.path)
            self.send_response(200 if data is not None else 404)
            kind = KINDS.get(self.path.rpartition(".")[2], "application/octet-stream")
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data or b"")))
            self.send_header("Content-Security-Policy", POLICY)
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, *args: object) -> None:
            pass

    return Handler


@contextmanager
def serving(files: Mapping[str, bytes] | None = None) -> Iterator[Served]:
    """A server on a free port, in a thread, with the static files of the pages."""
    served = Served(files=dict(files or {}))
    served.files |= {f"/static/{one.name}": one.read_bytes() for one in DIRECTORY.iterdir()}
    served.files["/empty.html"] = b"<!doctype html><title>empty</title>"
    served.files["/favicon.ico"] = b""
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(served)) as server:
        served.base = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()
