"""In a room time never goes back, whichever of its bots asks, and by whatever clock."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from mcp_multiplayer.channel.identifiers import slot_specs
from mcp_multiplayer.sandbox.host.fair_queue import Owner
from mcp_multiplayer.service.bot_manager import BotSpec
from mcp_multiplayer.verifier.executor import Executor
from tests.verifier.games import Game, Table, codes, states, verify

pytestmark = pytest.mark.asyncio(loop_scope="module")

WATCH = """
import time, datetime
class Watch:
    def look(self, what):
        read = []
        for _ in range(20):
            read += [self.ctx.now(), time.time(), time.monotonic(), time.perf_counter()]
            read += [time.time_ns() / 10 ** 9, datetime.datetime.now().timestamp()]
        self.ctx.post("watch", {"what": what, "read": [read[0], min(read), max(read)]})
    def on_start(self):
        self.look("start")
        self.ctx.set_timer("bell", 60)
    def on_message(self, msg):
        if msg["body"]["text"] == "sleep":
            time.sleep(3600)
        self.look(msg["ts"])
    def on_timer(self, name):
        self.look(name)
"""


async def two_bots(server: Table) -> Game:
    specs = [
        await server.bots.prepare(
            BotSpec(code=WATCH + f"# {slot}", slot=f"bot:{slot}"), owner=Owner("A")
        )
        for slot in ("one", "two")
    ]
    room, invites = await server.channels.create_channel(
        "A",
        host="mp.example",
        name="watched",
        slots=slot_specs(("bot:one", "bot:two", "invite:alice", "invite:bob"), max_seats=32),
        bots=specs,
    )
    return await Game(server, room, invites).seated()


async def test_time_never_goes_back_between_two_hooks_of_a_room(
    server: Table, jail: Executor
) -> None:
    game = await two_bots(server)
    for word in ("sleep", "look", "look"):  # all of one instant
        await server.channels.post_message("A", game.room.channel_id, word)
    await game.ring()
    await game.say("bob", "sleep")
    record = game.bundle()
    posts: list[Any] = [post["b"] for run in record.of("run") for post in run["out"]]
    assert [post["what"] for post in posts].count("bell") == 2 and len(posts) == 12
    for earlier, later in pairwise(post["read"] for post in posts):
        assert earlier[2] <= later[1], "a clock had gone further before"
    runs = record.of("run")
    assert [run["now"] / 1000 for run in runs] == [run["out"][0]["b"]["read"][0] for run in runs]
    checked = verify(record, jail)
    assert states(checked)["RULES"] == "PROVEN", checked.findings.found
    assert "E_RUN_NOW" not in codes(checked)


async def test_a_clock_that_rings_is_not_heard_before_its_time(server: Table) -> None:
    game = await two_bots(server)
    began = next(run["now"] for run in game.bundle().of("run") if run["hook"] == "on_start")
    await game.ring()
    rang = [run["now"] for run in game.bundle().of("run") if run["hook"] == "on_timer"]
    assert rang and min(rang) >= began + 60_000
