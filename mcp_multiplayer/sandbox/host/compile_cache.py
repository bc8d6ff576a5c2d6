"""Sources that were compiled, so that none is compiled for every hook of it.

In the memory of the process that hands hooks over, which never reads the code: server and
verifier each make their own, for the Python that they run; no file and no record holds any.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from mcp_multiplayer.sandbox.call import Compiled
from mcp_multiplayer.sandbox.protocol.values import size

#: Of all that is kept, in bytes. The presets together take a megabyte.
MOST = 32 << 20


class CompileCache:
    """The sources used last, by their hash and that of the library they were read with."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._size = 0
        self._kept: OrderedDict[bytes, Compiled] = OrderedDict()

    def get(self, source: str, library: str = "") -> Compiled | None:
        """What was made of it, if that is still kept."""
        key = _key(source, library)
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, source: str, made: Compiled, library: str = "") -> None:
        """Keep it, and drop what was not used for longest."""
        key = _key(source, library)
        self._drop(key)
        self._kept[key] = made
        self._size += _size(made)
        while self._size > self._most:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: bytes) -> None:
        dropped = self._kept.pop(key, None)
        self._size -= 0 if dropped is None else _size(dropped)


def _key(*texts: str) -> bytes:
    digests = (hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts)
    return b"".join(digests)


def _size(made: Compiled) -> int:
    """Nested lists take thirty times what they take as JSON."""
    manifest = made.report.manifest
    return len(made.code) + (0 if manifest is None else 32 * size(manifest)) + 4096
