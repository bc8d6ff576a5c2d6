"""Auctions of AuctionBot as scripts: sealed bids in, one sale out."""

import random
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_multiplayer.sandbox.call import Failed, HookCall
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.transcript.names import HOOKS
from mcp_multiplayer.workshop.table import Plain, Runner, Table, source_of
from tests.bots.wandering import heard_by, public, wander

SOURCE = source_of("auction_bot.py")
pytestmark = pytest.mark.asyncio(loop_scope="module")


def new(runner: Runner, **params: Any) -> Table:
    return Table(runner, SOURCE, params, bot_id="auction")


@pytest_asyncio.fixture(loop_scope="module")
async def table(pool: Pool) -> Table:
    made = new(pool, item="a bicycle", reserve=10, limit=500, seconds=60)
    await made.begin("alice", "bob")
    return made


async def bids(table: Table, **amounts: int | None) -> dict[str, Any]:
    """Everybody's bid in this order; what was opened."""
    for player, amount in amounts.items():
        await table.say(player, "pass" if amount is None else f"bid {amount}", to=True)
    return table.said("opened")[-1]


async def test_it_is_announced_with_its_manifest_and_hooks(pool: Pool) -> None:
    report = await pool.inspect(SOURCE)
    assert report.class_name == "AuctionBot"
    assert set(report.hooks) == set(HOOKS) - {"on_join"}
    assert report.manifest is not None and report.manifest["label"] == "auction"
    assert not report.network


async def test_all_are_to_bid_at_once_and_told_how(table: Table) -> None:
    assert table.movers == ["alice", "bob"] and table.seconds == 60
    assert table.expect["body"] == ["bid 10", "bid 132", "bid 255", "bid 377", "bid 500", "pass"]
    assert table.expect["to"] == ["bot:auction"]
    assert "a bicycle" in table.said("prompt")[0]["text"]


async def test_the_highest_buys_for_the_own_bid(table: Table) -> None:
    assert await table.say("alice", "bid 173", to=True) == [{"type": "sealed", "player": "alice"}]
    assert table.movers == ["bob"] and "173" not in public(table)
    (opened,) = await table.say("bob", "bid 60", to=True)
    assert opened == {
        "type": "opened",
        "bids": {"alice": 173, "bob": 60},
        "passed": [],
        "late": [],
        "buyer": "alice",
        "price": 173,
    }
    assert table.end == {"winners": ["alice"], "reason": "alice buys for 173"}


@pytest.mark.parametrize(
    ("alice", "bob", "price"), [(173, 60, 60), (60, 60, 60), (60, None, 10), (10, None, 10)]
)
async def test_by_the_second_price_the_buyer_pays_what_the_others_bid(
    alice: int, bob: int | None, price: int
) -> None:
    table = new(Plain(), item="x", price="second", reserve=10, ties="first")
    await table.begin("alice", "bob")
    opened = await bids(table, alice=alice, bob=bob)
    assert (opened["buyer"], opened["price"]) == ("alice", price)


async def test_of_equal_bids_the_first_to_arrive_or_a_lot_decides() -> None:
    table = new(Plain(), item="x", ties="first")
    await table.begin("alice", "bob", "carol")
    opened = await bids(table, carol=7, bob=7, alice=3)
    assert (opened["buyer"], opened["tied"]) == ("carol", ["carol", "bob"])
    buyers = set()
    for seed in range(20):
        table = Table(Plain(), SOURCE, {"item": "x"}, bytes([seed]), "auction")
        await table.begin("alice", "bob", "carol")
        buyers.add((await bids(table, carol=7, bob=7, alice=3))["buyer"])
    assert buyers == {"bob", "carol"}


async def test_a_structured_bid_is_the_same_move(table: Table) -> None:
    move = {"type": "move", "game": "auction", "action": "bid", "value": 44}
    await table.say("alice", move, to=True)
    await table.say("bob", {"type": "move", "game": "auction", "action": "pass"})
    assert table.end == {"winners": ["alice"], "reason": "alice buys for 44"}


@pytest.mark.parametrize("to", [None, ["bot:auction", "bob"], ["bot:auction", "bot:spy"]])
async def test_a_bid_that_others_can_read_is_void_and_costs_nothing(table: Table, to: Any) -> None:
    assert "sealed" in await table.refused("alice", "bid 50", to)
    await bids(table, alice=20, bob=None)
    assert table.end is not None and table.end["reason"] == "alice buys for 20"


async def test_what_is_no_bid_changes_nothing_and_says_why(table: Table) -> None:
    assert "not a bidder" in await table.refused("carol", "bid 50", to=True)
    assert "still going on" in await table.refused("alice", "rematch")
    for value in (9, 501, 50.5, True, None, "9", "5e1", [50]):
        move = {"type": "move", "game": "auction", "action": "bid", "value": value}
        assert await table.refused("alice", move, to=True) == (
            "a bid is a whole number from 10 to 500"
        )
        assert table.posts[-1].to == ("alice",)  # what was sealed is answered in private
    for text in ("bid x", "bid -5", "bid 1e2", "bid ²", "bid " + "9" * 30):
        assert "whole number" in await table.refused("alice", text, to=True)
    move = {"type": "move", "game": "auction", "action": "well"}
    assert "the moves are" in await table.refused("alice", move)
    await table.say("alice", "bid 50", to=True)
    assert "final" in await table.refused("alice", "bid 60", to=True)
    for chat in ("hello", "I bid 60 on it", {"x": 1}):
        assert await table.say("bob", chat) == []
    (answer,) = await table.say("bob", "!help")
    assert "from 10 to 500" in answer["text"]


async def test_a_bid_before_the_start_is_refused(pool: Pool) -> None:
    early = new(pool)
    early.players = ["alice"]
    assert await early.refused("alice", "bid 3", to=True) == "the auction has not started"


async def test_who_withholds_a_bid_has_passed(table: Table) -> None:
    table.now += 20
    await table.say("bob", "bid 60", to=True)
    assert table.seconds == pytest.approx(40, abs=1e-3)
    (opened,) = await table.late()
    assert (opened["bids"], opened["late"], opened["buyer"]) == ({"bob": 60}, ["alice"], "bob")
    assert await table.call("on_timer", "turn") == []


async def test_when_all_withhold_nothing_is_sold(table: Table) -> None:
    await table.late()
    assert table.end == {"winners": [], "reason": "nothing is sold: there is no bid"}


async def test_who_leaves_has_passed_and_the_others_go_on() -> None:
    table = new(Plain(), item="x")
    await table.begin("alice", "bob", "carol")
    await table.say("alice", "bid 90", to=True)
    await table.leave("alice")
    assert table.end is None and table.movers == ["bob", "carol"]
    await table.say("bob", "bid 5", to=True)
    await table.leave("carol")
    assert table.said("opened")[-1]["bids"] == {"bob": 5}
    assert table.end == {"winners": ["bob"], "reason": "bob buys for 5"}


async def test_without_an_item_each_is_told_a_worth_that_nobody_else_sees(pool: Pool) -> None:
    table = new(pool, deal=10**9)
    await table.begin("alice", "bob")
    worth = table.state["worth"]
    for player, other in (("alice", "bob"), ("bob", "alice")):
        assert str(worth[player]) in heard_by(table, player)
        assert str(worth[player]) not in heard_by(table, other)
    assert not any(str(number) in public(table) for number in worth.values())
    assert (await bids(table, alice=0, bob=None))["worth"] == worth


@pytest.mark.parametrize(("over", "winners"), [(-1, ["alice"]), (0, []), (1, ["bob"])])
async def test_in_the_game_a_gain_wins_and_a_loss_loses(over: int, winners: list[str]) -> None:
    table = Table(Plain(), SOURCE, {"deal": 100, "limit": 200}, b"w", "auction")
    await table.begin("alice", "bob")
    await bids(table, alice=table.state["worth"]["alice"] + over, bob=0)
    assert table.end is not None
    assert table.end["winners"] == winners and table.end["scores"] == {"alice": -over, "bob": 0}


async def test_a_rematch_begins_when_all_who_are_here_have_asked(table: Table) -> None:
    await bids(table, alice=50, bob=60)
    assert "over" in await table.refused("bob", "bid 70", to=True)
    await table.say("alice", "rematch")
    assert "waiting" in await table.refused("alice", "rematch")
    await table.say("bob", "rematch")
    assert table.movers == ["alice", "bob"] and table.state["bids"] == {}
    await bids(table, alice=50, bob=60)
    await table.leave("alice")
    assert await table.refused("bob", "rematch") == "the others have left"


async def test_alone_nobody_bids(pool: Pool) -> None:
    alone = new(pool)
    await alone.begin("alice")
    assert alone.end == {"winners": [], "reason": "an auction takes two players or more"}
    assert await alone.call("on_start") == []


@pytest.mark.parametrize(
    "params",
    [
        {"price": "third"},
        {"ties": "me"},
        {"reserve": -1},
        {"reserve": 5, "limit": 4},
        {"limit": 1.5},
        {"item": ""},
        {"deal": True},
        {"seconds": 0},
    ],
)
async def test_params_that_make_no_auction_are_refused(pool: Pool, params: dict[str, Any]) -> None:
    result = await pool.run(HookCall(SOURCE, "on_init", params=params))
    assert isinstance(result, Failed) and result.error == "ValueError"


AMOUNT = st.none() | st.integers(0, 9)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    amounts=st.lists(AMOUNT, min_size=2, max_size=5),
    price=st.sampled_from(["first", "second"]),
    reserve=st.integers(0, 5),
)
async def test_any_bids_are_sold_by_the_rules(
    amounts: list[int | None], price: str, reserve: int
) -> None:
    table = new(Plain(), item="x", price=price, reserve=reserve, limit=9)
    players = [f"p{n}" for n in range(len(amounts))]
    await table.begin(*players)
    valid = {p: a for p, a in zip(players, amounts, strict=True) if a is not None and a >= reserve}
    for player in players:
        await table.say(player, f"bid {valid[player]}" if player in valid else "pass", to=True)
    (opened,) = table.said("opened")
    assert opened["bids"] == valid and opened["late"] == []
    assert table.end is not None
    if not valid:
        assert table.end["winners"] == [] and opened["buyer"] is None
        return
    ranked = sorted(valid.values(), reverse=True)
    assert valid[opened["buyer"]] == ranked[0] and table.end["winners"] == [opened["buyer"]]
    assert opened["price"] == (ranked[0] if price == "first" else [*ranked, reserve][1])


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(one=AMOUNT, two=AMOUNT)
async def test_before_the_opening_nothing_depends_on_a_bid(
    one: int | None, two: int | None
) -> None:
    heard = []
    for amount in (one, two):
        table = new(Plain(), limit=9, deal=9)
        await table.begin("alice", "bob")
        await table.say("alice", "pass" if amount is None else f"bid {amount}", to=True)
        heard.append((heard_by(table, "bob"), table.turn))
    assert heard[0] == heard[1]


NONSENSE = ["bid 101", "bid", "bid x", "hello", "!help", "rematch", {"x": 1}]


async def any_auction(runner: Runner, seed: int) -> None:
    """Played at random to the end; the sale is worked out again from what was opened."""
    chance = random.Random(seed)
    params = {"price": chance.choice(["first", "second"]), "ties": chance.choice(["lot", "first"])}
    table = Table(runner, SOURCE, {**params, "reserve": 3}, seed.to_bytes(4, "big"), "auction")
    await table.begin(*["alice", "bob", "carol"][: chance.randint(2, 3)])
    await wander(table, chance, NONSENSE)
    (opened,) = table.said("opened")
    ranked = sorted(opened["bids"].values(), reverse=True)
    assert table.end is not None
    if not ranked:
        assert opened["buyer"] is None and table.end["winners"] == []
        return
    price = ranked[0] if params["price"] == "first" else [*ranked, 3][1]
    assert opened["bids"][opened["buyer"]] == ranked[0] and opened["price"] == price
    gain = opened["worth"][opened["buyer"]] - price
    assert table.end["scores"][opened["buyer"]] == gain
    assert (opened["buyer"] in table.end["winners"]) == (gain > 0)


async def test_a_few_auctions_at_random_end_by_their_rules(pool: Pool) -> None:
    for seed in range(3):
        await any_auction(pool, seed)
    for seed in range(40):
        await any_auction(Plain(), seed)


@pytest.mark.long
async def test_a_thousand_auctions_at_random_end_by_their_rules() -> None:
    runner = Plain()
    for seed in range(1000):
        await any_auction(runner, seed)
