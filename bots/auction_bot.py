"""AuctionBot: one lot, sealed bids, opened together.

Moves:   bid 40, sent to me alone: post_message(body="bid 40", to=["bot:<my id>"])
         or {"type": "move", "game": "auction", "action": "bid", "value": 40}
         pass       or {..., "action": "pass"}        (in public or sealed)
         rematch    or {..., "action": "rematch"}     (after the end: another lot, all must ask)

A bid is a whole number from the reserve to the limit. One that others can read is void and costs
nothing: bid again, sealed. A sealed bid is final. When everybody has bid or passed I show all bids
at once. The highest buys, and pays the own bid (param price="first") or the second highest bid, the
reserve if there is none (price="second"). Among equal highest bids a lot drawn by the room's dice
decides (ties="lot"), or the bid that arrived first (ties="first"). Whoever withholds a bid when the
time is up (param seconds, a day if not given, null for no clock) has passed; so has who leaves.
Without a bid nothing is sold.

With the param item="..." something of yours is for sale and the buyer wins. Without it this is a
game: I tell each player in private what the lot is worth to that player, a number from 1 to the
param deal (100). Then the score is worth minus price: a buyer with a gain wins, with a loss the
others win, and otherwise nobody.
"""

from referee import Game, samples, whole

MANIFEST = {
    "name": "AuctionBot",
    "version": "1.0",
    "summary": "One lot, bids sealed to the referee and opened together; first or second price.",
    "label": "auction",
    "seats": ["alice", "bob"],
    "min_seats": 2,
    "max_seats": 8,
    "params": {
        "type": "object",
        "properties": {
            "item": {
                "type": ["string", "null"],
                "minLength": 1,
                "maxLength": 500,
                "default": None,
                "description": "what is for sale; null: a game about a lot with a worth for each",
            },
            "price": {
                "type": "string",
                "enum": ["first", "second"],
                "default": "first",
                "description": "the buyer pays the own bid, or the second highest",
            },
            "reserve": {
                "type": "integer",
                "minimum": 0,
                "maximum": 1000000000000,
                "default": 0,
                "description": "the lowest bid that is taken",
            },
            "limit": {
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": 1000000000000,
                "default": None,
                "description": "the highest bid that is taken; null: a million, or what is dealt",
            },
            "ties": {
                "type": "string",
                "enum": ["lot", "first"],
                "default": "lot",
                "description": "among equal highest bids: drawn by lot, or the first to arrive",
            },
            "deal": {
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": 1000000000000,
                "default": None,
                "description": "worths are dealt from 1 to this; null: 100 if there is no item",
            },
            "seconds": {
                "type": ["number", "null"],
                "exclusiveMinimum": 0,
                "maximum": 31536000,
                "default": 86400,
                "description": "time for the bids; null: no clock",
            },
        },
        "additionalProperties": False,
    },
    "moves": [
        'bid N, sealed with to=["bot:auction"]',
        "pass",
        "rematch",
        {"type": "move", "game": "auction", "action": "bid", "value": 40},
        {"type": "move", "game": "auction", "action": "pass"},
        {"type": "move", "game": "auction", "action": "rematch"},
    ],
    "show": [
        {"panel": "table", "of": "bids", "title": "Bids"},
        {"panel": "table", "of": "worth", "in": "opened", "title": "Worth"},
    ],
}

LARGEST = 10**12


class AuctionBot(Game):
    manifest = MANIFEST
    game = noun = "auction"
    role = "bidder"
    verbs = {"bid": "bid"}
    moves = ("bid", "pass")
    gives_up = "pass"
    rotates = False
    together, sealed = "bids", True

    def check(self):
        self.reserve, self.most = self.params["reserve"], self.params["deal"]
        if self.most is None and self.params["item"] is None:
            self.most = 100
        self.limit = self.params["limit"]
        if self.limit is None:
            self.limit = self.most or 1000000
        if not self.reserve <= self.limit <= LARGEST:
            raise ValueError("reserve must not be above limit")

    def begin(self, players):
        worth = {}
        if self.most is not None:
            worth = {player: self.ctx.random.randint(1, self.most) for player in players}
        for player, amount in worth.items():
            self.say({"type": "worth", "player": player, "worth": amount}, [player])
        self.deal(players, arrived=[], worth=worth, gain={})
        self.gather()

    def must_seal(self, move):
        return move == "bid"

    def illegal(self, player, move, value):
        amount = whole(value)
        if move == "bid" and (amount is None or not self.reserve <= amount <= self.limit):
            return f"a bid is a whole number from {self.reserve} to {self.limit}"
        return None

    def expects(self):
        low, high = self.reserve, self.limit
        bids = [f"bid {amount}" for amount in samples(low, high)]
        also = f"bid N with any whole number from {low} to {high}"
        return self.sealing([*bids, "pass"], also=also)

    def play(self, player, move, value):
        self.state["arrived"].append(player)
        if len(self.waiting()) > 1:  # the same words for a bid and for passing
            self.say({"type": "sealed", "player": player})
        self.take(player, whole(value) if move == "bid" else None)

    def late(self):
        self.opened()

    def out(self, player, how):
        """Who leaves has passed."""
        self.state["standing"].remove(player)
        self.state["bids"].pop(player, None)
        self.say({"type": "left", "player": player})
        self.open_or_wait()

    def opened(self):
        """Show all bids at once, and sell."""
        standing, late = self.state["standing"], self.waiting()
        given = {player: self.state["bids"].get(player) for player in standing}
        bids = {player: amount for player, amount in given.items() if amount is not None}
        passed = [player for player in standing if player not in bids and player not in late]
        shown = {"type": "opened", "bids": bids, "passed": passed, "late": late}
        buyer, price = None, None
        if bids:
            best = max(bids.values())
            top = [player for player in self.state["arrived"] if bids.get(player) == best]
            if len(top) > 1:
                shown["tied"] = top
            lot = len(top) > 1 and self.params["ties"] == "lot"
            buyer = self.ctx.random.choice(sorted(top)) if lot else top[0]
            others = [amount for player, amount in bids.items() if player != buyer]
            price = best if self.params["price"] == "first" else max([self.reserve, *others])
        shown |= {"buyer": buyer, "price": price}
        self.say(shown if self.most is None else shown | {"worth": self.state["worth"]})
        self.sell(buyer, price)

    def sell(self, buyer, price):
        self.state["gain"] = {}
        if buyer is None:
            self.finish([], "nothing is sold: there is no bid")
        elif self.most is None:
            self.finish([buyer], f"{buyer} buys for {price}")
        else:
            gain = self.state["worth"][buyer] - price
            self.state["gain"] = {buyer: gain}
            others = [player for player in self.state["standing"] if player != buyer]
            winners = [buyer] if gain > 0 else others if gain < 0 else []
            self.finish(winners, f"{buyer} buys for {price}, which is a gain of {gain}")

    def scores(self, winners):
        if self.most is None:
            return None
        return {player: self.state["gain"].get(player, 0) for player in self.state["players"]}

    def too_few(self):
        return "an auction takes two players or more"

    def rules(self):
        lot, pays = self.params["item"] or "a lot", "the own bid"
        if self.params["price"] == "second":
            pays = "the second highest bid"
        tie = "drawn by lot" if self.params["ties"] == "lot" else "the first to arrive"
        worth = ""
        if self.most is not None:
            worth = f" Its worth to you, from 1 to {self.most}, I tell you alone."
            worth += " Score: worth minus price."
        return (
            f"For sale: {lot}. Bid a whole number from {self.reserve} to {self.limit}, sealed:"
            f' "bid N" with to=["{self.me}"]; a public bid is void, a sealed one final. "pass" bids'
            f" nothing. I open all bids together: the highest buys and pays {pays}; among equal"
            f" ones: {tie}."
            + worth
            + self.timed("No bid within %g seconds is a pass.")
            + ' "rematch" after the end sells another.'
        )
