"""What a source is, and what its hooks are handed: read and compiled once, for all of them.

Runs in a worker that runs nothing else. On the other side is a stranger's text: even parsing it
may exhaust memory or the stack. `sandbox/wire.py` gives the answer its types.
"""

from __future__ import annotations

import ast
import base64
import marshal
import types
from typing import Any

from mcp_multiplayer.sandbox import language, mistakes, normalize, source
from mcp_multiplayer.sandbox.call import MOST_CODE
from mcp_multiplayer.sandbox.values import plain

#: What is known of a contract in plain words.
_TEXT: dict[str, Any] = {
    "hooks": [],
    "class_name": None,
    "manifest": None,
    "network": False,
    "dice": False,
}
_LONGEST = 8000


def compile_source(text: str) -> dict[str, Any]:
    """The facts of `call.Compiled`, as JSON."""
    with normalize.same_depth():
        return _answer(text)


def _answer(text: str) -> dict[str, Any]:
    try:
        tree = language.parse(text)
    except (SyntaxError, language.Rejected) as error:
        return _rejected(error) if source.looks_like_code(text) else {"report": _TEXT}
    try:
        report = source.report(tree)
        report["manifest"] = plain(report["manifest"], "MANIFEST")
        found = mistakes.find(tree)  # first: what follows changes the tree
        code = marshal.dumps(_restricted(tree, found))
        if len(code) > MOST_CODE:
            raise ValueError(f"The source compiles to more than {MOST_CODE >> 20} MB")
    except (SyntaxError, language.Rejected, ValueError, RecursionError) as error:
        return _rejected(error)
    if report["class_name"] is None:
        return {"report": report}
    told = {"report": report, "code": base64.b64encode(code).decode()}
    return told | (_rejected(language.Rejected(found)) if found else {})


def _restricted(tree: ast.Module, found: list[mistakes.Found]) -> types.CodeType:
    """The code, or `language.Rejected` with all that can be said at once."""
    try:
        return language.restrict(tree)
    except language.Rejected as error:
        raise language.Rejected([*error.found, *found]) from None


def _rejected(error: Exception) -> dict[str, Any]:
    if isinstance(error, SyntaxError):
        line, why = error.lineno, f"Line {error.lineno}: {error.msg}"
    else:
        line, why = getattr(error, "line", None), str(error)
    return {"rejected": why[:_LONGEST].encode("utf-8", "replace").decode(), "line": line}
