"""Under which rules a source is compiled and run. Changes `RULES` whenever a hook that is
played again could come out otherwise: language, guards, ticks, dice, the list of imports.

A log names the runtime it was played on; who checks it needs the same.
"""

from __future__ import annotations

import sys

#: The version of the rules, and only of them.
RULES = 2
#: How deep a referee's functions may call each other, from wherever a hook is started.
DEEPEST = 1000


def runtime() -> str:
    """``cpython-3.13/mpx-1``"""
    version = sys.version_info
    return f"{sys.implementation.name}-{version.major}.{version.minor}/mpx-{RULES}"
