"""Receipts: that an entry stands in a signed head, and that one head continues another. Proofs are
made over all leaf hashes, so they cost as much as the log is long: they are made on request, and on
a thread.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from mcp_multiplayer.service.replica import Replica, SignedHead, decode, step
from mcp_multiplayer.storage.base import Leaf, Store
from mcp_multiplayer.transcript import proofs

_BATCH = 2048


def first_leaves(store: Store, channel_id: str, size: int) -> Iterator[Leaf]:
    """The first ``size`` leaves of a log, in order; fewer where it has no more."""
    start = 0
    while start < size and (batch := store.leaves(channel_id, start, min(_BATCH, size - start))):
        yield from batch
        start += len(batch)


def write(room: Replica, head: SignedHead, entry: int | None, since: int | None) -> dict[str, Any]:
    """Return ``{receipt, leaf, of}`` of an entry (a C2SP tlog-proof; the entry's exact bytes, None
    when erased; what it is) and ``{consistency}``, the proof from size ``since``, as far as they
    are asked for.

    Reads the store and what it is given, so it may run on a thread of its own.
    """
    hashes: list[bytes] = []
    leaf = None
    for one in first_leaves(room.store, room.channel_id, head.size):
        hashes.append(one.hash)
        leaf = one if one.number == entry else leaf
    made: dict[str, Any] = {}
    if entry is not None and leaf is not None:
        proof = proofs.inclusion(hashes, entry)
        made["receipt"] = proofs.tlog_proof(entry, proof, head.note or "")
        made["leaf"] = None if leaf.erased else leaf.data.decode()
        made["of"] = _of(room, leaf)
    if since is not None:
        between = proofs.consistency(hashes, since)
        made["consistency"] = [base64.b64encode(one).decode() for one in between]
    return made


def _of(room: Replica, leaf: Leaf) -> dict[str, Any]:
    """What an entry is: its number and type, and the messages in it with their senders."""
    event = decode(leaf)
    shown = step(room.channel, event, leaf).messages
    messages = [{"id": message.id, "sender": message.sender} for message in shown]
    return {"entry": leaf.number, "type": type(event).__name__.lower(), "messages": messages}
