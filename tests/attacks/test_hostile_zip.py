"""A zip whose directory lies or floods, or that swells: bounded, without a traceback."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mcp_multiplayer.channel.events import Ask, Event, Genesis, Rename, write
from mcp_multiplayer.transcript import checkpoint, merkle
from mcp_multiplayer.transcript.canonical_json import canonical
from mcp_multiplayer.transcript.entries import b64u
from mcp_multiplayer.verifier import archive, check, evidence, parse_log, replay_log
from mcp_multiplayer.verifier.check import Wishes, check_file
from mcp_multiplayer.verifier.parse_log import Line, Log
from tests.harness import LIMITS
from tests.verifier.games import KEY


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
    # As that of a download whose beginning is missing.
    assert next(one.code for one in check_file(path, Wishes()).findings.found) == "I_BUNDLE"


def test_a_flood_of_members_is_refused_before_any_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members, directory, end = _zip()
    flood = directory * (2 * archive.MAX_MEMBERS + 1)
    path = tmp_path / "x.zip"
    path.write_bytes(members + flood + end[:12] + struct.pack("<I", len(flood)) + end[16:])
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("it was opened"))
    assert next(one.code for one in check_file(path, Wishes()).findings.found) == "E_BUNDLE"


def test_a_log_without_times_is_gone_through_once() -> None:
    """Looking for the next time from every entry again would take days."""
    log = Log([Line(i, b"", b"", {"t": "key"}, 0) for i in range(100_000)])
    assert {log.next_ts(i) for i in range(100_000)} == {None}


# --- what is small in the file and large in memory ---------------------------------------------


def _told(path: Path) -> tuple[set[str], int]:
    checked = check_file(path, Wishes(execute=False))
    return {one.code for one in checked.findings.found}, checked.exit_code


def test_a_log_of_empty_lists_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quarter of a megabyte of zip became two gigabytes of empty objects."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("entries.jsonl", b'{"i":0,"x":[' + b"{}," * 20_000 + b"{}]}\n")
    monkeypatch.setattr(parse_log, "MAX_VALUES", 30_000)
    monkeypatch.setattr(parse_log, "parse", lambda *_: pytest.fail("it was parsed"))
    codes, left = _told(path)
    assert "I_TOO_LARGE" in codes and left == 2


def test_a_thousand_seats_after_each_of_many_entries_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """States share what did not change; a word changes a seat, and with it the list of all."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("entries.jsonl", _crowded(seats=500, names=60))
    assert "I_TOO_LARGE" not in _told(path)[0]
    monkeypatch.setattr(replay_log, "MAX_HELD", 20_000)
    codes, left = _told(path)
    assert "I_TOO_LARGE" in codes and left == 2


def _crowded(*, seats: int, names: int) -> bytes:
    """A room with so many seats for referees, which is given so many names."""
    origin = "mp.example/c/chn_x"
    slots = [{"id": f"s{n}", "kind": "bot", "label": f"b{n}"} for n in range(1, seats)]
    slots.insert(0, {"id": "s0", "kind": "invite", "label": "alice", "invite": "0" * 64})
    opened = Genesis(
        "mpx-log/2",
        origin,
        "crowd",
        slots,
        {**LIMITS, "seats": seats},
        "0" * 32,
        checkpoint.vkey(origin, KEY.public),
        creator="A" * 16,
    )
    lines: list[bytes] = []
    before = b""
    happened: list[Event] = [opened]
    for n in range(names):
        op = {"op": "rename", "name": f"name {n}"}
        happened += [Ask([op], "A" * 16), Rename(op["name"])]
    for index, event in enumerate(happened):
        entry = {**write(event), "i": index, "ts": 1, **({"p": b64u(before)} if index else {})}
        entry |= {"more": True} if isinstance(event, Ask) else {}
        lines.append(canonical(entry))
        before = merkle.leaf_hash(lines[-1])
    return b"".join(line + b"\n" for line in lines)


def test_a_room_with_many_answers_of_the_network_accuses_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member who has a referee ask for ever makes the record large, and its server no cheat."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr("entries.jsonl", b"{}\n")
        for n in range(20):
            answer = bytes([n]) * 1000
            bundle.writestr(f"blobs/{hashlib.sha256(answer).hexdigest()}", answer)
    assert "I_TOO_LARGE" not in _told(path)[0]
    for limit in ("MAX_BYTES", "MAX_MEMBER", "MAX_MEMBERS", "MAX_FILE"):
        with monkeypatch.context() as patch:
            patch.setattr(archive, limit, 15)
            codes, left = _told(path)
            assert "I_TOO_LARGE" in codes and left == 2, limit


# --- what is written down about it -------------------------------------------------------------


def test_a_thousand_violations_fill_no_directory(tmp_path: Path) -> None:
    checked = check_file(tmp_path, Wishes())
    checked.log = Log([Line(n, b"{}", b"", {}, 0) for n in range(1000)])
    for n in range(1000):
        checked.findings.add("E_OPENING", "opened otherwise", n)
    assert len(evidence.write(checked, tmp_path / "evidence")) < evidence.MOST + 10


def test_a_link_among_the_evidence_leads_nowhere(tmp_path: Path) -> None:
    """Whoever packs the record with a directory beside it chooses what stands there before."""
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence" / "report.txt").symlink_to(precious)
    evidence.write(check_file(tmp_path, Wishes()), tmp_path / "evidence")
    assert precious.read_text() == "mine"
    assert "RULES" in (tmp_path / "evidence" / "report.txt").read_text()


def test_memory_that_runs_out_while_judging_accuses_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr("entries.jsonl", _crowded(seats=2, names=1))
    judge, calls = check._verdicts, iter([MemoryError()])

    def scarce(*given: Any) -> Any:
        for error in calls:
            raise error
        return judge(*given)

    monkeypatch.setattr(check, "_verdicts", scarce)
    codes, left = _told(path)
    assert "I_MACHINE" in codes and "E_UNFORESEEN" not in codes and left == 2
