"""Process 2, :8201: the rooms.

Run it alone (`python multiplayer_server.py`) or let `start_servers.py` do so. It talks to
the proxy only: a request without the proxy's signed caller gets nothing.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import fastmcp

from mcp_multiplayer.config import VERSION, BadSetting, Settings, bots_dir, load
from mcp_multiplayer.edge import serve as process
from mcp_multiplayer.edge.api.app import Face, face
from mcp_multiplayer.edge.api.dispatch import Dispatch
from mcp_multiplayer.edge.api.events import Events
from mcp_multiplayer.edge.api.operations.base import Status
from mcp_multiplayer.edge.api.operations.combined import Operations
from mcp_multiplayer.edge.identity import Checker
from mcp_multiplayer.errors import Unavailable
from mcp_multiplayer.sandbox.call import Limits
from mcp_multiplayer.sandbox.executor import Executor
from mcp_multiplayer.sandbox.host.forkserver import ELSEWHERE
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.sandbox.hostcalls.broker import Broker
from mcp_multiplayer.sandbox.hostcalls.egress import BadEgress, read_egress
from mcp_multiplayer.service import key_files
from mcp_multiplayer.service.bot_manager import BotManager, library_of
from mcp_multiplayer.service.channel_manager import ChannelManager
from mcp_multiplayer.service.log_keys import LogKeys
from mcp_multiplayer.service.rollback_guard import RollbackGuard
from mcp_multiplayer.service.signing import Signing
from mcp_multiplayer.service.watching import Watching
from mcp_multiplayer.storage.commits import on
from mcp_multiplayer.storage.open_store import open_store

log = logging.getLogger("mcp_multiplayer.multiplayer_server")


def room_limits(settings: Settings) -> dict[str, Any]:
    """The limits that a room is born with; they are part of its terms."""
    return {
        "body_kb": settings.max_body_kb,
        "channel_mb": settings.max_channel_mb,
        "hook_fuel": settings.bot_hook_fuel,
        "hook_seconds": settings.bot_hook_seconds,
        "invite_days": settings.invite_days,
        "open_seconds": settings.open_seconds,
        "output_kb": settings.max_output_kb,
        "reveal_days": settings.reveal_days,
        "seats": settings.max_seats,
        "state_kb": settings.max_state_kb,
    }


def hook_limits(settings: Settings) -> Limits:
    return Limits(
        hook_seconds=settings.bot_hook_seconds,
        fuel=settings.bot_hook_fuel,
        output=settings.max_output_kb << 10,
        state=settings.max_state_kb << 10,
        source=settings.max_source_kb << 10,
        workspace=settings.bot_workspace_mb << 20,
        response=settings.bot_response_kb << 10,
    )


def broker(settings: Settings) -> Broker:
    """What bots reach, or `BadSetting` with the setting that cannot be read."""
    ca_file = settings.bot_egress_ca_file
    try:
        egress = read_egress(
            settings.bot_egress, settings.bot_egress_ports, settings.bot_egress_resolve
        )
        return Broker(
            egress, limits=hook_limits(settings), ca_file=Path(ca_file) if ca_file else None
        )
    except BadEgress as error:
        raise BadSetting(f"{error}. See .env.example.") from None


def status(settings: Settings, pool: Executor) -> Status:
    """What health_check tells every caller; not which places an operator has listed."""
    listed = settings.bot_egress not in ("none", "public")
    limits = {
        **room_limits(settings),
        "source_kb": settings.max_source_kb,
        "rate_limit_per_second": settings.rate_limit,
        "bot_hooks_per_minute": settings.bot_hooks_per_minute,
        "bot_egress": "a list" if listed else settings.bot_egress,
        "bot_egress_ports": settings.bot_egress_ports,
        "bot_response_kb": settings.bot_response_kb,
        "bot_workspace_mb": settings.bot_workspace_mb,
        "channels_per_account": settings.max_channels_per_account,
        "channel_idle_days": settings.channel_idle_days,
        "inline_bots": settings.inline_bots,
    }
    return Status(VERSION, limits, pool.report, settings.operator_contact)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Face]:
    """Bring store, sandbox and managers up on the running loop; take them down in reverse."""
    reach = broker(settings)
    try:
        deliver = on(asyncio.get_running_loop())
        store = open_store(settings.database_url, settings.data_dir, deliver=deliver)
        directory = settings.keys_dir
        account_key, rejoin_key = (
            key_files.load(directory, "account"),
            key_files.load(directory, "rejoin"),
        )
        ticket_key = key_files.load(directory, "ticket")
        heads = RollbackGuard(None if settings.database_url == "memory://" else settings.heads_file)
        custody = Signing(key_files.load(directory, "dice"), LogKeys.load(directory), heads)
        checker = Checker(key_files.load(directory, "caller"))
    except (OSError, ValueError) as error:
        raise BadSetting(str(error)) from None
    channels = ChannelManager(
        store,
        account_key=account_key,
        rejoin_key=rejoin_key,
        limits=room_limits(settings),
        max_rooms_per_account=settings.max_channels_per_account,
        idle_days=settings.channel_idle_days,
        custody=custody,
    )
    limits, library = hook_limits(settings), library_of(bots_dir())
    pool = Pool(limits=limits, broker=reach, policy=settings.bot_isolation, library=library)
    # What a hook does here a second time must be the same, with strings hashed otherwise.
    second = Pool(
        limits=limits, policy=settings.bot_isolation, surroundings=ELSEWHERE, library=library
    )
    bots = BotManager(
        custody,
        pool,
        second=second,
        bots_dir=bots_dir(),
        inline=settings.inline_bots == "all",
        hooks_per_minute=settings.bot_hooks_per_minute,
    )
    channels.referees = bots
    watching = Watching(account_key, listed=settings.listed_rooms == "on")
    operations = Operations(channels, bots, status(settings, pool), watching, ticket_key=ticket_key)
    dispatch = Dispatch(operations, settings.rate_limit)
    events = Events(channels, watching, settings.max_streams_per_account)
    try:
        try:
            await pool.start()
            await second.start()
        except Unavailable as error:  # rooms do without; each attempt to run a bot tries again
            log.error("no bot can run: %s %s", error, error.hint)
        channels.start_clocks()
        yield face(settings.base_url(), VERSION, dispatch, channels, checker, events)
    finally:
        await channels.close()
        heads.close()
        await pool.close()
        await second.close()


async def serve(settings: Settings) -> None:
    """Serve on MCP_HOST:MCP_PORT until a signal says otherwise."""
    sockets = process.listen(settings.mcp_host, settings.mcp_port, "MCP_PORT")
    async with running(settings) as app:
        config = process.web(app)
        process.calm_the_collector()
        log.info("serving %s:%d, process %d", settings.mcp_host, settings.mcp_port, os.getpid())
        warming = asyncio.ensure_future(app.warm_up())
        try:
            await process.Server(config, app.stop).serve(sockets=sockets)
        finally:
            warming.cancel()


def main() -> None:
    settings = load()
    process.configure_logging(settings.log_level)
    process.raise_descriptor_limit()
    # Spans cost 0.2 ms a call even when nobody collects them.
    fastmcp.settings.telemetry_mode = "off"
    with (
        process.lock(settings, "server"),
        asyncio.Runner(loop_factory=_loop) as runner,
    ):
        runner.run(serve(settings))


def _loop() -> asyncio.AbstractEventLoop:
    """uvloop where there is one (not on Windows)."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def run() -> None:
    """Run the program; a setting that cannot be used ends it with one line and code 2."""
    process.run("multiplayer_server", main)


if __name__ == "__main__":
    run()
