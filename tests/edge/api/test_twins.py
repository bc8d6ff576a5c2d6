"""An operation means the same over REST and over MCP, in both eras: same data, same refusal."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, TypeAlias

import pytest
import pytest_asyncio
from fastmcp import Client

from mcp_multiplayer.edge.api.operations.table import TABLE
from tests.edge.api.house import MODES, House, Pair, Said, via_client

pytestmark = pytest.mark.asyncio(loop_scope="module")

Ask: TypeAlias = Callable[..., Awaitable[Said]]
WAYS = ["rest", *MODES]
ECHO = """
class Echo:
    def __init__(self, ctx, params):
        self.ctx = ctx
    def on_message(self, msg):
        self.ctx.post('bot', {'echo': msg['body']})
"""
#: What is the caller's, the moment's or the room's own, and so never the same twice.
OWN = {
    "counts",  # since the start
    *("channel_id", "invites", "invite_links", "rejoin_token", "head", "ts", "next"),
    "watch_link",
    *(
        "proposed_terms",
        "url",
        "root",
        "signature",
        "seed_commitment",
        "terms",
        "dice",
        "origin",
        "vkey",
    ),
}


def shape(value: Any) -> Any:
    """The value with what cannot be equal in two rooms replaced by its type."""
    if isinstance(value, dict):
        return {
            key: type(inner).__name__ if key in OWN else shape(inner)
            for key, inner in value.items()
        }
    return [shape(inner) for inner in value] if isinstance(value, list) else value


class Way:
    """One of the three ways to ask."""

    def __init__(self, house: House, way: str) -> None:
        self.house = house
        self.way = way
        self.clients: dict[str, Client[Any]] = {}
        self.open = AsyncExitStack()

    async def __call__(self, account: str, name: str, /, **arguments: Any) -> Said:
        if self.way == "rest":
            return await self.house.rest(account, name, **arguments)
        if account not in self.clients:
            client = self.house.client(account, self.way)  # type: ignore[arg-type]
            self.clients[account] = await self.open.enter_async_context(client)
        return await via_client(self.clients[account], name, **arguments)

    async def close(self) -> None:
        await self.open.aclose()


@pytest_asyncio.fixture(loop_scope="module")
async def ways(house: House) -> AsyncIterator[list[Way]]:
    made = [Way(house, way) for way in WAYS]
    yield made
    for way in made:
        await way.close()


async def story(ask: Way) -> dict[str, Said]:
    """Use every operation once, in an order in which each has something to say."""
    house, did = ask.house, dict[str, Said]()
    alice, bob = house.account(), house.account()

    async def act(who: str, name: str, /, **arguments: Any) -> dict[str, Any]:
        did[name] = await ask(who, name, **arguments)
        assert not did[name].refused, did[name].data
        return did[name].data

    await act(alice, "health_check")
    await act(alice, "help", topic="bots")
    await act(alice, "list_bots")
    events = [{"join": "alice"}, {"say": {"n": 1}}]
    await act(alice, "try_bot", bot_code=ECHO, events=events)
    slots = ["bot:echo", "invite:alice:admin", "invite:bob"]
    room = await act(alice, "create_channel", bot_code=ECHO, slots=slots, join_as="alice", name="R")
    channel = {"channel_id": room["channel_id"]}
    await act(alice, "attach_bot", **channel, bot_code=ECHO, name="Second")
    await act(alice, "get_bot_code", **channel, bot_id="echo", from_line=3)
    looked = await act(bob, "inspect_invite", invite_code=room["invite_links"]["bob"])
    await act(bob, "join_channel", invite_code=room["invites"][0], expect_terms=looked["terms"])
    await act(alice, "post_message", **channel, body={"n": 1}, cursor=room["cursor"], limit=2)
    await act(bob, "sync_messages", **channel, cursor=0, timeout_ms=0, limit=500)
    await act(bob, "list_channels")
    await act(bob, "get_channel_info", **channel)
    await act(bob, "get_transcript", **channel)
    change = [{"op": "set_admin", "player_id": "bob", "admin": True}]
    await act(alice, "update_channel", **channel, ops=change)
    await act(bob, "leave_channel", **channel)
    return did


async def test_every_operation_answers_the_same_whichever_way_it_is_asked(ways: list[Way]) -> None:
    told = [await story(way) for way in ways]
    assert told[0].keys() == {entry.name for entry in TABLE}
    for name in told[0]:
        rest, legacy, modern = (shape(one[name].data) for one in told)
        assert rest == legacy, name
        assert rest == modern, name


def _room(**arguments: Any) -> Callable[[Pair], dict[str, Any]]:
    return lambda pair: {"channel_id": pair.id, **arguments}


#: Refusal -> the operation and arguments that bob, sitting with alice, meets it with.
REFUSED: dict[str, tuple[str, Callable[[Pair], dict[str, Any]]]] = {
    "INVALID_REQUEST": ("post_message", _room(body="x", cursor=10_000)),
    "BAD_MESSAGE": ("post_message", _room(body="x", kind="system")),
    "BAD_OP": ("update_channel", _room(ops=[{"op": "fly"}])),
    "NOT_MEMBER": ("post_message", lambda _: {"channel_id": "chn_nobodys", "body": "x"}),
    "NOT_ADMIN": ("update_channel", _room(ops=[{"op": "rename", "name": "mine"}])),
    "CHANNEL_NOT_FOUND": ("get_channel_info", lambda _: {"channel_id": "room 7"}),
    "INVITE_INVALID": ("inspect_invite", lambda _: {"invite_code": "inv_nosuchcode1"}),
    "REJOIN_TOKEN_INVALID": ("join_channel", lambda _: {"invite_code": "rejoin_" + "x" * 43}),
    "BOT_NOT_FOUND": ("create_channel", lambda _: {"bot_preset": "NoSuchBot"}),
    "SLOT_ALREADY_FILLED": (
        "join_channel",
        lambda pair: {"invite_code": pair.opened["invites"][0]},
    ),
    "TOO_LARGE": ("post_message", _room(body="x" * 20_000)),
    "BOT_REJECTED": ("create_channel", lambda _: {"bot_code": "import os"}),
    "TERMS_CHANGED": ("update_channel", _room(ops=[{"op": "accept_change", "terms": "sha256:0"}])),
}


@pytest.mark.parametrize("code", REFUSED)
async def test_a_refusal_has_the_same_words_whichever_way_it_is_met(
    house: House, ways: list[Way], code: str
) -> None:
    pair = await house.pair()
    name, arguments = REFUSED[code]
    caller = house.account() if code == "SLOT_ALREADY_FILLED" else pair.bob
    rest, legacy, modern = [await way(caller, name, **arguments(pair)) for way in ways]
    assert rest.refused == code, rest.data
    assert rest.data == legacy.data == modern.data
    assert legacy.text == modern.text
    assert legacy.text.startswith(f"{code}: ")


async def test_a_closed_room_and_two_seats_are_refused_alike(house: House, ways: list[Way]) -> None:
    host = house.account()
    room = await house.room(host, join_as="alice")
    await house.rest(host, "join_channel", invite_code=room["invites"][0])
    speak = {"channel_id": room["channel_id"], "body": "x"}
    two = [await way(host, "post_message", **speak) for way in ways]
    assert {said.refused for said in two} == {"SEAT_AMBIGUOUS"}
    close = {"channel_id": room["channel_id"], "ops": [{"op": "close"}]}
    await house.rest(host, "update_channel", **close)
    shut = [await way(host, "post_message", **speak, seat="alice") for way in ways]
    assert {said.refused for said in shut} == {"CHANNEL_CLOSED"}


async def test_who_is_another_name_of_get_channel_info(house: House) -> None:
    pair = await house.pair()
    who = await house.http.get(
        "/who", params={"channel_id": pair.id}, headers=house.statement(pair.bob)
    )
    assert who.json() == (await house.rest(pair.bob, "get_channel_info", channel_id=pair.id)).data
