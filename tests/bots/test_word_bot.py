"""Games of WordBot as scripts: letters and words in, what is uncovered out."""

import hashlib
import random
from typing import Any

import pytest
import pytest_asyncio

from mcp_multiplayer.sandbox.call import Failed, HookCall
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.transcript.names import HOOKS
from mcp_multiplayer.workshop.table import Plain, Runner, Table, source_of
from tests.bots.wandering import public, wander

SOURCE = source_of("word_bot.py")
WORDS: list[str] = Plain().space(SOURCE)["WORDS"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def begun(runner: Runner, seed: bytes = b"s", **params: Any) -> Table:
    made = Table(runner, SOURCE, params, seed, bot_id="word")
    await made.begin("alice", "bob")
    return made


async def hiding(word: str) -> Table:
    """A game with this word."""
    for number in range(5000):
        table = await begun(Plain(), str(number).encode())
        if table.state["word"] == word:
            return table
    raise AssertionError(f"{word} is never drawn")


@pytest_asyncio.fixture(loop_scope="module")
async def table(pool: Pool) -> Table:
    return await begun(pool, seconds=60)


async def test_it_is_announced_with_its_manifest_and_hooks(pool: Pool) -> None:
    report = await pool.inspect(SOURCE)
    assert report.class_name == "WordBot" and set(report.hooks) == set(HOOKS) - {"on_join"}
    assert report.manifest is not None and report.manifest["max_seats"] == 2
    assert report.dice and not report.network


async def test_the_words_have_seven_letters_each_and_stand_there_once() -> None:
    assert len(WORDS) == len(set(WORDS)) == 120
    assert all(len(word) == 7 and word.isascii() and word.islower() for word in WORDS)


async def test_the_word_is_committed_and_hidden_and_the_first_begins(table: Table) -> None:
    (committed,) = table.said("commitment")
    word, salt = table.state["word"], table.state["salt"]
    assert committed["text"] == "_ _ _ _ _ _ _" and word not in public(table)
    assert len(salt) == 32
    assert committed["commitment_hash"] == hashlib.sha256((word + salt).encode()).hexdigest()
    assert (table.mover, table.seconds) == ("alice", 60)
    assert table.expect["body"] == list("abcdefghijklmnopqrstuvwxyz")


async def test_who_finds_a_letter_goes_on_and_gets_a_point_for_each_place() -> None:
    table = await hiding("element")
    (found,) = await table.say("alice", "E")
    assert found == {
        "type": "guess",
        "player": "alice",
        "guess": "e",
        "found": 3,
        "text": "e _ e _ e _ _",
        "said": ["e"],
        "score": {"alice": 3, "bob": 0},
    }
    assert table.mover == "alice" and "e" not in table.expect["body"]


async def test_a_letter_that_is_not_in_the_word_passes_the_turn() -> None:
    table = await hiding("element")
    (missed,) = await table.say("alice", "z")
    assert (missed["found"], missed["text"]) == (0, "_ _ _ _ _ _ _")
    assert table.mover == "bob"


async def test_naming_the_word_uncovers_what_is_left() -> None:
    table = await hiding("element")
    await table.say("alice", "e")
    await table.say("alice", "guess harvest")
    assert table.mover == "bob"
    (named, shown) = await table.say("bob", "Element!")
    assert (named["found"], named["text"]) == (4, "e l e m e n t")
    assert (shown["type"], shown["word"]) == ("reveal", "element")
    assert table.end == {
        "winners": ["bob"],
        "reason": "the word is element",
        "scores": {"alice": 3, "bob": 4},
    }


async def test_the_last_letter_ends_the_game_and_most_points_win() -> None:
    table = await hiding("element")
    for letter in "eltm":
        await table.say("alice", letter)
    await table.say("alice", "z")
    await table.say("bob", "n")
    assert table.end is not None and table.end["winners"] == ["alice"]
    assert table.end["scores"] == {"alice": 6, "bob": 1}


async def test_what_is_no_move_changes_nothing_and_says_why(table: Table) -> None:
    assert "it is alice" in await table.refused("bob", "e")
    assert "not a player" in await table.refused("carol", "e")
    assert "one of my words" in await table.refused("alice", "guess perhaps")
    for value in (True, None, 5, ["e"], "", "é", "ab"):
        move = {"type": "move", "game": "word", "action": "guess", "value": value}
        assert "one of my words" in await table.refused("alice", move)
    move = {"type": "move", "game": "word", "action": "peek"}
    assert "the moves are a letter, guess WORD, resign and rematch" in await table.refused(
        "alice", move
    )
    await table.say("alice", "guess harvest")
    assert "harvest has been said" in await table.refused(table.mover, "harvest")
    for chat in ("hello", "perhaps", "I say e", {"x": 1}):
        assert await table.say(table.mover, chat) == []
    (answer,) = await table.say("carol", "!help")
    assert "within 60 seconds" in answer["text"] and "120 words" in answer["text"]


@pytest.mark.parametrize("how", ["resign", "Concede", "leave", "late"])
async def test_the_other_wins_when_one_gives_up_leaves_or_is_late(table: Table, how: str) -> None:
    if how == "leave":
        await table.leave("alice")
    elif how == "late":
        await table.late()
    else:
        await table.say("alice", how)
    assert table.end is not None and table.end["winners"] == ["bob"]
    assert table.said("reveal")[0]["word"] in WORDS


async def test_a_rematch_has_another_word_and_the_other_begins(pool: Pool) -> None:
    table = await begun(pool)
    words = [table.state["word"]]
    for first in ("bob", "alice"):
        await table.say("alice", "resign")
        for player in ("alice", "bob"):
            await table.say(player, "rematch")
        assert table.mover == first and table.state["said"] == []
        words.append(table.state["word"])
    assert len(set(words)) == 3


async def test_when_all_words_were_used_they_are_used_again(table: Table) -> None:
    table.state["used"] = list(WORDS)
    await table.say("alice", "resign")
    for player in ("alice", "bob"):
        await table.say(player, "rematch")
    assert table.state["used"] == [table.state["word"]]


async def test_alone_nobody_plays(pool: Pool) -> None:
    alone = Table(pool, SOURCE)
    await alone.begin("alice")
    assert alone.end == {"winners": [], "reason": "this game takes two players"}


@pytest.mark.parametrize("seconds", [0, -1, "60", True, 1e9])
async def test_params_that_make_no_game_are_refused(pool: Pool, seconds: Any) -> None:
    result = await pool.run(HookCall(SOURCE, "on_init", params={"seconds": seconds}))
    assert isinstance(result, Failed) and result.error == "ValueError"


NONSENSE = ["7", "guess", "guess me", "hello", "!help", "rematch", {"x": 1}]


async def any_game(runner: Runner, seed: int) -> None:
    """Played at random; the points are the places that each has uncovered."""
    chance = random.Random(seed)
    table = await begun(runner, str(seed).encode())
    await wander(table, chance, NONSENSE)
    (shown,) = table.said("reveal")
    points = {"alice": 0, "bob": 0}
    for one in table.said("guess"):
        points[one["player"]] += shown["word"].count(one["guess"])
    assert table.end is not None and table.end["scores"] == points
    if table.end["reason"].startswith("the word is"):
        assert sum(points.values()) == 7
        assert points[table.end["winners"][0]] > 3


async def test_a_few_games_at_random_end_by_their_rules(pool: Pool) -> None:
    for seed in range(3):
        await any_game(pool, seed)
    for seed in range(60):
        await any_game(Plain(), seed)


def likeliest(table: Table) -> str:
    """What a good player says: the word if there are two left, else the letter of most of them."""
    said, shown = table.state["said"], str(table.posts[-1].body["text"]).split()
    left = [
        word
        for word in WORDS
        if word not in said
        and all(
            place == letter if place != "_" else letter not in said
            for place, letter in zip(shown, word, strict=True)
        )
    ]
    if len(left) <= 2:
        return "guess " + left[0]
    letters: list[str] = table.expect["body"]
    return max(letters, key=lambda letter: sum(letter in word for word in left))


@pytest.mark.long
async def test_between_good_players_beginning_is_a_small_advantage() -> None:
    runner, won = Plain(), 0
    for seed in range(600):
        table = await begun(runner, f"good {seed}".encode())
        while table.end is None:
            await table.say(table.mover, likeliest(table))
        won += table.end["winners"] == ["alice"]
    assert 0.47 < won / 600 < 0.61  # 54 % in the long run
