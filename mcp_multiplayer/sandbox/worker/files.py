"""``open`` for bots: files below ``ctx.workspace`` and nowhere else.

Runs in the worker, which can open nothing: the host opens (`sandbox/hostcalls/workspace.py`)
and hands over the descriptor. A bot gets the few methods of a file, not the file: its
class would open descriptors by number.
"""

from __future__ import annotations

import builtins
import errno
import io
from typing import Any

from mcp_multiplayer.sandbox.worker.hostcall_client import ask, descriptor

#: What bots see as ``ctx.workspace``.
WORKSPACE = "/workspace"
_METHODS = (
    "read",
    "readline",
    "readlines",
    "write",
    "writelines",
    "seek",
    "tell",
    "truncate",
    "flush",
    "close",
    "readable",
    "writable",
    "seekable",
)


class File:
    """An open file of the workspace."""

    __slots__ = (*_METHODS, "_file", "mode", "name")

    def __init__(self, file: Any, name: str, mode: str) -> None:
        if not isinstance(file, io.IOBase):
            raise TypeError("files are made by open(path)")
        self._file, self.name, self.mode = file, name, mode
        for method in _METHODS:
            setattr(self, method, getattr(file, method))

    @property
    def closed(self) -> bool:
        return bool(self._file.closed)

    @property
    def encoding(self) -> Any:
        return getattr(self._file, "encoding", None)

    def __enter__(self) -> File:
        self._file.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __iter__(self) -> File:
        return self

    def __next__(self) -> Any:
        return next(self._file)


def open_file(
    file: Any,
    mode: str = "r",
    buffering: int = -1,
    encoding: Any = None,
    errors: Any = None,
    newline: Any = None,
) -> File:
    """``open`` for a path below ``ctx.workspace``; a bare name is meant to be there, too."""
    if not isinstance(file, str):
        raise TypeError("open takes a path below ctx.workspace, as a string")
    asked = str.__str__(mode) if isinstance(mode, str) else ""
    binary = "b" in asked
    kind = asked.replace("b" if binary else "t", "", 1)
    if kind[:1] not in ("r", "w", "a", "x") or kind[1:] not in ("", "+"):
        raise ValueError(f"invalid mode: {asked[:10]!r}")
    path = str.__str__(file)
    answer = ask("open", path=_below(path), mode=kind)
    if "errno" in answer:
        raise OSError(answer["errno"], answer["text"], path)
    made = builtins.open(  # noqa: SIM115 it is the bot that closes it
        descriptor(answer),
        kind + "b" * binary,
        buffering if buffering else -1,
        encoding=None if binary else encoding or "utf-8",
        errors=errors,
        newline=newline,
    )
    return File(made, path, asked)


def _below(path: str) -> str:
    if path == WORKSPACE or path.startswith(WORKSPACE + "/"):
        path = path[len(WORKSPACE) :].lstrip("/")
    if path.startswith("/") or len(path) > 4096:
        raise PermissionError(errno.EACCES, "files are opened below ctx.workspace only", path[:200])
    return path
