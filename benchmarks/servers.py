"""The processes under measurement: how they start, what they use, how they end."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 30.0
STOP_SECONDS = 10.0


@dataclass(frozen=True)
class Process:
    """One program that listens."""

    pid: int
    port: int

    def cpu(self) -> float:
        """Seconds of processor time so far, all threads, by its own clock (Linux)."""
        return time.clock_gettime(~self.pid << 3 | 2)

    def rss(self) -> int:
        """Bytes of memory it occupies now."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Pair:
    """Ours: the proxy is what clients see."""

    proxy: Process
    server: Process

    @property
    def port(self) -> int:
        return self.proxy.port

    def cpu(self) -> float:
        return self.proxy.cpu() + self.server.cpu()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def pair(data_dir: Path, ports: tuple[int, int] | None = None) -> Iterator[Pair]:
    """Both our processes on ``data_dir``, with no limit in the way and all else as shipped.

    Tokens are good for the address that issued them: a restart takes the same ``ports``.
    """
    proxy, server = ports or (free_port(), free_port())
    settings = {
        "DATA_DIR": str(data_dir),
        "PROXY_PORT": str(proxy),
        "MCP_PORT": str(server),
        "RATE_LIMIT": "0",
        "BOT_HOOKS_PER_MINUTE": "1000000",
        "MAX_SEATS": "33",
        "TRUSTED_PROXIES": "127.0.0.1",  # who watches comes from many addresses
        "LOG_LEVEL": "INFO",
    }
    log = data_dir / "benchmark.log"
    with (
        running("multiplayer_server.py", server, settings, log) as inner,
        running("oauth_proxy.py", proxy, settings, log) as outer,
    ):
        yield Pair(outer, inner)


@contextmanager
def bare(data_dir: Path) -> Iterator[Process]:
    """The reference, see `bare_server`."""
    port = free_port()
    with running("benchmarks/bare_server.py", port, {}, data_dir / "bare.log", str(port)) as one:
        yield one


@contextmanager
def running(
    program: str, port: int, settings: dict[str, str], log: Path, *arguments: str
) -> Iterator[Process]:
    with log.open("ab") as lines:
        child = subprocess.Popen(
            [sys.executable, program, *arguments],
            cwd=ROOT,
            env={**os.environ, **settings},
            stdin=subprocess.DEVNULL,
            stdout=lines,
            stderr=lines,
        )
    try:
        _await_port(child, port, program, log)
        yield Process(child.pid, port)
    finally:
        child.terminate()
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _await_port(child: subprocess.Popen[bytes], port: int, program: str, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if child.poll() is not None:
            raise RuntimeError(f"{program} ended at once:\n{log.read_text()[-2000:]}")
        try:
            socket.create_connection(("127.0.0.1", port), 0.5).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"{program} does not listen on {port}")
