"""The process that a verifier's hooks are forked from.

Started fresh by `verifier/forkserver_client.py` with an environment of four names and one socket.
It loads what referees may import, gives up all it can (`verifier/jail.py`), and then obeys: fork a
worker, bury it. It neither reads nor runs a stranger's source: that is another process, the
server's own worker from there on (`sandbox.worker.serve_one`), which lives as long as one request.
When the verifier is gone, so is this, and with it the kernel ends its hooks. Without the kernel's
filter it says so and ends.

On the verifier's side nothing that comes from here is believed; see there.
"""

from __future__ import annotations

import array
import dataclasses
import gc
import json
import os
import signal
import socket
from typing import Any, NoReturn

from mcp_multiplayer.sandbox import frames, normalize, warmup, worker
from mcp_multiplayer.verifier import jail

LARGEST_COMMAND = 1 << 16


class Parent:
    """The hooks, by the verifier's numbers."""

    def __init__(self, control: socket.socket, cpu_seconds: int, *, stirred: bool) -> None:
        self.control = control
        self.cpu_seconds = cpu_seconds
        self.stirred = stirred  #: the objects of each hook lie elsewhere
        self.pids: dict[int, int] = {}  # job -> pid

    def obey(self) -> bool:
        """One command; False when there is nobody to give any."""
        data, fd = _receive(self.control)
        command = json.loads(data) if data else {}
        status = [self.bury(job) for job in command.get("end", ())]
        if "say" in command:
            self.say(status=status[-1])
        if "fork" in command:
            self.fork(command["fork"], fd)
        return bool(data)

    def fork(self, job: int, answers: int) -> None:
        """Start a hook that answers on this socket; the verifier sees it close if that fails."""
        try:
            pid = jail.fork()
        except OSError:
            os.close(answers)
            return
        if not pid:
            serve(answers, self.cpu_seconds, stirred=self.stirred)
        self.pids[job] = pid
        os.close(answers)

    def bury(self, job: int) -> int | None:
        """End a hook and all it started, and say how it had ended."""
        pid = self.pids.pop(job, 0)
        if not pid:
            return None
        ended, status = os.waitpid(pid, os.WNOHANG)
        if not ended:
            for kill in (os.kill, os.killpg):
                try:
                    kill(pid, signal.SIGKILL)  # not reaped yet: its number is still its own
                except OSError:  # gone, or not a group of its own yet
                    continue
            status = os.waitpid(pid, 0)[1]
        return os.waitstatus_to_exitcode(status)

    def say(self, **told: Any) -> None:
        """Tell the verifier."""
        self.control.sendall(frames.pack(json.dumps(told).encode()))


def serve(answers: int, cpu_seconds: int, *, stirred: bool) -> NoReturn:
    """Be one hook; never returns, runs no exit handler of anybody."""
    try:
        jail.enter(answers, cpu_seconds)
        if stirred:
            normalize.stir()
        worker.serve_one()
    finally:
        os._exit(1)


def _receive(control: socket.socket) -> tuple[bytes, int]:
    """A frame and the descriptor that came with it; no bytes when the verifier has gone."""
    fds = array.array("i")
    header, extras, _, _ = control.recvmsg(frames.HEADER.size, socket.CMSG_SPACE(fds.itemsize))
    for level, what, data in extras:
        if (level, what) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(data)
    if len(header) < frames.HEADER.size:
        return b"", -1
    body = bytearray()
    missing = frames.length(header, LARGEST_COMMAND)
    while len(body) < missing:
        part = control.recv(missing - len(body))
        if not part:
            return b"", -1
        body += part
    return bytes(body), fds[0] if fds else -1


def main(told: dict[str, Any]) -> None:
    """Load what bots may import, put the walls up, then wait for work."""
    if os.getppid() != told["host"]:
        return
    control = socket.socket(fileno=told["control"])
    stand = jail.survey(told["host"])
    parent = Parent(control, told["hook_cpu_seconds"], stirred=told["stirred"])
    if not stand.seccomp:
        parent.say(walls=dataclasses.asdict(stand))
        return
    warmup.ready()
    jail.surround(stand, told["memory"], told["cpu_seconds"], told["files"])
    gc.collect()
    gc.freeze()
    parent.say(walls=dataclasses.asdict(stand))
    try:
        while parent.obey():
            pass
    except OSError:  # the verifier went away between two of our calls
        pass
    finally:
        for job in list(parent.pids):
            parent.bury(job)
