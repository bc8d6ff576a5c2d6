"""What a model pays to read us, in tokens of o200k_base: all tools, and a waited move's reply
beyond its messages."""

from __future__ import annotations

import json

import pytest

from mcp_multiplayer.edge.api import render_text
from mcp_multiplayer.edge.api.guides import INSTRUCTIONS
from tests.edge.api.followers import game
from tests.edge.api.house import MODES, House, Mode
from tests.follower import Json
from tests.tokens import Count, counter

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def count(request: pytest.FixtureRequest) -> Count:
    assert request.config.cache is not None
    return counter(request.config.cache.mkdir("npm"))


async def test_the_counter_counts_as_others_do(count: Count) -> None:
    assert count(["hello world", "", "Grüße, 世界"]) == [2, 0, 5]


@pytest.mark.parametrize("mode", MODES)
async def test_all_tools_together_are_at_most_2350_tokens(
    house: House, count: Count, mode: Mode
) -> None:
    """Name, description and schema: what clients hand on (title and hints are their own)."""
    async with house.client(house.account(), mode) as client:
        tools = await client.list_tools()
    given = [
        {"name": tool.name, "description": tool.description, "inputSchema": tool.input_schema}
        for tool in tools
    ]
    (tokens,) = count([json.dumps(given, separators=(",", ":"), ensure_ascii=False)])
    assert tokens <= 2350


async def test_the_instructions_are_at_most_150_tokens(count: Count) -> None:
    assert count([INSTRUCTIONS])[0] <= 150


@pytest.mark.parametrize(("preset", "most"), [("GuessBot", 1_600), pytest.param("ChessBot", 1_800)])
async def test_all_that_a_guest_reads_until_the_first_move_stays_within_its_budget(
    house: House, count: Count, preset: str, most: int
) -> None:
    """inspect_invite, join_channel and the first wait; test_before_joining.py has what is in it."""
    host = house.account()
    room = await house.room(host, bot_preset=preset, join_as="alice")
    guest, asked = house.account(), {"invite_code": room["invites"][0]}
    seen = await house.tool(guest, "inspect_invite", **asked)
    joined = await house.tool(
        guest, "join_channel", **asked, expect_terms=seen.data["terms"], entropy="e" * 32
    )
    move = {"GuessBot": "guess 1000", "ChessBot": "e4"}[preset]
    await house.rest(host, "post_message", channel_id=room["channel_id"], body=move)
    cursor = joined.data["cursor"]
    wait = {"channel_id": room["channel_id"], "cursor": cursor, "until": "my_turn"}
    first = await house.tool(guest, "sync_messages", **wait)
    assert sum(count([seen.text, joined.text, first.text])) <= most


async def test_the_waited_replies_of_a_guessing_game_stay_within_their_budget(
    house: House, count: Count
) -> None:
    """180 in the median; the last one holds the reveal and how to check the game. By luck a game is
    over at once, so games are played until there are enough replies."""
    waited: list[str] = []
    over: list[str] = []
    while len(waited) < 8:
        alice, bob, _ = await game(house, "GuessBot", {"high": 30}, ("legacy", "modern"))
        said = [s.text for one in (alice, bob) for s in one.steps if s.name == "post_message"]
        over += [text for text in said if "\nresult, " in text]
        waited += [text for text in said if "\nresult, " not in text]
    tokens = sorted(count(waited))
    assert tokens[len(tokens) // 2] <= 180
    assert max(count(over)) <= 270  # 220 to 266, as the digits of hash, salt and root fall


async def test_the_waited_replies_of_chess_stay_within_their_budget(
    house: House, count: Count
) -> None:
    """One board, and the legal moves of whose turn it is. The last one holds the whole game as
    PGN, which grows with it."""
    alice, bob, _ = await game(house, "ChessBot", {}, ("legacy", "modern"))
    replies = [step for one in (alice, bob) for step in one.steps if step.name == "post_message"]
    tokens = sorted(count([reply.text for reply in replies]))
    assert tokens[len(tokens) // 2] <= 330
    assert tokens[-2] <= 450
    assert tokens[-1] <= 460  # after nine moves of each


@pytest.mark.parametrize(
    ("preset", "params"),
    [
        ("GuessBot", {"high": 9}),
        pytest.param("BlackjackBot", {"rounds": 1}, marks=pytest.mark.long),
        ("TicTacToeBot", {}),
        pytest.param("ChessBot", {}, marks=pytest.mark.long),
    ],
)
async def test_a_waited_moves_reply_is_at_most_200_tokens_beyond_its_messages(
    house: House, count: Count, preset: str, params: Json
) -> None:
    alice, bob, _ = await game(house, preset, params, ("legacy", "modern"))
    replies = [step for one in (alice, bob) for step in one.steps if step.name == "post_message"]
    bodies = [
        "\n".join(render_text.quoted(one["body"]) for one in reply.data["messages"])
        for reply in replies
    ]
    whole = count([reply.text for reply in replies])
    beyond = [all_of - said for all_of, said in zip(whole, count(bodies), strict=True)]
    assert max(beyond) <= 200, replies[beyond.index(max(beyond))].text
