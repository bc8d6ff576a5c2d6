"""A worker that has fallen to its bot asks whatever it likes. Stopped by questions.py and
broker.py.

The test holds the worker's end of the socket. A question that our own worker would not
have asked ends the worker; one it could have asked gets no more than any bot gets.
"""

import asyncio
import contextlib
import json
import os
import socket
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_multiplayer.sandbox.call import (
    MOST_CODE,
    Compiled,
    Failed,
    Finished,
    HookCall,
    HookResult,
    Limits,
    SourceReport,
)
from mcp_multiplayer.sandbox.host.forkserver import Death
from mcp_multiplayer.sandbox.host.pool import Pool, Worker
from mcp_multiplayer.sandbox.hostcalls.broker import Broker
from mcp_multiplayer.sandbox.hostcalls.dice import AT_ONCE, BLOCKS
from mcp_multiplayer.sandbox.protocol import frames
from mcp_multiplayer.sandbox.protocol.hostcalls import LARGEST, QUESTIONS, read_question
from mcp_multiplayer.sandbox.protocol.wire import Broken
from mcp_multiplayer.transcript.drbg import Drbg

pytestmark = pytest.mark.asyncio(loop_scope="module")
CALL = HookCall("class A: pass", "on_init", inline=False)
LIMITS = Limits(hook_seconds=1.0)
DONE: dict[str, Any] = {
    "finished": {"said": [], "state": None, "turn": None, "end": None, "timers": {}, "prints": ""}
}
FETCH: dict[str, Any] = {
    "ask": "fetch",
    "scheme": "http",
    "host": "a",
    "port": 80,
    "method": "GET",
    "target": "/",
    "headers": [],
    "body": "",
    "verify": True,
    "timeout": None,
}
CONNECT: dict[str, Any] = {"ask": "connect", "host": "a", "port": 80, "version": None, "timeout": 1}
TLS: dict[str, Any] = {
    "ask": "tls",
    "connection": 1,
    "name": "a",
    "verify": True,
    "check": True,
    "authorities": "usual",
    "alpn": [],
    "oldest": None,
    "newest": None,
    "timeout": None,
}
SEND: dict[str, Any] = {"ask": "send", "connection": 1, "data": "eA==", "timeout": None}
RECEIVE: dict[str, Any] = {"ask": "receive", "connection": 1, "most": 9, "timeout": None}
SHUT: dict[str, Any] = {"ask": "shut", "connection": 1, "all": True}
OPEN: dict[str, Any] = {"ask": "open", "path": "x", "mode": "w"}
DRAW: dict[str, Any] = {"ask": "draw", "blocks": 1}


class Traitor(Pool):
    """A pool whose only worker is the test; what the host answers is kept."""

    def __init__(self, *sent: bytes, read: bool = True, limits: Limits = LIMITS) -> None:
        super().__init__(limits=limits, broker=Broker(limits=limits))
        self._cache.put(CALL.source, Compiled(SourceReport(("on_init",), "A"), b"code"))
        self.sent, self.read = sent, read
        self.hook = True  #: what is asked of it, rather than to compile
        self.answers: list[Any] = []
        self.fds: list[int] = []
        self.killed = asyncio.get_running_loop().create_future()

    async def _ready_worker(self) -> Worker:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.settimeout(5.0)
        self.talking = asyncio.create_task(asyncio.to_thread(self._talk, theirs))
        return Worker(1, ours, self.killed, self)  # type: ignore[arg-type]

    def _talk(self, sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError, struct.error):
            frames.receive(sock, frames.LARGEST_REQUEST)
            if self.hook:
                frames.receive(sock, MOST_CODE)
            for number, part in enumerate(self.sent, 1):
                sock.sendall(part)
                if self.read and number < len(self.sent):
                    header, fds, _, _ = socket.recv_fds(sock, 4, 4)
                    self.fds += fds
                    length = frames.length(header, frames.LARGEST_REQUEST)
                    self.answers.append(json.loads(frames._exactly(sock, length)))

    def kill(self, job: int) -> None:
        if not self.killed.done():
            self.killed.set_result(Death(-9, 0.0))

    async def played(self) -> HookResult:
        result = await self.run(CALL)
        await self.talking
        self.broker.close()
        return result


def frame(value: object) -> bytes:
    return frames.pack(
        value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    )


def changed(question: dict[str, Any], **fields: object) -> dict[str, Any]:
    return {**question, **fields}


def without(question: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in question.items() if key != name}


FORGED: dict[str, object] = {
    "nothing asked": {"ask": None},
    "an unknown question": {"ask": "exec", "code": "1"},
    "a question in a list": {"ask": ["fetch"]},
    "a question that is a dict": {"ask": {}},
    "cut off": b'{"ask":"open"',
    "not UTF-8": b'{"ask":"\xff"}',
    "NaN": b'{"ask":"connect","host":"a","port":80,"version":null,"timeout":NaN}',
    "a deep array": b'{"ask":' + b"[" * 100_000,
    "a huge number": b'{"ask":"connect","host":"a","port":' + b"9" * 5000 + b"}",
    "infinite time": b'{"ask":"connect","host":"a","port":80,"version":null,"timeout":1e999}',
    "a field too many": changed(OPEN, flags=0),
    "a field too few": without(CONNECT, "host"),
    "a fetch of a file": changed(FETCH, scheme="file"),
    "a method of its own": changed(FETCH, method="CONNECT"),
    "a method that is a list": changed(FETCH, method=["GET"]),
    "a method with a line break": changed(FETCH, method="GET\r\nX: y"),
    "headers that are a dict": changed(FETCH, headers={"a": "b"}),
    "a header of three": changed(FETCH, headers=[["a", "b", "c"]]),
    "a header that is a number": changed(FETCH, headers=[["a", 1]]),
    "too many headers": changed(FETCH, headers=[["a", "b"]] * 101),
    "a body that is not base64": changed(FETCH, body="ä"),
    "a body too large": changed(FETCH, body="A" * (1 << 21)),
    "verify that is a string": changed(FETCH, verify=""),
    "a host that is null": changed(FETCH, host=None),
    "a host too long": changed(FETCH, host="a" * 301),
    "half a surrogate": b'{"ask":"resolve","host":"\\ud800"}',
    "a port that is a dict": changed(CONNECT, port={}),
    "a port that is true": changed(CONNECT, port=True),
    "port 0": changed(CONNECT, port=0),
    "port 65536": changed(CONNECT, port=65536),
    "a float for a port": changed(CONNECT, port=80.5),
    "connection 0": changed(SEND, connection=0),
    "a connection that is true": changed(RECEIVE, connection=True),
    "nothing to send": changed(SEND, data=""),
    "data that is no base64": changed(SEND, data="no base64"),
    "more than is received at once": changed(RECEIVE, most=1 << 17),
    "nothing to receive": changed(RECEIVE, most=0),
    "shut that is a number": changed(SHUT, all=1),
    "TLS that checks and does not verify": changed(TLS, verify=False),
    "TLS with a version of its own": changed(TLS, oldest="TLSv1"),
    "TLS with too many protocols": changed(TLS, alpn=["x"] * 9),
    "TLS for a list": changed(TLS, name=["a"]),
    "roots": {"ask": "roots"},
    "IP version 5": changed(CONNECT, version=5),
    "time that runs backwards": changed(CONNECT, timeout=-1),
    "time that is a string": changed(CONNECT, timeout="1"),
    "a mode of its own": changed(OPEN, mode="rw"),
    "a path that is a number": changed(OPEN, path=3),
    "a path too long": changed(OPEN, path="a" * 4097),
    "no draw": changed(DRAW, blocks=0),
    "draws given back": changed(DRAW, blocks=-1),
    "half a draw": changed(DRAW, blocks=0.5),
    "a draw that is true": changed(DRAW, blocks=True),
    "too many draws at once": changed(DRAW, blocks=AT_ONCE + 1),
    "another place of the dice": changed(DRAW, position=0),
    "another hook's dice": changed(DRAW, hook=0),
    "the key": {"ask": "draw", "blocks": 1, "key": True},
}


@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_question_ends_the_worker(name: str) -> None:
    pool = Traitor(frame(FORGED[name]))
    result = await pool.played()
    assert isinstance(result, Failed) and (result.error, result.killed) == ("Crashed", True)
    assert pool.killed.done() and not pool.fds


async def test_a_frame_that_is_too_large_is_not_read() -> None:
    result = await Traitor(frames.HEADER.pack(LARGEST + 1) + b'{"ask":').played()
    assert isinstance(result, Failed) and result.error == "Crashed"


async def test_half_a_question_lasts_no_longer_than_the_hook() -> None:
    result = await Traitor(frame(OPEN)[:10], b"", read=True).played()
    assert isinstance(result, Failed) and result.error in ("TimeLimit", "Crashed")


async def test_questions_without_end_end_the_worker() -> None:
    asked = frame(changed(SHUT, connection=9))
    pool = Traitor(*[asked] * (QUESTIONS + 1), b"", limits=Limits(hook_seconds=30.0))
    result = await pool.played()
    assert isinstance(result, Failed) and result.error == "Crashed"
    assert [answer["error"] for answer in pool.answers] == ["refused"] * QUESTIONS


async def test_the_host_counts_what_it_tells_whatever_the_worker_says() -> None:
    pool = Traitor(frame(DRAW), frame(changed(DRAW, blocks=3)), frame(DONE))
    result = await pool.played()
    assert isinstance(result, Finished) and result.draws == 4
    told = "".join(answer["blocks"] for answer in pool.answers)
    assert told == Drbg(CALL.key).take(4).hex()


@pytest.mark.parametrize("at_once", [1, AT_ONCE])
async def test_draws_without_end_end_the_worker(at_once: int) -> None:
    asked = frame(changed(DRAW, blocks=at_once))
    pool = Traitor(*[asked] * 2000, b"", limits=Limits(hook_seconds=60.0))
    result = await pool.played()
    assert isinstance(result, Failed) and result.error == "Crashed"
    assert result.draws == len(pool.answers) * at_once <= BLOCKS


async def test_bytes_without_end_end_the_worker() -> None:
    large = frame(changed(FETCH, body="A" * (1 << 20)))
    pool = Traitor(*[large] * 20)
    result = await pool.played()
    assert isinstance(result, Failed) and result.error == "Crashed" and len(pool.answers) < 6


async def test_a_worker_that_asks_and_does_not_listen_stops_only_itself() -> None:
    pool = Traitor(*[frame(OPEN)] * 400, frame(DONE), read=False)
    result = await pool.played()
    assert isinstance(result, Failed | Finished)


async def test_descriptors_are_the_workers_and_no_longer_the_hosts() -> None:
    before = len(os.listdir("/proc/self/fd"))
    pool = Traitor(frame(OPEN), frame(changed(OPEN, path="y")), frame(DONE))
    assert isinstance(await pool.played(), Finished)
    assert len(pool.fds) == 2
    for fd in pool.fds:
        os.close(fd)
    assert len(os.listdir("/proc/self/fd")) == before


async def test_a_question_while_a_source_is_inspected_rejects_the_source() -> None:
    from mcp_multiplayer.errors import BotRejected

    pool = Traitor(frame(OPEN))
    pool.hook = False
    with pytest.raises(BotRejected):
        await pool.inspect("class B: pass", inline=False)
    await pool.talking


JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.sampled_from(
        [FETCH, CONNECT, TLS, SEND, RECEIVE, SHUT, OPEN, DRAW, {"ask": "resolve", "host": "a"}]
    ),
    st.data(),
)
async def test_no_json_gets_past_the_reader(question: dict[str, Any], data: st.DataObject) -> None:
    field = data.draw(st.sampled_from(sorted(question)))
    value = data.draw(JSONISH)
    with contextlib.suppress(Broken):
        read_question(json.dumps(changed(question, **{field: value})).encode())


@given(st.binary(max_size=100))
async def test_no_bytes_get_past_the_reader(data: bytes) -> None:
    with contextlib.suppress(Broken):
        read_question(b'{"ask":' + data)
