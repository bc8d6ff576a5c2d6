"""What stands between a stranger's referee and a member's machine. Changes with each wall.

Runs in the process that hooks are forked from, and in each hook. The walls are those of
`engine/sandbox/jail.py`, in two steps: what all hooks share is put up once, by their
parent for itself, so that a hook starts in a fraction of a millisecond; the rest by each
hook. Other systems than Linux have limits only. Tried by
tests/attacks/test_hostile_referee_in_verifier.py.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys

from engine.sandbox import jail, landlock, network, seccomp
from engine.sandbox.isolation import Walls
from engine.sandbox.jail import ANSWER_FD, DESCRIPTORS, PLACEHOLDER_FD

LINUX = sys.platform == "linux"
#: Processes of the user that the hooks' parent becomes: itself, a hook, the next, some dying.
_PROCESSES = 64
_libc = ctypes.PyDLL(None)  #: called with Python's lock held, which a child then holds
_AWAY = 60  #: from here on are descriptors on their way to their places


def survey(host: int) -> Walls:
    """What there is on this machine. On Linux this leaves the machine's network, if it may."""
    if LINUX:
        return jail.survey(host)
    return Walls(uids=jail.FIRST_UID + host % jail.HOSTS * jail.UIDS if _is_root() else 0)


def surround(walls: Walls, memory: int, seconds: int, files: int) -> None:
    """Give up, in the hooks' parent and for good, all that no hook needs."""
    host = os.getppid()
    os.chdir("/")
    for limit, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, files),
        (resource.RLIMIT_NOFILE, DESCRIPTORS),
    ):
        _lower(limit, value)
    if walls.uids:
        _lower(resource.RLIMIT_NPROC, _PROCESSES)
        _become(walls.uids)
    if LINUX:
        jail.renounce(host)
        if walls.landlock:
            landlock.install(walls.landlock)
        if walls.seccomp:
            seccomp.lesser()  # made once, here, for all hooks
            seccomp.install(seccomp.program(forking=True))


def fork() -> int:
    """``os.fork`` at a third of its price, for a process of one thread.

    Python's own has a child renew locks that no other thread can hold here, and random numbers
    that no hook uses: it touches a hundred pages for that, each of which the kernel must copy.
    """
    if not LINUX:
        return os.fork()
    pid: int = _libc.fork()
    if pid < 0:
        raise OSError("fork")
    return pid


def enter(answers: int, walls: Walls, cpu_seconds: int) -> None:
    """In a hook: keep this descriptor, give up the rest. The filter comes last."""
    parent = os.getppid()
    os.setpgid(0, 0)
    _keep(answers)
    _lower(resource.RLIMIT_NPROC, 0)
    _lower(resource.RLIMIT_CPU, cpu_seconds)
    if LINUX:
        jail.die_with_parent(parent)
        if walls.seccomp:
            seccomp.install(seccomp.lesser())
        elif walls.landlock:
            landlock.install(walls.landlock)  # again: the first one does not part hooks


def _keep(answers: int) -> None:
    """The way to the verifier, and sockets that lead nowhere where libraries expect files."""
    nowhere = network.placeholder()
    os.dup2(answers, _AWAY)
    os.dup2(nowhere, _AWAY + 1)
    for place in (0, 1, 2, PLACEHOLDER_FD):
        os.dup2(_AWAY + 1, place)
    os.dup2(_AWAY, ANSWER_FD)
    os.closerange(PLACEHOLDER_FD + 1, DESCRIPTORS)


def _lower(limit: int, value: int) -> None:
    _, most = resource.getrlimit(limit)
    value = value if most == resource.RLIM_INFINITY else min(value, most)
    try:
        resource.setrlimit(limit, (value, value))
    except (ValueError, OSError):  # macOS knows some of them by name only
        if LINUX:
            raise


def _is_root() -> bool:
    return os.geteuid() == 0


def _become(uid: int) -> None:
    if LINUX:
        jail.become(uid)
        return
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
