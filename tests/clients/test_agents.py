"""Coding agents that others wrote, with a model that the test speaks for: the model is given what
the server sent, to the letter, whatever happens to the server meanwhile.

Which version was seen, and how much of it is cut: `Setup.given` and ``limits`` in connecting.py.
"""

from __future__ import annotations

import asyncio
import os
import pty
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mcp_multiplayer.demo.pair import SERVER, Pair
from mcp_multiplayer.edge.api.guides import INSTRUCTIONS
from mcp_multiplayer.edge.api.operations.table import TABLE
from tests.clients.agents import AGENTS, Agent, ClaudeCode, Codex, CodexScript, at_work, environment
from tests.clients.recorder import Recorder, recording
from tests.clients.table import WAIT_MS, cursor_in, moved
from tests.players import Rest, rest
from tests.tokens import Count, counter

pytestmark = pytest.mark.servers

KINDS = [
    "claude",
    *(pytest.param(kind, marks=pytest.mark.long) for kind in AGENTS if kind != "claude"),
]


#: Tokens of all our tools. A script's model reads the instructions with each of them.
BUDGET = {ClaudeCode: 2_400, Codex: 2_470, CodexScript: 4_500}


@pytest.fixture(params=KINDS)
def agent(request: pytest.FixtureRequest) -> Agent:
    assert request.config.cache is not None
    return AGENTS[request.param](request.config.cache.mkdir("npm"))


@pytest.fixture
def count(request: pytest.FixtureRequest) -> Count:
    assert request.config.cache is not None
    return counter(request.config.cache.mkdir("npm"))


@pytest.fixture
def own_pair(tmp_path: Path) -> Iterator[Pair]:
    running = Pair(tmp_path / "pair")
    try:
        yield running.start()
    finally:
        running.stop()


@dataclass
class Table:
    """An agent that sits first in a room of GuessBot, and bob, who sits second."""

    agent: Agent
    recorder: Recorder
    bob: Rest
    room: str
    cursor: int

    async def call(self, tool: str, **arguments: Any) -> str:
        """Use a tool. The model is given the text that was sent, and nothing else."""
        said = await self.agent.call(tool, **arguments)
        assert said == self.recorder.text(tool)
        return said

    async def sync(self, timeout_ms: int) -> str:
        asked = {"channel_id": self.room, "cursor": self.cursor, "timeout_ms": timeout_ms}
        return await self.call("sync_messages", **asked)

    async def under_way(self) -> asyncio.Task[str]:
        """A wait, by now in the server: many whole requests of bob's later."""
        before = len(self.recorder.exchanges)
        asked = {"channel_id": self.room, "cursor": self.cursor, "timeout_ms": WAIT_MS}
        waiting = asyncio.create_task(self.agent.call("sync_messages", **asked))
        await self.recorder.reaches(before + 1)
        for _ in range(20):
            await self.bob.call("list_channels")
        return waiting


@asynccontextmanager
async def at_table(agent: Agent, base: str, home: Path) -> AsyncIterator[Table]:
    async with (
        rest(base, "alice") as account,
        rest(base, "bob") as bob,
        recording(base) as recorder,
        at_work(agent, home, recorder.base, account.token),
    ):
        table = Table(agent, recorder, bob, "", 0)
        params = {"high": 1_000_000}  # so that nobody hits it
        made = await table.call(
            "create_channel", bot_preset="GuessBot", bot_params=params, join_as="alice"
        )
        code, room = re.search(r"inv_\S+", made), re.search(r"chn_\w+", made)
        assert code is not None and room is not None
        table.room = room[0]
        await bob.call("join_channel", invite_code=code[0])
        table.cursor = cursor_in(await table.call("sync_messages", channel_id=table.room))
        yield table


async def test_its_model_is_given_each_answer_of_a_game_to_the_letter(
    pair: Pair, agent: Agent, tmp_path: Path
) -> None:
    async with at_table(agent, pair.base, tmp_path / "home") as table:
        move: dict[str, Any] = {"channel_id": table.room, "wait_ms": WAIT_MS}
        for guess in ("guess 1", "guess 3"):
            asked = move | {"body": guess, "cursor": table.cursor}
            said, _ = await asyncio.gather(
                table.call("post_message", **asked), moved(table.bob, table.room)
            )
            assert "bob: " in said
            table.cursor = cursor_in(said)


@pytest.mark.long
async def test_its_model_is_given_the_instructions_and_the_tools(
    pair: Pair, agent: Agent, tmp_path: Path
) -> None:
    async with (
        rest(pair.base, "alice") as account,
        recording(pair.base) as recorder,
        at_work(agent, tmp_path / "home", recorder.base, account.token),
    ):
        instructions, given = await agent.tools()
        assert instructions == INSTRUCTIONS
        assert INSTRUCTIONS.splitlines()[0] in str(agent.first)  # before it has looked for tools
        (listed,) = recorder.results("tools/list")
        served = {one["name"]: agent.told(one) for one in listed["tools"]}
        assert {one["name"]: one for one in given} == served
        assert len(given) == len(TABLE)


@pytest.mark.long
async def test_what_its_model_is_given_of_the_tools_stays_within_its_budget(
    pair: Pair, agent: Agent, tmp_path: Path, count: Count
) -> None:
    """Names at first, definitions when they are looked for; the shortest that each agent can do."""
    async with (
        rest(pair.base, "alice") as account,
        at_work(agent, tmp_path / "home", pair.base, account.token),
    ):
        await agent.tools()
    assert count([agent.definitions])[0] <= BUDGET[type(agent)]


@pytest.mark.long
async def test_its_model_is_given_a_long_page_whole_and_a_refusal_as_it_is(
    pair: Pair, agent: Agent, tmp_path: Path
) -> None:
    async with at_table(agent, pair.base, tmp_path / "home") as table:
        await agent.tools()  # else Claude Code adds the tool's schema to an error
        refused = await table.call("sync_messages", channel_id="chn_nowhere")
        assert refused.startswith("NOT_MEMBER: ")
        for letter in "のxy":
            words = letter * (15_000 // len(letter.encode()))
            await table.bob.call("post_message", channel_id=table.room, body=words)
        pages: list[str] = []
        while not pages or len(pages[-1]) > 5_000:
            pages.append(await table.sync(0))
            table.cursor = cursor_in(pages[-1])
        assert len(pages[0].encode()) > 30_000
        assert "there is more" in pages[0]


@pytest.mark.long
async def test_its_model_waits_45_seconds(pair: Pair, agent: Agent, tmp_path: Path) -> None:
    async with at_table(agent, pair.base, tmp_path / "home") as table:
        assert "waited 45 s" in await table.sync(WAIT_MS)
        assert not isinstance(agent, CodexScript) or agent.yields > 0


@pytest.mark.long
async def test_stopped_and_killed_during_a_wait_the_server_is_heard_and_goes_on(
    own_pair: Pair, agent: Agent, tmp_path: Path
) -> None:
    async with at_table(agent, own_pair.base, tmp_path / "home") as table:
        waiting = await table.under_way()
        await asyncio.to_thread(own_pair.terminate, SERVER)
        said = await waiting
        assert "\nrestarting: the server restarts, repeat this call.\n" in said
        assert said == table.recorder.text("sync_messages")
        await asyncio.to_thread(own_pair.run_again, SERVER)
        assert table.room in await table.call("list_channels")
        waiting = await table.under_way()
        await asyncio.to_thread(own_pair.kill, SERVER)
        assert "UNAVAILABLE: The game server is not reachable" in await waiting
        await asyncio.to_thread(own_pair.wait)
        assert table.room in await table.call("list_channels")


@pytest.mark.long
@pytest.mark.parametrize("agent", ["claude", "codex"], indirect=True)
async def test_it_signs_in_by_itself(pair: Pair, agent: Agent, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    browser = home / "browser"
    browser.write_text(f'#!/bin/sh\nexec curl --silent --location --output {home}/page "$1"\n')
    browser.chmod(0o755)
    for command in agent.sign_in(f"{pair.base}/mcp"):
        await in_a_terminal([*agent.program(), *command], home, browser)
    async with at_work(agent, home, pair.base):
        assert "You have 0 rooms." in await agent.call("list_channels")


async def in_a_terminal(command: list[str], home: Path, browser: Path) -> None:
    """Run to the end. Claude Code signs in only where a person could paste something."""
    here, there = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment(home, "", BROWSER=str(browser)),
        cwd=home,
        stdin=there,
        stdout=there,
        stderr=there,
    )
    os.close(there)
    reading = asyncio.create_task(asyncio.to_thread(_read, here))
    try:
        async with asyncio.timeout(120):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
        said = await reading
    assert process.returncode == 0, said


def _read(terminal: int) -> bytes:
    """All that is said in a terminal until nobody holds its other end."""
    said = b""
    with os.fdopen(terminal, "rb", buffering=0) as file, suppress(OSError):
        while more := file.read(65536):
            said += more
    return said
