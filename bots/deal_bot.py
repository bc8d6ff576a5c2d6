"""DealBot: two parties tell me a private limit each; I say whether there is a deal, and the price.

Moves:   limit 140, sent to me alone: post_message(body="limit 140", to=["bot:<my id>"])
         or {"type": "move", "game": "deal", "action": "limit", "value": 140}
         cancel     or {..., "action": "cancel"}      (in public or sealed: no deal)
         rematch    or {..., "action": "rematch"}     (after the end, both must ask)

The limit of the seller is the least to take, that of the buyer the most to pay: a whole number from
the param low to high. The seats "seller" and "buyer" say who is who; where no seat is called so the
first to join sells. A limit that others can read is void; a sealed one is final. When both are in I
say one thing to all, by the param rule, and forget the limits. In every rule no price is below the
seller's limit or above the buyer's.

rule="split-by-dice"  When both limits are in, one throw of the room's dice, which depends on
                      neither, names a price from low to high, each equally likely. Deal at that
                      price if it suits both. So a deal's price is any from limit to limit, equally
                      likely; but limits that meet may miss each other: the narrower the range from
                      low to high, the more deals. To say the true limit is best whatever the other
                      says.
rule="middle"         Deal if the buyer's limit is not below the seller's, at the middle of the two.
rule="seller"         Likewise, at the seller's limit. Best for the buyer is the true limit.
rule="buyer"          Likewise, at the buyer's limit. Best for the seller is the true limit.

What the other side learns of your limit:
split-by-dice  Deal: that it is on your side of the price, which every deal tells. No deal: that it
               did not suit the price, if the other's did; else nothing.
middle         Deal: all of it, for it is twice the price minus the other's own limit. No deal: that
               it is beyond the other's own limit.
seller, buyer  Deal: of the one whose limit is the price, all of it; of the other, on which side of
               the price it is. No deal: that it is beyond the other's own limit.

The seed of the dice comes out at the end. It tells the price that was drawn, which I say anyway,
and nothing of a limit. (A price drawn from limit to limit would, with the seed, tell each side the
other's.) The limits stay closed after the end ("sealed": "kept" in my manifest) until all who said
one agree to open them, together with those of earlier rounds (open_sealed); what I did with them
can be verified from then on. A rematch takes new limits and tells once more; who counts on one may
hold out before. Who is silent for the param seconds (a day; null: no clock), cancels or leaves
makes no deal. The server that runs me can read the limits; the other side cannot.
"""

from referee import Game, listed, samples, whole

MANIFEST = {
    "name": "DealBot",
    "version": "1.0",
    "summary": "Two private limits: deal or no deal, a price by an announced rule; limits kept.",
    "label": "deal",
    "sealed": "kept",
    "seats": ["seller", "buyer"],
    "min_seats": 2,
    "max_seats": 2,
    "params": {
        "type": "object",
        "properties": {
            "item": {
                "type": ["string", "null"],
                "minLength": 1,
                "maxLength": 500,
                "default": None,
                "description": "what is for sale; null: what the two have in mind",
            },
            "unit": {
                "type": "string",
                "maxLength": 20,
                "default": "",
                "description": "in what the price is, such as EUR",
            },
            "low": {
                "type": "integer",
                "minimum": -1000000000000,
                "maximum": 1000000000000,
                "default": 1,
                "description": "the lowest limit and price",
            },
            "high": {
                "type": "integer",
                "minimum": -1000000000000,
                "maximum": 1000000000000,
                "default": 100,
                "description": "the highest limit and price",
            },
            "rule": {
                "type": "string",
                "enum": ["split-by-dice", "middle", "seller", "buyer"],
                "default": "split-by-dice",
                "description": "how the price is found, and what it tells; the default tells least",
            },
            "seconds": {
                "type": ["number", "null"],
                "exclusiveMinimum": 0,
                "maximum": 31536000,
                "default": 86400,
                "description": "time for the limits; null: no clock",
            },
        },
        "additionalProperties": False,
    },
    "moves": [
        'limit N, sealed with to=["bot:deal"]',
        "cancel",
        "rematch",
        {"type": "move", "game": "deal", "action": "limit", "value": 140},
        {"type": "move", "game": "deal", "action": "cancel"},
        {"type": "move", "game": "deal", "action": "rematch"},
    ],
    "show": [
        {"panel": "table", "of": "parties", "title": "Parties"},
        {
            "panel": "range",
            "of": "price",
            "in": "outcome",
            "low": "param:low",
            "high": "param:high",
        },
        {"panel": "text", "of": "text", "in": "outcome"},
    ],
}

BEYOND = "No deal tells both that the seller's limit is above the buyer's."
#: Each rule in words, and what its outcome tells.
RULES = {
    "split-by-dice": (
        "the dice draw one price, whatever the limits are, and it is a deal if it suits both",
        "A deal tells only that the seller's limit is not above the price and the buyer's not below"
        " it. No deal tells only a side whom the price suited, and only that it did not suit the"
        " other.",
    ),
    "middle": (
        "it is a deal if the buyer's limit is not below the seller's, at the middle of the two",
        "A deal tells each side the other's limit: twice the price minus the own one. " + BEYOND,
    ),
    "seller": (
        "it is a deal if the buyer's limit is not below the seller's, at the seller's limit",
        "A deal tells everybody the seller's limit, and that the buyer's is not below it. "
        + BEYOND,
    ),
    "buyer": (
        "it is a deal if the buyer's limit is not below the seller's, at the buyer's limit",
        "A deal tells everybody the buyer's limit, and that the seller's is not above it. "
        + BEYOND,
    ),
}


class DealBot(Game):
    manifest = MANIFEST
    game, noun, role = "deal", "negotiation", "party"
    verbs = {"limit": "limit"}
    gives_up = "cancel"
    rotates = False
    together, sealed = "limits", True

    def check(self):
        self.low, self.high = self.params["low"], self.params["high"]
        if self.low >= self.high:
            raise ValueError("low must be below high")

    def begin(self, players):
        swapped = players[0] == "buyer" or players[1] == "seller"
        seller, buyer = players[::-1] if swapped else players
        self.deal(players, seller=seller, buyer=buyer)
        self.say({"type": "start", "parties": {"seller": seller, "buyer": buyer}})
        self.gather()

    def bare(self, word):
        return "cancel" if word == "cancel" else None

    def illegal(self, player, move, value):
        limit = whole(value)
        if limit is None or not self.low <= limit <= self.high:
            return f"a limit is a whole number from {self.low} to {self.high}"
        return None

    def expects(self):
        limits = [f"limit {limit}" for limit in samples(self.low, self.high)]
        also = f"limit N with any whole number from {self.low} to {self.high}"
        return self.sealing([*limits, "cancel"], also=also)

    def play(self, player, move, value):
        if len(self.waiting()) > 1:
            self.say({"type": "sealed", "player": player})
        self.take(player, whole(value))

    def late(self):
        self.finish([], f"no deal: no limit of {listed(self.waiting())} in time")

    def out(self, player, how):
        self.finish([], f"no deal: {player} {how}")

    def opened(self):
        """Say what comes of both limits. The log shows how often the dice are used: once, or never,
        whatever the limits are."""
        rule, limits = self.params["rule"], self.state["limits"]
        least, most = limits[self.state["seller"]], limits[self.state["buyer"]]
        shown = {"type": "outcome", "rule": rule}
        if rule == "split-by-dice":
            price = shown["drawn"] = self.ctx.random.randint(self.low, self.high)
        else:
            price = {"seller": least, "buyer": most, "middle": self.middle(least, most)}[rule]
        shown["deal"] = least <= price <= most
        reason = "no deal"
        if shown["deal"]:
            shown["price"], reason = price, f"deal at {price} {self.params['unit']}".strip()
        self.say(shown | {"text": f"{reason}. {RULES[rule][1]}"})
        self.finish(self.state["players"] if shown["deal"] else [], reason)

    def middle(self, least, most):
        """Exact: halves are the only fractions."""
        double = least + most
        return double / 2 if double % 2 else double // 2

    def finish(self, winners, reason):
        self.state["limits"] = {}
        super().finish(winners, reason)

    def rules(self):
        found, tells = RULES[self.params["rule"]]
        item = self.params["item"] or "what the two of you have in mind"
        unit = self.params["unit"] and f", in {self.params['unit']}"
        return (
            f"For sale: {item}. The seller says the least to take, the buyer the most to pay{unit}:"
            f' "limit N" from {self.low} to {self.high}, sealed: to=["{self.me}"]; a public one is'
            f" void, a sealed one final. When both are in, {found}. {tells} The limits themselves"
            ' stay closed after the end unless both agree to open them. "cancel" makes no deal,'
            ' "rematch" after the end takes new limits, and tells once more.'
            + self.timed("Limits are due within %g seconds.")
        )
