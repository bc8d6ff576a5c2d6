"""Clients that others wrote, each from nothing through login, two moves, a long wait, the end of
its token, a stop and a kill during a wait. fastmcp's and the Python SDK go the same way in
test_stopping.py, test_lost_requests.py and test_real_clients.py.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mcp_multiplayer.demo.pair import SERVER, Pair
from tests.clients.programs import NPM, PYPI, Installed, Program, installed
from tests.players import Rest, rest

pytestmark = pytest.mark.servers

WAIT_MS = 45_000
KINDS = [*NPM, *(pytest.param(kind, marks=pytest.mark.long) for kind in PYPI)]


#: It opens a session for each call and lists the tools once more when the answer is there. While
#: the server is down that fails, and takes the answer along.
LOSES = {"langchain"}


@pytest.fixture(params=KINDS)
def client(request: pytest.FixtureRequest) -> Installed:
    assert request.config.cache is not None
    return installed(request.config.cache.mkdir("npm"), request.param)


@pytest.fixture
def own_pair(tmp_path: Path) -> Iterator[Pair]:
    """The shortest life that a token may have, for those who wait for its end."""
    running = Pair(tmp_path / "pair", ACCESS_TOKEN_SECONDS="60")
    try:
        yield running.start()
    finally:
        running.stop()


@asynccontextmanager
async def running(
    client: Installed, base: str, store: Path, token: str = ""
) -> AsyncIterator[Program]:
    """The client at work, with ``token`` or one of a new account if it cannot sign in itself."""
    async with rest(base, client.kind) as account:
        command = client.command(f"{base}/mcp", store, token or account.token)
    program = Program(command, client.home)
    try:
        yield program
    finally:
        await program.stop()


def came_in(client: Installed) -> dict[str, Any]:
    """What a program says that has come in, the first time or later."""
    return {"tools": 16, "visits": 1 if client.signs_in else 0}


async def seated(program: Program, bob: Rest) -> tuple[str, int]:
    """A room of GuessBot in which this client sits first; its id and cursor."""
    params = {"high": 1_000_000}  # so that nobody hits it
    made = await program.text(
        "create_channel", bot_preset="GuessBot", bot_params=params, join_as="alice"
    )
    code, room = re.search(r"inv_\S+", made), re.search(r"chn_\w+", made)
    assert code is not None and room is not None
    await bob.call("join_channel", invite_code=code[0])
    return room[0], cursor_in(await program.text("sync_messages", channel_id=room[0]))


def cursor_in(text: str) -> int:
    found = re.findall(r"cursor=(\d+)", text)
    assert found, text
    return int(found[-1])


async def under_way(bob: Rest) -> None:
    """What was sent before is being waited for: many whole requests later, for some of these open
    a connection of their own for each call and say three things on it first."""
    for _ in range(60):
        await bob.call("list_channels")


async def moved(bob: Rest, room: str) -> None:
    """Bob guesses as soon as it is his turn."""
    asked = {"channel_id": room, "until": "my_turn", "timeout_ms": WAIT_MS}
    read = await bob.call("sync_messages", **asked)
    while not (read["view"]["turn"] or {}).get("yours"):  # others have spoken, or it has not begun
        read = await bob.call("sync_messages", **asked, cursor=read["cursor"])
    await bob.call("post_message", channel_id=room, body="guess 2")


async def test_it_signs_in_and_plays(pair: Pair, client: Installed, tmp_path: Path) -> None:
    async with (
        running(client, pair.base, tmp_path / "store") as program,
        rest(pair.base, "bob") as bob,
    ):
        assert await program.start() == came_in(client)
        room, cursor = await seated(program, bob)
        for guess in ("guess 1", "guess 3"):
            move = {"channel_id": room, "body": guess, "cursor": cursor, "wait_ms": WAIT_MS}
            said, _ = await asyncio.gather(program.text("post_message", **move), moved(bob, room))
            assert "bob: " in said
            cursor = cursor_in(said)


@pytest.mark.long
async def test_a_wait_of_twenty_seconds_ends_with_its_answer(
    pair: Pair, client: Installed, tmp_path: Path
) -> None:
    async with (
        running(client, pair.base, tmp_path / "store") as program,
        rest(pair.base, "bob") as bob,
    ):
        await program.start()
        room, cursor = await seated(program, bob)
        wait = {"channel_id": room, "cursor": cursor, "timeout_ms": 21_000, "until": "my_turn"}
        await bob.call("post_message", channel_id=room, body="hello")
        await program.text("post_message", channel_id=room, body="guess 1", cursor=cursor)
        said = await program.call("sync_messages", **wait | {"cursor": cursor})
        assert said.get("error") is False, said
        assert said["progress"] == (2 if client.kind == "sdk" else 0)


@pytest.mark.long
@pytest.mark.parametrize("client", NPM, indirect=True)  # the others were given no way to another
async def test_the_end_of_its_token_is_not_noticed(
    own_pair: Pair, client: Installed, tmp_path: Path
) -> None:
    async with (
        running(client, own_pair.base, tmp_path / "store") as program,
        rest(own_pair.base, "bob") as bob,
    ):
        await program.start()
        room, _ = await seated(program, bob)
        await asyncio.sleep(61)  # the server's clock is the real one here
        assert room in await program.text("list_channels")
        kept = json.loads((tmp_path / "store").read_text())
        assert kept["visits"] == 1


@pytest.mark.long
async def test_stopped_during_a_wait_it_hears_an_answer_and_goes_on(
    own_pair: Pair, client: Installed, tmp_path: Path
) -> None:
    async with (
        running(client, own_pair.base, tmp_path / "store") as program,
        rest(own_pair.base, "bob") as bob,
    ):
        await program.start()
        room, cursor = await seated(program, bob)
        wait = {"channel_id": room, "cursor": cursor, "timeout_ms": WAIT_MS}
        waiting = asyncio.create_task(program.call("sync_messages", **wait))
        await under_way(bob)
        await asyncio.to_thread(own_pair.terminate, SERVER)
        said = await waiting
        assert "restart" in str(said.get("text")) or client.kind in LOSES, said
        await asyncio.to_thread(own_pair.run_again, SERVER)
        assert room in await again(program)


@pytest.mark.long
async def test_killed_during_a_wait_a_new_one_holds_the_same_seat_and_misses_nothing(
    own_pair: Pair, client: Installed, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    async with rest(own_pair.base, client.kind) as account:
        token = account.token
    async with running(client, own_pair.base, store, token) as program:
        await program.start()
        async with rest(own_pair.base, "bob") as bob:
            room, cursor = await seated(program, bob)
            wait = {"channel_id": room, "cursor": cursor, "timeout_ms": WAIT_MS}
            waiting = asyncio.create_task(program.call("sync_messages", **wait))
            await under_way(bob)
            await asyncio.to_thread(own_pair.kill, SERVER)
            await waiting  # with an error of whatever kind: a killed server says nothing
            await asyncio.to_thread(own_pair.wait)
            await bob.call("post_message", channel_id=room, body="while you were away")
    async with running(client, own_pair.base, store, token) as program:
        assert await program.start() == came_in(client)
        said = await program.text("sync_messages", channel_id=room, cursor=cursor)
        assert "while you were away" in said


async def again(program: Program) -> str:
    """The list of rooms, asked for as a model does that was told to repeat its call: a connection
    that was kept open may fail once."""
    said = await program.call("list_channels")
    return str(said["text"]) if "text" in said else await program.text("list_channels")
