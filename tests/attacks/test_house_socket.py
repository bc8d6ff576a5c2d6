"""Somebody on the machine, or through the proxy, wants to wear out the house at its socket.
Stopped by `house/invitations.py`: a short line, soon, from few at a time, from its own user."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mcp_multiplayer.config import BadSetting, Settings
from mcp_multiplayer.errors import InvalidRequest, RateLimited, TooLarge, Unavailable
from mcp_multiplayer.house import invitations
from mcp_multiplayer.house.invitations import LONGEST, OPEN, Invitations, ask

INVITE = "inv_abcdefghij"
SAID = {"seated": "house", "channel_id": "chn_x"}


@pytest.fixture
def settings() -> Iterator[Settings]:
    """A directory with a name that is short enough for a socket in it."""
    with tempfile.TemporaryDirectory() as directory:
        yield Settings(data_dir=Path(directory), _env_file=None)  # type: ignore[call-arg]


@asynccontextmanager
async def open_house(settings: Settings, invited: Any = None) -> AsyncIterator[list[Any]]:
    """A house that sits down everywhere; what it was asked."""
    heard: list[Any] = []

    async def sits(invite: Any) -> dict[str, Any]:
        heard.append(invite)
        return dict(SAID)

    server = await Invitations(invited or sits).listen(invitations.path(settings))
    try:
        yield heard
    finally:
        server.close()


async def said(settings: Settings, line: bytes, end: bool = False) -> dict[str, Any]:
    reader, writer = await asyncio.open_unix_connection(invitations.path(settings))
    try:
        writer.write(line)
        if end:
            writer.write_eof()
        answer: dict[str, Any] = json.loads(await reader.readline())
        assert await reader.read() == b"", "one line, and the end"
        return answer
    finally:
        writer.close()


async def test_a_line_is_answered_by_a_line(settings: Settings) -> None:
    async with open_house(settings) as heard:
        assert await ask(settings, INVITE) == SAID
        assert heard == [INVITE]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"x" * (LONGEST + 1) + b"\n", "TOO_LARGE"),
        (b'{"invite": "' + b"x" * 10 * LONGEST, "TOO_LARGE"),
        (b"\n", "INVALID_REQUEST"),
        (b"inv_abcdefghij\n", "INVALID_REQUEST"),
        (b'["invite"]\n', "INVALID_REQUEST"),
        (b'{"invites": "x"}\n', "INVALID_REQUEST"),
        (b"[" * 4000 + b"\n", "INVALID_REQUEST"),
        (b"\xff\xfe\n", "INVALID_REQUEST"),
    ],
)
async def test_what_is_no_line_of_its_kind_is_refused(
    settings: Settings, line: bytes, code: str
) -> None:
    async with open_house(settings) as heard:
        assert (await said(settings, line))["error"] == code
        assert not heard


async def test_whoever_says_nothing_is_sent_away(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invitations, "LINE_SECONDS", 0.05)
    async with open_house(settings):
        assert (await said(settings, b'{"invite"'))["error"] == "INVALID_REQUEST"


async def test_many_at_a_time_are_not_all_heard(settings: Settings) -> None:
    async with open_house(settings):
        silent = [
            await asyncio.open_unix_connection(invitations.path(settings)) for _ in range(OPEN)
        ]
        await asyncio.sleep(0.05)
        with pytest.raises(Unavailable):
            await ask(settings, INVITE)
        for _, writer in silent:
            writer.close()
        await asyncio.sleep(0.05)
        assert await ask(settings, INVITE) == SAID


async def test_one_who_does_not_wait_does_not_keep_a_seat_empty(settings: Settings) -> None:
    sat = asyncio.Event()

    async def slow(invite: Any) -> dict[str, Any]:
        await asyncio.sleep(0.05)
        sat.set()
        return {}

    async with open_house(settings, slow):
        with pytest.raises(Unavailable):
            await ask(settings, INVITE, patience=0.02)
        async with asyncio.timeout(5):
            await sat.wait()


async def test_a_refusal_comes_back_as_what_it_is(settings: Settings) -> None:
    async def refuses(invite: Any) -> dict[str, Any]:
        raise RateLimited("slowly", retry_after=7)

    async with open_house(settings, refuses):
        with pytest.raises(RateLimited, match="slowly") as refusal:
            await ask(settings, INVITE)
        assert refusal.value.wait == 7 and "7 s" in refusal.value.hint


async def test_a_house_that_is_off_away_or_dead_is_told_so(settings: Settings) -> None:
    off = settings.model_copy(update={"house_players": 0})
    with pytest.raises(InvalidRequest):
        await ask(off, INVITE)
    with pytest.raises(Unavailable):
        await ask(settings, INVITE)
    with socket.socket(socket.AF_UNIX) as dead:  # the file stays, as after kill -9
        dead.bind(str(invitations.path(settings)))
    with pytest.raises(Unavailable):
        await ask(settings, INVITE)
    with pytest.raises(TooLarge):
        await ask(settings, "x" * LONGEST)
    async with open_house(settings):
        assert await ask(settings, INVITE) == SAID


async def test_a_second_house_is_refused_and_takes_nothing_away(settings: Settings) -> None:
    async with open_house(settings):
        with pytest.raises(BadSetting, match="another house"):
            await Invitations(lambda invite: asyncio.sleep(0, {})).listen(
                invitations.path(settings)
            )
        assert await ask(settings, INVITE) == SAID


async def test_a_directory_with_too_long_a_name_is_named(settings: Settings) -> None:
    with pytest.raises(BadSetting, match="DATA_DIR"):
        await Invitations(lambda invite: asyncio.sleep(0, {})).listen(
            settings.data_dir / ("x" * 100) / "house.sock"
        )


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can be another user")
async def test_another_user_of_the_machine_cannot_ask(settings: Settings) -> None:
    async with open_house(settings) as heard:
        where = invitations.path(settings)
        assert stat.S_IMODE(os.stat(where).st_mode) == 0o600
        os.chmod(settings.data_dir, 0o755)  # even where the directory is open
        program = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
        for user, code in ((65534, 1), (0, 0)):
            done = await asyncio.to_thread(
                subprocess.run,
                ["/usr/bin/env", "python3", "-c", program, str(where)],
                user=user,
                capture_output=True,
                text=True,
                cwd="/",
                check=False,
                env={"PATH": f"/usr/bin:/usr/local/bin:{os.path.dirname(sys.executable)}"},
            )
            assert done.returncode == code, done.stderr
            assert ("PermissionError" in done.stderr) == (code == 1)
        assert not heard
