"""PriceBot as scripts: against a local HTTPS server, and against answers by hand."""

import asyncio
import json
import random
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_multiplayer.sandbox.call import Failed, Finished, HookCall, HookResult, Limits
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.sandbox.hostcalls.broker import Broker
from mcp_multiplayer.sandbox.hostcalls.egress import read_egress
from mcp_multiplayer.transcript.names import HOOKS
from mcp_multiplayer.workshop.table import Plain, Runner, Table, source_of
from tests.bots.certificates import serving, sign
from tests.bots.wandering import heard_by, public, wander
from tests.sandbox.outside import listening, make_chain


async def chatter(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A mail server where a web server was expected."""
    writer.write(b"220 mail.example.com ready\r\n" * 20)
    await writer.drain()
    writer.close()


SOURCE = source_of("price_bot.py")
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def online(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pool]:
    """A sandbox whose internet is one server of ours, with a certificate of ours."""
    ca, tls = make_chain(tmp_path_factory.mktemp("tls"))
    stranger, unknown = make_chain(tmp_path_factory.mktemp("unknown"))
    assert stranger != ca
    talker = await asyncio.start_server(chatter, "127.0.0.1", 0)
    async with listening(tls) as server, listening(unknown) as untrusted, talker:
        resolve = ",".join(
            f"{name}:443=127.0.0.1:{port}"
            for name, port in (
                ("api.coinbase.com", server.port),
                ("api.example.com", server.port),
                ("other.example.com", untrusted.port),
                ("slow.example.com", 1),
                ("name.example.com", server.port),
                ("mail.example.com", talker.sockets[0].getsockname()[1]),
            )
        )
        limits = Limits(hook_seconds=5.0, response=64 << 10)
        broker = Broker(read_egress("none", "443", resolve), limits=limits, ca_file=ca)
        made = Pool(limits=limits, broker=broker)
        await made.start()
        yield made
        await made.close()


@dataclass
class Clocks:
    """Remembers the bot's own timers."""

    runner: Runner
    set: dict[str, float | None] = field(default_factory=dict)

    async def run(self, call: HookCall) -> HookResult:
        result = await self.runner.run(call)
        if isinstance(result, Finished):
            self.set.update(result.timers)
        return result

    async def settle(self, table: Table) -> list[dict[str, Any]]:
        seconds = self.set.pop("settle")
        assert seconds is not None
        table.now += seconds
        return await table.call("on_timer", "settle")


class Source:
    """Stands for `requests` in `Plain`: answers by hand, in order; the last one stays."""

    def __init__(self, *prices: Any) -> None:
        self.prices, self.asked = list(prices), 0

    def get(self, url: str, **_: Any) -> requests.Response:
        self.asked += 1
        price = self.prices.pop(0) if len(self.prices) > 1 else self.prices[0]
        made = requests.Response()
        made.status_code = 503 if price is None else 200
        made._content = json.dumps({"data": {"amount": price}}).encode()
        return made


HAND = Plain()


def by_hand(*prices: Any, **params: Any) -> tuple[Table, Clocks]:
    """A table whose source answers so; the one before it is gone."""
    stand_in = SimpleNamespace(get=Source(*prices).get, exceptions=requests.exceptions)
    HAND.space(SOURCE)["requests"] = stand_in
    clocks = Clocks(HAND)
    return new(clocks, **params), clocks


def new(runner: Runner, **params: Any) -> Table:
    return Table(runner, SOURCE, params, bot_id="price")


async def guess(table: Table, **amounts: Any) -> None:
    for player, amount in amounts.items():
        await table.say(player, f"guess {amount}", to=True)


async def test_it_is_announced_with_its_manifest_and_hooks(pool: Pool) -> None:
    report = await pool.inspect(SOURCE)
    assert report.class_name == "PriceBot"
    assert set(report.hooks) == set(HOOKS) - {"on_join"}
    assert report.manifest is not None and report.manifest["label"] == "price"
    assert report.network and not report.dice


async def test_a_price_is_what_the_source_says(online: Pool) -> None:
    table = new(online, bet=False)
    await table.begin("alice", "bob")
    assert table.turn is None and table.end is None
    expected = {
        "type": "price",
        "symbol": "BTC",
        "source": "api.coinbase.com",
        "at": "2027-01-15T08:00:00Z",
        "price": "114609.375",
        "unit": "USD",
    }
    assert await table.say("bob", "Price") == [expected]
    move = {"type": "move", "game": "price", "action": "price", "value": "btc"}
    assert await table.say("alice", move) == [expected]
    assert "quotes only" in await table.refused("alice", "guess 1", to=True)


PROBLEMS = {
    "/status?503": "it answered with HTTP 503",
    "/status?404": "it answered with HTTP 404",
    "/chunked": "its answer is no JSON",
    "/gzip": "its answer has nothing at data.amount",
    "/large?70000": "its answer is too long",
    "/garbled": "it cannot be reached, or speaks no HTTP",
    "/silent": "it did not answer within 3 seconds",
    "https://other.example.com/v2/prices/BTC-USD/spot": "its certificate is not valid",
    "https://name.example.com/": "its certificate is not valid: it is for another name",
    "https://mail.example.com/": "it speaks no TLS, or none that is accepted here",
    "https://slow.example.com/": "it cannot be reached, or speaks no HTTP",
    "https://elsewhere.example.com/": "this server does not let referees reach it",
    "https://api.example.com:8443/": "this server does not let referees reach it",
    "https://127.0.0.1/": "this server does not let referees reach it",
}


@pytest.mark.parametrize(
    ("days", "own", "reason"),
    [
        ((-9, -1), False, "it has expired"),
        ((1, 9), False, "it is not valid yet"),
        ((-1, 9), True, "it is self-signed"),
    ],
)
async def test_it_says_what_is_wrong_with_a_certificate(
    tmp_path: Path, days: tuple[int, int], own: bool, reason: str
) -> None:
    root = sign("test root", None)
    leaf = sign("site", None if own else root, ("api.example.com",), days)
    ca = tmp_path / "root.pem"
    ca.write_text(ssl.DER_cert_to_PEM_cert(root.der))
    async with listening(serving(tmp_path, leaf)) as server:
        egress = read_egress("none", "443", f"api.example.com:443=127.0.0.1:{server.port}")
        pool = Pool(broker=Broker(egress, ca_file=ca))
        await pool.start()
        try:
            table = new(pool, url="https://api.example.com/", bet=False)
            table.now = time.time()
            await table.begin("alice")
            (said,) = await table.say("alice", "price")
        finally:
            await pool.close()
    assert said["text"] == "no price of BTC: its certificate is not valid: " + reason


@pytest.mark.parametrize("where", PROBLEMS)
async def test_without_a_price_it_says_why(online: Pool, where: str) -> None:
    url = where if where.startswith("https") else "https://api.example.com" + where
    table = new(online, url=url, bet=False)
    await table.begin("alice", "bob")
    (said,) = await table.say("alice", "price")
    assert said["text"] == "no price of BTC: " + PROBLEMS[where] and said["price"] is None


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("data.rates.USD", "97"),
        (["data", "rates", "USD"], "97"),
        ("data.base", None),
        ("data", None),
        ("data.rates.0", None),
    ],
)
async def test_the_number_is_found_by_its_path(online: Pool, path: Any, found: str | None) -> None:
    url = "https://api.example.com/v2/exchange-rates"
    table = new(online, url=url, path=path, bet=False)
    await table.begin("alice", "bob")
    assert (await table.say("alice", "price"))[0]["price"] == found


@pytest.mark.parametrize(
    ("value", "shown"),
    [(97, "97"), (0.1, "0.1"), (1e-7, "1e-07"), (True, None), (None, None), ("NaN", None)],
)
async def test_what_is_a_number_in_json_is_shown_as_written(value: Any, shown: str | None) -> None:
    table, _ = by_hand([value], path="data.amount.0", bet=False)
    await table.begin("alice", "bob")
    assert (await table.say("alice", "price"))[0]["price"] == shown


async def test_a_bet_in_the_sandbox_is_won_by_the_nearest(online: Pool) -> None:
    clocks = Clocks(online)
    table = new(clocks)
    await table.begin("alice", "bob")
    assert table.movers == ["alice", "bob"] and table.expect["to"] == ["bot:price"]
    assert table.expect["body"][2] == "guess 114609.375"
    await table.say("alice", "guess 114600.875", to=True)
    assert table.movers == ["bob"] and "114600.875" not in public(table)
    await table.say("bob", table.expect["body"][3], to=True)
    assert table.turn is None and table.end is None
    (opened,) = table.said("guesses")
    assert opened["guesses"] == {"alice": "114600.875", "bob": "115755.46875"}
    await clocks.settle(table)
    (settled,) = table.said("settled")
    assert settled["off"] == {"alice": "8.5", "bob": "1146.09375"}
    assert table.end == {"winners": ["alice"], "reason": "BTC is 114609.375 USD"}


async def test_equally_near_guesses_both_win_with_no_error_of_floats() -> None:
    table, _ = by_hand("0.3", delay=0)
    await table.begin("alice", "bob", "carol")
    await guess(table, alice="0.1", bob="0.5", carol="0")
    assert table.end is not None and table.end["winners"] == ["alice", "bob"]


@pytest.mark.parametrize(
    ("players", "owed"), [("alice bob", "bob owes"), ("alice bob carol", "bob and carol owe")]
)
async def test_the_result_says_who_owes_the_stake(players: str, owed: str) -> None:
    table, _ = by_hand("5", delay=0, stake="the washing-up")
    await table.begin(*players.split())
    (said,) = await table.say("bob", "!help")
    assert "who does not owes: the washing-up" in said["text"]
    await guess(table, **dict(zip(players.split(), ("5", "9", "9"), strict=False)))
    assert table.end is not None
    assert table.end["reason"] == f"BTC is 5 USD; {owed}: the washing-up"


async def test_where_all_have_won_nobody_owes_the_stake() -> None:
    table, _ = by_hand("5", delay=0, stake="the washing-up")
    await table.begin("alice", "bob")
    await guess(table, alice=5, bob=5)
    assert table.end == {"winners": ["alice", "bob"], "reason": "BTC is 5 USD"}


async def test_a_source_that_fails_is_asked_again_and_three_times_at_most() -> None:
    table, clocks = by_hand("5", None, None, "7")
    await table.begin("alice", "bob")
    await guess(table, alice=7, bob=5)
    assert clocks.set["settle"] == 10
    for _ in range(2):
        await clocks.settle(table)
        assert table.end is None and clocks.set["settle"] == 30
    await clocks.settle(table)
    assert table.end is not None and table.end["winners"] == ["alice"]
    table, clocks = by_hand(None)
    await table.begin("alice", "bob")
    assert table.expect["body"] == ["guess 0.01", "guess 1", "guess 100", "guess 10000"]
    await guess(table, alice=7, bob=5)
    for _ in range(3):
        await clocks.settle(table)
    assert table.end == {"winners": [], "reason": "the source gives no price"}


@pytest.mark.parametrize("to", [None, ["bot:price", "bob"], ["bot:price", "bot:spy"]])
async def test_a_guess_that_others_can_read_is_void_and_costs_nothing(to: Any) -> None:
    table, _ = by_hand("5", delay=0)
    await table.begin("alice", "bob")
    assert "sealed" in await table.refused("alice", "guess 5", to)
    await guess(table, alice=5, bob=9)
    assert table.end is not None and table.end["winners"] == ["alice"]


async def test_what_is_no_move_changes_nothing_and_says_why() -> None:
    table, _ = by_hand("5")
    table.players = ["alice"]
    assert "not started" in await table.refused("alice", "guess 5", to=True)
    table.players = []
    await table.begin("alice", "bob")
    assert "not a player" in await table.refused("carol", "guess 5", to=True)
    assert "still going on" in await table.refused("alice", "rematch")
    assert "BTC, ETH" in await table.refused("alice", "price DOGE")
    for value in (None, True, [5], "x", "", "1,000", "0x5", "1e999", float("inf")):
        move = {"type": "move", "game": "price", "action": "guess", "value": value}
        assert await table.refused("alice", move, to=True) == "a guess is a number such as 64000.5"
        assert table.posts[-1].to == ("alice",)  # what was sealed is answered in private
    move = {"type": "move", "game": "price", "action": "buy"}
    assert "the moves are" in await table.refused("alice", move)
    await guess(table, alice=5)
    assert "final" in await table.refused("alice", "guess 6", to=True)
    for chat in ("hello", "what price is it?", "price of it", {"x": 1}):
        assert await table.say("bob", chat) == []
    (answer,) = await table.say("bob", "!help")
    assert "BTC, ETH" in answer["text"]


async def test_who_does_not_guess_in_time_is_out() -> None:
    table, _ = by_hand("5", seconds=60, delay=0)
    await table.begin("alice", "bob", "carol")
    table.now += 20
    await guess(table, alice=9)
    assert table.seconds == pytest.approx(40, abs=1e-3)
    await guess(table, bob=6)
    await table.late()
    assert table.said("late") == [{"type": "late", "player": "carol"}]
    assert table.end is not None and table.end["winners"] == ["bob"]


@pytest.mark.parametrize("guessed", [True, False])
async def test_with_one_guess_or_none_no_price_is_needed(guessed: bool) -> None:
    table, _ = by_hand("5", seconds=60)
    await table.begin("alice", "bob")
    if guessed:
        await guess(table, alice=9)
    await table.late()
    assert table.end is not None and table.end["winners"] == (["alice"] if guessed else [])


@pytest.mark.parametrize("how", ["concede", "leave"])
@pytest.mark.parametrize("when", ["guess", "wait"])
async def test_the_last_one_left_wins(how: str, when: str) -> None:
    table, clocks = by_hand("5")
    await table.begin("alice", "bob")
    if when == "wait":
        await guess(table, alice=5, bob=9)
    await (table.leave("alice") if how == "leave" else table.say("alice", how))
    assert table.end is not None and table.end["winners"] == ["bob"]
    assert clocks.set.get("settle") is None
    assert await table.call("on_timer", "settle") == []


async def test_a_rematch_begins_when_all_who_are_here_have_asked() -> None:
    table, _ = by_hand("5", delay=0)
    await table.begin("alice", "bob")
    await guess(table, alice=5, bob=9)
    assert "over" in await table.refused("bob", "guess 5", to=True)
    await table.say("alice", "rematch")
    assert "waiting" in await table.refused("alice", "rematch")
    await table.say("bob", "rematch")
    assert table.movers == ["alice", "bob"]
    await guess(table, alice=5, bob=9)
    await table.leave("alice")
    assert await table.refused("bob", "rematch") == "the others have left"


@pytest.mark.parametrize(
    "params", [{"url": "file:///etc/passwd"}, {"path": []}, {"symbols": []}, {"symbols": ["../x"]}]
)
async def test_params_that_make_no_source_are_refused(pool: Pool, params: dict[str, Any]) -> None:
    result = await pool.run(HookCall(SOURCE, "on_init", params=params))
    assert isinstance(result, Failed) and result.error == "ValueError"


DECIMAL = st.from_regex(r"-?[0-9]{1,12}(\.[0-9]{1,12})?(e-?[0-9])?", fullmatch=True)


@settings(max_examples=80, suppress_health_check=list(HealthCheck))
@given(price=DECIMAL, amounts=st.lists(DECIMAL, min_size=2, max_size=5))
async def test_any_bet_is_won_by_the_nearest_of_exact_numbers(
    price: str, amounts: list[str]
) -> None:
    table, _ = by_hand(price, delay=0)
    players = [f"p{n}" for n in range(len(amounts))]
    await table.begin(*players)
    await guess(table, **dict(zip(players, amounts, strict=True)))
    off = [abs(Fraction(amount) - Fraction(price)) for amount in amounts]
    nearest = [p for p, d in zip(players, off, strict=True) if d == min(off)]
    assert table.end is not None and table.end["winners"] == nearest


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(one=DECIMAL, two=DECIMAL)
async def test_before_the_opening_nothing_depends_on_a_guess(one: str, two: str) -> None:
    heard = []
    for amount in (one, two):
        table, _ = by_hand("5")
        await table.begin("alice", "bob")
        await guess(table, alice=amount)
        heard.append((heard_by(table, "bob"), table.turn))
    assert heard[0] == heard[1]


NONSENSE = ["guess x", "guess", "price DOGE", "hello", "!help", "rematch", {"x": 1}]


async def any_bet(seed: int) -> None:
    """Played at random to the end; the winners are worked out again from what was opened."""
    chance = random.Random(seed)
    prices = [chance.choice([None, "7", "7.5", "100", 9]) for _ in range(20)]
    table, clocks = by_hand(*prices, delay=chance.choice([0, 60]))
    await table.begin(*["alice", "bob", "carol"][: chance.randint(2, 3)])
    await wander(table, chance, NONSENSE, clocks.settle)
    assert table.end is not None
    for settled in table.said("settled"):
        opened = table.said("guesses")[-1]["guesses"]
        off = {p: abs(Fraction(opened[p]) - Fraction(settled["price"])) for p in settled["off"]}
        nearest = [p for p, d in off.items() if d == min(off.values())]
        assert sorted(table.end["winners"]) == sorted(nearest)


async def test_a_few_bets_at_random_end_by_their_rules() -> None:
    for seed in range(40):
        await any_bet(seed)


@pytest.mark.long
async def test_a_thousand_bets_at_random_end_by_their_rules() -> None:
    for seed in range(1000):
        await any_bet(seed)
