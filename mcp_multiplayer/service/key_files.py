"""Secrets in DATA_DIR/keys: files of 32 bytes, mode 0600, made by whoever needs them first.

Trusted by everything; `caller` may be lost
(callers sign in again within a minute), and so may `network`; `account`, `rejoin`, `dice` and
`log` may not (seats, tokens, seeds and signatures hang on them): they belong into the backup.
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
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = _draft(path, secrets.token_bytes(LENGTH))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return read(path)


def read(path: Path) -> bytes:
    """Return the 32 bytes of the key in ``path``."""
    key = path.read_bytes()
    if len(key) != LENGTH:
        raise OSError(f"{path} is not a key of {LENGTH} bytes; restore it from your backup")
    return key


def renew(directory: Path, name: str, *, keep_as: str) -> None:
    """Put a new key in place of ``name`` and keep the old one under another name.

    Whenever this is cut short, ``name`` is a whole key, and the old one is not lost.
    """
    path = directory / f"{name}.key"
    kept = directory / f"{keep_as}.key"
    if not kept.exists():
        os.link(path, kept)
    os.replace(_draft(path, secrets.token_bytes(LENGTH)), path)


def publish(path: Path, text: str) -> None:
    """Write what is no secret, whole or not at all; an equal file stays as it is.

    It is the owner's only, like all else there: both processes run as one user.
    """
    if not path.exists() or path.read_text() != text:
        os.replace(_draft(path, text.encode()), path)


def _draft(path: Path, content: bytes) -> Path:
    draft = path.parent / f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}"
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, content)
        os.fsync(handle)
    finally:
        os.close(handle)
    return draft
