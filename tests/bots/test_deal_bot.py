"""Deals of DealBot as scripts: two sealed limits in, one outcome out, and what that tells."""

import hashlib
import json
import random
from typing import Any

import pytest
import pytest_asyncio

from mcp_multiplayer.sandbox.call import Failed, HookCall
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.transcript.names import HOOKS
from mcp_multiplayer.workshop.table import Plain, Runner, Table, source_of
from tests.bots.wandering import heard_by, public, wander

SOURCE = source_of("deal_bot.py")
pytestmark = pytest.mark.asyncio(loop_scope="module")
RULES = ["split-by-dice", "middle", "seller", "buyer"]


def new(runner: Runner, seed: bytes = b"s", **params: Any) -> Table:
    return Table(runner, SOURCE, params, seed, bot_id="deal")


async def dealt(runner: Runner, least: int, most: int, **params: Any) -> Table:
    """A negotiation in which the seller and the buyer have named these limits."""
    table = new(runner, **params)
    await table.begin("seller", "buyer")
    await table.say("seller", f"limit {least}", to=True)
    await table.say("buyer", f"limit {most}", to=True)
    return table


def outcome(table: Table) -> dict[str, Any]:
    (found,) = table.said("outcome")
    return found


@pytest_asyncio.fixture(loop_scope="module")
async def table(pool: Pool) -> Table:
    made = new(pool, item="a bicycle", unit="EUR", low=50, high=450, rule="middle", seconds=60)
    await made.begin("seller", "buyer")
    return made


async def test_it_is_announced_with_its_manifest_and_keeps_what_it_hears(pool: Pool) -> None:
    report = await pool.inspect(SOURCE)
    assert report.class_name == "DealBot" and set(report.hooks) == set(HOOKS) - {"on_join"}
    assert report.manifest is not None and report.manifest["sealed"] == "kept"
    assert report.manifest["params"]["properties"]["rule"]["default"] == "split-by-dice"
    assert report.dice and not report.network


async def test_both_are_asked_at_once_and_told_how(table: Table) -> None:
    assert table.movers == ["seller", "buyer"] and table.seconds == 60
    limits = ["limit 50", "limit 150", "limit 250", "limit 350", "limit 450"]
    assert table.expect["body"] == [*limits, "cancel"]
    assert table.expect["to"] == ["bot:deal"]
    told = table.said("prompt")[0]["text"]
    assert "a bicycle" in told and "in EUR" in told and "within 60 seconds" in told
    assert "twice the price minus the own one" in told


@pytest.mark.parametrize(
    ("players", "seller"),
    [
        (["seller", "buyer"], "seller"),
        (["buyer", "seller"], "seller"),
        (["buyer", "zoe"], "zoe"),
        (["zoe", "seller"], "seller"),
        (["zoe", "buyer"], "zoe"),
        (["alice", "bob"], "alice"),
    ],
)
async def test_the_seats_say_who_sells_else_the_first_who_joined(
    players: list[str], seller: str
) -> None:
    table = new(Plain())
    await table.begin(*players)
    (start,) = table.said("start")
    assert start["parties"]["seller"] == seller
    assert {*start["parties"].values()} == {*players}


@pytest.mark.parametrize(
    ("rule", "least", "most", "price"),
    [
        ("middle", 100, 200, 150),
        ("middle", 100, 201, 150.5),
        ("middle", 100, 100, 100),
        ("middle", 101, 100, None),
        ("seller", 100, 200, 100),
        ("seller", 200, 100, None),
        ("buyer", 100, 200, 200),
        ("buyer", 200, 100, None),
    ],
)
async def test_a_price_is_found_by_the_rule(
    pool: Pool, rule: str, least: int, most: int, price: float | None
) -> None:
    table = await dealt(pool, least, most, low=50, high=450, rule=rule, unit="EUR")
    assert outcome(table)["deal"] == (price is not None) and outcome(table).get("price") == price
    assert table.end == {
        "winners": [] if price is None else ["seller", "buyer"],
        "reason": "no deal" if price is None else f"deal at {price} EUR",
    }
    assert table.draws == 0


async def test_the_dice_name_a_price_that_is_a_deal_if_it_suits_both() -> None:
    deals = []
    for seed in range(60):
        table = await dealt(Plain(), 30, 70, seed=bytes([seed]))
        shown = outcome(table)
        assert shown["deal"] == (30 <= shown["drawn"] <= 70)
        assert shown.get("price") == (shown["drawn"] if shown["deal"] else None)
        assert table.draws > 0
        deals.append(shown["deal"])
    assert 0 < sum(deals) < 60


async def test_the_first_limit_is_told_to_nobody(table: Table) -> None:
    assert await table.say("seller", "limit 123", to=True) == [
        {"type": "sealed", "player": "seller"}
    ]
    assert table.movers == ["buyer"] and "123" not in public(table) + heard_by(table, "buyer")
    assert "your limit is final" in await table.refused("seller", "limit 99", to=True)
    assert table.posts[-1].to == ("seller",)


async def test_limits_are_forgotten_when_it_is_over(pool: Pool) -> None:
    table = await dealt(pool, 123, 321, low=50, high=450, rule="seller")
    assert "321" not in json.dumps(table.state) + public(table) + str(table.end)


async def seen(seed: int, least: int, most: int, rule: str) -> tuple[Any, ...]:
    """All that anybody but the two themselves can have of a negotiation: words, turn and result,
    how often the dice were used. Its seed is known to all, too."""
    table = await dealt(Plain(), least, most, seed=bytes([seed]), rule=rule, low=1, high=12)
    return [post.body for post in table.posts], table.end, table.draws, table.state


@pytest.mark.parametrize("seed", range(3))
async def test_the_dice_tell_of_a_limit_only_whether_it_suited_the_price(seed: int) -> None:
    """Whatever the limits are: equal answers to that question, equal in everything."""
    alike: dict[bool, list[Any]] = {True: [], False: []}
    for least in range(1, 13):
        for most in range(1, 13, 2):
            found = await seen(seed, least, most, "split-by-dice")
            drawn = next(body["drawn"] for body in found[0] if body["type"] == "outcome")
            alike[least <= drawn <= most].append(found)
    for games in alike.values():
        assert games and all(game == games[0] for game in games)


@pytest.mark.parametrize("rule", RULES)
async def test_what_an_outcome_tells_is_said_before_and_with_it(rule: str) -> None:
    """For each limit of the seller: which limits of the buyer look alike to the seller."""
    for least in (1, 5, 6, 12):
        looks: dict[str, list[int]] = {}
        for most in range(1, 13):
            found = await seen(3, least, most, rule)
            looks.setdefault(repr(found), []).append(most)
        table = await dealt(Plain(), least, 12, seed=b"\x03", rule=rule, low=1, high=12)
        drawn = outcome(table).get("drawn", least)
        beyond, within = list(range(1, drawn)), list(range(drawn, 13))
        if rule in ("split-by-dice", "seller"):
            wanted = [beyond, within] if least <= drawn else [beyond + within]
        else:
            wanted = [beyond, *([most] for most in within)]
        assert sorted(looks.values()) == sorted(part for part in wanted if part)
        tells = outcome(table)["text"].partition(". ")[2]
        assert tells and tells in table.said("prompt")[0]["text"]


@pytest.mark.parametrize("rule", ["split-by-dice", "seller", "buyer"])
async def test_the_true_limit_is_best_for_who_does_not_name_the_price(rule: str) -> None:
    """Whatever the dice and the other side do. Worth: the distance from the true limit."""
    for seed in range(3):
        for least in (1, 4):
            for most in (3, 6):
                true = await worth(seed, rule, least, most, least, most)
                for false in range(1, 9):
                    if rule != "seller":
                        lied = await worth(seed, rule, false, most, least, most)
                        assert lied[0] <= true[0]
                    if rule != "buyer":
                        lied = await worth(seed, rule, least, false, least, most)
                        assert lied[1] <= true[1]


async def worth(
    seed: int, rule: str, least: int, most: int, low: int, high: int
) -> tuple[float, float]:
    """What an outcome is worth to the seller and the buyer, whose true limits are low and high."""
    table = await dealt(Plain(), least, most, seed=bytes([seed]), rule=rule, low=1, high=8)
    price = outcome(table).get("price")
    return (0, 0) if price is None else (price - low, high - price)


@pytest.mark.long
async def test_both_sides_are_served_alike() -> None:
    """A deal's price is any from limit to limit: over many seeds none is favoured."""
    prices = []
    for number in range(1500):
        seed = hashlib.sha256(str(number).encode()).digest()
        table = new(Plain(), seed, low=1, high=10)
        await table.begin("alice", "bob")
        await table.say("alice", "limit 4", to=True)
        await table.say("bob", "limit 7", to=True)
        prices += [one["price"] for one in table.said("outcome") if one["deal"]]
    counts = [prices.count(price) for price in (4, 5, 6, 7)]
    assert sum(counts) == len(prices)
    assert all(abs(count - 150) < 4.5 * (1500 * 0.09) ** 0.5 for count in counts)


@pytest.mark.parametrize("to", [None, ["bot:deal", "buyer"], ["bot:deal", "bot:spy"]])
async def test_a_limit_that_others_can_read_is_void(table: Table, to: Any) -> None:
    assert "sealed" in await table.refused("seller", "limit 100", to)


async def test_what_is_no_move_changes_nothing_and_says_why(table: Table) -> None:
    assert "not a party" in await table.refused("carol", "limit 100", to=True)
    assert "still going on" in await table.refused("seller", "rematch")
    for value in (49, 451, None, True, 99.5, "x", [100]):
        move = {"type": "move", "game": "deal", "action": "limit", "value": value}
        assert "from 50 to 450" in await table.refused("seller", move, to=True)
        assert table.posts[-1].to == ("seller",)
    move = {"type": "move", "game": "deal", "action": "haggle"}
    assert "the moves are limit, cancel and rematch" in await table.refused("seller", move)
    for chat in ("hello", "my limit is 100", {"x": 1}):
        assert await table.say("buyer", chat) == []
    (answer,) = await table.say("buyer", "!help")
    assert 'to=["bot:deal"]' in answer["text"]


@pytest.mark.parametrize("how", ["cancel", "Concede", "leave", "late"])
@pytest.mark.parametrize("said", [True, False])
async def test_who_does_not_go_on_makes_no_deal_and_tells_nothing(
    table: Table, how: str, said: bool
) -> None:
    if said:
        await table.say("seller", "limit 123", to=True)
    if how == "leave":
        await table.leave("buyer")
    elif how == "late":
        await table.late()
    else:
        await table.say("buyer", how)
    assert table.end is not None and table.end["winners"] == []
    assert table.end["reason"].startswith("no deal: ") and not table.said("outcome")
    assert "123" not in public(table) + json.dumps(table.state)


async def test_a_rematch_takes_new_limits_of_the_same_parties(pool: Pool) -> None:
    table = await dealt(pool, 40, 60)
    for player in ("buyer", "seller"):
        await table.say(player, "rematch")
    assert table.movers == ["seller", "buyer"] and len(table.said("start")) == 2
    await table.say("seller", "limit 1", to=True)
    await table.say("buyer", "limit 100", to=True)
    assert table.said("outcome")[-1]["deal"]


async def test_alone_there_is_no_deal(pool: Pool) -> None:
    alone = new(pool)
    await alone.begin("seller")
    assert alone.end == {"winners": [], "reason": "this negotiation takes two players"}
    assert await alone.refused("seller", "limit 5", to=True) == "the negotiation has not started"


@pytest.mark.parametrize(
    "params",
    [{"low": 5, "high": 5}, {"low": 101}, {"high": "9"}, {"rule": "mine"}, {"unit": 1}],
)
async def test_params_that_make_no_negotiation_are_refused(
    pool: Pool, params: dict[str, Any]
) -> None:
    result = await pool.run(HookCall(SOURCE, "on_init", params=params))
    assert isinstance(result, Failed) and result.error == "ValueError"


NONSENSE = ["limit 0", "limit x", "limit", "hello", "!help", {"x": 1}, {"type": "move"}]


async def any_deal(runner: Runner, seed: int) -> None:
    chance = random.Random(seed)
    table = new(runner, seed=str(seed).encode(), rule=chance.choice(RULES))
    await table.begin("alice", "bob")
    await wander(table, chance, [*NONSENSE, "rematch"])
    assert table.end is not None and table.state["limits"] == {}
    deals = [one for one in table.said("outcome") if one["deal"]]
    assert table.end["winners"] == (["alice", "bob"] if deals else [])


async def test_a_few_negotiations_at_random_end_by_their_rules(pool: Pool) -> None:
    for seed in range(3):
        await any_deal(pool, seed)
    for seed in range(60):
        await any_deal(Plain(), seed)
