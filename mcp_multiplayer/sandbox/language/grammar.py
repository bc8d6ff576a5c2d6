"""Which Python a referee may be written in.

Runs in the worker. On the other side is a stranger's source text; compiled, it may
reach no object but through the guards of `sandbox/language/guards.py`. A courtesy to
authors and a first fence, never the wall: the process and its jail hold when this is lost.
Tried by tests/attacks/test_bot_gadgets.py.

RestrictedPython 9 refuses ordinary things (``self.n += 1``, ``__str__``, ``match``)
that are given back here, each rewritten so that it passes a guard. Put in besides: the
ticks of `sandbox/language/fuel.py`.
"""

from __future__ import annotations

import ast
import types
from typing import Any

from RestrictedPython.transformer import (
    INSPECT_ATTRIBUTES,
    IOPERATOR_TO_STR,
    RestrictingNodeTransformer,
    copy_locations,
)

from mcp_multiplayer.sandbox.language.imports import LIBRARY, is_allowed, refused, words

#: The file name of a bot's source in code objects; tracebacks are cut to its lines.
FILENAME = "<bot>"
LIBRARY_FILENAME = f"<{LIBRARY}>"
_APART = f"Write `import {LIBRARY}` or `from {LIBRARY} import …` at the beginning of a line"

_OPERATORS = words("add sub mul truediv floordiv mod pow matmul and or xor lshift rshift")
_BINARY = {f"__{side}{name}__" for name in _OPERATORS for side in ("", "r", "i")}
#: Special methods a class may define, and reach through super(). None of them lets
#: an object decide how a guard sees it (no __getattr__, __class__, __reduce__ ...).
METHODS = frozenset(_BINARY) | words(
    "__init__ __str__ __repr__ __len__ __bool__ __hash__ __eq__ __ne__ __lt__ __le__ __gt__ __ge__"
    " __iter__ __next__ __reversed__ __contains__ __getitem__ __setitem__ __delitem__ __call__"
    " __enter__ __exit__ __neg__ __pos__ __abs__ __invert__ __int__ __float__ __index__ __round__"
    " __format__"
)
#: Special names that may be read besides; guards.py answers them itself.
READABLE = METHODS | {"__name__", "__class__", "__doc__"}
#: Attributes that are refused wherever they stand, whatever object has them.
DENIED = INSPECT_ATTRIBUTES | words(
    "mro format_map keylog_filename load_cert_chain load_dh_params load_verify_locations"
    " sslobj_class sslsocket_class"
)
#: Builtins authors reach for that do not exist here: said at attach, not in the game.
ABSENT = words("compile globals locals vars dir breakpoint input memoryview delattr help")
_CAPTURING = words("bool bytes dict float frozenset int list set str tuple")


class Rejected(Exception):
    """The source breaks the language; ``found`` lists (line, reason)."""

    def __init__(self, found: list[tuple[int | None, str]]) -> None:
        self.found = sorted(found, key=lambda item: item[0] or 0)
        super().__init__(self.text)

    @property
    def line(self) -> int | None:
        """The first offending line."""
        return self.found[0][0]

    @property
    def text(self) -> str:
        """The first few reasons, each with its line."""
        shown = [f"Line {line}: {why[:600]}" if line else why for line, why in self.found[:4]]
        more = len(self.found) - len(shown)
        return "; ".join(shown) + (f"; and {more} more" if more else "")


def parse(source: str) -> ast.Module:
    """The tree of a source; SyntaxError or Rejected when there is none."""
    before, nul, _ = source.partition("\0")
    if nul:  # Python refuses it too, and does not say where
        raise Rejected([(before.count("\n") + 1, "The source holds a NUL character")])
    try:
        return ast.parse(source, FILENAME)
    except (RecursionError, MemoryError):
        raise Rejected([(None, "The source is nested too deep")]) from None
    except ValueError as error:
        raise Rejected([(None, str(error))]) from None


def restrict(tree: ast.Module, filename: str = FILENAME) -> types.CodeType:
    """The code object of a tree, every access rewritten to pass a guard; or Rejected. The tree is
    not to be used afterwards."""
    transformer = Transformer(_bound(tree))
    try:
        transformer.visit(tree)
        if transformer.found:
            raise Rejected(transformer.found)
        code: types.CodeType = compile(
            ast.fix_missing_locations(tree), filename, "exec", dont_inherit=True
        )
        return code
    except RecursionError:
        raise Rejected([(None, "The source is nested too deep")]) from None


def _bound(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.alias):
            names.add(node.asname or node.name)
    return names


class Transformer(RestrictingNodeTransformer):
    """RestrictedPython's policy with the ordinary rest of the language given back."""

    def __init__(self, bound: set[str]) -> None:
        super().__init__()
        self.found: list[tuple[int | None, str]] = []
        self.bound = bound

    def error(self, node: ast.AST, info: str) -> None:
        self.found.append((getattr(node, "lineno", None), info.rstrip(".")))

    # Names

    def check_name(self, node: Any, name: str | None, allow_magic_methods: bool = False) -> None:
        if name is None or name == "_" or name == "print":
            return
        if allow_magic_methods and name in METHODS and node.col_offset:
            return
        super().check_name(node, name)

    def visit_Name(self, node: ast.Name) -> Any:
        if isinstance(node.ctx, ast.Load):
            if node.id == "__name__":
                return ast.copy_location(ast.Constant("bot"), node)
            if node.id in ABSENT and node.id not in self.bound:
                self.error(node, f"'{node.id}' is not available to bots")
        self.check_name(node, node.id)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        if node.attr in DENIED:
            self.error(node, f'"{node.attr}" is a restricted name')
            return node
        if node.attr in READABLE and isinstance(node.ctx, ast.Load):
            read = _call("_getattr_", self.visit(node.value), ast.Constant(node.attr))
            copy_locations(read, node)
            return read
        return super().visit_Attribute(node)

    def visit_Global(self, node: ast.Global) -> Any:
        for name in node.names:
            self.check_name(node, name)
        return node

    def visit_Nonlocal(self, node: ast.Nonlocal) -> Any:
        for name in node.names:
            self.check_name(node, name)
        return node

    # Imports

    def visit_Import(self, node: ast.Import) -> Any:
        for place, alias in enumerate(node.names):
            if alias.name == LIBRARY and (place or node.col_offset):
                self.error(node, _APART)
            elif alias.name != LIBRARY and not is_allowed(alias.name):
                self.error(node, refused(alias.name))
        return super().visit_Import(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> Any:
        if node.module == "__future__":
            return None
        if node.level:
            self.error(node, "Relative imports are not allowed")
        elif node.module == LIBRARY:
            if node.col_offset:
                self.error(node, _APART)
        elif not is_allowed(node.module or ""):
            self.error(node, refused(node.module or ""))
        return super().visit_ImportFrom(node)

    # Functions and classes: annotations are dropped, which also closes the ways
    # in which libraries evaluate string annotations

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        node.returns = None
        made: Any = super().visit_FunctionDef(node)
        described = ast.get_docstring(made, clean=False) is not None
        made.body.insert(int(described), _statement("_tick_", node))
        return made

    def visit_Lambda(self, node: ast.Lambda) -> Any:
        made: Any = super().visit_Lambda(node)
        made.body = ast.BoolOp(ast.And(), [_call("_tick_"), made.body])
        copy_locations(made.body, node)
        return made

    def visit_arg(self, node: ast.arg) -> Any:
        node.annotation = None
        return node

    def visit_Await(self, node: ast.Await) -> Any:
        self.error(node, "Await statements are not allowed: hooks are plain functions")
        return node  # a hole in its place would be another error, of ours

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.error(node, "AsyncFunctionDef statements are not allowed: hooks are plain functions")

    def visit_ClassDef(self, node: ast.ClassDef) -> Any:
        for keyword in node.keywords:
            self.error(node, f'The keyword argument "{keyword.arg}" is not allowed')
        node.keywords = []
        made: Any = super().visit_ClassDef(node)
        copy_locations(made, node)
        return made

    # Loops and handlers: a tick for each turn. Nothing else is done about iteration, so
    # targets are unpacked by Python itself and not by RestrictedPython's functions

    def guard_iter(self, node: Any) -> Any:
        node = self.node_contents_visit(node)
        turns = _call("_getiter_", node.iter)
        copy_locations(turns, node.iter)
        node.iter = turns
        return node

    def visit_While(self, node: ast.While) -> Any:
        made = self.node_contents_visit(node)
        made.body.insert(0, _statement("_tick_", node))
        return made

    def visit_With(self, node: ast.With) -> Any:
        """Whatever ends the body is looked at before an ``__exit__`` can hide it."""
        first, *others = node.items
        if others:  # so that it is looked at between one and the next
            node.items = [first]
            inner = ast.With(items=others, body=node.body)
            copy_locations(inner, node)
            node.body = [inner]
        made: Any = self.node_contents_visit(node)
        looked = ast.Try(
            body=made.body, handlers=[], orelse=[], finalbody=[_statement("_caught_", node)]
        )
        copy_locations(looked, node)
        made.body = [looked]
        return made

    def visit_Try(self, node: ast.Try) -> Any:
        """``finally: return`` hides an error, too."""
        made: Any = super().visit_Try(node)
        if made.finalbody:
            made.finalbody.insert(0, _statement("_caught_", made.finalbody[0]))
        return made

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> Any:
        made: Any = super().visit_ExceptHandler(node)
        made.body.insert(0, _statement("_caught_", node))
        return made

    # Operators

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        made: Any = self.node_contents_visit(node)
        if isinstance(node.op, ast.Pow):
            made = _call("_pow_", node.left, node.right)
            copy_locations(made, node)
        return made

    # Assignments

    def visit_Assign(self, node: ast.Assign) -> Any:
        return self.node_contents_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        if node.value is None:
            return ast.copy_location(ast.Pass(), node)
        plain = ast.Assign(targets=[node.target], value=node.value)
        copy_locations(plain, node)
        return self.visit(plain)

    def visit_AugAssign(self, node: ast.AugAssign) -> Any:
        """``a.b += c`` becomes one guarded call, so that ``a`` is evaluated once."""
        target = node.target
        if isinstance(target, ast.Name):
            return super().visit_AugAssign(node)
        operator = ast.Constant(IOPERATOR_TO_STR[type(node.op)])
        if isinstance(target, ast.Attribute):
            if target.attr.startswith("_") or target.attr in DENIED:
                self.error(node, f'"{target.attr}" is an invalid attribute name')
            where: list[ast.expr] = [self.visit(target.value), ast.Constant(target.attr)]
            guard = "_aug_attr_"
        else:
            where = [self.visit(target.value), self.visit(target.slice)]
            guard = "_aug_item_"
        if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Slice):
            self.error(node, "Augmented assignment of slices is not allowed")
        statement = ast.Expr(_call(guard, *where, operator, self.visit(node.value)))
        copy_locations(statement, node)
        return statement

    # Pattern matching: what reads attributes of the subject behind the guard's back is refused

    def visit_Match(self, node: Any) -> Any:
        return self.node_contents_visit(node)

    visit_match_case = visit_MatchOr = visit_MatchSequence = visit_MatchSingleton = visit_Match

    def visit_MatchValue(self, node: ast.MatchValue) -> Any:
        if any(isinstance(part, ast.Attribute | ast.Name) for part in ast.walk(node.value)):
            self.error(node, "Dotted names in patterns are not allowed; compare with if")
        return node

    def visit_MatchMapping(self, node: ast.MatchMapping) -> Any:
        self.check_name(node, node.rest)
        for key in node.keys:
            if not isinstance(key, ast.Constant):
                self.error(node, "Keys in patterns must be constants")
        node.patterns = [self.visit(pattern) for pattern in node.patterns]
        return node

    def visit_MatchStar(self, node: ast.MatchStar) -> Any:
        self.check_name(node, node.name)
        return node

    def visit_MatchAs(self, node: ast.MatchAs) -> Any:
        self.check_name(node, node.name)
        return self.node_contents_visit(node)

    def visit_MatchClass(self, node: ast.MatchClass) -> Any:
        """``case str(x)`` is rewritten to ``case str() as x``; nothing else reads no attribute."""
        name = node.cls.id if isinstance(node.cls, ast.Name) else None
        inner = node.patterns[0] if len(node.patterns) == 1 else None
        simple = inner is None or (isinstance(inner, ast.MatchAs) and inner.pattern is None)
        if name is None or node.kwd_patterns or len(node.patterns) > 1 or not simple:
            self.error(node, "Class patterns with fields are not allowed; use if and isinstance")
            return node
        self.check_name(node, name)
        if not isinstance(inner, ast.MatchAs):
            return node
        if name not in _CAPTURING:
            self.error(node, "Class patterns with fields are not allowed; use if and isinstance")
        node.patterns = []
        if inner.name is None:
            return node
        self.check_name(node, inner.name)
        made = ast.MatchAs(pattern=node, name=inner.name)
        return ast.copy_location(made, node)


def _call(name: str, *args: ast.expr) -> ast.Call:
    return ast.Call(func=ast.Name(name, ast.Load()), args=list(args), keywords=[])


def _statement(name: str, place: ast.stmt | ast.excepthandler) -> ast.Expr:
    made = ast.Expr(_call(name))
    copy_locations(made, place)
    return made
