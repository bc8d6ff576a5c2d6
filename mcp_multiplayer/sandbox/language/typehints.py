"""The ``typing`` of a referee: names for annotations, with nothing behind them that evaluates.

Python's own compiles every string it is subscripted with (`typing.ForwardRef`), also by way of
``|``, ``TypeVar(bound=...)`` and ``"%(x)s" % List``. A bot's annotations are dropped when it is
compiled (`sandbox/language/grammar.py`), so it needs of typing what PEP 585 and 604 made ordinary
classes, and for the rest something that takes any subscript and ignores it.
"""

from __future__ import annotations

import collections
import collections.abc
import functools
import operator
from collections.abc import Callable
from typing import Any

_CLASSES: dict[str, Any] = {
    "Counter": collections.Counter,
    "DefaultDict": collections.defaultdict,
    "Deque": collections.deque,
    "Dict": dict,
    "FrozenSet": frozenset,
    "List": list,
    "OrderedDict": collections.OrderedDict,
    "Set": set,
    "Text": str,
    "Tuple": tuple,
}
_ABSTRACT = (
    "Callable",
    "Collection",
    "Container",
    "Generator",
    "Hashable",
    "Iterable",
    "Iterator",
    "Mapping",
    "MutableMapping",
    "MutableSequence",
    "MutableSet",
    "Sequence",
    "Sized",
)
_FORMS = ("Any", "AnyStr", "ClassVar", "Final", "Literal", "NoReturn", "Type", "TypeAlias")


class Form:
    """Stands where a type does, and takes whatever it is given."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __getitem__(self, item: object) -> Form:
        return self

    def __or__(self, other: object) -> Form:
        return self

    __ror__ = __or__

    def __repr__(self) -> str:
        return f"typing.{self._name}"


class _Union(Form):
    """A union of classes is one, for ``isinstance``; any other is a form."""

    __slots__ = ()

    def __getitem__(self, item: object) -> Any:
        try:
            return functools.reduce(operator.or_, item if isinstance(item, tuple) else (item,))
        except TypeError:
            return self


class _Optional(_Union):
    __slots__ = ()

    def __getitem__(self, item: object) -> Any:
        return super().__getitem__((item, None))


class Generic:
    """``class Box(Generic[T])``"""

    __slots__ = ()

    def __class_getitem__(cls, item: object) -> type:
        return cls


def _new_type(name: str, of: object) -> Callable[[Any], Any]:
    return lambda value: value


def typing_names() -> dict[str, Any]:
    """The ``typing`` module of a bot."""
    names = {name: getattr(collections.abc, name) for name in _ABSTRACT}
    names |= _CLASSES | {name: Form(name) for name in _FORMS}
    return names | {
        "cast": lambda kind, value: value,
        "Generic": Generic,
        "NewType": _new_type,
        "Optional": _Optional("Optional"),
        "TYPE_CHECKING": False,
        "TypeVar": lambda name, *constraints, **more: Form(str(name)),
        "Union": _Union("Union"),
    }
