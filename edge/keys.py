"""Secrets that both processes share: files in DATA_DIR/keys, mode 0600.

Trusted by everything. `caller` may be lost (callers sign in again within a
minute); `account` and `rejoin` may not (seats and rejoin tokens hang on them), so
they belong into the backup.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

LENGTH = 32


def load(directory: Path, name: str) -> bytes:
    """Return the 32 bytes of key ``name``, making it if this process comes first.

    Two processes may come first at once: each writes a file of its own and links it
    into place; the link that loses reads the winner's.
    """
    path = directory / f"{name}.key"
    if not path.exists():
        _make(directory, path)
    key = path.read_bytes()
    if len(key) != LENGTH:
        raise OSError(f"{path} is not a key of {LENGTH} bytes; restore it from your backup")
    return key


def _make(directory: Path, path: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = directory / f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}"
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, secrets.token_bytes(LENGTH))
        os.fsync(handle)
    finally:
        os.close(handle)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
