"""How far each log was ever signed: what a server must not forget when its database is
restored. The file lies beside the database and in no backup:
taking it back together with the database would let one server sign two heads of one
size. A record is written before the note leaves, by one write and without fsync: it
survives the death of this process; after a power cut it may lack the last seconds, but
then the database, which is synced before anything is signed, still has those entries.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import json
import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)

COMPACT_FROM = 1024  #: lines; below, a file is not worth rewriting
GROWTH = 4  #: lines for each room, on average, before it is


class Equivocation(Exception):
    """The head to be signed contradicts one that was signed; it must not leave."""


class RollbackGuard:
    """The highest head ever signed of each room. Not for two processes or threads at once."""

    def __init__(self, path: Path | None) -> None:
        """Read ``path``; None keeps nothing, for servers that keep no rooms either.

        Raises OSError when the file cannot be read or written, or holds what no server wrote.
        """
        self._path = path
        self._heads: dict[str, tuple[int, bytes]] = {}
        self._file: int | None = None
        self._lines = self._length = 0
        if path is not None:
            self._read(path)
            self._compact(path)

    def highest(self, channel_id: str) -> tuple[int, bytes] | None:
        """Return size and root of the highest head signed of a room, or None."""
        return self._heads.get(channel_id)

    def record(self, channel_id: str, size: int, root: bytes) -> None:
        """Note that this head is about to be signed; call it before the note is made.

        Raises `Equivocation` when the head is shorter than one that was signed, or of the same
        size and another root, and OSError when it cannot be written: then nothing may leave.
        """
        known = self._heads.get(channel_id)
        if known == (size, root):
            return
        if known is not None and size <= known[0]:
            raise Equivocation(
                f"{channel_id}: size {size} was to be signed, and {known[0]} is, "
                f"with root {base64.b64encode(known[1]).decode()}"
            )
        if self._path is not None:
            self._append(_line(channel_id, size, root))
        self._heads[channel_id] = (size, root)
        if self._path is not None and self._lines > max(COMPACT_FROM, GROWTH * len(self._heads)):
            try:
                self._compact(self._path)
            except OSError as error:  # the head is recorded; the next one tries again
                log.error("cannot rewrite %s: %s", self._path, error)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _read(self, path: Path) -> None:
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return
        # What follows the last line end was being written when the machine stopped: its note
        # never left.
        for number, line in enumerate(data.split(b"\n")[:-1], 1):
            try:
                said = json.loads(line)
                channel_id, size = str(said["c"]), int(said["n"])
                root = base64.b64decode(said["r"], validate=True)
            except (ValueError, KeyError, TypeError) as error:
                raise OSError(f"{path}: line {number} is damaged ({error})") from error
            if size >= self._heads.get(channel_id, (0, b""))[0]:
                self._heads[channel_id] = (size, root)

    def _append(self, line: bytes) -> None:
        if self._file is None:
            raise OSError(errno.EBADF, "the record of signed heads is closed")
        written = os.write(self._file, line)
        if written != len(line):  # a full disk: take the half line back
            os.ftruncate(self._file, self._length)
            raise OSError(errno.ENOSPC, "no room to record a signed head", str(self._path))
        self._lines += 1
        self._length += written

    def _compact(self, path: Path) -> None:
        """Write the file anew with one line a room, and go on appending to that."""
        lines = [_line(room, size, root) for room, (size, root) in self._heads.items()]
        draft = path.with_name(path.name + ".new")
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
        self.close()
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND)
        self._lines, self._length = len(lines), sum(map(len, lines))


def _line(channel_id: str, size: int, root: bytes) -> bytes:
    said = base64.b64encode(root).decode()
    return f'{{"c": {json.dumps(channel_id)}, "n": {size}, "r": "{said}"}}\n'.encode()
