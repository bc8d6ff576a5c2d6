"""The arrows of docs/ARCHITECTURE.md and the length of functions, checked against the source.

Written by hand: an import linter knows packages, and half of our boxes are single
modules. The rules are functions of a directory, so the tests at the end can
plant each fault in a directory of their own and see it found.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Set
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

PACKAGE = "mcp_multiplayer"
FOR_ALL = {"config", "connecting", "errors", "ratelimit", "addresses"}
#: Box of the package -> the boxes of ours it may import.
ARROWS: Mapping[str, Set[str]] = {
    "cli": {"start_servers", "service", "verifier", "demo", "workshop", "config"},
    "start_servers": {"config", "connecting"},
    "oauth_proxy": {"edge", "service"} | FOR_ALL,
    "multiplayer_server": {"edge", "service", "sandbox", "storage", "config", "errors"},
    "edge": {"service", "channel", "transcript", "storage", "sandbox", "verifier", "house"}
    | FOR_ALL,
    "service": {"channel", "transcript", "storage", "sandbox", "errors", "ratelimit"},
    "verifier": {"service", "channel", "transcript", "storage", "sandbox", "errors"},
    "sandbox": {"transcript", "errors", "addresses"},
    "storage": {"transcript", "errors"},
    "channel": {"transcript", "errors"},
    "transcript": {"errors"},
    "workshop": {"multiplayer_server", "edge", "service", "sandbox", "storage", "transcript"}
    | FOR_ALL,
    "demo": {"multiplayer_server", "edge", "service", "channel", "transcript", "storage", "sandbox"}
    | {"client"}
    | FOR_ALL,
    "client": {"config", "addresses"},
    "house": {"client", "config", "errors"},
    "config": {"addresses"},
    "addresses": set(),
    "connecting": set(),
    "errors": set(),
    "ratelimit": set(),
}
#: The design's doors: each imports its program or class, nothing else.
DOORS = ("oauth_proxy", "multiplayer_server", "start_servers", "channel_manager", "bot_manager")
#: Read, run or measured, but no part of the package. Nobody in it may import them.
OUTSIDE = {"bots", "scripts", "tests", "benchmarks", *DOORS}

#: What may happen and what happened: no I/O, no clock, no chance.
PURE = ("mcp_multiplayer/channel", "mcp_multiplayer/transcript")
IMPURE_MODULES = {
    *("asyncio", "concurrent", "datetime", "http", "io", "logging", "multiprocessing", "os"),
    *("pathlib", "random", "requests", "secrets", "selectors", "shutil", "signal", "socket"),
    *("sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib", "uuid"),
}
IMPURE_CALLS = {"open", "print", "input", "exec", "eval", "__import__"}

MAX_FUNCTION_LINES = 60


def boxes(directory: Path) -> Iterator[str]:
    """Yield each module and package in ``directory``."""
    for path in sorted(directory.iterdir()):
        if path.suffix == ".py" and path.stem != "__init__":
            yield path.stem
        elif path.is_dir() and any(path.rglob("*.py")) and not path.name.startswith("."):
            yield path.name


def sources(root: Path, *tops: str) -> list[Path]:
    single = [root / f"{top}.py" for top in tops]
    return sorted(
        path
        for path in [*single, *(p for top in tops for p in (root / top).rglob("*.py"))]
        if path.exists()
    )


def imports(path: Path, root: Path) -> set[str]:
    """Return the full name of everything ``path`` imports, wherever in the file."""
    package = path.relative_to(root).parent.parts
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            source = ".".join([*above, *([node.module] if node.module else [])])
            found |= {f"{source}.{alias.name}" for alias in node.names}
    return found


def wrong_arrows(root: Path, arrows: Mapping[str, Set[str]]) -> Iterator[str]:
    """Yield each import between two boxes that no arrow allows, and each of what is outside."""
    for box, allowed in arrows.items():
        for path in sources(root / PACKAGE, box):
            for name in sorted(imports(path, root)):
                top, _, rest = name.partition(".")
                target = rest.split(".")[0] if top == PACKAGE else top
                ours = arrows.keys() if top == PACKAGE else OUTSIDE
                if target in ours - allowed - {box}:
                    yield f"{path.relative_to(root)} imports {name}"


def impurities(root: Path) -> Iterator[str]:
    """Yield each import or call by which the pure half could touch the world."""
    for path in sources(root, *PURE):
        where = path.relative_to(root)
        for name in imports(path, root):
            if name.split(".")[0] in IMPURE_MODULES:
                yield f"{where} imports {name}"
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                if node.func.id in IMPURE_CALLS:
                    yield f"{where}:{node.lineno} calls {node.func.id}"
            elif isinstance(node, ast.AsyncFunctionDef | ast.Await):
                yield f"{where}:{node.lineno} waits"


def oversized(root: Path, *tops: str) -> Iterator[str]:
    """Yield each function that does not fit on a screen or two."""
    for path in sources(root, *tops):
        where = path.relative_to(root)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > MAX_FUNCTION_LINES:
                    yield f"{where}:{node.lineno} {node.name} has {length} lines"


def unexplained(root: Path, *tops: str) -> Iterator[str]:
    """Yield each file without a first sentence, each blind `except` without its reason."""
    for path in sources(root, *tops):
        where, text = path.relative_to(root), path.read_text()
        if text.strip() and not ast.get_docstring(ast.parse(text)):
            yield f"{where} does not say what it is"
        for number, line in enumerate(text.splitlines(), 1):
            if re.search(r"noqa: ?BLE001\W*$", line):
                yield f"{where}:{number} catches everything and does not say why"


BOXES = "docs|tests|channel|transcript|storage|sandbox|service|edge|verifier"
NAMED = rf"(?<![\w/])(?:{BOXES})/[\w/]+\.\w+"


def dangling(root: Path, *tops: str) -> Iterator[str]:
    """Yield each path of ours that a file names and that is not there."""
    for path in sources(root, *tops):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            for name in re.findall(NAMED, line):
                if not any((root / base / name).exists() for base in ("", PACKAGE)):
                    yield f"{path.relative_to(root)}:{number} names {name}"


#: Imports what it is told to and prints whatever our own code did meanwhile. What the
#: import system reads, and what libraries do, is not ours.
WATCH = """
import importlib, sys, threading
root, *names = sys.argv[1:]
sys.path.insert(0, root)
import pydantic
pydantic.create_model("First")  # the first model of a process looks for pydantic's plugins
DEEDS = ("open", "socket.", "subprocess.", "os.mkdir", "os.fork", "os.posix_spawn", "os.chdir",
         "os.remove", "os.rename", "sqlite3.connect", "thread.start", "signal.")
quiet = False
def watch(event, args):
    global quiet
    if quiet or not event.startswith(DEEDS) or event == "socket.gethostname":
        return
    quiet = True
    frame = sys._getframe(1)
    while frame and not frame.f_code.co_filename.startswith("<frozen importlib"):
        file = frame.f_code.co_filename
        if file.startswith(root) and "site-packages" not in file:
            print(file.removeprefix(root), frame.f_lineno, event, args[:1])
            break
        frame = frame.f_back
    quiet = False
sys.addaudithook(watch)
start = threading.Thread.start
threading.Thread.start = lambda self: (sys.audit("thread.start"), start(self))[1]
for name in names:
    importlib.import_module(name)
"""


def deeds_at_import(root: Path, *tops: str) -> str:
    """Return what the modules do when a fresh interpreter imports them; "" is right."""
    names = [
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        for path in sources(root, *tops)
        if path.stem != "__main__"
    ]
    done = subprocess.run(
        [sys.executable, "-B", "-c", WATCH, f"{root}{os.sep}", *names],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
    )
    return done.stdout + done.stderr


def test_every_box_has_its_arrows() -> None:
    assert set(boxes(ROOT)) <= {PACKAGE} | OUTSIDE
    assert set(boxes(ROOT / PACKAGE)) <= ARROWS.keys()


def test_arrows_point_inwards() -> None:
    assert list(wrong_arrows(ROOT, ARROWS)) == []


def test_a_door_imports_its_program_and_nothing_else() -> None:
    for door in DOORS:
        found = {name.split(".")[0] for name in imports(ROOT / f"{door}.py", ROOT)}
        assert found <= {PACKAGE, "sys", "pathlib"}


def test_bots_do_not_know_who_asks_them() -> None:
    found = imports(ROOT / PACKAGE / "service" / "bot_manager.py", ROOT)
    above = tuple(f"{PACKAGE}.service.{name}" for name in ("channel", "sequencer"))
    assert not [name for name in found if name.startswith(above)]


def test_the_pure_half_is_pure() -> None:
    assert not list(impurities(ROOT))


def test_functions_can_be_read_in_one_sitting() -> None:
    assert not list(oversized(ROOT, PACKAGE, *DOORS, "bots", "scripts"))


def test_every_file_says_what_it_is_and_why_it_catches_everything() -> None:
    assert not list(unexplained(ROOT, PACKAGE, *DOORS, "scripts"))


def test_what_a_module_points_to_is_there() -> None:
    assert list(dangling(ROOT, PACKAGE, *DOORS)) == []


def test_nothing_happens_at_import() -> None:
    assert deeds_at_import(ROOT, PACKAGE, *DOORS) == ""


# Can these tests fail?


def plant(root: Path, where: str, text: str) -> None:
    path = root / where
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("service/channel_manager.py", "import mcp_multiplayer.edge.api"),
        ("service/sequencer.py", "from mcp_multiplayer.edge.auth.tokens import Tokens"),
        ("start_servers.py", "import mcp_multiplayer.service"),
        ("verifier/main.py", "import mcp_multiplayer.edge"),
        ("edge/api/rest.py", "def f():\n    from mcp_multiplayer import oauth_proxy"),
        ("edge/api/rest.py", "from bots import guess_bot"),
        ("service/bot_manager.py", "import bots.guess_bot"),
        ("service/bot_manager.py", "from channel_manager import ChannelManager"),
        ("storage/base.py", "from mcp_multiplayer import config"),
        ("transcript/entries.py", "from mcp_multiplayer.channel import decide"),
        ("transcript/entries.py", "from mcp_multiplayer import channel"),
        ("transcript/entries.py", "from ..channel import decide"),
        ("transcript/entries.py", "from .. import channel"),
        ("channel/decide.py", "import mcp_multiplayer.storage.base"),
        ("errors.py", "import mcp_multiplayer.transcript"),
        ("channel/decide.py", "from mcp_multiplayer.service.replica import Replica"),
    ],
)
def test_an_arrow_outwards_is_found(tmp_path: Path, where: str, line: str) -> None:
    plant(tmp_path, f"{PACKAGE}/{where}", line)
    assert list(wrong_arrows(tmp_path, ARROWS))


def test_imports_along_the_arrows_are_let_through(tmp_path: Path) -> None:
    line = "import json\nfrom mcp_multiplayer.channel import decide"
    plant(tmp_path, f"{PACKAGE}/service/channel_manager.py", line)
    lines = "from . import model\nfrom ..errors import NotMember"
    plant(tmp_path, f"{PACKAGE}/channel/decide.py", lines)
    assert not list(wrong_arrows(tmp_path, ARROWS))


@pytest.mark.parametrize(
    "line",
    [
        "import time",
        "from os import path",
        "def f():\n    import random",
        "open('x')",
        "print(1)",
        "async def f(): ...",
    ],
)
def test_a_touch_of_the_world_is_found(tmp_path: Path, line: str) -> None:
    plant(tmp_path, "mcp_multiplayer/channel/decide.py", line)
    assert list(impurities(tmp_path))


def test_what_is_too_long_is_found(tmp_path: Path) -> None:
    plant(tmp_path, "box/b.py", "def f():\n" + "    x = 1\n" * MAX_FUNCTION_LINES)
    plant(tmp_path, "box/c.py", "def f():\n" + "    x = 1\n" * (MAX_FUNCTION_LINES - 1))
    assert len(list(oversized(tmp_path, "box"))) == 1


def test_what_is_not_explained_is_found(tmp_path: Path) -> None:
    plant(tmp_path, "box/a.py", "x = 1")
    blind = "try:\n    pass\nexcept Exception:  # noqa: BLE001"
    plant(tmp_path, "box/b.py", f'"""What."""\n{blind}\n    pass')
    plant(tmp_path, "box/c.py", f'"""What."""\n{blind} - a bot must not end us\n    pass')
    assert len(list(unexplained(tmp_path, "box"))) == 2


@pytest.mark.parametrize(
    "line",
    [
        "open('x', 'w')",
        "import pathlib; pathlib.Path(__file__).read_text()",
        "import socket; socket.socket()",
        "import threading; threading.Thread(target=print).start()",
        "import sqlite3; sqlite3.connect(':memory:')",
        "import subprocess; subprocess.run(['true'])",
    ],
)
def test_a_deed_at_import_is_found(tmp_path: Path, line: str) -> None:
    plant(tmp_path, "mcp_multiplayer/__init__.py", "")
    plant(tmp_path, "box/a.py", f"import json\n{line}")
    assert "a.py 2" in deeds_at_import(tmp_path, "box")


def test_definitions_are_no_deed(tmp_path: Path) -> None:
    plant(tmp_path, "box/a.py", "import http.server\ndef f():\n    return open(__file__)")
    assert deeds_at_import(tmp_path, "box") == ""


def test_a_path_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    plant(tmp_path, "box/a.py", '"""Tried by tests/test_a.py, read by `x.py`."""')
    assert list(dangling(tmp_path, "box")) == ["box/a.py:1 names tests/test_a.py"]


# Names: one word for each concept, and what was taken out stays out

#: Stems of files and names of classes that the field does not know.
GONE = {
    "Alarms",
    "Bell",
    "Custody",
    "Desk",
    "Door",
    "Gate",
    "Keeper",
    "Keyring",
    "Limiter",
    "Lines",
    "Quota",
    "SignedHeads",
    "Wish",
    "alarms",
    "asked",
    "asking",
    "author_log",
    "bundle",
    "canary",
    "card",
    "changes",
    "child",
    "corked",
    "custody",
    "deeds",
    "desk",
    "door",
    "evolve",
    "gate",
    "home",
    "keeper",
    "keyring",
    "landing",
    "late",
    "leaves",
    "legal",
    "limit",
    "lines",
    "outputs",
    "prints",
    "process",
    "questions",
    "reading",
    "referees",
    "sentences",
    "shapes",
    "shares",
    "short",
    "shown",
    "signed_heads",
    "steady",
    "strict",
    "tape",
    "throttle",
    "twice",
    "vocabulary",
    "wakeups",
    "walk",
    "walls",
    "warm",
    "wishes",
    "words",
}
#: Of two things of one name, the one that the field calls so.
RIGHT = {
    "mcp_multiplayer/edge/pages/landing.py",
}


def public_classes(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef):
            yield node.name


def names_gone(root: Path) -> Iterator[str]:
    """Yield each file and class of the package that has a name which was taken out."""
    for path in sources(root, PACKAGE):
        where = str(path.relative_to(root))
        if path.stem in GONE and where not in RIGHT:
            yield where
        yield from (f"{where}: {name}" for name in public_classes(path) if name in GONE)


def test_names_that_were_taken_out_stay_out() -> None:
    assert list(names_gone(ROOT)) == []


def test_a_name_that_was_taken_out_is_found(tmp_path: Path) -> None:
    plant(tmp_path, f"{PACKAGE}/edge/desk.py", "class Door: pass")
    assert len(list(names_gone(tmp_path))) == 2


@pytest.mark.parametrize(
    ("sign", "places"),
    [
        (r"class \w*(RateLimit|Limiter|Quota|Bucket|Throttle)s?\b", {"ratelimit.py"}),
        (r"PRAGMA user_version", {"storage/migrate.py"}),
        (r"except HeadMoved\b", {"service/sequencer.py"}),
        (r"room\.change\(", {"service/sequencer.py"}),
        (r"Changes (when|with)\b", set()),
        (r"# *fmt: *(skip|off)", set()),
    ],
)
def test_there_is_one_limiter_one_migrator_one_writer_and_no_leftover(
    sign: str, places: set[str]
) -> None:
    package = ROOT / PACKAGE
    found = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if re.search(sign, path.read_text(encoding="utf-8"))
    }
    assert found == places


# --- names in docstrings and comments ------------------------------------------------------

_NAMED = re.compile(r"(?<!`)`([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)`(?!`)")
_FILES = (".py", ".toml", ".db", ".json", ".key", ".sha256")


def _names_in(tree: ast.AST) -> set[str]:
    """Every name that a module or class defines or uses."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add(name)
            case ast.ClassDef(name=name) | ast.Name(id=name) | ast.Attribute(attr=name):
                found.add(name)
            case ast.alias(name=name, asname=asname):
                found.add(asname or name)
    return found


def stale_names(root: Path) -> Iterator[str]:
    """What docstrings and comments of ``root`` call `module.name` and is not there."""
    files = [*root.rglob("*.py")]
    known: dict[str, set[str]] = {}
    for path in files:
        tree = ast.parse(path.read_text())
        module = path.parent.name if path.stem == "__init__" else path.stem
        known.setdefault(module, set()).update(_names_in(tree))
        known.setdefault(path.parent.name, set()).add(module)
        known.setdefault(path.parent.parent.name, set()).add(path.parent.name)
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                known.setdefault(node.name, set()).update(_names_in(node))
    for path in files:
        for named in _NAMED.findall(path.read_text()):
            of, name = named.split(".")[-2:]
            library = named.split(".")[0] in sys.stdlib_module_names
            if not (library or named.endswith(_FILES) or name in known.get(of, ())):
                yield f"{path.relative_to(root)}: {named}"


def test_what_docstrings_name_is_there() -> None:
    assert not list(stale_names(ROOT / PACKAGE))


def test_a_name_that_is_gone_is_found(tmp_path: Path) -> None:
    (tmp_path / "old.py").write_text('"""See `new.thing` and `new.gone`, `lost.thing`."""\n')
    (tmp_path / "new.py").write_text("def thing(): ...\n")
    assert list(stale_names(tmp_path)) == ["old.py: new.gone", "old.py: lost.thing"]
