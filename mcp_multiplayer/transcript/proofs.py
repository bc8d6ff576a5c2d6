"""That an entry is in a head, and that one head continues another, shown by few hashes. On the
other side of the ``verify_`` functions is whoever wants a false head believed: every input is
theirs, none raises, and exactly one proof fits each question.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

from mcp_multiplayer.transcript.checkpoint import BadNote, number, unbase64
from mcp_multiplayer.transcript.merkle import EMPTY, node_hash

TLOG_PROOF = "c2sp.org/tlog-proof@v1"
MAX_PROOF = 64  #: hashes; a tree of 2^53 leaves needs 53


def inclusion(hashes: Sequence[bytes], index: int, size: int | None = None) -> list[bytes]:
    """Return the proof that leaf ``index`` is in the tree of the first ``size`` leaf hashes.

    Costs a hash for every leaf.
    """
    size = len(hashes) if size is None else size
    if not 0 <= index < size <= len(hashes):
        raise ValueError(f"no leaf {index} among {size}")
    level, proof = list(hashes[:size]), []
    while len(level) > 1:
        beside = index ^ 1
        if beside < len(level):  # the last of an odd level goes up as it is
            proof.append(level[beside])
        level, index = _up(level), index >> 1
    return proof


def consistency(hashes: Sequence[bytes], old: int, new: int | None = None) -> list[bytes]:
    """Return the proof that the tree of ``old`` leaves is the beginning of that of ``new``."""
    new = len(hashes) if new is None else new
    if not 0 <= old <= new <= len(hashes):
        raise ValueError(f"no {old} leaves before {new} of {len(hashes)}")
    if old in (0, new):
        return []
    return _subproof(hashes[:new], old, whole=True)


def verify_inclusion(
    leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> bool:
    """RFC 9162 §2.1.3.2: tell whether the proof leads from the leaf to the root."""
    if not 0 <= index < size or not _sound(proof) or len(leaf_hash) != 32:
        return False
    at, last, found = index, size - 1, leaf_hash
    for beside in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(beside, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, beside)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def verify_consistency(
    old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """RFC 9162 §2.1.4.2: tell whether the new head continues the old one.

    An empty log is continued by every log, each head by itself; both proofs are empty.
    """
    if not 0 <= old <= new or not _sound(proof):
        return False
    if old == new or old == 0:
        same = old_root == (new_root if old else EMPTY)
        return same and not proof and (new > 0 or new_root == EMPTY)
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = second = path[0]
    for beside in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            first, second = node_hash(beside, first), node_hash(beside, second)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            second = node_hash(second, beside)
        at, last = at >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root


def tlog_proof(index: int, proof: Sequence[bytes], note: str) -> str:
    """Write a receipt: the proof that an entry is in the head that the note signs."""
    hashes = "".join(f"{base64.b64encode(hash).decode()}\n" for hash in proof)
    return f"{TLOG_PROOF}\nindex {index}\n{hashes}\n{note}"


def read_tlog_proof(text: str) -> tuple[int, list[bytes], str]:
    """Return index, proof and note of a receipt, or raise `BadNote`.

    Neither proof nor note is checked here: see `verify_inclusion` and `open_note`.
    """
    above, blank, note = text.partition("\n\n")
    first, *rest = above.split("\n", MAX_PROOF + 3)
    if first != TLOG_PROOF or not blank or not note:
        raise BadNote(f"a receipt is {TLOG_PROOF}, an index, hashes, a blank line and a note")
    if not rest or not rest[0].startswith("index ") or len(rest) > MAX_PROOF + 1:
        raise BadNote("a receipt has one index and at most 64 hashes")
    proof = [unbase64(line, 32) for line in rest[1:]]
    return number(rest[0].removeprefix("index ")), proof, note


def _sound(proof: Sequence[bytes]) -> bool:
    return len(proof) <= MAX_PROOF and all(len(hash) == 32 for hash in proof)


def _up(level: Sequence[bytes]) -> list[bytes]:
    above = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    return [*above, level[-1]] if len(level) & 1 else above


def _root(level: Sequence[bytes]) -> bytes:
    while len(level) > 1:
        level = _up(level)
    return level[0]


def _subproof(hashes: Sequence[bytes], old: int, *, whole: bool) -> list[bytes]:
    """RFC 9162 §2.1.4.1: ``whole`` while the old tree's root is what the reader has."""
    size = len(hashes)
    if old == size:
        return [] if whole else [_root(hashes)]
    half = 1 << (size - 1).bit_length() - 1  # the largest power of two below size
    if old <= half:
        return [*_subproof(hashes[:half], old, whole=whole), _root(hashes[half:])]
    return [*_subproof(hashes[half:], old - half, whole=False), _root(hashes[:half])]
