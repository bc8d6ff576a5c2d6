"""SIGTERM: everybody who waits is answered at once, and the same client goes on after the restart.

With real processes and real clients. What exactly a wait is told: tests/edge/api/test_stopping.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import fastmcp
import httpx
import httpx2
import mcp.client
import pytest
from fastmcp.client.transports import StreamableHttpTransport
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client

from mcp_multiplayer.demo.pair import PROXY, SERVER, SUPERVISOR, Pair
from mcp_multiplayer.edge.api import render_text
from tests.players import ASKS_JSON, Json, Rest, rest, to

pytestmark = pytest.mark.servers

WAIT_MS = 45_000
AT_ONCE = 20.0  #: seconds; a wait would last longer, and a busy machine takes its time
MANY = 50

Call = Callable[..., Awaitable[Json]]


def _of(result: Any) -> Json:
    assert not result.is_error, result
    return {**result.structured_content, "text": result.content[0].text}


async def _fastmcp(stack: AsyncExitStack, base: str, token: str, mode: Any) -> Call:
    client = fastmcp.Client(StreamableHttpTransport(f"{base}/mcp", auth=token), mode=mode)
    await stack.enter_async_context(client)
    await client.list_tools()  # else it does so when the first answer is there

    async def call(tool: str, **arguments: Any) -> Json:
        return _of(await client.call_tool(tool, arguments, raise_on_error=False, meta=ASKS_JSON))

    return call


async def _sdk(stack: AsyncExitStack, base: str, token: str, mode: Any) -> Call:
    header = {"Authorization": f"Bearer {token}"}
    http = await stack.enter_async_context(httpx2.AsyncClient(headers=header, timeout=90))
    transport = streamable_http_client(f"{base}/mcp", http_client=http)
    client: Any
    if mode == "session":
        read, write = await stack.enter_async_context(transport)
        client = await stack.enter_async_context(ClientSession(read, write))
        await client.initialize()
    else:
        client = await stack.enter_async_context(mcp.client.Client(transport, mode=mode))
    await client.list_tools()

    async def call(tool: str, **arguments: Any) -> Json:
        return _of(await client.call_tool(tool, arguments, meta=ASKS_JSON))

    return call


async def _httpx(stack: AsyncExitStack, base: str, token: str) -> Call:
    http = await stack.enter_async_context(to(base))
    http.timeout = httpx.Timeout(90)

    async def call(tool: str, **arguments: Any) -> Json:
        header = {"Authorization": f"Bearer {token}"}
        if tool == "sync_messages":
            answer = await http.get(f"/{tool}", params=arguments, headers=header)
        else:
            answer = await http.post(f"/{tool}", json=arguments, headers=header)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    return call


@asynccontextmanager
async def clients(base: str, token: str) -> AsyncIterator[dict[str, Call]]:
    """One object of each kind, connected once and for all."""
    async with AsyncExitStack() as stack:
        yield {
            "fastmcp legacy": await _fastmcp(stack, base, token, "legacy"),
            "fastmcp modern": await _fastmcp(stack, base, token, "2026-07-28"),
            "sdk session": await _sdk(stack, base, token, "session"),
            "sdk modern": await _sdk(stack, base, token, "2026-07-28"),
            "httpx": await _httpx(stack, base, token),
        }


async def _seated(alice: Rest, bob: Rest, **arguments: Any) -> Json:
    made = await alice.call("create_channel", join_as="alice", **arguments)
    await bob.call("join_channel", invite_code=made["invites"][0])
    read = await alice.call("sync_messages", channel_id=made["channel_id"])
    while arguments and not read["view"]["turn"]:  # the referee has not begun yet
        more = {"cursor": read["cursor"], "timeout_ms": WAIT_MS}
        read = await alice.call("sync_messages", channel_id=made["channel_id"], **more)
    return read | {"channel_id": made["channel_id"]}


async def _under_way(player: Rest) -> None:
    """What was sent before is being waited for: whole requests later."""
    for _ in range(3):
        await asyncio.gather(*(player.call("list_channels") for _ in range(10)))


async def _heard(player: Rest, game: Json) -> None:
    """The referee has answered the first move: who posted it waits for the next."""
    seen, cursor = "", game["cursor"]
    while "judge" not in seen:
        read = await player.call("sync_messages", channel_id=game["channel_id"], cursor=cursor)
        seen, cursor = str(read["messages"]), read["cursor"]


def _told(answer: Json) -> None:
    assert answer["restarting"].startswith(render_text.RESTARTING)
    assert render_text.RESTARTING in answer.get("text", render_text.RESTARTING)


async def _stopped_and_started(
    pair: Pair, ended: tuple[str, ...], again: Callable[[], None], count: int = 0
) -> None:
    async with rest(pair.base, "alice") as alice, rest(pair.base, "bob") as bob:
        room = await _seated(alice, bob)
        big = {"high": 10**9}  # no guess hits it
        game = await _seated(alice, bob, bot_preset="GuessBot", bot_params=big)
        asked = {"channel_id": room["channel_id"], "cursor": room["cursor"], "timeout_ms": WAIT_MS}
        move = {
            "channel_id": game["channel_id"],
            "body": "guess 50",
            "cursor": game["cursor"],
            "wait_ms": WAIT_MS,
        }
        async with clients(pair.base, alice.token) as calls:

            def waits() -> list[asyncio.Task[Json]]:
                work = [call("sync_messages", **asked) for call in calls.values()]
                work += [calls["httpx"]("sync_messages", **asked) for _ in range(count)]
                work += [calls[name]("post_message", **move) for name in ("sdk session", "httpx")]
                return [asyncio.ensure_future(one) for one in work]

            waiting = waits()
            await _heard(bob, game)
            await _under_way(alice)
            assert not [wait for wait in waiting if wait.done()]
            pair.terminate(*ended)
            async with asyncio.timeout(AT_ONCE):
                *cut, first, second = await asyncio.gather(*waiting)
            for answer in (*cut, first, second):
                _told(answer)
            assert {answer["cursor"] for answer in cut} == {room["cursor"]}
            assert first["msg_id"] == second["msg_id"]

            await asyncio.to_thread(again)
            waiting = waits()  # the same objects, the same words
            await _under_way(alice)
            await bob.call("post_message", channel_id=room["channel_id"], body="hello")
            await bob.call("post_message", channel_id=game["channel_id"], body="guess 51")
            *woken, third, fourth = await asyncio.gather(*waiting)
            for answer in woken:
                assert [m["body"] for m in answer["messages"]] == [{"text": "hello"}]
            for answer in (third, fourth):
                assert answer["msg_id"] == first["msg_id"]
                assert answer["view"]["turn"]["yours"]
                assert "restarting" not in answer


async def test_the_server_is_restarted_while_the_proxy_stays(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    try:
        pair.start()
        await _stopped_and_started(pair, (SERVER,), lambda: pair.run_again(SERVER))
    finally:
        pair.stop()


@pytest.mark.long
async def test_proxy_and_server_end_at_the_same_moment(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    try:
        pair.start()
        both = (PROXY, SERVER)
        await _stopped_and_started(pair, both, lambda: pair.run_again(*both))
    finally:
        pair.stop()


@pytest.mark.long
async def test_of_fifty_waiting_calls_none_is_left_when_all_is_stopped(tmp_path: Path) -> None:
    pair = Pair(tmp_path, supervised=True)
    try:
        pair.start()
        await _stopped_and_started(
            pair, (SUPERVISOR,), lambda: pair.run_again(SUPERVISOR), count=MANY
        )
    finally:
        pair.stop()
