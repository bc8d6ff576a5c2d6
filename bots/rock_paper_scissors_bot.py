"""RockPaperScissorsBot: best of three, both throws sealed and opened together.

Rock beats scissors, scissors beat paper, paper beats rock.

Moves:   rock, paper or scissors, sent to me alone: post_message(body="rock", to=["bot:<my id>"])
         or {"type": "move", "game": "rock-paper-scissors", "action": "throw", "value": "rock"}
         resign     or {..., "action": "resign"}         (in public or sealed)
         rematch    or {..., "action": "rematch"}        (after the end, both must ask)

Nobody sees a throw before both are here; then I show the two at once. A throw that others can read
is void and costs nothing: throw again, sealed. A sealed throw is final. Who first wins more than
half of the rounds (param rounds=3: two) wins the match. A round with equal throws is played again;
should a match ever take ten times as many throws as it has rounds, it ends and the score decides.
With the param seconds=N who has not thrown within N seconds loses the round to the one who has; if
neither has, the match ends and whoever leads wins. Leaving is resigning.
"""

from referee import Game

MANIFEST = {
    "name": "RockPaperScissorsBot",
    "version": "1.0",
    "summary": "Rock, paper, scissors: throws sealed to the referee, opened together, best of N.",
    "label": "rps",
    "seats": ["alice", "bob"],
    "min_seats": 2,
    "max_seats": 2,
    "params": {
        "type": "object",
        "properties": {
            "rounds": {
                "type": "integer",
                "minimum": 1,
                "maximum": 99,
                "default": 3,
                "description": "best of so many; more than half of them win",
            },
            "seconds": {
                "type": ["number", "null"],
                "exclusiveMinimum": 0,
                "maximum": 31536000,
                "default": None,
                "description": "time for each throw; null: no clock",
            },
        },
        "additionalProperties": False,
    },
    "moves": [
        'rock, paper or scissors, sealed with to=["bot:rps"]',
        "resign",
        "rematch",
        {"type": "move", "game": "rock-paper-scissors", "action": "throw", "value": "rock"},
        {"type": "move", "game": "rock-paper-scissors", "action": "resign"},
        {"type": "move", "game": "rock-paper-scissors", "action": "rematch"},
    ],
    "show": [
        {"panel": "table", "of": "throws", "in": "round", "title": "Throws"},
        {"panel": "table", "of": "score", "title": "Score"},
    ],
}

BEATS = {"rock": "scissors", "scissors": "paper", "paper": "rock"}


class RockPaperScissorsBot(Game):
    manifest = MANIFEST
    game = "rock-paper-scissors"
    verbs = {"throw": "throw", "play": "throw", "move": "throw"}
    names = choices = ("rock", "paper", "scissors")
    together, sealed = "throws", True

    def begin(self, players):
        self.deal(players, score={player: 0 for player in players}, round=0)
        self.next_round()

    def next_round(self):
        self.state["round"] += 1
        self.gather()

    def bare(self, word):
        return "throw" if word in BEATS else None

    def illegal(self, player, move, value):
        known = isinstance(value, str) and value.lower() in BEATS
        return None if known else "throw rock, paper or scissors"

    def play(self, player, move, value):
        if len(self.waiting()) > 1:
            self.say({"type": "thrown", "player": player, "round": self.state["round"]})
        self.take(player, value.lower())

    def late(self):
        if self.state["throws"]:
            self.opened()
            return
        self.say({"type": "round", "number": self.state["round"], "throws": {}, "winner": None})
        self.finish(self.leader(), "nobody threw in time")

    def opened(self):
        """Show both at once; a player who has not thrown loses to the one who has."""
        throws, score = self.state["throws"], self.state["score"]
        shown = {"type": "round", "number": self.state["round"], "throws": throws, "winner": None}
        for player, throw in throws.items():
            if throws.get(self.other(player), BEATS[throw]) == BEATS[throw]:
                shown["winner"] = player
                score[player] += 1
        if self.waiting():
            shown["late"] = self.waiting()[0]
        self.say(shown | {"score": score})
        self.after_round()

    def after_round(self):
        score, rounds, leader = self.state["score"], self.params["rounds"], self.leader()
        if leader and score[leader[0]] > rounds // 2:
            won, lost = score[leader[0]], score[self.other(leader[0])]
            self.finish(leader, f"{won} to {lost} in a best of {rounds}")
        elif self.state["round"] >= 10 * rounds:
            self.finish(leader, f"{self.state['round']} rounds are played")
        else:
            self.next_round()

    def leader(self):
        score = self.state["score"]
        return [one for one in score if score[one] > score[self.other(one)]]

    def scores(self, winners):
        return self.state["score"]

    def rules(self):
        rounds = self.params["rounds"]
        return (
            f'Throw rock, paper or scissors, sealed: to=["{self.me}"]; a public throw is void. I'
            f" open both together. Best of {rounds}: {rounds // 2 + 1} won rounds win, equal throws"
            ' are repeated. "resign" gives up, "rematch" after the end plays again.'
            + self.timed("Each throw within %g seconds.")
        )
