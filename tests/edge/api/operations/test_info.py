"""What can be asked of the server and its referees, and changes nothing."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from mcp_multiplayer.config import VERSION
from mcp_multiplayer.edge.api.guides import GUIDES, INSTRUCTIONS
from mcp_multiplayer.edge.api.operations.table import TABLE
from mcp_multiplayer.sandbox.jail.selftest_attacks import ATTACKS
from mcp_multiplayer.sandbox.language.imports import TABLE as MODULES
from mcp_multiplayer.sandbox.worker.context import Context
from mcp_multiplayer.transcript.names import HOOKS
from tests.edge.api.house import House

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOTS_DIR = Path(__file__).parents[4] / "bots"
GUESS_BOT = (BOTS_DIR / "guess_bot.py").read_text()
FIELDS = {
    *("bot_id", "name", "version", "code", "code_ref"),
    *("manifest", "params", "code_hash", "manifest_hash"),
}


async def test_the_code_of_a_preset_is_its_file_byte_for_byte(house: House) -> None:
    host = house.account()
    room = await house.room(host, bot_preset="GuessBot")
    said = await house.rest(host, "get_bot_code", channel_id=room["channel_id"])
    assert said.data.keys() == FIELDS | {"library", "next"}
    assert said.data["code"] == GUESS_BOT
    assert said.data["code_ref"] == "builtin://GuessBot"
    digest = hashlib.sha256(said.data["code"].encode()).hexdigest()
    assert said.data["code_hash"] == f"sha256:{digest}"


async def test_code_can_be_read_from_a_line_on(house: House) -> None:
    host = house.account()
    room = await house.room(host, bot_preset="GuessBot")
    said = await house.rest(
        host, "get_bot_code", channel_id=room["channel_id"], bot_id="guess-referee", from_line=100
    )
    assert said.data["code"] == "".join(GUESS_BOT.splitlines(keepends=True)[99:])


async def test_the_library_of_a_preset_is_its_file_byte_for_byte(house: House) -> None:
    room = await house.room(house.account(), bot_preset="GuessBot")
    asked = {"invite_code": room["invites"][0]}
    source = await house.rest(house.account(), "get_bot_code", **asked)
    said = await house.rest(house.account(), "get_bot_code", **asked, library="true")
    assert said.data.keys() == {"bot_id", "code", "library", "next"}
    assert said.data["code"] == (BOTS_DIR / "referee.py").read_text()
    digest = hashlib.sha256(said.data["code"].encode()).hexdigest()
    assert said.data["library"] == source.data["library"] == f"sha256:{digest}"


async def test_a_library_that_a_bot_does_not_import_cannot_be_asked_for(house: House) -> None:
    host = house.account()
    room = await house.room(host, bot_code=PAGES["a line of many"])
    asked = {"channel_id": room["channel_id"]}
    assert "library" not in (await house.rest(host, "get_bot_code", **asked)).data
    said = await house.rest(host, "get_bot_code", **asked, library="true")
    assert said.refused == "INVALID_REQUEST"
    assert said.data["hint"] == "Leave library out."


#: Sources whose pages end, or consist, of what is easily lost.
PAGES = {
    "blank lines where pages end": "".join(f"# {n} {'x' * 97}\n\n\n" for n in range(200)),
    "blank lines at the end": "# " + "x" * 9000 + "\n" * 4000,
    "no line feed at the end": "\n".join(["# " + "x" * 5000] * 4),
    "a line of many": "\n\n# " + "x" * 20_000 + "\n\n# " + "y" * 20_000,
}


@pytest.mark.parametrize("name", PAGES)
async def test_the_pages_of_a_source_joined_together_hash_to_its_hash(
    house: House, name: str
) -> None:
    host = house.account()
    room = await house.room(host, bot_code=PAGES[name])
    pages, following = [], 1
    while following:
        said = await house.tool(
            host, "get_bot_code", channel_id=room["channel_id"], from_line=following
        )
        digest = str(re.search(r"code sha256:(\w+)", said.text)[1])  # type: ignore[index]
        fence = f"---sha256:{digest}\n"
        pages.append(said.text.partition(fence)[2].partition(f"\n{fence}")[0])
        goes_on = re.search(r"from_line=(\d+)", said.lines[-1])
        following = int(goes_on[1]) if goes_on else 0
    assert len(pages) > 1
    assert hashlib.sha256("\n".join(pages).encode()).hexdigest() == digest


async def test_code_can_be_read_with_an_invite_before_joining(house: House) -> None:
    room = await house.room(house.account(), bot_preset="GuessBot")
    said = await house.rest(
        house.account(), "get_bot_code", invite_code=room["invites"][0], bot_id="bot:guess-referee"
    )
    assert said.data["code"] == GUESS_BOT


async def test_code_cannot_be_read_from_behind_its_end(house: House) -> None:
    host = house.account()
    room = await house.room(host, bot_preset="GuessBot")
    said = await house.rest(
        host, "get_bot_code", channel_id=room["channel_id"], bot_id="guess-referee", from_line=9999
    )
    assert said.refused == "INVALID_REQUEST"
    assert said.data["message"] == "the source ends before line 9999"


async def test_a_room_and_an_invite_of_another_room_are_not_read_as_one(house: House) -> None:
    host = house.account()
    room, other = [await house.room(host, bot_preset="GuessBot") for _ in range(2)]
    asked = {"channel_id": room["channel_id"], "invite_code": other["invites"][0]}
    said = await house.rest(host, "get_bot_code", **asked)
    assert said.refused == "INVALID_REQUEST"


async def test_code_of_no_room_at_all_cannot_be_asked_for(house: House) -> None:
    said = await house.rest(house.account(), "get_bot_code", bot_id="guess-referee")
    assert said.refused == "INVALID_REQUEST"


async def test_a_bot_that_is_not_here_is_refused_with_those_that_are(house: House) -> None:
    host = house.account()
    room = await house.room(host, bot_preset="GuessBot")
    said = await house.rest(host, "get_bot_code", channel_id=room["channel_id"], bot_id="judge")
    assert (said.status, said.refused) == (404, "BOT_NOT_FOUND")
    assert said.data["hint"] == "Bots: guess-referee."


async def test_presets_are_listed_with_what_they_play(house: House) -> None:
    said = await house.rest(house.account(), "list_bots")
    (guess,) = [bot for bot in said.data["bots"] if bot["name"] == "GuessBot"]
    assert guess["seats"] == ["alice", "bob"]
    assert guess["params"]["properties"].keys() == {"low", "high", "guesses", "seconds"}
    assert guess["code_hash"] == "sha256:" + hashlib.sha256(GUESS_BOT.encode()).hexdigest()


@pytest.mark.parametrize("topic", GUIDES)
async def test_every_guide_can_be_read(house: House, topic: str) -> None:
    said = await house.rest(house.account(), "help", topic=topic)
    assert said.data | {"next": ""} == {"topic": topic, "text": GUIDES[topic], "next": ""}


async def test_guides_name_tools_that_are_there() -> None:
    tools = {entry.name for entry in TABLE}
    named = set(re.findall(r"\b([a-z]+(?:_[a-z]+)+)\(", " ".join([*GUIDES.values(), INSTRUCTIONS])))
    in_bots = {"set_turn", "get_state", "set_state", "on_join", "on_message", "on_leave"}
    in_bots |= {"on_init", "on_start", "on_timer", "set_timer", "cancel_timer"}
    assert named - in_bots <= tools


async def test_help_on_nothing_names_every_topic_and_is_how_to_play(house: House) -> None:
    said = (await house.rest(house.account(), "help")).data
    assert said["topic"] == "play" and said["text"].endswith(GUIDES["play"])
    named = [line.partition(":")[0] for line in said["text"].split("\n")[1:]]
    assert named[: len(GUIDES)] == list(GUIDES)


async def test_a_guide_that_is_not_there_is_refused_with_those_that_are(house: House) -> None:
    said = await house.rest(house.account(), "help", topic="poker")
    assert said.refused == "INVALID_REQUEST"
    assert all(topic in said.data["hint"] for topic in GUIDES)


EVENTS = re.compile(r"try_bot\(bot_code, events=(\[.*?\])\)", re.DOTALL)


CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)


async def of_the_guide(house: House, *more: dict[str, str], events: Any = ()) -> dict[str, Any]:
    """A trial of the first bot in the guide, with these events or those of the guide."""
    code, _ = CODE.findall(GUIDES["bots"])
    (listed,) = EVENTS.findall(GUIDES["bots"])
    events = [*(events or json.loads(listed)), *more]
    said = await house.rest(house.account(), "try_bot", bot_code=code, events=events)
    assert (said.data["errors"], said.data["refused"]) == ([], [])
    return said.data


async def test_the_bot_of_the_guide_runs_as_written_with_the_events_of_the_guide(
    house: House,
) -> None:
    tried = await of_the_guide(house)
    assert tried["result"] == {"winners": ["alice"], "reason": "bob ran out of time"}
    assert [hook["hook"] for hook in tried["hooks"]][1:] == ["on_start", "on_message", "on_timer"]


async def test_the_bot_of_the_guide_plays_a_game_and_another(house: House) -> None:
    takes = [{"say": "take 3", "as": who} for who in ("alice", "bob", "alice")]
    ended = [{"join": "alice"}, {"join": "bob"}, *takes, {"say": "take 1", "as": "bob"}]
    tried = await of_the_guide(house, events=ended)
    assert tried["result"]["winners"] == ["bob"]
    again = [{"say": "rematch", "as": who} for who in ("alice", "bob")]
    tried = await of_the_guide(house, *again, events=ended)
    assert (tried["result"], tried["turn"]["players"]) == (None, ["bob"])


async def test_the_bot_of_the_guide_refuses_what_its_rules_do_not_allow(house: House) -> None:
    events = [{"join": "alice"}, {"join": "bob"}, {"say": "take 4", "as": "alice"}]
    said = (await of_the_guide(house, events=events))["posts"][-1]
    assert (said["body"]["type"], said["body"]["reason"]) == ("violation", "take 1 to 3")


async def test_the_second_bot_of_the_guide_opens_what_was_sealed_when_all_is_in(
    house: House,
) -> None:
    _, code = CODE.findall(GUIDES["bots"])
    calls = [
        {"say": "Heads!", "as": "alice", "to": ["bot:coin"]},
        {"say": "call: heads", "as": "bob"},
        {"say": "call tails", "as": "bob", "to": ["bot:coin"]},
    ]
    events = [{"join": "alice"}, {"join": "bob"}, *calls]
    said = await house.rest(house.account(), "try_bot", bot_code=code, events=events)
    assert (said.data["errors"], said.data["refused"]) == ([], [])
    assert said.data["posts"][-2]["body"]["reason"].startswith("void")
    opened = said.data["posts"][-1]["body"]
    assert opened["calls"] == {"alice": "heads", "bob": "tails"}
    won = [who for who, called in opened["calls"].items() if called == opened["side"]]
    assert said.data["result"]["winners"] == won


async def test_the_guide_names_all_that_a_referee_can_do() -> None:
    guide = GUIDES["bots"]
    assert {hook for hook in HOOKS if f"{hook}(" not in guide} == set()
    can = {name for name in dir(Context) if not name.startswith("_")} - {"bot_id"}
    assert {name for name in can if f"ctx.{name}" not in guide} == set()
    listed = set(re.search(r"Imports: (.*) \(4 s", guide, re.DOTALL)[1].split())  # type: ignore[index]
    modules = {path.split(".")[0] for path in MODULES} - {"certifi", "charset_normalizer", "idna"}
    assert {name.strip(";") for name in listed} - {"network:"} == modules


async def test_health_shows_version_limits_and_isolation(house: House) -> None:
    data = (await house.rest(house.account(), "health_check")).data
    assert (data["status"], data["version"]) == ("ok", VERSION)
    assert data["limits"]["body_kb"] == 16
    isolation = data["isolation"]
    assert isolation["level"] in ("full", "strong") and isolation["seccomp"] is True
    assert isolation["selftest"] == f"{len(ATTACKS)}/{len(ATTACKS)}"
    assert set(isolation["counts"]) == {"ran", "failed", "timed_out", "killed", "rejected"}


async def test_a_room_shows_its_board(house: House) -> None:
    pair = await house.pair(bot_preset="TicTacToeBot")
    asked = {"channel_id": pair.id}
    await house.rest(pair.alice, "post_message", **asked, body="5")
    said = await house.rest(pair.bob, "get_channel_info", **asked)
    [board] = said.data["boards"]
    assert (board["bot_id"], board["panel"], board["width"]) == ("tic-tac-toe", "grid", 3)
    assert board["value"][4] == "X"
    told = (await house.tool(pair.bob, "get_channel_info", **asked)).lines
    at = told.index(f"board: grid, from bot:tic-tac-toe [{board['message']}]")
    assert [line[:2] for line in told[at + 1 : at + 5]] == ["| ", "| ", "| ", "tu"]
    assert told[at + 2].split() == ["|", *(cell or "." for cell in board["value"][3:6])]


HANDS = """
MANIFEST = {"label": "dealer", "show": [{"panel": "cards", "of": "hand"}]}
class Hands:
    def __init__(self, ctx, params):
        self.ctx = ctx
    def on_start(self):
        for player, card in zip(self.ctx.players, ["2H", "3H"]):
            self.ctx.post("bot", {"hand": [card]}, to=[player])
"""


async def test_a_hand_is_drawn_for_its_reader_alone(house: House) -> None:
    pair = await house.pair(bot_code=HANDS)
    asked = {"channel_id": pair.id}
    seen = [
        (await house.rest(account, "get_channel_info", **asked)).data["boards"][0]["value"]
        for account in (pair.alice, pair.bob)
    ]
    assert seen == [["2H"], ["3H"]]


async def test_a_bot_that_shows_nothing_has_no_board(house: House) -> None:
    pair = await house.pair(bot_code=HANDS.replace('"show"', '"shows"'))
    said = await house.rest(pair.alice, "get_channel_info", channel_id=pair.id)
    assert "boards" not in said.data


async def test_the_source_of_a_preset_is_read_without_a_room(house: House) -> None:
    for name in ("GuessBot", "builtin://GuessBot"):
        said = await house.rest(house.account(), "get_bot_code", bot_preset=name)
        assert said.data.keys() == FIELDS | {"library", "next"}
        assert (said.data["code"], said.data["bot_id"]) == (GUESS_BOT, "guess-referee")
    room = await house.room(house.account(), bot_preset="GuessBot")
    there = await house.rest(house.account(), "get_bot_code", invite_code=room["invites"][0])
    assert said.data | {"next": ""} == there.data | {"next": ""}


async def test_the_pages_of_a_preset_lead_to_opening_a_room_with_it(house: House) -> None:
    account = house.account()
    first = await house.tool(account, "get_bot_code", bot_preset="ChessBot")
    line = re.search(
        r'next: get_bot_code\(bot_preset="ChessBot", from_line=(\d+)\)$', first.lines[-1]
    )
    assert line is not None
    shown = await house.tool(
        account, "get_bot_code", bot_preset="ChessBot", from_line=int(line[1]) + 300
    )
    assert 'create_channel(bot_preset="ChessBot", join_as="alice")' in shown.lines[-1]
    library = await house.rest(account, "get_bot_code", bot_preset="ChessBot", library="true")
    assert library.data["code"] == (BOTS_DIR / "referee.py").read_text()


async def test_a_preset_that_is_not_there_and_a_preset_of_a_room_are_refused(house: House) -> None:
    account = house.account()
    said = await house.rest(account, "get_bot_code", bot_preset="NoBot")
    assert said.refused == "BOT_NOT_FOUND"
    room = await house.room(account, bot_preset="GuessBot")
    both = {"channel_id": room["channel_id"], "bot_preset": "GuessBot"}
    assert (await house.rest(account, "get_bot_code", **both)).refused == "INVALID_REQUEST"


async def test_a_list_of_presets_tells_all_that_it_takes_to_choose_one(house: House) -> None:
    said = await house.tool(house.account(), "list_bots")
    listed = dict(zip((bot["name"] for bot in said.data["bots"]), said.lines, strict=False))
    assert len(listed) == 16
    for bot in said.data["bots"]:
        line = listed[bot["name"]]
        assert line.startswith(f"{bot['name']} {bot['version']}: {bot['summary']} Seats: ")
        assert any(isinstance(move, str) and move in line for move in bot["moves"])
        assert bot["code_hash"][:15] in line
    assert "Params: guesses=null, high=100, low=1, seconds=null." in listed["GuessBot"]
    assert "Seats: alice, bob (2 to 8)." in listed["GuessBot"]
    assert "Seats: alice, bob (2)." in listed["ChessBot"]


@pytest.mark.parametrize("topic", GUIDES)
async def test_after_a_guide_comes_what_it_is_about(house: House, topic: str) -> None:
    calls = {
        "play": "list_channels",
        "host": "create_channel",
        "bots": "try_bot",
        "dice": "entropy",
        "verify": "get_transcript",
        "errors": "repeat it",
    }
    assert calls[topic] in (await house.tool(house.account(), "help", topic=topic)).lines[-1]
