"""A server, a zygote and jailed workers that attack them; prints what came of it as JSON. Run by
test_bot_native.py as a program: ``python native_lab.py UID WITHOUT``. Nothing here runs in the
tests' own process. For test_language_off.py, the rows are run by bots of a real pool instead.

The "server" keeps a secret in memory and in a file, listens, and would notice a signal. The
workers enter the jail exactly as workers do, and then run rows of `tests.attacks.native`.
"""

from __future__ import annotations

import _thread  # noqa: F401 named by rows, as the next ones
import ctypes
import errno
import fcntl  # noqa: F401
import json
import mmap
import os
import random
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
from ctypes import (  # noqa: F401
    c_int,
    c_uint,
    c_ulong,
    c_void_p,
    create_string_buffer,
    pointer,
)
from pathlib import Path
from struct import pack
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from mcp_multiplayer.sandbox.jail import confinement
from mcp_multiplayer.sandbox.jail.isolation import Walls
from mcp_multiplayer.sandbox.worker.network import placeholder
from tests.attacks import native

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
FD, EMPTY = confinement.ANSWER_FD, confinement.PLACEHOLDER_FD
KEPT = ctypes.create_string_buffer(b"the server's secret")
SIZE, ADDRESS = len(KEPT), ctypes.addressof(KEPT)
SERVER = os.getpid()
ALLOWANCE = confinement.Allowance(memory=512 << 20, cpu_seconds=5, file_size=1 << 20)
SECONDS = 10.0
_KEEP: list[Any] = []


def call(number: int, *arguments: Any) -> int:
    result = int(libc.syscall(ctypes.c_long(number), *map(_wide, arguments)))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _wide(value: Any) -> Any:
    return ctypes.c_long(value) if isinstance(value, int) else value


def fork_and_leave() -> int:
    pid = os.fork()
    if not pid:
        os._exit(0)
    return pid


def worked(yes: bool) -> None:
    if not yes:
        raise PermissionError(errno.EPERM, "no")


def buffer(data: bytes) -> int:
    """An address that stays."""
    _KEEP.append(create_string_buffer(data))
    return ctypes.addressof(_KEEP[-1])


def strings(*values: bytes) -> Any:
    return (ctypes.c_char_p * (len(values) + 1))(*values, None)


def page() -> Any:
    return ctypes.c_void_p(call(9, None, 4096, 3, 0x22, -1, 0))


def iovec(buffer: Any) -> Any:
    return (ctypes.c_ulong * 2)(ctypes.addressof(buffer), len(buffer))


def remote() -> Any:
    return (ctypes.c_ulong * 2)(ADDRESS, SIZE)


def siginfo() -> Any:
    return create_string_buffer(pack("iiiiii", 10, 0, -1, 0, os.getpid(), 0), 128)


def inet() -> bytes:
    return pack("!2xH4s8x", globals()["PORT"], socket.inet_aton("127.0.0.1")).replace(
        b"\0\0", b"\2\0", 1
    )


def connect(fd: int, address: bytes) -> int:
    return call(42, fd, address, len(address))


# Made before the jail, as an attacker could find such bytes in a library.
_CODE = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
_CODE.write(b"\xb8\x14\0\0\0\xcd\x80\xc3")  # mov eax, 20 (getpid of the 32-bit table); int 0x80
int_0x80 = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(_CODE)))


def attempt(code: str) -> str:
    """What the worker itself notices: the error's name, or what it got."""
    try:
        return f"got {eval(code, globals())!r}"[:200]
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "?")
    except (MemoryError, RuntimeError) as error:
        return type(error).__name__


def worker(code: str, answers: int, walls: Walls, uid: int) -> None:
    try:
        confinement.enter(
            answers, placeholder(), globals()["ZYGOTE"], walls, ALLOWANCE.cpu_seconds, uid
        )
        os.write(FD, attempt(code).encode())
    finally:
        os._exit(0)


def zygotes(report: int, without: list[str]) -> None:
    """A zygote with one worker for each attack, one after the other."""
    found = {}
    try:
        walls = confinement.survey(SERVER, without)
        for name, (code, _) in native.rows().items():
            found[name] = one(code, walls)
        os.write(report, json.dumps(found).encode())
    finally:
        os._exit(0)


def one(code: str, walls: Walls) -> str:
    """What the worker said, or how it ended; and its zygote, if that did not end as it should."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if not pid:
        ours.close()
        zygote(code, theirs, walls)
    theirs.close()
    with ours:
        said = ours.makefile("rb").read().decode()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return said if not status else f"the zygote ended with {status}, after {said}"


def zygote(code: str, answers: socket.socket, walls: Walls) -> None:
    """Fork a worker, wait for its end, tell what it did not say."""
    globals()["ZYGOTE"] = os.getpid()
    try:
        ours, theirs = socket.socketpair()
        confinement.surround(walls, ALLOWANCE)
        pid = confinement.fork()
        if not pid:
            worker(code, theirs.fileno(), walls, walls.uids)
        theirs.close()
        readable, _, _ = select.select([ours], [], [], SECONDS)
        said = ours.recv(4096) if readable else b"no answer"
        if not readable:
            os.kill(pid, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        how = signal.Signals(-status).name if status < 0 else f"ended with {status}"
        answers.send(said or how.encode())
        os._exit(0)
    finally:
        os._exit(1)


class Server:
    """What could be touched, and whether it was."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="mcp-native-"))
        (self.directory / "empty").mkdir()
        self.secret = self.directory / "secret"
        self.secret.write_text("x")
        self.secret.chmod(0o600)
        self.tcp = socket.create_server(("127.0.0.1", 0))
        port = self.tcp.getsockname()[1]
        self.elsewhere = Path(f"/tmp/mcp-escape-{port}")
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", port))
        self.unix = socket.socket(socket.AF_UNIX)
        name = b"\0mcp-native-%d" % random.getrandbits(40)
        self.unix.bind(name)
        self.unix.listen()
        for listener in (self.tcp, self.udp, self.unix):
            listener.setblocking(False)
        globals().update(
            PORT=port, UNIX=b"\1\0" + name, DIR=str(self.directory), SECRET=str(self.secret)
        )
        self.signals: list[int] = []
        for number in (signal.SIGUSR1, signal.SIGIO, signal.SIGTERM, signal.SIGURG):
            signal.signal(number, lambda got, _: self.signals.append(got))
        self.before = self.facts()

    def facts(self) -> dict[str, Any]:
        """Everything that an attack would change."""
        status = self.secret.stat() if self.secret.exists() else None
        return {
            "files": sorted(os.listdir(self.directory)),
            "secret": status
            and (status.st_size, status.st_mode, status.st_uid, status.st_mtime_ns),
            "elsewhere": self.elsewhere.exists(),
            "memory": KEPT.value.decode(),
            "signals": [int(number) for number in self.signals],
            "tcp": knocked(lambda: self.tcp.accept()),
            "unix": knocked(lambda: self.unix.accept()),
            "udp": knocked(lambda: self.udp.recv(100)),
            "limits": resource.getrlimit(resource.RLIMIT_MSGQUEUE),
            "nice": os.nice(0),
            "scheduler": os.sched_getscheduler(0),
            "processors": sorted(os.sched_getaffinity(0)),
            "host": socket.gethostname(),
            "shared": Path("/proc/sysvipc/shm").read_text().count("\n"),
        }

    def effects(self) -> dict[str, Any]:
        """What is not as it was."""
        after = self.facts()
        return {name: after[name] for name in after if after[name] != self.before[name]}

    def clear(self) -> None:
        for get, control, *rest in ((29, 31, 4096), (64, 66, 1), (68, 71)):  # shm, sem, msg
            while (found := libc.syscall(get, 0x4D4350, *rest, 0)) >= 0:
                call(control, found, 0, 0, 0)
        subprocess.run(["rm", "-rf", str(self.directory), str(self.elsewhere)], check=True)


def knocked(listen: Any) -> bool:
    try:
        listen()
    except BlockingIOError:
        return False
    return True


def main(uid: int, without: list[str]) -> None:
    if uid:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        libc.prctl(4, 1, 0, 0, 0)  # dumpable, as a server that was started as this user
    server = Server()
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        zygotes(theirs, without)
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        found = json.loads(pipe.read() or b"{}")
    _, status = os.waitpid(child, 0)
    told = {"outcomes": found, "effects": server.effects(), "zygote": status}
    server.clear()
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(sys.argv[2]))
