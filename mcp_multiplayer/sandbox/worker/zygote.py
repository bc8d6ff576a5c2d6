"""The process that workers are forked from, of a server and of a verifier alike.

Started fresh by the host (`sandbox/host/forkserver.py`) with an environment of four names and one
socket: it holds no key, no log and no connection. It loads what bots may import, gives up all it
can (`sandbox/jail/confinement.py`), and then obeys: fork a worker, kill it, tell how it ended. It
neither reads nor runs a stranger's source; of the library that its host brings it has the code,
and runs none of it. One thread. It knows its children by the host's job
numbers, so that a kill hits the right one, and ends them all and itself when the host's end of the
control socket closes.
"""

from __future__ import annotations

import _socket
import array
import dataclasses
import gc
import json
import os
import select
import signal
from typing import Any

from mcp_multiplayer.sandbox.jail import confinement
from mcp_multiplayer.sandbox.jail.isolation import UIDS, Walls
from mcp_multiplayer.sandbox.worker import scatter, serve, warmup

#: Commands and reports are one datagram each.
DATAGRAM = 4096


class Zygote:
    """The children, by job number."""

    def __init__(
        self, control: _socket.socket, walls: Walls, cpu_seconds: int, *, scattered: bool
    ) -> None:
        self.control = control
        self.walls = walls
        self.cpu_seconds = cpu_seconds
        self.scattered = scattered  #: the objects of each worker lie elsewhere
        self.jobs: dict[int, int] = {}  # pid -> job
        self.uids: dict[int, int] = {}  # pid -> the user it is, unlike any other living worker
        self.woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def run(self) -> None:
        """Obey until the host is gone."""
        poll = select.poll()
        poll.register(self.control, select.POLLIN)
        poll.register(self.woken, select.POLLIN)
        self.report(ready=os.getpid(), walls=dataclasses.asdict(self.walls))
        while True:
            for fd, _ in poll.poll():
                if fd == self.woken:
                    os.read(self.woken, 4096)
                    self.bury()
                elif not self.obey():
                    return

    def obey(self) -> bool:
        """One command of the host; False when there is no host any more."""
        fds = array.array("i")
        room = _socket.CMSG_SPACE(fds.itemsize)
        data, extras, _, _ = self.control.recvmsg(DATAGRAM, room)
        if not data:
            return False
        for _, _, sent in extras:
            fds.frombytes(sent)
        command = json.loads(data)
        if "fork" in command:
            self.fork(command["fork"], fds[0])
        for pid, job in self.jobs.items():
            if job == command.get("kill"):
                os.kill(pid, signal.SIGKILL)  # our child and not buried yet: the pid is its own
        return True

    def fork(self, job: int, answers: int) -> None:
        """Start a worker that answers on this socket."""
        zygote, uid = os.getpid(), self.free_uid()
        try:
            pid = confinement.fork() if uid < self.walls.uids + UIDS else None
        except OSError:
            pid = None
        if pid is None:
            os.close(answers)
            self.report(dead=job, status=-1, cpu=0.0)
            return
        if not pid:
            serve.run(answers, zygote, self.walls, self.cpu_seconds, uid, scattered=self.scattered)
        self.jobs[pid], self.uids[pid] = job, uid
        os.close(answers)

    def free_uid(self) -> int:
        """The lowest user of our range that no worker is."""
        taken = set(self.uids.values())
        uid = self.walls.uids
        while uid in taken:
            uid += 1
        return uid

    def bury(self) -> None:
        """Reap whoever has ended and tell the host."""
        while self.jobs:
            pid, status, used = os.wait4(-1, os.WNOHANG)
            if not pid:
                return
            del self.uids[pid]
            code, cpu = os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime
            self.report(dead=self.jobs.pop(pid), status=code, cpu=cpu)

    def end(self) -> None:
        """Leave nobody behind."""
        for pid in self.jobs:
            os.kill(pid, signal.SIGKILL)
        for pid in self.jobs:
            os.waitpid(pid, 0)

    def report(self, **event: Any) -> None:
        """Tell the host."""
        self.control.send(json.dumps(event).encode())


def main(told: dict[str, Any]) -> None:
    """Load what bots may import, put the walls up, then wait for work."""
    confinement.die_with_parent(told["host"])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # ends with the host, not with its terminal
    # Not Python's own class, which asks the host for what it does (`sandbox/worker/network.py`).
    control = _socket.socket(fileno=told["control"])
    os.closerange(told["control"] + 1, os.sysconf("SC_OPEN_MAX"))
    walls = confinement.survey(told["host"], told["without"], told["number"])
    warmup.ready(told["library"])
    scatter.loaded()
    warmup.collapse()
    allowance = confinement.Allowance(**told["allowance"])
    zygote = Zygote(control, walls, allowance.cpu_seconds, scattered=told["scattered"])
    confinement.surround(walls, allowance)
    gc.collect()
    gc.freeze()
    try:
        zygote.run()
    except OSError:  # the host went away between two of our calls
        pass
    finally:
        zygote.end()
    os._exit(0)  # the host waits for it, not for the modules to be taken apart
