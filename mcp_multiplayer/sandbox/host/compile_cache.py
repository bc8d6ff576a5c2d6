"""Sources that were compiled, so that none is compiled for every hook of it.

In the memory of the process that hands hooks over, which never reads the code: server and
verifier each make their own, for the Python that they run; no file and no record holds any.
"""

from __future__ import annotations

import sys
from collections import OrderedDict

from mcp_multiplayer.sandbox.call import Compiled
from mcp_multiplayer.sandbox.protocol.values import size

#: Of all that is kept, in bytes. The presets together take a megabyte.
MOST = 32 << 20


class CompileCache:
    """The sources used last, each with the library it was read with. By the texts themselves: of
    one that is asked for again the hash is known, and it is the same object."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._size = 0
        self._kept: OrderedDict[tuple[str, str], Compiled] = OrderedDict()

    def get(self, source: str, library: str = "") -> Compiled | None:
        """What was made of it, if that is still kept."""
        key = (source, library)
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, source: str, made: Compiled, library: str = "") -> None:
        """Keep it, and drop what was not used for longest."""
        key = (source, library)
        self._drop(key)
        self._kept[key] = made
        self._size += _size(key, made)
        while self._size > self._most:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: tuple[str, str]) -> None:
        dropped = self._kept.pop(key, None)
        self._size -= 0 if dropped is None else _size(key, dropped)


def _size(key: tuple[str, str], made: Compiled) -> int:
    """A library is shared by many; nested lists take thirty times what they take as JSON."""
    manifest = made.report.manifest
    shown = 0 if manifest is None else 32 * size(manifest)
    return max(sys.getsizeof(key[0]), 4096) + len(made.code) + shown
