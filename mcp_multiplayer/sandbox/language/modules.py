"""What ``import`` gives a referee: closed objects with listed names, never a module. Runs in the
worker; the import statements come from a stranger. They may not lead to a module object, by any
fallback of Python's own: a `Module` has no ``__name__``, because ``from x import y`` would look it
up in ``sys.modules`` (tests/attacks/test_bot_gadgets.py).
"""

from __future__ import annotations

import collections
import copy
import functools
import hashlib
import hmac
import importlib
import types
from collections.abc import Callable, Mapping
from typing import Any

from mcp_multiplayer.sandbox.hostcalls import certificates
from mcp_multiplayer.sandbox.language import guards, imports, libm, typehints
from mcp_multiplayer.sandbox.language.imports import (
    BASES,
    ITEMS,
    PACKAGES,
    SETTABLE,
    TABLE,
    children,
)
from mcp_multiplayer.sandbox.language.source import NETWORK, reaches
from mcp_multiplayer.sandbox.worker import clock as clocks
from mcp_multiplayer.sandbox.worker import network, web
from mcp_multiplayer.sandbox.worker.clock import Clock, time_names
from mcp_multiplayer.sandbox.worker.rng import Rng, random_names, secrets_names, uuid_names
from mcp_multiplayer.sandbox.worker.stdio import Stdio, system_names, traceback_names, warning_names

#: Loaded once in the zygote: a worker can open no file any more.
PRELOAD = (
    "_strptime",
    "idna.core",
    "netrc",
    "stringprep",
    "unicodedata",
    "urllib3.contrib",
    "email.mime.text",
    "email.mime.multipart",
    "email.generator",
    "email.policy",
    "email.charset",
    "email.quoprimime",
    "email.base64mime",
    "http.cookiejar",
    "email.header",
    "email.contentmanager",
    "email._header_value_parser",
)


def preload() -> None:
    """Import every listed module, and what they would import late; fill the guards' lists."""
    for path in (*TABLE, *PRELOAD):
        importlib.import_module(path)
    guards.open_bases.update(map(_find, BASES), (typehints.Generic,))
    guards.item_types.update(map(_find, ITEMS))
    for path in SETTABLE:
        guards.settable[_find(path)] = frozenset(SETTABLE[path].split())
    network.install()
    web.install()
    for path in (*TABLE, *PACKAGES):
        _listed(path)
        children(path)


def _find(path: str) -> type:
    module, _, name = path.rpartition(".")
    found: type = getattr(importlib.import_module(module), name)
    return found


class Module:
    """An object with exactly the names of some mappings, the first before the others, which nothing
    can change. The mappings are looked into, not copied: a copy writes to each of their values,
    and in a worker every page that is written to has its price."""

    __slots__ = ("_names", "_path")

    def __init__(self, path: str, *names: Mapping[str, Any]) -> None:
        _set_path(self, path)
        _set_names(self, names)

    def __getattribute__(self, name: str) -> Any:
        if type(name) is str:
            for names in _names_of(self):
                if name in names:
                    return names[name]
        if name == "__class__":  # asked by isinstance; bots get it from guards.type_of
            return Module
        raise AttributeError(imports.lacking(_path_of(self), str(name)))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"module '{_path_of(self)}' is read-only")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"module '{_path_of(self)}' is read-only")

    def __repr__(self) -> str:
        return f"<module '{_path_of(self)}' for bots>"


_places: Any = vars(Module)
_path_of, _set_path = _places["_path"].__get__, _places["_path"].__set__
_names_of, _set_names = _places["_names"].__get__, _places["_names"].__set__


def deepcopy(x: Any) -> Any:
    """``copy.deepcopy`` without ``memo``, which would be filled with every object that is found
    on the way, and so show what no guard would hand out."""
    return copy.deepcopy(x)


def namedtuple(
    typename: str, field_names: Any, *, rename: bool = False, defaults: Any = None
) -> type:
    """``collections.namedtuple``, whose class a bot may have back from ``type(x)``."""
    make: Any = collections.namedtuple
    made: type = make(typename, field_names, rename=rename, defaults=defaults)
    guards.lend([made])
    return made


def wraps(wrapped: Any, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
    """``functools.wraps`` that copies the name and the docstring, and no code."""

    def decorate(wrapper: Any) -> Any:
        if type(wrapper) is types.FunctionType and type(wrapped) is types.FunctionType:
            wrapper.__name__, wrapper.__doc__ = wrapped.__name__, wrapped.__doc__
        return wrapper

    return decorate


def _guaranteed(make: Callable[..., Any], name: str, place: int) -> Callable[..., Any]:
    """As this function, but of the digests that every build and configuration of OpenSSL has;
    the digest's name is its argument of this name, or at this place."""

    def made(*args: Any, **kwargs: Any) -> Any:
        digest = args[place] if len(args) > place else kwargs.get(name)
        if isinstance(digest, str) and str.lower(digest) not in hashlib.algorithms_guaranteed:
            raise ValueError(f"unsupported hash type {digest}")
        return make(*args, **kwargs)

    return made


def hashlib_names() -> dict[str, Any]:
    """What of ``hashlib`` depends on how OpenSSL was built."""
    known = frozenset(hashlib.algorithms_guaranteed)
    return {
        "algorithms_available": known,
        "algorithms_guaranteed": known,
        "new": _guaranteed(hashlib.new, "name", 0),
        "pbkdf2_hmac": _guaranteed(hashlib.pbkdf2_hmac, "hash_name", 0),
    }


def hmac_names() -> dict[str, Any]:
    """What of ``hmac`` does."""
    new = _guaranteed(hmac.new, "digestmod", 2)
    return {"digest": _guaranteed(hmac.digest, "digest", 2), "new": new, "HMAC": new}


class Modules:
    """Every importable path with its `Module`, for one hook, made when it is first asked for."""

    def __init__(self, chance: Rng, clock: Clock, prints: Stdio, *, networked: bool) -> None:
        """``networked``: does the source import what reaches the network? Only then it may."""
        self._networked = networked
        self._made: dict[str, object] = {}
        #: Not made beforehand, though the same for all hooks: else every fork would have them in
        #: the same places, and a set of them one order, which another machine does not have.
        self._own: dict[str, Callable[[], dict[str, Any]]] = {
            "certifi": lambda: {"contents": certificates.usual, "where": lambda: "cacert.pem"},
            "hashlib": hashlib_names,
            "hmac": hmac_names,
            "math": libm.math_names,
            "random": lambda: random_names(chance),
            "secrets": lambda: secrets_names(chance),
            "sys": lambda: system_names(prints),
            "time": lambda: time_names(clock),
            "traceback": lambda: traceback_names(prints),
            "typing": typehints.typing_names,
            "uuid": lambda: uuid_names(chance),
            "warnings": lambda: warning_names(prints),
        }

    def __getitem__(self, path: str) -> object:
        if path not in self._made:
            own = self.own(path)
            guards.lend(own.values())
            inside = {child.rpartition(".")[2]: self[child] for child in self._inside(path)}
            self._made[path] = Module(path, inside, own, _listed(path))
        return self._made[path]

    def give(self, path: str, names: dict[str, Any]) -> None:
        """Let a text of this hook be imported: what it defines, and not what it has imported."""
        defined = {name: value for name, value in names.items() if type(value) is not Module}
        self._made[path] = Module(path, defined)

    def __contains__(self, path: str) -> bool:
        return path in self._made or imports.is_allowed(path)

    def own(self, path: str) -> dict[str, Any]:
        """What in a module is made for this hook."""
        return self._own[path]() if path in self._own else {}

    def _inside(self, path: str) -> list[str]:
        """The modules below one; http.client comes with http only where it was asked for."""
        return [child for child in children(path) if not reaches(child, NETWORK) or self._networked]


_STAND_INS: dict[str, Callable[[], dict[str, Any]]] = {
    "collections": lambda: {"namedtuple": namedtuple},
    "copy": lambda: {"deepcopy": deepcopy},
    "datetime": lambda: {"date": clocks.date, "datetime": clocks.datetime},
    "functools": lambda: {"wraps": wraps},
    "urllib.request": lambda: {"urlopen": web.urlopen},
}


@functools.cache
def stand_ins(path: str) -> dict[str, Any]:
    """What of a module is this package's, whatever the hook."""
    return _STAND_INS[path]() if path in _STAND_INS else {}


@functools.cache
def _listed(path: str) -> dict[str, Any]:
    """What a bot gets of a module, but for what is its hook's own."""
    module = importlib.import_module(path)
    wanted = TABLE.get(path, "").split()
    names = {name: getattr(module, name) for name in wanted if hasattr(module, name)}
    names |= stand_ins(path)
    guards.know(names.values())
    for name, value in names.items():
        guards.refuse_hidden(value, f"{path}.{name}")
    return names


def importer(modules: Modules) -> Callable[..., object]:
    """The ``__import__`` of a bot."""

    def __import__(
        name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
    ) -> object:
        if level or type(name) is not str or name not in modules:
            raise ImportError(imports.refused(str(name)))
        return modules[name if fromlist else name.partition(".")[0]]

    return __import__
