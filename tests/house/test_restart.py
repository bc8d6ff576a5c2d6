"""The house is ended at any moment, and the server too: it finds its seats and goes on."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_multiplayer.demo.pair import SERVER, eventually
from mcp_multiplayer.errors import Unavailable
from mcp_multiplayer.house import invitations
from mcp_multiplayer.house import rest as rest_of_house
from tests.house.harness import Running, pair_of, settings_of
from tests.house.test_every_preset import follow, opened, read, seats, sits, until
from tests.players import Json, rest

pytestmark = pytest.mark.servers


def doubles(messages: list[Json]) -> list[str]:
    """Squares that the house has said more than once in a game, and what was refused."""
    said = [one["body"].get("text") for one in messages if one["sender"] == "house"]
    again = [str(text) for text in said if text != "rematch" and said.count(text) > 1]
    wrong = [one["body"]["reason"] for one in messages if one["body"].get("type") == "violation"]
    return again + wrong


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    made = Running(tmp_path_factory.mktemp("house"))
    try:
        yield made.start()
    finally:
        made.stop()


def test_sigterm_ends_a_house_that_was_never_asked_and_signed_in_nowhere(running: Running) -> None:
    assert running.kill(signal.SIGTERM) == 0
    assert not rest_of_house.is_known(running.settings)
    assert not running.socket.exists() and "Traceback" not in running.output
    running.run()


@pytest.mark.parametrize("seconds", [0.0, 0.03, 0.08, 0.15])
async def test_killed_around_its_move_it_goes_on_and_posts_nothing_twice(
    running: Running, seconds: float
) -> None:
    async with rest(running.pair.base, "alice") as alice:
        made = await opened(alice, "TicTacToeBot")
        room = made["channel_id"]
        await sits(running, made)
        await alice.call("post_message", channel_id=room, body="1")  # the house is to move
        await asyncio.sleep(seconds)
        await asyncio.to_thread(running.kill)
        with pytest.raises(Unavailable):
            await invitations.ask(running.settings, made["invites"][0])
        await asyncio.to_thread(running.run)
        assert (await follow(alice, made))["view"]["status"] == "ended"
        messages = await read(alice, room)
        assert not doubles(messages)
        hellos = [one for one in messages if one["body"].get("type") == "house"]
        assert len(hellos) == 1
        await alice.call("leave_channel", channel_id=room)
        await until(alice, room, lambda view: seats(view)["house"] == "left")


async def test_a_server_that_is_killed_is_waited_for(running: Running) -> None:
    async with rest(running.pair.base, "alice") as alice:
        made = await opened(alice, "TicTacToeBot")
        await sits(running, made)
        await alice.call("post_message", channel_id=made["channel_id"], body="1")
        await asyncio.to_thread(running.pair.kill, SERVER)
        await asyncio.to_thread(running.pair.wait)
        assert (await follow(alice, made))["view"]["status"] == "ended"
        assert not doubles(await read(alice, made["channel_id"]))


@pytest.mark.long
async def test_a_supervised_house_is_there_behind_a_passcode_and_back_after_kill_9(
    tmp_path: Path,
) -> None:
    pair = pair_of(tmp_path, supervised=True, ACCESS_PASSCODE="open sesame")
    settings = settings_of(pair)
    try:
        await asyncio.to_thread(pair.start)
        socket = invitations.path(settings)
        await asyncio.to_thread(eventually, socket.exists, "the house")
        async with rest(pair.base, "alice", "open sesame") as alice:
            made = await opened(alice, "TicTacToeBot")
            said = await invitations.ask(settings, made["invites"][0])
            assert said["seated"] == "house"
            await alice.call("post_message", channel_id=made["channel_id"], body="1")
            await asyncio.to_thread(pair.kill, "mcp_multiplayer.house")
            view = (await follow(alice, made))["view"]
            assert view["status"] == "ended" and "house" not in str(view["result"]["reason"])
        assert "mcp_multiplayer.house was ended" not in pair.output
        assert "house was ended by SIGKILL; starting it again in 1 s." in pair.output
    finally:
        await asyncio.to_thread(pair.stop)


@pytest.mark.long
async def test_killed_again_and_again_it_finishes_every_game(running: Running) -> None:
    chance = random.Random(4)
    kills = 0

    async def killing() -> None:
        nonlocal kills
        while True:
            await asyncio.sleep(chance.uniform(0.05, 1.5))
            await asyncio.to_thread(running.kill)
            await asyncio.to_thread(running.run)
            kills += 1

    async with rest(running.pair.base, "alice") as alice:
        killer = asyncio.create_task(killing())
        for number in range(40):
            preset = ("TicTacToeBot", "GuessBot", "ConnectFourBot", "RockPaperScissorsBot")[
                number % 4
            ]
            made = await opened(alice, preset)
            await seated(running, made)
            async with asyncio.timeout(300):
                assert (await follow(alice, made))["view"]["status"] == "ended"
            messages = await read(alice, made["channel_id"])
            wrong = [one for one in messages if one["body"].get("type") == "violation"]
            assert not wrong, messages
            if preset == "TicTacToeBot":
                assert not doubles(messages)
            assert sum(one["body"].get("type") == "house" for one in messages) <= 1
            await alice.call("leave_channel", channel_id=made["channel_id"])
        killer.cancel()
    assert kills > 20


async def seated(running: Running, made: Json) -> None:
    """Ask until the house is there to answer."""
    async with asyncio.timeout(60):
        while True:
            try:
                await sits(running, made)
                return
            except Unavailable:
                await asyncio.sleep(0.05)
