"""Coding agents as programs: Claude Code and Codex without a person, each installed once at one
version into pytest's cache, in a home of its own, with a model that a test speaks for.

Codex has two ways to let a model use tools. To older models each tool is a function; the newer ones
write a script that calls tools, and are given what it prints.
"""

from __future__ import annotations

import asyncio
import json
import re
import unicodedata
from abc import ABC, abstractmethod
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests import npm
from tests.clients.model_api import Messages, ModelApi, Responses
from tests.edge.harness import serving

Json = dict[str, Any]
NAME = "multiplayer"  #: of our server in their settings
PREFIX = f"mcp__{NAME}__"
TOKEN = "MULTIPLAYER_TOKEN"  #: the variable that holds ours
_PROMPT = "Play."


class Agent(ABC):
    """One of them at work. ``first`` is what its model was asked at the beginning, ``definitions``
    what it was given of our tools, word for word, when it looked for them."""

    kind: str
    package: str

    def __init__(self, model: ModelApi, cache: Path) -> None:
        self.model = model
        self.first: Json = {}
        self.definitions = ""
        self.installed = npm.installed(cache / f"client-{self.kind}", (self.package,))

    @abstractmethod
    def program(self) -> list[str]:
        """How it is started."""

    @abstractmethod
    def sign_in(self, endpoint: str) -> list[list[str]]:
        """The commands by which a person adds our server and signs in."""

    @abstractmethod
    def asked(self, home: Path, api: str, endpoint: str, *, token: bool) -> list[str]:
        """Write its settings, with our server under a ``token`` if it has not signed in. Return
        what follows the program to have the model asked once."""

    @abstractmethod
    async def tools(self) -> tuple[str, list[Json]]:
        """Look for all our tools. Return the instructions and the definitions that its model is
        given by now."""

    @abstractmethod
    def told(self, tool: Json) -> Json:
        """What of a listed tool `tools` must find. No agent gives its model title and hints."""

    @abstractmethod
    async def call(self, tool: str, **arguments: Any) -> str:
        """Use a tool of ours, and return what the model is given."""


class ClaudeCode(Agent):
    kind = "claude"
    package = "@anthropic-ai/claude-code@2.1.332"

    def __init__(self, cache: Path) -> None:
        super().__init__(Messages(), cache)

    def program(self) -> list[str]:
        return [str(self.installed / "node_modules/.bin/claude")]

    def sign_in(self, endpoint: str) -> list[list[str]]:
        add = ["mcp", "add", "--scope", "user", "--transport", "http", NAME, endpoint]
        return [add, ["mcp", "login", NAME]]

    def asked(self, home: Path, api: str, endpoint: str, *, token: bool) -> list[str]:
        asked = ["-p", _PROMPT, "--allowedTools", f"mcp__{NAME}"]
        if not token:
            return asked
        entry = {
            "type": "http",
            "url": endpoint,
            "headers": {"Authorization": f"Bearer ${{{TOKEN}}}"},
        }
        servers = home / "servers.json"
        servers.write_text(json.dumps({"mcpServers": {NAME: entry}}))
        return [*asked, "--strict-mcp-config", "--mcp-config", str(servers)]

    async def tools(self) -> tuple[str, list[Json]]:
        """Names come first, definitions when the model has looked for them."""
        said = json.dumps(self.first["messages"], ensure_ascii=False)
        names = re.findall(rf"\\n({PREFIX}\w+)", said)
        query = {"query": f"select:{','.join(names)}", "max_results": len(names)}
        await self.model.use({"name": "ToolSearch", "input": query})
        loaded = [one for one in self.model.requests[-1]["tools"] if one["name"] in names]
        self.definitions = _json(loaded)
        (instructions,) = re.findall(rf"\\n## {NAME}\\n(.+?)\\n\\n", said)
        return json.loads(f'"{instructions}"'), [
            {
                "name": one["name"].removeprefix(PREFIX),
                "description": one["description"],
                "inputSchema": one["input_schema"],
            }
            for one in loaded
        ]

    def told(self, tool: Json) -> Json:
        return {name: _plain(tool[name]) for name in ("name", "description", "inputSchema")}

    async def call(self, tool: str, **arguments: Any) -> str:
        (result,) = await self.model.use({"name": f"{PREFIX}{tool}", "input": arguments})
        if isinstance(result["content"], str):  # as errors are told
            return str(result["content"])
        (block,) = result["content"]
        assert set(block) == {"type", "text"}
        return str(block["text"])


class Codex(Agent):
    kind = "codex"
    package = "@openai/codex@0.171.0"
    id = "gpt-5.5"  #: the last model of its catalogue that is given functions
    _kept = ("-c", 'mcp_oauth_credentials_store="file"')  #: in its home, not with the system

    def __init__(self, cache: Path) -> None:
        super().__init__(Responses(), cache)

    def program(self) -> list[str]:
        return [str(npm.NODE), str(self.installed / "node_modules/@openai/codex/bin/codex.js")]

    def sign_in(self, endpoint: str) -> list[list[str]]:
        return [["mcp", "add", NAME, "--url", endpoint, *self._kept]]

    def asked(self, home: Path, api: str, endpoint: str, *, token: bool) -> list[str]:
        (home / ".codex").mkdir(exist_ok=True)
        stub = f'name = "stub", base_url = "{api}/v1", wire_api = "responses", env_key = "STUB_KEY"'
        asked = ["exec", "--skip-git-repo-check", "--sandbox", "danger-full-access", _PROMPT]
        asked += [*self._kept, "--model", self.id, "-c", 'model_provider="stub"']
        asked += ["-c", f"model_providers.stub={{{stub}}}"]
        # Else a busy machine's model is asked before our server has been.
        ours = {f"mcp_servers.{NAME}.required": "true"}
        if token:
            ours[f"mcp_servers.{NAME}.url"] = f'"{endpoint}"'
            ours[f"mcp_servers.{NAME}.bearer_token_env_var"] = f'"{TOKEN}"'
        return asked + [part for name in ours for part in ("-c", f"{name}={ours[name]}")]

    async def tools(self) -> tuple[str, list[Json]]:
        """The first line of the instructions comes first, all else when the model has looked."""
        search = {"query": "room game message bot help", "limit": 40}
        item = {"type": "tool_search_call", "execution": "client", "status": "completed"}
        (found,) = await self.model.use(item | {"arguments": search})
        (ours,) = [one for one in found["tools"] if one["name"] == f"mcp__{NAME}"]
        self.definitions = _json(ours)
        return ours["description"], [
            {
                "name": one["name"],
                "description": one["description"],
                "inputSchema": one["parameters"],
            }
            for one in ours["tools"]
        ]

    def told(self, tool: Json) -> Json:
        named = {name: tool[name] for name in ("name", "description")}
        return named | {"inputSchema": _without_limits(tool["inputSchema"])}

    async def call(self, tool: str, **arguments: Any) -> str:
        use = {"type": "function_call", "namespace": f"mcp__{NAME}", "name": tool}
        (result,) = await self.model.use(use | {"arguments": json.dumps(arguments)})
        return self.given(result)

    @staticmethod
    def given(result: Json) -> str:
        head, block = result["output"]
        assert head["text"].rstrip().endswith("Output:")  # after the time that it took
        return str(block["text"])


class CodexScript(Codex):
    """``yields`` counts how often its model was told that a script goes on."""

    id = "gpt-6.2-sol"

    def __init__(self, cache: Path) -> None:
        super().__init__(cache)
        self.yields = 0

    async def tools(self) -> tuple[str, list[Json]]:
        """All is in what a script can read, the instructions with each tool."""
        ours = f"ALL_TOOLS.filter(tool => tool.name.startsWith('{PREFIX}'))"
        self.definitions = await self.run(f"text({ours})")
        said = []
        for one in json.loads(self.definitions):
            description, instructions, declaration = one["description"].rsplit("\n\n", 2)
            said.append(
                {
                    "name": one["name"].removeprefix(PREFIX),
                    "description": description,
                    "arguments": sorted(
                        re.findall(r"(?:^ +|[{;] )(\w+)\??: ", declaration, re.MULTILINE)
                    ),
                }
            )
        return instructions, said

    def told(self, tool: Json) -> Json:
        named = {name: tool[name] for name in ("name", "description")}
        return named | {"arguments": sorted(tool["inputSchema"]["properties"])}

    async def call(self, tool: str, **arguments: Any) -> str:
        used = f"await tools.{PREFIX}{tool}({json.dumps(arguments)})"
        return await self.run(f"text(({used}).content[0].text)")

    async def run(self, script: str) -> str:
        (result,) = await self.model.use(
            {"type": "custom_tool_call", "name": "exec", "input": script}
        )
        while isinstance(result["output"], str):
            (cell,) = re.findall(r"running with cell ID (\w+)", result["output"])
            self.yields += 1
            waits = {"type": "function_call", "name": "wait"}
            (result,) = await self.model.use(waits | {"arguments": json.dumps({"cell_id": cell})})
        return self.given(result)


AGENTS: dict[str, type[ClaudeCode | Codex]] = {
    "claude": ClaudeCode,
    "codex": Codex,
    "codex-script": CodexScript,
}


def environment(home: Path, api: str, **more: str) -> Mapping[str, str]:
    """Nothing of whoever runs the tests, neither a login nor a setting."""
    return {
        "HOME": str(home),
        "PATH": "/usr/bin:/bin",
        "STUB_KEY": "stub",
        "ANTHROPIC_BASE_URL": api,
        "ANTHROPIC_API_KEY": "stub",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "MCP_TIMEOUT": "60000",  # ms to connect to our server, on a busy machine
        **more,
    }


@asynccontextmanager
async def at_work(agent: Agent, home: Path, base: str, token: str = "") -> AsyncIterator[None]:
    """Our server at ``base``, by ``token`` or as it has signed in, and the model, asked."""
    (home / "work").mkdir(parents=True)
    async with serving(agent.model.app) as port:
        api = f"http://127.0.0.1:{port}"
        asked = agent.asked(home, api, f"{base}/mcp", token=bool(token))
        with (home / "output").open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *agent.program(),
                *asked,
                cwd=home / "work",
                env=environment(home, api, **{TOKEN: token}),
                stdin=DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            agent.first = await agent.model.begin()
            yield
        finally:
            agent.model.end()
            if process.returncode is None:
                process.kill()
            await process.wait()


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _plain(value: Any) -> Any:
    """What describes a tool, as Claude Code hands it on: `…` is `...` there."""
    if isinstance(value, str):
        return unicodedata.normalize("NFKC", value)
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return value


def _without_limits(schema: Json) -> Json:
    """A schema as Codex hands it on to models that are given functions."""
    lost = ("default", "minimum", "maximum", "minLength", "maxLength")
    kept = {name: value for name, value in schema.items() if name not in lost}
    if kept.get("type") == "object":
        named = kept.get("properties", {})
        kept["properties"] = {name: _without_limits(one) for name, one in named.items()}
    if "items" in kept:
        kept["items"] = _without_limits(kept["items"])
    if "anyOf" in kept:
        kept["anyOf"] = [_without_limits(one) for one in kept["anyOf"]]
    return kept
