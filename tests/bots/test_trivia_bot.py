"""Quizzes of TriviaBot as scripts: sealed answers in, words out."""

import datetime
import hashlib
import random
import re
from collections import Counter
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_multiplayer.sandbox.call import Failed, HookCall
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.transcript.names import HOOKS
from mcp_multiplayer.workshop.table import Plain, Runner, Table, source_of

SOURCE = source_of("trivia_bot.py")
SEALED = {"body": ["A", "B", "C", "D", "pass"], "to": ["bot:trivia"]}
OWN = [
    {"question": "Who sang at dawn?", "answer": "The Lark", "accept": ["Alauda arvensis"]},
    {"question": "Up or down?", "answer": "down", "options": ["up", "down"]},
]
pytestmark = pytest.mark.asyncio(loop_scope="module")


def new(runner: Runner, seed: bytes = b"s", **params: Any) -> Table:
    return Table(runner, SOURCE, params, seed, bot_id="trivia")


@pytest_asyncio.fixture(loop_scope="module")
async def table(pool: Pool) -> Table:
    made = new(pool, seconds=60)
    await made.begin("alice", "bob")
    return made


async def begun(*players: str, **params: Any) -> Table:
    table = new(Plain(), **params)
    await table.begin(*players or ("alice", "bob"))
    return table


def letter(table: Table, *, right: bool = True) -> str:
    """A right or a wrong letter for the question that is asked, from the referee's secrets."""
    answer = table.state["items"][table.state["number"]]["answer"]
    options: dict[str, str] = table.said("question")[-1]["options"]
    return next(key for key, option in options.items() if (option == answer) == right)


def opened(table: Table) -> dict[str, tuple[str, str]]:
    """Commitment: (question, answer), for all that were opened; each must fit."""
    found = {}
    questions = [one["question"] for one in table.said("question")]
    answers = [
        one | {"question": q} for one, q in zip(table.said("answer"), questions, strict=False)
    ]
    for one in answers + [one for reveal in table.said("reveal") for one in reveal["questions"]]:
        text = f"{one['question']}\n{one['answer']}\n{one['salt']}"
        assert hashlib.sha256(text.encode()).hexdigest() == one["hash"]
        assert re.fullmatch("[0-9a-f]{32}", one["salt"])
        found[one["hash"]] = (one["question"], one["answer"])
    return found


async def test_it_is_announced_with_its_manifest_and_hooks(pool: Pool) -> None:
    report = await pool.inspect(SOURCE)
    assert report.class_name == "TriviaBot" and set(report.hooks) == set(HOOKS) - {"on_join"}
    assert report.manifest is not None and report.manifest["label"] == "trivia"
    assert report.dice and not report.network


async def test_the_questions_are_committed_before_the_first_is_asked(table: Table) -> None:
    assert [p.body["type"] for p in table.posts] == ["prompt", "commitment", "question"]
    assert len(set(table.said("commitment")[0]["commitment_hashes"])) == 5
    assert table.movers == ["alice", "bob"] and table.seconds == 60 and table.expect == SEALED
    assert set(table.said("question")[0]["options"]) == {"A", "B", "C", "D"}


async def test_answers_show_when_all_are_in_and_each_right_one_is_a_point(table: Table) -> None:
    right, wrong = letter(table), letter(table, right=False)
    assert await table.say("alice", right, to=True) == [{"type": "answered", "player": "alice"}]
    assert table.movers == ["bob"]
    answered, shown, question = await table.say("bob", wrong, to=True)
    assert answered["player"] == "bob" and question["number"] == 2
    assert shown["correct"] == ["alice"] and shown["score"] == {"alice": 1, "bob": 0}
    options = table.said("question")[0]["options"]
    assert shown["answers"] == {"alice": options[right], "bob": options[wrong]}
    assert shown["answer"] == options[right]
    assert list(opened(table)) == table.said("commitment")[0]["commitment_hashes"][:1]


async def test_most_points_win_and_every_commitment_has_been_opened(table: Table) -> None:
    while table.end is None:
        await table.say("bob", letter(table), to=True)
        await table.say("alice", "pass", to=True)
    assert table.end == {
        "winners": ["bob"],
        "reason": "5 questions are answered",
        "scores": {"alice": 0, "bob": 5},
    }
    assert list(opened(table)) == table.said("commitment")[0]["commitment_hashes"]


async def test_the_same_points_for_all_are_a_draw_and_for_some_a_shared_win() -> None:
    for pair, winners in ((["a", "b"], ["a", "b"]), (["a", "b", "c"], []), ([], [])):
        table = await begun("a", "b", "c", count=1)
        answers = {player: letter(table, right=player in pair) for player in "abc"}
        for player, answer in answers.items():
            await table.say(player, answer, to=True)
        assert table.end is not None and table.end["winners"] == winners


@pytest.mark.parametrize("form", ["{0}", " {0} ", "answer {0}", "ANSWER {1}", "{1}", "  {1}!"])
@pytest.mark.parametrize("structured", [False, True])
async def test_an_answer_may_be_said_in_several_ways(form: str, structured: bool) -> None:
    table = await begun()
    key = letter(table)
    text = form.format(key.lower(), table.said("question")[0]["options"][key].upper())
    if structured:
        value = re.sub("(?i)answer ", "", text)
        body: Any = {"type": "move", "game": "trivia", "action": "answer", "value": value}
    await table.say("alice", body if structured else text, to=True)
    assert table.state["answers"] == {"alice": table.said("question")[0]["options"][key]}


async def test_an_answer_in_words_is_compared_without_case_article_and_point() -> None:
    for text, right in (
        ("the LARK.", 1),
        ("lark", 1),
        ("  alauda  Arvensis", 1),
        ("answer A lark", 1),
        ("larks", 0),
        ("pass", 0),
    ):
        table = await begun(questions=OWN[:1])
        assert table.expect == {"body": ["answer ...", "pass"], "to": ["bot:trivia"]}
        assert "options" not in table.said("question")[0]
        await table.say("alice", text, to=True)
        await table.say("bob", "answer ...", to=True)
        assert table.end is not None and table.end["scores"] == {"alice": right, "bob": 0}


async def test_own_questions_are_asked_as_they_are() -> None:
    table = await begun(questions=OWN, count=20)
    while table.end is None:
        await table.say(table.mover if len(table.movers) == 1 else "alice", "down", to=True)
    assert set(opened(table).values()) == {(one["question"], one["answer"]) for one in OWN}


@pytest.mark.parametrize("to", [None, ["bot:trivia", "bob"], ["bot:trivia", "bot:spy"]])
async def test_an_answer_that_others_can_read_is_void_and_costs_nothing(
    table: Table, to: Any
) -> None:
    assert "sealed" in await table.refused("alice", letter(table), to)
    assert "sealed" in await table.refused("alice", "answer " + letter(table), to)
    await table.say("alice", letter(table), to=True)
    assert list(table.state["answers"]) == ["alice"]


async def test_wrong_moves_change_nothing_and_say_why(table: Table) -> None:
    assert "not a player" in await table.refused("carol", "A", to=True)
    assert "still going on" in await table.refused("alice", "rematch")
    for value in (None, True, 1.5, "E", "no such thing", ["A"], "", "x" * 101):
        move = {"type": "move", "game": "trivia", "action": "answer", "value": value}
        assert await table.refused("alice", move, to=True) == "answer A, B, C, D, or pass"
        assert table.posts[-1].to == ("alice",)
    move = {"type": "move", "game": "trivia", "action": "peek"}
    assert "the moves are" in await table.refused("alice", move)
    await table.say("alice", "A", to=True)
    assert "final" in await table.refused("alice", "B", to=True)
    for chat in ("hello", "a good one", {"x": 1}, {"text": 5}):
        assert await table.say("bob", chat) == []
    (answer,) = await table.say("bob", "!help", to=True)
    assert "My source is public" in answer["text"] and "60 seconds" in answer["text"]


async def test_help_says_what_is_public_for_each_set() -> None:
    for params, words in (
        ({"questions": OWN}, "the params with your questions are public"),
        ({"set": "numbers"}, "nobody can look them up"),
    ):
        table = await begun(**params)
        assert words in table.said("prompt")[0]["text"]


async def test_before_the_start_and_alone_nobody_plays(pool: Pool) -> None:
    early = new(pool)
    early.players = ["alice"]
    assert await early.refused("alice", "A", to=True) == "the game has not started"
    alone = new(pool)
    await alone.begin("alice")
    assert alone.end == {"winners": [], "reason": "this game takes two players or more"}
    assert await alone.call("on_start") == []


async def test_who_has_not_answered_in_time_gets_no_point(table: Table) -> None:
    table.now += 20
    await table.say("alice", letter(table), to=True)
    assert table.seconds == pytest.approx(40, abs=1e-3)
    shown, question = await table.late()
    assert shown["late"] == ["bob"] and shown["correct"] == ["alice"]
    assert question["number"] == 2 and table.seconds == 60
    while table.end is None:
        await table.late()
    assert table.end["winners"] == ["alice"] and await table.call("on_timer", "turn") == []


@pytest.mark.parametrize("how", ["resign", "Concede", "leave"])
async def test_of_two_the_other_wins_and_the_rest_is_opened(table: Table, how: str) -> None:
    await table.say("alice", "A", to=True)
    await (table.leave("alice") if how == "leave" else table.say("alice", how))
    assert table.end is not None and table.end["winners"] == ["bob"]
    assert list(opened(table)) == table.said("commitment")[0]["commitment_hashes"]
    assert "over" in await table.refused("bob", "A", to=True)


async def test_of_more_the_others_go_on_when_the_one_they_waited_for_goes() -> None:
    table = await begun("a", "b", "c")
    await table.say("a", letter(table), to=True)
    await table.say("b", "pass", to=True)
    await table.leave("c")
    assert table.said("answer")[0]["correct"] == ["a"] and table.movers == ["a", "b"]
    assert await table.refused("c", "A", to=True) == "out of the game"


async def test_a_rematch_asks_other_questions(table: Table) -> None:
    await table.say("alice", "resign")
    await table.say("alice", "rematch")
    assert "waiting" in await table.refused("alice", "rematch")
    await table.say("bob", "rematch")
    assert table.movers == ["alice", "bob"] and table.state["score"] == {"alice": 0, "bob": 0}
    assert len(set(table.state["asked"])) == 10
    await table.say("bob", "resign")
    await table.say("alice", "rematch")
    await table.leave("bob")
    assert await table.refused("alice", "rematch") == "the others have left"


async def test_when_all_have_been_asked_they_begin_anew() -> None:
    table = await begun(questions=OWN)
    for _ in range(3):
        await table.say("alice", "resign")
        await table.say("bob", "rematch")
        await table.say("alice", "rematch")
        assert len(table.said("commitment")[-1]["commitment_hashes"]) == 2


# First right answer


async def test_the_first_right_answer_takes_the_point() -> None:
    table = await begun(mode="first")
    assert table.expect == ["A", "B", "C", "D", "pass"]
    right, wrong = letter(table), letter(table, right=False)
    said = await table.say("alice", wrong)
    option = table.said("question")[0]["options"][wrong]
    assert said == [{"type": "wrong", "player": "alice", "answer": option}]
    assert table.movers == ["bob"]
    assert "final" in await table.refused("alice", right)
    shown, _ = await table.say("bob", right)
    assert shown["correct"] == ["bob"] and table.movers == ["alice", "bob"]
    assert await table.say("alice", "what a nice question") == []


async def test_when_all_are_wrong_nobody_takes_it_and_a_sealed_wrong_answer_is_not_shown() -> None:
    table = await begun(mode="first", count=1)
    said = await table.say("alice", letter(table, right=False), to=True)
    assert said == [{"type": "wrong", "player": "alice"}]
    await table.say("bob", "pass")
    assert table.end is not None and table.end["winners"] == []


# Questions


async def test_the_built_in_questions_are_well_formed() -> None:
    space = Plain().space(SOURCE)
    items = space["checked"](space["built_in"]())
    assert len(items) == 60 and len({item["question"] for item in items}) == 60
    for item in items:
        assert len(item["options"]) == 4 and not set("ABCDEF") & set(item["options"][1:])
        assert item["question"].endswith("?")


def solved(question: str) -> str:
    """What the sums of set="numbers" come to, found in another way."""
    a, b = ([int(n) for n in re.findall(r"\d+", question)] + [0])[:2]
    if "times" in question:
        return str(sum(a for _ in range(b)))
    if "remains" in question:
        return str(a - b * (a // b))
    if "hexadecimal" in question:
        return hex(a)[2:].upper()
    found = re.findall(r"\d{4}-\d\d-\d\d", question)[0]
    return datetime.date.fromisoformat(found).strftime("%A")


@pytest.mark.parametrize("quizzes", [50, pytest.param(300, marks=pytest.mark.long)])
async def test_sums_are_right_and_their_options_give_nothing_away(quizzes: int) -> None:
    """Neither the letter nor the rank among the options says which one is right."""
    places: Counter[Any] = Counter()
    for seed in range(quizzes):
        table = new(Plain(), seed.to_bytes(2, "big"), set="numbers", count=20)
        await table.begin("a", "b")
        while table.end is None:
            await table.late() if table.seconds else await both_pass(table)
        for question, shown in zip(table.said("question"), table.said("answer"), strict=True):
            options = list(question["options"].values())
            assert len(set(options)) == 4 and shown["answer"] == solved(question["question"])
            places["letter", options.index(shown["answer"])] += 1
            places["rank", rank(options, shown["answer"])] += 1
    for kind in ("letter", "rank"):
        assert chi_square([places[kind, at] for at in range(4)]) < 16.27  # 3 df, p > 0.001


def rank(options: list[str], answer: str) -> int:
    if answer.endswith("day"):
        return sorted(options).index(answer)
    return sorted(options, key=lambda text: (len(text), text)).index(answer)


def chi_square(counts: list[int]) -> float:
    expected = sum(counts) / len(counts)
    return sum((n - expected) ** 2 / expected for n in counts)


async def both_pass(table: Table) -> None:
    for player in list(table.movers):
        await table.say(player, "pass", to=True)


@pytest.mark.long
async def test_every_question_is_drawn_equally_often_and_every_letter_is_right() -> None:
    drawn: Counter[str] = Counter()
    letters: Counter[str] = Counter()
    draws = set()
    for seed in range(600):
        table = new(Plain(), seed.to_bytes(2, "big"))
        await table.begin("a", "b")
        draws.add(table.draws)
        drawn.update(item["question"] for item in table.state["items"])
        letters[letter(table)] += 1
    assert draws == {5 + 5 * 4}  # picks and salts: nothing secret changes how many
    assert len(drawn) == 60 and chi_square(list(drawn.values())) < 98.32  # 59 df, p > 0.001
    assert chi_square([letters[one] for one in "ABCD"]) < 16.27


# What is hidden


async def test_no_public_value_opens_a_commitment_before_its_reveal() -> None:
    """Every question and answer is known: with every salt that anybody could try."""
    table = await begun()
    space = Plain().space(SOURCE)
    hashes = set(table.said("commitment")[0]["commitment_hashes"])
    salts = {""}
    while table.end is None:
        salts |= set(re.findall(r"\w+", str([dict(p.body) for p in table.posts])))
        still = hashes - set(opened(table))
        for item in space["built_in"]():
            for salt in salts:
                text = f"{item['question']}\n{item['answer']}\n{salt}"
                assert hashlib.sha256(text.encode()).hexdigest() not in still
        await both_pass(table)
    assert set(opened(table)) == hashes


async def test_a_sealed_answer_shows_in_nothing_that_others_see_until_all_are_in() -> None:
    """Whatever alice answers, right or wrong, bob sees and is told the same."""
    seen = []
    for answer in ("A", "B", "C", "D", "pass"):
        table = await begun(seconds=60)
        await table.say("alice", answer, to=True)
        await table.refused("alice", "B", to=True)
        public = [dict(post.body) for post in table.posts if post.to in (None, ("bob",))]
        seen.append((public, table.turn, table.draws))
    assert all(one == seen[0] for one in seen)


@pytest.mark.parametrize(
    "params",
    [
        {"count": 0},
        {"count": True},
        {"mode": "loud"},
        {"set": "birds"},
        {"seconds": 0},
        {"seconds": "60"},
        {"questions": []},
        {"questions": ["Why?"]},
        {"questions": [{"question": "Why?"}]},
        {"questions": [{"question": "Why?\nHow?", "answer": "so"}]},
        {"questions": [{"question": "Why?", "answer": 5}]},
        {"questions": [{"question": "Why?", "answer": "so", "options": ["so"]}]},
        {"questions": [{"question": "Why?", "answer": "so", "options": ["So", "so"]}]},
        {"questions": [{"question": "Why?", "answer": "so", "options": ["a", "b"]}]},
        {"questions": [{"question": "Why?", "answer": "so", "accept": "so"}]},
    ],
)
async def test_params_that_make_no_game_are_refused(pool: Pool, params: dict[str, Any]) -> None:
    result = await pool.run(HookCall(SOURCE, "on_init", params=params))
    assert isinstance(result, Failed) and result.error == "ValueError"


async def test_the_largest_set_of_questions_is_within_the_limits(pool: Pool) -> None:
    words = [f"{n:02d}" + "\N{SNOWMAN}" * 98 for n in range(20)]
    options = [{"question": "\N{SNOWMAN}" * 300, "answer": words[0], "options": words[:6]}] * 100
    spellings = [{"question": "?" * 300, "answer": words[0], "accept": words}] * 100
    table = new(pool, questions=options + spellings, count=20)
    await table.begin(*[f"p{n}" for n in range(8)])
    for player in table.players:
        await table.say(player, words[0], to=True)
    assert len(table.said("answer")[0]["correct"]) == 8
    for player in table.players[1:]:
        await table.leave(player)
    assert table.end is not None and len(table.said("reveal")[0]["questions"]) == 19


# Any quiz

MOVES = [
    *("legal", "legal", "legal", "A", "B", "C", "D", "E", "pass", "answer ...", "right"),
    *("late", "hello", "rematch", "rematch", "resign", "leave"),
]
STEP = st.tuples(st.integers(0, 4), st.sampled_from(MOVES), st.sampled_from([True, True, None]))
PARAMS = st.fixed_dictionaries(
    {
        "count": st.integers(1, 6),
        "mode": st.sampled_from(["sealed", "first"]),
        "set": st.sampled_from(["general", "numbers"]),
        "questions": st.sampled_from([None, OWN]),
        "seconds": st.just(60),
    }
)


async def any_quiz(
    runner: Runner, count: int, seed: bytes, params: dict[str, Any], steps: list[Any]
) -> None:
    """Whatever is said, points go to right answers, commitments hold, and the quiz ends."""
    table = new(runner, seed, **params)
    await table.begin(*[f"p{n}" for n in range(count)])
    for who, move, to in steps:
        player = f"p{who}"
        if move == "late":
            await (table.late() if table.turn else table.call("on_timer", "turn"))
        elif player not in table.players:
            continue  # the room lets only members speak
        elif move == "leave":
            await table.leave(player)
        elif move in ("right", "legal"):
            await told(table, player, move)
        else:
            await table.say(player, move, to)
    while table.turn is not None:
        for body in await told(table, table.movers[-1], "legal"):
            assert body["type"] != "violation"
    assert table.end is not None
    judged(table)


async def told(table: Table, player: str, move: str) -> list[dict[str, Any]]:
    """The right answer, or one of those that are expected."""
    if table.turn is None:
        return await table.say(player, "rematch")
    sealed = isinstance(table.expect, dict)
    bodies = table.expect["body"] if sealed else table.expect
    body = bodies[table.hooks % len(bodies)]
    if move == "right":
        body = "answer " + table.state["items"][table.state["number"]]["answer"]
    return await table.say(player, body, True if sealed else None)


def judged(table: Table) -> None:
    """Scores from what was shown alone; the last quiz's result; every commitment opened."""
    committed = [h for one in table.said("commitment") for h in one["commitment_hashes"]]
    score: Counter[str] = Counter()
    asked: dict[str, Any] = {}
    shown: list[str] = []
    for post in table.posts:
        body = dict(post.body)
        if body["type"] == "commitment":
            score.clear()
        elif body["type"] == "question":
            asked = body
        elif body["type"] == "reveal":
            shown += [one["hash"] for one in body["questions"]]
            assert all(_fits(one) for one in body["questions"])
        elif body["type"] == "answer":
            shown.append(body["hash"])
            assert _fits(body | {"question": asked["question"]})
            score.update(body["correct"])
            assert {p: score[p] for p in body["score"]} == body["score"]
            for player, answer in body["answers"].items():
                assert (answer == body["answer"]) <= (player in body["correct"])
            assert set(body["correct"]) <= set(body["answers"])
            assert table.params["mode"] == "sealed" or len(body["correct"]) <= 1
    assert shown == committed and table.end is not None
    scores = table.end["scores"]
    assert scores == {player: score[player] for player in scores}
    if table.end["reason"].endswith("answered"):
        assert all(
            scores[one] == max(scores[w] for w in table.state["standing"])
            for one in table.end["winners"]
        )
    else:
        assert table.end["winners"] == table.state["standing"]


def _fits(one: dict[str, Any]) -> bool:
    text = f"{one['question']}\n{one['answer']}\n{one['salt']}"
    return hashlib.sha256(text.encode()).hexdigest() == str(one["hash"])


@settings(max_examples=6, suppress_health_check=list(HealthCheck))
@given(st.integers(2, 5), st.binary(min_size=1, max_size=4), PARAMS, st.lists(STEP, max_size=20))
async def test_every_quiz_ends_by_its_rules(
    pool: Pool, count: int, seed: bytes, params: dict[str, Any], steps: list[Any]
) -> None:
    await any_quiz(pool, count, seed, params, steps)


@settings(max_examples=80, suppress_health_check=list(HealthCheck))
@given(st.integers(2, 5), st.binary(min_size=1, max_size=4), PARAMS, st.lists(STEP, max_size=50))
async def test_many_quizzes_end_by_their_rules(
    count: int, seed: bytes, params: dict[str, Any], steps: list[Any]
) -> None:
    await any_quiz(Plain(), count, seed, params, steps)


@pytest.mark.parametrize("games", [30, pytest.param(1000, marks=pytest.mark.long)])
async def test_quizzes_of_random_moves_end_by_their_rules(games: int) -> None:
    runner = Plain()
    for game in range(games):
        rng = random.Random(game)
        params = {"mode": rng.choice(["sealed", "first"]), "seconds": 60}
        params |= {"set": rng.choice(["general", "numbers"]), "count": rng.randint(1, 20)}
        steps = [
            (rng.randrange(5), rng.choice(MOVES), rng.choice([True, None]))
            for _ in range(rng.choice([0, 10, 80]))
        ]
        await any_quiz(runner, rng.randint(2, 5), game.to_bytes(4, "big"), params, steps)
