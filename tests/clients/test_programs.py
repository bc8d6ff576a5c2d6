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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mcp_multiplayer.demo.pair import SERVER, Pair
from tests.clients.programs import NPM, PYPI, Installed, Program, installed
from tests.clients.table import WAIT_MS, cursor_in, moved
from tests.players import Rest, rest

pytestmark = pytest.mark.servers

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


@dataclass
class Table:
    """A client that has come in and sits first in a room of GuessBot, and bob, who sits second."""

    program: Program
    bob: Rest
    room: str
    cursor: int

    def wait(self, **more: Any) -> dict[str, Any]:
        """What to ask for with sync_messages to hear what comes next."""
        return {"channel_id": self.room, "cursor": self.cursor, "timeout_ms": WAIT_MS} | more

    async def under_way(self) -> asyncio.Task[dict[str, Any]]:
        """A wait of the client, by now in the server: many whole requests later, for some of these
        open a connection of their own for each call and say three things on it first."""
        waiting = asyncio.create_task(self.program.call("sync_messages", **self.wait()))
        for _ in range(60):
            await self.bob.call("list_channels")
        return waiting


@asynccontextmanager
async def at_table(
    client: Installed, base: str, store: Path, token: str = ""
) -> AsyncIterator[Table]:
    async with running(client, base, store, token) as program, rest(base, "bob") as bob:
        assert await program.start() == came_in(client)
        params = {"high": 1_000_000}  # so that nobody hits it
        made = await program.text(
            "create_channel", bot_preset="GuessBot", bot_params=params, join_as="alice"
        )
        code, room = re.search(r"inv_\S+", made), re.search(r"chn_\w+", made)
        assert code is not None and room is not None
        await bob.call("join_channel", invite_code=code[0])
        read = await program.text("sync_messages", channel_id=room[0])
        yield Table(program, bob, room[0], cursor_in(read))


async def test_it_signs_in_and_plays(pair: Pair, client: Installed, tmp_path: Path) -> None:
    async with at_table(client, pair.base, tmp_path / "store") as table:
        move: dict[str, Any] = {"channel_id": table.room, "wait_ms": WAIT_MS}
        for guess in ("guess 1", "guess 3"):
            asked = move | {"body": guess, "cursor": table.cursor}
            said, _ = await asyncio.gather(
                table.program.text("post_message", **asked), moved(table.bob, table.room)
            )
            assert "bob: " in said
            table.cursor = cursor_in(said)


@pytest.mark.long
async def test_a_wait_of_twenty_seconds_ends_with_its_answer(
    pair: Pair, client: Installed, tmp_path: Path
) -> None:
    async with at_table(client, pair.base, tmp_path / "store") as table:
        wait = table.wait(timeout_ms=21_000, until="my_turn")
        del wait["cursor"]
        move = {"channel_id": table.room, "body": "guess 1", "cursor": table.cursor}
        table.cursor = cursor_in(await table.program.text("post_message", **move))
        said = await table.program.call("sync_messages", **wait, cursor=table.cursor)
        assert said.get("error") is False, said
        assert said["progress"] == (2 if client.kind == "sdk" else 0)


@pytest.mark.long
@pytest.mark.parametrize("client", NPM, indirect=True)  # the others were given no way to another
async def test_the_end_of_its_token_is_not_noticed(
    own_pair: Pair, client: Installed, tmp_path: Path
) -> None:
    async with at_table(client, own_pair.base, tmp_path / "store") as table:
        await asyncio.sleep(61)  # the server's clock is the real one here
        assert table.room in await table.program.text("list_channels")
        assert json.loads((tmp_path / "store").read_text())["visits"] == 1


@pytest.mark.long
async def test_stopped_during_a_wait_it_hears_an_answer_and_goes_on(
    own_pair: Pair, client: Installed, tmp_path: Path
) -> None:
    async with at_table(client, own_pair.base, tmp_path / "store") as table:
        waiting = await table.under_way()
        await asyncio.to_thread(own_pair.terminate, SERVER)
        said = await waiting
        assert "restart" in str(said.get("text")) or client.kind in LOSES, said
        await asyncio.to_thread(own_pair.run_again, SERVER)
        assert table.room in await again(table.program)


@pytest.mark.long
async def test_killed_during_a_wait_a_new_one_holds_the_same_seat_and_misses_nothing(
    own_pair: Pair, client: Installed, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    async with rest(own_pair.base, client.kind) as account:
        token = account.token
    async with at_table(client, own_pair.base, store, token) as table:
        waiting = await table.under_way()
        await asyncio.to_thread(own_pair.kill, SERVER)
        await waiting  # with an error of whatever kind: a killed server says nothing
        await asyncio.to_thread(own_pair.wait)
        words = {"channel_id": table.room, "body": "while you were away"}
        await table.bob.call("post_message", **words)
    async with running(client, own_pair.base, store, token) as program:
        assert await program.start() == came_in(client)
        read = {"channel_id": table.room, "cursor": table.cursor}
        assert words["body"] in await program.text("sync_messages", **read)


async def again(program: Program) -> str:
    """The list of rooms, asked for as a model does that was told to repeat its call: a connection
    that was kept open may fail once."""
    said = await program.call("list_channels")
    return str(said["text"]) if "text" in said else await program.text("list_channels")
