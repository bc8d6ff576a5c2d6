"""What can be read from a source before it runs.

Runs in the worker: on the other side is a stranger's text, and even parsing it
may exhaust memory or the stack (tests/sandbox/language/test_source.py).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mcp_multiplayer.sandbox.language.imports import LIBRARY
from mcp_multiplayer.transcript.names import HOOKS

#: A line that can only be meant as Python: then a syntax error is worth telling.
CLASS_LINE = re.compile(r"^\s*class\s+\w+\s*[(:]", re.MULTILINE)
#: Imports that can reach the network; urllib.parse and the like cannot.
NETWORK = ("socket", "ssl", "http.client", "urllib.request", "urllib3", "requests")
#: Imports that are there to draw; a mail does, for its boundary. Others may now and then (a form
#: of `requests`): that is counted, and not announced.
DICE = ("random", "secrets", "uuid", "email")


def looks_like_code(source: str) -> bool:
    """False for prose: a contract in plain words is accepted as a text."""
    return CLASS_LINE.search(source) is not None


#: Stands in `Library.draws` where a hook that its classes define draws.
ALWAYS = "*"


@dataclass(frozen=True)
class Library:
    """What of the library (`library.read`) makes a difference to a source that imports it."""

    names: frozenset[str]  #: what can be imported
    hooks: Mapping[str, frozenset[str]]  #: of its classes, by name
    draws: frozenset[str]  #: its functions and methods that may draw
    network: bool


def report(tree: ast.Module, library: Library | None = None) -> dict[str, Any]:
    """The facts of `SourceReport`, as JSON; with the library that it imports."""
    name, hooks = referee(tree, library)
    dice = any(True for _ in dice_names(tree)) or _draws(tree)
    network = networked(tree)
    if library is not None:
        dice = dice or ALWAYS in library.draws or not library.draws.isdisjoint(_mentioned(tree))
        network = network or library.network
    return {
        "hooks": list(hooks),
        "class_name": name,
        "manifest": manifest(tree),
        "network": network,
        "dice": dice,
        "library": library is not None,
    }


def imports_library(tree: ast.Module) -> int | None:
    """The line that imports the library, or None. One at the beginning of a line counts: see
    `library.wanted`."""
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom) and _of_library(node):
            return node.lineno
    return None


def _of_library(node: ast.Import | ast.ImportFrom) -> bool:
    if node.col_offset:
        return False
    if isinstance(node, ast.ImportFrom):
        return node.module == LIBRARY and not node.level
    return node.names[0].name == LIBRARY


def of_library(tree: ast.Module) -> dict[str, str]:
    """Names at the top of a source -> what of the library they stand for, "" for itself."""
    found: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.Import):
            found |= {one.asname or one.name: "" for one in node.names if one.name == LIBRARY}
        elif isinstance(node, ast.ImportFrom) and node.module == LIBRARY:
            found |= {one.asname or one.name: one.name for one in node.names}
    return found


def _mentioned(tree: ast.Module) -> Iterator[str]:
    """Every name of whatever it is that a source reads or imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias):
            yield node.name


@dataclass
class Class:
    """A class at the top level. ``hooks`` are its own and inherited ones; ``used``: the rest of
    the source names it, so it is a helper or a base. Looked for only where several have hooks."""

    name: str
    node: ast.ClassDef
    hooks: set[str]
    used: bool


def classes(tree: ast.Module, library: Library | None = None) -> dict[str, Class]:
    """The classes at the top level, by name; of two of one name the later one counts."""
    found: dict[str, Class] = {}
    inherited = {} if library is None else _inherited(tree, library)
    for node in top_level(tree.body):
        if isinstance(node, ast.ClassDef):
            bases = [
                found[name].hooks if name in found else inherited.get(name, frozenset())
                for name in _bases(node)
            ]
            own = {name for item in node.body for name in defined(item)}.intersection(HOOKS)
            found[node.name] = Class(node.name, node, own.union(*bases), used=False)
    if sum(bool(one.hooks) for one in found.values()) > 1:
        for name in _named(tree):
            if name in found:
                found[name].used = True
    return found


def _inherited(tree: ast.Module, library: Library) -> dict[str, frozenset[str]]:
    """The library's classes as a source writes them (``Game``, ``referee.Game``), with hooks."""
    found = {}
    for name, of in of_library(tree).items():
        if of in library.hooks:
            found[name] = library.hooks[of]
        elif not of:
            found |= {f"{name}.{one}": hooks for one, hooks in library.hooks.items()}
    return found


def referee(tree: ast.Module, library: Library | None = None) -> tuple[str | None, tuple[str, ...]]:
    """The class whose hooks are called: the one that no other part of the source uses, of these
    the one with most hooks, the later of equals.

    Not the first one: helper classes stand above it as often as below.
    """
    every = classes(tree, library).values()
    hearing = [one for one in every if one.hooks]
    best: Class | None = None
    for one in [one for one in hearing if not one.used] or hearing or every:
        if best is None or len(one.hooks) >= len(best.hooks):
            best = one
    if best is None:
        return None, ()
    return best.name, tuple(hook for hook in HOOKS if hook in best.hooks)


def above(every: Mapping[str, Class], name: str | None) -> set[str]:
    """The names of the classes that one inherits from."""
    found: set[str] = set()
    ways = [name] if name in every else []
    while ways:
        for base in _bases(every[ways.pop() or ""].node):
            if base in every and base not in found:
                found.add(base)
                ways.append(base)
    return found


def defined(item: ast.stmt) -> list[str]:
    """The names that a statement of a class's body makes methods or attributes of."""
    if isinstance(item, ast.Assign):
        return [target.id for target in item.targets if isinstance(target, ast.Name)]
    if isinstance(item, ast.AnnAssign) and item.value and isinstance(item.target, ast.Name):
        return [item.target.id]
    return [item.name] if isinstance(item, ast.FunctionDef) else []


def _bases(node: ast.ClassDef) -> list[str]:
    found = [base.id for base in node.bases if isinstance(base, ast.Name)]
    for base in node.bases:
        if isinstance(base, ast.Attribute) and isinstance(base.value, ast.Name):
            found.append(f"{base.value.id}.{base.attr}")
    return found


def _named(tree: ast.AST) -> Iterator[str]:
    """Every name that is read, but that of a class in its own body."""
    nodes: list[tuple[ast.AST, frozenset[str]]] = [(tree, frozenset())]
    while nodes:
        node, within = nodes.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id not in within:
            yield node.id
        if isinstance(node, ast.ClassDef):
            within |= {node.name}
        nodes += [(child, within) for child in ast.iter_child_nodes(node)]


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


def top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module, those under a condition, too."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try):
            yield from top_level(node.body)
            yield from top_level(node.orelse)


def _is_name(node: ast.expr, name: str | None = None) -> bool:
    return isinstance(node, ast.Name) and name in (None, node.id)


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def dice_names(tree: ast.Module) -> Iterator[str]:
    """The names that imports give to what draws."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                path = f"{node.module}.{alias.name}" if hasattr(node, "module") else alias.name
                if reaches(path, DICE):
                    yield alias.asname or alias.name.partition(".")[0]


def networked(tree: ast.Module) -> bool:
    """True when a source imports what can reach the network; it then may, else not."""
    return any(reaches(path, NETWORK) for path in _imported(tree))


def reaches(path: str, roots: Iterable[str]) -> bool:
    """True for a module that is one of these or below one."""
    return any(path == root or path.startswith(root + ".") for root in roots)


def _draws(tree: ast.Module) -> bool:
    return any(isinstance(n, ast.Attribute) and n.attr == "random" for n in ast.walk(tree))


def lines(source: str, numbers: Iterable[int]) -> list[str]:
    """The given lines of a source, for the author's traceback."""
    split = re.split(r"\r\n|\r|\n", source)
    return [split[n - 1].strip() if 0 < n <= len(split) else "" for n in numbers]
