"""The house against itself: rooms with two of its seats, opened and watched by an account of a
visitor, over the public address like everybody's. A game that does not end in time is stuck.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mcp_multiplayer.config import Settings
from mcp_multiplayer.errors import Later, MultiplayerError
from mcp_multiplayer.house import invitations
from mcp_multiplayer.house.rest import Rest, connect
from mcp_multiplayer.house.strategies import STRATEGIES

Json = dict[str, Any]

VISITOR = "visitor"  #: the account that opens the rooms, with a token file beside the house's
#: Params beside the clock, one after the other; what is not here is played as it comes.
VARIANTS: dict[str, list[Json]] = {
    "AuctionBot": [{}, {"price": "second"}, {"reserve": 60}],
    "BetBot": [{}, {"is": "equals"}],
    "BlackjackBot": [{"rounds": 2}, {"rounds": 1, "face_down": True}],
    "ChessBot": [
        *[{"fen": "4k2r/4p3/8/8/8/8/4P3/R3K3 w - - 0 1"}] * 4,
        {},  # a whole game takes as long as all others together
    ],
    "DealBot": [{}, {"rule": "middle"}],
    "GuessBot": [{}, {"guesses": 1}, {"low": -1000000, "high": 1000000}],
    "TriviaBot": [{"count": 3}, {"count": 3, "mode": "first"}, {"count": 2, "set": "numbers"}],
}
CLOCK = 20  #: seconds for each move
PATIENCE = 300.0  #: seconds for a game
LOOK = 0.25  #: seconds between two looks of somebody who has no seat
AT_ONCE = 4
SLOTS = ["invite:house", "invite:house-2"]


@dataclass
class Report:
    """What came of the games."""

    ended: dict[str, int] = field(default_factory=dict)  #: preset -> games
    stuck: list[str] = field(default_factory=list)  #: what each was waiting for
    seconds: float = 0.0

    def __str__(self) -> str:
        games = ", ".join(f"{name} {count}" for name, count in sorted(self.ended.items()))
        lines = [f"{sum(self.ended.values())} games ended in {self.seconds:.0f} s: {games}"]
        return "\n".join([*lines, f"{len(self.stuck)} stuck", *self.stuck])


def spread(number: int, presets: Iterable[str] = (), *, first: int = 0) -> list[tuple[str, Json]]:
    """``number`` presets in turn with the params of each, from the ``first`` game of all on."""
    names = sorted(presets or STRATEGIES)
    games = []
    for at in range(first, first + number):
        variants = VARIANTS.get(names[at % len(names)], [{}])
        games.append((names[at % len(names)], variants[at // len(names) % len(variants)]))
    return games


async def play(
    settings: Settings,
    number: int,
    *,
    presets: Sequence[str] = (),
    first: int = 0,
    at_once: int = AT_ONCE,
) -> Report:
    """Play so many games, some at a time; ``first`` is the number of the first."""
    report, began = Report(), time.monotonic()
    visitor = connect(settings, VISITOR)
    places = asyncio.Semaphore(max(1, min(at_once, settings.house_players)))

    async def one(preset: str, params: Json) -> None:
        async with places:
            try:
                stuck = await _game(settings, visitor, preset, params)
            except MultiplayerError as refused:
                stuck = f"{preset}: {refused.code}: {refused}"
        if stuck:
            report.stuck.append(stuck)
        else:
            report.ended[preset] = report.ended.get(preset, 0) + 1

    try:
        await asyncio.gather(*(one(*game) for game in spread(number, presets, first=first)))
    finally:
        await visitor.close()
    report.seconds = time.monotonic() - began
    return report


async def _game(settings: Settings, visitor: Rest, preset: str, params: Json) -> str:
    """Play one game; "" when it ended and both have left, else what it waited for."""
    made = await visitor.call(
        "create_channel",
        bot_preset=preset,
        bot_params={"seconds": CLOCK, **params},
        slots=SLOTS,
        entropy=secrets.token_hex(16),
    )
    channel_id = made["channel_id"]
    for code in made["invites"]:
        await _asked(settings, code)
    until, view = time.monotonic() + PATIENCE, made["view"]
    while time.monotonic() < until:
        view = (await visitor.call("get_channel_info", channel_id=channel_id))["view"]
        seats = [slot["state"] for slot in view["slots"] if slot["kind"] == "invite"]
        if view["status"] == "ended" and "taken" not in seats:
            await visitor.call("update_channel", channel_id=channel_id, ops=[{"op": "close"}])
            return ""
        await asyncio.sleep(LOOK)
    turn = view["turn"] or {}
    return f"{preset} {channel_id}: {view['status']}, {turn.get('players')}, {turn.get('expect')}"


async def _asked(settings: Settings, code: str) -> None:
    """Hand the house an invite, again while it has no time."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            await invitations.ask(settings, code)
            return
        except Later:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(LOOK)
