"""Logs in dicts, for tests and demonstrations: every promise but surviving the process."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from mcp_multiplayer.errors import HeadMoved, Unavailable
from mcp_multiplayer.storage.base import Append, Leaf, Row, Table
from mcp_multiplayer.storage.check_append import EMPTY, Head, follow


@dataclass
class _Log:
    head: Head = EMPTY
    leaves: list[Leaf] = field(default_factory=list)
    said: list[Leaf] = field(default_factory=list)  #: those that hold messages
    said_up_to: list[int] = field(default_factory=list)  #: their ``messages``, for bisection


class MemoryStore:
    """One lock around everything; a future is done when `append` returns it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._closed = False
        self._logs: dict[str, _Log] = {}
        self._of_channel: dict[tuple[Table, str], dict[str, bytes]] = {}
        self._of_key: dict[tuple[Table, str], dict[str, bytes]] = {}

    def append(self, change: Append) -> Future[None]:
        done: Future[None] = Future()
        try:
            with self._lock:
                self._apply(change)
        except (HeadMoved, Unavailable, ValueError) as fault:
            done.set_exception(fault)
        else:
            done.set_result(None)
        return done

    def _apply(self, change: Append) -> None:
        if self._closed:
            raise Unavailable("the store is closed")
        log = self._logs.get(change.channel_id) or _Log()
        # Whatever can be refused is refused here, before anything is touched.
        head = follow(log.head, change)
        if change.leaves:
            _extend(log, change.leaves)
            log.head = head
            self._logs[change.channel_id] = log
        for row in change.rows:
            self._put(row)

    def _put(self, row: Row) -> None:
        by_key = self._of_channel.setdefault((row.table, row.channel_id), {})
        by_channel = self._of_key.setdefault((row.table, row.key), {})
        if row.value is None:
            by_key.pop(row.key, None)
            by_channel.pop(row.channel_id, None)
        else:
            by_key[row.key] = by_channel[row.channel_id] = row.value

    def head(self, channel_id: str) -> Leaf | None:
        with self._lock:
            log = self._logs.get(channel_id)
            return log.leaves[-1] if log else None

    def leaves(self, channel_id: str, start: int, limit: int) -> list[Leaf]:
        with self._lock:
            log = self._logs.get(channel_id) or _Log()
            return log.leaves[max(start, 0) : max(start, 0) + max(limit, 0)]

    def leaves_after_message(self, channel_id: str, message: int, limit: int) -> list[Leaf]:
        with self._lock:
            log = self._logs.get(channel_id) or _Log()
            first = bisect_right(log.said_up_to, message)
            return log.said[first : first + max(limit, 0)]

    def get(self, table: Table, channel_id: str, key: str) -> bytes | None:
        with self._lock:
            return self._of_channel.get((table, channel_id), {}).get(key)

    def scan(self, table: Table, channel_id: str) -> list[tuple[str, bytes]]:
        with self._lock:
            return sorted(self._of_channel.get((table, channel_id), {}).items())

    def find(self, table: Table, key: str) -> list[tuple[str, bytes]]:
        with self._lock:
            return sorted(self._of_key.get((table, key), {}).items())

    def close(self) -> None:
        with self._lock:
            self._closed = True


def _extend(log: _Log, leaves: Sequence[Leaf]) -> None:
    messages = log.head.messages
    for leaf in leaves:
        log.leaves.append(leaf)
        if leaf.messages > messages:
            log.said.append(leaf)
            log.said_up_to.append(leaf.messages)
            messages = leaf.messages
