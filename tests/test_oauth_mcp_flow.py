"""The story: two accounts come in through OAuth, one opens a room with GuessBot and hands over
the link, the other reads the referee's source and terms and joins, they play by typing, and the
reveal matches the commitment. With every kind of client, and with processes killed on the way.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from mcp_multiplayer.demo.pair import PROXY, SERVER, Pair
from tests.players import Json, Player, Tools, fastmcp_client, rest, sdk_client
from tests.sample import sample

pytestmark = pytest.mark.servers

Pause = Callable[[str], Awaitable[None]]

CLIENTS: dict[str, Callable[[str, str], AbstractAsyncContextManager[Player]]] = {
    "fastmcp-legacy": lambda base, name: fastmcp_client(base, name, "legacy"),
    "fastmcp-modern": lambda base, name: fastmcp_client(base, name, "2026-07-28"),
    "sdk-legacy-at-/": lambda base, name: sdk_client(f"{base}/", name),
    "sdk-legacy-at-/mcp": lambda base, name: sdk_client(f"{base}/mcp", name),
    "sdk-modern-at-/": lambda base, name: sdk_client(f"{base}/", name, "2026-07-28"),
    "sdk-modern-at-/mcp": lambda base, name: sdk_client(f"{base}/mcp", name, "2026-07-28"),
    "rest": rest,
}


@asynccontextmanager
async def two(client: str, base: str) -> AsyncIterator[tuple[Player, Player]]:
    enter = CLIENTS[client]
    async with enter(base, "alice") as alice, enter(base, "bob") as bob:
        yield alice, bob


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def nothing(step: str) -> None:
    """What happens between two steps when nothing happens."""


async def play(
    alice: Player, bob: Player, pause: Pause = nothing, bounds: Json | None = None
) -> str:
    """Play the whole story and check it as the two would; return the channel's id.

    ``pause`` is awaited between any two steps, and as "about to ..." before a step that changes
    the room: what it starts then happens while that step is under way.
    """
    made = await alice.call(
        "create_channel",
        name="Guess Game",
        bot_preset="GuessBot",
        bot_params=bounds or {},
        join_as="alice",
    )
    room, link = made["channel_id"], made["invite_links"]["bob"]
    await pause("opened")

    seen = await bob.call("inspect_invite", invite_code=link)
    (referee,) = seen["bots"]
    assert "sha256:" + sha256(referee["source"]) == referee["code_hash"]
    assert referee["code_hash"] == made["bots"][0]["code_hash"]
    await pause("inspected")

    code = await bob.call("get_bot_code", invite_code=link, bot_id=referee["bot_id"])
    assert code["code"] == referee["source"]
    await pause("read")

    await pause("about to join")
    joined = await bob.call("join_channel", invite_code=link, expect_terms=seen["terms"])
    assert joined["player_id"] == "bob"
    await pause("joined")

    woken = await alice.call(
        "sync_messages", channel_id=room, cursor=made["cursor"], until="my_turn"
    )
    assert woken["view"]["turn"]["yours"]
    await pause("woken")

    cursors = {"alice": woken["cursor"], "bob": joined["cursor"]}
    guesses = await _moves(room, {"alice": alice, "bob": bob}, cursors, pause, bounds or {})
    await _check(room, alice, bob, guesses)
    return str(room)


async def _moves(
    room: str, players: dict[str, Player], cursors: dict[str, int], pause: Pause, bounds: Json
) -> list[tuple[str, int]]:
    """Halve the interval in turns until it is hit; return who guessed what."""
    low, high = bounds.get("low", 1), bounds.get("high", 100)
    guesses: list[tuple[str, int]] = []
    while True:
        mover = ("alice", "bob")[len(guesses) % 2]
        guess = (low + high) // 2
        guesses.append((mover, guess))
        await pause(f"about to move {len(guesses)}")
        answer = await players[mover].call(
            "post_message", channel_id=room, body=f"guess {guess}", cursor=cursors[mover]
        )
        cursors[mover] = answer["cursor"]
        verdict = [m["body"] for m in answer["messages"] if m["body"].get("type") == "judge"][-1]
        assert (verdict["player"], verdict["guess"]) == (mover, guess)
        await pause(f"moved {len(guesses)}")
        match verdict["result"]:
            case "correct":
                return guesses
            case "high":
                high = guess - 1
            case "low":
                low = guess + 1


async def _check(room: str, alice: Player, bob: Player, guesses: list[tuple[str, int]]) -> None:
    """Both read the same log, it holds each move once, and the referee kept its word."""
    read = [
        await reader.call("sync_messages", channel_id=room, cursor=0, timeout_ms=0, limit=500)
        for reader in (alice, bob)
    ]
    messages = read[0]["messages"]
    assert messages == read[1]["messages"]
    assert [message["id"] for message in messages] == list(range(1, len(messages) + 1))
    moves = [(m["sender"], m["body"]["text"]) for m in messages if m["kind"] == "user"]
    assert moves == [(mover, f"guess {guess}") for mover, guess in guesses]
    said = {m["body"]["type"]: m["body"] for m in messages if m["kind"] == "bot"}
    verdicts = [m["body"] for m in messages if m["body"].get("type") == "judge"]
    assert [(v["player"], v["guess"]) for v in verdicts] == guesses
    reveal = said["reveal"]
    assert reveal["target"] == guesses[-1][1]
    assert sha256(f"{reveal['target']}{reveal['salt']}") == reveal["hash"]
    assert reveal["hash"] == said["commitment"]["commitment_hash"]
    for player in (alice, bob):
        rooms = (await player.call("list_channels"))["channels"]
        assert [r["status"] for r in rooms if r["channel_id"] == room] == ["ended"]
    took_over = [m for m in messages if m["body"].get("type") in ("taken_over", "left")]
    joins = [m["body"] for m in messages if m["body"].get("type") == "joined"]
    assert (len(took_over), len(joins)) == (0, 2)


def signed_in_once(*players: Player) -> bool:
    return all(p.browser.visits == 1 for p in players if isinstance(p, Tools))


@pytest.mark.parametrize("client", CLIENTS)
async def test_two_accounts_play_and_the_reveal_matches_the_commitment(
    pair: Pair, client: str
) -> None:
    async with two(client, pair.base) as (alice, bob):
        await play(alice, bob)
        assert signed_in_once(alice, bob)


async def test_each_may_come_with_another_client(pair: Pair) -> None:
    async with (
        fastmcp_client(pair.base, "alice", "2026-07-28") as alice,
        rest(pair.base, "bob") as bob,
    ):
        await play(alice, bob)


# Killed on the way


@pytest.fixture(scope="module")
def mortals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    running = Pair(tmp_path_factory.mktemp("mortals"))
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture
def own_pair(mortals: Pair) -> Pair:
    """A pair that may be killed; `kill` starts again at once."""
    mortals.wait()
    return mortals


@pytest.mark.parametrize("client", sample(CLIENTS, {"fastmcp-legacy"}))
async def test_a_kill_between_two_steps_costs_nobody_login_seat_or_move(
    own_pair: Pair, client: str
) -> None:
    """Three kills in one game, and none of the players notices more than a pause."""

    async def pause(step: str) -> None:
        if step in ("inspected", "joined", "moved 1"):
            own_pair.kill(SERVER)

    async with two(client, own_pair.base) as (alice, bob):
        await play(alice, bob, pause)
        assert signed_in_once(alice, bob)


@pytest.mark.parametrize("client", sample(CLIENTS, ()))
async def test_a_join_or_move_under_way_when_the_server_dies_is_made_exactly_once(
    own_pair: Pair, client: str
) -> None:
    async def pause(step: str) -> None:
        if step in ("about to join", "about to move 1", "about to move 2"):
            # About the middle of it, but any moment will do.
            asyncio.get_running_loop().call_later(0.005, own_pair.kill, SERVER)

    async with two(client, own_pair.base) as (alice, bob):
        await play(alice, bob, pause, {"low": 1, "high": 1_000_000})
        assert signed_in_once(alice, bob)


@pytest.mark.parametrize("client", ["fastmcp-modern"])
async def test_who_waits_when_the_server_dies_is_woken_all_the_same(
    own_pair: Pair, client: str
) -> None:
    async with two(client, own_pair.base) as (alice, bob):
        made = await alice.call("create_channel", bot_preset="GuessBot", join_as="alice")
        room, link = made["channel_id"], made["invite_links"]["bob"]
        waiting = asyncio.create_task(
            alice.call("sync_messages", channel_id=room, cursor=made["cursor"], until="my_turn")
        )
        await bob.call("list_channels")  # a whole request later her poll is under way
        own_pair.kill(SERVER)
        await bob.call("join_channel", invite_code=link)
        woken = await waiting
        assert woken["view"]["turn"]["yours"]
        assert signed_in_once(alice, bob)


@pytest.mark.parametrize("client", ["fastmcp-legacy", "rest"])
async def test_a_killed_proxy_remembers_who_was_signed_in(own_pair: Pair, client: str) -> None:
    async def pause(step: str) -> None:
        if step == "joined":
            own_pair.kill(PROXY)

    async with two(client, own_pair.base) as (alice, bob):
        await play(alice, bob, pause)
        assert signed_in_once(alice, bob)


async def test_what_start_servers_starts_again_goes_on_with_the_game(tmp_path: Path) -> None:
    supervised = Pair(tmp_path / "pair", supervised=True)

    async def pause(step: str) -> None:
        if step == "woken":
            supervised.kill(SERVER)

    try:
        supervised.start()
        async with two("fastmcp-modern", supervised.base) as (alice, bob):
            await play(alice, bob, pause)
            assert signed_in_once(alice, bob)
        assert "multiplayer_server was ended by SIGKILL; starting it again" in supervised.output
    finally:
        supervised.stop()


@pytest.mark.long
@pytest.mark.parametrize("client", CLIENTS)
async def test_a_kill_between_any_two_steps_costs_nobody_login_seat_or_move(
    own_pair: Pair, client: str
) -> None:
    """At every boundary of one game, and again in the middle of every move of another."""

    async def between(step: str) -> None:
        if not step.startswith("about to"):
            own_pair.kill(SERVER)

    async def during(step: str) -> None:
        if step.startswith("about to"):
            delay = 0.002 * int(step.split()[-1].replace("join", "1"))
            asyncio.get_running_loop().call_later(delay, own_pair.kill, SERVER)

    async with two(client, own_pair.base) as (alice, bob):
        await play(alice, bob, between)
        own_pair.wait()
        await play(alice, bob, during)
        assert signed_in_once(alice, bob)


@pytest.mark.long
@pytest.mark.parametrize("client", CLIENTS)
async def test_both_processes_may_die_between_any_two_steps(own_pair: Pair, client: str) -> None:
    async def pause(step: str) -> None:
        if not step.startswith("about to"):
            own_pair.kill(PROXY)
            own_pair.kill(SERVER)

    async with two(client, own_pair.base) as (alice, bob):
        await play(alice, bob, pause)
        assert signed_in_once(alice, bob)


# curl itself


def curl(base: str, path: str, *options: str) -> Json:
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--max-time", "60", *options, f"{base}{path}"],
        capture_output=True,
        check=True,
        text=True,
    )
    answer: Json = json.loads(done.stdout)
    assert "error" not in answer, done.stdout
    return answer


class Curl(Player):
    """The program curl, as in the README."""

    def __init__(self, base: str, name: str) -> None:
        self._base = base
        as_json = ("-H", "Content-Type: application/json")
        wish = json.dumps({"client_name": name, "grant_types": ["client_credentials"]})
        client = curl(base, "/register", *as_json, "-d", wish)
        who = f"{client['client_id']}:{client['client_secret']}"
        token = curl(base, "/token", "-u", who, "-d", "grant_type=client_credentials")
        self._options = (*as_json, "-H", f"Authorization: Bearer {token['access_token']}")

    async def attempt(self, operation: str, arguments: Json) -> Json:
        if operation in ("sync_messages", "list_channels", "get_bot_code"):
            query = [("--data-urlencode", f"{name}={value}") for name, value in arguments.items()]
            sent = ["-G", *(word for pair in query for word in pair)]
        else:
            sent = ["-d", json.dumps(arguments)]
        return await asyncio.to_thread(curl, self._base, f"/{operation}", *self._options, *sent)


async def test_curl_is_client_enough(pair: Pair) -> None:
    await play(Curl(pair.base, "alice"), Curl(pair.base, "bob"))
