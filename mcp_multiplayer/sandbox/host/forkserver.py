"""The host's hold on one zygote.

On the other side is our own code (`sandbox/worker/zygote.py`), holding children that may have
fallen to a bot: they have no way to this socket, but if it breaks in any way the zygote is killed
and the kernel ends its children with it (tests/sandbox/host/test_pool.py).
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

from mcp_multiplayer.errors import Unavailable
from mcp_multiplayer.sandbox.jail.isolation import Walls

log = logging.getLogger(__name__)
#: Where modules are is told, so that all may be found in one file, too (verifier.pyz).
#: Its arguments: what `main` is told, whether libraries lie elsewhere, where modules are found.
PROGRAM = """
import sys
_, arguments, moved, *sys.path = sys.argv
del sys.argv[1:]
if moved == "True":
    from mcp_multiplayer.sandbox.worker import scatter
    scatter.begin_loading()
import json
told = json.loads(arguments)
from mcp_multiplayer.sandbox.worker.zygote import main
main(told)
"""
#: Not -I or -E: they would ignore PYTHONHASHSEED. HOME stops look-ups for a .netrc.
ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "TZ": "UTC",
    "LANG": "C.UTF-8",
    "HOME": "/nonexistent",
}
_CONTROL_FD = 3
_numbers = itertools.count()
_LONGEST = 4096  #: of a report
#: Seconds in which a zygote that is hung up on has ended its workers and itself.
_GRACE = 5.0
NOT_HERE = f"Bots run on Linux only, and this server runs on {sys.platform}."


@dataclass(frozen=True)
class Surroundings:
    """What a process has that no log holds, and another one has otherwise."""

    hash_seed: int = 0  #: decides the order of sets
    scattered: bool = False  #: the objects of each worker lie elsewhere
    moved: bool = False  #: what libraries made lies elsewhere, too; takes half a second to start
    path: tuple[str, ...] = ()  #: where modules are found; (): where this process finds them


HERE = Surroundings()
#: Where a hook comes to something else if it depends on any of that.
ELSEWHERE = Surroundings(hash_seed=1, scattered=True)


class Death(NamedTuple):
    """How a worker ended: its exit code, negative for a signal, and the CPU seconds it used.
    Neither is known if the zygote went with it."""

    status: int | None = None
    cpu: float | None = None


class ForkServer:
    """Starts a zygote, asks it for workers, hears of their deaths."""

    def __init__(
        self,
        allowance: dict[str, int],
        surroundings: Surroundings = HERE,
        without: Collection[str] = (),
        library: str = "",
    ) -> None:
        """``allowance``: of each worker, the fields of `confinement.Allowance`. ``without``:
        walls to leave out. ``library``: what most sources import as `referee`, a text of ours."""
        self._told = {
            "control": _CONTROL_FD,
            "host": os.getpid(),
            "number": next(_numbers),
            "scattered": surroundings.scattered,
            "allowance": allowance,
            "without": sorted(without),
            "library": library,
        }
        path = [os.path.abspath(entry or os.curdir) for entry in surroundings.path or sys.path]
        self._arguments = [json.dumps(self._told), str(surroundings.moved), *path]
        self._environment = ENVIRONMENT | {"PYTHONHASHSEED": str(surroundings.hash_seed)}
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
        program = ["-s", "-S", "-P", "-B", "-c", PROGRAM, *self._arguments]
        return os.posix_spawn(
            sys.executable,
            [sys.executable, *program],
            self._environment,
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
            while data := self._control.recv(_LONGEST):
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
        """Let go of a zygote that can be trusted with nothing any more."""
        self._hang_up()
        self._kill()

    def _hang_up(self) -> None:
        if self.lost:
            return
        self.lost = True
        self._loop.remove_reader(self._control)
        self._control.close()
        if not self._ready.done():
            self._ready.set_exception(ConnectionError("the zygote ended while starting"))
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
        """End every worker and the zygote; returns when they are gone.

        The zygote waits for its workers itself. Of one that was killed they are the kernel's to
        end, which it does later than it buries the zygote.
        """
        if self._ready.done():
            self._hang_up()
        else:
            self._lose()
        killed_at = self._loop.time() + _GRACE
        while self.pid:
            done, status = os.waitpid(self.pid, os.WNOHANG)  # noqa: ASYNC222 does not wait
            if done:
                log.info("sandbox zygote ended with %s", os.waitstatus_to_exitcode(status))
                self.pid = 0
            else:
                if self._loop.time() > killed_at:
                    self._kill()
                await asyncio.sleep(0.005)
