"""What can be read from a source before it runs. Changes when an attachment announces more.

Runs in the worker: on the other side is a stranger's text, and even parsing it
may exhaust memory or the stack (tests/engine/sandbox/test_source.py).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from typing import Any

from engine.sandbox.call import HOOKS

#: A line that can only be meant as Python: then a syntax error is worth telling.
CLASS_LINE = re.compile(r"^\s*class\s+\w+\s*[(:]", re.MULTILINE)
#: Imports that can reach the network; urllib.parse and the like cannot.
NETWORK = ("socket", "ssl", "http.client", "urllib.request", "urllib3", "requests")
#: Imports that are there to draw; a mail does, for its boundary. Others may now and then (a form
#: of `requests`): that is counted, and not announced.
DICE = ("random", "secrets", "uuid", "email")
#: Modules that hold nothing which one hook could leave behind for another in its process
#: (tests/engine/sandbox/test_source.py looks at every name of them).
FORGETFUL = frozenset(
    ["base64", "copy", "datetime", "hashlib", "hmac", "itertools", "json", "math", "random", "re",
     "secrets", "time", "uuid"]
)  # fmt: skip


def looks_like_code(source: str) -> bool:
    """False for prose: a contract in plain words is accepted as a text."""
    return CLASS_LINE.search(source) is not None


def report(tree: ast.Module) -> dict[str, Any]:
    """The facts of `SourceReport`, as JSON."""
    name, hooks = referee(tree)
    paths = set(_imported(tree))
    return {
        "hooks": list(hooks),
        "class_name": name,
        "manifest": manifest(tree),
        "network": networked(tree),
        "dice": any(reaches(path, DICE) for path in paths) or _draws(tree),
    }


def referee(tree: ast.Module) -> tuple[str | None, tuple[str, ...]]:
    """The class whose hooks are called: the one with most of them, the later of equals.

    Not the first one: helper classes stand above it as often as below.
    """
    known: dict[str, set[str]] = {}
    best: str | None = None
    for node in _top_level(tree.body):
        if isinstance(node, ast.ClassDef):
            inherited = [
                known.get(base.id, set()) for base in node.bases if isinstance(base, ast.Name)
            ]
            known[node.name] = _own_hooks(node).union(*inherited)
            if best is None or len(known[node.name]) >= len(known[best]):
                best = node.name
    return best, tuple(hook for hook in HOOKS if best and hook in known[best])


def manifest(tree: ast.Module) -> dict[str, Any] | None:
    """The literal ``MANIFEST = {...}`` at the top level, read without running anything."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(_is_name(t, "MANIFEST") for t in node.targets):
            try:
                value = ast.literal_eval(node.value)
            except (ValueError, TypeError, MemoryError, RecursionError):
                raise SyntaxError("MANIFEST must be a literal", ("", node.lineno, 0, "")) from None
            if not isinstance(value, dict):
                raise SyntaxError("MANIFEST must be a dict", ("", node.lineno, 0, ""))
            return value
    return None


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try):
            yield from _top_level(node.body)
            yield from _top_level(node.orelse)


def _own_hooks(node: ast.ClassDef) -> set[str]:
    names = set()
    for item in node.body:
        if isinstance(item, ast.FunctionDef):
            names.add(item.name)
        elif isinstance(item, ast.Assign):
            names.update(target.id for target in item.targets if isinstance(target, ast.Name))
    return names.intersection(HOOKS)


def _is_name(node: ast.expr, name: str | None = None) -> bool:
    return isinstance(node, ast.Name) and name in (None, node.id)


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def networked(tree: ast.Module) -> bool:
    """True when a source imports what can reach the network; it then may, else not."""
    return any(reaches(path, NETWORK) for path in _imported(tree))


def forgetful(tree: ast.Module) -> bool:
    """True when hooks of a source may follow each other in one process: nothing that they can
    reach outlives them. Whatever else is imported might, and so might an open file."""
    opens = any(isinstance(n, ast.Name) and n.id == "open" for n in ast.walk(tree))
    return not opens and all(path.split(".")[0] in FORGETFUL for path in _imported(tree))


def reaches(path: str, roots: Iterable[str]) -> bool:
    """True for a module that is one of these or below one."""
    return any(path == root or path.startswith(root + ".") for root in roots)


def _draws(tree: ast.Module) -> bool:
    return any(isinstance(n, ast.Attribute) and n.attr == "random" for n in ast.walk(tree))
