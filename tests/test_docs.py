"""What the README and docs/ show is so: every example is run (test_doc_names: what they name).

A fence's language says how its text is checked:

* ``bash``: all of a page's run in one shell, against a running pair. What is not ours to run
  is listed in `NOT_RUN` with the reason, and checked otherwise where that can be.
* ``text session``: ``alice> tool(argument="…")`` is called by alice's account; what follows must be
  the answer. A line that is only … stands for any lines, … within a line for any text; an argument
  with … gets what the session has had so far (``bot_code``: the Python above it).
* ``python``: a class is a referee and must be accepted by a room; anything else is executed.
* ``json``: parsed, and a client's configuration compared with what start_servers prints.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from mcp_multiplayer import connecting, start_servers
from mcp_multiplayer.config import Settings
from mcp_multiplayer.demo.pair import ROOT, Pair
from tests.pages import BLOCKS, EVERYTHING, PAGES, Block, blocks, fits
from tests.players import ASKS_JSON

ADDRESS = re.compile(r"http://(?:127\.0\.0\.1|localhost):8100")

#: Command -> why no test runs it, and what checks it instead.
NOT_RUN = {
    "scripts/start": "the pair of these tests is what it ends in; test_setup, test_start_servers",
    "scripts/test": "this is it",
    "scripts/demo": "it starts servers of its own; tests/demo/test_demo.py",
    **dict.fromkeys(
        ("claude mcp add", "codex mcp add"),
        "another vendor's program; must be a line that start_servers prints",
    ),
    "npx @modelcontextprotocol/inspector": "tests/test_other_clients.py starts it so",
    "docker compose": "there is no Docker here; its file is checked in test_containers",
}


def of_kind(*kinds: str) -> list[Any]:
    return [pytest.param(b, id=str(b)) for b in BLOCKS if b.kind in kinds]


def test_every_fence_has_a_language_that_is_checked() -> None:
    known = {"bash", "text session", "python", "json", "text", ""}
    assert [str(block) for block in BLOCKS if block.kind not in known] == []


# Commands


@dataclass
class Shell:
    base: str
    directory: Path

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "MCP_BASE_URL": self.base,
            "MCP_TOKEN_FILE": str(self.directory / "tokens.json"),
        }
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )


@pytest.fixture(scope="module")
def docs_pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    running = Pair(tmp_path_factory.mktemp("docs"), supervised=True)
    try:
        yield running.start()
    finally:
        running.stop()


def commands(text: str) -> list[str]:
    """The commands of a block, each with its continuation lines, without comments."""
    joined = text.replace("\\\n", "\\\0")
    lines = [line.replace("\0", "\n") for line in joined.split("\n")]
    return [line for line in lines if line.strip() and not line.startswith("#")]


def left_out(command: str) -> bool:
    return command.startswith(tuple(NOT_RUN))


@pytest.mark.servers
@pytest.mark.parametrize("page", [p for p in PAGES if any(b.kind == "bash" for b in blocks(p))])
def test_the_commands_of_a_page_work_in_order(page: Path, docs_pair: Pair, tmp_path: Path) -> None:
    script = "\n".join(
        command
        for block in blocks(page)
        if block.kind == "bash"
        for command in commands(block.text)
        if not left_out(command)
    )
    (tmp_path / "scripts").symlink_to(ROOT / "scripts")
    script = ADDRESS.sub(docs_pair.base, script).replace(".venv/bin/python", sys.executable)
    script = script.replace("data/", f"{docs_pair.directory}/data/")
    done = Shell(docs_pair.base, tmp_path).run(script)
    assert done.returncode == 0, f"{script}\n---\n{done.stdout}\n---\n{done.stderr}"


@pytest.mark.parametrize("reason", NOT_RUN)
def test_what_is_not_run_stands_somewhere(reason: str) -> None:
    found = [c for b in BLOCKS if b.kind == "bash" for c in commands(b.text)]
    assert [c for c in found if c.startswith(reason)], "take it out of NOT_RUN"


def printed() -> str:
    """What start_servers prints to someone who starts it with no setting at all."""
    settings = Settings(_env_file=None)  # type: ignore[call-arg]
    return start_servers.welcome(settings)


def test_lines_for_claude_code_are_those_that_start_servers_prints() -> None:
    lines = {c for b in BLOCKS if b.kind == "bash" for c in commands(b.text)}
    for line in lines:
        if line.startswith(("claude", "codex")):
            assert f"{line}\n" in printed()


def test_the_page_about_clients_is_that_of_the_product() -> None:
    page = (ROOT / "docs" / "clients.md").read_text()
    assert page.partition("\n## ")[2] == connecting.sections().removeprefix("## ")


def test_the_readmes_way_into_claude_ai_and_chatgpt_is_what_start_servers_prints() -> None:
    settings = Settings(_env_file=None, public_url="https://mp.example")  # type: ignore[call-arg]
    said = start_servers.welcome(settings).split("\n")
    for place in ("claude.ai       Settings, Connectors", "ChatGPT         Settings, Connectors"):
        (line,) = [line for line in said if place in line]
        assert line.endswith("https://mp.example/mcp")


@pytest.mark.servers
def test_every_file_of_the_data_directory_is_explained_to_the_operator(docs_pair: Pair) -> None:
    data = docs_pair.directory / "data"
    kept = {p.relative_to(data).as_posix() for p in data.rglob("*") if p.is_file()}
    kept = {name for name in kept if not name.endswith(("-wal", "-shm"))}
    explained = (ROOT / "docs" / "operations.md").read_text()
    assert kept and {name for name in kept if f"| `{name}` |" not in explained} == set()
    assert {oct((data / name).stat().st_mode & 0o77) for name in kept} == {"0o0"}


def test_docker_compose_has_the_profile_and_services_that_are_named() -> None:
    compose = (ROOT / "docker-compose.yml").read_text()
    for profile in re.findall(r"docker compose --profile (\w+)", EVERYTHING):
        assert f"profiles: [{profile}]" in compose


@pytest.mark.parametrize("block", of_kind("json"))
def test_json_is_json_and_configurations_are_those_that_start_servers_prints(block: Block) -> None:
    value = json.loads(block.text)
    if {"mcpServers", "servers"} & value.keys():
        assert json.dumps(value) in printed()


# Sessions and referees


class Session:
    """Agents by name, and what they have been told."""

    def __init__(self, base: str, python: str) -> None:
        self.base = base
        self.python = python
        self.accounts: dict[str, dict[str, str]] = {}
        self.known: dict[str, Any] = {"bot_code": python}

    def headers(self, name: str) -> dict[str, str]:
        if name not in self.accounts:
            client = {"client_name": name, "grant_types": ["client_credentials"]}
            made = httpx.post(f"{self.base}/register", json=client).json()
            form = {"grant_type": "client_credentials"}
            signed = (made["client_id"], made["client_secret"])
            token = httpx.post(f"{self.base}/token", data=form, auth=signed).json()
            self.accounts[name] = {
                "Authorization": f"Bearer {token['access_token']}",
                "Accept": "application/json, text/event-stream",
            }
        return self.accounts[name]

    def call(self, name: str, command: str) -> str:
        """Do what ``tool(argument=value)`` says and return the text of the answer."""
        call = ast.parse(command, mode="eval").body
        assert isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
        arguments = {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
        for key, value in arguments.items():
            if isinstance(value, str) and "…" in value:
                arguments[key] = self.known[key]
        request = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": call.func.id, "arguments": arguments, "_meta": ASKS_JSON},
        }
        answer = httpx.post(
            f"{self.base}/mcp", json=request, headers=self.headers(name), timeout=60
        )
        result = answer.json()["result"]
        self._learn(result["structuredContent"])
        return str(result["content"][0]["text"])

    def _learn(self, data: dict[str, Any]) -> None:
        self.known |= {k: v for k, v in data.items() if isinstance(v, str | int)}
        if "terms" in data:
            self.known["expect_terms"] = data["terms"]
        for link in data.get("invite_links", {}).values():
            self.known["invite_code"] = link


def above(block: Block) -> str:
    """The last Python of the page before this block."""
    found = [b.text for b in BLOCKS if b.page == block.page and b.kind == "python"]
    lines = [b.line for b in BLOCKS if b.page == block.page and b.kind == "python"]
    return next((t for t, at in zip(found[::-1], lines[::-1], strict=True) if at < block.line), "")


@pytest.mark.servers
@pytest.mark.parametrize("block", of_kind("text session"))
def test_a_session_goes_as_shown(block: Block, docs_pair: Pair) -> None:
    turns = re.split(r"(?m)^(\w+)> (.*)\n", block.text)[1:]
    assert turns, "no line begins with a name and >"
    for _ in range(5):
        session, lucky = Session(docs_pair.base, above(block)), False
        for name, command, shown in zip(turns[::3], turns[1::3], turns[2::3], strict=True):
            said = session.call(name, command)
            lucky = lucky or '"result":"correct"' in said
            assert lucky or fits(shown, said), f"{name}> {command}\n{said}"
        if not lucky:  # a guess that hits, one in a hundred, ends the game early: play again
            return
    pytest.fail("five guesses in a row were right")


@pytest.mark.servers
@pytest.mark.parametrize("block", of_kind("python"))
def test_python_runs(block: Block, docs_pair: Pair, tmp_path: Path) -> None:
    if not any(isinstance(node, ast.ClassDef) for node in ast.parse(block.text).body):
        done = subprocess.run(
            [sys.executable, "-I", "-c", block.text], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return
    session = Session(docs_pair.base, block.text)
    session.call("alice", 'create_channel(bot_code="…", join_as="alice")')
    session.call("bob", 'join_channel(invite_code="…")')
    session.call("bob", 'post_message(channel_id="…", body="hello")')
    said = session.call("alice", 'sync_messages(channel_id="…", cursor=0, limit=500)')
    assert "bots_announced" in said
    assert "bot:error" not in said
