"""Process 3: the house. `start_servers` runs it beside proxy and server; alone it is
``python -m mcp_multiplayer.house``. With ``--against N`` it does not listen but has the house that
runs play N games against itself, and says which got stuck.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
import sys

from mcp_multiplayer.config import BadSetting, Settings, load
from mcp_multiplayer.house import invitations, rest, soak
from mcp_multiplayer.house.player import PACE, Pace
from mcp_multiplayer.house.rooms import HousePlayers

REFUSED = 2  #: what start_servers does not try again


async def serve(settings: Settings, pace: Pace = PACE) -> None:
    """Listen and play until a signal comes."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    account = rest.connect(settings)
    players = HousePlayers(account, settings.house_players, pace=pace)
    resuming = asyncio.create_task(_resume(settings, players))
    server = await invitations.Invitations(players.invited).listen(invitations.path(settings))
    await stop.wait()
    server.close()
    resuming.cancel()
    await asyncio.gather(resuming, return_exceptions=True)
    await players.close()
    await account.close()
    with contextlib.suppress(FileNotFoundError):
        invitations.path(settings).unlink()


async def _resume(settings: Settings, players: HousePlayers) -> None:
    """Whoever has never signed in has no seats, and does not sign in before it is asked."""
    if rest.is_known(settings):
        await players.resume()


def configure_logging(level: str) -> None:
    """Our own loggers at ``level``, libraries at WARNING, as the other two processes do."""
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.WARNING, format=form)
    logging.getLogger("mcp_multiplayer").setLevel(level)


def main() -> int:
    """Run the house, or have it play against itself; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m mcp_multiplayer.house", description=__doc__)
    parser.add_argument("--against", type=int, metavar="N", help="play N games, then end")
    parser.add_argument("--pace", type=float, metavar="S", help="seconds before each move")
    asked = parser.parse_args()
    pace = PACE if asked.pace is None else (asked.pace, asked.pace)
    try:
        settings = load()
        configure_logging(settings.log_level)
        if asked.against:
            report = asyncio.run(soak.play(settings, asked.against))
            sys.stdout.write(f"{report}\n")
            return 1 if report.stuck else 0
        if settings.house_players:
            asyncio.run(serve(settings, pace))
    except BadSetting as error:
        sys.stderr.write(f"house: {error}\n")
        return REFUSED
    except (NotImplementedError, AttributeError):
        sys.stderr.write("house: this system has no Unix sockets\n")
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
