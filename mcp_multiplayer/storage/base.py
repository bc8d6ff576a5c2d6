"""The promise a store makes. Read this before any implementation of it.

A store keeps, for each channel, one append-only log of *leaves* (the canonical
bytes of entries) and a set of *rows* beside it: what the log commits to but does not
show (private bodies, sources, referees' state) and what only speeds things up
(indexes, snapshots, marks). A store understands neither; it never parses a leaf.

Trust: an attacker who can write here can stall or forget a channel and impersonate
the server's indexes; what the log says he cannot change without the log's readers
seeing it. Invite codes and tokens are here only as hashes; private bodies and
referees' state stand here in clear.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol


class Table(StrEnum):
    """What a row is. The comment says what losing the table would mean."""

    TOKEN = "token"  #: sha256 of a live invite code or rejoin token -> seat; lost: links are dead
    ACCOUNT = "account"  #: account that created or sits here; lost: list_channels forgets
    NETWORK = (
        "network"  #: its creator's (`fair_queue.Owner`); lost: it is counted among the unknown
    )
    PAST = "past"  #: the same in a room that was closed, and when; lost: likewise
    BOT = "bot"  #: referee's state and its cursor in the log; lost: the game
    BLOB = "blob"  #: source text by its hash; lost: the referee cannot run
    PRIVATE = "private"  #: salted private bodies; lost: their readers see only the digest
    POSTED = "posted"  #: recent idempotency keys; lost: a repeated call posts twice
    MARK = "mark"  #: how far each seat has read; lost: messages are given again
    SEEN = "seen"  #: terms an account has inspected; lost: TERMS_CHANGED is not noticed
    LOG = "log"  #: what referees printed, for the room's creator
    TIMER = "timer"  #: when a channel's next clock runs out; lost: not before somebody comes
    LISTED = "listed"  #: a room that anybody may watch; lost: only links lead to it
    SNAPSHOT = "snapshot"  #: a fold of the log; may be thrown away at any time


@dataclass(frozen=True)
class Row:
    """``value`` None deletes. (table, channel_id, key) is the identity."""

    table: Table
    channel_id: str
    key: str
    value: bytes | None


class Leaf(NamedTuple):
    """One entry as it is kept. Of an ``erased`` one ``data`` is what is left (`channel.erasure`),
    and ``hash`` that of the bytes that it had."""

    number: int  #: place in the log, from 0
    ts: int  #: milliseconds since the epoch; for a run, its input's
    messages: int  #: messages in the channel up to and including this entry
    hash: bytes  #: RFC 6962 leaf hash, 32 bytes
    data: bytes
    erased: bool = False


@dataclass(frozen=True)
class Append:
    """One all-or-nothing change of one channel.

    ``after`` is the number of leaves and ``head`` the hash of the last one that the
    change was decided on (``b""`` for an empty log). ``leaves`` may be empty: then
    only the rows change and the head is still checked, unless ``unconditional``.
    """

    channel_id: str
    after: int
    head: bytes
    leaves: Sequence[Leaf] = ()
    rows: Sequence[Row] = field(default=())
    unconditional: bool = False  #: rows only (marks, inspections): no head to race for


class Store(Protocol):
    """All methods may be called from any thread and never block on another caller's commit
    longer than it takes to read a page.

    Calls about one channel are serializable and read their own acknowledged writes, across
    threads, processes and restarts. Calls about different channels promise nothing about
    each other, except that concurrent appends may share one flush.
    """

    def append(self, change: Append) -> Future[None]:
        """Add ``change.leaves`` directly after the current head together with the rows.

        The future is done when all of it survives a crash of the machine. It raises
        `HeadMoved` when the log's head is not ``(after, head)``, and `Unavailable` when
        the disk refuses; then nothing has changed. Changes submitted in order for one
        channel are applied in that order. Cancelling the future changes nothing.
        """

    def head(self, channel_id: str) -> Leaf | None:
        """Return the last leaf, or None when nothing was ever appended."""

    def leaves(self, channel_id: str, start: int, limit: int) -> list[Leaf]:
        """Return at most ``limit`` leaves from index ``start`` on, in order."""

    def leaves_after_message(self, channel_id: str, message: int, limit: int) -> list[Leaf]:
        """Return at most ``limit`` leaves that hold messages above ``message``, in order.

        The first one may also hold messages up to ``message``; leaves without messages
        are left out. The cost depends on ``limit``, not on the length of the log.
        """

    def get(self, table: Table, channel_id: str, key: str) -> bytes | None:
        """Return the row's value, or None."""

    def scan(self, table: Table, channel_id: str) -> list[tuple[str, bytes]]:
        """Return (key, value) of all rows of the table in this channel, by key."""

    def find(self, table: Table, key: str) -> list[tuple[str, bytes]]:
        """Return (channel_id, value) of every channel's row with this key, by channel id."""

    def close(self) -> None:
        """Finish what was submitted and let go of the disk. Calling it twice is fine."""
