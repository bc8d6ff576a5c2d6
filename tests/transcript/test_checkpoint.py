"""Notes and heads: the known answers of verifiable-channels §9, and every way to bend one."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mcp_multiplayer.transcript import merkle
from mcp_multiplayer.transcript.checkpoint import (
    COSIGNATURE,
    MAX_NOTE,
    BadNote,
    Checkpoint,
    checkpoint,
    invite_fingerprint,
    key_id,
    open_note,
    read_checkpoint,
    read_vkey,
    signature,
    signed,
    vkey,
)

ORIGIN = "mp.example/c/chn_KAT"
VKEY = f"{ORIGIN}+30c31c48+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"
ROOT = base64.b64decode("jF3+ixcphsAtH6YYTZrbcQ/4t8KgjKrP0WK0IlAV67s=")
HEAD = f"{ORIGIN}\n2\njF3+ixcphsAtH6YYTZrbcQ/4t8KgjKrP0WK0IlAV67s=\n"
LINE = (
    f"— {ORIGIN} MMMcSArWdX2xuf3mQZrK6Hh59pHlXvghfCBBfuYbVb2/SNmjc5XJkm4lB6TCfGKt6PryZdk68TkF/Qno"
    "Zp3Voky8dw0=\n"
)
WITNESS = (
    "— alice.example/w 0/nzSgAAAABrAKckRItzEC05cVml7JZL4LjEpfEuOrqWE/5BQ7fPYtNcMEcNplsF3QFkBFeHE1M+"
    "OrOP4lYnj2nCWTX5LrZShs6eBg==\n"
)
SERVER = Ed25519PrivateKey.from_private_bytes(b"\1" * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(b"\2" * 32)


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


WITNESS_KEY = vkey("alice.example/w", public(OTHER), COSIGNATURE)


def note(text: str = HEAD, name: str = ORIGIN, key: Ed25519PrivateKey = SERVER) -> str:
    return signed(text, name, public(key), key.sign)


def test_the_key_is_written_as_known_and_read_back() -> None:
    assert vkey(ORIGIN, public(SERVER)) == VKEY
    assert read_vkey(VKEY) == (ORIGIN, public(SERVER))


def test_the_head_of_two_leaves_is_signed_as_known() -> None:
    leaves = (
        b'{"i":0,"t":"genesis"}',
        b'{"i":1,"p":"n1ucGXTYQUFY9oMe3xT0kcXKMTVfToSLklD1y-g3wPY","t":"close","ts":1}',
    )
    root = merkle.node_hash(*map(merkle.leaf_hash, leaves))
    assert checkpoint(ORIGIN, 2, root) == HEAD
    assert note() == f"{HEAD}\n{LINE}"
    assert open_note(note(), [VKEY]).signers == (VKEY,)
    assert read_checkpoint(open_note(note(), [VKEY]).text) == Checkpoint(ORIGIN, 2, ROOT)


def test_a_witness_line_verifies_with_the_same_code() -> None:
    opened = open_note(f"{HEAD}\n{LINE}{WITNESS}", [VKEY, WITNESS_KEY])
    assert opened.signers == (VKEY, WITNESS_KEY)
    assert open_note(f"{HEAD}\n{WITNESS}", [WITNESS_KEY]).text == HEAD


@pytest.mark.parametrize("cut", [0, 7, 8, 71])
def test_a_short_witness_line_is_refused(cut: int) -> None:
    made = base64.b64decode(WITNESS.split(" ")[2])
    line = f"— alice.example/w {base64.b64encode(made[: 4 + cut]).decode()}\n"
    with pytest.raises(BadNote):
        open_note(f"{HEAD}\n{line}", [WITNESS_KEY])


def test_a_witness_line_with_a_byte_too_many_is_refused() -> None:
    made = base64.b64decode(WITNESS.split(" ")[2]) + b"\0"
    line = f"— alice.example/w {base64.b64encode(made).decode()}\n"
    with pytest.raises(BadNote, match="does not verify"):
        open_note(f"{HEAD}\n{line}", [WITNESS_KEY])


def test_a_blank_line_in_the_text_belongs_to_the_text() -> None:
    text = f"first\n\n{LINE}"
    opened = open_note(note(text), [VKEY])
    assert opened.text == text


def test_a_note_is_not_read_beyond_its_limit_whoever_signed_it() -> None:
    assert len(note("a" * (MAX_NOTE // 2) + "\n")) < MAX_NOTE
    with pytest.raises(BadNote, match="at most"):
        open_note(note("a" * MAX_NOTE + "\n"), [VKEY])


def test_a_witness_key_signs_no_heads() -> None:
    with pytest.raises(BadNote, match="type 4"):
        read_vkey(WITNESS_KEY)


def test_the_example_of_the_go_package_opens() -> None:
    """The one of golang.org/x/mod/sumdb/note: key, text and signature are not ours."""
    peter = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    text = (
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n"
    )
    line = (
        "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdn"
        "gotpRZb6KE6RyyBwJnAM=\n"
    )
    opened = open_note(f"{text}\n{line}", [peter])
    assert opened.text == text


def test_unknown_keys_are_ignored_also_under_a_known_name() -> None:
    unknown = signature(HEAD, ORIGIN, public(OTHER), lambda _: b"\0" * 64)
    assert open_note(note() + unknown, [VKEY]).signers == (VKEY,)
    assert open_note(f"{HEAD}\n{WITNESS}{LINE}", [VKEY]).signers == (VKEY,)


def test_a_known_key_that_does_not_verify_spoils_the_note() -> None:
    bad = signature(HEAD, ORIGIN, public(SERVER), lambda _: b"\0" * 64)
    for lines in (LINE + bad, bad + LINE, bad):
        with pytest.raises(BadNote, match="does not verify"):
            open_note(f"{HEAD}\n{lines}", [VKEY])


def test_a_note_that_nobody_known_signed_is_refused() -> None:
    for vkeys in ([], [vkey(ORIGIN, public(OTHER))], [WITNESS_KEY]):
        with pytest.raises(BadNote, match="nobody"):
            open_note(note(), vkeys)


def test_a_note_of_one_room_never_verifies_in_another() -> None:
    elsewhere = vkey("mp.example/c/chn_other", public(SERVER))
    with pytest.raises(BadNote, match="nobody"):
        open_note(note(), [elsewhere])
    renamed = note().replace(f"— {ORIGIN}", "— mp.example/c/chn_other")
    with pytest.raises(BadNote, match="nobody"):
        open_note(renamed, [elsewhere])


def test_two_keys_sign_one_text() -> None:
    new = vkey(ORIGIN, public(OTHER))
    text = f"{new}\n"
    both = note(text) + signature(text, ORIGIN, public(OTHER), OTHER.sign)
    assert open_note(both, [VKEY, new]) == open_note(both, (VKEY, new))
    assert open_note(both, [VKEY, new]).signers == (VKEY, new)
    assert open_note(both, [new]).signers == (new,)


def test_every_flipped_bit_of_a_note_is_refused() -> None:
    whole = note().encode()
    for bit in range(len(whole) * 8):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            text = changed.decode()
        except UnicodeDecodeError:
            continue
        with pytest.raises(BadNote):
            open_note(text, [VKEY])


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("0=\n", "1=\n"),  # spare bits of the last character
        lambda text: text.replace("0=\n", "0\n"),
        lambda text: text.replace("0=\n", "0==\n"),
        lambda text: text.replace("0=\n", "0=\n\n"),
        lambda text: text.replace("0=\n", "0=\r\n"),
        lambda text: text.replace("0=\n", "0= \n"),
        lambda text: text.replace("— ", "- "),
        lambda text: text.replace("— ", "—"),
        lambda text: text.replace("— ", "—  "),
        lambda text: text.replace("\n2\n", "\n2\r\n"),
        lambda text: text.replace("\n\n", "\n"),
        lambda text: text[:-1],
        lambda text: text + "x",
        lambda text: text + "\n",
        lambda text: text + LINE[:-1],
        lambda text: text + LINE * 100,
        lambda text: text + "— a+b AAAAAAA=\n",
        lambda text: text + "— ab AAAA\n",
        lambda text: text + "— \ud800 AAAAAAA=\n",
        lambda text: text + "— ab \ud800\n",
        lambda text: text + "— ab AAAAAAA\n",
        lambda text: text + "— ab AAAAAA==\n",  # an id and no signature
        lambda text: HEAD,
        lambda text: "",
        lambda text: "\n\n",
        lambda text: "a" * 100_001,
        lambda text: "\ud800" + text,
        lambda text: "\0" + text,
    ],
)
def test_a_note_in_another_form_is_refused(change: Callable[[str], str]) -> None:
    with pytest.raises(BadNote):
        open_note(change(note()), [VKEY])


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "extension\n",
        HEAD + "\n",
        HEAD[:-1],
        "\n" + HEAD,
        HEAD.replace("\n2\n", "\n02\n"),
        HEAD.replace("\n2\n", "\n+2\n"),
        HEAD.replace("\n2\n", "\n-2\n"),
        HEAD.replace("\n2\n", "\n2 \n"),
        HEAD.replace("\n2\n", "\n\u0662\n"),
        HEAD.replace("\n2\n", "\n2_0\n"),
        HEAD.replace("\n2\n", "\n\n"),
        HEAD.replace("\n2\n", "\n9007199254740992\n"),
        HEAD.replace("s=\n", "t=\n"),
        HEAD.replace("s=\n", "s\n"),
        HEAD.replace("+", "-"),
        HEAD.replace(ORIGIN, ""),
        HEAD.replace(ORIGIN, "mp.example /c"),
        HEAD.replace(ORIGIN, "mp.example+c"),
        HEAD.replace(ORIGIN, "\ud800"),
        f"{ORIGIN}\n2\n{base64.b64encode(ROOT[:31]).decode()}\n",
        "",
    ],
)
def test_a_head_in_another_form_is_refused(text: str) -> None:
    with pytest.raises(BadNote):
        read_checkpoint(text)


@pytest.mark.parametrize(
    ("origin", "size", "root"),
    [("a\nb", 1, ROOT), ("", 1, ROOT), (ORIGIN, -1, ROOT), (ORIGIN, 2**53, ROOT), (ORIGIN, 1, b"")],
)
def test_a_head_that_could_not_be_read_is_not_written(origin: str, size: int, root: bytes) -> None:
    with pytest.raises(BadNote):
        checkpoint(origin, size, root)


@pytest.mark.parametrize(
    "text",
    [
        VKEY.replace("30c31c48", "30c31c49"),
        VKEY.replace("30c31c48", "30C31C48"),
        VKEY.replace(ORIGIN, "mp.example/c/chn_KAU"),
        VKEY.replace("+AYqI", "+BYqI"),
        VKEY[:-4],
        VKEY + "=",
        VKEY + "\n",
        " " + VKEY,
        "mp.example",
        "a+b",
        VKEY.replace(ORIGIN, "\ud800"),
        VKEY.replace("AYqI", "\ud800YqI"),
        "",
        f"{ORIGIN}+{hashlib.sha256(ORIGIN.encode() + bytes([10, 2]) + bytes(32)).hexdigest()[:8]}+"
        + base64.b64encode(b"\2" + bytes(32)).decode(),
    ],
)
def test_a_key_in_another_form_is_refused(text: str) -> None:
    with pytest.raises(BadNote):
        read_vkey(text)


def test_a_key_needs_a_name_that_can_be_read_back() -> None:
    for name in ("", "a b", "a+b", "a\nb", "a\u00a0b", "a\ud800", "a" * 257):
        with pytest.raises(BadNote):
            vkey(name, bytes(32))


def test_a_text_with_control_characters_is_not_signed() -> None:
    for text in ("no line end", "tab\there\n", "null\0\n"):
        with pytest.raises(BadNote):
            note(text)


def test_the_fingerprint_of_an_invite_is_that_of_its_words() -> None:
    said = f"mpx/invite/1\n{VKEY}\n{HEAD}".encode()
    by_hand = base64.b32encode(hashlib.sha256(said).digest())[:28].decode()
    assert invite_fingerprint(VKEY, ORIGIN, 2, ROOT) == by_hand
    assert invite_fingerprint(VKEY, ORIGIN, 3, ROOT) != by_hand


def test_ids_differ_by_name_and_type() -> None:
    key = public(SERVER)
    assert len({key_id("a", key), key_id("b", key), key_id("a", key, COSIGNATURE)}) == 3
