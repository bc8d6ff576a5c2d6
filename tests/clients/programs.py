"""Clients that others wrote, as programs: each installed once at one version into pytest's cache,
and driven over its standard input and output (driver.mjs, driver.py)."""

from __future__ import annotations

import asyncio
import fcntl
import json
import shutil
import subprocess
import sys
from asyncio.subprocess import PIPE
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import npm

#: They sign in by themselves.
NPM = {"sdk": "@modelcontextprotocol/sdk@1.32.2", "ai": "@ai-sdk/mcp@2.0.99"}
#: They take a token.
PYPI = {
    "agents": "openai-agents==0.24.0",
    "langchain": "langchain-mcp-adapters==0.3.2",
    "pydantic": "pydantic-ai-slim[mcp]==2.68.0",
}
_HERE = Path(__file__).parent
_PATIENCE = 120.0  #: seconds, on a machine however busy


@dataclass(frozen=True)
class Installed:
    """A client that can be started: what runs it, and where."""

    kind: str
    program: Path
    home: Path

    @property
    def signs_in(self) -> bool:
        return self.kind in NPM

    def command(self, endpoint: str, store: Path, token: str) -> list[str]:
        driver = "driver.mjs" if self.signs_in else "driver.py"
        shutil.copy(_HERE / driver, self.home)
        kept = str(store) if self.signs_in else token
        return [str(self.program), driver, self.kind, endpoint, kept]


def installed(cache: Path, kind: str) -> Installed:
    """The client below ``cache``, from its registry the first time."""
    if kind in NPM:
        return Installed(kind, npm.NODE, npm.installed(cache / f"client-{kind}", (NPM[kind],)))
    home = cache / f"client-{kind}"
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install(home, PYPI[kind])
    return Installed(kind, home / "bin" / "python", home)


def _install(home: Path, package: str) -> None:
    stamp = home / "installed"
    if stamp.exists() and stamp.read_text() == package:
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
    pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", package]
    done = subprocess.run(pip, capture_output=True, text=True)
    assert done.returncode == 0, f"pip could not install {package}:\n{done.stderr[-2000:]}"
    stamp.write_text(package)


class Program:
    """One client at work."""

    def __init__(self, command: list[str], home: Path) -> None:
        self._command = command
        self._home = home

    async def start(self) -> dict[str, Any]:
        """Begin, and return how many tools it sees and how often a browser was opened."""
        self._process = await asyncio.create_subprocess_exec(
            *self._command, cwd=self._home, stdin=PIPE, stdout=PIPE, limit=1 << 24
        )
        return await self._said()

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Return what it says of a call: `text` and `error`, or `failed`."""
        assert self._process.stdin is not None
        asked = json.dumps({"tool": tool, "arguments": arguments})
        self._process.stdin.write(f"{asked}\n".encode())
        return await self._said()

    async def text(self, tool: str, **arguments: Any) -> str:
        """Return what its model would be given of an answer that is no error."""
        said = await self.call(tool, **arguments)
        assert said.get("error") is False, said
        return str(said["text"])

    async def stop(self) -> None:
        """End it, if it has begun."""
        process = getattr(self, "_process", None)
        if process is not None:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def _said(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        async with asyncio.timeout(_PATIENCE):
            line = await self._process.stdout.readline()
        return dict(json.loads(line))
