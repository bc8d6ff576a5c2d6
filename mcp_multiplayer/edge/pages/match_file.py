"""A finished game as one file: ``match.html`` has the viewer, its checks and the record in it, and
opens where there is no network.

On the other side is whoever made the record; it is text in base64 here, and is parsed by
static/record.js alone. The file may do nothing but run the one script that its policy names by
hash: no request leaves it, and no text in it becomes markup.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from pathlib import Path

from mcp_multiplayer.edge.pages import static_files

TEMPLATES = Path(__file__).with_name("templates")
STYLES = ("style.css", "room.css", "match.css")
ENTRY = "match.js"

_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([a-z_]+\.js)";$', re.M)
_AGAIN = re.compile(r'^export \{([^}]*)\} from "\./([a-z_]+\.js)";$', re.M)
_EXPORT = re.compile(r"^export (?=(?:async function|function|class|const|let) (\w+))", re.M)
_LEFT = re.compile(r"^\s*(?:import|export)\b|\bimport\(|</script|<!--", re.M)


def modules(entry: str = ENTRY) -> list[str]:
    """The names of the modules that ``entry`` is made of, each after those that it imports."""
    found: dict[str, None] = {}

    def visit(name: str) -> None:
        text = _read(name)
        for pattern in (_IMPORT, _AGAIN):
            for _, other in pattern.findall(text):
                if other not in found:
                    visit(other)
        found[name] = None

    visit(entry)
    return list(found)


def script(entry: str = ENTRY) -> str:
    """All modules of ``entry`` as one classic script: each is a function that is called once and
    returns its exports. A page that was opened as a file can load no module from beside it."""
    return "\n".join(['"use strict";', *(_wrapped(name) for name in modules(entry))]) + "\n"


def _wrapped(name: str) -> str:
    text, exports = _read(name), []
    for names, _ in _AGAIN.findall(text):
        exports += _names(names)
    text = _AGAIN.sub(_taken, _IMPORT.sub(_taken, text))
    exports += _EXPORT.findall(text)
    text = _EXPORT.sub("", text)
    if left := _LEFT.search(text):
        raise ValueError(f"{name}: {left[0]!r} cannot stand in a script of one piece")
    return f"const {_variable(name)} = (() => {{\n{text}return {{ {', '.join(exports)} }};\n}})();"


def _taken(found: re.Match[str]) -> str:
    return f"const {{ {', '.join(_names(found[1]))} }} = {_variable(found[2])};"


def _names(listed: str) -> list[str]:
    names = [name.strip() for name in listed.split(",") if name.strip()]
    if any(" as " in name for name in names):
        raise ValueError("a module of the match file gives another name to what it imports")
    return names


def _variable(name: str) -> str:
    return f"module_{name.removesuffix('.js')}"


def style() -> str:
    """The styles of the file, as pages have them."""
    return "\n".join(map(_read, STYLES))


def _read(name: str) -> str:
    return (static_files.DIRECTORY / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


_CHOOSE = """<div class="drop">
<label for="file">Choose a record, the zip that get_transcript gives, or drop it on this page. It
stays on this computer.</label>
<input type="file" id="file" accept=".zip">
</div>
"""


@functools.cache
def _parts(choose: str) -> tuple[bytes, bytes]:
    """What stands before and after the record."""
    code, look = script(), style()
    if "</style" in look:
        raise ValueError("the style would end early")
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src {_hash(code)}",
            f"style-src {_hash(look)}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )
    viewer = (TEMPLATES / "match_viewer.html").read_text(encoding="utf-8")
    before = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>A match of MCP Multiplayer</title>
<link rel="icon" href="data:,">
<style>{look}</style>
</head>
<body>
<main id="main" class="wide">
<h1 id="headline">A match</h1>
{choose}{viewer}</main>
<script type="application/octet-stream" id="record">"""
    return before.encode(), f"</script>\n<script>{code}</script>\n</body>\n</html>\n".encode()


def match_file(record: bytes | None) -> bytes:
    """Return the page for this record (the zip of `get_transcript`); without one, a page that takes
    whichever record is chosen or dropped on it."""
    before, after = _parts(_CHOOSE if record is None else "")
    return before + base64.b64encode(record or b"") + after
