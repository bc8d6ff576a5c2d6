"""Any sequence of good and stale changes: every keeper answers as a page of plain Python does."""

from __future__ import annotations

import tempfile
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_multiplayer.errors import HeadMoved
from mcp_multiplayer.storage.base import Append, Leaf, Row, Store, Table
from mcp_multiplayer.storage.memory import MemoryStore
from mcp_multiplayer.storage.sqlite import SqliteStore

CHANNELS = st.sampled_from(["chn_a", "chn_b"])
TABLES = st.sampled_from([Table.TOKEN, Table.BOT])
KEYS = st.sampled_from(["", "k", "k2", "\u00e9", "\U0001f600"])


class Model:
    """The promise of ``base``, said once more as slowly as possible."""

    def __init__(self) -> None:
        self.logs: dict[str, list[Leaf]] = {}
        self.rows: dict[tuple[Table, str, str], bytes] = {}

    def append(self, change: Append) -> bool:
        log = self.logs.setdefault(change.channel_id, [])
        if not change.unconditional and (change.after, change.head) != (len(log), head_hash(log)):
            return False
        log.extend(change.leaves)
        for row in change.rows:
            self.rows.pop((row.table, row.channel_id, row.key), None)
            if row.value is not None:
                self.rows[row.table, row.channel_id, row.key] = row.value
        return True

    def said_after(self, channel_id: str, message: int) -> list[Leaf]:
        log = self.logs.get(channel_id, [])
        counts = [0, *(leaf.messages for leaf in log)]
        return [
            leaf
            for leaf, had in zip(log, counts, strict=False)
            if leaf.messages > had and leaf.messages > message
        ]


def head_hash(log: list[Leaf]) -> bytes:
    return log[-1].hash if log else b""


@st.composite
def changes(draw: st.DrawFn, model: Model) -> Append:
    channel_id = draw(CHANNELS)
    log = model.logs.get(channel_id, [])
    # Most changes are decided on the head, some on an older one.
    seen = log if draw(st.integers(0, 3)) else log[: draw(st.integers(0, len(log)))]
    leaves = list(seen)
    unconditional = draw(st.booleans()) and draw(st.booleans())
    for said in [] if unconditional else draw(st.lists(st.integers(0, 2), max_size=4)):
        messages = (leaves[-1].messages if leaves else 0) + said
        data, erased = draw(st.binary(max_size=8)), draw(st.booleans())
        ts = draw(st.integers(0, 9))
        leaves.append(Leaf(len(leaves), ts, messages, draw(HASHES), data, erased))
    rows = draw(st.lists(st.builds(Row, TABLES, st.just(channel_id), KEYS, VALUES), max_size=4))
    new = tuple(leaves[len(seen) :])
    return Append(channel_id, len(seen), head_hash(seen), new, rows, unconditional)


HASHES = st.binary(min_size=32, max_size=32)
VALUES = st.none() | st.binary(max_size=8)


def check_reads(store: Store, model: Model, data: st.DataObject) -> None:
    draw = data.draw
    channel_id, table, key = draw(CHANNELS), draw(TABLES), draw(KEYS)
    start, limit = draw(st.integers(0, 12)), draw(st.integers(0, 12))
    log = model.logs.get(channel_id, [])
    rows = model.rows
    assert store.head(channel_id) == (log[-1] if log else None)
    assert store.leaves(channel_id, start, limit) == log[start : start + limit]
    said = model.said_after(channel_id, start)
    assert store.leaves_after_message(channel_id, start, limit) == said[:limit]
    assert store.get(table, channel_id, key) == rows.get((table, channel_id, key))
    assert store.scan(table, channel_id) == sorted(
        (name, value)
        for (tab, where, name), value in rows.items()
        if (tab, where) == (table, channel_id)
    )
    assert store.find(table, key) == sorted(
        (where, value) for (tab, where, name), value in rows.items() if (tab, name) == (table, key)
    )


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_keeper_answers_as_the_model_does(data: st.DataObject) -> None:
    model = Model()
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(MemoryStore()) as memory,
        closing(SqliteStore(Path(folder) / "channels.db")) as sqlite,
    ):
        for _ in range(data.draw(st.integers(1, 5), label="batches")):
            submitted: list[tuple[Future[None], bool]] = []
            for _ in range(data.draw(st.integers(1, 6), label="changes")):
                change = data.draw(changes(model))
                accepted = model.append(change)
                for store in (memory, sqlite):
                    submitted.append((store.append(change), accepted))
            for future, accepted in submitted:
                fault = future.exception()
                assert fault is None if accepted else isinstance(fault, HeadMoved)
            for store in (memory, sqlite):
                check_reads(store, model, data)
