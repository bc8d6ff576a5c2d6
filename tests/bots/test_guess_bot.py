"""A game of GuessBot as a script: moves in, words out, in the real sandbox."""

import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_multiplayer.sandbox.call import Failed, Finished, Hook, HookCall
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.transcript.names import HOOKS
from mcp_multiplayer.workshop.table import own_library

SOURCE = (Path(__file__).parents[2] / "bots" / "guess_bot.py").read_text()
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[Pool]:
    made = Pool(library=own_library())
    await made.start()
    yield made
    await made.close()


@dataclass
class Room:
    """The least that a host does: fold state and turn, collect words, refuse nothing."""

    pool: Pool
    params: dict[str, Any] = field(default_factory=dict)
    seed: bytes = b"s"
    players: list[str] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)
    words: list[dict[str, Any]] = field(default_factory=list)
    turn: Any = None
    end: Any = None
    hooks: int = 0

    async def call(self, hook: Hook, *args: Any) -> list[dict[str, Any]]:
        self.hooks += 1
        key = hashlib.sha256(self.seed + bytes([self.hooks % 256])).digest()
        call = HookCall(
            SOURCE, hook, args, self.params, self.state, tuple(self.players), 1e9, "referee", key
        )
        result = await self.pool.run(call)
        assert isinstance(result, Finished), result
        if result.state is not None:
            self.state = dict(result.state)
        self.turn = result.turn or self.turn
        self.end = result.end or self.end
        said = [dict(post.body) for post in result.said]
        assert {post.kind for post in result.said} <= {"bot"}
        self.words += said
        return said

    async def begin(self, *players: str) -> list[dict[str, Any]]:
        await self.call("on_init")
        for player in players:
            self.players.append(player)
            await self.call("on_join", player)
        return await self.call("on_start")

    async def say(self, sender: str, body: Any) -> list[dict[str, Any]]:
        body = {"text": body} if isinstance(body, str) else body
        message = {"id": 9, "sender": sender, "kind": "user", "body": body, "ts": "t"}
        return await self.call("on_message", message)

    async def leave(self, player: str) -> list[dict[str, Any]]:
        self.players.remove(player)
        return await self.call("on_leave", player)

    @property
    def target(self) -> int:
        return int(self.state["target"])

    def wrong(self) -> int:
        return next(n for n in (1, 2) if n != self.target)


@pytest_asyncio.fixture(loop_scope="module")
async def room(pool: Pool) -> Room:
    made = Room(pool)
    await made.begin("alice", "bob")
    return made


def committed(room: Room) -> None:
    (commitment,) = [w for w in room.words if w["type"] == "commitment"]
    (reveal,) = [w for w in room.words if w["type"] == "reveal"]
    digest = hashlib.sha256((str(reveal["target"]) + reveal["salt"]).encode()).hexdigest()
    assert digest == reveal["hash"] == commitment["commitment_hash"]
    assert re.fullmatch("[0-9a-f]{32}", reveal["salt"])


async def test_it_is_announced_with_its_manifest_and_hooks(pool: Pool) -> None:
    report = await pool.inspect(SOURCE)
    assert report.class_name == "GuessBot"
    assert set(report.hooks) == set(HOOKS) - {"on_join"}
    assert report.manifest is not None
    assert report.manifest["label"] == "guess-referee" and report.manifest["max_seats"] == 8
    assert report.dice and not report.network


async def test_it_greets_then_commits_and_gives_the_first_turn_to_the_first_who_joined(
    room: Room,
) -> None:
    assert [w["type"] for w in room.words] == ["prompt", "commitment"]
    assert set(room.words[1]) == {"type", "commitment_hash"}
    assert room.turn.players == ("alice",) and room.turn.expect == "guess N, 1 to 100"


async def test_high_and_low_are_seen_from_the_guess_and_the_turn_passes(room: Room) -> None:
    guess = 100 if room.target < 100 else 1
    expected = "high" if guess > room.target else "low"
    assert await room.say("alice", f"guess {guess}") == [
        {"type": "judge", "player": "alice", "guess": guess, "result": expected}
    ]
    assert room.turn.players == ("bob",)


@pytest.mark.parametrize(
    "form", ["guess {}", "  GUESS   {} ", "Guess +{}", "guess: {}", "Guess {}!", "guess {}."]
)
async def test_a_hit_wins_and_opens_the_commitment(room: Room, form: str) -> None:
    judge, reveal = await room.say("alice", form.format(room.target))
    assert judge["result"] == "correct" and reveal["type"] == "reveal"
    assert room.end == {"winners": ["alice"], "reason": f"hit {room.target} in 1 guesses"}
    committed(room)


@pytest.mark.parametrize("kind", [int, str])
async def test_a_structured_guess_is_the_same_move(room: Room, kind: type) -> None:
    value = kind(room.target)  # many a model writes its numbers as text
    move = {"type": "move", "game": "guess", "action": "guess", "value": value}
    assert (await room.say("alice", move))[0]["result"] == "correct"
    (violation,) = await room.say("bob", "guess 3")
    assert "over" in violation["reason"]


@pytest.mark.parametrize("value", [0, 101, -5, 10**14, 1.5, True, None, "4.2", "x", [1], {"a": 1}])
async def test_what_is_no_number_in_range_is_invalid_and_costs_nothing(
    room: Room, value: Any
) -> None:
    move = {"type": "move", "game": "guess", "action": "guess", "value": value}
    (judge,) = await room.say("alice", move)
    assert judge["result"] == "invalid"
    assert room.state["turn"] == "alice" and room.state["used"]["alice"] == 0


@pytest.mark.parametrize(
    "text", ["guess abc", "guess 4.5", "guess 1e3", "guess 9999999999999999999"]
)
async def test_a_guess_in_words_is_invalid(room: Room, text: str) -> None:
    (judge,) = await room.say("alice", text)
    assert judge["result"] == "invalid" and judge["guess"] == text.split()[1]


async def test_out_of_turn_is_a_violation_that_moves_nothing(room: Room) -> None:
    before = dict(room.state)
    (violation,) = await room.say("bob", "guess 5")
    assert violation["type"] == "violation" and violation["player"] == "bob"
    assert "alice" in violation["reason"] and room.state == before


@pytest.mark.parametrize("body", ["hello", "I guess 42 is it", "guess", {"type": "move"}, {"x": 1}])
async def test_chat_is_ignored(room: Room, body: Any) -> None:
    assert await room.say("alice", body) == []


async def test_help_is_answered_at_any_time(room: Room) -> None:
    (answer,) = await room.say("bob", " !HELP ")
    assert "1 to 100" in answer["text"]


async def test_an_unknown_action_and_an_early_move_are_violations(pool: Pool, room: Room) -> None:
    (violation,) = await room.say("alice", {"type": "move", "game": "guess", "action": "fold"})
    assert violation["type"] == "violation"
    early = Room(pool, players=["alice"])
    (violation,) = await early.say("alice", "guess 5")
    assert violation["reason"] == "the game has not started"


@pytest.mark.parametrize("how", ["text", "structured", "leave"])
async def test_of_two_players_the_other_wins_when_one_concedes(room: Room, how: str) -> None:
    if how == "leave":
        await room.leave("alice")
    else:
        move = {"type": "move", "game": "guess", "action": "concede"}
        await room.say("alice", "Concede" if how == "text" else move)
    verb = "left" if how == "leave" else "conceded"
    assert room.end == {"winners": ["bob"], "reason": f"alice {verb}"}
    committed(room)


async def test_of_more_players_the_one_who_concedes_is_out_and_the_others_play_on(
    pool: Pool,
) -> None:
    room = Room(pool)
    await room.begin("a", "b", "c")
    await room.say("b", "concede")
    assert room.end is None and room.turn.players == ("a",)
    await room.say("a", f"guess {room.wrong()}")
    assert room.turn.players == ("c",)
    (violation,) = await room.say("b", "guess 1")
    assert violation["reason"] == "out of the game"
    await room.leave("c")
    assert room.end == {"winners": ["a"], "reason": "c left"}
    committed(room)


async def test_one_guess_each_is_a_bet_that_nobody_may_win(pool: Pool) -> None:
    room = Room(pool, params={"guesses": 1, "low": 5, "high": 7})
    await room.begin("a", "b")
    miss = 5 if room.target != 5 else 6
    await room.say("a", f"guess {miss}")
    assert room.end is None and room.turn.expect == "guess N, 5 to 7"
    await room.say("b", f"guess {miss}")
    assert room.end == {"winners": [], "reason": "all guesses are used up"}
    committed(room)


async def test_when_the_only_one_with_a_guess_left_concedes_nobody_wins(pool: Pool) -> None:
    room = Room(pool, params={"guesses": 1})
    await room.begin("a", "b", "c")
    await room.say("a", f"guess {room.wrong()}")
    await room.say("b", f"guess {room.wrong()}")
    await room.say("c", "concede")
    assert room.end == {"winners": [], "reason": "all guesses are used up"}


@pytest.mark.parametrize(
    "params", [{"low": 5, "high": 5}, {"low": "1"}, {"guesses": 0}, {"high": True}]
)
async def test_params_that_make_no_game_are_refused(pool: Pool, params: dict[str, Any]) -> None:
    result = await pool.run(HookCall(SOURCE, "on_init", params=params))
    assert isinstance(result, Failed) and result.error == "ValueError"


async def test_starting_twice_or_with_nobody_changes_nothing(room: Room, pool: Pool) -> None:
    assert await room.call("on_start") == []
    assert await Room(pool).call("on_start") == []


async def test_the_same_seed_gives_the_same_number_and_another_seed_another(pool: Pool) -> None:
    targets = []
    for seed in (b"1", b"1", b"2", b"3"):
        room = Room(pool, seed=seed, params={"high": 10**6})
        await room.begin("a", "b")
        targets.append(room.target)
    assert targets[0] == targets[1] and len(set(targets)) == 3


MOVE = st.one_of(
    st.integers(0, 9).map(lambda n: f"guess {n}"),
    st.sampled_from(["concede", "leave", "hello", "guess x", "!help"]),
    st.integers(0, 9).map(
        lambda n: {"type": "move", "game": "guess", "action": "guess", "value": n}
    ),
)


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    count=st.integers(2, 8),
    guesses=st.sampled_from([None, 1, 2]),
    moves=st.lists(st.tuples(st.integers(0, 7), MOVE), max_size=12),
    seed=st.binary(min_size=1, max_size=4),
)
async def test_every_game_ends_and_every_commitment_holds(
    pool: Pool, count: int, guesses: int | None, moves: list[tuple[int, Any]], seed: bytes
) -> None:
    room = Room(pool, {"low": 1, "high": 8, "guesses": guesses}, seed)
    await room.begin(*[f"p{i}" for i in range(count)])
    for who, move in moves:
        await _move(room, f"p{who % count}", move)
    for n in range(1, 9):  # whoever has the turn tries every number
        if room.end is None:
            await room.say(room.state["turn"], f"guess {n}")
    assert room.end is not None
    assert len(room.end["winners"]) <= 1
    committed(room)


async def _move(room: Room, player: str, move: Any) -> None:
    if move != "leave":
        await room.say(player, move)
    elif player in room.players:
        await room.leave(player)
