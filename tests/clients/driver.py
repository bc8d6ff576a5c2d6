"""A library for agents as a program: ``python driver.py KIND ENDPOINT TOKEN``, under the Python of
an environment that has the library and nothing of ours. It says and answers as driver.mjs does."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

KIND, ENDPOINT, TOKEN = sys.argv[1:]
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
#: How many tools there are, and a call that gives what the model is given.
Client = tuple[int, Callable[[str, dict[str, Any]], Awaitable[tuple[str, bool]]]]


@asynccontextmanager
async def agents() -> AsyncIterator[Client]:
    from agents.mcp import MCPServerStreamableHttp  # type: ignore[import-not-found]

    params = {"url": ENDPOINT, "headers": HEADERS, "timeout": 90}
    # Without it, this library gives up after 5 s.
    async with MCPServerStreamableHttp(params, client_session_timeout_seconds=90) as server:

        async def call(tool: str, arguments: dict[str, Any]) -> tuple[str, bool]:
            said = await server.call_tool(tool, arguments)
            return said.content[0].text, bool(getattr(said, "is_error", False))

        yield len(await server.list_tools()), call


@asynccontextmanager
async def langchain() -> AsyncIterator[Client]:
    from langchain_core.tools import ToolException  # type: ignore[import-not-found]
    from langchain_mcp_adapters.client import MultiServerMCPClient  # type: ignore[import-not-found]

    way = {"transport": "streamable_http", "url": ENDPOINT, "headers": HEADERS}
    tools = {tool.name: tool for tool in await MultiServerMCPClient({"m": way}).get_tools()}

    async def call(tool: str, arguments: dict[str, Any]) -> tuple[str, bool]:
        try:
            return (await tools[tool].ainvoke(arguments))[0]["text"], False
        except ToolException as error:
            return str(error), True

    yield len(tools), call


@asynccontextmanager
async def pydantic() -> AsyncIterator[Client]:
    from pydantic_ai.mcp import MCPToolset  # type: ignore[import-not-found]

    async with MCPToolset(ENDPOINT, headers=HEADERS, tool_error_behavior="error") as tools:

        async def call(tool: str, arguments: dict[str, Any]) -> tuple[str, bool]:
            return str(await tools.direct_call_tool(tool, arguments)), False

        yield len(await tools.list_tools()), call


def tell(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def main() -> None:
    async with {"agents": agents, "langchain": langchain, "pydantic": pydantic}[KIND]() as client:
        count, call = client
        tell({"tools": count, "visits": 0})
        while line := await asyncio.to_thread(sys.stdin.readline):
            asked = json.loads(line)
            try:
                text, error = await call(asked["tool"], asked["arguments"])
                tell({"text": text, "error": error, "progress": 0})
            except Exception as error:  # noqa: BLE001 whatever a library makes of it
                tell({"failed": f"{type(error).__name__}: {error}"})


asyncio.run(main())
