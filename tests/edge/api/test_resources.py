"""Rooms and referees as resources, by the clients of FastMCP and of the SDK, in both eras."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import mcp.client
import pytest
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from tests.edge.api.house import MODES, House, Mode, Signed

pytestmark = pytest.mark.asyncio(loop_scope="module")

GUESS = Path(__file__).parents[3] / "bots" / "guess_bot.py"
CLIENTS = ["fastmcp", "sdk"]


async def connected(
    house: House, stack: AsyncExitStack, kind: str, account: str, mode: Mode
) -> Any:
    """A connected client of either library."""
    if kind == "fastmcp":
        return await stack.enter_async_context(house.client(account, mode))
    http = await stack.enter_async_context(
        httpx2.AsyncClient(auth=Signed(house, account), timeout=60)
    )
    transport = streamable_http_client(f"{house.url}/mcp", http_client=http)
    return await stack.enter_async_context(mcp.client.Client(transport, mode=mode))


async def text(client: Any, uri: str) -> str:
    read = await client.read_resource(uri)
    (content,) = getattr(read, "contents", read)
    return str(content.text)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", CLIENTS)
async def test_a_member_reads_its_room_and_the_exact_source(
    house: House, kind: str, mode: Mode
) -> None:
    pair = await house.pair(bot_preset="GuessBot")
    uri = f"mpx://channel/{pair.id}"
    info = (await house.rest(pair.bob, "get_channel_info", channel_id=pair.id)).data
    async with AsyncExitStack() as stack:
        client = await connected(house, stack, kind, pair.bob, mode)
        room = json.loads(await text(client, uri))
        source = await text(client, f"{uri}/bot/guess-referee")
    assert room == {"view": info["view"], "bots": info["bots"]}
    assert source == GUESS.read_text(encoding="utf-8")


@pytest.mark.parametrize("mode", MODES)
async def test_own_rooms_are_listed_and_the_forms_of_the_addresses(
    house: House, mode: Mode
) -> None:
    pair = await house.pair(bot_preset="GuessBot")
    uri = f"mpx://channel/{pair.id}"
    async with house.client(pair.alice, mode) as client:
        assert {str(one.uri) for one in await client.list_resources()} == {
            uri,
            f"{uri}/bot/guess-referee",
        }
        forms = {one.uri_template for one in await client.list_resource_templates()}
    assert forms == {"mpx://channel/{channel_id}", "mpx://channel/{channel_id}/bot/{bot_id}"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", CLIENTS)
async def test_a_stranger_is_told_what_the_tools_tell_it(
    house: House, kind: str, mode: Mode
) -> None:
    pair, stranger = await house.pair(bot_preset="GuessBot"), house.account()
    asked = await house.tool(stranger, "get_channel_info", channel_id=pair.id)
    nowhere = "chn_" + "a" * (len(pair.id) - 4)
    async with AsyncExitStack() as stack:
        client = await connected(house, stack, kind, stranger, mode)
        for channel in (pair.id, nowhere):
            for rest in ("", "/bot/guess-referee", "/bot/nobody"):
                with pytest.raises(MCPError) as refusal:
                    await text(client, f"mpx://channel/{channel}{rest}")
                assert refusal.value.message == asked.text
                assert refusal.value.data["error"] == "NOT_MEMBER"
        listed = await client.list_resources()
    assert not getattr(listed, "resources", listed)


async def test_what_was_said_in_private_stands_in_no_resource(house: House) -> None:
    pair = await house.pair(bot_preset="AuctionBot")
    secret = {"body": "bid 37", "to": ["bot:auction"]}
    await house.rest(pair.alice, "post_message", channel_id=pair.id, **secret)
    async with house.client(pair.alice, "auto") as client:
        for uri in [one.uri for one in await client.list_resources()]:
            assert "bid 37" not in await text(client, str(uri))


@pytest.mark.parametrize("uri", ["mpx://channel/", "mpx://rooms/x", "mpx://channel/a/b/c", "x:y"])
async def test_other_addresses_are_refused_in_our_words(house: House, uri: str) -> None:
    async with house.client(house.account(), "auto") as client:
        with pytest.raises(MCPError, match="INVALID_REQUEST: there is no such resource"):
            await client.read_resource(uri)


async def test_reading_leaves_the_authors_log_for_the_next_answer(house: House) -> None:
    chatty = "class Chatty:\n    def on_message(self, msg):\n        print('noted')\n"
    host = house.account()
    room = await house.room(host, bot_code=chatty, slots=["bot:b", "invite:a", "invite:c"])
    joined = await house.rest(host, "join_channel", invite_code=room["invites"][0])
    channel = {"channel_id": room["channel_id"]}
    said = await house.rest(host, "post_message", **channel, body="x")
    assert said.data["author_log"]
    async with house.client(host, "auto") as client:
        await text(client, f"mpx://channel/{room['channel_id']}")
    assert joined.status == 200
    assert (await house.rest(host, "get_channel_info", **channel)).data["author_log"]
