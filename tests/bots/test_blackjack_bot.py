"""Rounds of BlackjackBot as scripts, each judged again by rules written here from the book."""

import hashlib
import itertools
import random
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_multiplayer.sandbox.call import Failed, HookCall, Said
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.transcript.names import HOOKS
from mcp_multiplayer.workshop.table import Plain, Runner, Table, source_of

SOURCE = source_of("blackjack_bot.py")
INSURANCE = ["insurance", "decline"]
PACK = {rank + suit for rank in "A23456789TJQK" for suit in "SHDC"}
pytestmark = pytest.mark.asyncio(loop_scope="module")

# The rules, a second time and in another way: counts by trying every ace, payouts by table.

#: What comes back for a bet of 2: the player's hand against the dealer's. "B" is a blackjack,
#: 0 a bust one.
BACK = {
    ("B", "B"): 2,
    ("B", 21): 5,
    ("B", 17): 5,
    ("B", 0): 5,
    (21, "B"): 0,
    (21, 21): 2,
    (21, 20): 4,
    (21, 0): 4,
    (20, 21): 0,
    (20, 20): 2,
    (20, 19): 4,
    (20, 0): 4,
    (12, 17): 0,
    (12, 0): 4,
    (17, 17): 2,
    (17, 18): 0,
    (0, "B"): 0,
    (0, 0): 0,
    (0, 17): 0,
}


async def test_the_rule_is_the_table() -> None:
    assert {pair: back(*pair) for pair in BACK} == BACK


def counts(cards: list[str]) -> set[int]:
    """Every way to count a hand."""
    ways = [(1, 11) if c[0] == "A" else (int(c[0]) if c[0].isdigit() else 10,) for c in cards]
    return {sum(way) for way in itertools.product(*ways)}


def best(cards: list[str]) -> int:
    """0 when bust."""
    return max((n for n in counts(cards) if n <= 21), default=0)


def back(player: Any, dealer: Any) -> int:
    """The table's rows, for all counts."""
    mine, theirs = (22 if one == "B" else one for one in (player, dealer))
    if not mine or mine < theirs:
        return 0
    return 2 if mine == theirs else 5 if player == "B" else 4


def outcome_of(cards: list[str], dealer: list[str], split: bool) -> int:
    natural = len(cards) == 2 and best(cards) == 21 and not split
    house = "B" if len(dealer) == 2 and best(dealer) == 21 else best(dealer)
    return back("B" if natural else best(cards), house)


@dataclass
class Hand:
    """Cards, bet, and whether it came from a split."""

    cards: list[str]
    bet: int
    split: bool = False


class Judge:
    """Plays a round again from its deck, its bets and who did what."""

    def __init__(self, deck: list[str], order: list[str], bets: dict[str, int], hit_soft: bool):
        self.deck, self.hit_soft, self.halved = iter(deck), hit_soft, False
        rows = [[next(self.deck) for _ in range(len(order) + 1)] for _ in range(2)]
        self.hands = {
            player: [Hand([rows[0][at], rows[1][at]], bets[player])]
            for at, player in enumerate(order)
        }
        self.dealer = [rows[0][-1], rows[1][-1]]

    def do(self, player: str, at: int, action: str) -> int:
        """The chips it takes."""
        hands = self.hands[player]
        hand = hands[at]
        if action == "split":
            a, b = hand.cards
            assert counts([a]) & counts([b]) and not (hand.split and a[0] == "A")
            assert len(hands) < 4
            pair = [Hand([card, next(self.deck)], hand.bet, True) for card in (a, b)]
            hands[at : at + 1] = pair
            return hand.bet
        if action in ("hit", "double"):
            hand.cards.append(next(self.deck))
        if action == "double":
            hand.bet *= 2
            return hand.bet // 2
        return 0

    def settle(self) -> list[tuple[str, list[str], int, int]]:
        """(player, cards, bet, what came back)"""
        hands = [(player, hand) for player, every in self.hands.items() for hand in every]
        if best(self.dealer) != 21 and any(self.beatable(hand) for _, hand in hands):
            while 0 < best(self.dealer) < 17 or (
                self.hit_soft and best(self.dealer) == 17 and 7 in counts(self.dealer)
            ):
                self.dealer.append(next(self.deck))
        return [
            (player, hand.cards, hand.bet, hand.bet * self.twice_back(hand) // 2)
            for player, hand in hands
        ]

    def beatable(self, hand: Hand) -> bool:
        return best(hand.cards) > 0 and (hand.split or len(hand.cards) > 2 or best(hand.cards) < 21)

    def twice_back(self, hand: Hand) -> int:
        return outcome_of(hand.cards, self.dealer, hand.split)


class Reading:
    """Holds what a table said against the rules, round by round."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.seen: Counter[str] = Counter()
        self.commitment: dict[str, Any] = {}
        self.chips: dict[str, int] = {}
        self.bets: dict[str, int] = {}
        self.asked: set[str] = set()  # who is to say whether to be insured
        self.judge: Judge | None = None
        for post in table.posts:
            getattr(self, "on_" + post.body["type"], lambda post: None)(post)

    def on_commitment(self, post: Said) -> None:
        self.commitment, self.judge = dict(post.body), None
        if self.commitment["round"] > 1:
            self.same_chips(self.commitment["chips"])
        self.chips = dict(self.commitment["chips"])

    def on_deal(self, post: Said) -> None:
        bets = {player: hand["bet"] for player, hand in post.body["hands"].items()}
        order = [player for player in self.commitment["order"] if player in bets]
        hit_soft = bool(self.table.params.get("hit_soft_17"))
        self.judge = Judge(deck_of(self.table, self.commitment), order, bets, hit_soft)
        for player, bet in bets.items():
            self.chips[player] -= bet
            assert bet % 2 == 0 and self.chips[player] >= 0
        ace = self.judge.dealer[0][0] == "A"
        self.bets = bets
        self.asked = {one for one in bets if ace and 2 * self.chips[one] >= bets[one]}
        assert post.body["dealer"] == [self.judge.dealer[0], "??"]
        self.seen["deal"] += 1

    def on_insurance(self, post: Said) -> None:
        assert post.body["player"] in self.asked
        half = self.bets[post.body["player"]] // 2
        assert post.body.get("insurance", half) in (0, half)

    def on_insured(self, post: Said) -> None:
        """A side bet of half the bet, paid 2:1 by the hidden card, before anybody plays."""
        assert self.judge is not None
        natural, taken = best(self.judge.dealer) == 21, post.body["insurance"]
        assert post.body["blackjack"] == natural and set(taken) <= self.asked
        assert post.body["paid"] == {one: 3 * chips * natural for one, chips in taken.items()}
        for player, chips in taken.items():
            assert 2 * chips == self.bets[player]
            self.chips[player] += 2 * chips if natural else -chips
            self.seen["insurance " + ("won" if natural else "lost")] += 1
        self.same_chips(post.body["chips"])
        self.asked = set()

    def on_resign(self, post: Said) -> None:
        if self.judge is not None:
            self.judge.hands.pop(post.body["player"], None)
        if self.judge is None or self.asked:
            self.chips.pop(post.body["player"])  # nobody saw a sealed bet that was lost so

    def on_hand(self, post: Said) -> None:
        body, judge = post.body, self.judge
        assert judge is not None
        player, at, action = body["player"], body["hand"] - 1, body["action"]
        assert action == "deal" or not self.asked
        if not (action == "split" and judge.halved):  # a split is told in two posts
            self.chips[player] -= judge.do(player, at, action)
        judge.halved = action == "split" and not judge.halved
        hand = judge.hands[player][at]
        cards = body["cards"] if post.private is None else post.private["cards"]
        assert (hand.cards, hand.bet) == (cards, body["bet"]) and self.chips[player] >= 0
        if "value" in body:
            assert body["value"] == (best(cards) or min(counts(cards)))
        self.seen[action] += 1

    def on_settle(self, post: Said) -> None:
        assert self.judge is not None and not self.asked
        expected = self.judge.settle()
        assert post.body["dealer"]["cards"] == self.judge.dealer
        told = [
            (one["player"], one["cards"], one["bet"], one["paid"]) for one in post.body["hands"]
        ]
        assert told == expected
        for player, _, _, paid in expected:
            self.chips[player] += paid
        self.same_chips(post.body["chips"])
        self.seen.update(one["outcome"] for one in post.body["hands"])
        self.seen["settle"] += 1

    def same_chips(self, told: dict[str, int]) -> None:
        assert told == told | self.chips


def judged(table: Table) -> Counter[str]:
    """Every round that was settled is what the rules say; what was seen in it."""
    return Reading(table).seen


def deck_of(table: Table, commitment: dict[str, Any]) -> list[str]:
    """From the reveal of that commitment, which must fit; before it, from the state."""
    text, salt = table.state["deck"], table.state["salt"]
    for reveal in table.said("reveal"):
        if reveal["hash"] == commitment["commitment_hash"]:
            text, salt = reveal["deck"], reveal["salt"]
    assert hashlib.sha256((text + salt).encode()).hexdigest() == commitment["commitment_hash"]
    assert re.fullmatch("[0-9a-f]{32}", salt)
    deck: list[str] = text.split()
    assert Counter(deck) == {card: commitment["decks"] for card in PACK}
    return deck


# Tables


def new(runner: Runner, seed: bytes = b"s", **params: Any) -> Table:
    return Table(runner, SOURCE, params, seed, bot_id="dealer")


@pytest_asyncio.fixture(loop_scope="module")
async def table(pool: Pool) -> Table:
    made = new(pool, seconds=60)
    await made.begin("alice", "bob")
    return made


async def dealt(cards: str, *bets: int, insure: str = "decline", **params: Any) -> Table:
    """A table whose deck begins with these cards, with a player for each bet; all who are asked for
    insurance say ``insure``, or nothing."""
    table = new(Plain(), **params)
    players = ["alice", "bob", "carol"][: len(bets)]
    await table.begin(*players)
    deck = table.state["deck"].split()
    first = cards.split()
    for card in first:
        deck.remove(card)
    text = " ".join(first + deck)
    digest = hashlib.sha256((text + table.state["salt"]).encode()).hexdigest()
    table.state |= {"deck": text, "hash": digest}
    at = next(i for i, p in enumerate(table.posts) if p.body["type"] == "commitment")
    body = dict(table.posts[at].body) | {"commitment_hash": digest}
    table.posts[at] = type(table.posts[at])("bot", body)
    for player, bet in zip(players, bets, strict=True):
        await table.say(player, f"bet {bet}")
    while insure and table.expect == INSURANCE:
        await table.say(table.movers[0], insure)
    return table


async def outcomes(table: Table) -> list[tuple[str, int]]:
    judged(table)
    return [(one["outcome"], one["paid"]) for one in table.said("settle")[0]["hands"]]


async def test_it_is_announced_with_its_manifest_and_hooks(pool: Pool) -> None:
    report = await pool.inspect(SOURCE)
    assert report.class_name == "BlackjackBot" and set(report.hooks) == set(HOOKS) - {"on_join"}
    assert report.manifest is not None and report.manifest["label"] == "dealer"
    assert report.dice and not report.network


async def test_what_its_panels_draw_is_what_it_posts() -> None:
    table = await dealt("TS TC 6D 8S 9C KD", 10, 10)
    for player in ("alice", "bob"):
        await table.say(player, "stand")
    show = Plain().space(SOURCE)["MANIFEST"]["show"]
    for panel in [*show, *({"of": path} for path in show[-1]["open"].values())]:
        posts = table.said(panel["in"]) if "in" in panel else [p.body for p in table.posts]
        assert any(drawn(post, panel["of"]) for post in posts), panel


def drawn(body: Any, path: str) -> Any:
    """What a panel finds in a body."""
    for name in path.split("."):
        body = body.get(name) if isinstance(body, Mapping) else None
    return body


async def test_the_deck_is_committed_before_the_bets_and_opened_after_the_round(
    table: Table,
) -> None:
    assert [p.body["type"] for p in table.posts] == ["prompt", "commitment"]
    assert table.movers == ["alice", "bob"] and table.seconds == 60
    assert table.expect == ["bet 10", "bet 20", "bet 50", "bet 100"]
    await table.say("alice", "bet 10")
    assert table.movers == ["bob"] and table.said("deal") == []
    await table.say("bob", {"type": "move", "game": "blackjack", "action": "bet", "value": 20})
    assert len(table.said("deal")) == 1 and table.said("deal")[0]["dealer"][1] == "??"
    while not table.said("reveal"):
        await table.say(table.mover, "stand")
    assert judged(table)["settle"] == 1


@pytest.mark.parametrize(
    ("cards", "outcome", "paid"),
    [
        ("AS 9D KH 7H", "blackjack", 25),
        ("AS AD KH KD", "push", 10),
        ("TS AD QH KD", "lost", 0),
        ("TS TD QH 9D", "won", 20),
        ("TS TD 9H 9D", "push", 10),
        ("TS TD 8H 9D", "lost", 0),
        ("TS 6D 8H TD TC", "won", 20),  # the dealer is bust
        ("TS AD 9H 6D", "won", 20),  # stands on a soft 17
    ],
)
async def test_a_hand_that_stands_is_paid_by_the_table(cards: str, outcome: str, paid: int) -> None:
    table = await dealt(cards, 10, rounds=1)
    if table.turn:
        await table.say("alice", "stand")
    assert await outcomes(table) == [(outcome, paid)]
    assert table.end == {
        "winners": ["alice"] if paid > 10 else [],
        "reason": "1 rounds are played",
        "scores": {"alice": 90 + paid},
    }


async def test_the_dealer_may_be_told_to_draw_on_a_soft_17() -> None:
    table = await dealt("TS AD 9H 6D 2C", 10, rounds=1, hit_soft_17=True)
    await table.say("alice", "stand")
    assert table.said("settle")[0]["dealer"] == {"cards": ["AD", "6D", "2C"], "value": 19}
    assert await outcomes(table) == [("push", 10)]


async def test_a_hit_that_goes_over_21_loses_and_the_dealer_draws_no_card() -> None:
    table = await dealt("TS 6D 6H TD KS", 10, rounds=1)
    await table.say("alice", "hit")
    assert await outcomes(table) == [("bust", 0)]
    assert table.said("settle")[0]["dealer"]["cards"] == ["6D", "TD"]


async def test_21_stands_by_itself() -> None:
    table = await dealt("TS 6D 6H TD 5S TC", 10, rounds=1)
    await table.say("alice", "hit")
    assert await outcomes(table) == [("won", 20)]


async def test_a_double_takes_a_second_bet_and_one_card() -> None:
    table = await dealt("5S 6D 6H TD TC TH", 20, rounds=1)
    assert table.expect == ["hit", "stand", "double"]
    await table.say("alice", "double")
    assert await outcomes(table) == [("won", 80)]
    assert table.end is not None and table.end["scores"] == {"alice": 140}


async def test_a_split_makes_hands_that_are_played_one_after_the_other() -> None:
    table = await dealt("8S 6D 8H TD 8C 3C TH 5D TC", 10, rounds=1)
    assert table.expect == ["hit", "stand", "double", "split"]
    await table.say("alice", "split")  # 8S 8C, 8H 3C
    assert table.expect == ["hit", "stand", "double", "split"]
    await table.say("alice", "split")  # 8S TH, 8C 5D, 8H 3C
    await table.say("alice", "stand")
    assert table.said("hand")[-1] == {
        "type": "hand",
        "player": "alice",
        "hand": 2,
        "action": "next",
        "cards": ["8C", "5D"],
        "value": 13,
        "bet": 10,
    }
    await table.say("alice", "stand")
    await table.say("alice", "double")  # 8H 3C TC
    judged(table)
    assert [one["bet"] for one in table.said("settle")[0]["hands"]] == [10, 10, 20]


async def test_split_aces_get_one_card_each_and_a_ten_makes_no_blackjack() -> None:
    table = await dealt("AS 6D AH TD KC 5C TC", 10, rounds=1)
    await table.say("alice", "split")
    assert await outcomes(table) == [("won", 20), ("won", 20)]


async def test_no_double_after_a_split_if_so_ruled() -> None:
    table = await dealt("8S 6D 8H TD 3C 2C", 10, double_after_split=False, rounds=1)
    await table.say("alice", "split")
    assert table.expect == ["hit", "stand"]
    assert "not split" in await table.refused("alice", "double")
    assert "two cards of equal count" in await table.refused("alice", "split")


async def test_four_hands_are_the_most() -> None:
    table = await dealt("TS 6D TH 5D KC KS QC QD QS QH", 10, rounds=1)
    for _ in range(3):
        assert "split" in table.expect
        await table.say("alice", "split")
    assert table.expect == ["hit", "stand", "double"]
    for _ in range(4):
        await table.say("alice", "stand")
    assert judged(table)["settle"] == 1


async def test_a_second_bet_needs_the_chips() -> None:
    table = await dealt("8S 6D 8H TD", 60)
    assert table.expect == ["hit", "stand"]
    for action in ("double", "split"):
        assert "do not suffice" in await table.refused("alice", action)


async def test_insurance_costs_half_the_bet_and_pays_two_to_one() -> None:
    table = await dealt("TS AD QH KD", 20, insure="", rounds=1)
    assert table.movers == ["alice"] and table.expect == INSURANCE and table.said("hand") == []
    said = await table.say("alice", "insurance")
    assert said[0] == {"type": "insurance", "player": "alice", "insurance": 10}
    assert said[1] == {
        "type": "insured",
        "round": 1,
        "blackjack": True,
        "insurance": {"alice": 10},
        "paid": {"alice": 30},
        "chips": {"alice": 100},
    }
    assert await outcomes(table) == [("lost", 0)]
    assert table.end is not None and table.end["scores"] == {"alice": 100}


async def test_insurance_is_lost_before_anybody_plays_when_there_is_no_blackjack() -> None:
    table = await dealt("TS TC AD 9H 9C 6D", 20, 20, insure="", rounds=1, seconds=60)
    table.now += 20
    await table.say("bob", {"type": "move", "game": "blackjack", "action": "insurance"})
    assert table.movers == ["alice"] and table.seconds == 40
    for word in ("decline", "insurance", "hit"):
        waiting = "waiting for alice to decide about insurance"
        assert await table.refused("bob", word) == waiting
    assert await table.refused("alice", "hit") == "first insurance; waiting for alice"
    await table.say("alice", "Decline.")
    (insured,) = table.said("insured")
    assert (insured["insurance"], insured["paid"]) == ({"bob": 10}, {"bob": 0})
    assert (insured["blackjack"], insured["chips"]) == (False, {"alice": 80, "bob": 70})
    assert table.mover == "alice" and table.seconds == 60
    assert "insurance is for" in await table.refused("bob", "insurance")
    await table.say("alice", "stand")
    await table.say("bob", "stand")
    assert await outcomes(table) == [("won", 40), ("won", 40)]


async def test_a_blackjack_of_ones_own_that_is_insured_is_even_money() -> None:
    scores = set()
    for hole in ("KD", "9D"):
        table = await dealt(f"AS AD KH {hole}", 10, insure="insurance", rounds=1)
        judged(table)
        assert table.end is not None
        scores.add(table.end["scores"]["alice"])
    assert scores == {110}


@pytest.mark.parametrize("bet", [68, 100])
async def test_who_lacks_the_chips_is_not_asked_for_insurance(bet: int) -> None:
    table = await dealt("TS TC AD 9H 9C 6D", bet, 10, insure="")
    assert table.movers == ["bob"]
    assert await table.refused("alice", "insurance") == (
        "waiting for bob to decide about insurance"
    )
    await table.say("bob", "insurance")
    assert table.mover == "alice" and table.said("insured")[0]["insurance"] == {"bob": 5}
    alone = await dealt("TS AD 9H 6D", bet, insure="")
    assert alone.expect == ["hit", "stand"] and alone.said("insured") == []


async def test_insurance_said_to_the_referee_alone_shows_when_all_have_decided() -> None:
    table = await dealt("TS TC AD 9H 9C 6D", 20, 20, insure="")
    shown = await table.say("alice", "insurance", to=True)
    assert shown == [{"type": "insurance", "player": "alice"}]
    await table.say("bob", "decline", to=True)
    assert table.said("insured")[0]["insurance"] == {"alice": 10}


async def test_who_says_nothing_of_insurance_declines() -> None:
    table = await dealt("TS TC AD 9H 9C 6D", 20, 20, insure="", seconds=60)
    await table.say("bob", "insurance")
    said = await table.late()
    assert said[0] == {"type": "late", "players": ["alice"], "action": "decline"}
    assert said[1]["insurance"] == {"bob": 10} and table.mover == "alice"


async def test_who_leaves_while_insured_loses_it_and_the_last_one_gets_the_own_back() -> None:
    table = await dealt("TS TC 9S AD 9H 9C 8S 6D", 20, 20, 20, insure="")
    await table.say("alice", "insurance")
    await table.leave("alice")
    assert table.movers == ["bob", "carol"]
    await table.say("bob", "insurance")
    await table.leave("carol")
    assert table.end is not None and table.end["winners"] == ["bob"]
    assert table.end["scores"] == {"alice": 70, "bob": 100, "carol": 80}
    assert len(table.said("reveal")) == 1


async def test_a_dealers_blackjack_ends_the_round_before_anybody_moves() -> None:
    table = await dealt("AS TS AD KH 5H KD", 10, 20, rounds=1)
    assert await outcomes(table) == [("push", 10), ("lost", 0)]
    assert table.end is not None and table.end["winners"] == ["alice"]


async def test_wrong_moves_change_nothing_and_say_why(table: Table) -> None:
    assert "not a player" in await table.refused("carol", "bet 10")
    assert "still going on" in await table.refused("alice", "rematch")
    for value in (0, 9, 11, 102, -10, 10.5, True, None, "ten", [10], "1e1", "99999999"):
        move = {"type": "move", "game": "blackjack", "action": "bet", "value": value}
        assert await table.refused("alice", move) == "bet an even number of chips from 10 to 100"
    assert "first the bets; waiting for alice and bob" in await table.refused("alice", "hit")
    await table.say("alice", "bet 10")
    assert await table.refused("alice", "bet 20") == "your bet is final; waiting for bob"
    assert "insurance is for" in await table.refused("bob", "insurance")
    move = {"type": "move", "game": "blackjack", "action": "peek"}
    assert "the moves are" in await table.refused("alice", move, to=True)
    assert table.posts[-1].to == ("alice",)
    for chat in ("hello", "hit me", "I bet 10", {"x": 1}):
        assert await table.say("bob", chat) == []
    (answer,) = await table.say("bob", " !HELP")
    assert "3:2" in answer["text"] and "60 seconds" in answer["text"]


async def test_out_of_turn_is_refused() -> None:
    table = await dealt("TS 9S 6D 5H 5D TD", 10, 10)
    assert await table.refused("bob", "hit") == "not your turn, it is alice"
    assert "next round" in await table.refused("bob", "bet 10")
    await table.say("alice", "stay")
    assert table.mover == "bob"


async def test_before_the_start_and_without_players_nothing_moves(pool: Pool) -> None:
    early = new(pool)
    early.players = ["alice"]
    assert await early.refused("alice", "bet 10") == "the game has not started"
    assert await new(pool).call("on_start") == []


async def test_late_bets_are_the_minimum_and_late_hands_stand(table: Table) -> None:
    table.now += 20
    await table.say("alice", "bet 50")
    assert table.seconds == pytest.approx(40, abs=1e-3)
    said = await table.late()
    assert said[0] == {"type": "late", "players": ["bob"], "action": "bet 10"}
    assert {p: h["bet"] for p, h in said[1]["hands"].items()} == {"alice": 50, "bob": 10}
    while table.end is None:
        await table.late()
    assert table.end["reason"] == "5 rounds are played"
    assert judged(table)["settle"] == 5 and await table.call("on_timer", "turn") == []


async def test_a_bet_to_the_referee_alone_shows_when_all_have_bet(table: Table) -> None:
    assert await table.say("alice", "bet 30", to=True) == [{"type": "bet", "player": "alice"}]
    assert "30" not in str([p.body for p in table.posts[2:]])
    await table.say("bob", "bet 10", to=True)
    assert table.said("deal")[0]["hands"]["alice"]["bet"] == 30


@pytest.mark.parametrize("how", ["resign", "Concede", "leave"])
@pytest.mark.parametrize("when", ["bets", "bet", "play"])
async def test_of_two_the_other_wins_and_has_the_bet_back(how: str, when: str) -> None:
    table = await dealt("TS 9S 6D 5H 5D TD", 20, 30) if when == "play" else new(Plain())
    if when != "play":
        await table.begin("alice", "bob")
    if when == "bet":
        await table.say("bob", "bet 40")
    await (table.leave("alice") if how == "leave" else table.say("alice", how))
    assert table.end is not None and table.end["winners"] == ["bob"]
    assert table.end["scores"]["bob"] == 100
    assert len(table.said("reveal")) == 1 and judged(table)["settle"] == 0
    assert "over" in await table.refused("bob", "hit")


async def test_of_more_the_others_play_on() -> None:
    table = await dealt("TS 9S 8S 6D 5H 5D 4S TD", 10, 10, 10)
    await table.leave("alice")
    assert table.mover == "bob"
    await table.say("carol", "resign")
    assert table.end is not None and table.end["winners"] == ["bob"]


async def test_a_player_who_goes_before_betting_is_not_waited_for() -> None:
    table = new(Plain())
    await table.begin("a", "b", "c")
    assert table.said("commitment")[0]["decks"] == 2
    await table.say("a", "bet 10")
    await table.say("b", "bet 10")
    await table.leave("c")
    assert set(table.said("deal")[0]["hands"]) == {"a", "b"}
    assert await table.refused("c", "bet 10") == "out of the game"


async def test_who_cannot_bet_any_more_is_out_and_the_game_may_end_early() -> None:
    broke = await dealt("TS TC AD 8S 9C KD", 100, 10)
    assert broke.end == {
        "winners": ["bob"],
        "reason": "only bob can still bet",
        "scores": {"alice": 0, "bob": 90},
    }
    alone = await dealt("TS AD 8S KD", 100)
    assert alone.end is not None and alone.end["reason"] == "out of chips"


async def test_equal_chips_are_a_draw() -> None:
    table = await dealt("TS TC AD 8S 9C KD", 10, 10, rounds=1)
    assert table.end is not None and table.end["winners"] == []


async def test_a_rematch_begins_with_the_next_player_when_all_have_asked(table: Table) -> None:
    await table.say("alice", "resign")
    await table.say("alice", "rematch")
    assert "waiting" in await table.refused("alice", "rematch")
    await table.say("bob", "rematch")
    assert table.end is None and table.said("commitment")[-1]["order"] == ["bob", "alice"]
    first, again = table.said("commitment")
    assert first["commitment_hash"] != again["commitment_hash"]
    await table.say("bob", "resign")
    await table.say("alice", "rematch")
    await table.leave("bob")
    assert await table.refused("alice", "rematch") == "the others have left"


async def test_alone_one_plays_against_the_dealer_and_again(pool: Pool) -> None:
    table = new(pool, rounds=2)
    await table.begin("alice")
    while table.turn:
        await table.say("alice", table.expect[0])
    await table.say("alice", "rematch")
    assert table.movers == ["alice"] and table.state["chips"] == {"alice": 100}


@pytest.mark.parametrize(
    "params",
    [
        {"rounds": 0},
        {"chips": 8},
        {"min_bet": 3},
        {"min_bet": 20, "max_bet": 10},
    ],
)
async def test_params_that_make_no_game_are_refused(pool: Pool, params: dict[str, Any]) -> None:
    result = await pool.run(HookCall(SOURCE, "on_init", params=params))
    assert isinstance(result, Failed) and result.error == "ValueError"


# What is hidden


async def test_face_down_cards_reach_their_player_alone() -> None:
    table = await dealt("8S KC 6D 8H 7C TD 2C 9D", 10, 10, rounds=1, face_down=True)
    assert table.said("deal")[0]["hands"]["alice"] == {"cards": ["??", "??"], "bet": 10}
    assert table.expect == ["hit", "stand", "double"]  # naming a split would show the pair
    await table.say("alice", "hit")
    await table.say("alice", "stand")
    for post in table.posts:
        if post.private is not None:
            assert post.to == (post.body["player"],)
            assert list(post.private["cards"])[2:] == post.body["shown"]
        if post.body["type"] != "settle":
            assert not {"8S", "8H", "KC", "7C"} & set(re.findall("[A-Z0-9]{2}", str(post.body)))
    await table.say("bob", "hit")
    assert judged(table)["settle"] == 1


async def test_a_closed_21_waits_for_its_player_and_a_split_is_turned_up() -> None:
    table = await dealt("8S KC 6D 8H 7C TD 5C 9D 4C", 10, 10, rounds=1, face_down=True)
    await table.say("alice", "split")
    assert table.said("hand")[-1]["cards"] == ["8H", "9D"]
    await table.say("alice", "stand")
    await table.say("alice", "stand")
    await table.say("bob", "hit")
    assert table.posts[-1].private == {"cards": ["KC", "7C", "4C"], "value": 21}
    assert table.mover == "bob"


async def test_no_public_value_opens_a_commitment_before_its_reveal() -> None:
    """Salts that others could know (none, what was said, cards, the other decks' salts)."""
    table = new(Plain(), rounds=3)
    await table.begin("a", "b")
    while table.turn:
        await table.say(table.movers[0], table.expect[0])
    known = {""}
    for post in table.posts:
        known |= set(re.findall(r"\w+", str(dict(post.body)))) if post.to is None else set()
        if post.body["type"] == "commitment":
            (deck,) = [
                r["deck"] for r in table.said("reveal") if r["hash"] == post.body["commitment_hash"]
            ]
            digests = {hashlib.sha256((deck + salt).encode()).hexdigest() for salt in known}
            assert post.body["commitment_hash"] not in digests
    decks = {reveal["deck"] for reveal in table.said("reveal")}
    assert len(decks) == len({r["salt"] for r in table.said("reveal")}) == 3


@pytest.mark.parametrize(("shown", "first"), [("6D", "stand"), ("AD", "insurance")])
async def test_what_is_seen_before_the_reveal_does_not_depend_on_the_hidden_card(
    shown: str, first: str
) -> None:
    """Two decks that differ in the hole card and what lies behind look the same until then."""
    seen = []
    for hole in ("5D", "9C", "TC"):
        table = await dealt(f"TS 9S {shown} 7H 7D {hole}", 10, 10, insure="")
        await table.say("alice", first)
        words = [dict(p.body) for p in table.posts if p.body["type"] != "commitment"]
        seen.append((words, table.turn, table.draws))
    assert seen[0] == seen[1] == seen[2]


async def test_every_shuffle_takes_the_same_number_of_draws() -> None:
    draws = set()
    for seed in range(20):
        table = new(Plain(), bytes([seed]))
        await table.begin("a", "b")
        draws.add(table.draws)
    assert draws == {51}  # the swaps; the salt is `secrets`, which `Plain` does not count


@pytest.mark.parametrize("number", [2000, pytest.param(20000, marks=pytest.mark.long)])
async def test_every_card_is_the_hidden_one_equally_often(number: int) -> None:
    found: Counter[str] = Counter()
    runner = Plain()
    for seed in range(number):
        table = new(runner, seed.to_bytes(4, "big"))
        await table.begin("a", "b")
        found[table.state["deck"].split()[5]] += 1
    expected = number / 52
    chi = sum((n - expected) ** 2 / expected for n in found.values())
    assert len(found) == 52 and chi < 87.97  # 51 df, p > 0.001, and the seeds are fixed


# Any game

PARAMS = st.fixed_dictionaries(
    {
        "rounds": st.integers(1, 4),
        "chips": st.sampled_from([20, 55, 100]),
        "decks": st.integers(1, 3),
        "hit_soft_17": st.booleans(),
        "face_down": st.booleans(),
        "double_after_split": st.booleans(),
        "seconds": st.just(60),
    }
)
MOVES = [
    *("legal", "legal", "legal", "legal", "legal", "late", "hello", "rematch"),
    *("hit", "stand", "double", "split", "bet 10", "bet 20", "bet 11", "bet 999"),
    *("insurance", "decline", "resign", "leave"),
]
STEP = st.tuples(st.integers(0, 7), st.sampled_from(MOVES), st.sampled_from([True, None]))


async def any_game(
    runner: Runner, count: int, seed: bytes, params: dict[str, Any], steps: list[Any]
) -> Counter[str]:
    """Whatever is said, every round is what the rules make of its deck, and the game ends."""
    table = new(runner, seed, **params)
    await table.begin(*[f"p{n}" for n in range(count)])
    for who, move, to in steps:
        player = f"p{who}"
        if move == "legal" and table.turn:
            player = table.movers[who % len(table.movers)]
            await table.say(player, table.expect[(who + table.hooks) % len(table.expect)], to)
        elif player in table.players and move == "leave":
            await table.leave(player)
        elif move == "late":
            await (table.late() if table.turn else table.call("on_timer", "turn"))
        elif player in table.players:
            await table.say(player, move, to)
    while table.turn is not None:
        await finish_one(table)
    assert table.end is not None
    assert len(table.said("commitment")) == len(table.said("reveal"))
    return judged(table)


async def finish_one(table: Table) -> None:
    """A move from what is expected must be taken: nobody is told it was wrong."""
    mover = table.movers[-1]
    for body in await table.say(mover, table.expect[table.hooks % len(table.expect)]):
        assert body["type"] != "violation"


@settings(max_examples=2, suppress_health_check=list(HealthCheck))
@given(st.integers(1, 7), st.binary(min_size=1, max_size=4), PARAMS, st.lists(STEP, max_size=20))
async def test_every_game_ends_by_its_rules(
    pool: Pool, count: int, seed: bytes, params: dict[str, Any], steps: list[Any]
) -> None:
    await any_game(pool, count, seed, params, steps)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.integers(1, 7), st.binary(min_size=1, max_size=4), PARAMS, st.lists(STEP, max_size=50))
async def test_many_games_end_by_their_rules(
    count: int, seed: bytes, params: dict[str, Any], steps: list[Any]
) -> None:
    await any_game(Plain(), count, seed, params, steps)


@pytest.mark.parametrize("games", [30, pytest.param(1000, marks=pytest.mark.long)])
async def test_games_of_random_moves_have_everything_in_them_and_end_by_their_rules(
    games: int,
) -> None:
    seen: Counter[str] = Counter()
    runner = Plain()
    for game in range(games):
        params = {"rounds": 5, "hit_soft_17": game % 2 == 1, "face_down": game % 3 == 0}
        params |= {"chips": 200, "decks": 1 + game % 2, "seconds": 60}
        rng = random.Random(game)
        steps = [
            (rng.randrange(8), rng.choice(MOVES), rng.choice([True, None]))
            for _ in range(rng.choice([0, 0, 10, 60]))
        ]
        seen += await any_game(runner, 1 + game % 5, game.to_bytes(4, "big"), params, steps)
    assert {"hit", "stand", "double", "split"} <= set(seen)
    assert {"blackjack", "push", "won", "lost", "bust"} <= set(seen)
    assert {"insurance won", "insurance lost"} <= set(seen)


async def test_the_largest_table_never_runs_out_of_cards() -> None:
    """Seven players who split whatever they can and hit to 21 or beyond, small cards first."""
    for seats, packs in ((2, 1), (5, 2), (7, 3)):
        table = new(Plain(), chips=1000, rounds=1)
        await table.begin(*[f"p{n}" for n in range(seats)])
        deck = sorted(table.state["deck"].split(), key=lambda card: min(counts([card])))
        assert len(deck) == 52 * packs
        table.state["deck"] = " ".join(deck)
        while table.turn:
            choice = "split" if "split" in table.expect else table.expect[0]
            await table.say(table.movers[0], choice)
        assert table.state["dealt"] <= len(deck)
