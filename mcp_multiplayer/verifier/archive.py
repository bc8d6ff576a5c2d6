"""The file that is checked: a zip that a stranger may have written. On the other side is whoever
wants this process to read, fill or follow something it should not: names lead nowhere, every
size is capped before it is read, and anything unexpected is `E_BUNDLE`, never a traceback. What is
no whole zip (a download that broke off, a page about an error) is `I_BUNDLE`: nobody made it so.
"""

from __future__ import annotations

import errno
import hashlib
import re
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp_multiplayer.transcript.canonical_json import NotCanonical, parse
from mcp_multiplayer.verifier.findings import Violation

MAX_FILE = 256 << 20  #: bytes of the zip
MAX_BYTES = 256 << 20  #: of all members, unpacked
MAX_MEMBER = 160 << 20
MAX_MEMBERS = 20_000
MAX_ENTRIES = 400_000
MAX_OPENINGS = 200_000
MAX_RATIO = 500  #: unpacked to packed; a log has 40 bytes of hash in every entry
SMALL = 16 << 20  #: bytes to which no ratio applies

_NAMES = re.compile(r"entries\.jsonl|checkpoint|openings\.jsonl|README\.txt|blobs/[0-9a-f]{64}")
_SHOWN = 40  #: bytes of a file that is something else
_MEMBER = b"PK\x01\x02"  #: how each header of a zip's directory begins


@dataclass(frozen=True)
class Record:
    """The members of the zip. ``openings`` by message: name -> [salt, value]."""

    lines: list[bytes]
    checkpoint: str | None = None
    blobs: Mapping[str, bytes] = field(default_factory=dict)
    openings: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)

    def source(self, code_hash: str) -> str | None:
        """The text of this hash, checked against it."""
        data = self.blob(code_hash.removeprefix("sha256:"))
        try:
            return None if data is None else data.decode()
        except UnicodeDecodeError:
            return None

    def blob(self, name: str) -> bytes | None:
        """The bytes of this SHA-256 (hex), or None when they are not here."""
        return self.blobs.get(name)


def read(path: Path) -> Record:
    """Return the members of a file, or raise `Violation`: E_BUNDLE, I_BUNDLE or I_TOO_LARGE."""
    try:
        if path.stat().st_size > MAX_FILE:
            raise _large(f"the file is larger than {MAX_FILE >> 20} MB")
        if _headers(path) > 2 * MAX_MEMBERS:  # before zipfile makes an object of each
            raise _bad(f"more than {MAX_MEMBERS} members")
        with zipfile.ZipFile(path) as bundle:
            members = _members(bundle)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError) as error:
        raise _broken(path, error) from None
    except (ValueError, RuntimeError, OverflowError, struct.error) as error:
        # zipfile on headers that lie
        raise _broken(path, error) from None
    except Exception as error:
        before_the_file = isinstance(error, OSError) and error.errno == errno.EINVAL
        if type(error).__module__ != "zlib" and not before_the_file:
            raise
        raise _broken(path, error) from None
    return of(members)


def _headers(path: Path) -> int:
    """How many members its directory can name at most."""
    found, tail = 0, b""
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            found += (tail + part).count(_MEMBER)
            tail = part[1 - len(_MEMBER) :]
    return found


def of(members: Mapping[str, bytes]) -> Record:
    """Make a record of what was unpacked."""
    if "entries.jsonl" not in members:
        raise Violation("I_BUNDLE", "this file is no record: there is no entries.jsonl in it")
    data = members["entries.jsonl"]
    if data.count(b"\n") > MAX_ENTRIES:
        raise _bad(f"more than {MAX_ENTRIES} entries")
    if not data.endswith(b"\n"):
        raise _bad("the last line of entries.jsonl is not whole")
    note = members.get("checkpoint")
    return Record(
        data[:-1].split(b"\n"),
        None if note is None else _text(note, "checkpoint"),
        _blobs(members),
        _openings(members.get("openings.jsonl", b"")),
    )


def _members(bundle: zipfile.ZipFile) -> dict[str, bytes]:
    infos = bundle.infolist()
    if len(infos) > MAX_MEMBERS:
        raise _large(f"more than {MAX_MEMBERS} members")
    packed, claimed = sum(i.compress_size for i in infos), sum(i.file_size for i in infos)
    if claimed > SMALL and claimed > MAX_RATIO * packed:
        raise _bad(f"it unpacks to {claimed} bytes, too many for {packed}")
    if claimed > MAX_BYTES or any(info.file_size > MAX_MEMBER for info in infos):
        raise _large(f"it unpacks to {claimed >> 20} MB")
    found: dict[str, bytes] = {}
    for info in infos:
        name = info.filename
        if not _NAMES.fullmatch(name):
            raise _bad(f"a member is called {name[:80]!r}")
        if name in found:
            raise _bad(f"two members are called {name}")
        if info.flag_bits & 1 or info.compress_type not in (0, 8):
            raise _bad(f"{name} is encrypted or packed in another way")
        with bundle.open(info) as member:
            data = member.read(info.file_size + 1)
        if len(data) != info.file_size:
            raise zipfile.BadZipFile(f"{name} has another size than the zip says")
        found[name] = data
    return found


def _blobs(members: Mapping[str, bytes]) -> dict[str, bytes]:
    blobs = {
        name.removeprefix("blobs/"): data
        for name, data in members.items()
        if name.startswith("blobs/")
    }
    for name, data in blobs.items():
        if hashlib.sha256(data).hexdigest() != name:
            raise Violation("E_BLOB", f"blobs/{name} holds other bytes than its name says")
    return blobs


def _openings(data: bytes) -> dict[int, Mapping[str, Any]]:
    found: dict[int, Mapping[str, Any]] = {}
    lines = data.split(b"\n")
    if len(lines) > MAX_OPENINGS or lines.pop():
        raise _bad("openings.jsonl has too many lines, or the last is not whole")
    for line in lines:
        try:
            said = parse(line)
        except NotCanonical as error:
            raise _bad(f"openings.jsonl: {error}") from None
        if not _is_opening(said) or said["id"] in found:
            raise _bad("a line of openings.jsonl opens nothing")
        if said["opening"] is not None:
            found[said["id"]] = said["opening"]
    return found


def _is_opening(said: Any) -> bool:
    if not isinstance(said, dict) or set(said) != {"id", "opening"} or type(said["id"]) is not int:
        return False
    opening = said["opening"]
    return opening is None or (
        isinstance(opening, dict)
        and all(
            isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str)
            for pair in opening.values()
        )
    )


def _text(data: bytes, what: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise _bad(f"{what} is not text") from None


def _broken(path: Path, error: Exception) -> Violation:
    """Not whole, or something else altogether; say what it looks like."""
    with path.open("rb") as file:
        begins = file.read(_SHOWN)
    looks = "" if begins.startswith(b"PK") else f"; it begins with {begins!r}"
    return Violation("I_BUNDLE", f"this file is no whole record: {str(error)[:200]}{looks}")


def _bad(text: str) -> Violation:
    return Violation("E_BUNDLE", text)


def _large(text: str) -> Violation:
    """What an honest room may come to, by members who have its referee ask and ask."""
    return Violation("I_TOO_LARGE", f"more than this verifier takes: {text}")
