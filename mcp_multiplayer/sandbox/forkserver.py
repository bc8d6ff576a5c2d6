"""The host's hold on one zygote.

On the other side is our own code, holding children that may have fallen to a bot:
they have no way to this socket, but if it breaks in any way the zygote is killed and
the kernel ends its children with it (tests/sandbox/test_pool.py).
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any, NamedTuple

from mcp_multiplayer.errors import Unavailable
from mcp_multiplayer.sandbox.isolation import Walls
from mcp_multiplayer.sandbox.zygote import DATAGRAM

log = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).with_name("zygote.py")
#: Not -I or -E: they would ignore PYTHONHASHSEED. HOME stops look-ups for a .netrc.
ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "TZ": "UTC",
    "LANG": "C.UTF-8",
    "HOME": "/nonexistent",
}
_CONTROL_FD = 3
NOT_HERE = f"Bots run on Linux only, and this server runs on {sys.platform}."


class Death(NamedTuple):
    """How a worker ended: its exit code, negative for a signal, and the CPU seconds it used.
    Neither is known if the zygote went with it."""

    status: int | None = None
    cpu: float | None = None


class ForkServer:
    """Starts a zygote, asks it for workers, hears of their deaths."""

    def __init__(self, allowance: dict[str, Any], hash_seed: int = 0) -> None:
        self.allowance = allowance
        self.environment = ENVIRONMENT | {"PYTHONHASHSEED": str(hash_seed)}
        self.walls = Walls()  #: what the zygote found on this machine
        self.pid = 0
        self.lost = False  #: no worker can be had from this one any more
        self._deaths: dict[int, asyncio.Future[Death]] = {}
        self._job = 0

    async def start(self, seconds: float) -> None:
        """Spawn the zygote and wait until it can fork; Unavailable if it does not come up."""
        if sys.platform != "linux":
            raise Unavailable(NOT_HERE, hint="The server's operator can use: docker compose up")
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setblocking(False)
        self._loop.add_reader(self._control, self._hear)
        try:
            with theirs:
                self.pid = self._spawn(theirs.fileno())
            async with asyncio.timeout(seconds):
                await self._ready
        except OSError as error:  # TimeoutError and ConnectionError among them
            await self.close()
            raise Unavailable(
                "The bot sandbox could not be started on this server.",
                hint="The server's log has the reason; tell its operator.",
            ) from error

    def _spawn(self, theirs: int) -> int:
        arguments = [
            sys.executable,
            "-s",
            "-P",
            str(PROGRAM),
            str(_CONTROL_FD),
            str(os.getpid()),
            str(ROOT),
            json.dumps(self.allowance),
        ]
        return os.posix_spawn(
            sys.executable,
            arguments,
            self.environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDWR, 0),
                (os.POSIX_SPAWN_DUP2, 0, 1),
                (os.POSIX_SPAWN_DUP2, theirs, _CONTROL_FD),
            ],
            setsigdef=[signal.SIGPIPE],
        )

    def fork(self, answers: socket.socket) -> tuple[int, asyncio.Future[Death]]:
        """Ask for a worker: its job number, and a future that knows how it ended."""
        self._job += 1
        death: asyncio.Future[Death] = self._loop.create_future()
        if self.lost:
            death.set_result(Death())
        else:
            self._deaths[self._job] = death
            self._send({"fork": self._job}, [answers.fileno()])
        return self._job, death

    def kill(self, job: int) -> None:
        """End a worker, whatever it is doing; nothing happens if it has ended."""
        if job in self._deaths:
            self._send({"kill": job}, [])

    def _send(self, command: dict[str, int], fds: list[int]) -> None:
        try:
            socket.send_fds(self._control, [json.dumps(command).encode()], fds)
        except OSError:  # gone, or so stuck that hundreds of commands wait
            self._lose()

    def _hear(self) -> None:
        try:
            while data := self._control.recv(DATAGRAM):
                self._take(json.loads(data))
        except BlockingIOError:
            return
        except OSError as error:
            log.error("the sandbox zygote's control socket broke: %s", error)
        self._lose()

    def _take(self, event: dict[str, Any]) -> None:
        if "ready" in event and not self._ready.done():
            self.walls = Walls.from_json(event["walls"])
            self._ready.set_result(None)
        death = self._deaths.pop(event.get("dead", 0), None)
        if death is not None and not death.done():
            death.set_result(Death(event["status"], event["cpu"]))

    def _lose(self) -> None:
        if self.lost:
            return
        self.lost = True
        self._loop.remove_reader(self._control)
        self._control.close()
        if not self._ready.done():
            self._ready.set_exception(ConnectionError("the zygote ended while starting"))
        self._kill()
        for death in self._deaths.values():
            if not death.done():
                death.set_result(Death())
        self._deaths.clear()

    def _kill(self) -> None:
        if not self.pid:  # kill(0) would hit our own process group
            return
        try:
            os.kill(self.pid, signal.SIGKILL)  # not reaped yet, so the pid is still its own
        except ProcessLookupError:
            return

    async def close(self) -> None:
        """End the zygote and with it every worker; returns when it is gone."""
        self._lose()
        while self.pid:
            done, status = os.waitpid(self.pid, os.WNOHANG)  # noqa: ASYNC222 does not wait
            if done:
                log.info("sandbox zygote ended with %s", os.waitstatus_to_exitcode(status))
                self.pid = 0
            else:
                await asyncio.sleep(0.005)
