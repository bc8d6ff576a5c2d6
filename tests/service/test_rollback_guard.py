"""What was signed is not forgotten, whatever happens to the file's end or the machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mcp_multiplayer.service import rollback_guard
from mcp_multiplayer.service.rollback_guard import Equivocation, RollbackGuard

ONE, TWO = b"\1" * 32, b"\2" * 32


@pytest.fixture(params=["file", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "data" / "signed-heads" if request.param == "file" else None


def test_the_highest_head_of_each_room_is_known(place: Path | None) -> None:
    heads = RollbackGuard(place)
    assert heads.highest("chn_a") is None
    heads.record("chn_a", 2, ONE)
    heads.record("chn_a", 5, TWO)
    heads.record("chn_b", 1, ONE)
    assert (heads.highest("chn_a"), heads.highest("chn_b")) == ((5, TWO), (1, ONE))
    heads.close()


def test_two_heads_of_one_size_and_shorter_ones_are_refused(place: Path | None) -> None:
    heads = RollbackGuard(place)
    heads.record("chn_a", 5, ONE)
    heads.record("chn_a", 5, ONE)
    for size, root in ((5, TWO), (4, ONE), (0, ONE)):
        with pytest.raises(Equivocation, match="chn_a"):
            heads.record("chn_a", size, root)
    assert heads.highest("chn_a") == (5, ONE)
    heads.close()


def test_a_restart_knows_what_was_signed(tmp_path: Path) -> None:
    path = tmp_path / "signed-heads"
    heads = RollbackGuard(path)
    for size in range(1, 10):
        heads.record("chn_a", size, bytes([size]) * 32)
    again = RollbackGuard(path)  # the first was not closed: nothing is held back in memory
    assert again.highest("chn_a") == (9, b"\x09" * 32)
    with pytest.raises(Equivocation):
        again.record("chn_a", 9, ONE)
    assert path.stat().st_mode & 0o777 == 0o600
    heads.close()
    again.close()


def test_a_server_without_rooms_on_disk_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    RollbackGuard(None).record("chn_a", 1, ONE)
    assert os.listdir(tmp_path) == []


def test_every_torn_last_line_is_dropped_and_the_rest_stands(tmp_path: Path) -> None:
    path = tmp_path / "signed-heads"
    heads = RollbackGuard(path)
    heads.record("chn_a", 1, ONE)
    whole = path.read_bytes()
    heads.record("chn_a", 2, TWO)
    heads.close()
    both = path.read_bytes()
    for cut in range(len(whole), len(both)):
        path.write_bytes(both[:cut])
        heads = RollbackGuard(path)
        assert heads.highest("chn_a") == (1, ONE)
        heads.record("chn_a", 2, ONE)  # what was torn never left; the next line begins cleanly
        heads.close()
        again = RollbackGuard(path)
        assert again.highest("chn_a") == (2, ONE)
        again.close()


@pytest.mark.parametrize(
    "line", [b"x", b"", b"7", b"[]", b'{"c":"a","n":1}', b'{"c":"a","n":1,"r":"?"}', b"\xff"]
)
def test_damage_before_the_last_line_stops_the_start(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "signed-heads"
    path.write_bytes(line + b"\n")
    with pytest.raises(OSError, match="line 1"):
        RollbackGuard(path)
    assert path.read_bytes() == line + b"\n"


def test_the_file_holds_one_line_a_room_after_a_start(tmp_path: Path) -> None:
    path = tmp_path / "signed-heads"
    heads = RollbackGuard(path)
    for size in range(1, 50):
        heads.record("chn_a", size, ONE)
    heads.close()
    assert path.read_bytes().count(b"\n") == 49
    RollbackGuard(path).close()
    assert path.read_bytes().count(b"\n") == 1
    assert os.listdir(tmp_path) == ["signed-heads"]


def test_a_grown_file_is_rewritten_while_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollback_guard, "COMPACT_FROM", 8)
    path = tmp_path / "signed-heads"
    heads = RollbackGuard(path)
    most = 0
    for size in range(1, 200):
        for room in ("chn_a", "chn_b", "chn_c"):
            heads.record(room, size, ONE)
        most = max(most, path.read_bytes().count(b"\n"))
    heads.close()
    assert most <= 3 * rollback_guard.GROWTH
    again = RollbackGuard(path)
    assert [again.highest(f"chn_{letter}") for letter in "abc"] == [(199, ONE)] * 3
    again.close()


def test_a_draft_that_a_dead_server_left_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "signed-heads.new").write_bytes(b"half")
    RollbackGuard(tmp_path / "signed-heads").close()
    assert os.listdir(tmp_path) == ["signed-heads"]


def test_a_head_that_cannot_be_written_is_not_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "signed-heads"
    heads = RollbackGuard(path)
    heads.record("chn_a", 1, ONE)
    write = os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda handle, data: write(handle, data[:7]))
        with pytest.raises(OSError, match="no room"):
            heads.record("chn_a", 2, ONE)
    assert heads.highest("chn_a") == (1, ONE)
    heads.record("chn_a", 2, TWO)
    heads.close()
    again = RollbackGuard(path)
    assert again.highest("chn_a") == (2, TWO)
    again.close()


def test_a_rewrite_that_fails_does_not_stop_the_signing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(rollback_guard, "COMPACT_FROM", 2)
    heads = RollbackGuard(tmp_path / "signed-heads")

    def refuse(*_: object) -> None:
        raise PermissionError("read-only")

    with monkeypatch.context() as broken:
        broken.setattr(os, "replace", refuse)
        for size in range(1, 9):
            heads.record("chn_a", size, ONE)
    heads.close()
    assert "cannot rewrite" in caplog.text
    again = RollbackGuard(tmp_path / "signed-heads")
    assert again.highest("chn_a") == (8, ONE)
    again.close()


def test_a_closed_record_takes_no_more(tmp_path: Path) -> None:
    heads = RollbackGuard(tmp_path / "signed-heads")
    heads.close()
    with pytest.raises(OSError, match="closed"):
        heads.record("chn_a", 1, ONE)
    assert heads.highest("chn_a") is None
