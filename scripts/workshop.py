"""What run_bot.py and fairness.py share: a sandbox as the server would start it, and no server."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # a script is started with its own directory alone
    sys.path.insert(0, str(ROOT))

import asyncio  # noqa: E402
import secrets  # noqa: E402

from bot_manager import BotManager  # noqa: E402
from channel_manager import ChannelManager  # noqa: E402
from edge.api import errors  # noqa: E402
from engine.errors import MultiplayerError  # noqa: E402
from engine.sandbox.pool import Pool  # noqa: E402
from engine.stores.memory import MemoryStore  # noqa: E402
from multiplayer_server import BOTS, broker, hook_limits, room_limits  # noqa: E402
from settings import BadSetting, load  # noqa: E402


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
    channels = ChannelManager(
        MemoryStore(),
        account_key=secrets.token_bytes(32),
        rejoin_key=secrets.token_bytes(32),
        limits=room_limits(settings),
    )
    async with (
        Pool(limits=limits, broker=broker(settings), policy=isolation) as pool,
        Pool(limits=limits, policy=isolation, hash_seed=1) as second,
    ):
        yield Workshop(BotManager(channels, pool, second=second, bots_dir=BOTS), channels.limits)
    await channels.close()


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
