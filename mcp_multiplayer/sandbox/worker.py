"""A process that serves one request and ends.

Forked by the zygote, jailed, then told what to do by the host over one socket. The
stranger's code runs here; whatever it does to this process ends with this process.
"""

from __future__ import annotations

import os
import signal
from typing import Any, NoReturn

from mcp_multiplayer.sandbox import (
    frames,
    hostcall_client,
    jail,
    network,
    normalize,
    selftest_attacks,
    warmup,
)
from mcp_multiplayer.sandbox.compiler import compile_source
from mcp_multiplayer.sandbox.hook import answer
from mcp_multiplayer.sandbox.isolation import Walls
from mcp_multiplayer.sandbox.jail import Allowance
from mcp_multiplayer.sandbox.values import read, text

READY = b"{}"


def serve(answers: int, zygote: int, walls: Walls, allowance: Allowance, uid: int) -> NoReturn:
    """Run one request to its end; never returns, runs no exit handler of anybody."""
    try:
        _reset_signals()
        jail.die_with_parent(zygote)
        unconnected = network.placeholder()
        jail.enter(answers, unconnected, walls, allowance, uid)
        serve_one()
    finally:
        os._exit(1)


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def serve_one() -> None:
    """Be told what to do, do it, answer, end."""
    warmup.exercise()
    _write(READY)
    request: dict[str, Any] = read(_read())
    if request["do"] == "attack":
        _write(text(selftest_attacks.attempt(request["attack"])).encode())
        os._exit(0)
    if request["do"] == "compile":
        _write(text(compile_source(request["source"])).encode())
        os._exit(0)
    code = _read()
    hostcall_client.begin()
    if os.environ.get("PYTHONHASHSEED") != "0":
        normalize.stir()
    _write(text(answer(request, code)).encode())
    os._exit(0)


def _read() -> bytes:
    header = _exactly(frames.HEADER.size)
    return _exactly(frames.length(header, frames.LARGEST_REQUEST))


def _exactly(n: int) -> bytes:
    data = bytearray()
    while len(data) < n:
        part = os.read(jail.ANSWER_FD, n - len(data))
        if not part:
            os._exit(0)  # the host needs no answer any more
        data += part
    return bytes(data)


def _write(payload: bytes) -> None:
    view = memoryview(frames.pack(payload))
    while view:
        view = view[os.write(jail.ANSWER_FD, view) :]
