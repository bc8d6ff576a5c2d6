"""The filter of system calls, written by hand and loaded with ctypes.

The wall that carries the sandbox: it needs no privilege and no library, and holds alone when
Landlock, the uid and the language are gone. On the other side is native code that may call
anything with any argument; it may not reach a descriptor, a process or executable memory
that it was not given. Tried by tests/attacks/test_bot_native.py.

A filter sees numbers only, never what a pointer points to. Hence no ``sendmsg`` (its address
lies in memory), and ``sendto`` only without an address.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import platform
import struct

from mcp_multiplayer.sandbox.jail.syscalls import ALLOWED, ARCHITECTURE, FORKING, KILLED, numbers

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM
_NUMBER, _ARCH, _FIRST_ARGUMENT = 0, 4, 16
_SET_FILTER, _ACTION_AVAILABLE, _ALL_THREADS = 1, 2, 1
_NO_NEW_PRIVS = 38
#: From here on x86-64 numbers mean the x32 table.
_X32 = 0x40000000

_PROT_EXEC = 0x4
_MSG_FASTOPEN = 0x20000000
_IOCTLS = (0x5421, 0x541B, 0x5401)  # FIONBIO, FIONREAD, TCGETS
#: DUPFD, GETFD, SETFD, GETFL, SETFL, DUPFD_CLOEXEC. Not SETOWN and SETSIG: they send signals.
_FCNTLS = (0, 1, 2, 3, 4, 1030)
_SOL_SOCKET, _IPPROTO_TCP = 1, 6
#: REUSEADDR, TYPE, ERROR, SNDBUF, RCVBUF, KEEPALIVE, LINGER, RCVTIMEO, SNDTIMEO, ACCEPTCONN,
#: PROTOCOL, DOMAIN, and the two time-outs of 32-bit machines. Not PEERPIDFD and PASSPIDFD, which
#: hand out the server as a descriptor, nor ATTACH_FILTER, which compiles code in the kernel.
_SOCKET_OPTIONS = (2, 3, 4, 7, 8, 9, 13, 20, 21, 30, 38, 39, 66, 67)
#: NODELAY, MAXSEG, KEEPIDLE, KEEPINTVL, KEEPCNT, INFO, USER_TIMEOUT.
_TCP_OPTIONS = (1, 2, 4, 5, 6, 11, 18)

#: The largest block of memory that a worker is given at once, in bytes.
OBJECT = 16 << 20
_ROUNDED = 1 << 16  #: what an object and the C library add: heads, whole pages
_NO_MEMORY = 0x00050000 | errno.ENOMEM
#: brk returns where the heap ends, and the C library reads 0 as: not where you wanted.
_BREAK_STAYS = 0x00050000

Code = list[tuple[int, int, int, int]]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


_libc = ctypes.CDLL(None, use_errno=True)


@functools.cache
def program(machine: str = "", *, forking: bool = False) -> bytes:
    """The filter as the kernel reads it; KeyError for a machine without a table."""
    machine = machine or platform.machine()
    more = numbers(FORKING, machine) if forking else {}
    code = [*_load(_ARCH), _skip(_EQUAL, ARCHITECTURE[machine], 1), _return(_KILL)]
    code += _load(_NUMBER)
    if machine == "x86_64":
        code += [_unless(_AT_LEAST, _X32, 1), _return(_KILL)]
    for name, number in (numbers(ALLOWED, machine) | more).items():
        code += _when(number, _ASKED.get(name, [_return(_ALLOW)]))
    for number in numbers(KILLED, machine).values():
        code += _when(number, [_return(_KILL)])
    code.append(_return(_REFUSE))
    return _packed(code)


@functools.cache
def lesser(top: int = 0) -> bytes:
    """What makes of the filter of a forking process, together with it, that of a worker.

    ``top``: where the heap of the process ends (`sbrk`). A worker is given at most `OBJECT` bytes
    of memory at once, by whatever call: what asks for more fails on every machine alike, long
    before memory ends.
    """
    machine = platform.machine()
    killed = numbers(KILLED, machine)
    code = _load(_NUMBER)
    for name, number in numbers(FORKING, machine).items():
        code += _when(number, [_return(_KILL if name in killed else _REFUSE)])
    allowed = numbers(ALLOWED, machine)
    code += _when(allowed["mmap"], _at_most(1, OBJECT + _ROUNDED, _NO_MEMORY))
    code += _when(allowed["mremap"], _at_most(2, OBJECT + _ROUNDED, _NO_MEMORY))
    code += _when(allowed["brk"], _at_most(0, top + OBJECT, _BREAK_STAYS))
    return _packed([*code, _return(_ALLOW)])


def _packed(code: Code) -> bytes:
    return b"".join(struct.pack("HBBI", *line) for line in code)


def fault() -> str:
    """Why this kernel or machine cannot filter; empty when it can."""
    if platform.machine() not in ARCHITECTURE:
        return f"seccomp: there is no table of system calls for {platform.machine()}"
    action = ctypes.c_uint32(_KILL)
    if _call(_ACTION_AVAILABLE, 0, ctypes.byref(action)):
        return f"seccomp: {errno.errorcode.get(ctypes.get_errno(), 'refused')}"
    return ""


def install(code: bytes | None = None) -> None:
    """Filter this process from now on, and for good. Needs ``no_new_privs``."""
    code = code or program()
    filter_ = _Program(len(code) // 8, code)
    if _call(_SET_FILTER, _ALL_THREADS, ctypes.byref(filter_)):
        raise OSError(ctypes.get_errno(), "seccomp")


def _call(operation: int, flags: int, argument: object) -> int:
    number = _own_number()
    return int(_libc.syscall(number, operation, flags, argument))


@functools.cache
def _own_number() -> int:
    return numbers(KILLED, platform.machine())["seccomp"]


# Instructions. Every block ends in a return, so that blocks follow each other freely.


def _load(offset: int) -> Code:
    return [(_LOAD, 0, 0, offset)]


def _low(argument: int) -> Code:
    """The half of an argument that the kernel reads as an int; both machines are little-endian."""
    return _load(_FIRST_ARGUMENT + 8 * argument)


def _high(argument: int) -> Code:
    return _load(_FIRST_ARGUMENT + 8 * argument + 4)


def _skip(test: int, value: int, lines: int) -> tuple[int, int, int, int]:
    return (test, lines, 0, value)


def _unless(test: int, value: int, lines: int) -> tuple[int, int, int, int]:
    return (test, 0, lines, value)


def _return(action: int) -> tuple[int, int, int, int]:
    return (_RETURN, 0, 0, action)


def _when(number: int, block: Code) -> Code:
    return [_unless(_EQUAL, number, len(block)), *block]


def _one_of(values: tuple[int, ...]) -> Code:
    """Allow these values of what is loaded."""
    lines: Code = []
    for value in values:
        lines += _when(value, [_return(_ALLOW)])
    return [*lines, _return(_REFUSE)]


def _at_most(argument: int, most: int, otherwise: int) -> Code:
    """Allow what is not larger, in both halves."""
    high, low = most >> 32, most & 0xFFFFFFFF
    return [
        *_high(argument),
        _skip(_AT_LEAST, high + 1, 4),
        _unless(_EQUAL, high, 2),
        *_low(argument),
        _skip(_AT_LEAST, low + 1, 1),
        _return(_ALLOW),
        _return(otherwise),
    ]


def _not_executable() -> Code:
    return [*_low(2), _unless(_ANY_BIT, _PROT_EXEC, 1), _return(_REFUSE), _return(_ALLOW)]


def _without_address() -> Code:
    return [
        *_low(4),
        _skip(_EQUAL, 0, 1),
        _return(_REFUSE),
        *_high(4),
        _skip(_EQUAL, 0, 1),
        _return(_REFUSE),
        *_low(3),
        _unless(_ANY_BIT, _MSG_FASTOPEN, 1),
        _return(_REFUSE),
        _return(_ALLOW),
    ]


def _known_option() -> Code:
    of_socket, of_tcp = ([*_low(2), *_one_of(o)] for o in (_SOCKET_OPTIONS, _TCP_OPTIONS))
    return [
        *_low(1),
        *_when(_SOL_SOCKET, of_socket),
        *_when(_IPPROTO_TCP, of_tcp),
        _return(_REFUSE),
    ]


#: What is asked of the arguments of an allowed call.
_ASKED: dict[str, Code] = {
    "mmap": _not_executable(),
    "mprotect": _not_executable(),
    "sendto": _without_address(),
    "ioctl": [*_low(1), *_one_of(_IOCTLS)],
    "fcntl": [*_low(1), *_one_of(_FCNTLS)],
    "getsockopt": _known_option(),
    "setsockopt": _known_option(),
}
