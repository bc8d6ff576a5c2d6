"""What tests all over the tree share."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from tests.pair import Pair


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Each call names another port that nobody uses at the moment."""
    seen: set[int] = set()

    def find() -> int:
        while True:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = int(probe.getsockname()[1])
            if port not in seen:
                seen.add(port)
                return port

    return find


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """The real pair, shared by every test that harms nobody; who kills starts one of his own."""
    running = Pair(tmp_path_factory.mktemp("pair"), supervised=True, MAX_CHANNELS_PER_ACCOUNT="500")
    try:
        yield running.start()
    finally:
        running.stop()
