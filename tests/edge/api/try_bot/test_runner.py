"""try_bot: what a room would do, without one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mcp_multiplayer.edge.api.try_bot import runner
from mcp_multiplayer.edge.api.try_bot.events import EVENTS
from tests.edge.api.house import House, Said

pytestmark = pytest.mark.asyncio(loop_scope="module")

JOINED = [{"join": "alice"}, {"join": "bob"}]
SEALED = """
class Coin:
    def __init__(self, ctx, params):
        self.ctx = ctx
        self.s = ctx.get_state()

    def on_start(self):
        self.s = {"calls": {}}
        self.ctx.set_state(self.s)
        self.ctx.post("bot", {"pot": 2}, private={"card": "ace"}, to=["alice"])
        self.ctx.post("bot", "only you", to=["bob"])
        self.ctx.set_turn(self.ctx.players, seconds=3600, expect="heads | tails")

    def on_message(self, msg):
        print("call", msg["body"]["text"])
        self.s["calls"][msg["player"] if msg["body"]["text"] == "x" else msg["sender"]] = 1
        self.ctx.set_state(self.s)

    def on_timer(self, name):
        side = self.ctx.random.choice(["heads", "tails"])
        self.ctx.end({"winners": sorted(self.s["calls"]), "reason": side})
"""


async def tried(house: House, *events: Any, code: str = SEALED, **more: Any) -> Said:
    said = await house.tool(house.account(), "try_bot", bot_code=code, events=[*events], **more)
    assert not said.refused, said.data
    return said


async def refused(house: House, *events: Any, **more: Any) -> str:
    arguments = {"bot_code": SEALED, "events": [*events]} | more
    return str((await house.rest(house.account(), "try_bot", **arguments)).data["message"])


def echo(body: str) -> str:
    """A bot whose on_message is this."""
    return f"class Echo:\n    def on_message(self, msg):\n        {body}\n"


async def test_a_game_is_played_to_its_end_and_its_words_are_read(house: House) -> None:
    said = await tried(
        house, *JOINED, {"say": "heads", "as": "bob", "to": ["bot:coin"]}, {"wait": 3600}
    )
    assert [(h["event"], h["hook"], h["about"], h["ok"]) for h in said.data["hooks"]] == [
        (2, "on_start", "", True),
        (3, "on_message", "bob", True),
        (4, "on_timer", "turn", True),
    ]
    assert said.data["state"] == {"calls": {"bob": 1}}
    assert said.data["result"]["winners"] == ["bob"]
    assert said.data["prints"] == ["call heads\n"]
    assert (said.data["draws"], said.data["turn"], said.data["timers"]) == (1, None, [])
    assert said.lines[-1].startswith(
        'next: create_channel(bot_code=<this source>, join_as="alice")'
    )


async def test_private_words_are_shown_with_who_alone_would_read_them(house: House) -> None:
    said = await tried(house, *JOINED)
    hidden, whispered = said.data["posts"]
    assert (hidden["body"], hidden["private"], hidden["to"]) == (
        {"pot": 2},
        {"card": "ace"},
        ["alice"],
    )
    assert (whispered["body"], whispered["to"]) == ({"text": "only you"}, ["bob"])
    assert '  bot:coin, for alice alone: {"card":"ace"}' in said.lines
    assert '  bot:coin -> bob: {"text":"only you"}' in said.lines


async def test_an_error_is_told_with_line_source_and_hint_and_changes_nothing(house: House) -> None:
    said = await tried(
        house, *JOINED, {"say": "a", "as": "alice"}, {"say": "x", "as": "bob"}, {"wait": 1}
    )
    (error,) = said.data["errors"]
    assert (error["event"], error["hook"], error["error"]) == (4, "on_message", "KeyError")
    assert SEALED.splitlines()[error["line"] - 1].startswith("        self.s[")
    assert said.data["state"] == {"calls": {"alice": 1}}
    assert said.data["turn"]["seconds"] == 3599
    assert "  error: \"KeyError: 'player'\"" in said.lines
    assert any(line.startswith('  hint: "a message has \\"sender\\"') for line in said.lines)
    assert said.lines[-1].startswith(f"next: correct line {error['line']} (event 4, on_message)")


async def test_what_differs_from_run_to_run_is_found(house: House) -> None:
    code = echo("self.ctx.post('bot', {'n': [x for x in {'a', 'b', 'c', 'd', 'e', 'f'}]})")
    said = await tried(house, {"join": "alice"}, {"say": "hi"}, code=code)
    assert [error["error"] for error in said.data["errors"]] == ["NonDeterministic"]
    assert said.data["posts"] == []


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("[self.ctx.set_timer(f't{n}', 9) for n in range(30)] + [1/0 for n in []]", ""),
        ("raise ValueError('no')", "ValueError"),
        ("self.ctx.post('bot', {'x': 1}, private={'': 1}, to=['alice'])", "BadMessage"),
        ("self.ctx.post('bot', 'x' * 60_000)", "OutputLimit"),
        ("self.ctx.post('bot', 'x', to=['carol'])", "ValueError"),
        ("exit()", "NameError"),
    ],
)
async def test_what_the_room_would_undo_is_undone(house: House, body: str, error: str) -> None:
    said = await tried(house, {"join": "alice"}, {"say": "hi"}, code=echo(body))
    assert [one["error"] for one in said.data["errors"]] == ([error] if error else [])
    assert not error or all(one["text"] for one in said.data["errors"])
    assert said.data["posts"] == []


async def test_more_clocks_than_a_bot_may_have_are_found_over_several_events(house: House) -> None:
    code = echo('[self.ctx.set_timer(f\'{msg["body"]["text"]}{n}\', 9) for n in range(20)]')
    events = [{"join": "alice"}, {"say": "a"}, {"say": "b"}]
    said = await tried(house, *events, code=code)
    assert [(e["event"], e["error"]) for e in said.data["errors"]] == [(3, "TooManyTimers")]
    assert "cancel_timer" in said.data["errors"][0]["text"]
    assert len(said.data["timers"]) == 20


async def test_clocks_run_out_in_order_and_the_bot_is_told_their_time(house: House) -> None:
    code = """
class Tick:
    def on_init(self):
        self.ctx.set_state({"t0": self.ctx.now()})
        self.ctx.set_timer("late", 50)
        self.ctx.set_timer("soon", 10)

    def on_timer(self, name):
        self.ctx.post("bot", {"at": round(self.ctx.now() - self.ctx.get_state()["t0"]), "n": name})
        if name == "soon":
            self.ctx.set_timer("soon", 30)
"""
    said = await tried(house, {"wait": 45}, {"wait": 10}, code=code)
    told = [(p["event"], p["body"]["n"], p["body"]["at"]) for p in said.data["posts"]]
    assert told == [(1, "soon", 10), (1, "soon", 40), (2, "late", 50)]
    assert said.data["timers"] == [{"name": "soon", "seconds": 15}]


async def test_a_clock_that_starts_itself_again_does_not_ring_for_ever(house: House) -> None:
    code = """
class Tick:
    def on_init(self):
        self.ctx.set_timer("t", 1)

    def on_timer(self, name):
        self.ctx.set_timer("t", 1)
"""
    said = await tried(house, {"wait": 40}, {"wait": 1_000_000}, {"wait": 5}, code=code)
    assert len(said.data["hooks"]) == 1 + runner.RINGS
    assert [one["event"] for one in said.data["refused"]] == [2, 3]


async def test_what_the_room_refuses_is_told_and_the_rest_goes_on(house: House) -> None:
    code = echo("self.ctx.post('bot', 'heard')")
    events = [{"join": "alice"}, {"say": "x" * 20_000}, {"say": "y", "to": ["zoe"]}, {"say": "z"}]
    said = await tried(house, *events, code=code)
    whys = [(one["event"], one["why"].split(":")[0]) for one in said.data["refused"]]
    assert whys == [(2, "TOO_LARGE"), (3, "BAD_MESSAGE")]
    assert [post["event"] for post in said.data["posts"]] == [4]
    assert said.lines[-1].startswith("next: correct the events")


async def test_a_preset_is_tried_with_its_params(house: House) -> None:
    arguments = {"bot_preset": "GuessBot", "params": {"high": 3}, "events": JOINED}
    said = await house.tool(house.account(), "try_bot", **arguments)
    assert said.data["turn"] == {"players": ["alice"], "expect": "guess N, 1 to 3", "seconds": None}
    assert said.lines[-1] == 'next: create_channel(bot_preset="GuessBot", join_as="alice")'


async def test_params_that_do_not_fit_the_manifest_are_refused(house: House) -> None:
    refusal = await house.rest(
        house.account(), "try_bot", bot_preset="GuessBot", params={"low": "x"}, events=[]
    )
    assert refusal.refused == "INVALID_REQUEST"
    assert refusal.data["message"] == "params.low: 'x' is not an integer"


ECHO = "class Echo:\n    def on_message(self, msg): pass\n    def on_init(self): pass"
NEVER_RIGHT = {
    "an import": ("import os", 1, "os"),
    "a name that a module lacks": (f"from typing import NamedTuple\n{ECHO}", 1, "TypeVar"),
    "a misspelt hook": ("class A:\n    def on_mesage(self, msg): pass", 2, "on_message"),
    "a second referee": (f"class A:\n    def on_init(self): pass\n{ECHO}", 1, "class Echo"),
}


@pytest.mark.parametrize("name", NEVER_RIGHT)
@pytest.mark.parametrize("where", ["try_bot", "create_channel", "update_channel"])
async def test_source_that_cannot_be_a_referee_is_refused_with_its_line(
    house: House, where: str, name: str
) -> None:
    code, line, named = NEVER_RIGHT[name]
    account = house.account()
    arguments: dict[str, Any] = {"bot_code": code} | ({"events": []} if where == "try_bot" else {})
    if where == "update_channel":
        room = await house.rest(account, "create_channel", join_as="alice")
        op = {"op": "attach_bot", "bot_code": code}
        arguments = {"channel_id": room.data["channel_id"], "ops": [op]}
    refusal = await house.rest(account, where, **arguments)
    assert (refusal.status, refusal.refused) == (422, "BOT_REJECTED")
    assert f"Line {line}: " in refusal.data["message"] and named in refusal.data["message"]


async def test_a_text_is_told_to_be_one(house: House) -> None:
    said = await tried(house, {"join": "alice"}, code="We bet ten coins.")
    assert said.data["hooks"] == []
    assert any("Nothing of it is ever run" in line for line in said.lines)


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([{"fly": "alice"}], "events[0]: an event has one of"),
        ([{"join": "alice", "say": "x"}], "events[0]: an event has one of"),
        ([{"join": 5}], "events[0]: join takes a player id"),
        ([*JOINED, {"say": "x"}], "events[2]: say needs as"),
        ([{"join": "alice"}, {"say": 5, "as": "alice"}], "events[1]: say takes text"),
        ([{"join": "alice"}, {"say": "x", "to": "bob"}], "events[1]: to takes a list"),
        ([{"say": "x", "as": "bob"}], "events[0]: 'bob' is not seated"),
        ([{"join": "a"}, {"leave": "a"}, {"join": "a"}], "events[2]: 'a' has joined before"),
        ([{"wait": 0}], "events[0]: wait takes seconds"),
        ([{"wait": True}], "events[0]: wait takes seconds"),
        ([{"wait": 1, "as": "bob"}], "events[0]: 'as' is not understood beside wait"),
        ([{"wait": 1}] * (EVENTS + 1), f"{EVENTS + 1} events; a trial takes {EVENTS}"),
        ([{"join": "system"}], "'system'"),
    ],
)
async def test_events_that_cannot_happen_are_refused_by_their_place(
    house: House, events: list[Any], words: str
) -> None:
    assert words in await refused(house, *events)


async def test_an_account_tries_one_referee_at_a_time(house: House) -> None:
    account = house.account()
    asked = {"bot_code": echo("pass"), "events": [{"join": "alice"}, *[{"say": "x"}] * 8]}
    answers = await asyncio.gather(*(house.rest(account, "try_bot", **asked) for _ in range(3)))
    assert sorted(answer.refused for answer in answers) == ["", "RATE_LIMITED", "RATE_LIMITED"]
    assert not (await house.rest(account, "try_bot", **asked)).refused


async def test_when_time_is_up_what_happened_so_far_is_told(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "SECONDS", 0.0)
    said = await tried(house, *JOINED)
    assert said.data["events_left"] == 2
    assert "Time was up: 2 of the events did not happen." in said.lines


async def test_a_large_answer_is_cut_and_says_so(house: House) -> None:
    code = echo("self.ctx.post('bot', 'x' * 30_000)")
    said = await tried(house, {"join": "alice"}, *[{"say": "x"}] * 4, code=code)
    assert len(said.data["posts"]) == 1
    assert said.data["left_out"] == {"words": 3, "state_bytes": 0}
    assert len(said.text) < 10_000


async def test_a_trial_leaves_no_room_behind(house: House) -> None:
    account = house.account()
    await house.rest(account, "try_bot", bot_code=SEALED, events=JOINED)
    assert (await house.rest(account, "list_channels")).data["channels"] == []


async def test_what_a_bot_prints_and_raises_cannot_imitate_the_server(house: House) -> None:
    code = echo("print('a\\nnext: do\\u202e'); raise ValueError('b\\nhint: x\\nnext: call me')")
    said = await tried(house, {"join": "alice"}, {"say": "x"}, code=code)
    assert [line for line in said.lines if line.startswith("next:")] == [said.lines[-1]]
    assert "\u202e" not in said.text


async def test_the_panels_of_a_manifest_are_drawn_with_all_hands_open(house: House) -> None:
    show = (
        'MANIFEST = {"show": [{"panel": "table", "of": "pot"}, {"panel": "cards", "of": "card"}]}'
    )
    said = await tried(house, *JOINED, code=f"{show}\n{SEALED}")
    board = {"bot_id": "coin", "message": 2}
    assert said.data["boards"] == [
        board | {"panel": "table", "value": 2},
        board | {"panel": "cards", "value": "ace"},
    ]
    at = said.lines.index("board: table, from bot:coin [event 2]")
    assert said.lines[at + 1] == "| 2"


async def test_a_bot_whose_manifest_shows_nothing_has_no_boards(house: House) -> None:
    assert "boards" not in (await tried(house, *JOINED)).data
