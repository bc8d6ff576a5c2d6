"""What run_bot and fairness share: a sandbox as the server would start it, and no server."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from mcp_multiplayer.config import BadSetting, bots_dir, load
from mcp_multiplayer.edge.api import errors
from mcp_multiplayer.errors import MultiplayerError
from mcp_multiplayer.multiplayer_server import broker, hook_limits, room_limits
from mcp_multiplayer.sandbox.host.forkserver import ELSEWHERE
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.service.bot_manager import BotManager
from mcp_multiplayer.service.signing import Signing


@dataclass(frozen=True)
class Workshop:
    """``limits`` are those that a room of this server would be born with."""

    bots: BotManager
    limits: Mapping[str, Any]


@asynccontextmanager
async def workshop() -> AsyncIterator[Workshop]:
    """Start both sandboxes with the settings of the environment and .env."""
    settings = load()
    limits, isolation = hook_limits(settings), settings.bot_isolation
    async with (
        Pool(limits=limits, broker=broker(settings), policy=isolation) as pool,
        Pool(limits=limits, policy=isolation, surroundings=ELSEWHERE) as second,
    ):
        bots = BotManager(Signing.fresh(), pool, second=second, bots_dir=bots_dir())
        yield Workshop(bots, room_limits(settings))


def run(main: Callable[[], Coroutine[Any, Any, int]]) -> None:
    """Run a script; whatever it is refused is one line."""
    try:
        sys.exit(asyncio.run(main()))
    except MultiplayerError as refusal:
        sys.exit(errors.line(refusal))
    except (BadSetting, OSError, ValueError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
