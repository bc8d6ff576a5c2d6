"""Two followers finish every preset: what an answer says is enough to play by."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.edge.api.followers import game
from tests.edge.api.house import House, open_house
from tests.follower import Follower, Json, called
from tests.sample import sample
from tests.sandbox.outside import listening, make_chain

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: Each with params that only spare time.
PRESETS: dict[str, Json] = {
    "AuctionBot": {},
    "BetBot": {},
    "BlackjackBot": {"rounds": 2},
    "ChessBot": {},
    "CoinBot": {},
    "ConnectFourBot": {},
    "DealBot": {},
    "GuessBot": {},
    "JudgeBot": {},
    "MemoryExchangeBot": {},
    "PriceBot": {"delay": 1},
    "RockPaperScissorsBot": {},
    "TLSBot": {"host": "api.coinbase.com"},
    "TicTacToeBot": {},
    "TriviaBot": {},
    "WordBot": {},
}
#: Where one player's word changes what the other, asked at the same time, may still say.
CROSSING = {"DealBot", "JudgeBot", "MemoryExchangeBot"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A server whose internet is one server of ours."""
    ca, tls = make_chain(tmp_path_factory.mktemp("tls"))
    async with listening(tls) as net:
        outside = {
            "bot_egress_resolve": f"api.coinbase.com:443=127.0.0.1:{net.port}",
            "bot_egress_ca_file": str(ca),
            "bot_hooks_per_minute": 1000,  # nobody here thinks
        }
        async with open_house(tmp_path_factory.mktemp("house"), **outside) as made:
            yield made


def heard(player: Follower) -> list[Json]:
    """All that the player was told by messages."""
    return [one["body"] for step in player.steps for one in step.data.get("messages", [])]


FACES = [("legacy", "modern"), ("rest", "rest")]
#: Each way is walked every time, and every preset is played to its end by its own tests.
ALWAYS = [("CoinBot", *FACES[1]), ("TicTacToeBot", *FACES[0])]
GAMES = [(preset, *faces) for preset in PRESETS for faces in FACES]


@pytest.mark.parametrize(("preset", "one", "other"), sample(GAMES, ALWAYS))
async def test_two_who_do_what_next_says_finish_a_game(
    house: House, preset: str, one: str, other: str
) -> None:
    alice, bob, last = await game(house, preset, PRESETS[preset], (one, other))
    assert last["view"]["status"] == "ended" and "winners" in last["view"]["result"]
    mistakes = {"bot:error", "violation"} - ({"violation"} if preset in CROSSING else set())
    for player in (alice, bob):
        assert not [body for body in heard(player) if body.get("type") in mistakes]


@pytest.mark.parametrize("preset", sample(["BlackjackBot", "ChessBot", "GuessBot"], {"GuessBot"}))
async def test_a_turn_is_one_call_and_talk_of_the_other_side_ends_no_wait(
    house: House, preset: str
) -> None:
    async def aloud(player: Follower) -> None:
        thought = {"text": f"let me see, {len(player.steps)}"}
        room = player.steps[-1].data["view"]["channel_id"]
        await player.ask("post_message", {"channel_id": room, "body": thought})

    alice, bob, _ = await game(house, preset, PRESETS[preset], ("rest", "legacy"), aloud)
    sequences = [[step.name for step in player.steps] for player in (alice, bob)]
    played = [calls for calls in sequences if "post_message" in calls]
    assert played  # by luck the first guess of one may leave none for the other
    for calls in played:
        first = calls.index("post_message")
        assert set(calls[first:]) == {"post_message"}
        assert sorted(set(calls[:first])) == sorted(calls[:first]), "more than one wait"


async def test_the_last_call_of_a_line_is_read_with_its_arguments() -> None:
    line = 'speak with a(body="<x>", n=1), or listen: sync_it(room="c)\\"", to=["b"]). help("x")'
    assert called(line) == ("sync_it", {"room": 'c)"', "to": ["b"]})
    assert called('help("verify") says how') is None
