"""Walks all that a bot can reach, and prints as JSON what it should not have reached.

Run by test_bot_walk.py as a program: ``python walker.py ROOT NETWORK WITHOUT``. WITHOUT names a
guard that is taken away first. Nothing here runs in the tests' own process: with a guard gone,
the walk goes through whatever it finds.

It starts from the globals of a real hook, which has imported every module that a bot may, and
goes on by what the language lets a bot do with an object: attributes, items, iteration, ``type``,
a call without arguments or with a function that keeps what it is given, the class of three
arguments, ``deepcopy`` with a memo, and texts that name attributes.
"""

from __future__ import annotations

import ast
import builtins
import copy
import functools
import io
import itertools
import json
import operator
import socket
import string
import sys
import types
import typing
import weakref
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, sys.argv[1])

from mcp_multiplayer.sandbox.call import HookCall, Limits
from mcp_multiplayer.sandbox.hostcalls.dice import Dice
from mcp_multiplayer.sandbox.language import builtins as vocabulary
from mcp_multiplayer.sandbox.language import fuel, guards, imports, modules, source, typehints
from mcp_multiplayer.sandbox.language.library import read as read_library
from mcp_multiplayer.sandbox.protocol import values, wire
from mcp_multiplayer.sandbox.worker import (
    compiler,
    context,
    files,
    hook,
    hostcall_client,
    network,
    normalize,
    stdio,
    web,
)
from mcp_multiplayer.sandbox.worker.clock import Clock
from mcp_multiplayer.transcript.drbg import Drbg

NETWORKED = sys.argv[2] == "network"
KEY = b"the key of a hook's dice is here"
#: Objects of one kind that are looked into: what one method of one class does, another does.
ALIKE = 6
#: The walk is cut here, which the test notices.
MOST = 60_000
#: An expression, as a key: whoever evaluates it, or compiles it, shows what came of it.
TEXT = "__import__('sys')"
#: Names that no object lists and bots try.
TRIED = (
    "__class__",
    "__dict__",
    "__globals__",
    "__builtins__",
    "__code__",
    "__closure__",
    "__self__",
    "__func__",
    "__wrapped__",
    "__module__",
    "__bases__",
    "__mro__",
    "__subclasses__",
    "__base__",
    "__init__",
    "__new__",
    "__call__",
    "__get__",
    "__reduce_ex__",
    "__traceback__",
    "__context__",
    "__getattribute__",
    "__loader__",
    "__spec__",
    "f_globals",
    "f_back",
    "f_locals",
    "tb_frame",
    "gi_frame",
    "gi_code",
    "func_globals",
    "format",
    "format_map",
    "obj",
    "mro",
    "register",
    "now",
    "today",
    "_draws",
    "_state",
    "_limits",
    "_file",
    "_of",
)
SHOWING = "{0.__dict__}"

SOURCE = """
class Text(str):
    def behind(self, *args):
        return super().format(*args)

class Holder:
    def __enter__(self):
        return self

    def __exit__(self, kind, error, tb):
        self.error, self.tb = error, tb
        return True

class Fault(AttributeError):
    def behind(self):
        return super().obj

def turns():
    yield 1

def ways():
    "The ways to a text that names attributes, each called with one object."
    text = Text("{0.__dict__}")
    yield "{0.__dict__}".format
    yield text.format
    yield text.behind
    yield lambda x: "{0[0].__dict__}".format([x])
    for owner in (str, Text):
        yield lambda x: owner.format("{0.__dict__}", x)
        yield lambda x: getattr(owner, "format")("{0.__dict__}", x)
        yield lambda x: list(map(owner.format, ["{0.__dict__}"], [x]))[0]
        yield lambda x: super(Text, text).format(x)
        yield lambda x: "{0.format}".format(owner)
    yield lambda x: getattr(text, "format_map")({"0": x})
    yield lambda x: functools.partial(str.format, "{0.__dict__}")(x)
    yield lambda x: weakref.proxy(text).format(x)
    yield lambda x: [x].sort(key="{0.__dict__}".format)

class Bot:
    def __init__(self, ctx, params):
        self.ctx, self.params = ctx, params

    def on_message(self, message):
        global HELD, WAYS
        with Holder() as zero:
            1 / 0
        with Holder() as missing:
            self.ctx.nothing
        with Holder() as fault:
            raise Fault("x")
        WAYS = list(ways())
        HELD = [self, message, zero, missing, fault, turns(), lambda: 0, self.ctx.now, super(),
                property(turns), Text("x"), typing.List["TEXT"], (x for x in [1]), memory.ref(zero)]
"""


def text() -> str:
    """A bot that imports all it may."""
    reach = (*imports.TABLE, *imports.PACKAGES)
    paths = [path for path in reach if NETWORKED or not source.reaches(path, source.NETWORK)]
    head = "".join(f"import {path}\n" for path in sorted(paths))
    head += "import referee\nimport weakref as memory\n"
    return f"{head}{SOURCE}".replace("TEXT", TEXT)


# --- what a bot may not reach --------------------------------------------------------------

WITHIN = (
    types.CodeType,
    types.FrameType,
    types.ModuleType,
    types.TracebackType,
    types.CellType,
    io.FileIO,
    string.Formatter,
    operator.attrgetter,
    operator.methodcaller,
    typing.ForwardRef,
    Drbg,
    Clock,
    fuel.Fuel,
    stdio.Stdio,
    modules.Modules,
)
MAKERS = (*WITHIN, types.FunctionType, types.MethodType, Kept := context.Context)
CLOSED = [
    getattr(builtins, name)
    for name in (
        "eval",
        "exec",
        "compile",
        "open",
        "input",
        "globals",
        "locals",
        "vars",
        "dir",
        "id",
        "breakpoint",
        "__import__",
        "getattr",
        "setattr",
        "delattr",
        "hasattr",
        "type",
        "help",
    )
    if hasattr(builtins, name)
]


def fault(value: Any) -> str:
    """Why a bot should not have this, or nothing."""
    return inner(value) or made(value) or known(value) or bound(value)


def inner(value: Any) -> str:
    """Objects of the interpreter and of the host."""
    kind = type(value)
    if issubclass(kind, WITHIN):
        return f"a {kind.__name__}"
    if issubclass(kind, io.IOBase) and isinstance(raw(value), io.FileIO):
        return "an open file"
    if kind is types.MappingProxyType and "__doc__" in value:
        return "the names of a class"
    if issubclass(kind, socket.socket) and value.fileno() == HOST.fileno():
        return "the socket to the host"
    return ""


def made(value: Any) -> str:
    """Classes that make such objects, and what compiles texts."""
    kind = type(value)
    if issubclass(kind, type) and (issubclass(value, type) or value in MAKERS):
        return f"the class {value.__name__}"
    if kind.__module__ == "typing" or (issubclass(kind, type) and value.__module__ == "typing"):
        return f"{value!r} of typing, which compiles texts"
    return ""


def known(value: Any) -> str:
    """Those that are known one by one."""
    if any(value is one for one in CLOSED):
        return f"the builtin {value.__name__}"
    if type(value) is dict and id(value) in NAMESPACES:
        return "the names of a module"
    return "the key of the dice" if type(value) is bytes and value == KEY else ""


def bound(value: Any) -> str:
    """Methods of classes that tell what only the machine knows, or change the class."""
    owner = value.__self__ if type(value) in BOUND else None
    if not isinstance(owner, type):
        return ""
    if of_metaclass(owner, value.__name__):
        return f"a method of the metaclass of {owner.__name__}"
    if owner.__module__ == "datetime" and (type(value), value.__name__) == (BOUND[1], "now"):
        return "the clock of the machine"
    return ""


def raw(value: Any) -> Any:
    value = getattr(value, "buffer", value)
    return getattr(value, "raw", value)


BOUND = (types.MethodType, types.BuiltinMethodType)
NAMESPACES: set[int] = set()
HOST, _ = socket.socketpair()


def of_metaclass(cls: type, name: str) -> bool:
    metaclass: Any = type(cls)
    mine = any(name in vars(kind) for kind in cls.__mro__)
    return not mine and any(name in vars(kind) for kind in metaclass.__mro__)


def alike(value: Any) -> object:
    """The same for objects that do the same."""
    kind = type(value)
    if kind in BOUND:
        owner = value.__self__
        of = owner if isinstance(owner, type | types.ModuleType) else type(owner)
        return kind, of, value.__name__
    if issubclass(kind, type) or kind in (types.FunctionType, guards.Kind):
        return id(value)
    return kind, getattr(value, "__name__", "") if kind in DESCRIBING else ""


DESCRIBING = (
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
    types.MethodWrapperType,
)


# --- the walk ------------------------------------------------------------------------------


class Walk:
    """Breadth first, so that what is found first has the shortest way."""

    def __init__(self, space: dict[str, Any]) -> None:
        self.space = space
        self.builtins: dict[str, Any] = space["__builtins__"]
        self.queue: deque[tuple[Any, str]] = deque()
        self.seen: dict[int, Any] = {}
        self.alike: Counter[object] = Counter()
        self.found: list[str] = []

    def reach(self, value: Any, path: str) -> None:
        """A bot has this in its hands."""
        if id(value) in self.seen or len(self.seen) > MOST or is_gone(value):
            return
        why = fault(value)
        if why:
            self.found.append(f"{why}: {path}")
            return
        kind = alike(value)
        self.alike[kind] += 1
        if self.alike[kind] > (10 * ALIKE if type(value) in (list, tuple, dict) else ALIKE):
            return
        self.seen[id(value)] = value
        self.queue.append((value, path))

    def go(self) -> None:
        while self.queue and not self.found:
            value, path = self.queue.popleft()
            for way in (self.attributes, self.items, self.calls, self.texts):
                for how, found in way(value):
                    self.reach(found, f"{path}{how}")

    def tried(self, how: str, act: Callable[[], Any]) -> Iterator[tuple[str, Any]]:
        try:
            yield how, act()
        except BaseException as error:  # noqa: BLE001 a bot would catch it, too
            yield f"{how} !", error

    def attributes(self, value: Any) -> Iterator[tuple[str, Any]]:
        get = self.space["_getattr_"]
        for name in names_of(value):
            yield from self.tried(f".{name}", functools.partial(get, value, name))
        yield from self.tried(".type", lambda: self.builtins["type"](value))

    def items(self, value: Any) -> Iterator[tuple[str, Any]]:
        get = self.space["_getitem_"]
        keys: list[Any] = [0, TEXT]
        if issubclass(type(value), Mapping):
            for _, kept in self.tried("", lambda: list(itertools.islice(value, 60))):
                keys += kept if isinstance(kept, list) else []
        elif isinstance(value, list | tuple):
            keys += range(1, min(len(value), 60))
        for key in keys:
            yield from self.tried(f"[{key!r}]", functools.partial(get, value, key))
        yield from self.tried("|", lambda: value | TEXT)
        yield from self.tried("%", lambda: f"%({TEXT})s" % value)
        if not isinstance(value, str | bytes):
            try:
                yield from ((" item", one) for one in itertools.islice(iter(value), 60))
            except BaseException:  # noqa: BLE001 what cannot be iterated over
                return

    def calls(self, value: Any) -> Iterator[tuple[str, Any]]:
        if callable(value):
            yield from self.tried("()", value)
            given: list[Any] = []
            yield from self.tried(
                "(f)", lambda: value(lambda *args, **more: given.extend([args, more]))
            )
            yield from ((".given", one) for one in given)
            if issubclass(type(value), type):
                yield from self.tried("(X, (), {})", lambda: value("X", (), {}))
        memo: dict[int, Any] = {}
        yield from self.tried(".deepcopy", lambda: deepcopy()(value, memo))
        yield from ((".memo", kept) for kept in list(memo.values()))

    def texts(self, value: Any) -> Iterator[tuple[str, Any]]:
        if not hasattr(value, "__dict__"):
            return
        for number, way in enumerate(self.space["WAYS"]):
            for _, said in self.tried("", functools.partial(way, value)):
                if isinstance(said, str):
                    self.found.append(f"its __dict__ through the text of way {number}")
        yield from ()


def is_gone(value: Any) -> bool:
    """True for a weak proxy of nothing."""
    try:
        return type(value) in weakref.ProxyTypes and not value.__class__
    except ReferenceError:
        return True


def names_of(value: Any) -> list[str]:
    """What an object has, and what else is worth trying."""
    if type(value).__name__ == "Module":  # a proxy of ours lists nothing
        return sorted({*NAMES, *TRIED})
    listed = type.__dir__(value) if issubclass(type(value), type) else object.__dir__(value)
    return sorted({*listed, *TRIED})


def deepcopy() -> Any:
    return MODULES[0]["copy"].deepcopy  # type: ignore[attr-defined]


NAMES: set[str] = set()
MODULES: list[modules.Modules] = []


# --- guards that are taken away ------------------------------------------------------------


def names_of_typing() -> dict[str, Any]:
    return {name: getattr(typing, name) for name in imports.names("typing")}


def bare(path: str, *names: Mapping[str, Any]) -> object:
    known: dict[str, Any] = {}
    for one in reversed(names):
        known |= one
    whole = vars(sys.modules[path]) if path in sys.modules else {}
    return type(path, (types.SimpleNamespace,), {})(**whole | known)


def real_type() -> None:
    guards.type_of = lambda obj: type(obj)
    vocabulary._GUARDED["type"] = guards.type_of


def given(name: str, value: Any) -> Callable[[], None]:
    return lambda: vocabulary._GUARDED.update({name: value})


def put(place: Any, name: str, value: Any) -> Callable[[], None]:
    return lambda: setattr(place, name, value)


REMOVED: dict[str, Callable[[], None]] = {
    "nothing": lambda: None,
    "what leaves is judged": put(guards, "hand_out", lambda value, name: value),
    "modules, frames and code are hidden": put(guards, "refuse_hidden", lambda value, name: value),
    "methods are judged": put(guards, "_method", lambda value, name: value),
    "unbound methods are judged": put(guards, "_REFUSED", ()),
    "special names are closed": put(guards, "_special", getattr),
    "classes are known or opaque": put(guards, "_is_known", lambda cls: True),
    "methods of metaclasses are closed": put(guards, "_of_metaclass", lambda cls, name: False),
    "type gives no class away": real_type,
    "getattr is guarded": given("getattr", getattr),
    "setattr is guarded": given("setattr", setattr),
    "hasattr is guarded": given("hasattr", hasattr),
    "open asks the host": put(files, "open_file", open),
    "modules are proxies": put(modules, "Module", bare),
    "deepcopy has no memo": put(modules, "deepcopy", copy.deepcopy),
    "typing is ours": put(typehints, "typing_names", names_of_typing),
}


# --- a hook --------------------------------------------------------------------------------


def no_host(*_: Any, **__: Any) -> Any:
    raise PermissionError("there is no host here")


def run() -> Walk:
    """Run the hook, and walk from what it had."""
    REMOVED[sys.argv[3]]()
    modules.preload()
    normalize.install()
    for place, name in (
        (hostcall_client, "ask"),
        (network, "demand"),
        (web, "ask"),
        (files, "ask"),
    ):
        setattr(place, name, no_host)
    spaces: list[dict[str, Any]] = []
    real = vocabulary.bot_globals

    def kept(made: modules.Modules, *rest: Any) -> dict[str, Any]:
        MODULES.append(made)
        spaces.append(real(made, *rest))
        return spaces[0]

    vars(hook)["bot_globals"] = kept
    message = {"id": 1, "sender": "alice", "kind": "user", "body": {"text": "x"}, "ts": "t"}
    call = HookCall(text(), "on_message", (message,), players=("alice",), key=KEY)
    library = (Path(sys.argv[1]) / "bots" / "referee.py").read_text()
    facts, code = compiler.compile_source(call.source, library)
    compiled = wire.compiled(values.text(facts).encode(), code)
    request = values.read(wire.hook_request(call, compiled, Limits()))
    _, handed = compiler.compile_library(library)  # as a verifier hands it
    told = hook.answer(request, code, Dice(KEY).take, handed)
    assert "finished" in told, told
    NAMESPACES.update(id(vars(module)) for module in list(sys.modules.values()))
    NAMESPACES.add(id(spaces[0]))
    NAMES.update(name for path in imports.TABLE for name in imports.names(path))
    NAMES.update(path.rpartition(".")[2] for path in imports.TABLE)
    NAMES.update(read_library(ast.parse(library)).names)
    walk = Walk(spaces[0])
    for name, value in {**walk.builtins, **spaces[0]}.items():
        if name.isidentifier() and not name.startswith("_"):
            walk.reach(value, name)
    walk.go()
    return walk


if __name__ == "__main__":
    sys.setrecursionlimit(3000)
    done = run()
    print(json.dumps({"reached": len(done.seen), "found": done.found}), file=sys.__stdout__)
