"""Two followers finish every preset: what an answer says is enough to play by."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio

from tests.edge.api.house import House, open_house, via_client
from tests.engine.sandbox.outside import listening, make_chain
from tests.follower import Ask, Follower, Json, called

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: Each with params that only spare time.
PRESETS: dict[str, Json] = {
    "AuctionBot": {},
    "BlackjackBot": {"rounds": 2},
    "ChessBot": {},
    "CoinBot": {},
    "GuessBot": {},
    "JudgeBot": {},
    "MemoryExchangeBot": {},
    "PriceBot": {"delay": 1},
    "RockPaperScissorsBot": {},
    "TLSBot": {"host": "api.coinbase.com"},
    "TicTacToeBot": {},
    "TriviaBot": {},
}
#: Where one player's word changes what the other, asked at the same time, may still say.
CROSSING = {"JudgeBot", "MemoryExchangeBot"}
#: A seed with which chess by chance is soon over.
SHORT = 458


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A server whose internet is one server of ours."""
    ca, tls = make_chain(tmp_path_factory.mktemp("tls"))
    async with listening(tls) as net:
        outside = {
            "bot_egress_resolve": f"api.coinbase.com:443=127.0.0.1:{net.port}",
            "bot_egress_ca_file": str(ca),
        }
        async with open_house(tmp_path_factory.mktemp("house"), **outside) as made:
            yield made


async def asking(house: House, stack: AsyncExitStack, face: str) -> Ask:
    """A new account at a face: both eras by real clients, and REST."""
    account = house.account()
    if face == "rest":

        async def ask(name: str, arguments: Json) -> tuple[Json, str]:
            said = await house.rest(account, name, **arguments)
            assert said.status == 200, said.data
            return said.data, ""

        return ask
    mode: Any = {"legacy": "legacy", "modern": "auto"}[face]
    client = await stack.enter_async_context(house.client(account, mode))

    async def tool(name: str, arguments: Json) -> tuple[Json, str]:
        said = await via_client(client, name, **arguments)
        assert not said.refused, said.text
        return said.data, said.text

    return tool


async def game(
    house: House, preset: str, params: Json, faces: tuple[str, str], thinking: Any = None
) -> tuple[Follower, Follower, Json]:
    """Alice opens the room, bob gets its link; both follow to the end. What alice read last."""
    opened: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with AsyncExitStack() as stack, asyncio.timeout(240), asyncio.TaskGroup() as group:
        asks = [await asking(house, stack, face) for face in faces]

        async def hosting(name: str, arguments: Json) -> tuple[Json, str]:
            said = await asks[0](name, arguments)
            if name == "create_channel":
                opened.set_result(said[0]["invite_links"]["bob"])
            return said

        alice = Follower(hosting, random.Random(f"{SHORT} alice"), thinking)
        bob = Follower(asks[1], random.Random(f"{SHORT} bob"), thinking)
        host = group.create_task(
            alice.play("create_channel", bot_preset=preset, bot_params=params, join_as="alice")
        )
        group.create_task(bob.play("inspect_invite", invite_code=await opened))
    return alice, bob, host.result()


def heard(player: Follower) -> list[Json]:
    """All that the player was told by messages."""
    return [one["body"] for _, answer in player.answers for one in answer.get("messages", [])]


@pytest.mark.parametrize("faces", [("legacy", "modern"), ("rest", "rest")], ids="/".join)
@pytest.mark.parametrize("preset", PRESETS)
async def test_two_who_do_what_next_says_finish_a_game(
    house: House, preset: str, faces: tuple[str, str]
) -> None:
    alice, bob, last = await game(house, preset, PRESETS[preset], faces)
    assert last["view"]["status"] == "ended" and "winners" in last["view"]["result"]
    mistakes = {"bot:error", "violation"} - ({"violation"} if preset in CROSSING else set())
    for player in (alice, bob):
        assert not [body for body in heard(player) if body.get("type") in mistakes]


@pytest.mark.parametrize("preset", ["BlackjackBot", "ChessBot", "GuessBot"])
async def test_a_turn_is_one_call_and_talk_of_the_other_side_ends_no_wait(
    house: House, preset: str
) -> None:
    async def aloud(player: Follower) -> None:
        thought = {"text": f"let me see, {len(player.answers)}"}
        room = player.answers[-1][1]["view"]["channel_id"]
        await player.ask("post_message", {"channel_id": room, "body": thought})

    alice, bob, _ = await game(house, preset, PRESETS[preset], ("rest", "legacy"), aloud)
    for player in (alice, bob):
        calls = [name for name, _ in player.answers]
        first = calls.index("post_message")
        assert set(calls[first:]) == {"post_message"}
        assert sorted(set(calls[:first])) == sorted(calls[:first]), "more than one wait"


async def test_the_last_call_of_a_line_is_read_with_its_arguments() -> None:
    line = 'speak with a(body="<x>", n=1), or listen: sync_it(room="c)\\"", to=["b"]). help("x")'
    assert called(line) == ("sync_it", {"room": 'c)"', "to": ["b"]})
    assert called('help("verify") says how') is None
