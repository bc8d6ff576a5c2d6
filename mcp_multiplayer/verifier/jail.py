"""What stands between a stranger's referee and a member's machine.

Runs in the process that hooks are forked from, and in each hook. The walls are those of
`sandbox/jail.py`, in two steps: what all hooks share is put up once, by their parent for itself, so
that a hook starts in a fraction of a millisecond; the rest by each hook. Where there is no kernel's
filter of system calls (other systems than Linux, other processors) nothing of a stranger's is read
or executed: see `verifier/forkserver_client.py`. Tried by
tests/attacks/test_hostile_referee_in_verifier.py.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys

from mcp_multiplayer.sandbox import jail, landlock, network, seccomp
from mcp_multiplayer.sandbox.isolation import Walls
from mcp_multiplayer.sandbox.jail import ANSWER_FD, DESCRIPTORS, PLACEHOLDER_FD

LINUX = sys.platform == "linux"
#: Processes of the user that the hooks' parent becomes: itself, a hook, the next, some dying.
_PROCESSES = 64
_libc = ctypes.PyDLL(None)  #: called with Python's lock held, which a child then holds
_AWAY = 60  #: from here on are descriptors on their way to their places


def survey(host: int) -> Walls:
    """What there is on this machine. This leaves the machine's network, if it may."""
    return jail.survey(host) if LINUX else Walls()


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
        jail.become(walls.uids)
    jail.renounce(host)
    if walls.landlock:
        landlock.install(walls.landlock)
    seccomp.lesser()  # made once, here, for all hooks
    seccomp.install(seccomp.program(forking=True))


def fork() -> int:
    """``os.fork`` at a third of its price, for a process of one thread.

    Python's own has a child renew locks that no other thread can hold here, and random numbers
    that no hook uses: it touches a hundred pages for that, each of which the kernel must copy.
    """
    pid: int = _libc.fork()
    if pid < 0:
        raise OSError("fork")
    return pid


def enter(answers: int, cpu_seconds: int) -> None:
    """In a hook: keep this descriptor, give up the rest. The filter comes last."""
    parent = os.getppid()
    os.setpgid(0, 0)
    _keep(answers)
    _lower(resource.RLIMIT_NPROC, 0)
    _lower(resource.RLIMIT_CPU, cpu_seconds)
    jail.die_with_parent(parent)
    seccomp.install(seccomp.lesser())


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
    resource.setrlimit(limit, (value, value))
