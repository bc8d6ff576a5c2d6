"""The library that referees share: its functions, and a game of three rules on it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from mcp_multiplayer.sandbox.call import Failed, HookCall
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.workshop.table import Plain, Table, own_library

pytestmark = pytest.mark.asyncio(loop_scope="module")

SPACE: dict[str, Any] = {"__name__": "referee"}
exec(compile(own_library(), "<referee>", "exec"), SPACE)

RACE = """
from referee import Game, whole

MANIFEST = {
    "name": "Race",
    "summary": "Add 1 to 3 in turn; who says the last number of 7 wins.",
    "max_seats": SEATS,
    "moves": ["add N", "resign"],
    "params": {"properties": {
        "goal": {"type": "integer", "minimum": 1, "default": 7},
        "bank": {"type": ["number", "null"], "default": None},
        "seconds": {"type": ["number", "null"], "exclusiveMinimum": 0, "default": None},
    }},
}

class Race(Game):
    manifest = MANIFEST
    game = "race"
    verbs = {"add": "add"}
    moves = ("add", "think")

    def bare(self, word):
        return word if word == "think" else None

    def begin(self, players):
        self.deal(players, count=0)
        if self.params["bank"] is not None:
            self.bank(self.params["bank"], 5)
        self.ask(players[0], ["add 1", "add 2", "add 3"])

    def illegal(self, player, move, value):
        return None if move == "think" or whole(value) in (1, 2, 3) else "add 1, 2 or 3"

    def without(self, player):
        if self.state["turn"] == player:
            self.ask(self.after(player)[0], ["add 1"])

    def play(self, player, move, value):
        if move == "think":
            self.ask(player, ["add 1"], go_on=True)
            return
        self.state["count"] += whole(value)
        if self.state["count"] >= self.params["goal"]:
            self.finish([player], "there")
        else:
            self.ask(self.after(player)[0], ["add 1", "add 2", "add 3"])
"""
COIN = """
from referee import Game
MANIFEST = {"name": "Coin"}
class Coin(Game):
    together, gives_up = "calls", "fold"
    verbs, choices = {"call": "call"}, ("heads", "tails")
    def begin(self, players):
        self.deal(players)
        self.gather()
"""
PACT = """
from referee import Game

MANIFEST = {
    "name": "Pact",
    "max_seats": 2,
    "params": {"properties": {"open": {"type": "boolean", "default": True}}},
}

class Pact(Game):
    manifest = MANIFEST
    game, noun = "pact", "pact"
    texts = ("propose",)
    once = ("agree",)
    stages = {"propose": ("talk",), "agree": ("talk", "vote"), "sign": ("vote",)}
    situations = {"talk": "both talk", "vote": "both vote"}
    gives_up = None

    def begin(self, players):
        if not self.params["open"]:
            self.void("it is closed")
            return
        self.deal(players, stage="talk")
        self.ask(players, ["agree"])

    def play(self, player, move, value):
        if move == "agree":
            self.state["agree"].append(player)
            self.state["stage"] = "talk" if self.missing("agree") else "vote"
        self.say({"type": move, "value": value, "missing": self.missing("agree")})
"""
ODD: list[Any] = [True, 4.5, None, "4.0", "²", "", [4], "1" * 16]
TWO, MANY = RACE.replace("SEATS", "2"), RACE.replace("SEATS", "8")


async def begun(source: str = TWO, *players: str, **params: Any) -> Table:
    table = Table(Plain(), source, params)
    await table.begin(*(players or ("alice", "bob")))
    return table


# --- reading ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("guess: 42", ["guess", "42"]),
        ("Rock!", ["rock"]),
        ("E2E4", ["e2e4"]),
        ("(B)", ["b"]),
        (" GUESS   7. ", ["guess", "7"]),
        ("...", []),
        ("", []),
        (5, ["5"]),
    ],
)
async def test_words_are_read_as_people_write_them(text: Any, read: list[str]) -> None:
    assert SPACE["words"]({"text": text}) == read


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("Ask: Who are You?", ("ask", "Who are You?")),
        (" PROPOSE \n One: two. ", ("propose", "One: two.")),
        ("Rest!", ("rest", "")),
        ("...", ("", "")),
        ("", ("", "")),
        (5, ("5", "")),
    ],
)
async def test_a_command_leaves_what_follows_it_as_it_stands(
    text: Any, read: tuple[str, str]
) -> None:
    assert SPACE["command"]({"text": text}) == read


@pytest.mark.parametrize(
    ("value", "fits"), [("ab", True), ("é", True), ("abc", False), ("é!", False)]
)
async def test_a_text_is_measured_in_bytes(value: str, fits: bool) -> None:
    assert SPACE["is_text"](value, 2) is fits


@pytest.mark.parametrize("value", ["", " \n", None, 1, ["a"]])
async def test_what_says_nothing_is_no_text(value: Any) -> None:
    assert not SPACE["is_text"](value, 9)


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(1.8e9 + 0.9, "2027-01-15T08:00:00Z"), (-6e10, "0068-09-03T13:20:00Z")],
)
async def test_a_time_is_written_with_four_digits_for_the_year(
    seconds: float, written: str
) -> None:
    assert SPACE["utc"](seconds) == written


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ('{"type": "move"}', {"type": "move"}),
        (' {"a": [1]} ', {"a": [1]}),
        ("{broken", {"text": "{broken"}),
        ("[1]", {"text": "[1]"}),
        ("{}", {}),
        (7, {"text": 7}),
    ],
)
async def test_a_json_object_as_text_is_the_object(text: Any, read: Any) -> None:
    assert SPACE["said"]({"text": text}) == read


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (4, 4),
        (4.0, 4),
        ("4", 4),
        ("+4", 4),
        ("-04", -4),
        (True, None),
        (4.5, None),
        (None, None),
        ("4.0", None),
        ("²", None),
        ("", None),
        ([4], None),
        ("1" * 16, None),
    ],
)
async def test_a_whole_number_is_read_from_what_can_mean_one(value: Any, number: Any) -> None:
    assert SPACE["whole"](value) == number


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("b", "tea"),
        ("(B)", "tea"),
        ("TEA ", "tea"),
        ("a.", "Milk"),
        ("c", None),
        ("coffee", None),
        ("", None),
        (1, None),
    ],
)
async def test_an_option_is_read_from_its_letter_or_its_words(value: Any, meant: Any) -> None:
    assert SPACE["option"](value, ["Milk", "tea"]) == meant


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [(10, 500, [10, 132, 255, 377, 500]), (-1, 1, [-1, 0, 1]), (4, 4, [4])],
)
async def test_samples_reach_from_end_to_end(low: int, high: int, found: list[int]) -> None:
    assert SPACE["samples"](low, high) == found


# --- params, secrets, scores -----------------------------------------------------------------

RULES = {
    "n": {"type": "integer", "minimum": 1, "maximum": 9, "default": 3},
    "t": {"type": ["string", "null"], "minLength": 2, "maxLength": 3, "default": None},
    "e": {"type": "string", "enum": ["x", "y"], "default": "x"},
    "s": {"type": "number", "exclusiveMinimum": 0},
    "l": {
        "type": "array",
        "minItems": 1,
        "maxItems": 2,
        "items": {"type": "string", "pattern": "^[a-z]{1,3}$"},
    },
}


async def test_params_are_filled_with_what_the_manifest_says() -> None:
    filled = SPACE["filled"]({"n": 4, "other": 1}, {"params": {"properties": RULES}})
    assert filled == {"n": 4, "t": None, "e": "x", "s": None, "l": None, "other": 1}
    assert SPACE["filled"]({"a": 1}, {}) == {"a": 1}


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({"n": 0}, "n must be at least 1"),
        ({"n": 10}, "n must be at most 9"),
        ({"n": True}, "n must be integer"),
        ({"n": "1"}, "n must be integer"),
        ({"t": 1}, "t must be string or null"),
        ({"t": "x"}, "t must have at least 2 characters"),
        ({"t": "xxxx"}, "t must have at most 3 characters"),
        ({"e": "z"}, "e must be x or y"),
        ({"s": 0}, "s must be above 0"),
        ({"l": []}, "l must have 1 or more"),
        ({"l": ["a", "b", "c"]}, "l must have 2 or fewer"),
        ({"l": [1]}, "l has one that must be string"),
        ({"l": ["a", "B"]}, r"l has one that must be as \^\[a-z\]\{1,3\}\$"),
    ],
)
async def test_a_param_that_is_not_as_its_rule_says_is_refused(
    params: dict[str, Any], why: str
) -> None:
    with pytest.raises(ValueError, match=f"^{why}$"):
        SPACE["filled"](params, {"params": {"properties": RULES}})


async def test_a_commitment_is_opened_by_its_text_and_its_salt() -> None:
    salt, made = SPACE["commit"]("42")
    assert made == SPACE["digest"]("42", salt) != SPACE["digest"]("43", salt)
    assert made == hashlib.sha256(f"42{salt}".encode()).hexdigest() and len(salt) == 32


async def test_points_are_one_for_a_win_and_a_half_in_a_draw() -> None:
    assert SPACE["points"](["a", "b"], ["b"]) == {"a": 0, "b": 1}
    assert SPACE["points"](["a", "b"], []) == {"a": 0.5, "b": 0.5}


# --- the game --------------------------------------------------------------------------------


async def test_a_game_is_played_in_turn_to_its_end() -> None:
    table = await begun()
    for player, word in (("alice", "add 3"), ("bob", "Add: 3!"), ("alice", '{"text": "add 1"}')):
        assert table.mover == player
        await table.say(player, word)
    assert table.end == {"winners": ["alice"], "reason": "there"} and table.turn is None


async def test_what_is_refused_in_private_is_said_in_private() -> None:
    table = await begun()
    assert await table.refused("alice", "add 9") == "add 1, 2 or 3"
    assert table.posts[-1].to is None
    assert await table.refused("alice", "add 9", to=True) == "add 1, 2 or 3"
    assert table.posts[-1].to == ("alice",)
    assert await table.refused("carol", "add 1", to=True) == "not a player of this game"
    assert table.posts[-1].to is None  # who has no seat cannot be told alone


async def test_help_says_the_manifest_and_the_clock() -> None:
    table = await begun(TWO, seconds=30)
    (said,) = await table.say("bob", "!help")
    assert said["type"] == "help" and "Add 1 to 3 in turn" in said["text"]
    assert said["text"].endswith("Moves: add N, resign. Each move within 30 seconds.")


async def test_where_the_manifest_names_no_moves_help_does() -> None:
    table = await begun(COIN)
    (said,) = await table.say("bob", "!help")
    assert said["text"] == "Moves: heads, tails, fold, rematch."


async def test_giving_up_by_its_own_name_needs_no_rule() -> None:
    table = await begun(COIN)
    await table.say("alice", "Fold!")
    assert table.end == {"winners": ["bob"], "reason": "alice folded"}


async def test_the_bank_is_charged_for_the_time_of_ones_own_turns_only() -> None:
    table = await begun(TWO, bank=60, goal=99)
    assert table.seconds == 60
    table.now += 20
    await table.say("alice", "add 1")
    assert (table.mover, table.seconds) == ("bob", 60)
    table.now += 3
    await table.say("bob", "add 1")
    assert (table.mover, table.seconds) == ("alice", 45)
    assert table.state["bank"] == {"alice": 45, "bob": 62}
    await table.refused("bob", "add 1")
    await table.late()
    assert table.end == {"winners": ["bob"], "reason": "alice ran out of time"}


async def test_a_turn_is_bounded_by_its_seconds_and_by_what_is_left_in_the_bank() -> None:
    table = await begun(TWO, bank=60, seconds=50, goal=99)
    assert table.seconds == 50
    table.now += 50
    await table.say("alice", "add 1")
    await table.say("bob", "add 1")
    assert table.state["bank"] == {"alice": 15, "bob": 65} and table.seconds == 15


@pytest.mark.parametrize("clocks", [{"bank": 60}, {"seconds": 60}, {"bank": 90, "seconds": 60}])
async def test_a_turn_that_goes_on_keeps_its_clock_and_is_paid_once(clocks: dict[str, Any]) -> None:
    table = await begun(TWO, goal=99, **clocks)
    for left in (50, 40):
        table.now += 10
        await table.say("alice", "think")
        assert (table.mover, table.seconds) == ("alice", left)
    table.now += 10
    await table.say("alice", "add 1")
    bank = clocks.get("bank", 0)
    assert table.state.get("bank") == ({"alice": bank - 25, "bob": bank} if bank else None)


async def test_a_bank_may_hold_more_than_the_longest_clock() -> None:
    table = await begun(TWO, bank=2 * 31536000)
    assert table.seconds == 31536000


async def test_of_several_who_leaves_is_out_and_the_last_one_wins() -> None:
    table = await begun(MANY, "a", "b", "c")
    (left,) = await table.leave("a")
    assert left == {"type": "resign", "player": "a", "text": "left"} and table.mover == "b"
    await table.say("b", "concede")
    assert table.end == {"winners": ["c"], "reason": "b resigned"}
    await table.say("b", "rematch")
    await table.say("c", "rematch")
    assert table.end is None and table.mover == "c"


async def test_of_several_who_leaves_in_turn_hands_on_what_was_asked() -> None:
    table = await begun(MANY.replace("def without", "def unused"), "a", "b", "c")
    expect = table.expect
    await table.leave("b")
    assert table.mover == "a"
    await table.leave("a")
    assert table.end is not None
    table = await begun(MANY.replace("def without", "def unused"), "a", "b", "c")
    await table.say("a", "resign")
    assert (table.mover, table.expect) == ("b", expect)


async def test_who_is_left_of_a_team_goes_on_alone() -> None:
    table = await begun(MANY.replace("manifest = MANIFEST", "manifest = MANIFEST; team = True"))
    await table.say("alice", "resign")
    assert (table.mover, table.end) == ("bob", None)
    await table.say("bob", "resign")
    assert table.end == {"winners": [], "reason": "bob resigned"}


async def test_who_is_left_of_a_team_may_play_again_alone() -> None:
    table = await begun(MANY.replace("manifest = MANIFEST", "manifest = MANIFEST; team = True"))
    await table.leave("alice")
    await table.say("bob", "resign")
    await table.say("bob", "rematch")
    assert (table.mover, table.end) == ("bob", None)


async def test_who_is_out_is_not_among_those_who_follow() -> None:
    table = await begun(MANY, "a", "b", "c")
    await table.leave("b")
    for player, following in (("a", "c"), ("c", "a")):
        await table.say(player, "add 1")
        assert table.mover == following


CALLS = COIN.replace(
    'MANIFEST = {"name": "Coin"}',
    'MANIFEST = {"name": "Coin", "max_seats": 8, "params": {"properties": {"seconds": {}}}}',
).replace(
    "        self.gather()",
    "        self.gather()\n"
    "    def play(self, player, move, value):\n        self.take(player, value)\n"
    "    def opened(self):\n        self.say({'calls': self.state['calls']})\n"
    "        self.finish(self.state['standing'], 'all in')",
)


@pytest.mark.parametrize(
    ("players", "moved", "winners", "reason"),
    [
        ("ab", "a", ["a"], "b ran out of time"),
        ("ab", "b", ["b"], "a ran out of time"),
        ("ab", "", [], "nobody moved in time"),
        ("abc", "", [], "nobody moved in time"),
        ("abc", "c", ["c"], "b ran out of time"),
        ("abc", "ac", ["a", "c"], "all in"),
    ],
)
async def test_of_those_who_move_together_the_late_ones_are_out(
    players: str, moved: str, winners: list[str], reason: str
) -> None:
    table = await begun(CALLS, *players, seconds=30)
    for player in moved:
        await table.say(player, "call heads")
    await table.late()
    assert table.end == {"winners": winners, "reason": reason}


async def test_where_all_were_asked_and_time_is_up_nobody_wins() -> None:
    source = PACT.replace('"properties": {', '"properties": {"seconds": {}, ')
    table = await begun(source, seconds=30)
    await table.late()
    assert table.end == {"winners": [], "reason": "nobody moved in time"}


async def test_choices_may_be_a_text() -> None:
    source = COIN.replace('("heads", "tails")', '"call N, 1 to 9"')
    table = await begun(source)
    assert table.expect == "call N, 1 to 9"
    table = await begun(source.replace("together,", "sealed = True; together,"))
    assert table.expect == {"body": "call N, 1 to 9", "to": ["bot:referee"]}
    assert await table.refused("bob", "{" + '"type": "move", "game": "", "action": "x"}') == (
        "the moves are call N, 1 to 9, fold and rematch"
    )


async def test_too_few_begin_nothing() -> None:
    table = Table(Plain(), MANY)
    await table.begin("alice")
    assert table.end == {"winners": [], "reason": "this game takes two players or more"}


async def test_a_rule_that_is_missing_is_named(pool: Pool) -> None:
    source = "from referee import Game\nclass Bot(Game):\n    pass"
    call = HookCall(source, "on_start", players=("alice", "bob"))
    failed = await pool.run(call)
    assert isinstance(failed, Failed)
    assert "a Game needs begin(self, players)" in failed.text
    assert "`, line " in failed.text and ': raise NotImplementedError("a Game needs' in failed.text


async def test_a_clock_of_a_source_that_says_nothing_of_it_is_none(pool: Pool) -> None:
    hook = "def on_init(self):\n        self.say({'s': self.seconds, 'j': self.timed('%d')})"
    source = f"from referee import Game\nclass Bot(Game):\n    {hook}"
    result: Any = await pool.run(HookCall(source, "on_init"))
    assert json.dumps(result.said[0].body) == '{"j": "", "s": null}'


# --- a game of stages ------------------------------------------------------------------------


async def test_a_move_takes_the_text_after_it_as_it_stands() -> None:
    table = await begun(PACT)
    (said,) = await table.say("bob", "Propose: Tea,  at 5!")
    assert (said["type"], said["value"]) == ("propose", "Tea,  at 5!")
    (said,) = await table.say("bob", "propose")
    assert (said["type"], said["value"]) == ("propose", None)


async def test_a_word_that_is_a_move_of_its_own_has_no_value() -> None:
    table = await begun(PACT)
    (said,) = await table.say("alice", "Agree!")
    assert said == {"type": "agree", "value": None, "missing": ["bob"]}
    assert await table.say("alice", "agree to nothing") == []


async def test_what_all_say_once_is_not_said_twice() -> None:
    table = await begun(PACT)
    await table.say("alice", "agree")
    assert await table.refused("alice", "agree") == "you have said so; waiting for bob"
    (said,) = await table.say("bob", "agree")
    assert said["missing"] == []


async def test_a_move_of_another_stage_is_refused_with_what_goes_on() -> None:
    table = await begun(PACT)
    assert await table.refused("alice", "sign") == "sign: not now, both talk"
    await table.say("alice", "agree")
    await table.say("bob", "agree")
    assert await table.refused("alice", "propose x") == "propose: not now, both vote"
    await table.say("alice", "sign")


async def test_where_nobody_can_give_up_the_word_for_it_is_no_move() -> None:
    table = await begun(PACT)
    named = "the moves are propose, agree, sign and rematch"
    assert await table.refused("alice", "resign") == named
    move = {"type": "move", "game": "pact", "action": "concede"}
    assert await table.refused("alice", move) == named


async def test_what_cannot_begin_says_why_and_takes_no_move() -> None:
    table = await begun(PACT, open=False)
    assert table.end == {"winners": [], "reason": "it is closed"}
    assert await table.refused("alice", "agree") == "the pact has not started"
