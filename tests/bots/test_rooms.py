"""Referees in rooms of the real pair: two accounts that know nothing but whose turn it is and
what is expected finish a game of each, with two seats and no params."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from mcp_multiplayer.demo.pair import Pair
from tests.players import Player, rest
from tests.sample import sample
from tests.sandbox.outside import listening, make_chain

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]

#: Each with a word of its help, and params that only spare time.
PRESETS: dict[str, tuple[str, dict[str, Any]]] = {
    "AuctionBot": ("highest buys", {}),
    "JudgeBot": ("fulfilled", {}),
    "MemoryExchangeBot": ("opt in", {}),
    "PriceBot": ("nearest wins", {"delay": 1}),
    "TLSBot": ("fingerprint", {"host": "api.coinbase.com"}),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    """The real pair, whose internet is one server of ours."""
    ca, tls = make_chain(tmp_path_factory.mktemp("tls"))
    async with listening(tls) as server:
        made = Pair(
            tmp_path_factory.mktemp("pair"),
            BOT_EGRESS_RESOLVE=f"api.coinbase.com:443=127.0.0.1:{server.port}",
            BOT_EGRESS_CA_FILE=str(ca),
        )
        await asyncio.to_thread(made.start)
        try:
            yield made
        finally:
            await asyncio.to_thread(made.stop)


async def see(player: Player, room: str, cursor: int = 0, timeout_ms: int = 0) -> dict[str, Any]:
    answer: dict[str, Any] = await player.call(
        "sync_messages", channel_id=room, cursor=cursor, timeout_ms=timeout_ms
    )
    return answer


async def follow(players: dict[str, Player], room: str) -> dict[str, Any]:
    """Do the first thing that is expected of whoever is to move; the view after the end."""
    for _ in range(60):
        answer = await see(players["alice"], room)
        view = answer["view"]
        if view.get("result"):
            return dict(view)
        turn = view.get("turn")
        if not turn:  # the referee waits for a clock of its own
            await see(players["alice"], room, answer["cursor"], 20_000)
            continue
        expect = turn["expect"]
        to = {"to": expect["to"]} if "to" in expect else {}
        await players[turn["players"][0]].call(
            "post_message", channel_id=room, body=expect["body"][0], **to
        )
    raise AssertionError("the game does not end")


@pytest.mark.parametrize("preset", sample(PRESETS, ()))
async def test_two_who_follow_the_turn_finish_a_game(pair: Pair, preset: str) -> None:
    word, params = PRESETS[preset]
    async with rest(pair.base, "alice") as alice, rest(pair.base, "bob") as bob:
        made = await alice.call(
            "create_channel", bot_preset=preset, join_as="alice", bot_params=params
        )
        room = made["channel_id"]
        await bob.call("join_channel", invite_code=made["invites"][0])
        await bob.call("post_message", channel_id=room, body="!help")
        view = await follow({"alice": alice, "bob": bob}, room)
        heard = json.dumps((await see(bob, room))["messages"])
    assert word in heard and "bot:error" not in heard and "violation" not in heard
    assert set(view["result"]["winners"]) <= {"alice", "bob"}


WHISPERS = {
    "AuctionBot": [("bob", "bid 987654")],
    "MemoryExchangeBot": [
        ("alice", "opt in"),
        ("bob", "opt in"),
        ("alice", "ask What?"),
        ("bob", "answer 987654"),
        ("bob", "release"),
    ],
    "PriceBot": [("bob", "guess 987654")],
}


@pytest.mark.parametrize("preset", WHISPERS)
async def test_what_bob_seals_does_not_reach_alice(pair: Pair, preset: str) -> None:
    params = {"item": "a bicycle"} if preset == "AuctionBot" else {}
    async with rest(pair.base, "alice") as alice, rest(pair.base, "bob") as bob:
        made = await alice.call(
            "create_channel", bot_preset=preset, join_as="alice", bot_params=params
        )
        room, players = made["channel_id"], {"alice": alice, "bob": bob}
        await bob.call("join_channel", invite_code=made["invites"][0])
        me = {"AuctionBot": "auction", "MemoryExchangeBot": "memory", "PriceBot": "price"}[preset]
        for player, text in WHISPERS[preset]:
            to = {"to": [f"bot:{me}"]} if "987654" in text else {}
            await players[player].call("post_message", channel_id=room, body=text, **to)
        own, others = [await see(players[name], room) for name in ("bob", "alice")]
    assert "987654" in json.dumps(own["messages"]) and "violation" not in json.dumps(own)
    assert "987654" not in json.dumps(others)
