# ruff: noqa: E501 the rows are read as a table
"""What a referee can do through ctx, and what it hears when it does it wrong."""

import textwrap
from dataclasses import replace
from typing import Any

import pytest

from mcp_multiplayer.sandbox.call import Failed, Finished, HookCall, Limits, Said, Turn
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.sandbox.hostcalls.dice import BLOCKS, LOT, SINGLY, Dice
from mcp_multiplayer.sandbox.worker.rng import Rng
from mcp_multiplayer.transcript.drbg import Drbg

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def do(pool: Pool, *lines: str, hook: Any = "on_init", args: Any = (), **call: Any) -> Any:
    """Run lines as the body of a hook of a class without __init__."""
    body = textwrap.indent("\n".join(lines), " " * 8)
    source = (
        f"class Bot:\n    def {hook}(self{', x' * bool(args)}):\n        ctx = self.ctx\n{body}\n"
    )
    defaults: dict[str, Any] = {
        "players": ("alice", "bob"),
        "key": b"k" * 32,
        "bot_id": "ref",
        "now": 100.0,
    }
    return await pool.run(HookCall(source, hook, args, **{**defaults, **call}))


async def test_posts_keep_their_order_kind_and_addressees(pool: Pool) -> None:
    result = await do(
        pool,
        'ctx.post("bot", "hi")',
        'ctx.post("control", {"a": (1, 2)})',
        'ctx.post("deal", {"hand": 2}, to="bob")',
        'ctx.post("deal", {"open": 1}, private={"hole": "KS"}, to=["alice", "bot:x"])',
        'ctx.post("deal", {"open": 1}, {"hole": "2H"}, ["bob"])',
    )
    assert result.said == (
        Said("bot", {"text": "hi"}),
        Said("control", {"a": [1, 2]}),
        Said("deal", {"hand": 2}, ("bob",)),
        Said("deal", {"open": 1}, ("alice", "bot:x"), {"hole": "KS"}),
        Said("deal", {"open": 1}, ("bob",), {"hole": "2H"}),
    )


async def test_state_is_copied_both_ways(pool: Pool) -> None:
    result = await do(
        pool,
        "a = ctx.get_state()",
        "a['list'].append(2)",
        "assert ctx.get_state() == {'list': [1]}",
        "ctx.set_state(a)",
        "a['list'].append(3)",
        "assert ctx.get_state() == {'list': [1, 2]}",
        state={"list": [1]},
    )
    assert result.state == {"list": [1, 2]}
    assert (await do(pool, "assert ctx.get_state() == {}")).state is None


async def test_turn_end_and_timers_are_collected(pool: Pool) -> None:
    result = await do(
        pool,
        'ctx.set_turn("alice", seconds=60, expect="guess N")',
        'ctx.set_timer("round", 5)',
        'ctx.cancel_timer("old")',
        'ctx.end({"winners": ("bob",), "reason": "x", "scores": {"bob": 1}})',
    )
    assert result.turn == Turn(("alice",), 60.0, "guess N")
    assert result.timers == {"round": 5.0, "old": None}
    assert result.end == {"winners": ["bob"], "reason": "x", "scores": {"bob": 1}}


@pytest.mark.parametrize(
    ("players", "turn"), [("None", ()), ("[]", ()), ('["bob", "bob", "alice"]', ("bob", "alice"))]
)
async def test_a_turn_may_be_nobodys_or_several_players(
    pool: Pool, players: str, turn: tuple[str, ...]
) -> None:
    assert (await do(pool, f"ctx.set_turn({players})")).turn == Turn(turn)


@pytest.mark.parametrize(
    ("more", "to"),
    [
        ('to=["bot:ref"]', ("bot:ref",)),
        ('to="bot:ref"', ("bot:ref",)),
        ('to=["bot:ref", "bob", "bob"]', ("bot:ref", "bob")),
        ('expect={"body": ["e4"], "to": ["bot:ref"]}', ("bot:ref",)),
        ('expect={"body": ["e4"], "to": "bot:ref"}', ("bot:ref",)),
        ('expect={"body": ["e4"], "to": "bot:other"}', None),
        ('expect={"to": ["bot:ref"]}, to=["bob"]', ("bob",)),
        ('expect={"from": "e2", "to": "e4"}', None),
        ('expect={"to": ["bot:ref", 7]}', None),
        ('expect={"to": []}', None),
        ('expect=["to", "fro"]', None),
        ('expect="to=[bot:ref]"', None),
    ],
)
async def test_a_turn_says_to_whom_its_move_is_sealed(
    pool: Pool, more: str, to: tuple[str, ...] | None
) -> None:
    result = await do(pool, f'ctx.set_turn("alice", {more})')
    assert result.turn is not None and result.turn.to == to


async def test_a_bot_knows_where_it_is(pool: Pool) -> None:
    result = await do(
        pool,
        'ctx.post("bot", {"p": ctx.players, "id": ctx.bot_id, "now": int(ctx.now()),'
        ' "w": ctx.workspace, "params": self.params})',
        params={"n": 1},
    )
    expected = {"p": ["alice", "bob"], "id": "ref", "now": 100, "w": "/workspace"}
    assert result.said[0].body == {**expected, "params": {"n": 1}}


async def test_dice_come_from_the_hooks_key_in_one_numbered_stream(pool: Pool) -> None:
    result = await do(
        pool,
        "import random, secrets",
        "deck = [0, 1, 2, 3]",
        "ctx.random.shuffle(deck)",
        'ctx.post("bot", {"v": [ctx.random.randint(1, 6), random.random(), deck,'
        " secrets.token_hex(4), ctx.random.choice('abc'), ctx.random.randrange(5)]})",
    )
    chance, deck = Rng(Drbg(b"k" * 32).take), [0, 1, 2, 3]
    chance.shuffle(deck)
    expected = [chance.randint(1, 6), chance.random(), deck, chance.take(4).hex()]
    expected += [chance.choice("abc"), chance.randrange(5)]
    assert result.said[0].body["v"] == expected
    assert result.draws == 8


ONE_QUESTION = {
    "ctx.random.shuffle(list(range(52)))": 51,
    "ctx.random.shuffle(list(range(312)))": 311,
    "ctx.random.sample(range(1000), 9)": 9,
    "random.choices('ab', k=100)": 100,
    "random.choices('ab', [1, 2], k=100)": 100,
    "secrets.token_bytes(1000)": 32,
    "random.getrandbits(1024)": 4,
    "random.randrange(2 ** 200)": 2,
    "uuid.uuid4()": 1,
}


@pytest.mark.parametrize("line", ONE_QUESTION)
async def test_many_draws_of_one_call_are_one_question_to_the_host(
    pool: Pool, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    answer = Dice.answer

    def seen(self: Dice, blocks: int) -> dict[str, Any]:
        asked.append(blocks)
        return answer(self, blocks)

    monkeypatch.setattr(Dice, "answer", seen)
    result = await do(pool, "import random, secrets, uuid", line)
    assert result.draws == ONE_QUESTION[line] and asked == [ONE_QUESTION[line]]


@pytest.mark.parametrize("line", ["ctx.random.randint(1, 6)", "random.Random(7).random()"])
@pytest.mark.parametrize("times", [0, 1, SINGLY, SINGLY + 1, 10_000])
async def test_as_many_are_told_as_are_drawn_until_a_hook_draws_on_and_on(
    pool: Pool, line: str, times: int
) -> None:
    result = await do(pool, "import random", f"for _ in range({times}): {line}")
    lots = 0 if times <= SINGLY else -(-(times - SINGLY) // LOT)
    room = line.startswith("ctx")
    assert result.draws == room * (min(times, SINGLY) + lots * LOT)


async def test_a_hook_that_draws_too_much_is_told_so_and_changes_nothing() -> None:
    async with Pool(limits=Limits(hook_seconds=60.0), spares=0) as patient:  # a second of work
        result = await do(patient, f"for _ in range({BLOCKS + 1}): ctx.random.random()")
    assert isinstance(result, Failed) and (result.error, result.line) == ("DrawLimit", 4)
    assert not result.killed and result.draws == BLOCKS


async def test_all_that_a_hook_may_draw_is_not_too_much(pool: Pool) -> None:
    result = await do(pool, "import secrets", f"secrets.token_bytes({32 * BLOCKS})")
    assert isinstance(result, Finished) and result.draws == BLOCKS


async def test_a_hook_that_fails_tells_how_many_draws_it_saw(pool: Pool) -> None:
    result = await do(pool, "ctx.random.random()", "1 / 0")
    assert isinstance(result, Failed) and result.draws == 1


WRONG = {
    'ctx.post("bot", 5)': "TypeError: post: body must be a dict or a string, not int",
    'ctx.post("", {})': "ValueError: post: kind must be a short word",
    'ctx.post("bot", {"x": {1}})': "BadValue: body.x: set is not a JSON value; use sorted(...)",
    'ctx.post("bot", {"x": 2 ** 60})': "send it as a string",
    'ctx.post("bot", "x", to="carol")': "post: to: nobody here is called 'carol'; seated: alice, bob",
    'ctx.post("bot", "x", to=[])': "post: to is empty; leave it out for everybody",
    'ctx.post("bot", "x", to=[1])': "post: to takes a player id or a list of them",
    'ctx.post("bot", {"a": 1}, private={"b": 2})': "private needs to=",
    'ctx.post("bot", {"a": 1}, private={"a": 2}, to="bob")': "stand in body and in private",
    'ctx.post("bot", {"a": 1}, private="x", to="bob")': "private must be a dict",
    "ctx.set_state([1])": "TypeError: state must be a dict, not list",
    'ctx.set_state({"scores": [1, 2, 3, float("nan")]})': "state.scores[3]: nan",
    "ctx.set_state({1: 2})": "state: the key 1 is not a string; use str(...)",
    'ctx.set_turn("carol")': "set_turn: nobody here is called 'carol'",
    'ctx.set_turn("bob", to=["carol"])': "set_turn: to: nobody here is called 'carol'",
    'ctx.set_turn("bob", to=[])': "set_turn: to is empty",
    'ctx.set_turn("bob", to=7)': "set_turn: to takes a player id or a list",
    'ctx.set_turn("bob", seconds=0)': "set_turn: seconds must be above 0",
    'ctx.set_turn("bob", seconds="9")': "set_turn: seconds must be a number",
    'ctx.set_turn("bob", seconds=True)': "set_turn: seconds must be a number",
    'ctx.set_timer("x", float("inf"))': "set_timer: seconds must be above 0",
    'ctx.set_timer("turn", 5)': "the timer 'turn' belongs to set_turn",
    'ctx.set_timer("", 5)': "a timer's name must be a short word",
    "[ctx.set_timer(f't{i}', 5) for i in range(99)]": "at most 32 timers in one hook",
    'ctx.end("alice")': 'end: takes a dict such as {"winners": ["alice"]',
    'ctx.end({"reason": "x"})': "end: takes a dict such as",
    'ctx.end({"winners": [1]})': "end: winners takes a player id or a list",
    "ctx.random.choice([])": "cannot choose from an empty sequence",
    "ctx.random.randint(2, 1)": "ValueError: empty range",
    "ctx.random.sample([1], 2)": "sample larger than population",
    "ctx.nothing": "AttributeError",
    "import time; time.sleep(-1)": "sleep length",
    "x['player']": 'a message has "sender", not "player"',
    "x.body": "'dict' object has no attribute 'body'",
    "oops": "NameError: name 'oops' is not defined",
    "raise SystemExit(1)": "SystemExit: 1",
    "import sys; sys.exit(2)": "SystemExit: 2",
    "raise ValueError('\\ud800')": "ValueError: ?",
}


@pytest.mark.parametrize("line", WRONG)
async def test_an_error_says_what_where_and_what_to_do(pool: Pool, line: str) -> None:
    result = await do(pool, "pass", line, hook="on_message", args=({"body": {}},))
    assert isinstance(result, Failed) and result.line == 5, result
    assert WRONG[line] in result.text and f"line 5: {line.strip()[:60]}" in result.text
    assert result.error == result.text.split(":")[0].split("\n")[0] and not result.killed


async def test_an_error_deep_in_a_library_is_told_at_the_bots_own_line(pool: Pool) -> None:
    result = await do(pool, "import json", 'json.loads("{")')
    assert (result.error, result.line) == ("JSONDecodeError", 5)
    assert ".py" not in result.text


async def test_what_a_bot_prints_is_kept_and_cut(pool: Pool) -> None:
    result = await do(
        pool, 'print("a", 1, sep="-", end="!")', "import sys", 'sys.stdout.write("b")'
    )
    assert result.prints == "a-1!b"
    result = await do(pool, 'print("\N{EURO SIGN}" * 10 ** 6)', 'print("more")', "1 / 0")
    assert isinstance(result, Failed)
    assert 8000 < len(result.prints.encode()) < 8300 and result.prints.endswith("(cut)\n")


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        (['ctx.post("bot", "x" * 50_000)'], "OutputLimit"),
        (["for i in range(300):", '    ctx.post("bot", "x")'], "OutputLimit"),
        (["for i in range(10 ** 9):", '    ctx.post("bot", "x" * 1000)'], "OutputLimit"),
        (['ctx.set_state({"x": "y" * 300_000})'], "StateLimit"),
        (
            ["try:", '    ctx.post("bot", "x" * 50_000)', "except Exception:", "    pass"],
            "OutputLimit",
        ),
    ],
)
async def test_a_flood_changes_nothing_even_if_the_bot_catches_the_error(
    pool: Pool, lines: list[str], error: str
) -> None:
    result = await do(pool, *lines)
    assert isinstance(result, Failed) and result.error == error


@pytest.mark.parametrize(
    "head",
    [
        "class B:\n    def __init__(self, ctx, params):\n        self.ctx, self.p = ctx, params\n",
        "class A:\n    def __init__(self, ctx, params):\n        self.ctx, self.p = ctx, params\n"
        "class B(A):\n",
        "class A:\n    def __init__(self, ctx, params):\n        self.ctx = ctx\nclass B(A):\n"
        "    def __init__(self, ctx, params):\n        super().__init__(ctx, params)\n"
        "        self.p = params\n",
        "class B:\n    p = 1\n",
        "class A(object):\n    p = 1\nclass B(A):\n",
        "class B(dict):\n    p = 1\n",
    ],
)
async def test_every_way_to_get_the_context_works(pool: Pool, head: str) -> None:
    source = head + "    def on_init(self):\n        self.ctx.post('bot', {'p': bool(self.p)})\n"
    result = await pool.run(HookCall(source, "on_init", params={"x": 1}))
    assert isinstance(result, Finished), result
    assert result.said[0].body == {"p": True}


COIN = """
class Coin:
    def __init__(self, ctx, params):
        self.ctx = ctx
        self.s = ctx.get_state()            # {} the first time
    def on_start(self):                     # every seat is taken: first moment for fair dice and secrets
        self.s = {"calls": {}}
        self.save()
        self.ctx.post("bot", {"text": "Call it: heads or tails, sealed: to=[\\"bot:coin\\"]"})
        self.ctx.set_turn(self.ctx.players, seconds=3600, expect="heads | tails")
    def on_message(self, msg):              # players' messages only: {id, sender, kind, body, ts, to?}
        call = msg["body"].get("text", "").strip().lower()
        if call not in ("heads", "tails"):
            return
        self.s["calls"][msg["sender"]] = call
        self.save()
        if len(self.s["calls"]) == len(self.ctx.players):
            self.finish()
    def on_timer(self, name):               # "turn" when a turn's seconds run out
        self.finish()
    def finish(self):
        side = self.ctx.random.choice(["heads", "tails"])
        won = [p for p, c in self.s["calls"].items() if c == side]
        self.ctx.post("bot", {"side": side, "calls": self.s["calls"]})
        self.ctx.end({"winners": won, "reason": "coin " + side})
    def save(self):
        self.ctx.set_state(self.s)
"""


async def test_the_bot_of_the_help_page_plays(pool: Any) -> None:
    assert (await pool.inspect(COIN)).dice
    call = HookCall(COIN, "on_start", players=("alice", "bob"), key=b"c" * 32)
    begun = await pool.run(call)
    assert begun.turn == Turn(("alice", "bob"), 3600.0, "heads | tails")
    state = begun.state
    for player, side in (("alice", "Heads"), ("bob", "tails ")):
        message = {"sender": player, "kind": "user", "body": {"text": side}}
        said = await pool.run(replace(call, hook="on_message", args=(message,), state=state))
        state = said.state
    side = said.said[0].body["side"]
    assert said.end == {
        "winners": [{"heads": "alice", "tails": "bob"}[side]],
        "reason": f"coin {side}",
    }


async def test_a_hook_that_is_not_there_does_nothing(pool: Pool) -> None:
    source = "raise ValueError('not even the top level runs')\nclass A:\n  def on_init(self): pass"
    assert await pool.run(HookCall(source, "on_timer", ("x",))) == Finished()


async def test_an_error_at_the_top_level_or_in_init_fails_the_hook(pool: Any) -> None:
    hook = "\n    def on_init(self): pass"
    result = await pool.run(HookCall(f"x = 1 / 0\nclass A:{hook}", "on_init"))
    assert (result.error, result.line) == ("ZeroDivisionError", 1)
    result = await pool.run(HookCall(f"class A:\n    def __init__(self): pass{hook}", "on_init"))
    assert result.error == "TypeError" and "on_init" not in result.text.split("hint:")[0]
