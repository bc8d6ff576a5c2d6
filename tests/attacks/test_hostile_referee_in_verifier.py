# ruff: noqa: E501 the rows are read as a table
"""A referee that attacks whoever verifies its game. Stopped by sandbox/jail/confinement.py and
verifier/replay.py.

Each row runs in the verifier's own replayer (`tests/attacks/verifier_lab.py`), first as root, then
as somebody who is not. In most rows the language is lost already and the code is native.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from tests.attacks import verifier_lab

LAB = Path(verifier_lab.__file__)
SECRET = "of-the-verifier-9f2c"
NOBODY = 4321
REFUSED = {'"PermissionError"', '"OSError"'}


def native(*lines: str) -> str:
    return "\n".join(["# native", "import os, _socket, struct", *lines])


def hook(*lines: str) -> str:
    return "class A:\n    def on_init(self):\n" + "\n".join(f"        {line}" for line in lines)


#: By name: the source, and what may come of it.
ROWS: dict[str, tuple[str, set[str]]] = {
    "reads a file": (native("got = os.read(os.open('/etc/passwd', 0), 99)"), REFUSED),
    "reads the record": (native("got = os.read(os.open('@SECRET@', 0), 99)"), REFUSED),
    "lists a directory": (native("got = os.listdir('/')"), REFUSED),
    "writes a file": (
        native("got = os.open('/tmp/mpx-escaped', os.O_CREAT | os.O_WRONLY)"),
        REFUSED,
    ),
    "reads its parent's environment": (
        native("got = open(f'/proc/{os.getppid()}/environ').read()"),
        REFUSED,
    ),
    "reads its own environment": (
        native("got = sorted(os.environ) + sorted(os.environb.values())"),
        {
            json.dumps(
                repr(
                    [
                        "HOME",
                        "LANG",
                        "PYTHONHASHSEED",
                        "TZ",
                        b"/nonexistent",
                        b"0",
                        b"C.UTF-8",
                        b"UTC0",
                    ]
                )
            ),
            json.dumps(
                repr(
                    [
                        "HOME",
                        "LANG",
                        "LC_CTYPE",
                        "PYTHONHASHSEED",
                        "TZ",
                        b"/nonexistent",
                        b"0",
                        b"C.UTF-8",
                        b"C.UTF-8",
                        b"UTC0",
                    ]
                )
            ),
        },
    ),
    "looks for descriptors": (
        native(
            "got = []",
            "for n in range(64):",
            "    try:",
            "        os.get_inheritable(n)",
            "        got.append(n)",
            "    except OSError:",
            "        pass",
        ),
        {'"[0, 1, 2, 3, 4]"'},
    ),
    "may wait for an answer": (native("got = os.get_blocking(3)"), {'"True"'}),
    "calls home": (native("got = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)"), REFUSED),
    "calls home with datagrams": (
        native("got = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)"),
        REFUSED,
    ),
    "uses the socket that leads nowhere": (
        native("s = _socket.socket(_socket.AF_UNIX, 1, 0, 4)", "got = s.connect('/tmp/x')"),
        REFUSED,
    ),
    "forks": (native("got = os.fork()"), REFUSED),
    "forks without end": (native("while True:", "    os.fork()"), REFUSED),
    "starts a thread": (
        native("import _thread", "got = _thread.start_new_thread(print, ())"),
        {'"RuntimeError"'},
    ),
    "runs a program": (native("got = os.execv('/bin/true', ['true'])"), {"Crashed"}),
    "kills its parent": (native("got = os.kill(os.getppid(), 9)"), {"Crashed"}),
    "kills the verifier": (native("got = os.kill(@VERIFIER@, 9)"), {"Crashed"}),
    "kills everybody": (native("got = os.kill(-1, 9)"), {"Crashed"}),
    "leaves its group": (native("got = os.setpgid(0, 0)"), REFUSED),
    "raises its limits": (
        native("import resource", "got = resource.setrlimit(resource.RLIMIT_NPROC, (9, 9))"),
        REFUSED | {'"ValueError"', '"ModuleNotFoundError"'},
    ),
    "becomes root": (native("got = os.setuid(0)"), {"Crashed"}),
    "ends": (native("os._exit(0)"), {"Crashed"}),
    "crashes": (
        native("import ctypes", "ctypes.string_at(0)"),
        {"Crashed", '"OSError"', '"ModuleNotFoundError"'},
    ),
    "takes memory": (native("got = len(bytearray(1 << 31))"), {'"MemoryError"'}),
    "takes memory bit by bit": (
        native("got = []", "while True:", "    got.append(bytearray(1 << 20))"),
        {'"MemoryError"', "Crashed", "TimeLimit"},
    ),
    "announces a long answer": (
        native("os.write(3, struct.pack('!I', 1 << 31))", "while True:", "    pass"),
        {"Crashed"},
    ),
    "talks without end": (
        native(
            "while True:", "    os.write(3, struct.pack('!I', 14) + b'{\"ask\":\"roots\"'[:14])"
        ),
        {"Crashed"},
    ),
    "asks without end": (
        native("while True:", "    os.write(3, struct.pack('!I', 15) + b'{\"ask\":\"roots\"}')"),
        {"Crashed", "TimeLimit"},
    ),
    "draws without end": (
        native(
            'b = b\'{"ask":"draw","blocks":4096}\'',
            "while True:",
            "    os.write(3, struct.pack('!I', len(b)) + b)",
            "    n, = struct.unpack('!I', os.read(3, 4))",
            "    while n: n -= len(os.read(3, n))",
        ),
        {"Crashed", "TimeLimit"},
    ),
    "says how much it drew": (
        native(
            'b = b\'{"failed":null,"draws":0}\'',
            "os.write(3, struct.pack('!I', len(b)) + b)",
            "os._exit(0)",
        ),
        {"Crashed"},
    ),
    "talks slowly": (
        native(
            "os.write(3, struct.pack('!I', 999))",
            "while True:",
            "    os.write(3, b' ') if not sum(range(9999)) else None",
        ),
        {"TimeLimit", "Crashed"},
    ),
    "forges an answer": (
        native("os.write(3, struct.pack('!I', 13) + b'{\"finished\":1}'[:13])", "os._exit(0)"),
        {"Crashed"},
    ),
    "nests an answer": (
        native("b = b'[' * 60000", "os.write(3, struct.pack('!I', len(b)) + b)", "os._exit(0)"),
        {"Crashed"},
    ),
    "asks for a file outside": (
        native(
            'b = b\'{"ask":"open","path":"../../../../etc/passwd","mode":"r"}\'',
            "os.write(3, struct.pack('!I', len(b)) + b)",
            "n, = struct.unpack('!I', os.read(3, 4))",
            "got = b'errno' in os.read(3, n)",
        ),
        {'"True"'},
    ),
    "asks for what does not exist": (
        native(
            'b = b\'{"ask":"shell"}\'',
            "os.write(3, struct.pack('!I', len(b)) + b)",
            "got = os.read(3, 4)",
        ),
        {"Crashed"},
    ),
    "hangs up and goes on": (native("os.close(3)", "while True:", "    pass"), {"Crashed"}),
    "answers and goes on": (
        native(
            "import mcp_multiplayer.sandbox.worker.serve as w",
            'w._write(b\'{"finished":{"said":[],"state":null,"turn":null,"end":null,"timers":{},"prints":""}}\')',
            "while True:",
            "    pass",
        ),
        {"null"},
    ),
    "runs without end": (hook("while True:", "    pass"), {"TimeLimit", "FuelLimit"}),
    "counts without end": (
        hook("for n in range(10 ** 12):", "    pass"),
        {"TimeLimit", "FuelLimit"},
    ),
    "a power without end": (hook("x = 10 ** 10 ** 9"), {"TimeLimit"}),
    "a long string": (hook("x = 'x' * 10 ** 12"), {"MemoryLimit"}),
    "a pattern without end": (
        hook("import re", "re.match('(a+)+$', 'a' * 64 + 'b')"),
        {"TimeLimit"},
    ),
    "posts without end": (
        hook("while True:", "    self.ctx.post('bot', 'x' * 1000)"),
        {"OutputLimit"},
    ),
    "prints without end": (
        hook("for n in range(10 ** 5):", "    print('x' * 1000)"),
        {"null", "FuelLimit"},
    ),
    "a deep source": (hook("x = " + "(" * 5000 + ")" * 5000), {"SyntaxError", "BotRejected"}),
    "a source deep in lists": (hook("x = " + "[" * 5000), {"SyntaxError", "BotRejected"}),
    "a source of signs": (
        hook("x = " + "-" * 45000 + "1"),
        {"SyntaxError", "BotRejected", "Crashed"},
    ),
    "a source of sums": (
        hook("x = " + "+".join("1" * 20000)),
        {"SyntaxError", "BotRejected", "Crashed"},
    ),
    "a source of lambdas": (
        hook("x = " + "lambda: " * 6000 + "1"),
        {"SyntaxError", "BotRejected", "Crashed"},
    ),
    "a source of comparisons": (
        hook("x = " + "1 < (" * 4000 + "1" + ")" * 4000),
        {"SyntaxError", "BotRejected", "Crashed"},
    ),
    "a long constant": (hook("x = " + "9" * 45000), {"SyntaxError", "BotRejected"}),
    "goes on afterwards": (hook("self.ctx.post('bot', {'got': 1})"), {"1"}),
}


def python_of(uid: int) -> str:
    """A Python that this user may start."""
    for path in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        check = f"import sys; sys.exit(sys.version_info[:2] != {tuple(sys.version_info[:2])})"
        if Path(path).exists():
            try:
                done = subprocess.run(
                    [path, "-I", "-c", check],
                    user=uid,
                    cwd="/",
                    check=False,
                    stderr=subprocess.DEVNULL,
                )
            except OSError:
                continue
            if done.returncode == 0:
                return path
    pytest.skip("there is no Python here that another user may start")


@functools.cache
def lab(uid: int) -> dict[str, Any]:
    """Every row, in one verifier of this user."""
    with tempfile.TemporaryDirectory() as place:
        secret, temporary = Path(place, "secret"), Path(place, "tmp")
        secret.write_text(SECRET)
        temporary.mkdir()
        for path in (Path(place), secret, temporary):
            os.chown(path, uid, uid)
        rows = {name: source.replace("@SECRET@", str(secret)) for name, (source, _) in ROWS.items()}
        told = {
            "rows": {
                name: source.replace("@VERIFIER@", str(os.getpid()))
                for name, source in rows.items()
            },
            "memory": 512 << 20,
            "seconds": 1.5,
        }
        environment = {
            "TMPDIR": str(temporary),
            "MPX_SECRET": SECRET,
            "PATH": "/usr/bin",
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
        done = subprocess.run(
            [python_of(uid), "-B", str(LAB)],
            input=json.dumps(told).encode(),
            env=environment,
            cwd="/",
            user=uid,
            extra_groups=[] if os.getuid() == 0 else None,
            capture_output=True,
            timeout=240,
            check=False,
        )
    assert done.returncode == 0, done.stderr.decode()
    assert SECRET not in done.stdout.decode()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


USERS = [
    pytest.param(os.getuid(), id="as who runs the tests", marks=pytest.mark.long),
    pytest.param(
        NOBODY,
        id="as nobody",
        marks=pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else"),
    ),
]


@pytest.mark.parametrize("uid", USERS)
def test_no_row_gets_through(uid: int) -> None:
    outcomes = lab(uid)["outcomes"]
    assert {name: said for name, said in outcomes.items() if said not in ROWS[name][1]} == {}
    assert outcomes.keys() == ROWS.keys()


@pytest.mark.parametrize("uid", USERS)
def test_nothing_is_left_running_nor_lying_about(uid: int) -> None:
    found = lab(uid)
    assert (found["left"], found["files"]) == ([], [])
    assert not Path("/tmp/mpx-escaped").exists()


@pytest.mark.parametrize("uid", USERS)
def test_none_takes_longer_than_it_may(uid: int) -> None:
    assert lab(uid)["slowest"] < 15


@pytest.mark.parametrize("uid", USERS)
def test_the_report_names_the_walls(uid: int) -> None:
    walls = lab(uid)["walls"]
    assert walls.startswith("seccomp, Landlock, ")
    assert ("another user" in walls) == (uid == 0)


def test_when_the_verifier_is_killed_its_hooks_end_with_it() -> None:
    program = (
        "import sys\nfrom mcp_multiplayer.sandbox.call import HookCall\nfrom mcp_multiplayer.verifier.replay import Replayer\n"
        "replayer = Replayer(seconds=60)\nreplayer.run(HookCall('', 'on_init'))\n"
        "pid = replayer._pool._keeper.pid\nsys.stdout.write(f'{pid}\\n')\nsys.stdout.flush()\n"
        f"replayer.run(HookCall({hook('while True:', '    pass')!r}, 'on_init'))"
    )
    environment = {"PYTHONPATH": os.pathsep.join([str(LAB.parents[2]), *sys.path])}
    with subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE
    ) as verifier:
        assert verifier.stdout is not None
        parent = int(verifier.stdout.readline())
        children = Path(f"/proc/{parent}/task/{parent}/children")
        until = time.monotonic() + 30
        while len(hooks := children.read_text().split()) < 2:
            assert time.monotonic() < until
        verifier.send_signal(signal.SIGKILL)
    for pid in [str(parent), *hooks]:
        while running(pid):
            assert time.monotonic() < until


def running(pid: str) -> bool:
    """False for one that is gone, or waits to be buried by whoever inherited it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
