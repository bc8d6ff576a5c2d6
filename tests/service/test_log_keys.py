"""The server's signing keys: found, published, rotated, and true to their rooms."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import joserfc.jwk
import pytest

from mcp_multiplayer.service.log_keys import (
    NOTES,
    PUBLISHED,
    LogKey,
    LogKeys,
    published_vkeys,
    rotate,
)
from mcp_multiplayer.transcript.checkpoint import BadNote, checkpoint, open_note

ORIGIN = "mp.example/c/chn_KAT"
ROOT = base64.b64decode("jF3+ixcphsAtH6YYTZrbcQ/4t8KgjKrP0WK0IlAV67s=")


def test_the_key_of_rfc_8037_has_its_thumbprint() -> None:
    seed = base64.urlsafe_b64decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
    jwk: dict[str, Any] = LogKey(seed).jwk()
    assert jwk == {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
        "use": "sig",
        "alg": "EdDSA",
    }
    assert joserfc.jwk.OKPKey.import_key(jwk).thumbprint() == jwk["kid"]


def test_the_known_key_signs_the_known_head() -> None:
    ring = LogKeys(LogKey(b"\1" * 32))
    vkey = ring.newest.vkey(ORIGIN)
    assert vkey == f"{ORIGIN}+30c31c48+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"
    note = ring.checkpoint(vkey, ORIGIN, 2, ROOT)
    assert note.endswith(
        f"\n\n— {ORIGIN} MMMcSArWdX2xuf3mQZrK6Hh59pHlXvghfCBBfuYbVb2/SNmjc5XJkm4lB6TCfGKt6PryZdk68"
        "TkF/QnoZp3Voky8dw0=\n"
    )


def test_a_first_start_makes_a_key_and_publishes_its_public_half(tmp_path: Path) -> None:
    directory = tmp_path / "keys"
    ring = LogKeys.load(directory)
    assert sorted(os.listdir(directory)) == [PUBLISHED, "log.key"]
    published = json.loads((directory / PUBLISHED).read_text())
    assert published == ring.jwks() == LogKeys.load(directory).jwks()
    assert published_vkeys(published, ORIGIN) == ring.vkeys(ORIGIN)
    secret = (directory / "log.key").read_bytes()
    assert base64.urlsafe_b64encode(secret).rstrip(b"=") not in (directory / PUBLISHED).read_bytes()


def test_rotated_keys_stay_and_the_newest_comes_first(tmp_path: Path) -> None:
    first = LogKeys.load(tmp_path).newest.kid
    os.utime(tmp_path / "log.key", (1, 1))
    assert rotate(tmp_path)[0] == first
    os.utime(tmp_path / "log.key", (2, 2))
    second, third = rotate(tmp_path)
    ring = LogKeys.load(tmp_path)
    assert [key.kid for key in ring.keys] == [third, second, first]
    assert [key["kid"] for key in json.loads((tmp_path / PUBLISHED).read_text())["keys"]] == [
        third,
        second,
        first,
    ]


def test_a_rotation_cut_short_shows_one_key_once(tmp_path: Path) -> None:
    key = LogKeys.load(tmp_path).newest
    os.link(tmp_path / "log.key", tmp_path / f"{key.file_name}.key")
    assert len(LogKeys.load(tmp_path).keys) == 1


def test_a_key_under_anothers_name_is_refused(tmp_path: Path) -> None:
    LogKeys.load(tmp_path)
    (tmp_path / "log-aaaaaaaaaaaaaaaa.key").write_bytes(b"\1" * 32)
    with pytest.raises(OSError, match="another key"):
        LogKeys.load(tmp_path)


def test_a_room_goes_on_under_its_old_key_and_moves_with_both_signatures() -> None:
    ring = LogKeys(LogKey(b"\2" * 32), LogKey(b"\1" * 32))
    new, old = ring.vkeys(ORIGIN)
    assert open_note(ring.checkpoint(old, ORIGIN, 2, ROOT), [new, old]).signers == (old,)
    vkey, note = ring.rotation(ORIGIN, old)
    assert vkey == new
    assert open_note(note, [old]).text == open_note(note, [new]).text == f"{new}\n"
    assert open_note(note, [new, old]).signers == (old, new)
    assert ring.by_vkey(old) is ring.keys[1]


def test_a_key_that_is_not_here_signs_nothing() -> None:
    ring = LogKeys(LogKey(b"\1" * 32))
    other = LogKey(b"\2" * 32).vkey(ORIGIN)
    assert ring.by_vkey(other) is None
    for vkey in (other, ring.newest.vkey("mp.example/c/chn_other")):
        with pytest.raises(LookupError, match="restore"):
            ring.checkpoint(vkey, ORIGIN, 2, ROOT)
        with pytest.raises(LookupError):
            ring.rotation(ORIGIN, vkey)
    with pytest.raises(BadNote):
        ring.by_vkey("nonsense")


def test_a_head_asked_for_again_is_signed_once() -> None:
    ring = LogKeys(LogKey(b"\1" * 32))
    vkey = ring.newest.vkey(ORIGIN)
    first = ring.checkpoint(vkey, ORIGIN, 1, ROOT)
    for size in range(2, NOTES + 1):
        ring.checkpoint(vkey, ORIGIN, size, ROOT)
    assert ring.checkpoint(vkey, ORIGIN, 1, ROOT) is first
    ring.checkpoint(vkey, ORIGIN, NOTES + 1, ROOT)
    assert ring.checkpoint(vkey, ORIGIN, 1, ROOT) is first
    other = ring.checkpoint(vkey, ORIGIN, 1, bytes(32))
    assert open_note(other, [vkey]).text == checkpoint(ORIGIN, 1, bytes(32))
