"""Every example of the original design runs as written, over REST and over MCP.

`design_examples.md` holds them word for word. A call is read off its example and made as it
stands; only `...` and made-up codes are replaced by what the room at hand gave.
"""

from __future__ import annotations

import ast
import asyncio
import hashlib
import json
import re
import subprocess
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mcp_multiplayer.demo.pair import Pair
from tests.players import FACES, Json, Player, Rest, by_hand, rest, to

pytestmark = pytest.mark.servers

TEXT = Path(__file__).with_name("design_examples.md").read_text()
EXAMPLES = {
    heading: re.findall(r"^```\w+\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    for heading, _, section in (part.partition("\n") for part in TEXT.split("\n## ")[1:])
}


def calls(example: str) -> list[tuple[str, Json]]:
    """The calls of an example, in order: name and keyword arguments."""
    found = []
    for statement in ast.parse(example).body:
        assert isinstance(statement, ast.Expr)
        call = statement.value
        assert isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
        arguments = {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
        found.append((call.func.id, arguments))
    return found


async def make(
    player: Player, call: tuple[str, Json], real: Mapping[str, str] | None = None
) -> Json:
    """Make a call as it stands, with what ``real`` says for the example's placeholders."""
    operation, arguments = call
    told = {
        name: (real or {}).get(value, value) if isinstance(value, str) else value
        for name, value in arguments.items()
    }
    return await player.call(operation, **told)


def by(messages: list[Json], sender: str) -> list[Json]:
    return [message["body"] for message in messages if message["sender"] == sender]


def of_type(messages: list[Json], kind: str) -> list[Json]:
    return [message["body"] for message in messages if message["body"].get("type") == kind]


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture(scope="module")
def logins(pair: Pair) -> list[tuple[Json, str]]:
    async def sign_in(name: str) -> tuple[Json, str]:
        async with rest(pair.base, name) as player:
            return player.client, player.token

    return [asyncio.run(sign_in(name)) for name in ("alice", "bob", "carol")]


@pytest_asyncio.fixture(params=FACES)
async def players(
    pair: Pair, logins: list[tuple[Json, str]], request: pytest.FixtureRequest
) -> AsyncIterator[list[Rest]]:
    """alice, bob and carol, all at the same face."""
    async with to(pair.base) as http:
        yield [by_hand(http, request.param, *login) for login in logins]


async def whole(player: Player, room: str) -> list[Json]:
    page = await player.call("sync_messages", channel_id=room, cursor=0, timeout_ms=0)
    return list(page["messages"])


async def test_bitcoin_price_bot(players: list[Rest]) -> None:
    alice, bob, _ = players
    (example,) = EXAMPLES["Quick Demo: Bitcoin Price Bot"]
    create, join, post = calls(example)
    made = await make(alice, create)
    first, second = made["invites"]
    await alice.call("join_channel", invite_code=first)
    joined = await make(bob, join, {"inv_def456": second})
    assert joined["bots"][0]["code_hash"] == "sha256:" + sha256(create[1]["bot_code"])
    (ready,) = by(joined["messages"], "bot:price-bot")
    assert ready["text"].startswith("🤖 Bitcoin Price Bot ready!")
    answer = await make(bob, post, {"...": made["channel_id"]})
    # Without internet the request fails, and the room lives on; with it there is a price.
    told = [*of_type(answer["messages"], "bot:error"), *by(answer["messages"], "bot:price-bot")]
    assert len(told) == 1
    later = await bob.call("post_message", channel_id=made["channel_id"], body="thanks")
    assert later["messages"] == []


async def test_guessing_game(players: list[Rest]) -> None:
    alice, bob, _ = players
    (example,) = EXAMPLES["Commitment-Reveal: Guessing Game"]
    create, guess = calls(example)
    made = await make(alice, create)
    assert [slot["label"] for slot in made["view"]["slots"]] == ["guess-referee", "alice", "bob"]
    first, second = made["invites"]
    await bob.call("join_channel", invite_code=second)
    await alice.call("join_channel", invite_code=first)
    room = made["channel_id"]
    (commitment,) = of_type(await whole(bob, room), "commitment")
    answer = await make(bob, guess, {"...": room})
    (verdict,) = of_type(answer["messages"], "judge")
    assert (verdict["player"], verdict["guess"]) == ("bob", 42)
    if verdict["result"] != "correct":
        await bob.call("post_message", channel_id=room, body="concede")
    (reveal,) = of_type(await whole(alice, room), "reveal")
    assert sha256(f"{reveal['target']}{reveal['salt']}") == reveal["hash"]
    assert reveal["hash"] == commitment["commitment_hash"]


async def test_contract_judge_bot(players: list[Rest]) -> None:
    alice, bob, _ = players
    (example,) = EXAMPLES["Contract Judge Bot"]
    (create,) = calls(example)
    made = await make(alice, create)
    await alice.call("join_channel", invite_code=made["invites"][0])
    await bob.call("join_channel", invite_code=made["invites"][1])
    code = await bob.call("get_bot_code", channel_id=made["channel_id"], bot_id="judge")
    assert code["code"] == create[1]["bot_code"]
    assert code["code_hash"] == "sha256:" + sha256(code["code"])
    answer = await bob.call("post_message", channel_id=made["channel_id"], body="I agree")
    assert answer["messages"] == []
    assert not of_type(await whole(bob, made["channel_id"]), "bot:error")


async def test_basic_flow(players: list[Rest]) -> None:
    alice, bob, _ = players
    (create,), (join,), (post,) = map(calls, EXAMPLES["How It Works"])
    made = await make(alice, create)
    assert len(made["invites"]) == 2
    joined = await make(bob, join, {"inv_def456": made["invites"][1]})
    (attached,) = of_type(joined["messages"], "bot:attach")
    assert attached["code_hash"] == joined["bots"][0]["code_hash"]
    assert of_type(joined["messages"], "bot:manifest")
    posted = await make(bob, post, {"...": made["channel_id"]})
    assert (await whole(bob, made["channel_id"]))[-1]["id"] == posted["msg_id"]


async def test_builtin_bots_by_code_ref(players: list[Rest]) -> None:
    alice, *_ = players
    (example,) = EXAMPLES["1. Builtin Bots (`code_ref`)"]
    arguments = json.loads(example.replace("{ ... }", '{"summary": "our rules"}'))
    made = await alice.call("create_channel", **arguments)
    (bot,) = made["bots"]
    assert (bot["name"], bot["version"]) == ("GuessBot", "1.0")
    code = await alice.call("get_bot_code", channel_id=made["channel_id"], bot_id=bot["bot_id"])
    assert code["code_ref"] == "builtin://GuessBot"
    assert code["manifest"]["summary"] == "our rules"


async def test_echo_game(players: list[Rest]) -> None:
    _, bob, _ = players
    (example,) = EXAMPLES["2. Inline Code (`bot_code`)"]
    (create,) = calls(example)
    made = await make(bob, create)
    (invite,) = made["invites"]
    joined = await bob.call("join_channel", invite_code=invite)
    assert by(joined["messages"], "bot:echo") == [{"text": "Echo ready"}]
    answer = await bob.call("post_message", channel_id=made["channel_id"], body="hi")
    assert by(answer["messages"], "bot:echo") == [{"echo": {"text": "hi"}}]


async def test_what_the_sandbox_blocks_is_refused_in_the_designs_words(players: list[Rest]) -> None:
    alice, *_ = players
    blocked, _ = EXAMPLES["Bot Sandboxing"]
    lines = [line.partition("  # ❌ ") for line in blocked.splitlines()]
    assert [words for _, _, words in lines] == [
        "Import of 'os' is not allowed",
        "Eval calls are not allowed",
    ]
    for line, _, words in lines:
        source = f"{line}\nclass Bot:\n    pass\n"
        refused = await alice.refusal("create_channel", bot_code=source)
        assert refused.code == "BOT_REJECTED"
        assert words in refused.text


async def test_what_the_sandbox_allows_runs(players: list[Rest]) -> None:
    """The class has no __init__, and its on_init asks the internet: without it that hook fails."""
    alice, *_ = players
    _, allowed = EXAMPLES["Bot Sandboxing"]
    made = await alice.call(
        "create_channel", slots=["bot:btc", "invite:alice"], bot_code=allowed, join_as="alice"
    )
    said = await whole(alice, made["channel_id"])
    assert len([*of_type(said, "bot:error"), *of_type(said, "ready")]) == 1
    answer = await alice.call("post_message", channel_id=made["channel_id"], body="roll")
    (rolled,) = by(answer["messages"], "bot:btc")
    assert rolled["roll"] in range(1, 7)


async def test_a_game_made_with_mcp_tools(players: list[Rest]) -> None:
    alice, *_ = players
    (example,) = EXAMPLES["Using MCP tools (recommended for Claude):"]
    (create,) = calls(example)
    made = await make(alice, create)
    assert list(made["invite_links"]) == ["player1", "player2"]


async def test_a_game_made_with_curl(pair: Pair, logins: list[tuple[Json, str]]) -> None:
    (example,) = EXAMPLES["Using curl directly:"]
    command = example.replace("YOUR_TOKEN", logins[0][1])
    command = command.replace("http://127.0.0.1:8100", pair.base)
    done = await asyncio.to_thread(
        subprocess.run, ["bash", "-c", command], capture_output=True, check=True, text=True
    )
    made: dict[str, Any] = json.loads(done.stdout)
    assert list(made["invite_links"]) == ["player1", "player2"]


async def test_rejoin_tokens(players: list[Rest]) -> None:
    alice, bob, carol = players
    fields, rejoin = EXAMPLES["Session Handling & Rejoin Tokens"]
    made = await alice.call("create_channel", bot_preset="GuessBot")
    room = made["channel_id"]
    joined = await alice.call("join_channel", invite_code=made["invites"][0])
    shown = json.loads(fields.replace("{ ... }", "{}"))
    assert shown.keys() <= joined.keys()
    assert joined["slot_id"] == shown["slot_id"]
    await bob.call("join_channel", invite_code=made["invites"][1])
    await alice.call("post_message", channel_id=room, body="guess 0")

    (again,) = calls(rejoin)
    real = {"rejoin_xyz789...": joined["rejoin_token"]}
    back = await make(carol, again, real)
    assert (back["slot_id"], back["player_id"]) == (joined["slot_id"], joined["player_id"])
    refused = await alice.refusal("post_message", channel_id=room, body="guess 1")
    assert refused.code == "NOT_MEMBER"
    answer = await carol.call("post_message", channel_id=room, body="guess 0")
    assert of_type(answer["messages"], "judge")[0]["result"] == "invalid"
    assert of_type(await whole(carol, room), "taken_over")
    back = await make(alice, again, real)
    assert back["player_id"] == joined["player_id"]


def test_no_example_is_left_out() -> None:
    """Those without a test here have no call in them, or are the preset set aside."""
    tested = Path(__file__).read_text()
    left = {heading for heading in EXAMPLES if f'EXAMPLES["{heading}"]' not in tested}
    aside = "Blackjack with Provable Dealing"
    assert [heading for heading in left if any(map(calls, EXAMPLES[heading]))] == [aside]
