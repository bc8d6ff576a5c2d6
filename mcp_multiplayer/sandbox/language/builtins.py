"""The builtins of a referee's language.

Given one by one: what is not listed does not exist. Never eval, exec, compile, globals, vars, dir
or the real __import__ or open; getattr and setattr are the guarded ones, and id counts.
"""

from __future__ import annotations

import builtins
import functools
from typing import Any

from mcp_multiplayer.sandbox.language import guards, identity
from mcp_multiplayer.sandbox.language.fuel import Fuel
from mcp_multiplayer.sandbox.language.imports import words
from mcp_multiplayer.sandbox.language.libm import power
from mcp_multiplayer.sandbox.language.modules import Modules, importer
from mcp_multiplayer.sandbox.worker import files
from mcp_multiplayer.sandbox.worker.stdio import Stdio

_PLAIN = words(
    "abs all any ascii bin bool bytearray bytes callable chr classmethod complex dict divmod"
    " enumerate filter float format frozenset hex int isinstance issubclass iter len list map"
    " max min next object oct ord property range repr reversed round set slice sorted"
    " staticmethod str sum super tuple zip Ellipsis False None NotImplemented True __build_class__"
)
_EXCEPTIONS = [
    name
    for name, value in vars(builtins).items()
    if isinstance(value, type)
    and issubclass(value, BaseException)
    and not issubclass(value, BaseExceptionGroup)
]
_GUARDED = {
    "getattr": guards.guarded_getattr,
    "hasattr": guards.has_attribute,
    "hash": guards.hash_of,
    "id": identity.number_of,
    "pow": power,
    "setattr": guards.set_attribute,
    "type": guards.type_of,
}


@functools.cache
def _vocabulary() -> dict[str, Any]:
    """The builtins. One mapping for all hooks of a process, one after the other: a copy writes to
    each of two hundred values, and in a worker every page that is written to has its price."""
    names = {name: getattr(builtins, name) for name in (*_PLAIN, *_EXCEPTIONS)}
    guards.know(names.values())
    return names | _GUARDED | {"open": files.open_file}


def bot_globals(modules: Modules, prints: Stdio, fuel: Fuel) -> dict[str, Any]:
    """Globals for one hook, guards and builtins in place. No bot can change its builtins."""
    guards.lent_classes.clear()
    identity.begin()
    names = _vocabulary()
    names["print"], names["__import__"] = prints.print, importer(modules)
    return {
        "__builtins__": names,
        "__name__": "bot",
        "__metaclass__": guards.make_class,
        "_getattr_": guards.get_attribute,
        "_getitem_": guards.get_item,
        "_getiter_": fuel.turns,
        "_tick_": fuel.tick,
        "_caught_": fuel.caught,
        "_write_": guards.writable,
        "_apply_": guards.apply,
        "_inplacevar_": guards.augment_name,
        "_aug_attr_": guards.augment_attribute,
        "_aug_item_": guards.augment_item,
        "_pow_": power,
    }
