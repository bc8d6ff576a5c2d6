"""kill -9 between append and signature, and everywhere near it, again and again.

A real server process dies at a chosen point (`tests/dying_server.py`), is started again and goes
on. Two members keep every signed head and every acknowledgement that reaches them. At no size
were there two heads, nothing acknowledged is missing, each kept head is the head of the log.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import random
import socket
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from mcp_multiplayer.demo.pair import PATIENCE, ROOT, eventually
from mcp_multiplayer.edge import identity
from mcp_multiplayer.edge.identity import Caller, Signer
from mcp_multiplayer.service import key_files
from mcp_multiplayer.storage.base import Leaf
from mcp_multiplayer.storage.open_store import open_store
from mcp_multiplayer.transcript import checkpoint
from mcp_multiplayer.transcript import entries as chain
from mcp_multiplayer.transcript.entries import Head
from tests.dying_server import POINTS

pytestmark = pytest.mark.servers

ECHO = """
class Echo:
    def __init__(self, ctx, params):
        self.ctx = ctx

    def on_message(self, msg):
        state = self.ctx.get_state()
        state["n"] = state.get("n", 0) + 1
        self.ctx.set_state(state)
        self.ctx.post("bot", {"n": state["n"], "of": msg["body"], "die": self.ctx.random.random()})
"""


class Died(Exception):
    """No answer: the server is gone."""


@dataclass
class Server:
    """The one process, on a port and a directory that outlive it."""

    directory: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self, *death: str) -> None:
        environment = {
            **os.environ,
            "MCP_PORT": str(self.port),
            "DATA_DIR": str(self.directory / "data"),
            "RATE_LIMIT": "0",
            "BOT_EGRESS": "none",
            "BOT_HOOKS_PER_MINUTE": "1000000",
            "PYTHONPATH": str(ROOT),
        }
        with (self.directory / "output").open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-u", str(ROOT / "tests" / "dying_server.py"), *death],
                env=environment,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        eventually(self._answers, "the server to listen")

    def _answers(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            return True  # it may have died already
        with closing(socket.socket()) as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def ended(self) -> int:
        """Wait until it is dead, and return how it died."""
        assert self.process is not None
        return self.process.wait(PATIENCE)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@dataclass
class Members:
    """Alice and bob, with all that they were given."""

    server: Server
    room: str = ""
    origin: str = ""
    vkey: str = ""
    heads: dict[int, str] = field(default_factory=dict)  #: size -> root
    said: dict[str, int] = field(default_factory=dict)  #: text -> acknowledged id
    signatures: set[tuple[int, str, str]] = field(default_factory=set)
    unsigned: int = 0

    async def ask(self, http: httpx.AsyncClient, who: str, what: str, **words: Any) -> Any:
        """One call; every head in its answer is kept, and must not contradict another."""
        signer = Signer(key_files.load(self.server.directory / "data" / "keys", "caller"))
        header = {identity.HEADER: signer.sign(Caller(who, "http://localhost:8100"))}
        try:
            if what.startswith("get_"):
                answer = await http.get(f"/{what}", headers=header, params=words)
            else:
                answer = await http.post(f"/{what}", headers=header, json=words)
        except httpx.TransportError as error:
            raise Died from error
        body = answer.json()
        assert answer.is_success, body
        self.keep(body.get("view", {}).get("head") or body)
        return body

    def keep(self, head: dict[str, Any]) -> None:
        if "signature" not in head:
            self.unsigned += head.get("size", 0) > 0
            return
        size, root = head["size"], head["root"]
        self.signatures.add((size, root, head["signature"]))
        assert self.heads.setdefault(size, root) == root, f"two heads of size {size}"

    async def open(self, http: httpx.AsyncClient) -> None:
        made = await self.ask(http, "alice", "create_channel", bot_code=ECHO, join_as="alice")
        self.room = made["channel_id"]
        self.origin = f"localhost:8100/c/{self.room}"
        await self.ask(http, "bob", "join_channel", invite_code=made["invites"][0])
        told = await self.ask(http, "bob", "get_transcript", channel_id=self.room)
        self.vkey = told["vkey"]

    async def talk_until_it_dies(self, http: httpx.AsyncClient, number: int) -> None:
        """Post, and look from two sides meanwhile. What was not answered is asked again later."""
        for n in range(60):
            text = f"{number}.{n}"
            looks = [
                self.ask(http, who, "get_channel_info", channel_id=self.room)
                for who in ("bob", "alice")
            ]
            done = await asyncio.gather(self.post(http, text), *looks, return_exceptions=True)
            for one in done:
                if isinstance(one, BaseException) and not isinstance(one, Died):
                    raise one
            if any(isinstance(one, Died) for one in done):
                return
        raise AssertionError("the server did not die")

    async def post(self, http: httpx.AsyncClient, text: str) -> None:
        words = {"channel_id": self.room, "body": text, "idempotency_key": text}
        answer = await self.ask(http, "alice", "post_message", **words)
        self.said[text] = answer["msg_id"]


def roots(leaves: list[Leaf]) -> dict[int, str]:
    """The root at every size."""
    found, head = {}, Head()
    for leaf in leaves:
        head = head.after(leaf.hash, leaf.ts)
        found[head.size] = b64encode(head.root).decode()
    return found


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    made = Server(tmp_path, port)
    yield made
    made.stop()


@pytest.mark.parametrize("kills", [2, pytest.param(200, marks=pytest.mark.long)])
async def test_no_kill_brings_two_heads_of_one_size_or_loses_what_was_acknowledged(
    server: Server, kills: int
) -> None:
    members = Members(server)
    chance = random.Random(kills)
    base = f"http://127.0.0.1:{server.port}"
    server.start()
    async with httpx.AsyncClient(base_url=base, timeout=60) as http:
        await members.open(http)
    server.stop()
    points = list(POINTS)
    for number in range(kills):
        server.start(points[number % len(points)], str(chance.randrange(1, 8)))
        async with httpx.AsyncClient(base_url=base, timeout=60) as http:
            await members.talk_until_it_dies(http, number)
        assert server.ended() == -9
    server.start()
    async with httpx.AsyncClient(base_url=base, timeout=60) as http:
        await members.post(http, "the last")
        told = await members.ask(http, "bob", "get_transcript", channel_id=members.room)
        path = told["url"].removeprefix("http://localhost:8100")
        record = server.directory / "record.zip"
        record.write_bytes((await http.get(path)).content)
    server.stop()
    _check(members, server.directory / "data")
    _judge(record)


def _check(members: Members, data: Path) -> None:
    store = open_store("", data)
    try:
        leaves = store.leaves(members.room, 0, 1_000_000)
    finally:
        store.close()
    assert chain.verify(leaf.data for leaf in leaves).size == len(leaves)
    here = roots(leaves)
    assert {size: here.get(size) for size in members.heads} == members.heads
    assert max(members.heads) == len(leaves), "the last head covers all there is"
    for size, root, signature in members.signatures:
        text = checkpoint.checkpoint(members.origin, size, b64decode(root))
        checkpoint.open_note(f"{text}\n— {members.origin} {signature}\n", [members.vkey])
    entries = [chain.read(leaf.data or b"", leaf.number) for leaf in leaves]
    said = [entry["m"]["b"]["text"] for entry in entries if entry["t"] == "msg"]
    assert len(said) == len(set(said)), "no post twice"
    missing = [text for text in members.said if text not in said]
    assert not missing and len(members.said) > 1
    assert len([e for e in entries if e["t"] == "run" and e["res"] == "ok"]) == len(said)
    assert not members.unsigned


def _judge(record: Path) -> None:
    """The verifier, where there is one: nothing is violated, though the game goes on."""
    if importlib.util.find_spec("mcp_multiplayer.verifier") is None:
        return
    done = subprocess.run(
        [sys.executable, "-m", "mcp_multiplayer.verifier", str(record)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 2), done.stdout + done.stderr
