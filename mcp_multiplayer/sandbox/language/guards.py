"""What stands between a bot's every dot, bracket and call, and the object behind it. Runs in the
worker; on the other side is a stranger's code. It may get no module, frame or code object, change
no library, and define no class that fools a guard. A courtesy to authors and a first fence, never
the wall (`sandbox/jail/confinement.py`). Tried by tests/attacks/test_bot_gadgets.py and
test_bot_walk.py.
"""

from __future__ import annotations

import functools
import operator
import string
import types
from collections.abc import Callable, Iterable
from email.policy import Policy
from typing import Any

from mcp_multiplayer.sandbox.language import identity
from mcp_multiplayer.sandbox.language.grammar import DENIED, METHODS
from mcp_multiplayer.sandbox.language.libm import power

INPLACE: dict[str, Callable[[Any, Any], Any]] = {
    "+=": operator.iadd,
    "-=": operator.isub,
    "*=": operator.imul,
    "/=": operator.itruediv,
    "%=": operator.imod,
    "**=": power,
    "<<=": operator.ilshift,
    ">>=": operator.irshift,
    "|=": operator.ior,
    "^=": operator.ixor,
    "&=": operator.iand,
    "//=": operator.ifloordiv,
    "@=": operator.imatmul,
}

#: The last one's ``clone`` sets every attribute, of any name, without a guard.
_HIDDEN = frozenset(
    [
        types.ModuleType,
        types.FrameType,
        types.CodeType,
        types.TracebackType,
        types.CellType,
        Policy,
    ]
)
#: Handed out without a second look: values, and functions, whose insides begin with "_".
_PLAIN = frozenset(
    [
        str,
        int,
        float,
        bool,
        types.NoneType,
        list,
        dict,
        tuple,
        set,
        frozenset,
        bytes,
        types.FunctionType,
    ]
)
#: Their methods are handed out without a second look: texts have one that reads attributes.
_HARMLESS = _PLAIN - {str}
#: Classes of the running bot. Only their instances may be written to freely.
bot_classes: set[type] = set()
#: Classes a bot may call: builtins and those of the import table. Exceptions are, too.
known_classes: set[type] = set()
#: The same, made for the hook that runs: another one in this process must not notice.
lent_classes: set[type] = set()
#: Library classes a bot may inherit from; filled by `sandbox/language/modules.py`.
open_bases: set[type] = {object, dict, list, set, frozenset, tuple, str, int, float, bytes}
#: Library types that take item assignment, and attributes of theirs that may be set.
item_types: set[type] = {dict, list, bytearray}
settable: dict[type, frozenset[str]] = {}


def know(values: Iterable[Any]) -> None:
    """Let bots have those of the values that are classes."""
    known_classes.update(value for value in values if _is_class(value))


def lend(values: Iterable[Any]) -> None:
    """Let the running hook have those of the values that are classes."""
    lent_classes.update(value for value in values if _is_class(value))


# --- what a bot may hold -------------------------------------------------------------------


def hand_out(value: Any, name: object) -> Any:
    """The value as a bot may have it, or AttributeError.

    Judged is the value, wherever it was found: a method has the same powers on an object, on
    its class, behind ``super()`` and through a proxy.
    """
    kind = type(value)
    if kind in _PLAIN or kind in bot_classes:
        return value
    if kind is types.MethodType and type(value.__self__) in bot_classes:
        return value
    if kind is types.BuiltinMethodType or kind is types.MethodType:
        return value if type(value.__self__) in _HARMLESS else _method(value, name)
    if issubclass(kind, type):
        return _kind(value)
    if kind in _DESCRIPTORS and value in _REFUSED:
        raise AttributeError(f"{name!r} is not available to bots without its object")
    return refuse_hidden(value, name)


def refuse_hidden(value: Any, name: object) -> Any:
    """The value, unless it is one of those from which the whole process can be reached."""
    if not _HIDDEN.isdisjoint(type(value).__mro__):
        raise AttributeError(f"{name!r} is not available to bots")
    return value


_DESCRIPTORS = frozenset([types.MethodDescriptorType, types.MemberDescriptorType])
#: What is judged with its object may not go without it.
_REFUSED: tuple[Any, ...] = (
    vars(str)["format"],
    vars(str)["format_map"],
    vars(AttributeError)["obj"],
)


def _method(value: Any, name: object) -> Any:
    """A method with its object: not of a class that is not handed out, nor a metaclass's; and
    what reads attributes that a text names does it through the guards."""
    owner: Any = value.__self__
    if issubclass(type(owner), str):
        if type(value) is types.BuiltinMethodType and value.__name__ == "format":
            return _formatter(owner)
        if type(value) is types.BuiltinMethodType and value.__name__ == "format_map":
            raise AttributeError(f"{name!r} is not available to bots; use .format(**mapping)")
        return value
    if _is_class(owner) and (not _is_known(owner) or _of_metaclass(owner, value.__name__)):
        raise AttributeError(f"{name!r} of {owner.__name__} is not available to bots")
    return value


def _is_class(value: Any) -> bool:
    return issubclass(type(value), type)


def _is_known(cls: type) -> bool:
    known = cls in known_classes or cls in bot_classes or cls in lent_classes
    return known or issubclass(cls, BaseException)


def _of_metaclass(cls: type, name: str) -> bool:
    metaclass: Any = type(cls)
    return not any(name in vars(kind) for kind in cls.__mro__) and any(
        name in vars(kind) for kind in metaclass.__mro__
    )


class Kind:
    """Stands for a class that a bot may recognize and not use: ``type(x)`` of a function, of
    ``ctx``, of a class. Called, the class itself would make what no guard hands out."""

    __slots__ = ("_of",)

    def __init__(self, of: type) -> None:
        self._of = of

    def __instancecheck__(self, value: object) -> bool:
        return isinstance(value, self._of)

    def __subclasscheck__(self, cls: type) -> bool:
        return issubclass(cls, self._of)

    @property
    def __bases__(self) -> Any:  # so that issubclass(type(x), ...) takes it
        return (self._of,)

    @property
    def __name__(self) -> str:
        return self._of.__name__

    def __repr__(self) -> str:
        # A file of ours that moves must not change what a log holds.
        ours = self._of.__module__.startswith("mcp_multiplayer.")
        return f"<class '{self._of.__name__}'>" if ours else repr(self._of)


@functools.cache
def _kind_of(cls: type) -> Kind:
    return Kind(cls)


def _kind(cls: type) -> Any:
    return cls if _is_known(cls) else _kind_of(cls)


def type_of(obj: Any) -> Any:
    """``type(x)``; the form that makes classes would choose its own metaclass."""
    return _kind(type(obj))


# --- attributes and items ------------------------------------------------------------------

_MISSING = object()


def get_attribute(obj: Any, name: Any, default: Any = _MISSING) -> Any:
    """``obj.name`` for a bot."""
    if type(name) is not str:
        raise TypeError("attribute name must be string")
    if name.startswith("_") and name != "_":
        return _special(obj, name)
    if name in DENIED or (name == "obj" and _is_attribute_error(obj)):
        raise AttributeError(f'"{name}" is a restricted name')
    kind = type(obj)
    if kind not in _PLAIN and kind not in bot_classes:
        obj = hand_out(obj, name)  # it may come from a call, which nothing judges
    value = getattr(obj, name) if default is _MISSING else getattr(obj, name, default)
    return hand_out(value, name)


def _is_attribute_error(obj: Any) -> bool:
    holder: Any = obj
    return isinstance(holder.__self__ if type(obj) is super else obj, AttributeError)


def _special(obj: Any, name: str) -> Any:
    if name == "__class__":
        return type_of(obj)
    if name in ("__name__", "__doc__"):
        if isinstance(obj, type | types.FunctionType | types.MethodType | Kind):
            value = getattr(obj, name)
            return value if isinstance(value, str | None) else None
    elif name in METHODS and (isinstance(obj, super) or _is_own(obj) or _may_subclass(obj)):
        value = hand_out(getattr(obj, name), name)
        if (name, getattr(value, "__objclass__", None)) not in _UNSTEADY:
            return value
    raise AttributeError(f'"{name}" is an invalid attribute name because it starts with "_"')


#: Methods of builtins that no two processes or machines agree about.
_UNSTEADY = {("__hash__", object), ("__pow__", float), ("__rpow__", float)}


def hash_of(obj: Any) -> int:
    """``hash`` for a bot: not of what has no value to be hashed but a place in memory."""
    kind: Any = type(obj)
    if kind.__hash__ is object.__hash__:
        raise TypeError(f"{type(obj).__name__} has no hash that stays; define __hash__")
    return hash(obj)


def _may_subclass(obj: Any) -> bool:
    return isinstance(obj, type) and (
        obj in bot_classes or obj in open_bases or issubclass(obj, BaseException)
    )


class _Format(string.Formatter):
    """str.format whose fields pass the guards: "{0.x[1]}" reads nothing more than o.x[1]."""

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:
        first, rest = string._string.formatter_field_name_split(field_name)  # type: ignore[attr-defined]
        obj = self.get_value(first, args, kwargs)
        for is_attribute, key in rest:
            obj = get_attribute(obj, key) if is_attribute else get_item(obj, key)
        return obj, first


def _formatter(template: str) -> Any:
    def format(*args: Any, **kwargs: Any) -> str:
        return _Format().vformat(str.__str__(template), args, kwargs)

    return format


def get_item(obj: Any, key: Any) -> Any:
    """``obj[key]`` for a bot."""
    return hand_out(hand_out(obj, key)[key], key)


def has_attribute(obj: Any, name: Any) -> bool:
    """``hasattr`` for a bot."""
    try:
        get_attribute(obj, name)
    except AttributeError:
        return False
    return True


def guarded_getattr(obj: Any, name: Any, *default: Any) -> Any:
    """``getattr`` for a bot: the default covers what is refused as well."""
    try:
        return get_attribute(obj, name)
    except AttributeError:
        if default:
            return default[0]
        raise


def set_attribute(obj: Any, name: Any, value: Any) -> None:
    """``setattr`` for a bot."""
    if type(name) is not str:
        raise TypeError("attribute name must be string")
    if name.startswith("_") or name in DENIED:
        raise AttributeError(f'"{name}" is a restricted name')
    setattr(writable(obj), name, value)


def _is_own(obj: Any) -> bool:
    return type(obj) in bot_classes or (isinstance(obj, type) and obj in bot_classes)


class _Library:
    """A library object seen through its short list of things a bot may change."""

    __slots__ = ("_obj",)

    def __init__(self, obj: Any) -> None:
        object.__setattr__(self, "_obj", obj)

    def __setattr__(self, name: str, value: Any) -> None:
        obj = object.__getattribute__(self, "_obj")
        for kind in type(obj).__mro__:
            if name in settable.get(kind, ()):
                setattr(obj, name, value)
                return
        raise AttributeError(f"{type(obj).__name__} is read-only: {name!r} cannot be set")

    def __delattr__(self, name: str) -> None:
        obj = object.__getattribute__(self, "_obj")
        raise AttributeError(f"{type(obj).__name__} is read-only")

    def __setitem__(self, key: Any, value: Any) -> None:
        self._items()[key] = value

    def __delitem__(self, key: Any) -> None:
        del self._items()[key]

    def _items(self) -> Any:
        obj = object.__getattribute__(self, "_obj")
        if item_types.isdisjoint(type(obj).__mro__):
            raise TypeError(f"{type(obj).__name__} does not support item assignment")
        return obj


def writable(obj: Any) -> Any:
    """What a bot's assignment ``obj.x = ...`` or ``obj[k] = ...`` is made to."""
    if type(obj) is dict or type(obj) is list or _is_own(obj):
        return obj
    return _Library(obj)


def augment_attribute(obj: Any, name: str, op: str, value: Any) -> None:
    """``obj.name += value``"""
    setattr(writable(obj), name, INPLACE[op](get_attribute(obj, name), value))


def augment_item(obj: Any, key: Any, op: str, value: Any) -> None:
    """``obj[key] += value``"""
    writable(obj)[key] = INPLACE[op](get_item(obj, key), value)


def augment_name(op: str, obj: Any, value: Any) -> Any:
    """``x += value``"""
    return INPLACE[op](obj, value)


def apply(function: Any, *args: Any, **kwargs: Any) -> Any:
    """A call with ``*args`` or ``**kwargs``."""
    return function(*args, **kwargs)


def make_class(name: str, bases: tuple[Any, ...], namespace: dict[str, Any]) -> type:
    """``class name(*bases)``: bases are the bot's own classes, builtins and exceptions."""
    for base in bases:
        if not _may_subclass(base):
            shown = getattr(base, "__name__", "this object")
            raise TypeError(f"class {name} cannot inherit from {shown} in a bot")
    if bases in ((), (object,)):
        bases = (identity.Thing,)
    made = type(name, bases, namespace)
    if type(made) is not type:
        raise TypeError(f"class {name} cannot have a metaclass")
    identity.steady(made)
    bot_classes.add(made)
    return made
