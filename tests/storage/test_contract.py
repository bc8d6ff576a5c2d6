"""The promise in ``storage/base.py``, asked of every keeper."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest

from mcp_multiplayer.errors import HeadMoved, Unavailable
from mcp_multiplayer.storage.base import Append, Row, Store, Table
from mcp_multiplayer.storage.commits import to_future

Writer = Callable[[str], Any]  #: the fixture ``log``
Race = Callable[[list[Store], int], None]


def test_a_log_is_read_as_it_was_written(store: Store, log: Writer) -> None:
    kept = log("c")
    store.append(kept.change([0, 1, 2])).result()
    store.append(kept.change([1])).result()
    assert store.leaves("c", 0, 10) == kept.leaves
    assert store.leaves("c", 1, 2) == kept.leaves[1:3]
    assert store.leaves("c", 4, 10) == []
    assert store.leaves("c", 0, 0) == []
    assert store.head("c") == kept.leaves[-1]


def test_an_unknown_channel_is_empty(store: Store) -> None:
    assert store.head("nowhere") is None
    assert store.leaves("nowhere", 0, 10) == []
    assert store.leaves_after_message("nowhere", 0, 10) == []
    assert store.get(Table.BOT, "nowhere", "k") is None
    assert store.scan(Table.BOT, "nowhere") == []
    assert store.find(Table.BOT, "k") == []


def test_an_erased_leaf_keeps_its_hash(store: Store, log: Writer) -> None:
    kept = log("c")
    change = kept.change([1])
    erased = change.leaves[0]._replace(data=b"left", erased=True)
    store.append(replace(change, leaves=(erased,))).result()
    store.append(kept.change([1])).result()
    assert store.leaves("c", 0, 2) == [erased, kept.leaves[1]]


def test_the_second_writer_is_told_and_changes_nothing(store: Store, log: Writer) -> None:
    kept, late = log("c"), log("c")
    store.append(kept.change(rows=[Row(Table.BOT, "c", "k", b"first")])).result()
    lost = store.append(late.change([1, 1], [Row(Table.BOT, "c", "k", b"late")]))
    with pytest.raises(HeadMoved):
        lost.result()
    assert store.leaves("c", 0, 10) == kept.leaves
    assert store.get(Table.BOT, "c", "k") == b"first"


@pytest.mark.parametrize("fault", [{"after": 0}, {"after": 2}, {"head": b""}, {"head": b"\1" * 32}])
def test_number_and_hash_must_both_be_the_heads(
    store: Store, log: Writer, fault: dict[str, Any]
) -> None:
    store.append(log("c").change()).result()
    rows = (Row(Table.BOT, "c", "k", b"v"),)
    kept = log("c")
    kept.change()
    right = Append("c", 1, kept.leaves[0].hash, (), rows)
    with pytest.raises(HeadMoved):
        store.append(replace(right, **fault)).result()
    assert store.get(Table.BOT, "c", "k") is None
    store.append(right).result()
    assert store.get(Table.BOT, "c", "k") == b"v"


def test_an_unconditional_change_races_for_nothing(store: Store, log: Writer) -> None:
    store.append(log("c").change()).result()
    mark = Append("c", 0, b"", rows=(Row(Table.MARK, "c", "seat", b"1"),), unconditional=True)
    store.append(mark).result()
    assert store.get(Table.MARK, "c", "seat") == b"1"
    assert store.append(replace(log("d").change(), unconditional=True)).exception() is not None
    assert store.head("d") is None


def test_a_gap_is_refused(store: Store, log: Writer) -> None:
    change = log("c").change([1, 1, 1])
    for leaves in (change.leaves[1:], change.leaves[::2], change.leaves[::-1]):
        with pytest.raises(ValueError, match="cannot be leaf"):
            store.append(replace(change, leaves=leaves)).result()
    assert store.head("c") is None


def test_changes_are_applied_in_the_order_of_submission(store: Store, log: Writer) -> None:
    logs = [log(f"c{n}") for n in range(5)]
    futures = [
        store.append(kept.change([1], [Row(Table.BOT, kept.channel_id, "k", b"%d" % n)]))
        for n in range(40)
        for kept in logs
    ]
    assert [future.exception() for future in futures] == [None] * 200
    for kept in logs:
        assert store.leaves(kept.channel_id, 0, 99) == kept.leaves
        assert store.get(Table.BOT, kept.channel_id, "k") == b"39"


def test_a_stale_change_spoils_none_of_its_neighbours(store: Store, log: Writer) -> None:
    kept, late = log("c"), log("c")
    futures = [
        store.append(kept.change()),
        store.append(late.change()),
        store.append(kept.change()),
    ]
    faults = [future.exception() for future in futures]
    assert faults[0] is None
    assert isinstance(faults[1], HeadMoved)
    assert faults[2] is None
    assert store.leaves("c", 0, 9) == kept.leaves


def test_cancelling_changes_nothing(store: Store, log: Writer) -> None:
    kept = log("c")
    futures = [store.append(kept.change()) for _ in range(50)]
    for future in futures:
        future.cancel()
    store.append(kept.change()).result()
    assert store.leaves("c", 0, 99) == kept.leaves


def test_messages_are_found_past_leaves_that_hold_none(store: Store, log: Writer) -> None:
    kept = log("c")
    store.append(kept.change([0, 2, 0, 0, 1, 3, 0])).result()
    leaves = kept.leaves
    assert store.leaves_after_message("c", 0, 9) == [leaves[1], leaves[4], leaves[5]]
    assert store.leaves_after_message("c", 1, 9) == [leaves[1], leaves[4], leaves[5]]
    assert store.leaves_after_message("c", 2, 1) == [leaves[4]]
    assert store.leaves_after_message("c", 5, 9) == [leaves[5]]
    assert store.leaves_after_message("c", 6, 9) == []
    assert store.leaves_after_message("c", 0, 0) == []


def test_rows_are_put_replaced_and_deleted_in_order(store: Store, log: Writer) -> None:
    kept = log("c")
    rows = [
        Row(Table.BOT, "c", key, value)
        for key, value in [
            ("a", b"1"),
            ("b", b"1"),
            ("a", b"2"),
            ("b", None),
            ("d", None),
            ("d", b""),
        ]
    ]
    store.append(kept.change(rows=rows)).result()
    assert store.scan(Table.BOT, "c") == [("a", b"2"), ("d", b"")]
    store.append(kept.change([], [Row(Table.BOT, "c", "a", None)])).result()
    assert store.scan(Table.BOT, "c") == [("d", b"")]
    assert store.get(Table.BOT, "c", "a") is None
    assert store.find(Table.BOT, "a") == []


def test_tables_channels_and_keys_are_apart(store: Store, log: Writer) -> None:
    for channel in ("c2", "c1"):
        rows = [
            Row(table, channel, key, f"{table}/{channel}/{key}".encode())
            for table in Table
            for key in ("z", "\U0001f600", "\ufffd", "a", "")
        ]
        store.append(log(channel).change(rows=rows)).result()
    for table in Table:
        scanned = store.scan(table, "c1")
        assert [key for key, _ in scanned] == ["", "a", "z", "\ufffd", "\U0001f600"]
        assert store.get(table, "c2", "z") == f"{table}/c2/z".encode()
        found = [(channel, f"{table}/{channel}/a".encode()) for channel in ("c1", "c2")]
        assert store.find(table, "a") == found


def test_many_threads_race_for_one_log_and_lose_nothing(store: Store, race: Race) -> None:
    race([store] * 4, 15)


def test_closing_finishes_what_was_submitted(store: Store, log: Writer) -> None:
    kept = log("c")
    futures = [store.append(kept.change()) for _ in range(30)]
    store.close()
    assert all(future.done() and future.exception() is None for future in futures)
    store.close()
    with pytest.raises(Unavailable):
        store.append(kept.change()).result()


async def test_a_coroutine_can_await_it(store: Store, log: Writer) -> None:
    kept, late = log("c"), log("c")
    await to_future(store.append(kept.change()))
    await asyncio.wrap_future(store.append(kept.change()))
    with pytest.raises(HeadMoved):
        await to_future(store.append(late.change()))
    waiting = to_future(store.append(kept.change()))
    waiting.cancel()
    await to_future(store.append(kept.change()))
    assert store.leaves("c", 0, 9) == kept.leaves


async def test_a_cancelled_future_lands_cancelled() -> None:
    done: Future[None] = Future()
    landing = to_future(done)
    done.cancel()
    with pytest.raises(asyncio.CancelledError):
        await landing
