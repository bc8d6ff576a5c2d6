"""A zip whose directory lies or floods: refused as a bad file, without a traceback."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import pytest

from verifier import record
from verifier.check import Wishes, check_file
from verifier.leaves import Line, Log


def _zip() -> tuple[bytes, bytes, bytes]:
    """Members, directory and end of a file that is in order."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as bundle:
        bundle.writestr("entries.jsonl", b'{"i":0}\n')
    data = file.getvalue()
    directory, end = data.find(b"PK\x01\x02"), data.rfind(b"PK\x05\x06")
    return data[:directory], data[directory:end], data[end:]


def test_a_directory_may_not_point_before_the_file(tmp_path: Path) -> None:
    members, directory, end = _zip()
    offset = struct.pack("<I", len(members) + 1000)
    path = tmp_path / "x.zip"
    path.write_bytes(members + directory + end[:16] + offset + end[20:])
    assert next(one.code for one in check_file(path, Wishes()).findings.found) == "E_BUNDLE"


def test_a_flood_of_members_is_refused_before_any_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members, directory, end = _zip()
    flood = directory * (2 * record.MAX_MEMBERS + 1)
    path = tmp_path / "x.zip"
    path.write_bytes(members + flood + end[:12] + struct.pack("<I", len(flood)) + end[16:])
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("it was opened"))
    assert next(one.code for one in check_file(path, Wishes()).findings.found) == "E_BUNDLE"


def test_a_log_without_times_is_gone_through_once() -> None:
    """Looking for the next time from every entry again would take days."""
    log = Log([Line(i, b"", b"", {"t": "key"}, 0) for i in range(100_000)])
    assert {log.next_ts(i) for i in range(100_000)} == {None}
