"""The text that a source imports as `referee`: whether it does, and what follows for the source.

The library is a text like a source: compiled by the same language, run with the same restrictions
and ticks, in the same process of one hook. It is carried by its hash, so a record holds the one it
was played with. On the other side is, in a verifier, whoever wrote the record: a library is trusted
no more than a source is, and everything here is read from the text alone, so that all who have both
texts come to the same.

A source imports it with `import referee` or `from referee import Game` at the beginning of a line.
Nothing else counts, so that everybody can see whether it does, and no process has to be asked.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from mcp_multiplayer.sandbox.language import source
from mcp_multiplayer.sandbox.language.imports import LIBRARY
from mcp_multiplayer.sandbox.language.source import Library
from mcp_multiplayer.transcript.names import HOOKS

#: As `sandbox/worker/hook.py` writes it.
_PLACE = re.compile(rf"^  in the library `{LIBRARY}`, line (\d+)$", re.MULTILINE)
_LINE = re.compile(rf"^(?:import|from) +{LIBRARY}\b", re.MULTILINE)


def wanted(text: str) -> bool:
    """False where no line of a source can import the library: it is then not even read."""
    return _LINE.search(text) is not None


def with_lines(told: str, text: str) -> str:
    """The text of an error, with the line of the library that it names: an author has never seen
    it."""
    return _PLACE.sub(lambda found: f"{found[0]}: {_line(text, int(found[1]))}", told, count=1)


def _line(text: str, number: int) -> str:
    return source.lines(text, [number])[0][:200]


def read(tree: ast.Module) -> Library:
    """What a library is to the sources that import it."""
    names = {name for node in tree.body for name in _defined(node)}
    hooks = {name: frozenset(one.hooks) for name, one in source.classes(tree).items()}
    return Library(frozenset(names), hooks, _drawing(tree), source.networked(tree))


def _defined(node: ast.stmt) -> list[str]:
    return [node.name] if isinstance(node, ast.ClassDef) else source.defined(node)


def _drawing(tree: ast.Module) -> frozenset[str]:
    """The functions and methods that may draw, by themselves or through one another. By name:
    whose method a name is, the text does not say."""
    reads = {name: set(_reads(node)) for name, node in _functions(tree)}
    draws = set(source.dice_names(tree)) | {"random"}
    found: set[str] = set()
    while more := {name for name in reads.keys() - found if reads[name] & (draws | found)}:
        found |= more
    # What the host calls draws whenever a class inherits it, whatever the source says.
    return frozenset(found | ({source.ALWAYS} if found & {"__init__", *HOOKS} else set()))


def _functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            yield node.name, node


def _reads(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            yield part.id
        elif isinstance(part, ast.Attribute):
            yield part.attr
