"""Secrets in files: made once, kept when renewed, whole whenever the machine stops."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mcp_multiplayer.service import key_files


def test_a_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    directory = tmp_path / "keys"
    key = key_files.load(directory, "log")
    assert key_files.load(directory, "log") == key
    assert len(key) == key_files.LENGTH
    assert (directory / "log.key").stat().st_mode & 0o777 == 0o600
    assert os.listdir(directory) == ["log.key"]


def test_a_cut_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log.key").write_bytes(b"short")
    with pytest.raises(OSError, match="restore it"):
        key_files.load(tmp_path, "log")


def test_a_renewed_key_is_another_and_the_old_one_is_kept(tmp_path: Path) -> None:
    old = key_files.load(tmp_path, "log")
    key_files.renew(tmp_path, "log", keep_as="log-old")
    assert key_files.load(tmp_path, "log") != old
    assert key_files.load(tmp_path, "log-old") == old
    assert sorted(os.listdir(tmp_path)) == ["log-old.key", "log.key"]


def test_renewing_goes_on_where_it_was_cut_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = key_files.load(tmp_path, "log")

    def stop(*_: object) -> None:
        raise InterruptedError

    with monkeypatch.context() as broken:
        broken.setattr(os, "replace", stop)
        with pytest.raises(InterruptedError):
            key_files.renew(tmp_path, "log", keep_as="log-old")
    assert key_files.load(tmp_path, "log") == key_files.load(tmp_path, "log-old") == old
    key_files.renew(tmp_path, "log", keep_as="log-old")
    assert key_files.load(tmp_path, "log") != key_files.load(tmp_path, "log-old") == old


def test_what_is_published_is_replaced_only_when_it_differs(tmp_path: Path) -> None:
    path = tmp_path / "public"
    key_files.publish(path, "one")
    before = path.stat()
    key_files.publish(path, "one")
    assert path.stat().st_ino == before.st_ino
    key_files.publish(path, "two")
    assert path.read_text() == "two"
    assert os.listdir(tmp_path) == ["public"]
