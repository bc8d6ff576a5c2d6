"""A turn is one call when the other side takes its time: a game of chess with real pauses."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mcp_multiplayer.demo.pair import Pair
from tests.follower import Ask, Follower, Json
from tests.players import Player, fastmcp_client, rest

pytestmark = [pytest.mark.servers, pytest.mark.long]

#: The shortest mate, and how many seconds each side thinks before a move of it. A wait that
#: `next:` names lasts 25 s; what is left of it is for a busy machine.
MOVES = {"alice": ["f3", "g4"], "bob": ["e5", "Qh4#"]}
PAUSES = {"alice": [20.0, 22.0], "bob": [21.0, 23.0]}


class Thinker(Follower):
    """Does what `next:` says, makes the moves of its list, and thinks before each of them."""

    def __init__(self, ask: Ask, name: str) -> None:
        super().__init__(ask, random.Random(name), Thinker.pause)
        self._moves, self._pauses = iter(MOVES[name]), iter(PAUSES[name])

    async def pause(self) -> None:
        await asyncio.sleep(next(self._pauses))

    def _choice(self) -> Any:
        move = next(self._moves)
        assert move in self._expect
        return move


def asking(player: Player) -> Ask:
    async def ask(name: str, arguments: Json) -> tuple[Json, str]:
        said = await player.call(name, **arguments)
        return said, str(said.get("text", ""))

    return ask


@pytest_asyncio.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    running = Pair(tmp_path)
    try:
        await asyncio.to_thread(running.start)
        yield running
    finally:
        await asyncio.to_thread(running.stop)


async def test_a_turn_is_one_call_while_the_other_side_thinks_less_than_25_seconds(
    pair: Pair,
) -> None:
    async with (
        rest(pair.base, "alice") as hosting,
        fastmcp_client(pair.base, "bob", "2026-07-28") as invited,
        asyncio.timeout(180),
    ):
        alice, bob = Thinker(asking(hosting), "alice"), Thinker(asking(invited), "bob")
        made = await hosting.call("create_channel", bot_preset="ChessBot", join_as="alice")
        link, room = made["invite_links"]["bob"], made["channel_id"]
        guest = asyncio.create_task(bob.play("inspect_invite", invite_code=link))
        last = await alice.play(
            "sync_messages", channel_id=room, cursor=made["cursor"], until="my_turn"
        )
        await guest
    assert last["view"]["result"]["winners"] == ["bob"]
    assert [step.name for step in alice.steps] == ["sync_messages", *2 * ["post_message"]]
    joined = ["inspect_invite", "join_channel", "sync_messages"]
    assert [step.name for step in bob.steps] == joined + 2 * ["post_message"]
    for step in (*alice.steps, *bob.steps[2:]):
        assert step.data["messages"], f"{step.name} woke for nothing"
        view = step.data["view"]
        assert view["status"] == "ended" or view["turn"]["yours"], f"{step.name} woke too early"
