"""Attacks that a worker makes on itself, to see each refused.

Runs in a jailed worker before any bot does, at every start of a zygote. Each attack is real
and would do no harm if it succeeded. What comes of it is judged by the host
(``sandbox/host/selftest.py``); a worker that is killed for it is a success.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import mmap
import os
import platform
import signal
import socket
from collections.abc import Callable, Mapping
from typing import Any

from mcp_multiplayer.sandbox.jail.syscalls import KILLED, numbers
from mcp_multiplayer.sandbox.protocol.frames import HEADER

#: Who is told one of these was held back; anything else means that nothing was in the way.
REFUSALS = (errno.EPERM, errno.EACCES, errno.EAGAIN, errno.ENOMEM)
_ANSWER_FD, _PLACEHOLDER_FD = 3, 4
_FILE = b"/etc/passwd"


def attempt(attack: str) -> dict[str, str]:
    """Try one; say by which error it was refused, or what it did."""
    try:
        return {"did": repr(ATTACKS[attack]())[:200]}
    except MemoryError:
        return {"refused": "MemoryError"}
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, "?")
        return {"refused" if error.errno in REFUSALS else "did": name}


@functools.cache
def _libc() -> Any:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return libc


def _call(name: str, *arguments: Any) -> int:
    """A system call by libc's own function of that name, or by its number."""
    known = numbers(KILLED, platform.machine()).get(name)
    function = getattr(_libc(), name) if known is None else _libc().syscall
    result = int(function(*([] if known is None else [known]), *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), name)
    return result


def _fork() -> int:
    pid = os.fork()
    if not pid:
        os._exit(0)
    return pid


def _connect() -> int:
    address = b"\1\0\0nowhere"  # AF_UNIX, abstract
    return _call("connect", _PLACEHOLDER_FD, address, len(address))


def _fast_open() -> int:
    address = b"\1\0\0nowhere"
    return _call("sendto", _PLACEHOLDER_FD, b"x", 1, 0x20000000, address, len(address))


def _long_frame() -> int:
    return os.write(_ANSWER_FD, HEADER.pack(2**31) + b"x" * 1000)


def _executable() -> int:
    with mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC) as made:
        return len(made)


#: By what it would have been.
ATTACKS: dict[str, Callable[[], object]] = {
    "open a file": lambda: os.open(_FILE, os.O_RDONLY),
    "look at a file": lambda: os.stat(_FILE),
    "start a process": _fork,
    "run a program": lambda: _call("execve", b"/bin/true", None, None),
    "make a socket": lambda: socket.SocketType(socket.AF_INET, socket.SOCK_DGRAM).fileno(),
    "connect": _connect,
    "connect by sending": _fast_open,
    "signal its parent": lambda: _call("kill", os.getppid(), 0),
    "be sent signals by a socket": lambda: _call("fcntl", _ANSWER_FD, 8, os.getppid()),
    "debug a process": lambda: _call("ptrace", 0, 0, None, None),
    "read its parent's memory": lambda: _call(
        "process_vm_readv", os.getppid(), None, 0, None, 0, 0
    ),
    "make executable memory": _executable,
    "a new user namespace": lambda: _call("unshare", 0x10000000),
    "an io_uring": lambda: _call("io_uring_setup", 1, (ctypes.c_char * 120)()),
    "raise its limits": lambda: _call("setrlimit", 7, (ctypes.c_ulong * 2)(4096, 4096)),
    "a lot of memory": lambda: len(bytearray(1 << 30)),
    "flood the host": _long_frame,
}
#: These are refused by the host, when it reads the answer.
REFUSED_BY_HOST = ("flood the host",)
#: No answer to an attack is longer.
LONGEST = 4096


def fault(attack: str, said: Mapping[str, Any] | None, status: int | None) -> str:
    """What went through, or nothing. ``said`` None: the worker ended with ``status`` instead."""
    if said is None:
        killed = status == -signal.SIGSYS
        return "" if killed else f"{attack}: the worker ended with {status}"
    return "" if "refused" in said else f"{attack}: not refused ({said.get('did')})"


def fault_of_long(attack: str) -> str:
    """The same of an answer that was announced longer than any is."""
    return "" if attack in REFUSED_BY_HOST else f"{attack}: a broken answer"
