"""The files that pages load or name: one stylesheet, scripts as they were written, a picture.

They are the same for everybody and stand under an address with the digest of all of them, so a
browser keeps them for good, and a page never meets the scripts of another version of itself.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from starlette.responses import Response

DIRECTORY = Path(__file__).with_name("static")
PREFIX = "/static/"
_PATH = re.compile(re.escape(PREFIX) + r"([0-9a-f]{16})/([a-z_]{1,32}\.(?:js|css|png))")
_KINDS = {".js": "text/javascript", ".css": "text/css", ".png": "image/png"}
CARD = "card.png"  #: what chats show of a link; `tests/web/draw_card.py` draws it
#: The parts of the stylesheet, in their order.
_STYLES = ("style.css", "public.css", "room.css", "match.css")


@functools.cache
def files() -> Mapping[str, bytes]:
    """Every file by its name; ``style.css`` is whole."""
    found = {path.name: path.read_bytes() for path in sorted(DIRECTORY.iterdir())}
    styles = [found.pop(name) for name in _STYLES if name in found]
    return MappingProxyType({**found, "style.css": b"\n".join(styles)})


@functools.cache
def prefix() -> str:
    """Where the files of this version stand."""
    whole = hashlib.sha256()
    for name, data in files().items():
        whole.update(f"{name} {len(data)}\n".encode() + data)
    return f"{PREFIX}{whole.hexdigest()[:16]}/"


def is_one(path: str) -> bool:
    """Whether there is such a file, of this version or of another."""
    found = _PATH.fullmatch(path)
    return found is not None and found[2] in files()


@functools.cache
def _packed(name: str) -> bytes:
    return gzip.compress(files()[name], mtime=0)


def answer(path: str, accepted: str = "") -> Response:
    """Return the file at ``path``, of which `is_one` said that it is there, packed where the
    browser's Accept-Encoding has gzip.

    A page that was loaded before the server became newer still asks for the old ones. It is given
    what there is, for once: its scripts look for no more than that.
    """
    name = path.rpartition("/")[2]
    good = path == prefix() + name
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable" if good else "no-store",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Vary": "Accept-Encoding",
    }
    data = files()[name]
    if re.search(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))", accepted):
        data, headers["Content-Encoding"] = _packed(name), "gzip"
    return Response(data, media_type=_KINDS[Path(name).suffix], headers=headers)
