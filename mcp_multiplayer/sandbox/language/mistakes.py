"""What is certainly not meant in a source that compiles: found before it runs, with the line.

Names that a module does not have for bots, methods that are nearly hooks, hooks that nobody
calls because they belong to a second class or to none. Each would attach in silence, and fail in
the game or never run. What may be meant is left alone: an import inside ``try``, a method that
the source calls itself, a class that another one uses.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections import Counter
from collections.abc import Iterator

from mcp_multiplayer.sandbox.language import imports, source
from mcp_multiplayer.transcript.names import HOOKS

#: The hooks as authors write them.
CALLED = (
    "the host calls __init__(self, ctx, params), on_init(self), on_join(self, player_id), "
    "on_start(self), on_message(self, msg), on_leave(self, player_id), on_timer(self, name)"
)
#: A text of which names of methods are made: "on_" + kind, f"on_{kind}", "on_message_%s".
_MADE = re.compile(r"on_(\w*_)?($|[%{])")
Found = tuple[int | None, str]


def find(tree: ast.Module, library: source.Library | None = None) -> list[Found]:
    """Every mistake as (line, reason), in a source that imports this library."""
    every = list(ast.walk(tree))
    failing = [node for node in _outside_try(tree) if isinstance(node, _NAMING)]
    modules = _modules(every)
    found = list(_imports(failing))
    if modules:
        texts = {text for node in every if (text := _text(node))}  # hasattr(math, "sumprod")
        found += _attributes(failing, modules, texts, networked=source.networked(tree))
    if library is not None:
        found += _of_library(tree, failing, library.names)
    return [*found, *_hooks(tree, every, library)]


# --- names of modules ----------------------------------------------------------------------

_NAMING = (ast.ImportFrom, ast.Attribute)


def _imports(failing: list[ast.ImportFrom | ast.Attribute]) -> Iterator[Found]:
    """``from typing import NamedTuple``"""
    for node in failing:
        if isinstance(node, ast.ImportFrom) and not node.level:
            path = node.module or ""
            for alias in node.names:
                if alias.name != "*" and imports.is_allowed(path) and not _has(path, alias.name):
                    yield node.lineno, imports.lacking(path, alias.name)


def _attributes(
    failing: list[ast.ImportFrom | ast.Attribute],
    modules: dict[str, str],
    texts: set[str],
    *,
    networked: bool,
) -> Iterator[Found]:
    """``typing.NamedTuple`` after ``import typing``"""
    for node in failing:
        if not isinstance(node, ast.Attribute) or not (path := _path(node.value, modules)):
            continue
        if node.attr in texts or node.attr.startswith("_"):
            continue
        hidden = source.reaches(f"{path}.{node.attr}", source.NETWORK) and not networked
        if hidden or not _has(path, node.attr):
            yield node.lineno, imports.lacking(path, node.attr)


def _of_library(
    tree: ast.Module, failing: list[ast.ImportFrom | ast.Attribute], names: frozenset[str]
) -> Iterator[Found]:
    """``from referee import Gane``, ``referee.Gane``"""
    whole = {name for name, of in source.of_library(tree).items() if not of}
    for node in failing:
        if isinstance(node, ast.ImportFrom):
            asked = [alias.name for alias in node.names] if node.module == imports.LIBRARY else []
        else:
            is_it = isinstance(node.value, ast.Name) and node.value.id in whole
            asked = [node.attr] if is_it else []
        for name in asked:
            if name != "*" and name not in names:
                yield node.lineno, imports.lacking(imports.LIBRARY, name, names)


def _has(path: str, name: str) -> bool:
    return name in imports.names(path) or f"{path}.{name}" in imports.children(path)


def _outside_try(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node whose failure no handler of the source catches."""
    nodes = [tree]
    while nodes:
        node = nodes.pop()
        yield node
        caught = node.body if isinstance(node, ast.Try) and node.handlers else []
        if isinstance(node, ast.If) and any(map(_asks_where_it_runs, ast.walk(node.test))):
            caught = node.body
        nodes += [child for child in ast.iter_child_nodes(node) if child not in caught]


def _asks_where_it_runs(node: ast.AST) -> bool:
    """``if TYPE_CHECKING:``, ``if sys.version_info >= ...:``; what stands below may never run."""
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name in ("TYPE_CHECKING", "version_info")


def _modules(every: list[ast.AST]) -> dict[str, str]:
    """The names that stand for one module wherever they stand, with its path."""
    found: dict[str, set[str]] = {}
    for node in every:
        for name, path in _bound(node):
            found.setdefault(name, set()).add(path)
    return {
        name: path for name, paths in found.items() if len(paths) == 1 for path in paths if path
    }


def _bound(node: ast.AST) -> Iterator[tuple[str, str]]:
    """The names that a node gives a value to, with the module's path where it is one."""
    match node:
        case ast.Import():
            for alias in node.names:
                whole = alias.name if alias.asname else alias.name.partition(".")[0]
                yield alias.asname or whole, whole if imports.is_allowed(whole) else ""
        case ast.ImportFrom():
            for alias in node.names:
                path = f"{node.module}.{alias.name}"
                yield alias.asname or alias.name, path if imports.is_allowed(path) else ""
        case ast.Name(ctx=ast.Store() | ast.Del()):
            yield node.id, ""
        case ast.FunctionDef() | ast.ClassDef() | ast.ExceptHandler() | ast.MatchAs():
            yield node.name or "", ""
        case ast.arg():
            yield node.arg, ""


def _path(node: ast.expr, modules: dict[str, str], deep: int = 3) -> str:
    """The path of the module that an expression is, or nothing."""
    if isinstance(node, ast.Name):
        return modules.get(node.id, "")
    if deep and isinstance(node, ast.Attribute) and (path := _path(node.value, modules, deep - 1)):
        inner = f"{path}.{node.attr}"
        return inner if inner in imports.children(path) else ""
    return ""


def _text(node: ast.AST) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


# --- hooks ---------------------------------------------------------------------------------


def _hooks(tree: ast.Module, every: list[ast.AST], library: source.Library | None) -> list[Found]:
    classes = source.classes(tree, library)
    called = source.referee(tree, library)[0]
    used = _used(every)
    heard = {called, *source.above(classes, called)}
    found = [*_twice(tree), *_outside(tree, every, used)]
    for one in classes.values():
        if one.hooks and not one.used and one.name != called:
            found.append((one.node.lineno, _second(one, called or "")))
        found += _misspelt(one, used, called=one.name in heard)
    return found or list(_none(classes))


def _twice(tree: ast.Module) -> Iterator[Found]:
    every = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    for name, times in Counter(node.name for node in every).items():
        if times > 1:
            last = [node for node in every if node.name == name][-1]
            yield last.lineno, f"class {name[:60]} is written {times} times; only this one counts"


def _outside(tree: ast.Module, every: list[ast.AST], used: set[str]) -> Iterator[Found]:
    classes = [node for node in source.top_level(tree.body) if isinstance(node, ast.ClassDef)]
    inside = {id(item) for node in classes for item in node.body}
    lost = set(HOOKS) - used
    for node in every:
        if isinstance(node, ast.FunctionDef) and node.name in lost and id(node) not in inside:
            yield node.lineno, f"{node.name} is no method of a class, so it is never called"


def _none(classes: dict[str, source.Class]) -> Iterator[Found]:
    """A class that does something, and no hook in the whole source."""
    if any(one.hooks for one in classes.values()):
        return
    for one in classes.values():
        if any(name[:2] != "__" for item in one.node.body for name in _methods(item)):
            yield one.node.lineno, f"class {one.name[:60]} has no hook; {CALLED}"


def _methods(item: ast.stmt) -> list[str]:
    return [item.name] if isinstance(item, ast.FunctionDef) else []


def _second(one: source.Class, called: str) -> str:
    has = ", ".join(hook for hook in HOOKS if hook in one.hooks)
    return (
        f"class {one.name[:60]} has hooks ({has}) that are never called: the referee is class "
        f"{called[:60]}; put all hooks into one class"
    )


def _misspelt(one: source.Class, used: set[str], *, called: bool) -> Iterator[Found]:
    """Methods that nobody calls and that look like hooks. In the referee's class every ``on_...``
    does, unless the source makes up such names (``getattr(self, "on_" + kind)``)."""
    seen: set[str] = set()
    made = tuple(text for text in used if _MADE.fullmatch(text) and text != "on_")
    for item in one.node.body:
        for name in source.defined(item):
            if name in HOOKS and name in seen and isinstance(item, ast.FunctionDef):
                yield item.lineno, f"{name} is written twice in class {one.name[:60]}"
            seen.add(name)
            if name in HOOKS or name in used or name.startswith(made):
                continue
            near = _near(name)
            kept = isinstance(item, ast.FunctionDef) and item.decorator_list  # @handles("go")
            if near or (called and name.startswith("on_") and "on_" not in used and not kept):
                meant = f"did you mean {near}? " if near else ""
                yield item.lineno, f"{name[:60]} is no hook, and nothing calls it; {meant}{CALLED}"


def _near(name: str) -> str:
    """The hook that a name was probably meant to be: on_mesage, onMessage, OnMessage."""
    plain = {hook.replace("_", ""): hook for hook in HOOKS}
    folded = name[:60].replace("_", "").lower()
    if not folded.startswith("on"):
        return ""
    found = difflib.get_close_matches(folded, plain, 1, 0.8)
    return plain[found[0]] if found else ""


def _used(every: list[ast.AST]) -> set[str]:
    """Every name and attribute that the source reads, and its texts; of a text of which names of
    methods are made what they begin with."""
    used: set[str] = set()
    for node in every:
        match node:
            case ast.Name(ctx=ast.Load()):
                used.add(node.id)
            case ast.Attribute(ctx=ast.Load()):
                used.add(node.attr)
            case ast.Constant(value=str(text)):
                found = _MADE.search(text)
                used.add(found[0].rstrip("%{") if found else text)
    return used
