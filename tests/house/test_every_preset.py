"""The house against somebody who only follows `next:`, over the public address, under each preset
that it plays; and what it does around a game."""

from __future__ import annotations

import asyncio
import os
import random
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mcp_multiplayer.house import invitations
from mcp_multiplayer.house.soak import VARIANTS
from mcp_multiplayer.house.strategies import NOT_PLAYED, STRATEGIES
from tests.follower import Follower
from tests.house.harness import Running, refused
from tests.players import Json, Rest, rest
from tests.test_every_game import PRESETS

pytestmark = pytest.mark.servers
SLOTS = ["invite:alice", "invite:house"]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    made = Running(tmp_path_factory.mktemp("house"))
    try:
        yield made.start()
    finally:
        made.stop()


@asynccontextmanager
async def visitor(running: Running) -> AsyncIterator[Rest]:
    async with rest(running.pair.base, "alice") as alice:
        yield alice


async def opened(alice: Rest, preset: str, **more: Any) -> Json:
    given: Json = {"slots": SLOTS, "join_as": "alice", "bot_preset": preset}
    return await alice.call("create_channel", **{**given, **more})


async def sits(running: Running, made: Json) -> Json:
    return await invitations.ask(running.settings, made["invite_links"]["house"])


async def follow(alice: Rest, made: Json) -> Json:
    """Play to the end as a model would that knows nothing; the last answer."""

    async def ask(name: str, arguments: Json) -> tuple[Json, str]:
        return await alice.call(name, **arguments), ""

    follower = Follower(ask, random.Random("alice"))
    return await follower.play("sync_messages", channel_id=made["channel_id"], until="my_turn")


async def read(alice: Rest, channel_id: str) -> list[Json]:
    page = await alice.call("sync_messages", channel_id=channel_id, cursor=0, limit=500)
    found: list[Json] = page["messages"]
    return found


async def said_hello(alice: Rest, channel_id: str) -> list[Json]:
    """All bodies of a room, as soon as the house has said who it is: short games may be over."""
    async with asyncio.timeout(30):
        while True:
            told = [one["body"] for one in await read(alice, channel_id)]
            if any(one.get("type") == "house" for one in told):
                return told
            await asyncio.sleep(0.05)


def seats(view: Json) -> dict[str, str]:
    """Label -> state."""
    return {slot["label"]: slot["state"] for slot in view["slots"]}


async def until(alice: Rest, channel_id: str, so: Callable[[Json], bool]) -> None:
    """Wait until the room is so."""
    async with asyncio.timeout(30):
        while True:
            if so((await alice.call("get_channel_info", channel_id=channel_id))["view"]):
                return
            await asyncio.sleep(0.05)


def test_every_preset_is_played_or_has_a_reason_why_not() -> None:
    assert set(STRATEGIES) | set(NOT_PLAYED) == set(PRESETS)


@pytest.mark.parametrize("preset", STRATEGIES)
async def test_a_game_against_the_house_ends_with_a_result(running: Running, preset: str) -> None:
    async with visitor(running) as alice:
        made = await opened(alice, preset, bot_params=VARIANTS.get(preset, [{}])[0])
        said = await sits(running, made)
        assert said == {
            "channel_id": made["channel_id"],
            "seated": "house",
            "preset": preset,
            "level": STRATEGIES[preset].level,
        }
        async with asyncio.timeout(100):
            view = (await follow(alice, made))["view"]
        assert view["status"] == "ended" and view["result"]["reason"]
        assert "house" not in view["result"]["reason"].replace("house buys", "")
        told = await said_hello(alice, made["channel_id"])
        (hello,) = [one for one in told if one.get("type") == "house"]
        assert hello["text"].startswith("HOUSE: ") and STRATEGIES[preset].level in hello["text"]
        assert not [one for one in told if one.get("type") == "violation"]
        await alice.call("leave_channel", channel_id=made["channel_id"])


async def test_it_plays_again_when_asked_and_leaves_when_left_alone(running: Running) -> None:
    async with visitor(running) as alice:
        made = await opened(alice, "TicTacToeBot")
        await sits(running, made)
        first = await follow(alice, made)
        room = made["channel_id"]
        await alice.call("post_message", channel_id=room, body="rematch", cursor=first["cursor"])
        await until(alice, room, lambda view: view["status"] == "playing")
        assert (await follow(alice, made))["view"]["status"] == "ended"
        await alice.call("leave_channel", channel_id=room)
        await until(alice, room, lambda view: seats(view)["house"] == "left")


async def test_two_that_ask_at_once_and_one_that_asks_twice_get_one_player_each(
    running: Running,
) -> None:
    async with visitor(running) as alice:
        made, other = await opened(alice, "CoinBot"), await opened(alice, "GuessBot")
        said = await asyncio.gather(
            *(sits(running, one) for one in (made, made, other, other, made))
        )
        assert [one["channel_id"] for one in said] == [
            one["channel_id"] for one in (made, made, other, other, made)
        ]
        for one in (made, other):
            hellos = [m for m in await read(alice, one["channel_id"]) if m["sender"] == "house"]
            assert sum(m["body"].get("type") == "house" for m in hellos) <= 1
            await alice.call("leave_channel", channel_id=one["channel_id"])


@pytest.mark.parametrize("preset", NOT_PLAYED)
async def test_what_it_does_not_play_it_says_in_a_sentence(running: Running, preset: str) -> None:
    async with visitor(running) as alice:
        made = await opened(alice, preset)
        assert await refused(running.settings, made["invites"][0]) == "BOT_NOT_FOUND"


@pytest.mark.parametrize(
    ("preset", "params"),
    [
        ("AuctionBot", {"item": "my bicycle"}),
        ("DealBot", {"item": "my bicycle"}),
        ("BetBot", {"stake": "a beer"}),
        ("BetBot", {"claim": "the price of gold"}),
    ],
)
async def test_it_plays_for_nothing_real(running: Running, preset: str, params: Json) -> None:
    async with visitor(running) as alice:
        made = await opened(alice, preset, bot_params=params)
        assert await refused(running.settings, made["invites"][0]) == "BOT_NOT_FOUND"
        await until(alice, made["channel_id"], lambda view: seats(view)["house"] == "free")


async def test_only_its_owner_reads_the_token_and_reaches_the_socket(running: Running) -> None:
    async with visitor(running) as alice:
        made = await opened(alice, "CoinBot")
        await sits(running, made)
        await alice.call("leave_channel", channel_id=made["channel_id"])
    for name in ("house.json", "house.sock"):
        assert stat.S_IMODE(os.stat(running.settings.data_dir / name).st_mode) == 0o600, name
