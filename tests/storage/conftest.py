"""One store of each kind, and logs to put into them."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from mcp_multiplayer.errors import HeadMoved
from mcp_multiplayer.storage.base import Append, Leaf, Row, Store, Table
from mcp_multiplayer.storage.memory import MemoryStore
from mcp_multiplayer.storage.sqlite import SqliteStore

KEEPERS: dict[str, Callable[[Path], Store]] = {
    "memory": lambda folder: MemoryStore(),
    "sqlite": lambda folder: SqliteStore(folder / "channels.db"),
}


@pytest.fixture(params=KEEPERS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    kept = KEEPERS[request.param](tmp_path)
    yield kept
    kept.close()


class Log:
    """What one writer knows of its channel: it decides as if every change were accepted."""

    def __init__(self, channel_id: str) -> None:
        self.channel_id = channel_id
        self.leaves: list[Leaf] = []

    def change(self, said: Sequence[int] = (1,), rows: Sequence[Row] = ()) -> Append:
        """The next change: one leaf for each number of messages in ``said``."""
        after, head = len(self.leaves), self.leaves[-1].hash if self.leaves else b""
        for count in said:
            number = len(self.leaves)
            messages = (self.leaves[-1].messages if self.leaves else 0) + count
            data = b"%s %d" % (self.channel_id.encode(), number)
            digest = hashlib.sha256(b"\0" + data).digest()
            self.leaves.append(Leaf(number, 1000 + number, messages, digest, data))
        return Append(self.channel_id, after, head, tuple(self.leaves[after:]), rows)


@pytest.fixture
def log() -> Callable[[str], Log]:
    return Log


@pytest.fixture
def race() -> Callable[[list[Store], int], None]:
    return _race


def _race(stores: list[Store], rounds: int) -> None:
    """Let every store's thread append ``rounds`` times, deciding again whenever it was late."""

    def write(store: Store, name: str) -> None:
        for n in range(rounds):
            while True:
                seen = Log("c")
                seen.leaves.extend(store.leaves("c", 0, 1000))
                change = seen.change([1], [Row(Table.BOT, "c", f"{name} {n}", b"")])
                fault = store.append(change).exception()
                if fault is None:
                    wins.append((len(seen.leaves), f"{name} {n}"))
                    break
                assert isinstance(fault, HeadMoved)

    wins: list[tuple[int, str]] = []
    threads = [
        threading.Thread(target=write, args=(store, str(number)))
        for number, store in enumerate(stores)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = rounds * len(stores)
    assert sorted(place for place, _ in wins) == list(range(1, total + 1))
    for store in stores:
        assert [leaf.number for leaf in store.leaves("c", 0, 1000)] == list(range(total))
        assert [key for key, _ in store.scan(Table.BOT, "c")] == sorted(name for _, name in wins)
