"""Tests that run at the same time start their servers on different ports."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from mcp_multiplayer.demo import ports
from mcp_multiplayer.demo.pair import Pair


def taken(monkeypatch: pytest.MonkeyPatch, worker: str) -> set[int]:
    monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
    return {ports.unused() for _ in range(300)}


def test_two_workers_are_never_given_the_same_port(monkeypatch: pytest.MonkeyPatch) -> None:
    of = {worker: taken(monkeypatch, worker) for worker in ("gw0", "gw1", "gw2", "gw3")}
    assert len(set().union(*of.values())) == 4 * 300


@pytest.mark.skipif(not Path("/proc/sys/net/ipv4").exists(), reason="asks Linux")
def test_no_connection_of_somebody_elses_can_take_the_port_meanwhile(tmp_path: Path) -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    pair = Pair(tmp_path)
    given = {ports.unused(), *(int(base.rpartition(":")[2]) for base in (pair.base, pair._inner))}
    assert max(given) < lowest


def test_a_port_somebody_listens_on_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    first = ports.unused()
    with socket.create_server(("127.0.0.1", first)):
        monkeypatch.setattr(ports, "_given", ports._given - 1)
        assert ports.unused() != first
