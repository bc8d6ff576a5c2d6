"""A process that serves one request and ends.

Forked by the zygote, jailed, then told what to do by the host over one socket. The
stranger's code runs here; whatever it does to this process ends with this process.
"""

from __future__ import annotations

import os
import signal
from typing import Any, NoReturn

from mcp_multiplayer.sandbox.jail import confinement, selftest_attacks
from mcp_multiplayer.sandbox.jail.isolation import Walls
from mcp_multiplayer.sandbox.protocol import frames
from mcp_multiplayer.sandbox.protocol.values import read, text
from mcp_multiplayer.sandbox.worker import hostcall_client, network, scatter, warmup
from mcp_multiplayer.sandbox.worker.compiler import compile_library, compile_source
from mcp_multiplayer.sandbox.worker.hook import answer

READY = b"{}"


def run(
    answers: int, zygote: int, walls: Walls, cpu_seconds: int, uid: int, *, scattered: bool
) -> NoReturn:
    """Run one request to its end; never returns, runs no exit handler of anybody."""
    try:
        signal.set_wakeup_fd(-1)  # its handlers of signals do nothing
        confinement.enter(answers, network.placeholder(), zygote, walls, cpu_seconds, uid)
        serve_one(scattered=scattered)
    finally:
        os._exit(1)


def serve_one(*, scattered: bool) -> None:
    """Say that it is ready, be told what to do, do it, answer, end."""
    warmup.exercise()
    hostcall_client.begin()
    if scattered:
        scatter.begin()
    _write(READY)
    request: dict[str, Any] = read(_read())
    if request["do"] == "attack":
        _write(text(selftest_attacks.attempt(request["attack"])).encode())
        os._exit(0)
    if request["do"] in ("compile", "library"):
        if request["do"] == "library":
            told, code = compile_library(request["source"])
        else:
            told, code = compile_source(request["source"], request["library"])
        _write(text(told).encode())
        _write(code)
        os._exit(0)
    code = _read()
    library = _read() if request["call"]["library"] else None
    _write(text(answer(request, code, library=library)).encode())
    os._exit(0)


def _read() -> bytes:
    header = _exactly(frames.HEADER.size)
    return _exactly(frames.length(header, frames.LARGEST_REQUEST))


def _exactly(n: int) -> bytes:
    data = bytearray()
    while len(data) < n:
        part = os.read(confinement.ANSWER_FD, n - len(data))
        if not part:
            os._exit(0)  # the host needs no answer any more
        data += part
    return bytes(data)


def _write(payload: bytes) -> None:
    view = memoryview(frames.pack(payload))
    while view:
        view = view[os.write(confinement.ANSWER_FD, view) :]
