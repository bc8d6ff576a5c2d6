"""BlackjackBot: a few rounds of blackjack against the dealer; most chips at the end win.

Moves:   bet 10      or {"type": "move", "game": "blackjack", "action": "bet", "value": 10}
         insurance, decline             or {..., "action": "insurance"} and so on
         hit, stand, double, split
         resign      gives up
         rematch     after the end; a new game begins when all who are here have asked

Before every round I shuffle a fresh deck and publish a commitment to it, before anybody bets and
before the first card: the SHA-256 of the deck followed by a salt of 32 hex digits. After the round
I reveal both, so anybody can check that no card was changed:
sha256(deck + salt) == commitment_hash. Cards come from the front of the deck: one for each player
in the order of the round, one for the dealer, once more the same (the dealer's second card is
hidden), then one by one as they are asked for.

A card is rank and suit: AS, TD (the ten of diamonds), KH. Number cards count their number, ten and
pictures 10, an ace 11 or 1. Nearest to 21 wins, more than 21 is bust and loses. An ace and a ten as
the first two cards are a blackjack, which pays 3:2 and beats every other 21; equal is a push, the
bet comes back. A dealer's blackjack is shown at once and ends the round. The dealer draws to 16 and
stands on 17, a soft one too (param hit_soft_17=true: draws on a soft 17), and draws only if a hand
is left to be beaten.

All bet at once, in public or unseen with to=["bot:<my id>"]; bets are even, so that all that is
paid comes out whole. insurance: when the dealer's first card is an ace, all who have the chips take
it or decline, in public or unseen, before anybody plays. It costs half the bet and pays 2:1 if the
dealer has a blackjack; if not, it is lost and the round goes on. The hidden card is in the deck
that was committed before the bets: it cannot be fitted to who is insured.

double: the bet doubles, one card, the hand stands (on two cards). split: two cards of equal count
become two hands with a bet each, at most four hands; split aces get one card each and stand; 21
after a split is no blackjack. No even money, no surrender. A hand of 21 stands by itself. With the
param face_down=true a player's cards are seen by that player alone until the hand is split, bust or
a blackjack, or the round is over, and any other hand of 21 waits for "stand".

Who begins changes from round to round, so the seats are even. Who can no longer bet the minimum is
out. With the param seconds=N who has not bet in time bets the minimum, who has not decided about
insurance declines, and who has not moved stands. Who resigns or leaves loses the bets of the round;
the last one left wins, and gets the bets of that round back.
"""

from referee import Game, commit, listed, whole

MANIFEST = {
    "name": "BlackjackBot",
    "version": "1.0",
    "summary": "Blackjack with chips; each deck is committed before the bets and revealed after.",
    "label": "dealer",
    "seats": ["alice", "bob"],
    "min_seats": 1,
    "max_seats": 7,
    "params": {
        "type": "object",
        "properties": {
            "rounds": {
                "type": "integer",
                "minimum": 1,
                "maximum": 100,
                "default": 5,
                "description": "rounds played, if two can still bet",
            },
            "chips": {
                "type": "integer",
                "minimum": 2,
                "maximum": 1000000,
                "default": 100,
                "description": "what each player begins with",
            },
            "min_bet": {
                "type": "integer",
                "minimum": 2,
                "multipleOf": 2,
                "default": 10,
                "description": "smallest bet, even and at most the chips",
            },
            "max_bet": {
                "type": ["integer", "null"],
                "default": None,
                "description": "largest bet; null: all one's chips",
            },
            "decks": {
                "type": "integer",
                "minimum": 1,
                "maximum": 8,
                "default": 1,
                "description": "packs in a shuffle; no fewer than 2 from 3 players on, 3 from 6 on",
            },
            "hit_soft_17": {
                "type": "boolean",
                "default": False,
                "description": "the dealer draws on a soft 17",
            },
            "double_after_split": {
                "type": "boolean",
                "default": True,
                "description": "a hand from a split may double",
            },
            "face_down": {
                "type": "boolean",
                "default": False,
                "description": "players see their own cards only",
            },
            "seconds": {
                "type": ["number", "null"],
                "exclusiveMinimum": 0,
                "maximum": 31536000,
                "default": None,
                "description": "time for the bets, for insurance and for each move; null: no clock",
            },
        },
        "additionalProperties": False,
    },
    "moves": [
        "bet N",
        "insurance",
        "decline",
        "hit",
        "stand",
        "double",
        "split",
        "resign",
        "rematch",
        {"type": "move", "game": "blackjack", "action": "bet", "value": 10},
        {"type": "move", "game": "blackjack", "action": "insurance"},
        {"type": "move", "game": "blackjack", "action": "hit"},
    ],
    "show": [
        {"panel": "cards", "of": "dealer", "in": "deal", "title": "Dealer"},
        {"panel": "cards", "of": "hands", "title": "Hands"},
        {"panel": "cards", "of": "cards", "in": "hand", "title": "Last hand played"},
        {"panel": "cards", "of": "dealer.cards", "in": "settle", "title": "Dealer, last round"},
        {"panel": "table", "of": "chips", "title": "Chips"},
        {
            "panel": "hash",
            "of": "commitment_hash",
            "open": {"text": "deck", "salt": "salt"},
            "title": "Deck",
        },
    ],
}

COUNTS = {"A": 1, "T": 10, "J": 10, "Q": 10, "K": 10} | {str(n): n for n in range(2, 10)}
CARDS = [rank + suit for suit in "SHDC" for rank in "A23456789TJQK"]
SEATS = 7
#: What is said in each step of a round: `bets` and `insured` by all together, then each hand.
STEPS = {
    "bets": ["bet"],
    "insured": ["insurance", "decline"],
    "": ["hit", "stand", "double", "split"],
}


def count(cards):
    """(value, soft): soft when an ace counts 11."""
    hard = sum(COUNTS[card[0]] for card in cards)
    soft = hard <= 11 and any(card[0] == "A" for card in cards)
    return (hard + 10 if soft else hard), soft


def value_of(cards):
    return count(cards)[0]


def told(cards):
    return {"cards": cards, "value": value_of(cards)}


def new_hand(cards, bet, open_cards, split=False):
    return {"cards": cards, "bet": bet, "open": open_cards, "split": split, "done": False}


def is_natural(hand):
    return len(hand["cards"]) == 2 and not hand["split"] and value_of(hand["cards"]) == 21


class BlackjackBot(Game):
    manifest = MANIFEST
    game = "blackjack"
    verbs = {"bet": "bet"}
    moves = [move for step in STEPS.values() for move in step]
    names = ["bet N", *moves[1:]]

    def check(self):
        least, most = self.params["min_bet"], self.params["max_bet"]
        if least > self.params["chips"] or least % 2:
            raise ValueError("min_bet must be even and at most the chips")
        if most is not None and most < least:
            raise ValueError("max_bet must not be below min_bet")
        self.together = self.state.get("step", "")

    # Reading a move and judging it

    def read(self, body):
        move, value = super().read(body)
        return ("stand" if move == "stay" else move), value

    def bare(self, word):
        return word if word in (*self.moves[1:], "stay") else None

    def too_early(self, player, move):
        """What belongs to another step of the round is refused as that, whosever turn it is."""
        if self.together == "insured" and player not in self.waiting() and move != "bet":
            return f"waiting for {listed(self.waiting())} to decide about insurance"
        if move in STEPS[self.together]:
            return super().too_early(player, move)
        if move == "bet":
            return "your bet stands; the next one is for the next round"
        if move in STEPS["insured"]:
            return "insurance is for when the dealer's first card is an ace, before anybody plays"
        first = "the bets" if self.together == "bets" else "insurance"
        return f"first {first}; waiting for {listed(self.waiting())}"

    def illegal(self, player, move, value):
        if move == "bet":
            amount, least, top = whole(value), self.params["min_bet"], self.top(player)
            fits = amount is not None and least <= amount <= top and amount % 2 == 0
            return None if fits else f"bet an even number of chips from {least} to {top}"
        if self.together:
            return None
        hand = self.hand()
        if move in self.choices(player, hand):
            return None
        if self.state["chips"][player] < hand["bet"]:
            return f"{move} takes a second bet, and your chips do not suffice"
        if move == "double":
            not_split = "" if self.params["double_after_split"] else " that were not split"
            return "double goes with two cards" + not_split
        return "split goes with two cards of equal count, up to four hands, aces once"

    def choices(self, player, hand):
        """What may be done with a hand."""
        cards, hands, legal = hand["cards"], self.state["hands"][player], ["hit", "stand"]
        if len(cards) == 2 and self.state["chips"][player] >= hand["bet"]:
            if self.params["double_after_split"] or not hand["split"]:
                legal.append("double")
            same = COUNTS[cards[0][0]] == COUNTS[cards[1][0]]
            if same and len(hands) < 4:  # split aces stand, so none comes here again
                legal.append("split")
        return legal

    def top(self, player):
        """The largest bet this player can make."""
        chips, most = self.state["chips"][player], self.params["max_bet"]
        most = chips if most is None else min(chips, most)
        return most - most % 2

    # A round: bets, insurance, hands

    def begin(self, players):
        players = players[:SEATS]
        chips = {player: self.params["chips"] for player in players}
        self.deal(players, chips=chips, round=0, out=[])
        self.next_round()

    def next_round(self):
        """Shuffle and commit, then ask for the bets: nobody can fit the cards to them."""
        state, standing = self.state, self.state["standing"]
        seats = len(standing)
        # Seven players with four hands of the smallest cards each take at most 144 cards.
        packs = max(self.params["decks"], 1 if seats <= 2 else 2 if seats <= 5 else 3)
        cards = CARDS * packs
        self.ctx.random.shuffle(cards)
        deck, first = " ".join(cards), state["round"] % seats
        salt, hashed = commit(deck)
        state |= {"deck": deck, "salt": salt, "hash": hashed, "dealt": 0}
        state |= {"round": state["round"] + 1, "order": standing[first:] + standing[:first]}
        state |= {"bets": {}, "insured": {}, "hands": {}, "hand": 0, "dealer": []}
        said = {"type": "commitment", "round": state["round"], "of": self.params["rounds"]}
        said |= {"decks": packs, "commitment_hash": hashed}
        self.say(said | {"order": state["order"], "chips": state["chips"]})
        self.go_to("bets")
        self.gather()

    def go_to(self, step):
        self.together = self.state["step"] = step

    def waiting(self):
        asked = self.state["order"]
        if self.together == "insured":
            asked = [one for one in asked if self.state["chips"][one] >= self.premium(one)]
        return [player for player in asked if player not in self.state[self.together]]

    def expects(self):
        if self.together == "insured":
            return STEPS["insured"]
        least, top = self.params["min_bet"], min(self.top(player) for player in self.waiting())
        return [f"bet {n}" for n in sorted({min(top, least * k) for k in (1, 2, 5)} | {top})]

    def play(self, player, move, value):
        if not self.together:
            self.play_hand(player, move)
            return
        kind = "bet" if self.together == "bets" else "insurance"
        chips = {"bet": whole(value), "insurance": self.premium(player)}.get(move, 0)
        self.say({"type": kind, "player": player} | ({} if self.msg.get("to") else {kind: chips}))
        self.place(player, chips)
        self.open_or_wait()

    def place(self, player, chips):
        self.state[self.together][player] = chips
        self.state["chips"][player] -= chips

    def premium(self, player):
        """What insurance costs."""
        return self.state["bets"].get(player, 0) // 2

    def late(self):
        """The least that can be done: the smallest bet, no insurance, no other card."""
        late = self.waiting() if self.together else [self.state["turn"]]
        least = self.params["min_bet"] if self.together == "bets" else 0
        move = {"bets": f"bet {least}", "insured": "decline", "": "stand"}[self.together]
        self.say({"type": "late", "players": late, "action": move})
        if not self.together:
            self.play_hand(late[0], move)
            return
        for player in late:
            self.place(player, least)
        self.opened()

    def opened(self):
        if self.together == "bets":
            self.deal_cards()
        else:
            self.pay_insurance()

    def draw(self):
        self.state["dealt"] += 1
        return self.state["deck"].split()[self.state["dealt"] - 1]

    def deal_cards(self):
        state = self.state
        for player in state["order"]:
            hand = new_hand([], state["bets"][player], not self.params["face_down"])
            state["hands"][player] = [hand]
        for _ in range(2):
            for player in state["order"]:
                state["hands"][player][0]["cards"].append(self.draw())
            state["dealer"].append(self.draw())
        for hands in state["hands"].values():
            if is_natural(hands[0]):
                hands[0]["open"] = hands[0]["done"] = True
        shown = {player: self.shown(hands[0]) for player, hands in state["hands"].items()}
        dealer = [state["dealer"][0], "??"]
        self.say({"type": "deal", "round": state["round"], "dealer": dealer, "hands": shown})
        for player in state["order"]:
            if not state["hands"][player][0]["open"]:
                self.show(player, 0, "deal")
        if dealer[0][0] == "A":
            self.offer_insurance()
        else:
            self.look()

    def offer_insurance(self):
        """Ask all who have the chips."""
        self.go_to("insured")
        if self.waiting():
            self.ask(self.waiting(), self.expects())
        else:
            self.look()

    def pay_insurance(self):
        """Settle it before anybody plays, and show with it whether the dealer has a blackjack."""
        state, natural = self.state, self.is_dealers()
        taken = {player: chips for player, chips in state["insured"].items() if chips}
        paid = {player: 3 * chips if natural else 0 for player, chips in taken.items()}
        for player, chips in paid.items():
            state["chips"][player] += chips
        said = {"type": "insured", "round": state["round"], "blackjack": natural}
        self.say(said | {"insurance": taken, "paid": paid, "chips": state["chips"]})
        state["insured"] = {}
        self.look()

    def look(self):
        """At the dealer's hidden card: a blackjack ends the round."""
        self.go_to("")
        if self.is_dealers():
            self.settle()
        else:
            self.advance()

    def is_dealers(self):
        """Whether the dealer has a blackjack."""
        return len(self.state["dealer"]) == 2 and value_of(self.state["dealer"]) == 21

    # A player's hands

    def hand(self):
        return self.state["hands"][self.state["turn"]][self.state["hand"]]

    def play_hand(self, player, move):
        hand, at = self.hand(), self.state["hand"]
        if move in ("double", "split"):
            self.state["chips"][player] -= hand["bet"]
        if move == "split":
            self.split(player, hand, at)
        elif move == "stand":
            hand["done"] = True
        else:
            hand["cards"].append(self.draw())
            value = value_of(hand["cards"])
            if move == "double":
                hand["bet"], hand["done"] = 2 * hand["bet"], True
            if value > 21:
                hand["open"] = hand["done"] = True
            elif value == 21 and hand["open"]:
                hand["done"] = True
        self.show(player, at, move)
        if move == "split":
            self.show(player, at + 1, move)
        self.advance()

    def split(self, player, hand, at):
        first, second = hand["cards"]
        pair = [new_hand([card], hand["bet"], True, True) for card in (first, second)]
        for half in pair:
            half["cards"].append(self.draw())
            half["done"] = first[0] == "A" or value_of(half["cards"]) == 21
        self.state["hands"][player][at : at + 1] = pair

    def advance(self):
        """The next hand that is not done, or the dealer."""
        state = self.state
        every = [(player, enumerate(state["hands"][player])) for player in state["order"]]
        hands = [(player, at, hand) for player, own in every for at, hand in own]
        for player, at, hand in hands:
            if hand["done"]:
                continue
            if state["turn"] == player and state["hand"] < at:
                self.show(player, at, "next")
            state["hand"] = at
            legal = self.choices(player, hand)
            if not hand["open"] and "split" in legal:
                legal.remove("split")  # everybody reads what is expected
            self.ask(player, legal)
            return
        if any(value_of(hand["cards"]) <= 21 and not is_natural(hand) for _, _, hand in hands):
            self.dealer_draws()
        self.settle()

    def dealer_draws(self):
        dealer, soft = self.state["dealer"], self.params["hit_soft_17"]
        while value_of(dealer) < 17 or (soft and count(dealer) == (17, True)):
            dealer.append(self.draw())

    # The end of a round, and of the game

    def settle(self):
        state, results = self.state, []
        for player in state["order"]:
            for hand in state["hands"][player]:
                outcome, paid = self.outcome(hand)
                state["chips"][player] += paid
                result = {"player": player, "outcome": outcome, "paid": paid, "bet": hand["bet"]}
                results.append(result | told(hand["cards"]))
        said = {"type": "settle", "round": state["round"], "dealer": told(state["dealer"])}
        self.say(said | {"hands": results, "chips": state["chips"]})
        self.reveal()
        able = [one for one in state["standing"] if self.top(one) >= self.params["min_bet"]]
        state["standing"] = able
        if state["round"] >= self.params["rounds"]:
            self.count_chips(f"{state['round']} rounds are played")
        elif len(state["players"]) == 1 and not able:
            self.count_chips("out of chips")
        elif len(able) < min(2, len(state["players"])):
            self.count_chips(f"{'only ' + able[0] if able else 'nobody'} can still bet")
        else:
            self.next_round()

    def outcome(self, hand):
        """(what became of it, what comes back), the bet included."""
        value, bet = value_of(hand["cards"]), hand["bet"]
        dealer = value_of(self.state["dealer"])
        if is_natural(hand):
            return ("push", bet) if self.is_dealers() else ("blackjack", bet + bet * 3 // 2)
        if value > 21:
            return "bust", 0
        if self.is_dealers() or value < dealer <= 21:
            return "lost", 0
        return ("push", bet) if value == dealer else ("won", 2 * bet)

    def reveal(self):
        opened = {name: self.state[name] for name in ("round", "deck", "salt", "hash")}
        self.say({"type": "reveal"} | opened)

    def out(self, player, how):
        for kept in ("bets", "insured", "hands"):
            self.state[kept].pop(player, None)
        self.state["order"].remove(player)
        self.state["out"].append(player)
        super().out(player, how)

    def without(self, player):
        if self.together:
            self.open_or_wait()
        elif self.state["turn"] == player:
            self.advance()

    def finish(self, winners, reason):
        """In the middle of a round: who is left gets its bets back."""
        state = self.state
        for player in winners:
            bets = [hand["bet"] for hand in state["hands"].get(player, [])]
            bets = bets or [state["bets"].get(player, 0)]
            state["chips"][player] += sum(bets) + state["insured"].get(player, 0)
        self.reveal()
        super().finish(winners, reason)

    def count_chips(self, reason):
        """Most chips win; if all have the same it is a draw. Alone, one must have won some."""
        chips, players = self.state["chips"], self.state["players"]
        able = [player for player in self.here() if player not in self.state["out"]]
        best = max(chips[player] for player in able)
        winners = [player for player in able if chips[player] == best]
        alone = len(players) == 1 and best <= self.params["chips"]
        super().finish([] if alone or len(winners) == len(able) > 1 else winners, reason)

    def scores(self, winners):
        return self.state["chips"]

    # Words

    def shown(self, hand):
        """What all may know of a hand."""
        if not hand["open"]:
            return {"cards": ["??", "??", *hand["cards"][2:]], "bet": hand["bet"]}
        value, soft = count(hand["cards"])
        shown = told(hand["cards"]) | {"bet": hand["bet"]}
        return shown | ({"soft": True} if soft else {"bust": True} if value > 21 else {})

    def show(self, player, at, move):
        hand = self.state["hands"][player][at]
        body = {"type": "hand", "player": player, "hand": at + 1, "action": move}
        if hand["open"]:
            self.say(body | self.shown(hand))
            return
        body = body | {"shown": hand["cards"][2:], "bet": hand["bet"]}
        self.ctx.post("bot", body, private=told(hand["cards"]), to=[player])

    def rules(self):
        params = self.params
        least, soft = params["min_bet"], "hits" if params["hit_soft_17"] else "stands on"
        return (
            f"{params['rounds']} rounds of blackjack, {params['chips']} chips each; most chips win."
            f' First all bet, an even number from {least}: "bet {least}", unseen by the others with'
            f' to=["{self.me}"]. If the dealer shows an ace, say insurance (half the bet, pays 2:1'
            " on a dealer's blackjack) or decline. In your turn say hit, stand, double or split."
            f" Blackjack pays 3:2, the dealer {soft} soft 17."
            + (" You alone see your cards." if params["face_down"] else "")
            + self.timed(
                "Each bet and move within %g seconds, or the minimum is bet, insurance declined and"
                " the hand stands."
            )
            + ' "resign" gives up, "rematch" after the end plays again. The deck of each round is'
            " committed by a hash before the bets and revealed after the round:"
            " sha256(deck + salt)."
        )
