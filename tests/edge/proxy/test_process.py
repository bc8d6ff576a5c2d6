"""`python oauth_proxy.py` as a process: how it starts, refuses to start, and ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sqlite3
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.servers


@asynccontextmanager
async def process(data: Path, **settings: Any) -> AsyncIterator[Process]:
    names = {name.upper(): str(value) for name, value in settings.items()}
    environment = {"PATH": os.environ["PATH"], "DATA_DIR": str(data), **names}
    child = await asyncio.create_subprocess_exec(
        sys.executable, ROOT / "oauth_proxy.py", env=environment, cwd=data, stderr=PIPE, stdout=PIPE
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


async def _line(child: Process, part: str) -> str:
    assert child.stderr is not None
    async with asyncio.timeout(20):
        while line := (await child.stderr.readline()).decode():
            if part in line:
                return line
    raise AssertionError(f"ended without {part!r}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_serves_on_both_loopbacks_and_ends_cleanly(
    tmp_path: Path, free_port: Any, number: signal.Signals
) -> None:
    port = free_port()
    async with process(tmp_path, proxy_port=port) as child:
        await _line(child, f"serving http://localhost:{port}")
        async with httpx.AsyncClient() as http:
            answer = await http.get(f"http://127.0.0.1:{port}/.well-known/oauth-protected-resource")
            assert answer.json()["resource"] == f"http://127.0.0.1:{port}"
            assert "server" not in answer.headers
            assert (await http.post(f"http://localhost:{port}/mcp")).status_code == 401
        child.send_signal(number)
        _, rest = await asyncio.wait_for(child.communicate(), 20)
        assert child.returncode == 0
        assert b"Traceback" not in rest
    assert (tmp_path / "keys" / "caller.key").stat().st_mode & 0o777 == 0o600


async def _refusal(data: Path, **settings: Any) -> str:
    async with process(data, **settings) as child:
        _, told = await asyncio.wait_for(child.communicate(), 20)
        assert child.returncode == 2
        lines = told.decode().splitlines()
        assert len(lines) == 1, lines
        return lines[0]


async def test_a_busy_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        told = await _refusal(tmp_path, proxy_port=port)
    assert f"PROXY_PORT={port}" in told
    assert "another port" in told


async def test_unusable_settings_are_named(tmp_path: Path) -> None:
    secret = "postgresql://user:hunter2@db/x"
    told = await _refusal(tmp_path, database_url=secret)
    assert "DATABASE_URL=postgresql" in told
    assert "hunter2" not in told
    assert "TRUSTED_PROXIES" in await _refusal(tmp_path, trusted_proxies="caddy")
    assert "SSL_CERT_PATH" in await _refusal(tmp_path, use_ssl="true", ssl_cert_path="no.pem")
    assert "DATA_DIR" in await _refusal(tmp_path, data_dir="/proc/nowhere")


async def test_a_misspelt_passcode_opens_no_server(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("ACCES_PASSCODE=x\n")
    assert "did you mean ACCESS_PASSCODE?" in await _refusal(tmp_path)


async def test_names_that_nothing_reads_are_logged(tmp_path: Path, free_port: Any) -> None:
    (tmp_path / ".env").write_text("PASSCODE=x\n")
    async with process(tmp_path, proxy_port=free_port()) as child:
        assert "PASSCODE" in await _line(child, "nothing here reads")


@pytest.mark.long
async def test_a_second_proxy_on_one_directory_is_refused_until_the_first_is_killed(
    tmp_path: Path, free_port: Any
) -> None:
    async with process(tmp_path, proxy_port=free_port()) as first:
        await _line(first, "serving")
        told = await _refusal(tmp_path, proxy_port=free_port())
        assert f"DATA_DIR={tmp_path}" in told
        assert f"process {first.pid}" in told
        first.kill()
        await first.wait()
        async with process(tmp_path, proxy_port=free_port()) as second:
            await _line(second, "serving")


async def test_servers_that_keep_nothing_may_share_a_directory(
    tmp_path: Path, free_port: Any
) -> None:
    keeps_nothing: dict[str, Any] = {"database_url": "memory://"}
    async with process(tmp_path, proxy_port=free_port(), **keeps_nothing) as first:
        await _line(first, "serving")
        async with process(tmp_path, proxy_port=free_port(), **keeps_nothing) as second:
            await _line(second, "serving")


async def test_a_database_of_a_newer_release_is_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "oauth.db")) as newer:
        newer.execute("PRAGMA user_version=99")
    assert "newer release" in await _refusal(tmp_path)
