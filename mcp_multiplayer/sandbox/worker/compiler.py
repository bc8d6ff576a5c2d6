"""What a source is, and what its hooks are handed: read and compiled once, for all of them.

Runs in a worker that runs nothing else. On the other side is a stranger's text: even parsing it
may exhaust memory or the stack. `sandbox/protocol/wire.py` gives the answer its types.
"""

from __future__ import annotations

import ast
import marshal
import types
from typing import Any

from mcp_multiplayer.sandbox.call import MOST_CODE, MOST_MANIFEST
from mcp_multiplayer.sandbox.language import grammar, library, mistakes, source
from mcp_multiplayer.sandbox.protocol.values import plain, size
from mcp_multiplayer.sandbox.worker import normalize

#: What is known of a contract in plain words.
_TEXT: dict[str, Any] = {
    "hooks": [],
    "class_name": None,
    "manifest": None,
    "network": False,
    "dice": False,
}
_LONGEST = 8000


def compile_source(text: str, library_text: str = "") -> tuple[dict[str, Any], bytes]:
    """The facts of `call.Compiled`, as JSON, and the code."""
    with normalize.same_depth():
        return _answer(text, library_text)


def compile_library(text: str) -> tuple[dict[str, Any], bytes]:
    """The same of the text that sources import as `referee`. Its lines are not the author's, so its
    code has a file name of its own."""
    with normalize.same_depth():
        try:
            tree = grammar.parse(text)
            if (line := source.imports_library(tree)) is not None:
                raise grammar.Rejected([(line, "The library imports itself")])
            report = source.report(tree) | {"manifest": None}
            code = marshal.dumps(grammar.restrict(tree, grammar.LIBRARY_FILENAME))
            if len(code) > MOST_CODE:
                raise ValueError(f"The library compiles to more than {MOST_CODE >> 20} MB")
        except (SyntaxError, grammar.Rejected, ValueError, RecursionError) as error:
            return _rejected(error), b""
        return {"report": report}, b"" if report["class_name"] is None else code


def _library(tree: ast.Module, text: str) -> source.Library | None:
    """What a source imports as `referee`, if it does; or `grammar.Rejected`."""
    line = source.imports_library(tree)
    if line is None:
        return None
    if not text:
        raise grammar.Rejected([(line, "There is no library `referee` here")])
    try:
        return library.read(grammar.parse(text))
    except (SyntaxError, grammar.Rejected) as error:
        raise grammar.Rejected([(line, f"The library `referee` cannot be read: {error}")]) from None


def _answer(text: str, library_text: str) -> tuple[dict[str, Any], bytes]:
    try:
        tree = grammar.parse(text)
    except (SyntaxError, grammar.Rejected) as error:
        told = _rejected(error) if source.looks_like_code(text) else {"report": _TEXT}
        return told, b""
    try:
        handed = _library(tree, library_text)
        report = source.report(tree, handed)
        report["manifest"] = plain(report["manifest"], "MANIFEST")
        if size(report["manifest"]) > MOST_MANIFEST:
            raise ValueError(f"MANIFEST is larger than {MOST_MANIFEST >> 10} KB")
        found = mistakes.find(tree, handed)  # first: what follows changes the tree
        code = marshal.dumps(_restricted(tree, found))
        if len(code) > MOST_CODE:
            raise ValueError(f"The source compiles to more than {MOST_CODE >> 20} MB")
    except (SyntaxError, grammar.Rejected, ValueError, RecursionError) as error:
        return _rejected(error), b""
    told = {"report": report} | (_rejected(grammar.Rejected(found)) if found else {})
    return told, b"" if report["class_name"] is None else code


def _restricted(tree: ast.Module, found: list[mistakes.Found]) -> types.CodeType:
    """The code, or `grammar.Rejected` with all that can be said at once."""
    try:
        return grammar.restrict(tree)
    except grammar.Rejected as error:
        raise grammar.Rejected([*error.found, *found]) from None


def _rejected(error: Exception) -> dict[str, Any]:
    if isinstance(error, SyntaxError):
        line, why = error.lineno, f"Line {error.lineno}: {error.msg}"
    else:
        line, why = getattr(error, "line", None), str(error)
    return {"rejected": why[:_LONGEST].encode("utf-8", "replace").decode(), "line": line}
