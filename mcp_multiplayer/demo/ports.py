"""Ports for what a test starts by number."""

from __future__ import annotations

import os
import socket

#: Below those that the kernel gives to connections, of which any may be taken meanwhile.
_FIRST, _EACH, _WORKERS = 12_000, 2_000, 10
_given = 0


def unused() -> int:
    """A port that nobody uses. Each worker of pytest-xdist has a range of its own; where in it this
    process begins depends on its number, for there may be other runs."""
    global _given
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    start = _FIRST + worker % _WORKERS * _EACH
    for _ in range(_EACH):
        port = start + (os.getpid() * 7 + _given) % _EACH
        _given += 1
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise RuntimeError(f"nobody leaves a port free from {start} on")
