"""Code that breaks out of its hook, or a word that breaks a referee, looks for dice to come.

Whatever such code can read is what its process was told: the call, and the blocks it asked for.
Stopped by: sandbox/hostcalls/dice.py, which draws in the host; transcript/drbg.py, where each
hook's stream has a key of its own.
"""

from __future__ import annotations

import socket
from asyncio.selector_events import BaseSelectorEventLoop
from dataclasses import replace
from typing import Any

import pytest

from mcp_multiplayer.sandbox.call import Compiled, Failed, HookCall, Limits
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.sandbox.protocol import wire
from mcp_multiplayer.service.hook_io import Epoch
from mcp_multiplayer.transcript import seeds
from mcp_multiplayer.transcript.drbg import Drbg, block, hook_key, scale
from mcp_multiplayer.verifier.replay import Replayer
from tests.verifier.games import Table, table

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROLLING = """
class Rolling:
    def on_message(self, msg):
        text = msg["body"]["text"]
        if text != "chat":
            self.ctx.post("bot", {"rolled": self.ctx.random.randint(1, 1000000)})
        if text == "fail":
            raise ValueError("it rolls, then fails")
"""


async def test_what_a_hooks_process_is_told_does_not_depend_on_the_dice() -> None:
    """So nothing of them can be read from it, by whatever code."""
    call = HookCall(ROLLING, "on_message", ({"body": {"text": "roll"}},), key=b"\1" * 32)
    told = wire.hook_request(call, Compiled(), Limits())
    assert told == wire.hook_request(replace(call, key=b"\2" * 32), Compiled(), Limits())


class Wire:
    """All that the host sends over the sockets of workers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent = b""
        sendall = BaseSelectorEventLoop.sock_sendall

        async def seen(loop: Any, sock: socket.socket, data: bytes) -> None:
            self.sent += bytes(data)
            await sendall(loop, sock, data)

        monkeypatch.setattr(BaseSelectorEventLoop, "sock_sendall", seen)


async def test_a_process_of_the_verifier_hears_the_blocks_it_asked_for_and_no_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    epoch_key, seed = b"\7" * 32, b"\6" * 32
    key = hook_key(epoch_key, 3)
    call = HookCall(ROLLING, "on_message", ({"body": {"text": "roll"}},), key=key)
    wired = Wire(monkeypatch)
    with Replayer() as replayer:
        result = replayer.run(call)
    assert not isinstance(result, Failed) and result.draws == 1
    secret = [seed, epoch_key, key, *(block(key, n) for n in range(1, 100))]
    secret += [block(hook_key(epoch_key, n), 0) for n in (0, 1, 2, 4, 5)]
    for one in secret:
        assert one not in wired.sent and one.hex().encode() not in wired.sent
    assert block(key, 0).hex().encode() in wired.sent, "else nothing was looked at"


async def test_a_process_of_the_server_hears_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[bytes] = []
    converse = Pool._converse

    async def seen(self: Pool, worker: Any, request: bytes, desk: Any, largest: int) -> bytes:
        heard.append(request)
        return await converse(self, worker, request, desk, largest)

    monkeypatch.setattr(Pool, "_converse", seen)
    async with table() as server:
        game = await (await server.open(code=ROLLING)).seated()
        await game.say("alice", "roll")
        epoch = server.channels.custody.epoch(game.room.channel, game.room.channel.bots[0], 99)
        assert epoch.nth == 1 and len(heard) == 1
        for one in (epoch.key, epoch.state, epoch.private, hook_key(epoch.key, 0)):
            assert (
                one.hex().encode() not in heard[0] and seeds.kid(epoch.key).encode() not in heard[0]
            )


async def numbers(server: Table, words: list[str]) -> list[int]:
    """What is rolled in a room in which these words are said."""
    game = await (await server.open(code=ROLLING)).seated()
    for word in words:
        await game.say("alice" if word != "chat" else "bob", word)
    runs = game.bundle().of("run")
    assert [run["rng"][2] for run in runs] == [int(run["res"] == "ok") for run in runs]
    return [post["b"]["rolled"] for run in runs for post in run["out"]]


@pytest.mark.parametrize(
    "words",
    [["chat", "roll", "roll"], ["roll", "chat", "chat", "roll"], ["fail", "roll", "fail", "roll"]],
)
async def test_a_message_more_or_a_failure_before_a_roll_is_no_other_roll(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = b"\5" * 32
    epoch_of = Epoch.of  # one key for all rooms: their names differ
    monkeypatch.setattr(
        Epoch, "of", lambda *asked, **how: replace(epoch_of(*asked, **how), key=key)
    )
    async with table() as server:
        rolled = await numbers(server, words)
    first = [Drbg(hook_key(key, n)).take() for n in (0, 1)]
    expected = [1 + scale(drawn, 1_000_000) for drawn in first]
    assert rolled == expected
