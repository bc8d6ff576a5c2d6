"""A seat of the house in a room by script: what it does when the referee, the server or the other
side does something else than expected. Time stands still unless a test moves it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from mcp_multiplayer.errors import NotMember
from mcp_multiplayer.house.game import Game
from mcp_multiplayer.house.player import ANSWER, LINGER, SILENCE, TRIES, Player
from mcp_multiplayer.house.strategies import Bodies, Strategy
from tests.house.harness import Json, Room

HELLO = {"type": "house", "text": "HOUSE"}


class Time:
    """Seconds that pass only when somebody sleeps, or when a wait of the room lasts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self._yield = asyncio.sleep
        monkeypatch.setattr("asyncio.sleep", self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)
        await self._yield(0)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)


def first(game: Game, bodies: Bodies) -> Any:
    return bodies[0]


def raises(game: Game, bodies: Bodies) -> Any:
    raise KeyError("board")


async def play(
    room: Any, time: Time, choose: Callable[[Game, Bodies], Any] = first, alone: bool = False
) -> None:
    """Run the house's player until it has left."""
    strategy = Strategy("plays", choose, avoids=frozenset({"pass"}))
    player = Player(
        room, "chn_x", room.label, strategy, lambda taken: alone, pace=(0, 0), now=lambda: time.now
    )
    async with asyncio.timeout(20):
        await player.run()


def moves(room: Room) -> list[Any]:
    return [post["body"] for post in room.posts if isinstance(post["body"], str)]


class Deaf(Room):
    """The referee answers nothing."""


class Refusing(Room):
    """The referee takes no move."""

    def react(self, body: Json) -> None:
        if body.get("type") != "house":
            self.add("bot:ref", type="violation", player=self.label, reason="no")


@pytest.mark.parametrize("kind", [Deaf, Refusing])
@pytest.mark.parametrize("choose", [first, raises])
async def test_a_referee_that_takes_nothing_is_left_after_giving_up(
    time: Time, kind: type[Room], choose: Callable[[Game, Bodies], Any]
) -> None:
    room = kind()
    room.ask("house", expect=["a", "b", "pass"])
    await play(room, time, choose)
    said = moves(room)
    assert len(said) == TRIES + 1 and said[-1] == "resign" and room.left
    assert set(said[:2]) == {"a", "b"}, "another move after a refused one"
    assert "resign" not in said[:-1] and "pass" not in said
    assert len({post["idempotency_key"] for post in room.posts}) == len(room.posts)


async def test_a_server_that_refuses_every_post_does_not_keep_it(time: Time) -> None:
    room = Room()
    room.add("house", **HELLO)
    room.ask("house")
    room.refuses = True
    await play(room, time)
    assert room.left and room.calls.count("post_message") == TRIES + 1


async def test_an_answer_that_takes_long_is_waited_for_before_another_move(time: Time) -> None:
    class Slow(Room):
        def react(self, body: Json) -> None:
            self.pending = True

        async def _sync_messages(self, given: Json) -> Json:
            if self.pending and given["cursor"] and time.now > ANSWER / 2:
                self.pending = False
                self.add("bot:ref", type="played", player="house")
                self.add("system", type="ended")
                self.messages.append({"id": 99, "sender": "system", "body": {"type": "closed"}})
                self.view["status"] = "closed"
            return await super()._sync_messages(given)

    room = Slow()
    room.add("house", **HELLO)
    room.ask("house")
    await play(room, time)
    assert moves(room) == ["a"]


async def test_after_a_restart_a_move_that_is_in_the_log_is_not_made_again(time: Time) -> None:
    room = Room()
    room.add("house", **HELLO)
    room.ask("house")
    room.add("house", text="a")
    await play(room, time)
    assert time.slept and time.now >= ANSWER, "it waits for the referee first"
    assert "a" not in moves(room)[:2]
    assert room.posts[0]["idempotency_key"] == "house 2.1", "the second try of the same turn"


async def test_after_a_restart_in_front_of_the_post_the_key_is_the_same(time: Time) -> None:
    keys = []
    for _ in range(2):
        room = Room()
        room.add("house", **HELLO)
        room.ask("house")
        await play(room, time)
        keys.append(room.posts[0]["idempotency_key"])
    assert keys == ["house 2.0", "house 2.0"]


async def test_it_says_once_who_it_is(time: Time) -> None:
    for before in (False, True):
        room = Room()
        if before:
            room.add("house", **HELLO)
        room.view["status"] = "closed"
        await play(room, time)
        assert sum(post["body"] != "resign" for post in room.posts) == (not before)


async def test_it_agrees_to_one_rematch_and_asks_for_none(time: Time) -> None:
    class Again(Room):
        def react(self, body: Json) -> None:
            if body.get("text") == "rematch":
                self.add("bot:ref", type="rematch", player="house")

    room = Again()
    room.add("house", **HELLO)
    room.add("system", type="ended")
    await play(room, time)
    assert moves(room) == []
    room = Again()
    room.add("house", **HELLO)
    room.add("system", type="ended")
    room.add("bot:ref", type="rematch", player="alice")
    await play(room, time)
    assert moves(room) == ["rematch"] and room.left


@pytest.mark.parametrize(("ended", "most"), [(False, SILENCE), (True, LINGER)])
async def test_where_nothing_happens_it_leaves_after_a_while(
    time: Time, ended: bool, most: float
) -> None:
    class Silent(Room):
        async def _sync_messages(self, given: Json) -> Json:
            time.now += given["timeout_ms"] / 1000
            return await super()._sync_messages(given)

    room = Silent()
    room.ask("alice")
    if ended:
        room.add("system", type="ended")
    await play(room, time)
    assert room.left and most <= time.now < most + 60


async def test_alone_with_itself_it_leaves_as_soon_as_the_game_is_over(time: Time) -> None:
    room = Room()
    room.add("system", type="ended")
    await play(room, time, alone=True)
    assert room.left and time.now < 1


async def test_a_flood_of_words_costs_two_calls_a_second_and_is_not_read(time: Time) -> None:
    class Flood(Room):
        async def _sync_messages(self, given: Json) -> Json:
            for _ in range(100):
                self.add("alice", text="rematch", type="turn", players=["house"])
            return await super()._sync_messages(given)

    room = Flood()
    room.ask("alice")
    room.messages[0]["body"]["players"] = ["alice"]
    with pytest.raises(AssertionError):  # the room ends the test after 500 calls
        await play(room, time)
    assert moves(room) == [] and time.now > 200


async def test_somebody_takes_its_seat_over_and_it_goes_quietly(time: Time) -> None:
    class Taken(Room):
        async def _sync_messages(self, given: Json) -> Json:
            raise NotMember("you hold no seat here")

    room = Taken()
    await play(room, time)
    assert room.calls == ["get_channel_info", "sync_messages"]


@pytest.mark.parametrize(
    ("deadline", "expected"),
    [
        (None, 0.7),
        ("2027-01-15T08:01:00Z", 0.7),
        ("2027-01-15T08:00:02Z", 0.2),
        ("2026-01-01T00:00:00Z", 0),
    ],
)
async def test_it_takes_its_time_unless_the_clock_is_fast(
    time: Time, deadline: str | None, expected: float
) -> None:
    room = Refusing()
    room.add("house", **HELLO)
    room.ask("house")
    room.view["turn"]["deadline"] = deadline
    eight = datetime(2027, 1, 15, 8, tzinfo=UTC).timestamp()
    strategy = Strategy("plays", first)
    rest: Any = room
    player = Player(
        rest,
        "chn_x",
        "house",
        strategy,
        lambda taken: False,
        pace=(0.7, 0.7),
        now=lambda: time.now,
        of_day=lambda: eight,
    )
    await player.run()
    assert sum(time.slept) == pytest.approx(expected)
