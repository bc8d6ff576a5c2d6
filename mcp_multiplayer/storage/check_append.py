"""Whether a change belongs at the end of a log: the one decision all keepers take alike."""

from __future__ import annotations

from typing import NamedTuple

from mcp_multiplayer.errors import HeadMoved
from mcp_multiplayer.storage.base import Append


class Head(NamedTuple):
    """As much of a log as a writer must know to extend it."""

    size: int  #: leaves so far
    hash: bytes  #: of the last one
    messages: int  #: so far


EMPTY = Head(0, b"", 0)


def follow(head: Head, change: Append) -> Head:
    """Return the head that ``change`` leads to.

    Raises `HeadMoved` when it was decided on another head, and ValueError when its
    leaves could follow no head at all: a gap in the numbers would make every later
    reader trust a log that lacks an entry, so it is refused at the last door.
    """
    if change.unconditional:
        if change.leaves:
            raise ValueError("an unconditional change has no leaves")
        return head
    if change.after != head.size or change.head != head.hash:
        raise HeadMoved(f"{change.channel_id} has {head.size} leaves; decided on {change.after}")
    for leaf in change.leaves:
        if leaf.number != head.size or leaf.messages < head.messages:
            raise ValueError(f"leaf {leaf.number} cannot be leaf {head.size} of its log")
        head = Head(leaf.number + 1, leaf.hash, leaf.messages)
    return head
