"""Makes verifier.pyz: the verifier and all that it needs, as one file that any Python 3.11 runs.
The same sources give the same bytes, on every machine: members are sorted, have no time, and are
stored as they are, so that a reader can compare two files and read what would run. Nothing in it is
compiled.
"""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import io
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

#: What referees may import, and what reads them; pure Python of these is enough.
PACKAGES = ("RestrictedPython", "certifi", "charset-normalizer", "idna", "requests", "urllib3")
OURS = "mcp_multiplayer"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_KEEP = (".py", ".pem")
_LEAVE = ("/tests/", "/cli/", "/__pycache__/", "/contrib/emscripten/")

MAIN = """\
import sys

if sys.version_info < (3, 11):
    sys.exit("verifier.pyz needs Python 3.11 or later")
from mcp_multiplayer.verifier.__main__ import main

sys.exit(main())
"""


def build() -> bytes:
    """Return the bytes of verifier.pyz."""
    members = {"__main__.py": MAIN.encode(), **_ours(), **_theirs()}
    file = io.BytesIO()
    file.write(b"#!/usr/bin/env python3\n")
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as bundle:
        for name, data in sorted(members.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            bundle.writestr(entry, data)
    return file.getvalue()


def _ours() -> dict[str, bytes]:
    """The verifier's modules and all of ours that they import, wherever in the file."""
    found: dict[str, bytes] = {}
    left = [f"{OURS}.verifier.{path.stem}" for path in sorted(Path(__file__).parent.glob("*.py"))]
    left.append(f"{OURS}.sandbox.worker.zygote")  # a program that is started
    while left:
        name = left.pop()
        path = _file(name)
        if path is None or _member(name, path) in found:
            continue
        data = path.read_bytes()
        found[_member(name, path)] = data
        left += [one for one in _imports(data, name) if one.split(".")[0] == OURS]
    return found


def _file(name: str) -> Path | None:
    """The file of one of our modules; None for what is a name inside one."""
    base = Path(__file__).parents[2].joinpath(*name.split("."))
    return next(
        (path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None
    )


def _member(name: str, path: Path) -> str:
    here = name.replace(".", "/")
    return f"{here}/__init__.py" if path.name == "__init__.py" else f"{here}.py"


def _imports(data: bytes, name: str) -> Iterator[str]:
    """What a module imports, and the packages that this is in."""
    yield from (name.rsplit(".", n)[0] for n in range(1, name.count(".") + 1))
    for node in ast.walk(ast.parse(data)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _theirs() -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for package in PACKAGES:
        for file in importlib.metadata.files(package) or ():
            name, path = str(file), Path(str(file.locate()))
            licence = ".dist-info/" in name and path.name.upper().startswith(("LICEN", "NOTICE"))
            if licence:
                found[f"licences/{package}/{path.name}"] = path.read_bytes()
            elif name.endswith(_KEEP) and not any(part in f"/{name}" for part in _LEAVE):
                found[name] = path.read_bytes()
    return found


def main() -> None:
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "verifier.pyz")
    data = build()
    path.write_bytes(data)
    path.chmod(0o755)
    sys.stdout.write(f"{path}: {len(data)} bytes\n")


if __name__ == "__main__":
    main()
