"""What hooks run on, as the log names it. Changes when a source may come to mean something else.

A replay on another runtime may differ without anybody having cheated, so a verifier that runs
on another one says so instead of accusing.
"""

from __future__ import annotations

import sys

#: The rules under which sources are compiled, run and fuelled (engine/sandbox).
RULES = 1


def runtime() -> str:
    """``cpython-3.11/mpx-1``"""
    version = sys.version_info
    return f"{sys.implementation.name}-{version.major}.{version.minor}/mpx-{RULES}"
