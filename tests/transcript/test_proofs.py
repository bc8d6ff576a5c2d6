"""Proofs of every tree up to forty leaves, against pymerkle, and false ones of every kind."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pymerkle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_multiplayer.transcript import merkle
from mcp_multiplayer.transcript.checkpoint import BadNote
from mcp_multiplayer.transcript.proofs import (
    consistency,
    inclusion,
    read_tlog_proof,
    tlog_proof,
    verify_consistency,
    verify_inclusion,
)

MOST = 40
HASHES = [merkle.leaf_hash(b"%d" % number) for number in range(MOST)]
NOTE = "origin\n1\nroot\n\n— origin AAAA\n"
ZEROS = bytes(32)


def root(size: int) -> bytes:
    peaks: tuple[bytes, ...] = ()
    for number, leaf in enumerate(HASHES[:size]):
        peaks = merkle.push(number, peaks, leaf)
    return merkle.root(peaks)


ROOTS = [root(size) for size in range(MOST + 1)]


@pytest.mark.parametrize("size", range(1, MOST + 1))
def test_every_leaf_is_in_every_tree_at_its_place_only(size: int) -> None:
    for index in range(size):
        proof = inclusion(HASHES, index, size)
        for place in range(size + 1):
            is_there = verify_inclusion(HASHES[index], place, size, proof, ROOTS[size])
            assert is_there == (place == index)


@pytest.mark.parametrize("new", range(MOST + 1))
def test_every_tree_is_continued_by_every_larger_one(new: int) -> None:
    for old in range(new + 1):
        proof = consistency(HASHES, old, new)
        assert verify_consistency(old, ROOTS[old], new, ROOTS[new], proof)
        assert not verify_consistency(old, ZEROS, new, ROOTS[new], proof)
        if old:
            assert not verify_consistency(old, ROOTS[old], new, ZEROS, proof)


@pytest.mark.parametrize("size", range(1, MOST + 1))
def test_inclusion_proofs_hold_the_hashes_that_pymerkle_sends(size: int) -> None:
    """In another order, and with the leaf. Its consistency proofs have other nodes: for those
    the oracle is Go (tests/interop)."""
    oracle = pymerkle.InmemoryTree(algorithm="sha256")
    for number in range(size):
        oracle.append_entry(b"%d" % number)
    assert oracle.get_root() == ROOTS[size]
    for index in range(size):
        sent = {
            bytes.fromhex(hash) for hash in oracle.prove_inclusion(index + 1).serialize()["path"]
        }
        assert sent == {HASHES[index], *inclusion(HASHES, index, size)}


@given(st.data())
def test_a_changed_proof_is_refused(data: st.DataObject) -> None:
    new = data.draw(st.integers(2, MOST))
    old = data.draw(st.integers(1, new - 1))
    asks: list[tuple[list[bytes], Callable[[list[bytes]], bool]]] = [
        (
            inclusion(HASHES, old, new),
            lambda proof: verify_inclusion(HASHES[old], old, new, proof, ROOTS[new]),
        ),
        (
            consistency(HASHES, old, new),
            lambda proof: verify_consistency(old, ROOTS[old], new, ROOTS[new], proof),
        ),
    ]
    for proof, verify in asks:
        assert verify(proof)
        place = data.draw(st.integers(0, len(proof) - 1))
        bit = data.draw(st.integers(0, 255))
        flipped = (int.from_bytes(proof[place], "big") ^ 1 << bit).to_bytes(32, "big")
        assert not verify([*proof[:place], flipped, *proof[place + 1 :]])
        assert not verify([*proof[:place], *proof[place + 1 :]])
        assert not verify([*proof[:place], ZEROS, *proof[place:]])
        assert not verify([*proof, ZEROS])
        assert not verify([*proof[:place], proof[place] + b"\0", *proof[place + 1 :]])


def test_the_empty_log_is_continued_by_all_under_its_one_root_only() -> None:
    assert verify_consistency(0, merkle.EMPTY, 0, merkle.EMPTY, [])
    assert not verify_consistency(0, ZEROS, 0, ZEROS, [])
    assert not verify_consistency(0, ZEROS, 3, ROOTS[3], [])
    assert not verify_consistency(0, merkle.EMPTY, 3, ROOTS[3], [ZEROS])
    assert not verify_consistency(3, ROOTS[3], 3, ROOTS[3], [ZEROS])


@pytest.mark.parametrize(("old", "new"), [(-1, 3), (4, 3), (3, -1)])
def test_heads_that_cannot_be_are_refused(old: int, new: int) -> None:
    assert not verify_consistency(old, ZEROS, new, ZEROS, [])
    with pytest.raises(ValueError, match="leaves"):
        consistency(HASHES, old, new)


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0), (0, MOST + 1)])
def test_leaves_that_cannot_be_are_refused(index: int, size: int) -> None:
    assert not verify_inclusion(HASHES[0], index, size, [], HASHES[0])
    with pytest.raises(ValueError, match="leaf"):
        inclusion(HASHES, index, size)


def test_a_node_is_no_leaf() -> None:
    """RFC 6962 puts another byte before each, so an inner node never passes for an entry."""
    inner = merkle.node_hash(HASHES[0], HASHES[1])
    assert not verify_inclusion(inner, 0, 4, inclusion(HASHES, 0, 4)[1:], ROOTS[4])
    assert merkle.leaf_hash(HASHES[0] + HASHES[1]) != inner


def test_an_endless_proof_is_refused() -> None:
    assert not verify_inclusion(HASHES[0], 0, 2**53, [ZEROS] * 65, ZEROS)


@given(st.integers(0, 2**53 - 1), st.lists(st.binary(min_size=32, max_size=32), max_size=64))
def test_a_receipt_reads_as_it_was_written(index: int, proof: list[bytes]) -> None:
    assert read_tlog_proof(tlog_proof(index, proof, NOTE)) == (index, proof, NOTE)


def test_a_receipt_is_written_as_c2sp_says() -> None:
    text = tlog_proof(7, [hashlib.sha256(b"").digest()], NOTE)
    assert text == (
        "c2sp.org/tlog-proof@v1\nindex 7\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n" + NOTE
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("@v1", "@v2"),
        lambda text: text.replace("index 7", "index 07"),
        lambda text: text.replace("index 7", "index -7"),
        lambda text: text.replace("index 7", "extra AAAA\nindex 7"),
        lambda text: text.replace("index 7\n", ""),
        lambda text: text.replace("U=\n", "V=\n"),
        lambda text: text.replace("U=\n", "U=\r\n"),
        lambda text: text.replace("47DE", "AAAA47DE"),
        lambda text: text.replace("\n\n", "\n", 1).replace("\n\n", "\n"),
        lambda text: text[: text.index("\n\n") + 2],
        lambda text: "\n" + text,
        lambda text: "",
        lambda text: tlog_proof(7, [bytes(32)] * 65, NOTE),
        lambda text: tlog_proof(7, [bytes(32)] * 100, NOTE),
    ],
)
def test_a_receipt_in_another_form_is_refused(change: Callable[[str], str]) -> None:
    with pytest.raises(BadNote):
        read_tlog_proof(change(tlog_proof(7, [hashlib.sha256(b"").digest()], NOTE)))


def test_a_head_is_not_continued_by_another_size_under_the_same_root() -> None:
    proof = consistency(HASHES, 2, 4)
    assert verify_consistency(2, ROOTS[2], 4, ROOTS[4], proof)
    assert not verify_consistency(2, ROOTS[2], 8, ROOTS[4], proof)


def test_an_empty_log_has_one_root_only() -> None:
    assert verify_consistency(0, ROOTS[0], 0, ROOTS[0], [])
    assert not verify_consistency(0, ROOTS[0], 0, ROOTS[1], [])


def test_what_is_no_hash_is_in_no_tree() -> None:
    for leaf in (b"", ROOTS[1] + b"\0"):
        assert not verify_inclusion(leaf, 0, 1, [], leaf)
