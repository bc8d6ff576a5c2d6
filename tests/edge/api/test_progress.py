"""A client that sends a token for progress hears every so often that its wait goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from unittest import mock

import httpx
import pytest

from mcp_multiplayer.edge import identity
from mcp_multiplayer.edge.api import mcp_call, progress
from mcp_multiplayer.edge.identity import Caller
from tests.edge.api.house import MODES, PUBLIC, House, Mode, Pair
from tests.edge.api.test_waits import MODERN, SOON, WAIT_MS, cancel

pytestmark = pytest.mark.asyncio(loop_scope="module")

WAYS = ["legacy", "legacy through the library", "modern", "modern through the library"]
STREAM = "text/event-stream"


@pytest.fixture(autouse=True)
def often() -> Iterator[None]:
    with mock.patch.object(progress, "EVERY_SECONDS", 0.02):
        yield


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    short = frozenset() if "library" in request.param else mcp_call.VERSIONS
    with mock.patch.object(mcp_call, "VERSIONS", short):
        yield str(request.param)


def call(
    house: House,
    pair: Pair,
    way: str,
    *,
    token: Any = "t1",
    wait: int = WAIT_MS,
    accept: str = f"application/json, {STREAM}",
) -> httpx.Request:
    """Alice waits for what has not come yet."""
    asked = {"channel_id": pair.id, "cursor": pair.joined["cursor"], "timeout_ms": wait}
    modern = way.startswith("modern")
    meta = ({} if token is None else {"progressToken": token}) | (MODERN if modern else {})
    version = "2026-07-28" if modern else "2025-11-25"
    headers = {
        identity.HEADER: house.signer.sign(Caller(pair.alice, PUBLIC, "app")),
        "Mcp-Protocol-Version": version,
        "Accept": accept,
    }
    if modern:
        headers |= {"Mcp-Method": "tools/call", "Mcp-Name": "sync_messages"}
    params = {"name": "sync_messages", "arguments": asked, "_meta": meta}
    body = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}
    return house.http.build_request("POST", "/mcp", json=body, headers=headers)


async def events(answer: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    async for line in answer.aiter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


@pytest.mark.parametrize("token", ["t1", 0])
async def test_a_long_wait_reports_and_ends_with_its_answer(
    house: House, way: str, token: Any
) -> None:
    pair = await house.pair()
    answer = await house.http.send(call(house, pair, way, token=token), stream=True)
    assert (answer.status_code, answer.headers["content-type"]) == (200, STREAM)
    said = events(answer)
    for _ in range(3):
        report = await anext(said)
        assert report["method"] == "notifications/progress"
        assert report["params"]["progressToken"] == token
        assert isinstance(report["params"]["progress"], int)
    await house.rest(pair.bob, "post_message", channel_id=pair.id, body="here I am")
    async with asyncio.timeout(SOON):
        left = [event async for event in said]
    assert left[-1]["id"] == 7
    assert "here I am" in left[-1]["result"]["content"][0]["text"]
    assert {event["method"] for event in left[:-1]} <= {"notifications/progress"}


async def test_progress_grows(house: House) -> None:
    """As the specification wants it, whatever the clock of the machine does."""
    pair = await house.pair()
    answer = await house.http.send(call(house, pair, "legacy"), stream=True)
    said = events(answer)
    told = [(await anext(said))["params"]["progress"] for _ in range(5)]
    await answer.aclose()
    assert told == sorted(set(told))


@pytest.mark.parametrize(
    "more", [{"token": None}, {"token": {"x": 1}}, {"token": True}, {"accept": "application/json"}]
)
async def test_without_a_token_or_a_taste_for_streams_the_answer_is_json(
    house: House, way: str, more: dict[str, Any]
) -> None:
    pair = await house.pair()
    answer = await house.http.send(call(house, pair, way, wait=200, **more))
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json()["id"] == 7


async def test_what_is_answered_at_once_is_json(house: House, way: str) -> None:
    with mock.patch.object(progress, "EVERY_SECONDS", SOON):
        pair = await house.pair()
        answer = await house.http.send(call(house, pair, way, wait=0))
    assert answer.headers["content-type"].startswith("application/json")


async def test_a_cancelled_wait_ends_its_stream_without_an_answer(house: House) -> None:
    pair = await house.pair()
    answer = await house.http.send(call(house, pair, "legacy"), stream=True)
    said = events(answer)
    await anext(said)
    await cancel(house, pair.alice)
    async with asyncio.timeout(SOON):
        assert {event.get("method") async for event in said} <= {"notifications/progress"}


@pytest.mark.parametrize("mode", MODES)
async def test_fastmcp_s_client_hears_of_it(house: House, mode: Mode) -> None:
    pair = await house.pair()
    heard: asyncio.Queue[tuple[float, str | None]] = asyncio.Queue()

    async def hear(done: float, total: float | None, message: str | None) -> None:
        await heard.put((done, message))

    async with house.client(pair.alice, mode) as client:
        asked = {"channel_id": pair.id, "timeout_ms": WAIT_MS, "cursor": pair.joined["cursor"]}
        waiting = asyncio.create_task(
            client.call_tool("sync_messages", asked, progress_handler=hear)
        )
        async with asyncio.timeout(SOON):
            _, message = await heard.get()
            assert message is not None and message.startswith("waiting for")
            await house.rest(pair.bob, "post_message", channel_id=pair.id, body="here I am")
            assert "here I am" in (await waiting).content[0].text
