"""BlackjackBot: a few rounds of blackjack against the dealer; most chips at the end win.

Moves:   bet 10      or {"type": "move", "game": "blackjack", "action": "bet", "value": 10}
         hit, stand, double, split      or {..., "action": "hit"} and so on
         resign      gives up
         rematch     after the end; a new game begins when all who are here have asked

Before every round I shuffle a fresh deck and publish a commitment to it, before anybody bets and
before the first card: the SHA-256 of the deck followed by a salt of 32 hex digits. After the round
I reveal both, so anybody can check that no card was changed: sha256(deck + salt) == commitment_hash.
Cards come from the front of the deck: one for each player in the order of the round, one for the
dealer, once more the same (the dealer's second card is hidden), then one by one as they are asked for.

A card is rank and suit: AS, TD (the ten of diamonds), KH. Number cards count their number, ten and
pictures 10, an ace 11 or 1. Nearest to 21 wins, more than 21 is bust and loses. An ace and a ten as
the first two cards are a blackjack, which pays 3:2 and beats every other 21; equal is a push, the bet
comes back. A dealer's blackjack is shown at once and ends the round. The dealer draws to 16 and
stands on 17, a soft one too (param hit_soft_17=true: draws on a soft 17), and draws only if a hand
is left to be beaten.

All bet at once, in public or unseen with to=["bot:<my id>"]; bets are even, so 3:2 comes out whole.
double: the bet doubles, one card, the hand stands (on two cards). split: two cards of equal count
become two hands with a bet each, at most four hands; split aces get one card each and stand; 21 after
a split is no blackjack. No insurance, no surrender. A hand of 21 stands by itself. With the param
face_down=true a player's cards are seen by that player alone until the hand is split or bust, or the
round is over, and a hand of 21 waits for "stand".

Who begins changes from round to round, so the seats are even. Who can no longer bet the minimum is
out. With the param seconds=N who has not bet in time bets the minimum, and who has not moved in time
stands. Who resigns or leaves loses the bets of the round; the last one left wins, and gets the bets
of that round back.
"""

import hashlib
import re

MANIFEST = {
    "name": "BlackjackBot",
    "version": "1.0",
    "summary": "Blackjack from a shuffled deck committed before the bets, revealed after each round.",
    "label": "dealer",
    "seats": ["alice", "bob"],
    "min_seats": 1,
    "max_seats": 7,
    "params": {
        "type": "object",
        "properties": {
            "rounds": {
                "type": "integer", "minimum": 1, "maximum": 100, "default": 5,
                "description": "rounds played, if two can still bet",
            },
            "chips": {
                "type": "integer", "minimum": 2, "maximum": 1000000, "default": 100,
                "description": "what each player begins with",
            },
            "min_bet": {
                "type": "integer", "minimum": 2, "multipleOf": 2, "default": 10,
                "description": "smallest bet, even and at most the chips",
            },
            "max_bet": {
                "type": ["integer", "null"], "default": None,
                "description": "largest bet; null: all one's chips",
            },
            "decks": {
                "type": "integer", "minimum": 1, "maximum": 8, "default": 1,
                "description": "packs in a shuffle; no fewer than 2 from 3 players on, 3 from 6 on",
            },
            "hit_soft_17": {
                "type": "boolean", "default": False, "description": "the dealer draws on a soft 17",
            },
            "double_after_split": {
                "type": "boolean", "default": True, "description": "a hand from a split may double",
            },
            "face_down": {
                "type": "boolean", "default": False,
                "description": "players see their own cards only",
            },
            "seconds": {
                "type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 31536000, "default": None,
                "description": "time for the bets and for each move; null: no clock",
            },
        },
        "additionalProperties": False,
    },
    "moves": [
        "bet N", "hit", "stand", "double", "split", "resign", "rematch",
        {"type": "move", "game": "blackjack", "action": "bet", "value": 10},
        {"type": "move", "game": "blackjack", "action": "hit"},
    ],
}

YEAR = 31536000
ACTIONS = ["bet", "hit", "stand", "double", "split", "resign", "rematch"]
SAME = {"concede": "resign", "stay": "stand"}
COUNTS = {"A": 1, "T": 10, "J": 10, "Q": 10, "K": 10} | {str(n): n for n in range(2, 10)}
CARDS = [rank + suit for suit in "SHDC" for rank in "A23456789TJQK"]


def is_whole(value, low, high):
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def count(cards):
    """(value, soft): soft when an ace counts 11."""
    hard = sum(COUNTS[card[0]] for card in cards)
    soft = hard <= 11 and any(card[0] == "A" for card in cards)
    return (hard + 10 if soft else hard), soft


def new_hand(cards, bet, open_cards, split=False):
    return {"cards": cards, "bet": bet, "open": open_cards, "split": split, "done": False}


def is_natural(hand):
    return len(hand["cards"]) == 2 and not hand["split"] and count(hand["cards"])[0] == 21


class BlackjackBot:
    def __init__(self, ctx, params):
        self.ctx = ctx
        get = params.get
        self.rounds, self.chips, self.decks = get("rounds", 5), get("chips", 100), get("decks", 1)
        self.min_bet, self.max_bet = get("min_bet", 10), get("max_bet")
        self.soft, self.das = get("hit_soft_17", False), get("double_after_split", True)
        self.hidden, self.seconds = get("face_down", False), get("seconds")
        if self.max_bet is None:
            self.max_bet = 10**9
        self.check_params()
        self.state = ctx.get_state() or {"phase": "open"}

    def check_params(self):
        if not is_whole(self.rounds, 1, 100) or not is_whole(self.decks, 1, 8):
            raise ValueError("rounds must be a whole number from 1 to 100, decks from 1 to 8")
        if not is_whole(self.chips, 2, 10**6) or not is_whole(self.min_bet, 2, self.chips):
            raise ValueError("chips and min_bet must be whole numbers, min_bet at most the chips")
        if self.min_bet % 2 or not is_whole(self.max_bet, self.min_bet, 10**9):
            raise ValueError("min_bet must be even, and max_bet a whole number not below it")
        if not all(isinstance(flag, bool) for flag in (self.soft, self.das, self.hidden)):
            raise ValueError("hit_soft_17, double_after_split and face_down are true or false")
        if self.seconds is not None:
            number = isinstance(self.seconds, (int, float)) and not isinstance(self.seconds, bool)
            if not number or not 0 < self.seconds <= YEAR:
                raise ValueError("seconds must be a number above 0, or left out")

    # What the room calls

    def on_init(self):
        self.say({"type": "prompt", "text": self.rules()})

    def on_start(self):
        if self.state["phase"] == "open" and self.ctx.players:
            self.begin(self.ctx.players[:7])
            self.save()

    def on_message(self, msg):
        player, body = msg["sender"], msg["body"]
        if str(body.get("text", "")).strip().lower() == "!help":
            self.say({"type": "help", "text": self.rules()})
            return
        action, value = self.read_move(body)
        if action is None:
            return
        reason = self.objection(player, action, value)
        if reason:
            # A sealed attempt is answered in private: the answer is about its content.
            to = [player] if msg.get("to") and player in self.ctx.players else None
            self.say({"type": "violation", "player": player, "reason": reason}, to)
            return
        if action == "bet":
            self.bet(player, int(value), bool(msg.get("to")))
        elif action == "resign":
            self.put_out(player, "resigned")
        elif action == "rematch":
            self.rematch(player)
        else:
            self.play(player, action)
        self.save()

    def on_leave(self, player_id):
        if self.state["phase"] == "done":
            self.start_again()
        elif player_id in self.state.get("standing", []):
            self.put_out(player_id, "left")
        elif player_id in self.state.get("players", []):
            self.state["gone"].append(player_id)
        self.save()

    def on_timer(self, name):
        if name != "turn" or self.state["phase"] not in ("bets", "play"):
            return
        if self.state["phase"] == "bets":
            late = self.waiting()
            for player in late:
                self.place(player, self.min_bet)
            self.say({"type": "late", "players": late, "action": "bet %d" % self.min_bet})
            self.deal()
        else:
            player = self.state["at"][0]
            self.say({"type": "late", "players": [player], "action": "stand"})
            self.play(player, "stand")
        self.save()

    # Reading a move

    def read_move(self, body):
        """(action, value), or (None, None) for chat."""
        if body.get("type") == "move" and body.get("game") == "blackjack":
            action = str(body.get("action"))
            return SAME.get(action, action), body.get("value")
        words = str(body.get("text", "")).lower().replace(":", " ").rstrip(" .!").split()
        if len(words) == 2 and words[0] == "bet":
            return "bet", words[1]
        action = SAME.get(words[0], words[0]) if len(words) == 1 else None
        return (action, None) if action in ACTIONS else (None, None)

    def objection(self, player, action, value):
        """Why this player may not do this now, or nothing."""
        phase = self.state["phase"]
        if action not in ACTIONS:
            return "the moves are bet N, hit, stand, double, split, resign and rematch"
        if phase == "open":
            return "the game has not started"
        if player not in self.state["players"]:
            return "not a player of this game"
        if action == "rematch":
            return self.no_rematch(player)
        if phase == "done":
            return 'the game is over; "rematch" asks for another'
        if player not in self.state["standing"]:
            return "out of the game"
        if action == "bet":
            return self.no_bet(player, value)
        return None if action == "resign" else self.no_play(player, action)

    def no_rematch(self, player):
        if self.state["phase"] != "done":
            return "the game is still going on"
        if len(self.here()) < min(2, len(self.state["players"])):
            return "the others have left"
        if player in self.state["rematch"]:
            return "you have asked; waiting for the others"
        return None

    def no_bet(self, player, value):
        if self.state["phase"] != "bets" or player in self.state["bets"]:
            return "your bet stands; the next one is for the next round"
        number = isinstance(value, str) and re.fullmatch("[0-9]{1,7}", value)
        amount, top = int(value) if number else value, self.top(player)
        if not is_whole(amount, self.min_bet, top) or amount % 2:
            return "bet an even number of chips from %d to %d" % (self.min_bet, top)
        return None

    def no_play(self, player, action):
        if self.state["phase"] == "bets":
            return "first the bets; waiting for " + ", ".join(self.waiting())
        if player != self.state["at"][0]:
            return "not your turn, it is " + self.state["at"][0]
        hand = self.hand()
        if action in self.choices(player, hand):
            return None
        if self.state["chips"][player] < hand["bet"]:
            return action + " takes a second bet, and your chips do not suffice"
        if action == "double":
            return "double goes with two cards" + ("" if self.das else " that were not split")
        return "split goes with two cards of equal count, up to four hands, aces once"

    # Rounds

    def begin(self, players):
        self.state = {
            "phase": "bets",
            "players": players,
            "standing": list(players),
            "chips": {player: self.chips for player in players},
            "round": 0,
            "gone": [],
            "rematch": [],
        }
        self.next_round()

    def next_round(self):
        """Shuffle and commit, then ask for the bets: nobody can fit the cards to them."""
        state, standing = self.state, self.state["standing"]
        seats = len(standing)
        # Seven players with four hands of the smallest cards each take at most 144 cards.
        packs = max(self.decks, 1 if seats <= 2 else 2 if seats <= 5 else 3)
        deck = CARDS * packs
        self.ctx.random.shuffle(deck)
        first = state["round"] % seats
        state["round"] += 1
        state["phase"], state["order"] = "bets", standing[first:] + standing[:first]
        state["deck"], state["dealt"] = " ".join(deck), 0
        state["salt"] = "".join("%08x" % self.ctx.random.randrange(1 << 32) for _ in range(4))
        state["hash"] = hashlib.sha256((state["deck"] + state["salt"]).encode()).hexdigest()
        state["bets"], state["hands"], state["dealer"], state["at"] = {}, {}, [], None
        self.say({
            "type": "commitment", "round": state["round"], "of": self.rounds, "decks": packs,
            "commitment_hash": state["hash"], "order": state["order"], "chips": state["chips"],
        })
        state["deadline"] = None if self.seconds is None else self.ctx.now() + self.seconds
        self.ask_bets()

    def ask_bets(self):
        """The clock of the bets goes on, it does not begin anew with each of them."""
        waiting, left = self.waiting(), None
        if not waiting:
            self.deal()
            return
        if self.state["deadline"] is not None:
            left = max(0.001, round(self.state["deadline"] - self.ctx.now(), 3))
        top = min(self.top(player) for player in waiting)
        amounts = sorted({min(top, amount * self.min_bet) for amount in (1, 2, 5)} | {top})
        self.ctx.set_turn(waiting, seconds=left, expect=["bet %d" % amount for amount in amounts])

    def bet(self, player, amount, sealed):
        self.place(player, amount)
        self.say({"type": "bet", "player": player} | ({} if sealed else {"bet": amount}))
        self.ask_bets()

    def place(self, player, amount):
        self.state["bets"][player] = amount
        self.state["chips"][player] -= amount

    def draw(self):
        self.state["dealt"] += 1
        return self.state["deck"].split()[self.state["dealt"] - 1]

    def deal(self):
        state = self.state
        state["phase"] = "play"
        for player in state["order"]:
            state["hands"][player] = [new_hand([], state["bets"][player], not self.hidden)]
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
        if count(state["dealer"])[0] == 21:
            self.settle()
        else:
            self.advance()

    # A player's hands

    def hand(self):
        player, at = self.state["at"]
        return self.state["hands"][player][at]

    def choices(self, player, hand):
        """What may be done with a hand."""
        cards, hands, legal = hand["cards"], self.state["hands"][player], ["hit", "stand"]
        if len(cards) == 2 and self.state["chips"][player] >= hand["bet"]:
            if self.das or not hand["split"]:
                legal.append("double")
            same = COUNTS[cards[0][0]] == COUNTS[cards[1][0]]
            if same and len(hands) < 4:  # split aces stand, so none comes here again
                legal.append("split")
        return legal

    def play(self, player, action):
        hand, at = self.hand(), self.state["at"][1]
        if action in ("double", "split"):
            self.state["chips"][player] -= hand["bet"]
        if action == "split":
            self.split(player, hand, at)
        elif action == "stand":
            hand["done"] = True
        else:
            hand["cards"].append(self.draw())
            value = count(hand["cards"])[0]
            if action == "double":
                hand["bet"], hand["done"] = 2 * hand["bet"], True
            if value > 21:
                hand["open"] = hand["done"] = True
            elif value == 21 and hand["open"]:
                hand["done"] = True
        self.show(player, at, action)
        if action == "split":
            self.show(player, at + 1, action)
        self.advance()

    def split(self, player, hand, at):
        first, second = hand["cards"]
        pair = [new_hand([card], hand["bet"], True, True) for card in (first, second)]
        for half in pair:
            half["cards"].append(self.draw())
            half["done"] = first[0] == "A" or count(half["cards"])[0] == 21
        self.state["hands"][player][at : at + 1] = pair

    def advance(self):
        """The next hand that is not done, or the dealer."""
        before = self.state["at"]
        for player in self.state["order"]:
            for at, hand in enumerate(self.state["hands"].get(player, [])):
                if hand["done"]:
                    continue
                if before and before[0] == player and before[1] < at:
                    self.show(player, at, "next")
                self.state["at"] = [player, at]
                legal = self.choices(player, hand)
                if not hand["open"] and "split" in legal:
                    legal.remove("split")  # everybody reads what is expected
                self.ctx.set_turn(player, seconds=self.seconds, expect=legal)
                return
        live = [one for hands in self.state["hands"].values() for one in hands]
        if any(count(one["cards"])[0] <= 21 and not is_natural(one) for one in live):
            self.dealer_draws()
        self.settle()

    def dealer_draws(self):
        dealer = self.state["dealer"]
        while count(dealer)[0] < 17 or (self.soft and count(dealer) == (17, True)):
            dealer.append(self.draw())

    # The end of a round

    def settle(self):
        state, results = self.state, []
        state["at"] = None
        for player in state["order"]:
            for hand in state["hands"].get(player, []):
                outcome, paid = self.outcome(hand)
                state["chips"][player] += paid
                result = {"player": player, "outcome": outcome, "paid": paid, "bet": hand["bet"]}
                value = count(hand["cards"])[0]
                results.append(result | {"cards": hand["cards"], "value": value})
        dealer = {"cards": state["dealer"], "value": count(state["dealer"])[0]}
        self.say({
            "type": "settle", "round": state["round"], "dealer": dealer, "hands": results,
            "chips": state["chips"],
        })
        self.reveal()
        starters = len(state["players"])
        state["standing"] = [one for one in state["standing"] if self.top(one) >= self.min_bet]
        if state["round"] >= self.rounds:
            self.finish("%d rounds are played" % state["round"])
        elif len(state["standing"]) < min(2, starters):
            able = "only " + state["standing"][0] if state["standing"] else "nobody"
            self.finish(able + " can still bet" if starters > 1 else "out of chips")
        else:
            self.next_round()

    def outcome(self, hand):
        """(what became of it, what comes back), the bet included."""
        value, bet = count(hand["cards"])[0], hand["bet"]
        dealer = count(self.state["dealer"])[0]
        dealer_natural = len(self.state["dealer"]) == 2 and dealer == 21
        if is_natural(hand):
            return ("push", bet) if dealer_natural else ("blackjack", bet + bet * 3 // 2)
        if value > 21:
            return "bust", 0
        if dealer_natural or value < dealer <= 21:
            return "lost", 0
        return ("push", bet) if value == dealer else ("won", 2 * bet)

    def reveal(self):
        state = self.state
        self.say({
            "type": "reveal", "round": state["round"], "deck": state["deck"],
            "salt": state["salt"], "hash": state["hash"],
        })

    def put_out(self, player, how):
        state = self.state
        state["gone"].append(player)
        state["standing"].remove(player)
        state["bets"].pop(player, None)
        state["hands"].pop(player, None)
        state["order"].remove(player)
        self.say({"type": "resign", "player": player, "text": how})
        if len(state["standing"]) <= 1:
            for last in state["standing"]:
                bets = [hand["bet"] for hand in state["hands"].get(last, [])]
                state["chips"][last] += sum(bets) if bets else state["bets"].get(last, 0)
            self.reveal()
            self.finish("%s %s" % (player, how), state["standing"])
        elif state["phase"] == "bets":
            self.ask_bets()
        elif state["at"][0] == player:
            state["at"] = None
            self.advance()

    def finish(self, reason, winners=None):
        """Most chips win; if all have the same it is a draw. Alone, one must have won some."""
        state, chips = self.state, self.state["chips"]
        if winners is None:
            able = [player for player in state["players"] if player not in state["gone"]]
            best = max(chips[player] for player in able)
            winners = [player for player in able if chips[player] == best]
            if len(winners) == len(able) > 1 or len(state["players"]) == 1 and best <= self.chips:
                winners = []
        state["phase"] = "done"
        self.ctx.end({"winners": winners, "reason": reason, "scores": chips})

    def rematch(self, player):
        self.state["rematch"].append(player)
        if not self.start_again():
            self.say({"type": "rematch", "player": player, "text": 'say "rematch" to play again'})

    def start_again(self):
        """Begin when all who are still here have asked; another one begins."""
        here = self.here()
        self.state["rematch"] = [player for player in self.state["rematch"] if player in here]
        if len(here) < min(2, len(self.state["players"])) or len(self.state["rematch"]) < len(here):
            return False
        self.begin(here[1:] + here[:1])
        return True

    # Words

    def waiting(self):
        return [one for one in self.state["order"] if one not in self.state["bets"]]

    def top(self, player):
        """The largest bet this player can make."""
        most = min(self.max_bet, self.state["chips"][player])
        return most - most % 2

    def here(self):
        return [player for player in self.state["players"] if player in self.ctx.players]

    def shown(self, hand):
        """What all may know of a hand."""
        if not hand["open"]:
            return {"cards": ["??", "??"] + hand["cards"][2:], "bet": hand["bet"]}
        value, soft = count(hand["cards"])
        shown = {"cards": hand["cards"], "value": value, "bet": hand["bet"]}
        return shown | ({"soft": True} if soft else {"bust": True} if value > 21 else {})

    def show(self, player, at, action):
        hand = self.state["hands"][player][at]
        body = {"type": "hand", "player": player, "hand": at + 1, "action": action}
        if hand["open"]:
            self.say(body | self.shown(hand))
            return
        body = body | {"shown": hand["cards"][2:], "bet": hand["bet"]}
        secret = {"cards": hand["cards"], "value": count(hand["cards"])[0]}
        self.ctx.post("bot", body, private=secret, to=[player])

    def rules(self):
        return (
            "%d rounds of blackjack, %d chips each; most chips win. First all bet, an even number"
            ' from %d: "bet %d", unseen by the others with to=["bot:%s"]. In your turn say hit,'
            " stand, double or split. Blackjack pays 3:2, the dealer %s soft 17; no insurance."
            ' %s%s"resign" gives up, "rematch" after the end plays again. The deck of each round'
            " is committed by a hash before the bets and revealed after the round:"
            " sha256(deck + salt)."
            % (
                self.rounds, self.chips, self.min_bet, self.min_bet, self.ctx.bot_id,
                "hits" if self.soft else "stands on",
                "You alone see your cards. " if self.hidden else "",
                "" if self.seconds is None else
                "Each bet and move within %g seconds, or the minimum is bet and the hand"
                " stands. " % self.seconds,
            )
        )

    def say(self, body, to=None):
        self.ctx.post("bot", body, to=to)

    def save(self):
        self.ctx.set_state(self.state)
