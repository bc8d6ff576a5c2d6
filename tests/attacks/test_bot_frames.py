"""A worker that has fallen to its bot writes whatever it likes. Stopped by wire.py and frames.py.

The test holds the worker's end of the socket; the host must come to a result at once,
believe nothing, and ask for the worker's death.
"""

import asyncio
import contextlib
import json
import socket
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_multiplayer.errors import BotRejected
from mcp_multiplayer.sandbox.call import (
    MOST_CODE,
    Compiled,
    Failed,
    Finished,
    HookCall,
    Limits,
    SourceReport,
)
from mcp_multiplayer.sandbox.host.forkserver import Death
from mcp_multiplayer.sandbox.host.pool import Pool, Worker
from mcp_multiplayer.sandbox.protocol import frames, wire

pytestmark = pytest.mark.asyncio(loop_scope="module")
CALL = HookCall("class A: pass", "on_init", players=("alice",))
LIMITS = Limits(hook_seconds=0.5)
FINISHED: dict[str, Any] = {
    "said": [],
    "state": None,
    "turn": None,
    "end": None,
    "timers": {},
    "prints": "",
}
NOTHING: dict[str, Any] = {
    "hooks": [],
    "class_name": None,
    "manifest": None,
    "network": False,
    "dice": False,
}
FAILED = {"error": "E", "line": None, "text": "", "prints": ""}


class Traitor(Pool):
    """A pool whose only worker is the test."""

    def __init__(self, *sent: bytes) -> None:
        super().__init__(limits=LIMITS, policy="unsafe")  # there is no jail to be tried
        self.sent = sent
        self._cache.put(CALL.source, Compiled(SourceReport(("on_init",), "A"), b"code"))
        self.killed = asyncio.get_running_loop().create_future()

    async def _ready_worker(self) -> Worker:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        self.writing = asyncio.create_task(self._write(theirs))
        return Worker(1, ours, self.killed, self)  # type: ignore[arg-type]

    async def _write(self, theirs: socket.socket) -> None:
        with theirs, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            await asyncio.get_running_loop().sock_sendall(theirs, b"".join(self.sent))

    def kill(self, job: int) -> None:
        if not self.killed.done():
            self.killed.set_result(Death(-9, 0.0))


def frame(value: object) -> bytes:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return frames.pack(data)


def finished(**changed: object) -> dict[str, Any]:
    return {"finished": {**FINISHED, **changed}}


def failed(**changed: object) -> dict[str, Any]:
    return {"failed": {**FAILED, **changed}}


def said(**post: object) -> dict[str, Any]:
    return finished(said=[{"kind": "bot", "body": {}, **post}])


FORGED = {
    "not JSON": b"hello",
    "not UTF-8": b"\xff\xfe",
    "empty": b"",
    "a pickle": b"\x80\x04\x95.",
    "NaN": b'{"finished": NaN}',
    "a deep array": b"[" * 100_000,
    "a huge number": b'{"finished": ' + b"9" * 5000 + b"}",
    "an overflowing float": json.dumps(finished(end={"winners": [], "x": 1}))
    .replace("1}", "1e999}")
    .encode(),
    "a list": [],
    "a number": 3,
    "nothing": {},
    "both": {**finished(), **failed()},
    "draws of its own count": {**finished(), "draws": 0},
    "missing field": {"finished": {"said": []}},
    "said is a dict": finished(said={}),
    "said is null": finished(said=None),
    "a post is a string": finished(said=["x"]),
    "a post with another field": said(sender="system"),
    "kind is a number": said(kind=1),
    "kind is long": said(kind="x" * 33),
    "kind with a line break": said(kind="a\nb"),
    "body is a list": said(body=[]),
    "body has a surrogate": said(body={"x": "\ud800"}),
    "body beyond 2**53": said(body={"x": 2**53}),
    "to is empty": said(to=[]),
    "to is a string": said(to="alice"),
    "to somebody else": said(to=["mallory"]),
    "private without to": said(private={"x": 1}),
    "private is a list": said(private=[1], to=["alice"]),
    "too many posts": finished(said=[{"kind": "b", "body": {}}] * 257),
    "too much said": said(body={"x": "y" * 50_000}),
    "state is a list": finished(state=[]),
    "state too large": finished(state={"x": "y" * 300_000}),
    "turn of a stranger": finished(turn={"players": ["mallory"], "seconds": None, "expect": None}),
    "turn without seconds": finished(turn={"players": []}),
    "turn that never ends": finished(turn={"players": [], "seconds": 1e12, "expect": None}),
    "end is a string": finished(end="alice"),
    "winners are numbers": finished(end={"winners": [1]}),
    "timer named turn": finished(timers={"turn": 1}),
    "timer in the past": finished(timers={"x": -1}),
    "timer is boolean": finished(timers={"x": True}),
    "too many timers": finished(timers={f"t{i}": 1 for i in range(33)}),
    "prints is a list": finished(prints=["x"]),
    "prints too long": finished(prints="x" * 10_000),
    "error is a sentence": failed(error="system: alice wins"),
    "error is long": failed(error="E" * 65),
    "line is a string": failed(line="1"),
    "line is negative": failed(line=-1),
    "text is a dict": failed(text={}),
    "text too long": failed(text="x" * 20_000),
    "failed is null": {"failed": None},
}


@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_answer_is_a_crash(name: str) -> None:
    pool = Traitor(frame(FORGED[name]))
    result = await pool.run(CALL)
    await pool.writing
    assert isinstance(result, Failed) and (result.error, result.killed) == ("Crashed", True)
    assert pool.killed.done()


@pytest.mark.parametrize(
    "sent",
    [b"", b"\0", b"\0\0\0\5abc", struct.pack("!I", 2**32 - 1) + b"x" * 100, b"\xff" * 64],
)
async def test_a_broken_frame_is_a_crash(sent: bytes) -> None:
    result = await Traitor(sent).run(CALL)
    assert isinstance(result, Failed) and result.error == "Crashed"


async def test_an_honest_answer_is_believed() -> None:
    result = await Traitor(frame(said(to=["alice"], private={"x": 1}))).run(CALL)
    assert isinstance(result, Finished) and result.said[0].private == {"x": 1}


@pytest.mark.parametrize(
    "report",
    [
        b"x",
        [],
        {},
        {"rejected": 5},
        {"rejected": "x" * 20_000},
        {"report": None},
        {
            "report": {
                "hooks": ["evil"],
                "class_name": None,
                "manifest": None,
                "network": False,
                "dice": False,
            }
        },
        {
            "report": {
                "hooks": [],
                "class_name": "a b",
                "manifest": None,
                "network": False,
                "dice": False,
            }
        },
        {"report": {**NOTHING, "hooks": ["on_init"]}},
        {"report": NOTHING, "more": 1},
        {"report": {**NOTHING, "manifest": {"x": "y" * 70_000}}},
        {"report": {**NOTHING, "manifest": {"x": [[]] * 40_000}}},
        {"rejected": ""},
        {"rejected": "x", "line": "1"},
        {
            "report": {
                "hooks": [],
                "class_name": None,
                "manifest": [],
                "network": False,
                "dice": False,
            }
        },
        {
            "report": {
                "hooks": [],
                "class_name": None,
                "manifest": None,
                "network": 1,
                "dice": False,
            }
        },
    ],
)
async def test_a_forged_report_rejects_the_source(report: Any) -> None:
    with pytest.raises(BotRejected):
        await Traitor(frame(report), frame(b"")).inspect("class B: pass")


@pytest.mark.parametrize(
    ("report", "code"),
    [
        (NOTHING, b"code of nothing"),
        ({**NOTHING, "class_name": "B"}, b""),
        ({**NOTHING, "class_name": "B"}, b"x" * (MOST_CODE + 1)),
    ],
)
async def test_forged_code_rejects_the_source(report: Any, code: bytes) -> None:
    with pytest.raises(BotRejected):
        await Traitor(frame({"report": report}), frames.pack(code)).inspect("class B: pass")


JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *FINISHED,
                    *FAILED,
                    "finished",
                    "failed",
                    "kind",
                    "body",
                    "to",
                    "private",
                    "players",
                    "winners",
                    "seconds",
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=15,
)


@given(JSONISH)
async def test_no_json_gets_past_broken(value: Any) -> None:
    for shape in (value, {"finished": value}, {"failed": value}):
        parse(json.dumps(shape).encode())


@given(st.binary(max_size=200))
async def test_no_bytes_get_past_broken(data: bytes) -> None:
    parse(data)


def parse(data: bytes) -> None:
    try:
        result = wire.hook_result(data, CALL, LIMITS)
    except wire.Broken:
        return
    assert isinstance(result, Finished | Failed)
