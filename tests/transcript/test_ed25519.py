"""Our Ed25519 against OpenSSL's, and the inputs on which lenient verifiers disagree."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from hypothesis import given
from hypothesis import strategies as st

from mcp_multiplayer.transcript.ed25519 import L, P, verify

SEEDS = st.binary(min_size=32, max_size=32)

#: RFC 8032 section 7.1: tests 1, 2 and 3.
RFC_8032 = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e3970"
        "1cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613"
        "d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760"
        "984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]

#: Every encoding of the eight points of small order, the non-canonical ones too.
SMALL = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
]


def openssl(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def signed(seed: bytes, message: bytes) -> tuple[bytes, bytes]:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    return key.public_key().public_bytes_raw(), key.sign(message)


@pytest.mark.parametrize(("public", "message", "signature"), RFC_8032)
def test_the_vectors_of_rfc_8032_verify(public: str, message: str, signature: str) -> None:
    assert verify(*map(bytes.fromhex, (public, message, signature)))


@given(SEEDS, st.binary(max_size=80))
def test_what_openssl_signs_verifies(seed: bytes, message: bytes) -> None:
    public, signature = signed(seed, message)
    assert verify(public, message, signature)


@given(SEEDS, st.binary(min_size=1, max_size=40), st.data())
def test_a_flipped_bit_anywhere_is_refused(
    seed: bytes, message: bytes, data: st.DataObject
) -> None:
    public, signature = signed(seed, message)
    whole = bytearray(public + signature + message)
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    whole[bit // 8] ^= 1 << bit % 8
    changed = bytes(whole[:32]), bytes(whole[96:]), bytes(whole[32:96])
    assert not verify(*changed)
    assert not openssl(*changed)


@given(SEEDS, st.binary(max_size=40))
def test_s_plus_l_is_no_second_signature(seed: bytes, message: bytes) -> None:
    public, signature = signed(seed, message)
    s = int.from_bytes(signature[32:], "little") + L
    assert not verify(public, message, signature[:32] + s.to_bytes(32, "little"))


@pytest.mark.parametrize("encoded", SMALL)
def test_a_key_of_small_order_signs_nothing(encoded: str) -> None:
    """With R of small order too and s = 0 lenient verifiers take one message in eight."""
    public = bytes.fromhex(encoded)
    for r in SMALL:
        for message in (b"", b"a", b"b", b"c"):
            assert not verify(public, message, bytes.fromhex(r) + bytes(32))


def test_the_small_order_attempt_is_a_real_one() -> None:
    """OpenSSL takes some of them: so it is our check that refuses, not bad luck."""
    neutral = bytes.fromhex(SMALL[0])
    assert openssl(neutral, b"anything", neutral + bytes(32))
    assert not verify(neutral, b"anything", neutral + bytes(32))


def test_a_key_that_is_no_point_or_not_in_canonical_form_is_refused() -> None:
    _, signature = signed(bytes(32), b"hello")
    for y in (2, P, P + 3, P + 18):  # 2 is on no point; 3 and 18 + P fit into 255 bits
        assert not verify(y.to_bytes(32, "little"), b"hello", signature)


@pytest.mark.parametrize("cut", [0, 1, 31, 32, 63, 65, 96])
def test_other_lengths_are_refused(cut: int) -> None:
    public, signature = signed(bytes(32), b"hello")
    assert not verify(public, b"hello", (signature * 2)[:cut])
    if cut != 32:
        assert not verify((public * 4)[:cut], b"hello", signature)
