"""Under which rules a source is compiled and run.

A log names the runtime it was played on, with Python's whole version and its build: one version
matches a pattern where the next does not, and one build orders a set of types, or a set with None
in it (before 3.12), otherwise than another. A hook that comes to something else on another runtime
proves nothing.
"""

from __future__ import annotations

import hashlib
import sys

#: The version of the rules, and only of them.
RULES = 5
_STAGES = {"alpha": "a", "beta": "b", "candidate": "rc"}
#: How deep a referee's functions may call each other, from wherever a hook is started.
DEEPEST = 1000


#: Objects that are part of the interpreter's file. Where they lie within a page is the build's
#: doing and no process's, and decides the order of sets that hold them.
_STATIC: tuple[object, ...] = (
    *(None, Ellipsis, NotImplemented, True, object, type, type(None), int, float, complex, bool),
    *(str, bytes, bytearray, list, tuple, dict, set, frozenset, range, slice, BaseException),
)


def _build() -> str:
    places = ",".join(str(id(one) & 0xFFF) for one in _STATIC)
    return hashlib.sha256(places.encode()).hexdigest()[:8]


def runtime() -> str:
    """``cpython-3.13.7+5f0c21ab/mpx-5``: Python's version, its build, our rules."""
    version = sys.version_info
    stage = "" if version.releaselevel == "final" else _STAGES[version.releaselevel]
    number = f"{version.major}.{version.minor}.{version.micro}{stage}"
    if stage:
        number += str(version.serial)
    return f"{sys.implementation.name}-{number}+{_build()}/mpx-{RULES}"
