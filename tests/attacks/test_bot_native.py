"""The language is lost: what can native code do inside the jail? Stopped by engine/sandbox/jail.py.

A process enters the jail exactly as a worker does and then tries, unrestricted and with
ctypes. Signals to processes of the same user, threads, executable memory and stat of
paths are left to the next layer (seccomp, Landlock, a uid for each bot).
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

PROGRAM = r"""
import ctypes, json, os, resource, socket, sys
sys.path.insert(0, sys.argv[1])
from engine.sandbox import jail

ours, theirs = socket.socketpair()
pid = os.fork()
if pid:
    theirs.close()
    data = b""
    while part := ours.recv(65536):
        data += part
    _, status = os.waitpid(pid, 0)
    print(json.dumps([json.loads(data), os.waitstatus_to_exitcode(status)]))
    sys.exit()

jail.die_with_parent(os.getppid())
jail.enter(theirs.fileno(), os.open("/dev/null", os.O_RDWR), memory=512 << 20, cpu_seconds=5)
libc = ctypes.CDLL(None, use_errno=True)
found = {}

def attempt(name, action):
    try:
        found[name] = repr(action())
    except BaseException as error:
        found[name] = "refused: " + repr(error)

def call(name, *args):
    result = getattr(libc, name)(*args)
    if result < 0:
        raise OSError(ctypes.get_errno(), name)
    return result

attempt("open a file", lambda: open("/etc/passwd").read())
attempt("open for writing", lambda: open("/tmp/escape", "w"))
attempt("read the parent's memory", lambda: open(f"/proc/{os.getppid()}/mem", "rb"))
attempt("list a directory", lambda: os.listdir("/"))
attempt("tcp socket", lambda: socket.socket())
attempt("udp socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
attempt("unix socket", lambda: socket.socket(socket.AF_UNIX))
attempt("native socket", lambda: call("socket", 2, 1, 0))
attempt("pipe", os.pipe)
attempt("dup", lambda: os.dup(3))
attempt("memfd", lambda: os.memfd_create("x"))
attempt("more descriptors", lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (5, 5)))
attempt("more memory", lambda: resource.setrlimit(resource.RLIMIT_AS, (-1, -1)))
attempt("a lot of memory", lambda: len(bytearray(1 << 30)))
attempt("core dumps", lambda: resource.setrlimit(resource.RLIMIT_CORE, (1, 1)))
attempt("less nice", lambda: os.nice(-19))
attempt("another process", os.fork)
attempt("new privileges", lambda: call("prctl", 38, 0, 0, 0, 0))
found["open descriptors"] = [fd for fd in range(1024) if libc.fcntl(fd, 1) >= 0]
found["dumpable"] = libc.prctl(3, 0, 0, 0, 0)
found["no new privileges"] = libc.prctl(39, 0, 0, 0, 0)
found["nice"] = os.nice(0)
found["root"] = 0 in os.getresuid() + os.getresgid()
os.write(3, json.dumps(found).encode())
os._exit(7)
"""

REFUSED = (
    "open a file", "open for writing", "read the parent's memory", "list a directory",
    "tcp socket", "udp socket", "unix socket", "native socket", "pipe", "dup", "memfd",
    "a lot of memory", "new privileges", "more descriptors", "more memory", "core dumps",
    "less nice", "another process",
)  # fmt: skip


@pytest.fixture(scope="module")
def found() -> Any:
    command = [sys.executable, "-c", PROGRAM, str(ROOT)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    told, status = json.loads(done.stdout)
    assert status == 7
    return told


@pytest.mark.parametrize("attempt", REFUSED)
def test_the_kernel_refuses(found: dict[str, Any], attempt: str) -> None:
    assert found[attempt].startswith("refused: "), found[attempt]


def test_a_worker_holds_nothing_but_its_answer_and_gives_way_to_everybody(
    found: dict[str, Any],
) -> None:
    assert found["open descriptors"] == [0, 1, 2, 3]
    assert (found["dumpable"], found["no new privileges"], found["nice"]) == (0, 1, 19)
    assert not found["root"]
