"""What both processes do to themselves before they serve."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import IO, Any, NoReturn

import uvicorn
from starlette.types import ASGIApp

from mcp_multiplayer.config import BadSetting, Settings
from mcp_multiplayer.edge.uvicorn_protocol import Http1Protocol

DESCRIPTORS = 65_536
BACKLOG = 2048
KEEP_ALIVE_SECONDS = (
    75  #: longer than any pool's in front of us, else idle connections lose requests
)
SHUTDOWN_SECONDS = 5
LOCK_SECONDS = 3.0  #: for a server that is just ending

#: The logger above all of ours.
OURS = "mcp_multiplayer"


def lock(settings: Settings, program: str) -> AbstractContextManager[object]:
    """Have DATA_DIR for this process alone, or raise `BadSetting`: of two servers on one database
    neither wakes the readers of the other. The kernel's lock ends with the process, however that
    ends. A store that is no file in DATA_DIR needs none."""
    if settings.database_url:
        return nullcontext()
    path = settings.data_dir / f"{program}.lock"
    where = f"DATA_DIR={settings.data_dir.absolute()}"
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+")
        until = time.monotonic() + LOCK_SECONDS
        while not _locked(file):
            if time.monotonic() > until:
                other = file.read(20).strip() or "unknown"
                file.close()
                raise BadSetting(
                    f"{where}: another {program} works there (process {other}); stop that one,"
                    " or give this one a directory of its own"
                )
            time.sleep(0.05)
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
    except OSError as error:
        raise BadSetting(
            f"{where}: {path.name} cannot be locked ({error.strerror}); use a directory of this"
            " user on a disk of this machine"
        ) from None
    return file


def _locked(file: IO[str]) -> bool:
    """Whether this process has the lock now. Raise OSError where there are no locks."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # the second is what Windows says
        return False
    return True


class Server(uvicorn.Server):
    """uvicorn's; ``stop`` is awaited when a signal has come, before anything is closed."""

    def __init__(self, config: uvicorn.Config, stop: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config)
        self._stop = stop

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._stop()
        await super().shutdown(sockets)


def run(name: str, serve: Callable[[], None]) -> None:
    """Call ``serve`` and turn its `BadSetting` into one line; a signal ends without an error."""
    # uvicorn hands its signals on when it has shut down.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    try:
        serve()
    except BadSetting as error:
        sys.stderr.write(f"{name}: {error}\n")
        sys.exit(2)


def _leave(number: int, frame: object) -> NoReturn:
    # start_servers repeats what a Ctrl-C has said already; that must not cut the closing short.
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, signal.SIG_IGN)
    sys.exit(0)


def configure_logging(level: str) -> None:
    """Our own loggers at ``level``, every library at WARNING: at DEBUG they print whole
    requests, tokens included."""
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    logging.getLogger(OURS).setLevel(level)


def listen(host: str, port: int, setting: str) -> list[socket.socket]:
    """Bind ``host``:``port``, or raise `BadSetting` naming who has to give way."""
    # `localhost` is ::1 for some programs; where there is no IPv6 it is not missed.
    hosts = ["127.0.0.1", "::1"] if host in ("127.0.0.1", "localhost") else [host]
    sockets: list[socket.socket] = []
    for one in hosts:
        try:
            sockets.append(_bind(one, port))
        except OSError as error:
            if sockets and one == "::1":
                continue
            raise BadSetting(
                f"{setting}={port}: cannot listen on {one}"
                f" ({error.strerror}); stop what uses it or choose another port"
            ) from None
    return sockets


def _bind(host: str, port: int) -> socket.socket:
    family, kind, _, _, address = socket.getaddrinfo(
        host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    bound = socket.socket(family, kind)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address[0] != "::")
        bound.bind(address)
        bound.listen(BACKLOG)
    except OSError:
        bound.close()
        raise
    return bound


def raise_descriptor_limit() -> None:
    """A thousand waiting polls are two thousand sockets; common soft limits are 1,024."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def web(app: ASGIApp, **more: Any) -> uvicorn.Config:
    """How both processes serve HTTP; ``more`` are further uvicorn settings."""
    return uvicorn.Config(
        app,
        http=Http1Protocol,
        **more,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        backlog=BACKLOG,
    )


def calm_the_collector() -> None:
    """What is loaded now stays: the collector need not look at it again, and seldom at the
    rest. With the defaults its pauses are the 99th percentile (`benchmarks/`)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
