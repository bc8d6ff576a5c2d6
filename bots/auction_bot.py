"""AuctionBot: one lot, sealed bids, opened together.

Moves:   bid 40, sent to me alone: post_message(body="bid 40", to=["bot:<my id>"])
         or {"type": "move", "game": "auction", "action": "bid", "value": 40}
         pass       or {..., "action": "pass"}        (in public or sealed)
         rematch    or {..., "action": "rematch"}     (after the end: another lot, all must ask)

A bid is a whole number from the reserve to the limit. One that others can read is void and costs
nothing: bid again, sealed. A sealed bid is final. When everybody has bid or passed I show all bids
at once. The highest buys, and pays the own bid (param price="first") or the second highest bid, the
reserve if there is none (price="second"). Among equal highest bids a lot drawn by the room's dice decides
(ties="lot"), or the bid that arrived first (ties="first"). Whoever withholds a bid when the time is up (param
seconds, a day if not given, null for no clock) has passed; so has who leaves. Without a bid nothing is sold.

With the param item="..." something of yours is for sale and the buyer wins. Without it this is a game: I tell
each player in private what the lot is worth to that player, a number from 1 to the param deal (100). Then the score is
worth minus price: a buyer with a gain wins, with a loss the others win, and otherwise nobody.
"""

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
                "description": "what is for sale; null: a game about a lot worth something else to each",
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
                "description": "the highest bid that is taken; null: a million, in the game what is dealt",
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
                "description": "private worths are dealt from 1 to this; null: 100 if there is no item",
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
        "bid N, sealed with to=[\"bot:auction\"]",
        "pass",
        "rematch",
        {"type": "move", "game": "auction", "action": "bid", "value": 40},
        {"type": "move", "game": "auction", "action": "pass"},
        {"type": "move", "game": "auction", "action": "rematch"},
    ],
}

GAME = "auction"
YEAR = 31536000
LARGEST = 10**12


def whole(value, low, high):
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def amount(value):
    """The number that digits stand for; anything else as it is."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 15:
        return int(value)
    return value


class AuctionBot:
    def __init__(self, ctx, params):
        self.ctx = ctx
        self.me = "bot:" + ctx.bot_id
        self.item = params.get("item")
        self.price, self.ties = params.get("price", "first"), params.get("ties", "lot")
        self.reserve, self.seconds = params.get("reserve", 0), params.get("seconds", 86400)
        self.deal = params.get("deal")
        if self.deal is None and self.item is None:
            self.deal = 100
        self.limit = params.get("limit")
        if self.limit is None:
            self.limit = self.deal or 1000000
        self.check()
        self.state = ctx.get_state() or {"phase": "open"}

    def check(self):
        item, seconds = self.item, self.seconds
        if item is not None and (not isinstance(item, str) or not 0 < len(item) <= 500):
            raise ValueError("item must be a text of at most 500 characters, or left out")
        if self.price not in ("first", "second"):
            raise ValueError('price must be "first" or "second"')
        if self.ties not in ("lot", "first"):
            raise ValueError('ties must be "lot" or "first"')
        if self.deal is not None and not whole(self.deal, 1, LARGEST):
            raise ValueError("deal must be a whole number from 1, or left out")
        if not whole(self.reserve, 0, LARGEST) or not whole(self.limit, max(1, self.reserve), LARGEST):
            raise ValueError("reserve and limit must be whole numbers, reserve not above limit")
        if seconds is not None:
            number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
            if not number or not 0 < seconds <= YEAR:
                raise ValueError("seconds must be a number above 0, or null")

    # What the room calls

    def on_init(self):
        self.say({"type": "prompt", "text": self.rules()})

    def on_start(self):
        if self.state["phase"] != "open":
            return
        if len(self.ctx.players) >= 2:
            self.begin(self.ctx.players)
        else:
            self.state["phase"] = "void"
            self.ctx.end({"winners": [], "reason": "an auction takes two players or more"})
        self.save()

    def on_message(self, msg):
        player, body = msg["sender"], msg["body"]
        if str(body.get("text", "")).strip().lower() == "!help":
            self.say({"type": "help", "text": self.rules()})
            return
        action, value = self.read_move(body)
        if action is None:
            return
        reason = self.objection(player, action, value, msg.get("to"))
        if reason:
            # A sealed attempt is answered in private: the answer is about its content.
            to = [player] if msg.get("to") and player in self.ctx.players else None
            self.say({"type": "violation", "player": player, "reason": reason}, to)
            return
        if action == "rematch":
            self.rematch(player)
        else:
            self.take(player, value if action == "bid" else None)
        self.save()

    def on_leave(self, player_id):
        if self.state["phase"] == "bidding" and player_id in self.state["standing"]:
            self.state["standing"].remove(player_id)
            self.state["bids"].pop(player_id, None)
            self.say({"type": "left", "player": player_id})
            self.open_or_wait()
            self.save()
        elif self.state["phase"] == "done":
            self.start_again()
            self.save()

    def on_timer(self, name):
        if name == "turn" and self.state["phase"] == "bidding":
            self.open_bids()
            self.save()

    # Reading a move

    def read_move(self, body):
        """(action, value), or (None, None) for chat."""
        if body.get("type") == "move" and body.get("game") == GAME:
            action = str(body.get("action"))
            return {"concede": "pass", "resign": "pass"}.get(action, action), amount(body.get("value"))
        words = str(body.get("text", "")).lower().replace(":", " ").rstrip(" .!").split()
        if len(words) == 2 and words[0] == "bid":
            return "bid", amount(words[1])
        if words in (["pass"], ["concede"], ["resign"]):
            return "pass", None
        if words == ["rematch"]:
            return "rematch", None
        return None, None

    def objection(self, player, action, value, to):
        """Why this player may not do this now, or nothing."""
        phase = self.state["phase"]
        if action not in ("bid", "pass", "rematch"):
            return "the moves are bid, pass and rematch"
        if phase in ("open", "void"):
            return "the auction has not started"
        if player not in self.state["players"]:
            return "not a bidder of this auction"
        if action == "rematch":
            return self.no_rematch(player)
        if phase == "done":
            return 'the auction is over; "rematch" asks for another'
        if player not in self.state["standing"]:
            return "you left this auction"
        if player in self.state["bids"]:
            return "you have bid or passed, and that is final; waiting for the others"
        if action == "pass":
            return None
        if to != [self.me]:
            return (
                "void: others could read it, so it does not count. Bid again, sealed:"
                ' to=["%s"]' % self.me
            )
        if not whole(value, self.reserve, self.limit):
            return "a bid is a whole number from %d to %d" % (self.reserve, self.limit)
        return None

    def no_rematch(self, player):
        if self.state["phase"] != "done":
            return "the auction is still going on"
        if len(self.here()) < 2:
            return "the others have left"
        if player in self.state["rematch"]:
            return "you have asked; waiting for the others"
        return None

    # What a move does

    def begin(self, players):
        self.state = {
            "phase": "bidding",
            "players": players,
            "standing": list(players),
            "bids": {},
            "arrived": [],
            "worth": {},
            "deadline": None,
            "rematch": [],
        }
        if self.seconds is not None:
            self.state["deadline"] = self.ctx.now() + self.seconds
        if self.deal is not None:
            for player in players:
                worth = self.ctx.random.randint(1, self.deal)
                self.state["worth"][player] = worth
                self.say({"type": "worth", "player": player, "worth": worth}, [player])
        self.give_turn(self.seconds)

    def take(self, player, value):
        self.state["bids"][player] = value
        self.state["arrived"].append(player)
        if self.waiting():  # the same words for a bid and for passing
            self.say({"type": "sealed", "player": player})
        self.open_or_wait()

    def open_or_wait(self):
        if not self.waiting():
            self.open_bids()
            return
        left = None
        if self.state["deadline"] is not None:  # the clock goes on, it does not begin anew
            left = min(self.seconds, max(0.001, self.state["deadline"] - self.ctx.now()))
        self.give_turn(left)

    def open_bids(self):
        """Show all bids at once, and sell."""
        bids = {}
        for player in self.state["standing"]:
            if self.state["bids"].get(player) is not None:
                bids[player] = self.state["bids"][player]
        late = self.waiting()
        passed = [p for p in self.state["standing"] if p not in bids and p not in late]
        shown = {"type": "opened", "bids": bids, "passed": passed, "late": late}
        buyer, price = None, None
        if bids:
            best = max(bids.values())
            top = [player for player in self.state["arrived"] if bids.get(player) == best]
            if len(top) > 1:
                shown["tied"] = top
            lot = len(top) > 1 and self.ties == "lot"
            buyer = self.ctx.random.choice(sorted(top)) if lot else top[0]
            price = best if self.price == "first" else self.second(bids, buyer)
        shown["buyer"], shown["price"] = buyer, price
        if self.deal is not None:
            shown["worth"] = self.state["worth"]
        self.say(shown)
        self.finish(buyer, price)

    def second(self, bids, buyer):
        return max([self.reserve] + [bids[player] for player in bids if player != buyer])

    def finish(self, buyer, price):
        self.state["phase"] = "done"
        result = {"winners": [], "reason": "nothing is sold: there is no bid"}
        if buyer is not None:
            result = {"winners": [buyer], "reason": "%s buys for %d" % (buyer, price)}
        if self.deal is not None:
            scores = {player: 0 for player in self.state["players"]}
            if buyer is not None:
                gain = self.state["worth"][buyer] - price
                scores[buyer] = gain
                result["reason"] += ", which is a gain of %d" % gain
                others = [player for player in self.state["standing"] if player != buyer]
                result["winners"] = [buyer] if gain > 0 else others if gain < 0 else []
            result["scores"] = scores
        self.ctx.end(result)

    def rematch(self, player):
        self.state["rematch"].append(player)
        if not self.start_again():
            text = 'say "rematch" for another lot'
            self.say({"type": "rematch", "player": player, "text": text})

    def start_again(self):
        """Begin when all who are still here have asked."""
        here = self.here()
        self.state["rematch"] = [player for player in self.state["rematch"] if player in here]
        if len(here) < 2 or len(self.state["rematch"]) < len(here):
            return False
        self.begin(here)
        return True

    def give_turn(self, seconds):
        low, high = self.reserve, self.limit
        steps = sorted(set(low + (high - low) * quarter // 4 for quarter in range(5)))
        expect = {
            "body": ["bid %d" % amount for amount in steps] + ["pass"],
            "to": [self.me],
            "also": "bid N with any whole number from %d to %d" % (low, high),
        }
        self.ctx.set_turn(self.waiting(), seconds=seconds, expect=expect)

    # Words

    def waiting(self):
        return [player for player in self.state["standing"] if player not in self.state["bids"]]

    def here(self):
        return [player for player in self.state["players"] if player in self.ctx.players]

    def rules(self):
        lot = "a lot" if self.item is None else self.item
        pays = "the own bid" if self.price == "first" else "the second highest bid"
        tie = "drawn by lot" if self.ties == "lot" else "the first to arrive"
        words = (
            'For sale: %s. Bid a whole number from %d to %d, sealed: "bid N" with to=["%s"]; a public'
            ' bid is void, a sealed one final. "pass" bids nothing. I open all bids together: the'
            " highest buys and pays %s; among equal ones: %s."
        ) % (lot, self.reserve, self.limit, self.me, pays, tie)
        if self.deal is not None:
            words += " Its worth to you, from 1 to %d, I tell you alone. Score: worth minus price." % (
                self.deal
            )
        if self.seconds is not None:
            words += " No bid within %g seconds is a pass." % self.seconds
        return words + ' "rematch" after the end sells another.'

    def say(self, body, to=None):
        self.ctx.post("bot", body, to=to)

    def save(self):
        self.ctx.set_state(self.state)
