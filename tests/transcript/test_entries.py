"""Known answers of verifiable-channels §9, and every way a chain can be broken."""

from __future__ import annotations

import base64

import pymerkle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_multiplayer.errors import BrokenLog
from mcp_multiplayer.transcript import merkle
from mcp_multiplayer.transcript.canonical_json import NotCanonical, canonical
from mcp_multiplayer.transcript.entries import MAX_ENTRY, Head, b64u, place, verify


def log(n: int = 4) -> list[bytes]:
    head, leaves = Head(), []
    for number in range(n):
        data, head = place(head, {"t": "msg", "n": number}, 1000 + number)
        leaves.append(data)
    return leaves


def test_known_answer_of_two_leaves() -> None:
    first = canonical({"i": 0, "t": "genesis"})
    link = b64u(merkle.leaf_hash(first))
    assert link == "n1ucGXTYQUFY9oMe3xT0kcXKMTVfToSLklD1y-g3wPY"
    second = canonical({"i": 1, "p": link, "t": "close", "ts": 1})
    peaks = merkle.push(1, merkle.push(0, (), merkle.leaf_hash(first)), merkle.leaf_hash(second))
    assert base64.b64encode(merkle.root(peaks)).decode() == (
        "jF3+ixcphsAtH6YYTZrbcQ/4t8KgjKrP0WK0IlAV67s="
    )


def test_an_empty_log_has_the_root_of_rfc_6962() -> None:
    assert Head().root.hex().startswith("e3b0c442")


@pytest.mark.parametrize("size", range(1, 71))
def test_the_tree_agrees_with_pymerkle(size: int) -> None:
    oracle = pymerkle.InmemoryTree(algorithm="sha256")
    head = Head()
    for number in range(size):
        data, head = place(head, {"t": "x", "n": number}, number)
        oracle.append_entry(data)
    assert head.root == oracle.get_root()


def test_a_fresh_log_verifies_to_its_head() -> None:
    head = Head()
    for number in range(4):
        _, head = place(head, {"t": "msg", "n": number}, 1000 + number)
    assert verify(log()) == head


def test_time_never_runs_backwards_in_what_we_write() -> None:
    first, head = place(Head(), {"t": "msg"}, 2000)
    second, head = place(head, {"t": "msg"}, 1000)
    assert b'"ts":2000' in second
    assert verify([first, second]).ts == 2000


def test_a_run_carries_no_time() -> None:
    _, head = place(Head(), {"t": "msg"}, 5)
    data, head = place(head, {"t": "run"}, 9)
    assert b'"ts"' not in data


def test_an_erased_entry_stands_there_by_its_hash() -> None:
    leaves = log()
    hashes = [merkle.leaf_hash(leaf) for leaf in leaves]
    erased = [leaves[0], None, *leaves[2:]]
    assert verify(erased, hashes) == verify(leaves)
    with pytest.raises(BrokenLog, match="hash is not here"):
        verify(erased)
    with pytest.raises(BrokenLog) as caught:
        verify(erased, [*hashes[:1], b"\0" * 32, *hashes[2:]])
    assert caught.value.entry == 2


def test_every_flipped_bit_is_noticed() -> None:
    leaves = log(3)
    whole = verify(leaves)
    for index, leaf in enumerate(leaves):
        for bit in range(len(leaf) * 8):
            changed = bytearray(leaf)
            changed[bit // 8] ^= 1 << bit % 8
            try:
                head = verify([*leaves[:index], bytes(changed), *leaves[index + 1 :]])
            except BrokenLog:
                continue
            assert head != whole


@pytest.mark.parametrize(
    "change",
    [
        lambda leaves: [leaves[1], leaves[0], *leaves[2:]],
        lambda leaves: [*leaves[:2], leaves[1], *leaves[2:]],
        lambda leaves: leaves[1:],
        lambda leaves: [leaves[0], *leaves[2:]],
        lambda leaves: [leaves[0].replace(b":", b": "), *leaves[1:]],
        lambda leaves: [b'{"i":0,"i":0,"t":"msg","ts":1000}', *leaves[1:]],
        lambda leaves: [b"[" * 100_000, *leaves[1:]],
        lambda leaves: [b"\xff", *leaves[1:]],
        lambda leaves: [b'{"i":0,"n":NaN,"t":"msg","ts":1000}'],
        lambda leaves: [b'{"i":0,"n":5e1,"t":"msg","ts":1000}'],
        lambda leaves: [b'{"i":0,"n":9007199254740992,"t":"msg","ts":1000}'],
        lambda leaves: [b'{"i":0,"n":"\\ud800","t":"msg","ts":1000}'],
        lambda leaves: [b'{"i":0,"t":"run","ts":1000}'],
        lambda leaves: [b'{"i":0,"t":"msg"}'],
        lambda leaves: [b'{"i":0,"ts":1}'],
        lambda leaves: [b'{"i":0,"t":"msg","ts":true}'],
        lambda leaves: [b'{"i":0,"more":1,"t":"msg","ts":1}'],
        lambda leaves: [b'{"i":0,"more":false,"t":"msg","ts":1}'],
        lambda leaves: [canonical({"i": 0, "t": "msg", "text": "a" * MAX_ENTRY, "ts": 1})],
        lambda leaves: [b"7"],
    ],
)
def test_a_broken_log_is_refused(change: object) -> None:
    with pytest.raises(BrokenLog):
        verify(change(log()))  # type: ignore[operator]


def test_an_entry_over_the_cap_does_not_fit() -> None:
    with pytest.raises(NotCanonical):
        place(Head(), {"t": "x", "text": "a" * MAX_ENTRY}, 0)


@given(st.integers(0, 200))
def test_peaks_are_the_binary_form_of_the_size(size: int) -> None:
    peaks: tuple[bytes, ...] = ()
    for number in range(size):
        peaks = merkle.push(number, peaks, merkle.leaf_hash(b"%d" % number))
    assert len(peaks) == size.bit_count()
