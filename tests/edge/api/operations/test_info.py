"""What can be asked of the server and its referees, and changes nothing."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

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

GUESS_BOT = (Path(__file__).parents[4] / "bots" / "guess_bot.py").read_text()
FIELDS = {
    *("bot_id", "name", "version", "code", "code_ref"),
    *("manifest", "params", "code_hash", "manifest_hash"),
}


async def test_the_code_of_a_preset_is_its_file_byte_for_byte(house: House) -> None:
    host = house.account()
    room = await house.room(host, bot_preset="GuessBot")
    said = await house.rest(host, "get_bot_code", channel_id=room["channel_id"])
    assert said.data.keys() == FIELDS | {"next"}
    assert said.data["code"] == GUESS_BOT
    assert said.data["code_ref"] == "builtin://GuessBot"
    digest = hashlib.sha256(said.data["code"].encode()).hexdigest()
    assert said.data["code_hash"] == f"sha256:{digest}"


async def test_code_can_be_read_from_a_line_on(house: House) -> None:
    host = house.account()
    room = await house.room(host, bot_preset="GuessBot")
    said = await house.rest(
        host, "get_bot_code", channel_id=room["channel_id"], bot_id="guess-referee", from_line=200
    )
    assert said.data["code"] == "".join(GUESS_BOT.splitlines(keepends=True)[199:])


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


async def test_help_on_nothing_is_how_to_play(house: House) -> None:
    assert (await house.rest(house.account(), "help")).data["topic"] == "play"


async def test_a_guide_that_is_not_there_is_refused_with_those_that_are(house: House) -> None:
    said = await house.rest(house.account(), "help", topic="poker")
    assert said.refused == "INVALID_REQUEST"
    assert all(topic in said.data["hint"] for topic in GUIDES)


EVENTS = re.compile(r"try_bot\(bot_code, events=(\[.*?\])\)", re.DOTALL)


async def test_the_bot_of_the_guide_runs_as_written_with_the_events_of_the_guide(
    house: House,
) -> None:
    code = GUIDES["bots"].split("\n\n")[1]
    (events,) = EVENTS.findall(GUIDES["bots"])
    said = await house.rest(house.account(), "try_bot", bot_code=code, events=json.loads(events))
    assert (said.data["errors"], said.data["refused"]) == ([], [])
    assert said.data["result"]["winners"] in ([], ["alice"])
    assert [hook["hook"] for hook in said.data["hooks"]] == ["on_start", "on_message", "on_timer"]


async def test_the_bot_of_the_guide_ends_a_game_once(house: House) -> None:
    code = GUIDES["bots"].split("\n\n")[1]
    calls = [{"say": "heads", "as": "alice"}, {"say": "tails", "as": "bob"}]
    events = [{"join": "alice"}, {"join": "bob"}, *calls, {"say": "tails", "as": "alice"}]
    said = await house.rest(house.account(), "try_bot", bot_code=code, events=events)
    assert [post["event"] for post in said.data["posts"]] == [2, 4]
    assert len(said.data["result"]["winners"]) == 1


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
