"""What the kernel takes away from a worker.

On the other side, a moment later, is a stranger's code: it may open no descriptor, start no
process, gain no privilege, outlive nobody, touch no other process and use no more than its share.
Tried by tests/attacks/test_bot_native.py, also with each wall taken away.

`survey` finds out once, by trying, which walls this machine has. They go up in two steps: what all
workers share, `surround` puts up once around the zygote, which is our own code and needs little
itself; the rest is each worker's, in `enter`, before it reads anything. A worker that cannot put
them up does not run. Where no filter of system calls can be had, see `sandbox/jail/isolation.py`.
"""

from __future__ import annotations

import ctypes
import functools
import os
import resource
import signal
from collections.abc import Callable, Collection
from dataclasses import dataclass

from mcp_multiplayer.sandbox.jail import landlock, seccomp
from mcp_multiplayer.sandbox.jail.isolation import UIDS, Walls

#: The descriptors that lead out, after /dev/null three times.
ANSWER_FD = 3
#: A socket that is connected to nothing (`sandbox.worker.network`).
PLACEHOLDER_FD = 4
DESCRIPTORS = 64
NICE = 5
#: Users that nobody is: each zygote of a server has `UIDS` of them to itself, and each server, most
#: likely.
FIRST_UID, HOSTS, ZYGOTES = 20_000, 32, 2
_PDEATHSIG, _DUMPABLE, _CAP_DROP, _NO_NEW_PRIVS, _AMBIENT, _AMBIENT_CLEAR = 1, 4, 24, 38, 47, 4
_NEWUTS, _NEWIPC, _NEWNET = 0x04000000, 0x08000000, 0x40000000
#: CAP_KILL, CAP_SETGID, CAP_SETUID: what is left of root to who gives each worker a user.
_TO_FORK = 1 << 5 | 1 << 6 | 1 << 7
#: From so many bytes on the C library asks the kernel for each block by itself, and so is refused
#: what is larger than `seccomp.OBJECT`.
_MMAP_THRESHOLD, _LARGE = -3, 1 << 20
_AWAY = 60  #: from here on are descriptors on their way to their places
_libc = ctypes.CDLL(None, use_errno=True)
_libc.sbrk.restype = ctypes.c_void_p
#: Called with Python's lock held, which a child then holds.
_locked_libc = ctypes.PyDLL(None, use_errno=True)


@dataclass(frozen=True)
class Allowance:
    """What one worker may use up: bytes of memory, seconds of a processor, bytes of a file."""

    memory: int
    cpu_seconds: int
    file_size: int


def survey(host: int, without: Collection[str] = (), number: int = 0) -> Walls:
    """Try each wall in a child. ``without`` names walls to leave out, as if there were none.
    ``number``: which of its host's zygotes this is."""
    first = FIRST_UID + (host % HOSTS * ZYGOTES + number % ZYGOTES) * UIDS
    abi, no_landlock = landlock.version()
    missing = {
        "seccomp": _no_filter(),
        "landlock": no_landlock or _no_entry("Landlock", lambda: landlock.install(abi)),
        "uid": _same_user(first),
        "namespaces": "",
    }
    missing |= {wall: f"{wall}: left out on request" for wall in without}
    abi = 0 if missing["landlock"] else abi
    return Walls(
        seccomp=not missing["seccomp"],
        landlock=abi,
        governed=landlock.governed(abi),
        uids=0 if missing["uid"] else first,
        namespaces=() if missing["namespaces"] else _leave_namespaces(),
        degraded=tuple(filter(None, missing.values())),
    )


def _no_filter() -> str:
    why = seccomp.fault()
    if why:
        return why
    return _no_entry("seccomp", seccomp.install)


def _no_entry(wall: str, install: Callable[[], None]) -> str:
    return "" if _works(_no_new_privs, install) else f"{wall}: it cannot be entered here"


def _same_user(first: int) -> str:
    if os.getuid():
        return "uid: bots run as the user that runs the server, because that is not root"
    return "" if _works(lambda: _become(first)) else "uid: root may not change its uid here"


def _works(*steps: Callable[[], None]) -> bool:
    child = os.fork()
    if not child:
        try:
            for step in steps:
                step()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def _leave_namespaces() -> tuple[str, ...]:
    """Move this process, and so all workers, away from the machine's network, if it may."""
    if _libc.unshare(_NEWUTS | _NEWIPC | _NEWNET):
        return ()
    return ("net", "ipc", "uts")


def surround(walls: Walls, allowance: Allowance) -> None:
    """Give up, in the zygote and for good, all that forking workers does not need.

    Order matters: files first, then limits, then privileges, and the filter last.
    """
    host = os.getppid()
    os.chdir("/")
    _go_first()
    _limit(allowance)
    _drop_capabilities(_TO_FORK if walls.uids else 0)
    die_with_parent(host)  # again: the kernel forgets the wish when privileges change
    _prctl(_DUMPABLE, 0)
    _no_new_privs()
    if walls.landlock:
        landlock.install(walls.landlock)
    _libc.mallopt(_MMAP_THRESHOLD, _LARGE)
    if walls.seccomp:
        seccomp.lesser(_heap_end())  # made once, here, for all workers
        seccomp.install(seccomp.program(forking=True))


def fork() -> int:
    """``os.fork`` at a third of its price, for a process of one thread.

    Python's own has a child renew locks that no other thread can hold here, and random numbers
    that no hook uses: it touches a hundred pages for that, each of which the kernel must copy.
    """
    pid: int = _locked_libc.fork()
    if pid < 0:
        raise OSError(ctypes.get_errno(), "fork")
    return pid


def enter(
    answers: int, unconnected: int, zygote: int, walls: Walls, cpu_seconds: int, uid: int
) -> None:
    """In a worker: keep these two descriptors, give up the rest, or raise OSError. ``zygote`` is
    its parent's pid, known before the fork: a zygote that ends right after it has no worker left.

    Order matters: files first, then limits, then the user, whose change undoes some wishes,
    and the filter last.
    """
    _give_way()
    _keep(answers, unconnected)
    _lower(resource.RLIMIT_NPROC, 0)  # asked only of who forks: nobody else of this user suffers
    _lower(resource.RLIMIT_CPU, cpu_seconds)
    if walls.uids:
        _become(uid)
        _prctl(_DUMPABLE, 0)
    die_with_parent(zygote)  # not before: the kernel forgets the wish when the user changes
    if walls.landlock:
        landlock.install(walls.landlock)  # its own: it may not signal its neighbours
    if walls.seccomp:
        seccomp.install(seccomp.lesser(_heap_end()))


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent ends; leave if it has already."""
    _prctl(_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _give_way() -> None:
    """Let everybody else on this machine go first, and not have all of it: a deadline is by the
    wall's clock, and beside programs that never pause, 19 would leave a hook a hundredth of it."""
    os.nice(NICE)
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _go_first() -> None:
    """When memory runs out, workers and their zygote go before the server."""
    try:
        fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    except OSError:
        return
    try:
        os.write(fd, b"1000")
    except OSError:
        pass
    finally:
        os.close(fd)


def _keep(answers: int, unconnected: int) -> None:
    """The way to the host, and a socket that leads nowhere, also where libraries expect files.
    Nothing is shared with another worker."""
    os.dup2(answers, _AWAY)
    os.dup2(unconnected, _AWAY + 1)  # out of each other's way first
    for place in (0, 1, 2, PLACEHOLDER_FD):
        os.dup2(_AWAY + 1, place)
    os.dup2(_AWAY, ANSWER_FD)
    os.closerange(PLACEHOLDER_FD + 1, DESCRIPTORS)


def _limit(allowance: Allowance) -> None:
    for limit, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, allowance.memory),
        (resource.RLIMIT_FSIZE, allowance.file_size),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_SIGPENDING, 0),
        (resource.RLIMIT_NOFILE, DESCRIPTORS),
    ):
        _lower(limit, value)


def _lower(limit: int, value: int) -> None:
    _, most = resource.getrlimit(limit)
    value = value if most == resource.RLIM_INFINITY else min(value, most)
    resource.setrlimit(limit, (value, value))


def _become(uid: int) -> None:
    """Be this user for good, and of no group but its own; with root, its capabilities go."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def _drop_capabilities(kept: int) -> None:
    """All but these, and none of them for a program that is started. Also where the uid stays:
    root without any is nearly an ordinary user."""
    number = 0
    while not _libc.prctl(_CAP_DROP, number, 0, 0, 0):
        number += 1
    _libc.prctl(_AMBIENT, _AMBIENT_CLEAR, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    if _libc.capset(header, (ctypes.c_uint32 * 6)(kept, kept)):
        raise OSError(ctypes.get_errno(), "capset")


def _no_new_privs() -> None:
    _prctl(_NO_NEW_PRIVS, 1)


@functools.cache
def _heap_end() -> int:
    """Where the heap of the zygote ends, as the C library knows it."""
    return int(_libc.sbrk(0))


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl {option}")
