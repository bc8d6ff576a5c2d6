"""The keys that sign heads: the only place that holds their private half. One Ed25519 key signs for
all rooms, each under its own name (a note of one never verifies in another); `log.key` is the
newest, older ones stay as `log-<start of their kid>.key`, for rooms that still sign with them until
their `key` entry. Their public halves lie beside them in `log.jwks.json`, so that the proxy can
publish them without reading a secret.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mcp_multiplayer.service import key_files
from mcp_multiplayer.transcript import checkpoint as note
from mcp_multiplayer.transcript.canonical_json import canonical
from mcp_multiplayer.transcript.entries import b64u

NAME = "log"
PUBLISHED = "log.jwks.json"
NOTES = 1024  #: heads kept signed; readers of one room ask for the same one


class LogKey:
    """One key of the server."""

    def __init__(self, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public: bytes = self._private.public_key().public_bytes_raw()

    @cached_property
    def kid(self) -> str:
        """RFC 7638: the hash of the key's required members."""
        required = {"crv": "Ed25519", "kty": "OKP", "x": b64u(self.public)}
        return b64u(hashlib.sha256(canonical(required)).digest())

    @property
    def file_name(self) -> str:
        """What the key's file is called when it is no longer the newest, without suffix."""
        return f"{NAME}-{self.kid[:16]}"

    def vkey(self, origin: str) -> str:
        """The key under the name by which it signs for one room."""
        return note.vkey(origin, self.public)

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message)

    def jwk(self) -> dict[str, str]:
        """RFC 8037 §2."""
        return {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": b64u(self.public),
            "kid": self.kid,
            "use": "sig",
            "alg": "EdDSA",
        }


class LogKeys:
    """All keys of the server, the newest first."""

    def __init__(self, *keys: LogKey) -> None:
        self.keys = keys
        self._notes: OrderedDict[tuple[str, int, bytes, str], str] = OrderedDict()
        self._ours = lru_cache(maxsize=NOTES)(self._find)

    @classmethod
    def load(cls, directory: Path) -> LogKeys:
        """Read the keys in ``directory``, make the first one, and write their public halves.

        Raises OSError when a file there is not what its name says.
        """
        newest = LogKey(key_files.load(directory, NAME))
        found = {newest.kid: newest}
        paths = directory.glob(f"{NAME}-*.key")
        # An old key's file is still the one of the day it was made: the rotation links it.
        for path in sorted(paths, key=lambda path: (-path.stat().st_mtime_ns, path.name)):
            key = LogKey(key_files.read(path))
            if path.stem != key.file_name:
                raise OSError(f"{path} is another key than its name says; restore it")
            found.setdefault(key.kid, key)  # a rotation cut short leaves the newest twice
        ring = cls(*found.values())
        key_files.publish(directory / PUBLISHED, json.dumps(ring.jwks(), indent=1) + "\n")
        return ring

    @classmethod
    def fresh(cls) -> LogKeys:
        """A key that dies with the process, for rooms that do."""
        return cls(LogKey(secrets.token_bytes(key_files.LENGTH)))

    @property
    def newest(self) -> LogKey:
        return self.keys[0]

    def by_vkey(self, vkey: str) -> LogKey | None:
        """Return the key that ``vkey`` names, or None if it is not ours."""
        _, public = note.read_vkey(vkey)
        return next((key for key in self.keys if key.public == public), None)

    def jwks(self) -> dict[str, Any]:
        """RFC 7517 §5."""
        return {"keys": [key.jwk() for key in self.keys]}

    def vkeys(self, origin: str) -> list[str]:
        """Every key under the name of one room, the newest first."""
        return [key.vkey(origin) for key in self.keys]

    def checkpoint(self, key_vkey: str, origin: str, size: int, root: bytes) -> str:
        """Return the signed head of a room by the key that its log names at that size.

        Signs what it is told: whether it may be is for `RollbackGuard` to say, before.
        Raises LookupError when the key is not here.
        """
        asked = (origin, size, root, key_vkey)
        if asked in self._notes:
            self._notes.move_to_end(asked)
            return self._notes[asked]
        key = self._ours(key_vkey, origin)
        signed = note.signed(note.checkpoint(origin, size, root), origin, key.public, key.sign)
        self._notes[asked] = signed
        if len(self._notes) > NOTES:
            self._notes.popitem(last=False)
        return signed

    def rotation(self, origin: str, old_vkey: str) -> tuple[str, str]:
        """Return the newest key of a room and the note by which old and new vouch for it."""
        old, new = self._ours(old_vkey, origin), self.newest
        text = f"{new.vkey(origin)}\n"
        signed = note.signed(text, origin, old.public, old.sign)
        return new.vkey(origin), signed + note.signature(text, origin, new.public, new.sign)

    def _find(self, vkey: str, origin: str) -> LogKey:
        key = self.by_vkey(vkey)
        if key is None or vkey != key.vkey(origin):
            raise LookupError(f"no key here signs for {origin} as {vkey}; restore keys/log-*.key")
        return key


def rotate(directory: Path) -> tuple[str, str]:
    """Make a new newest key and keep the old one; return both kids, old and new.

    A running server goes on with what it has read: its next start takes up the new key.
    """
    old = LogKey(key_files.load(directory, NAME))
    key_files.renew(directory, NAME, keep_as=old.file_name)
    return old.kid, LogKey(key_files.load(directory, NAME)).kid


def published_vkeys(jwks: Mapping[str, Any], origin: str) -> list[str]:
    """Return what `LogKeys.vkeys` does, from the published file's content."""
    return [note.vkey(origin, base64.urlsafe_b64decode(key["x"] + "=")) for key in jwks["keys"]]
