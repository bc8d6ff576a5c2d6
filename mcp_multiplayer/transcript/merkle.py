"""The RFC 6962 §2.1 tree over a log's leaves, one leaf at a time.

Only the *peaks* are kept: the roots of the complete subtrees of sizes 2^k that make
up the tree, largest first. Appending and taking the root cost O(log n), whatever
the log's length.
"""

from __future__ import annotations

import hashlib

EMPTY = hashlib.sha256(b"").digest()  #: RFC 6962: the root of a tree without leaves


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def push(size: int, peaks: tuple[bytes, ...], leaf: bytes) -> tuple[bytes, ...]:
    """Return the peaks of a tree of ``size`` leaves after one more, by its hash."""
    grown = [*peaks, leaf]
    while size & 1:
        right = grown.pop()
        grown[-1] = node_hash(grown[-1], right)
        size >>= 1
    return tuple(grown)


def root(peaks: tuple[bytes, ...]) -> bytes:
    """Return the root of the tree with these peaks."""
    if not peaks:
        return EMPTY
    top = peaks[-1]
    for peak in reversed(peaks[:-1]):
        top = node_hash(peak, top)
    return top
