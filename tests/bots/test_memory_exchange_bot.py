"""MemoryExchangeBot as scripts: what is answered, who consents, and who gets to read what."""

import json
import random
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.transcript.names import HOOKS
from mcp_multiplayer.workshop.table import Plain, Runner, Table, source_of
from tests.bots.wandering import heard_by, public, wander

SOURCE = source_of("memory_exchange_bot.py")
SECRET = "She likes to row at dawn"
pytestmark = pytest.mark.asyncio(loop_scope="module")


def new(runner: Runner, **params: Any) -> Table:
    return Table(runner, SOURCE, params, bot_id="memory")


async def opted_in(runner: Runner, **params: Any) -> Table:
    made = new(runner, **{"seconds": 60, **params})
    await made.begin("alice", "bob")
    await made.say("alice", "opt in")
    await made.say("bob", "Opt In")
    return made


@pytest_asyncio.fixture(loop_scope="module")
async def table(pool: Pool) -> Table:
    return await opted_in(pool)


async def answered(table: Table) -> None:
    await table.say("alice", "ask What does she like?")
    await table.say("bob", f"answer {SECRET}", to=True)


async def test_it_is_announced_with_its_manifest_and_keeps_what_it_hears(pool: Pool) -> None:
    report = await pool.inspect(SOURCE)
    assert report.class_name == "MemoryExchangeBot"
    assert set(report.hooks) == set(HOOKS) - {"on_join"}
    assert report.manifest is not None and report.manifest["label"] == "memory"
    assert report.manifest["sealed"] == "kept"
    assert not report.dice and not report.network


async def test_nothing_happens_before_both_have_opted_in(pool: Pool) -> None:
    table = new(pool)
    await table.begin("alice", "bob")
    assert table.movers == ["alice", "bob"]
    assert table.expect == {"body": ["opt in", "opt out"]}
    assert "not everybody has opted in" in await table.refused("alice", "ask What?")
    await table.say("alice", "opt in")
    assert table.movers == ["bob"]
    assert "waiting for bob" in await table.refused("alice", "opt in")
    await table.say("bob", "opt in")
    assert table.movers == ["alice"] and "ask TEXT" in table.expect["also"]


@pytest.mark.parametrize("how", ["opt out", "leave", "late"])
async def test_without_the_consent_of_both_it_is_over(pool: Pool, how: str) -> None:
    table = new(pool)
    await table.begin("alice", "bob")
    await table.say("alice", "opt in")
    await (
        table.leave("bob")
        if how == "leave"
        else table.late()
        if how == "late"
        else table.say("bob", how)
    )
    assert table.end is not None and table.end["winners"] == []
    assert "answered and released: 0" in table.end["reason"]


async def test_an_answer_goes_over_when_both_have_released_it(table: Table) -> None:
    assert await table.say("alice", "ask What does she like?") == [
        {
            "type": "question",
            "number": 1,
            "by": "alice",
            "of": "bob",
            "text": "What does she like?",
        }
    ]
    assert table.movers == ["bob"] and table.expect["to"] == ["bot:memory"]
    assert await table.say("bob", f"answer {SECRET}", to=True) == [
        {"type": "answered", "player": "bob", "number": 1}
    ]
    assert table.movers == ["alice", "bob"]
    await table.say("bob", "release")
    assert table.movers == ["alice"] and SECRET not in heard_by(table, "alice")
    assert "waiting for alice" in await table.refused("bob", "release")
    await table.say("alice", "release")
    assert SECRET in heard_by(table, "alice") and SECRET not in public(table)
    assert SECRET not in json.dumps(table.state)
    assert table.said("closed") == [{"type": "closed", "number": 1, "how": "released"}]
    assert table.movers == ["bob"]  # now bob asks


@pytest.mark.parametrize("how", ["withhold", "withdraw", "opt out", "late", "leave"])
@pytest.mark.parametrize("who", ["alice", "bob"])
async def test_what_one_does_not_consent_to_is_forgotten(table: Table, who: str, how: str) -> None:
    await answered(table)
    await table.say({"alice": "bob", "bob": "alice"}[who], "release")
    if how == "late":
        await table.late()
    elif how == "leave":
        await table.leave(who)
    else:
        await table.say(who, how)
    assert SECRET not in json.dumps(table.state)
    assert SECRET not in heard_by(table, "alice") + heard_by(table, "bob") + str(table.end)
    assert (table.end is None) == (how in ("withhold", "withdraw", "late"))


@pytest.mark.parametrize("who", ["alice", "bob"])
async def test_a_question_may_be_withdrawn_before_it_is_answered(table: Table, who: str) -> None:
    await table.say("alice", "ask What?")
    (closed,) = await table.say(who, "withdraw")
    assert (closed["how"], closed["player"]) == ("withdrawn", who)
    assert table.movers == ["bob"]


async def test_a_sealed_question_is_read_by_the_two_alone(table: Table) -> None:
    await table.say("alice", "ask Is she ill?", to=True)
    assert "ill" in heard_by(table, "bob") and "ill?" not in public(table)


async def test_both_answer_when_that_is_agreed(pool: Pool) -> None:
    table = await opted_in(pool, both=True)
    await table.say("alice", "ask Favourite food?")
    assert table.movers == ["alice", "bob"]
    await table.say("alice", "answer noodles", to=True)
    assert table.movers == ["bob"] and "noodles" not in heard_by(table, "bob")
    assert "answer is final" in await table.refused("alice", "answer rice", to=True)
    await table.say("bob", "answer bread", to=True)
    for player in ("alice", "bob"):
        await table.say(player, "release")
    for player in ("alice", "bob"):
        assert "noodles" in heard_by(table, player) and "bread" in heard_by(table, player)


async def test_the_longest_answers_of_both_fit_into_one_release(pool: Pool) -> None:
    table = await opted_in(pool, both=True)
    await table.say("alice", "ask What?")
    for player in ("alice", "bob"):
        text = "a" + "\x01" * 3998 + "b"
        move = {"type": "move", "game": "memory", "action": "answer", "value": text}
        await table.say(player, move, to=True)
    for player in ("alice", "bob"):
        await table.say(player, "release")
    assert len(table.said("answer")) == 2


@pytest.mark.parametrize("to", [None, ["bot:memory", "alice"], ["bot:memory", "bot:spy"]])
async def test_an_answer_that_others_can_read_is_not_taken(table: Table, to: Any) -> None:
    await table.say("alice", "ask What?")
    assert "sealed" in await table.refused("bob", f"answer {SECRET}", to)


async def test_what_is_no_move_changes_nothing_and_says_why(table: Table) -> None:
    assert "not a player" in await table.refused("carol", "ask x")
    assert "it is alice" in await table.refused("bob", "ask x")
    assert "answer: not now" in await table.refused("bob", "answer x", to=True)
    assert "withdraw: not now" in await table.refused("bob", "withdraw")
    assert "still going on" in await table.refused("bob", "rematch")
    for value in (None, 1, " ", "é" * 2001, ["x"]):
        move = {"type": "move", "game": "memory", "action": "ask", "value": value}
        assert "takes a text" in await table.refused("alice", move)
    move = {"type": "move", "game": "memory", "action": "peek"}
    assert "the moves are" in await table.refused("alice", move)
    await table.say("alice", "ask x")
    assert "not yours to answer" in await table.refused("alice", "answer x", to=True)
    assert table.posts[-1].to == ("alice",)  # what was sealed is answered in private
    for chat in ("hello", "pass it on", {"x": 1}):
        assert await table.say("alice", chat) == []
    (answer,) = await table.say("bob", "!help")
    assert 'to=["bot:memory"]' in answer["text"]


async def test_silence_is_passing_and_declining(table: Table) -> None:
    (closed,) = await table.late()
    assert (closed["how"], closed["player"]) == ("passed", "alice")
    await table.say("bob", "ask What?")
    (closed,) = await table.late()
    assert (closed["how"], closed["player"]) == ("declined", "alice")


async def test_it_is_over_after_the_last_question_or_when_one_is_done(table: Table) -> None:
    for player in ("alice", "bob", "alice", "bob"):
        assert table.movers == [player]
        await table.say(player, "pass")
    assert table.end == {
        "winners": [],
        "reason": "all questions are asked; answered and released: 0",
    }
    assert "over" in await table.refused("alice", "ask x")
    await table.say("alice", "rematch")
    assert "waiting for bob" in await table.refused("alice", "rematch")
    await table.say("bob", "rematch")
    assert table.movers == ["bob", "alice"]
    await table.say("alice", "opt in")
    await table.say("bob", "opt in")
    await table.say("bob", {"type": "move", "game": "memory", "action": "done"})
    assert table.end == {"winners": [], "reason": "bob is done; answered and released: 0"}
    await table.leave("alice")
    assert await table.refused("bob", "rematch") == "alice has left"


async def test_alone_there_is_nothing_to_exchange(pool: Pool) -> None:
    alone = new(pool)
    await alone.begin("alice")
    assert alone.end == {"winners": [], "reason": "this exchange takes two players"}
    assert "not started" in await alone.refused("alice", "opt in")
    assert await alone.call("on_start") == []


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(answers=st.tuples(st.text(min_size=1, max_size=300), st.text(min_size=1, max_size=300)))
async def test_before_the_release_nothing_depends_on_an_answer(answers: tuple[str, str]) -> None:
    heard = []
    for answer in answers:
        table = await opted_in(Plain())
        await table.say("alice", "ask What?")
        move = {"type": "move", "game": "memory", "action": "answer", "value": "a" + answer}
        await table.say("bob", move, to=True)
        await table.say("bob", "release")
        heard.append((heard_by(table, "alice"), table.turn))
    assert heard[0] == heard[1]


NONSENSE = ["opt in now", "ask", "answer x", "hello", "!help", "rematch", {"x": 1}]


async def any_exchange(runner: Runner, seed: int) -> None:
    """Played at random to the end; an answer was posted exactly if both had consented to it."""
    chance = random.Random(seed)
    table = Table(runner, SOURCE, {"both": chance.random() < 0.5}, bot_id="memory")
    await table.begin("alice", "bob")
    await wander(table, chance, NONSENSE)
    consents: dict[int, set[str]] = {}
    for post in table.posts:
        body = post.body
        if body.get("type") == "consent":
            consents.setdefault(body["number"], set()).add(body["player"])
        if body.get("type") == "answer":
            assert consents[body["number"]] == {"alice", "bob"}
            assert post.to is not None and set(post.to) == {"alice", "bob"}
    released = [number for number, who in consents.items() if len(who) == 2]
    assert {one["number"] for one in table.said("answer")} == set(released)
    assert table.end is not None and table.end["reason"].endswith(f"released: {len(released)}")
    assert table.state["answers"] == {}


async def test_a_few_exchanges_at_random_end_by_their_rules(pool: Pool) -> None:
    for seed in range(3):
        await any_exchange(pool, seed)
    for seed in range(40):
        await any_exchange(Plain(), seed)


@pytest.mark.long
async def test_a_thousand_exchanges_at_random_end_by_their_rules() -> None:
    runner = Plain()
    for seed in range(1000):
        await any_exchange(runner, seed)
