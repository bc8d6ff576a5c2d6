"""The verifier's hold on the process that hooks are forked from.

On the other side is our own code, whose children run a stranger's. Whatever it says is read
strictly and never waited for without end; if anything is wrong with it, it is killed, and
its hooks with it.

There is none without a wall: the kernel's filter of system calls, installed, and every attack of
`sandbox/selftest_attacks.py` refused to a process behind it. Landlock and another user are more of
the same and not enough by themselves (docs/sandbox.md). A record may attack its reader, so before
that nothing of it is compiled, let alone executed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from mcp_multiplayer.sandbox import frames, selftest_attacks
from mcp_multiplayer.sandbox.isolation import Walls
from mcp_multiplayer.sandbox.values import read
from mcp_multiplayer.verifier.replay_host import rest

#: As `sandbox.forkserver.ENVIRONMENT`; not -I or -E, which would ignore the first of them.
ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "TZ": "UTC",
    "LANG": "C.UTF-8",
    "HOME": "/nonexistent",
}
#: The path is the verifier's own, so that all is found in one file, too.
PROGRAM = """
import json, sys
told = json.loads(sys.argv[1])
sys.path[:] = told.pop("path")
del sys.argv[1:]
from mcp_multiplayer.verifier.forkserver import main
main(told)
"""
START_SECONDS = 60.0
COMMAND_SECONDS = 10.0
END_SECONDS = 2.0
#: What the process reads sources with; verifier.pyz carries it, a bare Python does not.
NEEDED = "RestrictedPython"
_LARGEST = 1 << 16


class CannotReplay(Exception):
    """No hook can be executed on this machine; the text says why. ``code`` is the finding's."""

    code = "I_NO_REPLAY"


class NoWall(CannotReplay):
    """Nothing would stand between a stranger's code and this machine."""

    code = "I_NO_WALL"

    def __init__(self, why: str) -> None:
        super().__init__(f"code of strangers is executed behind a kernel's jail only ({why})")


class Lost(Exception):
    """The process is gone, or does not answer, or not as it should."""


class ForkServerClient:
    """Starts the process, has it fork hooks and bury them."""

    def __init__(
        self, allowance: dict[str, int], *, path: Sequence[str] | None = None, stirred: bool = False
    ) -> None:
        """``path``: where modules are found, instead of where they are found here; ``stirred``:
        have the objects of each hook lie elsewhere. `CannotReplay` where it does not start,
        `NoWall` where it would not be safe."""
        if sys.platform != "linux":
            raise NoWall(f"this is {sys.platform}, which has no seccomp")
        if not sys.executable:
            raise CannotReplay("this Python does not know its own program")
        if importlib.util.find_spec(NEEDED) is None:
            raise CannotReplay(f"the Python package {NEEDED} is missing here")
        self.walls = Walls()
        self._path = sys.path if path is None else path
        self._stirred = stirred
        self._ended: list[int] = []  #: to be buried with the next command
        self._job = 0
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            self._process = self._spawn(theirs.fileno(), allowance)
        try:
            self.walls = Walls.from_json(self._hear("walls", time.monotonic() + START_SECONDS))
            self._examine()
        except NoWall:
            self.kill()
            raise
        except (Lost, TypeError, KeyError) as error:
            self.kill()
            raise CannotReplay(
                f"the process for a referee's code does not start ({error})"
            ) from None

    def _examine(self) -> None:
        """Raise `NoWall` unless the filter stands and every attack is refused."""
        if not self.walls.seccomp:
            raise NoWall("; ".join(self.walls.degraded) or "there is no seccomp")
        for fault in map(self._attack, selftest_attacks.ATTACKS):
            if fault:
                raise NoWall(f"its self-test failed: {fault}")

    def _attack(self, name: str) -> str:
        """Have a process like a hook's try it; what went through, or nothing."""
        job, sock = self.fork()
        request = json.dumps({"do": "attack", "attack": name}).encode()
        try:
            with sock:
                sock.settimeout(COMMAND_SECONDS)
                frames.receive(sock, selftest_attacks.LONGEST)  # it is ready
                sock.sendall(frames.pack(request))
                said = frames.receive(sock, selftest_attacks.LONGEST)
            return selftest_attacks.fault(name, json.loads(said), self.bury(job))
        except frames.TooLong:
            self.forget(job)
            return selftest_attacks.fault_of_long(name)
        except TimeoutError:
            return f"{name}: no answer"
        except (frames.BadFrame, OSError):
            return selftest_attacks.fault(name, None, self.bury(job))
        except ValueError as error:
            raise Lost(f"no answer of ours: {error!r}") from None

    def _spawn(self, control: int, allowance: dict[str, int]) -> subprocess.Popen[bytes]:
        path = [os.path.abspath(entry or os.curdir) for entry in self._path]
        told = {"path": path, "control": control, "host": os.getpid(), **allowance}
        told["stirred"] = self._stirred
        try:
            return subprocess.Popen(
                [sys.executable, "-s", "-S", "-P", "-B", "-c", PROGRAM, json.dumps(told)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=ENVIRONMENT,
                pass_fds=[control],
                process_group=0,
            )
        except OSError as error:
            self._control.close()
            raise CannotReplay(f"this machine starts no process: {error}") from None

    def fork(self) -> tuple[int, socket.socket]:
        """A new hook: its number and the way to it, which closes at once if it could not be."""
        self._job += 1
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            try:
                self._say({"fork": self._job}, theirs.fileno())
            except BaseException:
                ours.close()
                raise
        return self._job, ours

    def forget(self, job: int) -> None:
        """It has said its result; it is buried with the next command."""
        self._ended.append(job)

    def bury(self, job: int) -> int | None:
        """End it now; its exit code, negative for a signal, None for one that never was."""
        self.forget(job)
        self._say({"say": True})
        status = self._hear("status", time.monotonic() + COMMAND_SECONDS)
        if status is not None and type(status) is not int:
            raise Lost("a status that is none")
        return status

    def kill(self) -> None:
        """End it, and with it every hook: it buries them when nobody speaks to it any more."""
        self._control.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS)
        self._process.kill()
        self._process.wait()

    def _say(self, command: dict[str, Any], fd: int | None = None) -> None:
        if self._ended:
            command["end"], self._ended = self._ended, []
        data = frames.pack(json.dumps(command).encode())
        try:
            self._control.settimeout(COMMAND_SECONDS)
            if fd is not None:
                data = data[socket.send_fds(self._control, [data], [fd]) :]
            self._control.sendall(data)
        except OSError as error:
            raise Lost(f"it takes no command: {error}") from None

    def _hear(self, name: str, until: float) -> Any:
        try:
            header = self._exactly(frames.HEADER.size, until)
            told = read(self._exactly(frames.length(header, _LARGEST), until))
            return told[name]
        except (OSError, ValueError, KeyError, TypeError, frames.BadFrame) as error:
            raise Lost(f"no answer: {error!r}") from None

    def _exactly(self, n: int, until: float) -> bytes:
        data = bytearray()
        while len(data) < n:
            self._control.settimeout(rest(until))
            part = self._control.recv(n - len(data))
            if not part:
                raise frames.BadFrame("end of stream")
            data += part
        return bytes(data)


def told(walls: Walls) -> str:
    """The walls in one line, for the report of a verification."""
    named = {
        "Landlock": walls.landlock,
        "another user": walls.uids,
        "no network": "net" in walls.namespaces,
    }
    return ", ".join(["seccomp", *(name for name, stands in named.items() if stands), "limits"])
