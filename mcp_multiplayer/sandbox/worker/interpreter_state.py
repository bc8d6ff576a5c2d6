"""What a process that hooks are forked from has to have in common with every other one.

Used by the server's zygote and by the verifier's alike, on any machine: a codec that one of them
lacks, a pattern that one of them has compiled before, a module that one of them finds later are
things that a bot can see, and then an honest record does not repeat itself. Where even that does
not help (addresses, memory) see `sandbox/worker/normalize.py`.
"""

from __future__ import annotations

import _strptime  # type: ignore[import-not-found]
import codecs
import encodings
import functools
import gc
import importlib
import linecache
import re
import sys
from collections.abc import Sequence
from typing import Any

#: Every text encoding that a bot can name, by its module; others do not exist for bots, because
#: which of them a Python has, and has loaded, differs (zipimport alone brings cp437).
CODECS = (
    "ascii",
    "charmap",
    "cp1252",
    "hex_codec",
    "idna",
    "latin_1",
    "punycode",
    "raw_unicode_escape",
    "unicode_escape",
    "utf_16",
    "utf_16_be",
    "utf_16_le",
    "utf_32",
    "utf_32_be",
    "utf_32_le",
    "utf_7",
    "utf_8",
    "utf_8_sig",
)


def settle() -> None:
    """Close what is loaded; after all imports, for good."""
    _limit_codecs()
    _forget()
    sys.path.clear()
    sys.path_importer_cache.clear()
    sys.meta_path[:] = [_Nowhere]


def _limit_codecs() -> None:
    for name in CODECS:
        importlib.import_module(f"encodings.{name}")
    codecs.unregister(encodings.search_function)  # and what it has found is forgotten
    codecs.register(_search)


def _search(encoding: str) -> codecs.CodecInfo | None:
    name = encodings.normalize_encoding(encoding)
    aliases = encodings.aliases.aliases
    name = aliases.get(name) or aliases.get(name.replace(".", "_")) or name
    return encodings.search_function(name) if name in CODECS else None


def _forget() -> None:
    """Empty the caches of libraries: whether something is in one shows by ``is``, or by when it
    is full. Ours hold nothing that a bot is given."""
    re.purge()
    _strptime._regex_cache.clear()
    linecache.clearcache()
    for found in gc.get_objects():
        cached = isinstance(found, functools._lru_cache_wrapper)
        if cached and not str(getattr(found, "__module__", "")).startswith("mcp_multiplayer."):
            found.cache_clear()


class _Nowhere:
    """Finds no module: whatever a library imports later must have been loaded before."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: Any = None) -> None:
        """Nothing."""
