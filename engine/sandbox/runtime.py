"""Under which rules a source is compiled and run. Changes `RULES` whenever a hook that is
played again could come out otherwise: language, guards, ticks, dice, the list of imports.

A log names the runtime it was played on, with Python's whole version: one of them matches a
pattern where the next does not. A hook that comes to something else on another one proves nothing.
"""

from __future__ import annotations

import sys

#: The version of the rules, and only of them.
RULES = 2
_STAGES = {"alpha": "a", "beta": "b", "candidate": "rc"}
#: How deep a referee's functions may call each other, from wherever a hook is started.
DEEPEST = 1000


def runtime() -> str:
    """``cpython-3.13.7/mpx-1``"""
    version = sys.version_info
    stage = "" if version.releaselevel == "final" else _STAGES[version.releaselevel]
    number = f"{version.major}.{version.minor}.{version.micro}{stage}"
    if stage:
        number += str(version.serial)
    return f"{sys.implementation.name}-{number}/mpx-{RULES}"
