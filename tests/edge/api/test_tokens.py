"""What a model pays to read us, in tokens of o200k_base (issue 5: 2,500 for all tools, 200 for a
waited move's reply beyond the message bodies)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

import pytest

from mcp_multiplayer.edge.api import render_text
from mcp_multiplayer.edge.api.guides import INSTRUCTIONS
from tests import npm
from tests.edge.api.followers import game
from tests.edge.api.house import MODES, House, Mode
from tests.follower import Json

pytestmark = pytest.mark.asyncio(loop_scope="module")

COUNT = """
const { encode } = require("gpt-tokenizer/cjs/encoding/o200k_base");
const texts = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(texts.map((text) => encode(text).length)));
"""
Count = Callable[[list[str]], list[int]]


@pytest.fixture(scope="module")
def count(request: pytest.FixtureRequest) -> Count:
    """Counts the tokens of each text."""
    cache = request.config.cache
    assert cache is not None
    directory = npm.installed(cache.mkdir("npm") / "tokenizer", npm.TOKENIZER)

    def counted(texts: list[str]) -> list[int]:
        done = subprocess.run(
            [npm.NODE, "-e", COUNT],
            cwd=directory,
            input=json.dumps(texts),
            capture_output=True,
            text=True,
            check=True,
        )
        numbers: list[int] = json.loads(done.stdout)
        return numbers

    return counted


async def test_the_counter_counts_as_others_do(count: Count) -> None:
    assert count(["hello world", "", "Grüße, 世界"]) == [2, 0, 5]


@pytest.mark.parametrize("mode", MODES)
async def test_all_tools_together_are_at_most_2500_tokens(
    house: House, count: Count, mode: Mode
) -> None:
    async with house.client(house.account(), mode) as client:
        tools = await client.list_tools()
    listed = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]
    (tokens,) = count([json.dumps(listed, separators=(",", ":"), ensure_ascii=False)])
    assert tokens <= 2500


async def test_the_instructions_are_at_most_150_tokens(count: Count) -> None:
    assert count([INSTRUCTIONS])[0] <= 150


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
