"""Every preset, played whole over real MCP by two accounts, with all that goes wrong on the way:
what no rule allows, a word out of turn, a connection that ends, kill -9 in mid-game. Silence and
leaving end it, too. Each record is verified as an outsider does, each result counted again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import re
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
import pytest_asyncio

from mcp_multiplayer.demo.pair import ROOT, SERVER, Pair
from tests.follower import Follower
from tests.players import Json, Mode, Tools, fastmcp_client
from tests.recounts import RECOUNTS, Told
from tests.sandbox.outside import listening, make_chain

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]

SITE = "api.coinbase.com"


@dataclass(frozen=True)
class Preset:
    """How a preset is played here."""

    game: str  #: its name in structured moves
    wrong: Json  #: action and value of a move that no rule allows
    params: Json = field(default_factory=dict)
    short: Json = field(default_factory=dict)  #: for the game that ends by silence
    moves: int = 1  #: made before everything goes wrong
    seed: str = "1"  #: of the followers' choices
    silent: tuple[str, ...] | None = ()  #: who wins if nobody ever moves; none: as counted again
    leaving: tuple[str, ...] | None = ("alice",)  #: who wins when bob leaves after those moves
    unproven: frozenset[str] = frozenset()  #: what RULES may be short of: it is not in the record


PRESETS = {
    "AuctionBot": Preset("auction", {"action": "bid", "value": -5}, leaving=None),
    "BetBot": Preset("bet", {"action": "accept", "value": "0" * 64}, leaving=()),
    "BlackjackBot": Preset(
        "blackjack", {"action": "bet", "value": 11}, {"rounds": 2}, {"rounds": 1}, silent=None
    ),
    "ChessBot": Preset(
        "chess", {"action": "move", "value": "Ke5"}, moves=4, silent=("bob",), seed="ChessBot 298"
    ),  # mate at move 17
    "CoinBot": Preset("coin", {"action": "call", "value": "edge"}),
    "ConnectFourBot": Preset(
        "connect-four", {"action": "drop", "value": 8}, moves=3, silent=("bob",)
    ),
    "DealBot": Preset(
        "deal",
        {"action": "limit", "value": 0},
        leaving=(),
        unproven=frozenset({"I_PRIVATE_KEPT"}),
    ),
    "GuessBot": Preset("guess", {"action": "jump"}, moves=3, silent=("bob",)),
    "JudgeBot": Preset(
        "judge", {"action": "accept", "value": "0" * 64}, moves=3, leaving=("alice", "bob")
    ),  # alice has said that the terms are kept
    "MemoryExchangeBot": Preset(
        "memory",
        {"action": "ask", "value": ""},
        moves=5,
        leaving=(),
        seed="9",  # an answer is released
        unproven=frozenset({"I_PRIVATE_KEPT"}),
    ),
    "PriceBot": Preset("price", {"action": "price", "value": "GOLD"}, {"delay": 1}, {"delay": 0}),
    "RockPaperScissorsBot": Preset("rock-paper-scissors", {"action": "throw", "value": "well"}),
    "TLSBot": Preset(
        "tls",
        {"action": "check", "value": "https://"},
        {"host": SITE},
        moves=2,
        leaving=(),
    ),
    "TicTacToeBot": Preset(
        "tic-tac-toe", {"action": "mark", "value": 10}, moves=3, silent=("bob",)
    ),
    "TriviaBot": Preset("trivia", {"action": "answer", "value": ""}, {"count": 3}, {"count": 1}),
    "WordBot": Preset("word", {"action": "guess", "value": "7"}, moves=3, silent=("bob",)),
}
CHEAP = ("TicTacToeBot",)
every = pytest.mark.parametrize(
    "preset",
    [name if name in CHEAP else pytest.param(name, marks=pytest.mark.long) for name in PRESETS],
)


class World(NamedTuple):
    """A pair that may be killed, whose internet is one server of ours."""

    pair: Pair
    shown: str  #: the fingerprint of that server's certificate


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    ca, tls = make_chain(tmp_path_factory.mktemp("tls"))
    async with listening(tls) as net:
        pem = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", net.port))
        shown = "sha256:" + hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
        running = Pair(
            tmp_path_factory.mktemp("mortals"),
            BOT_EGRESS_RESOLVE=f"{SITE}:443=127.0.0.1:{net.port}",
            BOT_EGRESS_CA_FILE=str(ca),
        )
        try:
            await asyncio.to_thread(running.start)
            yield World(running, shown)
        finally:
            await asyncio.to_thread(running.stop)


async def test_every_preset_is_here() -> None:
    named = [re.search(r'"name": "(\w+)"', bot.read_text()) for bot in (ROOT / "bots").glob("*.py")]
    assert {name[1] for name in named if name} == set(PRESETS) == set(RECOUNTS)


@dataclass
class Seat:
    """A player at a table."""

    label: str
    player: Tools
    room: str = ""
    cursor: int = 0
    heads: list[str] = field(default_factory=list)

    async def view(self) -> Json:
        """How the game stands."""
        found: Json = (await self.player.call("get_channel_info", channel_id=self.room))["view"]
        return found

    async def say(self, body: Any, to: list[str] | None = None) -> list[Json]:
        """Post without waiting for anybody; the bodies that came back."""
        more = {} if to is None else {"to": to}
        said = await self.player.call("post_message", channel_id=self.room, body=body, **more)
        return [one["body"] for one in said["messages"]]

    async def read(self) -> list[Json]:
        """All messages that this player may read."""
        found: list[Json] = []
        cursor = 0
        while True:
            said = await self.player.call(
                "sync_messages", channel_id=self.room, cursor=cursor, timeout_ms=0
            )
            found += said["messages"]
            if not said["more"]:
                return found
            cursor = said["cursor"]

    async def follow(self, seed: str) -> Json:
        """Do what ``next:`` says until the game is over; the last answer."""

        async def ask(name: str, arguments: Json) -> tuple[Json, str]:
            said = await self.player.call(name, **arguments)
            return said, str(said["text"])

        follower = Follower(ask, random.Random(f"{seed} {self.label}"))
        return await follower.play(
            "sync_messages", channel_id=self.room, cursor=self.cursor, until="my_turn"
        )


Table = dict[str, Seat]


@asynccontextmanager
async def accounts(pair: Pair, preset: str) -> AsyncIterator[tuple[Tools, Tools]]:
    """Two that sign in; which of them speaks the older protocol alternates."""
    modes: list[Mode] = ["legacy", "2026-07-28"]
    if sorted(PRESETS).index(preset) % 2:
        modes.reverse()
    async with (
        fastmcp_client(pair.base, "alice", modes[0]) as alice,
        fastmcp_client(pair.base, "bob", modes[1]) as bob,
    ):
        yield alice, bob


async def seated(alice: Tools, bob: Tools, preset: str, params: Json) -> Table:
    """A room in which both have sat down, both with a value for the dice."""
    made = await alice.call(
        "create_channel",
        bot_preset=preset,
        bot_params=params,
        slots=["invite:alice", "invite:bob"],
        join_as="alice",
        entropy="a" * 32,
    )
    link = made["invite_links"]["bob"]
    seen = await bob.call("inspect_invite", invite_code=link)
    await bob.call("join_channel", invite_code=link, expect_terms=seen["terms"], entropy="b" * 32)
    room = made["channel_id"]
    return {"alice": Seat("alice", alice, room), "bob": Seat("bob", bob, room)}


def choice(turn: Json, number: int) -> tuple[Any, list[str] | None]:
    """A body that is expected, and to whom it goes."""
    expect, to = turn["expect"], None
    if isinstance(expect, dict):
        expect, to = expect["body"], expect.get("to")
    if isinstance(expect, str):
        return f"guess {50 + number}", to
    return expect[number % len(expect)] if len(expect) > 4 else expect[0], to


async def open_game(alice: Tools, bob: Tools, preset: str) -> tuple[Table, str]:
    """A game in which its moves were made, and more until one alone is to move; who that is.

    A game that luck ends before that, as a guess that hits, is left for another."""
    how = PRESETS[preset]
    for _ in range(20):
        table = await seated(alice, bob, preset, how.params)
        for number in range(40):
            turn = (await table["alice"].view())["turn"]
            if turn is None:
                break
            movers = turn["players"]
            if number >= how.moves and len(movers) == 1:
                return table, str(movers[0])
            body, to = choice(turn, number)
            await table[movers[0]].say(body, to)
    raise AssertionError("nobody is alone to move")


async def go_wrong(table: Table, preset: Preset, mover: str, pair: Pair) -> None:
    """All of it at once; nothing of the game is lost."""
    here, there = table[mover], table["bob" if mover == "alice" else "alice"]
    before = await here.view()
    wrong = {"type": "move", "game": preset.game, **preset.wrong}
    await _refused(here, wrong, choice(before["turn"], 0)[1])
    await _refused(there, *choice(before["turn"], 0))
    told = await here.read()
    await there.player.close()
    assert (await there.view())["turn"]["players"] == [mover]
    await asyncio.to_thread(pair.kill, SERVER)
    await asyncio.to_thread(pair.wait)
    after = await here.view()
    assert {**after["turn"], "deadline": 0} == {**before["turn"], "deadline": 0}
    assert await here.read() == told
    for seat in table.values():
        seat.cursor = max(one["id"] for one in await seat.read())


async def _refused(seat: Seat, body: Any, to: list[str] | None) -> None:
    """The referee says no, and the game stands as before."""
    before = (await seat.view())["turn"]
    said = await seat.say(body, to)
    kinds = [one for one in said if one.get("type") in ("violation", "judge")]
    assert kinds and kinds[-1]["player"] == seat.label, (body, said)
    assert (await seat.view())["turn"]["players"] == before["players"]


async def verified(seat: Seat, directory: Path) -> set[str]:
    """What `python -m mcp_multiplayer.verifier` finds missing in this player's file for RULES and
    RECORD, which are else proven; nobody is accused."""
    answer = await seat.player.call("get_transcript", channel_id=seat.room)
    async with httpx.AsyncClient(verify=False) as plain:
        content = (await plain.get(answer["url"])).raise_for_status().content
    file = directory / f"{seat.room}.zip"
    file.write_bytes(content)
    command = [
        sys.executable,
        "-m",
        "mcp_multiplayer.verifier",
        str(file),
        "--json",
        "--me",
        seat.label,
    ]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 2), (done.stdout, done.stderr)
    report: Json = json.loads(done.stdout)
    states = {one["line"]: one["state"] for one in report["verdict"]}
    assert "VIOLATED" not in states.values() and report["executed"] > 0
    short = {one["code"] for one in report["findings"] if {"RULES", "RECORD"} & set(one["lines"])}
    if not short:
        assert report["executed"] == report["runs"]
        assert (states["RULES"], states["RECORD"]) == ("PROVEN", "PROVEN")
    return short


def result_of(view: Json) -> Json:
    """The result, which must be one."""
    assert view["status"] == "ended", view
    found: Json = view["result"]
    assert set(found["winners"]) <= {"alice", "bob"} and found["reason"]
    return found


@every
async def test_a_game_survives_all_that_goes_wrong_and_its_record_proves_it(
    world: World, preset: str, tmp_path: Path
) -> None:
    how = PRESETS[preset]
    async with accounts(world.pair, preset) as (alice, bob):
        table, mover = await open_game(alice, bob, preset)
        await go_wrong(table, how, mover, world.pair)
        async with asyncio.timeout(400):
            again = asyncio.create_task(asyncio.to_thread(world.pair.kill, SERVER))
            last, _ = await asyncio.gather(*(seat.follow(how.seed) for seat in table.values()))
            await again
            await asyncio.to_thread(world.pair.wait)
        result = result_of(last["view"])
        for seat in table.values():
            messages = await seat.read()
            RECOUNTS[preset](Told(messages, result, world.shown))
            other = {**result, "winners": ["mallory"]}
            with pytest.raises(AssertionError):
                RECOUNTS[preset](Told(messages, other, world.shown))
        assert await verified(table["alice"], tmp_path) == how.unproven
        assert (alice.browser.visits, bob.browser.visits) == (1, 1)


@every
async def test_silence_and_leaving_end_a_game_with_a_result(
    world: World, preset: str, tmp_path: Path
) -> None:
    how = PRESETS[preset]
    async with accounts(world.pair, preset) as (alice, bob):
        silent = await seated(alice, bob, preset, {**how.params, **how.short, "seconds": 1})
        left, _ = await open_game(alice, bob, preset)
        await bob.call("leave_channel", channel_id=left["bob"].room)
        async with asyncio.timeout(120):
            alone = await left["alice"].follow(how.seed)
            over = await ended(silent["bob"])
        for seat, view, winners in (
            (left["alice"], alone["view"], how.leaving),
            (silent["bob"], over, how.silent),
        ):
            result = result_of(view)
            if winners is None:
                RECOUNTS[preset](Told(await seat.read(), result, world.shown))
            else:
                assert tuple(result["winners"]) == winners, result
            assert await verified(seat, tmp_path) <= how.unproven


async def ended(seat: Seat) -> Json:
    """How it stands when the clock has done everything."""
    view = await seat.view()
    while view["status"] != "ended":
        said = await seat.player.call("sync_messages", channel_id=seat.room, cursor=seat.cursor)
        seat.cursor = said["cursor"]
        view = await seat.view()
    return view
