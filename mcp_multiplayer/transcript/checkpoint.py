"""Signed notes: how a head is written, signed, named by a key and read again. On the other side is
whoever made the note, possibly the server that owns the key: a reader must see one thing only in
it, so numbers and base64 have one form, and a line under a known key that does not verify spoils
the whole note.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from mcp_multiplayer.transcript import ed25519
from mcp_multiplayer.transcript.canonical_json import MAX_SAFE_INTEGER

ED25519 = 1  #: type byte of a key that signs the text itself
COSIGNATURE = 4  #: reserved (tlog-cosignature v1): read, never written
MAX_LINES = 100  #: signatures of one note; each known one costs a verification
MAX_NOTE = 100_000

_NAME = re.compile(r"[^\s+\x00-\x1f\x7f\ud800-\udfff]{1,256}")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,15}")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_MARK = "\u2014 "
_NO_ORIGIN = "the origin of a checkpoint has no blank and no plus in it"


class BadNote(ValueError):
    """The note, key or checkpoint is not in its one form, or not signed by whom it should."""


@dataclass(frozen=True)
class Checkpoint:
    """A head under the name of its log."""

    origin: str
    size: int
    root: bytes


@dataclass(frozen=True)
class Opened:
    """A note's text, and the vkeys out of those asked about that signed it."""

    text: str
    signers: tuple[str, ...]


@dataclass(frozen=True)
class _Key:
    name: str
    id: bytes
    kind: int
    public: bytes


@lru_cache(maxsize=4096)
def key_id(name: str, public: bytes, kind: int = ED25519) -> bytes:
    """Return the four bytes by which a signature line points at its key."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


def vkey(name: str, public: bytes, kind: int = ED25519) -> str:
    """Write a public key under the name it signs with."""
    if not _NAME.fullmatch(name):
        raise BadNote(f"a key cannot be called {name!r:.80}")
    encoded = base64.b64encode(bytes([kind]) + public).decode()
    return f"{name}+{key_id(name, public, kind).hex()}+{encoded}"


def read_vkey(text: str) -> tuple[str, bytes]:
    """Return name and public key of a key that signs heads, or raise `BadNote`."""
    key = _key(text)
    if key.kind != ED25519:
        raise BadNote(f"a key of type {key.kind} signs no heads")
    return key.name, key.public


def checkpoint(origin: str, size: int, root: bytes) -> str:
    """Write a head as the text that is signed: three lines."""
    # What we could not read back must not be signed; this is cheaper than reading it back.
    if not _NAME.fullmatch(origin):
        raise BadNote(_NO_ORIGIN)
    if not 0 <= size <= MAX_SAFE_INTEGER or len(root) != 32:
        raise BadNote(f"no head has size {size} and a root of {len(root)} bytes")
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


def read_checkpoint(text: str) -> Checkpoint:
    """Read the text of a head, or raise `BadNote`. Extension lines are refused."""
    lines = text.split("\n")
    if len(lines) != 4 or lines[3]:
        raise BadNote("a checkpoint has three lines")
    origin, size, root = lines[:3]
    if not _NAME.fullmatch(origin):
        raise BadNote(_NO_ORIGIN)
    return Checkpoint(origin, number(size), unbase64(root, 32))


def signed(text: str, name: str, public: bytes, sign: Callable[[bytes], bytes]) -> str:
    """Return ``text`` as a note with one signature. A further `signature` can be appended."""
    _check_text(text)
    return f"{text}\n{signature(text, name, public, sign)}"


def signature(text: str, name: str, public: bytes, sign: Callable[[bytes], bytes]) -> str:
    """Return the line by which the key ``name`` signs ``text``."""
    made = key_id(name, public) + sign(text.encode())
    return f"{_MARK}{name} {base64.b64encode(made).decode()}\n"


def open_note(note: str, vkeys: Sequence[str]) -> Opened:
    """Return the text that at least one of ``vkeys`` signed, or raise `BadNote`.

    Lines of other keys are ignored, as C2SP wants; one of these keys that does not verify
    refuses all. Which of them are needed is the caller's to say, from ``signers``.
    """
    text, lines = _split(note)
    found: dict[str, None] = {}
    keys = [(vkey, _key(vkey)) for vkey in vkeys]
    for line in lines:
        name, id, made = _line(line)
        for vkey, key in keys:
            if (key.name, key.id) != (name, id):
                continue
            if not _verifies(key, text, made):
                raise BadNote(f"the signature of {name} does not verify")
            found[vkey] = None
    if not found:
        raise BadNote("nobody signed it whose key is known")
    return Opened(text, tuple(found))


def invite_fingerprint(vkey: str, origin: str, size: int, root: bytes) -> str:
    """Return what an invite carries to pin key and head: 28 characters, 140 bits.

    As long as that because the server makes both logs of a collision.
    """
    said = f"mpx/invite/1\n{vkey}\n{checkpoint(origin, size, root)}"
    return base64.b32encode(hashlib.sha256(said.encode()).digest()).decode()[:28]


def number(text: str) -> int:
    """Read a size or index in its one form, or raise `BadNote`."""
    if not _NUMBER.fullmatch(text) or int(text) > MAX_SAFE_INTEGER:
        raise BadNote(f"{text!r:.40} is no size")
    return int(text)


def unbase64(text: str, length: int | None = None) -> bytes:
    """Read padded base64 in its one form, or raise `BadNote`: spare bits must be zero."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise BadNote(f"{text!r:.100} is not base64") from error
    if base64.b64encode(data).decode() != text:
        raise BadNote(f"{text!r:.100} is not the one base64 of its bytes")
    if length is not None and len(data) != length:
        raise BadNote(f"{text!r:.100} is not {length} bytes")
    return data


def _key(text: str) -> _Key:
    parts = text.split("+", 2)  # base64 may hold a plus, a name may not
    if len(parts) != 3 or not _NAME.fullmatch(parts[0]):
        raise BadNote(f"{text!r:.100} is not a vkey")
    data = unbase64(parts[2], 33)
    key = _Key(parts[0], key_id(parts[0], data[1:], data[0]), data[0], data[1:])
    if key.kind not in (ED25519, COSIGNATURE):
        raise BadNote(f"keys of type {key.kind} are not known")
    if key.id.hex() != parts[1]:
        raise BadNote(f"the id in {text!r:.100} is another key's")
    return key


def _split(note: str) -> tuple[str, list[str]]:
    """Return a note's text and signature lines: what stands before and after the last blank
    line, so that no text can bring signatures of its own."""
    if len(note) > MAX_NOTE:
        raise BadNote(f"a note has at most {MAX_NOTE} characters")
    text, blank, tail = note.rpartition("\n\n")
    if not blank or not tail.endswith("\n"):
        raise BadNote("a note is a text, a blank line and signature lines")
    text += "\n"
    _check_text(text)
    lines = tail[:-1].split("\n")
    if len(lines) > MAX_LINES:
        raise BadNote(f"a note has at most {MAX_LINES} signatures")
    return text, lines


def _check_text(text: str) -> None:
    if not text.endswith("\n") or _CONTROL.search(text):
        raise BadNote("the text of a note is whole lines without control characters")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadNote("the text of a note is UTF-8") from error


def _line(line: str) -> tuple[str, bytes, bytes]:
    name, blank, encoded = line.removeprefix(_MARK).partition(" ")
    if not line.startswith(_MARK) or not blank or not _NAME.fullmatch(name):
        raise BadNote(f"{line!r:.100} is not a signature line")
    data = unbase64(encoded)
    if len(data) < 5:
        raise BadNote("a signature is too short")
    return name, data[:4], data[4:]


def _verifies(key: _Key, text: str, made: bytes) -> bool:
    said = text.encode()
    if key.kind == COSIGNATURE:
        said = b"cosignature/v1\ntime %d\n" % int.from_bytes(made[:8], "big") + said
        if len(made) != 72:
            return False
        made = made[8:]
    return ed25519.verify(key.public, said, made)
