"""The door of the house: a Unix socket in DATA_DIR at which it is asked to play. One line of JSON
in, ``{"invite": "inv_…"}``, one line out: where it sits, or a refusal as REST writes it. `ask` is
the asking side, for the proxy.

On the other side is the proxy, which hands on what a stranger has sent. Other users of the machine
find the socket closed (0600). A line is short and comes soon, or nobody listens
(`tests/attacks/test_house_socket.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from mcp_multiplayer.config import BadSetting, Settings
from mcp_multiplayer.errors import (
    InvalidRequest,
    Later,
    MultiplayerError,
    TooLarge,
    Unavailable,
)
from mcp_multiplayer.house.rest import refusal

log = logging.getLogger(__name__)

Json = dict[str, Any]

NAME = "house.sock"
LONGEST = 4096  #: bytes of a line
OPEN = 16  #: askers at a time
LINE_SECONDS = 3.0
SIT_SECONDS = 20.0  #: for sitting down; who gets no answer may ask again
PATIENCE = SIT_SECONDS + 2
LONGEST_PATH = 100  #: bytes; the kernel takes 107


def path(settings: Settings) -> Path:
    """Where the socket is."""
    return settings.data_dir / NAME


async def ask(settings: Settings, invite: str, *, patience: float = PATIENCE) -> Json:
    """Ask the house to play at an invite: ``channel_id``, ``seated`` (its label), ``preset`` and
    ``level``. Raises what it refuses with, and `Unavailable` when it is off or away. Asking again
    is harmless.
    """
    if not settings.house_players:
        raise InvalidRequest("no house plays on this server", hint="Invite somebody.")
    line = json.dumps({"invite": invite}).encode() + b"\n"
    if len(line) > LONGEST:
        raise TooLarge("that is too long for an invite")
    try:
        async with asyncio.timeout(patience):
            said = await _exchange(path(settings), line)
    except (OSError, TimeoutError, ValueError, AttributeError):  # the last: no Unix sockets here
        raise Unavailable("the house is away", retry_after=5) from None
    if "error" in said:
        raise refusal(said)
    return said


async def _exchange(where: Path, line: bytes) -> Json:
    reader, writer = await asyncio.open_unix_connection(where, limit=LONGEST)
    try:
        writer.write(line)
        said: Json = json.loads(await reader.readline())
        return said
    finally:
        await _closed(writer)


class Invitations:
    """The listening side. ``invited`` sits down at an invite or raises why not."""

    def __init__(self, invited: Callable[[Any], Awaitable[Json]]) -> None:
        self._invited = invited
        self._open = 0
        self._sitting: set[asyncio.Future[Json]] = set()

    async def listen(self, where: Path) -> asyncio.Server:
        """Open the socket, in place of one that a dead house has left behind."""
        if len(os.fsencode(where)) > LONGEST_PATH:
            raise BadSetting(f"DATA_DIR={where.parent} is too long a name for a socket in it")
        if await _is_alive(where):
            raise BadSetting(f"another house listens at {where}")
        await asyncio.to_thread(where.unlink, missing_ok=True)
        before = os.umask(0o177)  # nobody else may ask, not even for the moment before a chmod
        try:
            return await asyncio.start_unix_server(self._serve, where, limit=LONGEST)
        finally:
            os.umask(before)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            said = await self._answer(reader)
            writer.write(json.dumps(said).encode() + b"\n")
            await writer.drain()
        except OSError:
            log.info("an asker has gone")
        finally:
            self._open -= 1
            await _closed(writer)

    async def _answer(self, reader: asyncio.StreamReader) -> Json:
        try:
            if self._open > OPEN:
                raise Unavailable("too many ask the house at this moment", retry_after=2)
            invite = await self._read(reader)
            async with asyncio.timeout(SIT_SECONDS):
                return await asyncio.shield(self._sit(invite))
        except TimeoutError:
            return _body(Unavailable("the house is slow", retry_after=5))
        except MultiplayerError as error:
            log.info("an invite was refused: %s", error.code)
            return _body(error)

    def _sit(self, invite: Any) -> asyncio.Future[Json]:
        """Sit down, even when whoever asked waits no longer: a seat that was taken is played."""
        task = asyncio.ensure_future(self._invited(invite))
        self._sitting.add(task)
        task.add_done_callback(self._sat)
        return task

    def _sat(self, task: asyncio.Future[Json]) -> None:
        self._sitting.discard(task)
        if not task.cancelled():
            task.exception()  # told to whoever waited

    async def _read(self, reader: asyncio.StreamReader) -> Any:
        """The invite in the line that comes; raise what is wrong with it."""
        try:
            async with asyncio.timeout(LINE_SECONDS):
                line = await reader.readline()
        except TimeoutError:
            raise InvalidRequest("no line came") from None
        except ValueError:
            raise TooLarge(f"a line has at most {LONGEST} bytes") from None
        try:
            asked = json.loads(line)
        except (ValueError, RecursionError):
            asked = None
        if not isinstance(asked, dict) or "invite" not in asked:
            raise InvalidRequest('the line must be {"invite": "inv_…"}')
        return asked["invite"]


async def _is_alive(where: Path) -> bool:
    try:
        _, writer = await asyncio.open_unix_connection(where)
    except OSError:
        return False
    await _closed(writer)
    return True


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):  # the other side may have been faster
        await writer.wait_closed()


def _body(error: MultiplayerError) -> Json:
    said: Json = {"error": error.code, "message": str(error), "hint": error.hint}
    return said | {"retry_after": error.wait} if isinstance(error, Later) else said
