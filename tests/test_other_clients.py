"""Clients written by others in another language: mcp-remote, by which Claude Desktop comes in, and
the MCP Inspector. Each installed from npm at one version, into pytest's cache.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import StdioServerParameters
from mcp.client import Client

from mcp_multiplayer.demo.pair import SERVER, Pair
from tests import npm
from tests.players import ASKS_JSON, Json, rest

pytestmark = [pytest.mark.servers, pytest.mark.long]

MCP_REMOTE = ("mcp-remote@0.15.1",)
INSPECTOR = ("@modelcontextprotocol/inspector@2.12.0",)

Install = Callable[..., Path]


@pytest.fixture
def install(request: pytest.FixtureRequest) -> Install:
    """Give a directory with the packages in it, from npm the first time."""
    cache = request.config.cache
    assert cache is not None

    def into(name: str, *packages: str) -> Path:
        return npm.installed(cache.mkdir("npm") / name, packages)

    return into


@pytest.fixture
def own_pair(tmp_path: Path) -> Iterator[Pair]:
    running = Pair(tmp_path / "pair")
    try:
        yield running.start()
    finally:
        running.stop()


class Bridge:
    """mcp-remote as a desktop client starts it: over stdio, with a browser that only clicks on."""

    def __init__(self, base: str, directory: Path, home: Path) -> None:
        self._directory = directory
        browser = directory / "browser"
        browser.write_text(
            f"#!/bin/sh\necho visit >>{directory}/visits\n"
            f'exec curl --silent --location --cookie-jar {directory}/jar --output /dev/null "$1"\n'
        )
        browser.chmod(0o755)
        self._server = StdioServerParameters(
            command=str(npm.NODE),
            args=["node_modules/.bin/mcp-remote", f"{base}/mcp"],
            cwd=home,
            env={
                **os.environ,
                "BROWSER": str(browser),
                "MCP_REMOTE_CONFIG_DIR": str(directory / "tokens"),
            },
        )

    @property
    def visits(self) -> int:
        """How often a browser was opened."""
        return len((self._directory / "visits").read_text().splitlines())

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Client]:
        async with asyncio.timeout(120), Client(self._server, mode="legacy") as client:
            yield client


async def call(client: Client, tool: str, **arguments: Any) -> Json:
    result = await client.call_tool(tool, arguments, meta=ASKS_JSON)
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return dict(result.structured_content)


async def test_mcp_remote_signs_in_once_and_plays_on_after_a_kill(
    own_pair: Pair, tmp_path: Path, install: Install
) -> None:
    bridge = Bridge(own_pair.base, tmp_path, install("mcp-remote", *MCP_REMOTE))
    async with bridge.connected() as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert {"create_channel", "join_channel", "post_message", "sync_messages"} <= names
        made = await call(client, "create_channel", bot_preset="GuessBot", join_as="alice")
        async with rest(own_pair.base, "bob") as bob:
            await bob.call("join_channel", invite_code=made["invites"][0])
        own_pair.kill(SERVER)
        own_pair.wait()
        move = {"channel_id": made["channel_id"], "body": "guess 0", "cursor": made["cursor"]}
        moved = await call(client, "post_message", **move)
        assert "invalid" in [m["body"].get("result") for m in moved["messages"]]
    async with bridge.connected() as client:
        (room,) = (await call(client, "list_channels"))["channels"]
        assert room["channel_id"] == made["channel_id"]
    assert bridge.visits == 1


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_the_mcp_inspector_lists_and_calls_tools(
    pair: Pair, install: Install, era: str
) -> None:
    directory = install("inspector", *INSPECTOR) / "node_modules"
    async with rest(pair.base, "inspector") as account:
        header = f"Authorization: Bearer {account.token}"

        async def inspect(*arguments: str) -> Json:
            inspector = directory / ".bin/mcp-inspector"
            command = [str(npm.NODE), str(inspector), "--cli", f"{pair.base}/mcp"]
            command += [
                "--transport",
                "http",
                "--protocol-era",
                era,
                "--header",
                header,
                *arguments,
            ]
            done = await asyncio.to_thread(
                subprocess.run, command, capture_output=True, text=True, timeout=120
            )
            assert done.returncode == 0, done.stderr + done.stdout
            answer: Json = json.loads(done.stdout)
            return answer

        tools = (await inspect("--method", "tools/list"))["tools"]
        assert {"create_channel", "post_message"} <= {tool["name"] for tool in tools}
        made = await inspect(
            "--method",
            "tools/call",
            "--tool-name",
            "create_channel",
            "--tool-arg",
            "bot_preset=GuessBot",
            "--tool-arg",
            "join_as=alice",
        )
        (room,) = (await account.call("list_channels"))["channels"]
        assert "structuredContent" not in made
        assert room["channel_id"] in made["content"][0]["text"]
