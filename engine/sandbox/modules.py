"""What ``import`` gives a referee: closed objects with listed names, never a module.

Changes when a listed name needs a stand-in of ours. Runs in the worker; the import
statements come from a stranger. They may not lead to a module object, by any
fallback of Python's own: a proxy has no ``__name__``, because ``from x import y``
would look it up in ``sys.modules`` (tests/attacks/test_bot_gadgets.py).
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from engine.sandbox import authorities, guards, libm, network, web
from engine.sandbox import clock as clocks
from engine.sandbox.chance import Chance, random_names, secrets_names, uuid_names
from engine.sandbox.clock import Clock, time_names
from engine.sandbox.imports import BASES, ITEMS, PACKAGES, SETTABLE, TABLE, is_allowed
from engine.sandbox.prints import Prints, system_names, traceback_names, warning_names
from engine.sandbox.source import NETWORK, reaches

#: Loaded once in the zygote: a worker can open no file any more.
PRELOAD = (
    "_strptime", "encodings.idna", "encodings.ascii", "encodings.latin_1", "encodings.utf_16",
    "encodings.utf_16_be", "encodings.utf_32", "encodings.utf_8_sig", "encodings.cp1252",
    "encodings.hex_codec",
    "encodings.punycode", "idna.core", "netrc", "stringprep", "unicodedata", "urllib3.contrib",
    "email.mime.text", "email.mime.multipart", "email.generator", "email.policy", "email.charset",
    "email.quoprimime", "email.base64mime", "http.cookiejar", "email.header",
    "email.contentmanager", "email._header_value_parser",
)  # fmt: skip
#: Come with the modules that reach the network, and are large.
_ALONG = ("certifi", "charset_normalizer", "idna")


def preload(*, networked: bool = True) -> None:
    """Import every listed module, and what they would import late; fill the guards' lists.

    Without ``networked`` those are left out that only a source needs which `source.networked`
    is true of; they take most of the time. May be called again with it.
    """
    for path in _wanted((*TABLE, *PRELOAD), networked):
        importlib.import_module(path)
    guards.open_bases.update(map(_find, _wanted(BASES, networked)))
    guards.item_types.update(map(_find, _wanted(ITEMS, networked)))
    for path in _wanted(SETTABLE, networked):
        guards.settable[_find(path)] = frozenset(SETTABLE[path].split())
    if networked:
        network.install()
        web.install()
    for path in _wanted((*TABLE, *PACKAGES), networked):
        _listed(path)
        _children(path)


def _wanted(paths: Iterable[str], networked: bool) -> list[str]:
    return [path for path in paths if networked or not reaches(path, (*NETWORK, *_ALONG))]


def _find(path: str) -> type:
    module, _, name = path.rpartition(".")
    found: type = getattr(importlib.import_module(module), name)
    return found


def proxy(path: str, names: Mapping[str, Any]) -> object:
    """An object with exactly these attributes, which nothing can change."""
    known = dict(names)

    class Module:
        __slots__ = ()

        def __getattribute__(self, name: str) -> Any:
            if type(name) is str and name in known:
                return known[name]
            raise AttributeError(f"module '{path}' has no attribute {str(name)!r} for bots")

        def __setattr__(self, name: str, value: Any) -> None:
            raise AttributeError(f"module '{path}' is read-only")

        def __delattr__(self, name: str) -> None:
            raise AttributeError(f"module '{path}' is read-only")

        def __repr__(self) -> str:
            return f"<module '{path}' for bots>"

    return Module()


def wraps(wrapped: Any, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
    """``functools.wraps`` that copies the name and the docstring, and no code."""

    def decorate(wrapper: Any) -> Any:
        if type(wrapper) is types.FunctionType and type(wrapped) is types.FunctionType:
            wrapper.__name__, wrapper.__doc__ = wrapped.__name__, wrapped.__doc__
        return wrapper

    return decorate


def hashlib_names() -> dict[str, Any]:
    """What of ``hashlib`` depends on how OpenSSL was built."""

    def new(name: str, data: Any = b"", *, usedforsecurity: bool = True) -> Any:
        if name.lower() not in hashlib.algorithms_guaranteed:
            raise ValueError(f"unsupported hash type {name}")
        return hashlib.new(name, data, usedforsecurity=usedforsecurity)

    known = frozenset(hashlib.algorithms_guaranteed)
    return {"algorithms_available": known, "algorithms_guaranteed": known, "new": new}


class Modules:
    """Every importable path with its proxy, for one hook, each made when it is first asked for."""

    def __init__(
        self, chance: Chance, clock: Clock, prints: Prints, networked: Callable[[], bool]
    ) -> None:
        """``networked``: does the source import what reaches the network? Only then it may."""
        self._networked = networked
        self._made: dict[str, object] = {}
        self._own: dict[str, Callable[[], dict[str, Any]]] = {
            "certifi": lambda: {"contents": authorities.usual, "where": lambda: "cacert.pem"},
            "datetime": lambda: {"date": clocks.date, "datetime": clocks.datetime},
            "functools": lambda: {"wraps": wraps},
            "hashlib": hashlib_names,
            "math": libm.math_names,
            "random": lambda: random_names(chance),
            "secrets": lambda: secrets_names(chance),
            "sys": lambda: system_names(prints),
            "time": lambda: time_names(clock),
            "traceback": lambda: traceback_names(prints),
            "urllib.request": lambda: {"urlopen": web.urlopen},
            "uuid": lambda: uuid_names(chance),
            "warnings": lambda: warning_names(prints),
        }

    def __getitem__(self, path: str) -> object:
        if path not in self._made:
            names = dict(_listed(path))
            if path in self._own:
                names |= self._own[path]()
            names |= {child.rpartition(".")[2]: self[child] for child in self._inside(path)}
            self._made[path] = proxy(path, names)
        return self._made[path]

    def _inside(self, path: str) -> list[str]:
        """The modules below one; http.client comes with http only where it was asked for."""
        return [
            child for child in _children(path) if not reaches(child, NETWORK) or self._networked()
        ]


@functools.cache
def _children(path: str) -> tuple[str, ...]:
    return tuple(p for p in (*TABLE, *PACKAGES) if p.rpartition(".")[0] == path)


@functools.cache
def _listed(path: str) -> dict[str, Any]:
    module = importlib.import_module(path)
    wanted = TABLE.get(path, "").split()
    names = {name: getattr(module, name) for name in wanted if hasattr(module, name)}
    for name, value in names.items():
        guards.refuse_hidden(value, f"{path}.{name}")
    return names


def importer(modules: Modules) -> Callable[..., object]:
    """The ``__import__`` of a bot."""

    def __import__(
        name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
    ) -> object:
        if level or type(name) is not str or not is_allowed(name):
            raise ImportError(f"Import of '{name}' is not allowed")
        return modules[name if fromlist else name.partition(".")[0]]

    return __import__
