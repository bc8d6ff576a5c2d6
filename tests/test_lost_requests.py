"""An agent on a bad line: requests are lost, answers are lost, calls are repeated.

Whatever goes wrong, it must not lose a message nor make a move twice. The machine plays
an agent that follows the contract (repeat a call with the same arguments; read on from a
cursor it was given) beside one that talks in between, over restarts of the server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mcp_multiplayer.channel.view import Message
from mcp_multiplayer.sandbox.call import Finished, HookCall, HookResult, Said
from mcp_multiplayer.service.messages import Page
from mcp_multiplayer.storage.memory import MemoryStore
from tests.harness import House, entries, flushed, opened, verified

LIMITS = st.sampled_from([1, 2, 3, 50])


def answer(call: HookCall) -> HookResult:
    """Each move is answered once, to everybody and to its mover."""
    (message,) = call.args
    text = message["body"]["text"]
    return Finished(
        said=(
            Said("bot", {"text": f"seen {text}"}),
            Said("bot", {"text": f"psst {text}"}, to=(message["sender"],)),
        ),
        state={"n": call.state.get("n", 0) + 1},
    )


@dataclass
class Agent:
    """What the agent knows: what it was given, and its cursors."""

    cursor: int = 0
    cursors: list[int] = field(default_factory=lambda: [0])
    given: dict[int, Message] = field(default_factory=dict)
    own: set[int] = field(default_factory=set)  #: its posts, which it need not read again

    @property
    def known(self) -> set[int]:
        return self.own | self.given.keys()

    def take(self, page: Page, *, own: int = 0) -> None:
        """An answer has arrived."""
        for one in page.messages:
            assert self.given.setdefault(one.id, one) == one, "a message never changes"
        if own:
            self.own.add(own)
        self.cursor = max(self.cursor, page.cursor)
        self.cursors.append(page.cursor)


class BadLine(RuleBasedStateMachine):
    """``lost`` answers reach nobody; the agent then repeats the call as it stands."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.house = House(MemoryStore())
        self.agent = Agent()
        self.joined = False
        self.token = ""
        self.intended: list[str] = []
        self.talk = 0
        self.run(self.open)

    def run(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(work(), 30))

    async def open(self) -> None:
        bots = [await self.house.bot(self.house.pool.script("Judge", on_message=answer))]
        room, self.codes = await opened(self.house.channels, bots=bots)
        self.channel_id = room.channel_id
        await self.house.channels.join_channel("B", self.codes["bob"])

    # --- what the agent does -----------------------------------------------------------

    @rule(lost=st.integers(0, 2), limit=LIMITS, by_token=st.booleans())
    def join(self, lost: int, limit: int, by_token: bool) -> None:
        """Join, or come back."""
        text = self.token if by_token and self.token else self.codes["alice"]

        async def call() -> None:
            for _ in range(lost):
                await self.house.channels.join_channel("A", text, limit=limit)
            joined = await self.house.channels.join_channel("A", text, limit=limit)
            self.agent.take(joined.page)
            self.joined, self.token = True, joined.rejoin_token

        self.run(call)

    @precondition(lambda self: self.joined)
    @rule(
        lost=st.integers(0, 3),
        how=st.sampled_from(["cursor", "key", "both"]),
        limit=LIMITS,
        restart=st.booleans(),
        between=st.booleans(),
    )
    def move(self, lost: int, how: str, limit: int, restart: bool, between: bool) -> None:
        """Post; as long as no answer arrives, post the same again."""
        name = f"move {len(self.intended)}"
        self.intended.append(name)
        arguments: dict[str, Any] = {"limit": limit}
        if how != "key":
            arguments["cursor"] = self.agent.cursor
        if how != "cursor":
            arguments["idempotency_key"] = name

        async def call() -> None:
            for _ in range(lost):
                await self.house.channels.post_message("A", self.channel_id, name, **arguments)
                if between:
                    await self.other()
                if restart:
                    await self.again()
            posted = await self.house.channels.post_message("A", self.channel_id, name, **arguments)
            self.agent.take(posted.page, own=posted.msg_id)

        self.run(call)

    @precondition(lambda self: self.joined)
    @rule(lost=st.integers(0, 2), back=st.integers(0, 5), limit=LIMITS)
    def sync(self, lost: int, back: int, limit: int) -> None:
        """Read on from any cursor it was ever given."""
        cursor = self.agent.cursors[-1 - back % len(self.agent.cursors)]

        async def call() -> None:
            for _ in range(lost):
                await self.read(cursor, limit)
            self.agent.take(await self.read(cursor, limit))

        self.run(call)

    async def read(self, cursor: int, limit: int) -> Page:
        synced = await self.house.channels.sync_messages(
            "A", self.channel_id, cursor=cursor, limit=limit, wait=0
        )
        return synced.page

    # --- what goes on around it --------------------------------------------------------

    async def other(self) -> None:
        self.talk += 1
        to = ["alice"] if self.talk % 3 == 0 else None
        await self.house.channels.post_message("B", self.channel_id, f"talk {self.talk}", to=to)

    async def again(self) -> None:
        await self.house.channels.lines.finish()
        await flushed(self.house.channels)
        self.house.start()

    @rule()
    def another_talks(self) -> None:
        self.run(self.other)

    @rule()
    def the_server_restarts(self) -> None:
        self.run(self.again)

    # --- what must hold ----------------------------------------------------------------

    @invariant()
    def each_intended_move_is_in_the_log_once(self) -> None:
        said = [
            entry["m"]["b"]["text"]
            for entry in entries(self.house.store, self.channel_id, "msg")
            if entry["m"]["s"] == "s0"
        ]
        assert said == self.intended

    @invariant()
    def nothing_at_or_below_the_cursor_was_lost(self) -> None:
        if self.joined:
            assert set(range(1, self.agent.cursor + 1)) <= self.agent.known

    def teardown(self) -> None:
        try:
            if self.joined:
                self.run(self.read_to_the_end)
            verified(self.house.store, self.channel_id)
            self.run(self.house.channels.close)
        finally:
            self.loop.close()

    async def read_to_the_end(self) -> None:
        """From its last cursor on, everything comes, and every move was answered once."""
        more = True
        while more:
            page = await self.read(self.agent.cursor, 50)
            self.agent.take(page)
            more = page.more
        newest = self.house.channels.room(self.channel_id).channel.messages
        assert self.agent.known == set(range(1, newest + 1))
        told = [str(one.body.get("text")) for one in self.agent.given.values()]
        for name in self.intended:
            assert told.count(f"seen {name}") == 1
            assert told.count(f"psst {name}") == 1


TestBadLine = BadLine.TestCase
TestBadLine.settings = settings(max_examples=50, stateful_step_count=25, deadline=None)


@pytest.mark.long
class TestBadLineForLong(BadLine.TestCase):  # type: ignore[misc, valid-type]
    settings = settings(max_examples=1_000, stateful_step_count=50, deadline=None)
