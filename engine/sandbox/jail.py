"""What the kernel takes away from a worker. Changes with each wall that is added.

Runs in the forked child before it reads anything. On the other side, a moment later,
is a stranger's code: it may open no descriptor, start no process, gain no privilege,
outlive nobody and use no more than its share. seccomp, Landlock and a uid for each
bot are the next layer. Tried by tests/attacks/test_bot_native.py.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal

#: The one descriptor that leads out, after /dev/null three times.
ANSWER_FD = 3
_NOBODY = 65534
_PDEATHSIG, _DUMPABLE, _NO_NEW_PRIVS = 1, 4, 38
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent ends; leave if it has already."""
    _prctl(_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def enter(answers: int, devnull: int, *, memory: int, cpu_seconds: int) -> None:
    """Keep one descriptor and give up the rest. Order matters: files first, limits last."""
    _give_way()
    os.dup2(answers, ANSWER_FD)
    for fd in (0, 1, 2):
        os.dup2(devnull, fd)
    os.closerange(ANSWER_FD + 1, 64)  # the zygote never holds more
    _become_nobody()
    _prctl(_DUMPABLE, 0)
    _prctl(_NO_NEW_PRIVS, 1)
    for limit, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, ANSWER_FD + 1),  # no free number: open and socket fail
    ):
        resource.setrlimit(limit, (value, value))


def _give_way() -> None:
    os.nice(19)
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    try:  # when memory runs out a worker goes first
        fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    except OSError:
        return
    try:
        os.write(fd, b"1000")
    except OSError:
        pass
    finally:
        os.close(fd)


def _become_nobody() -> None:
    """Give root away, so that limits cannot be raised again; an ordinary user has none to give."""
    if os.getuid():
        return
    parent = os.getppid()
    try:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    except PermissionError:  # root of a container without the capability: it has little to give
        return
    die_with_parent(parent)  # the kernel forgets the wish when the uid changes


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl {option}")
