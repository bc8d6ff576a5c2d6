"""BetBot: a bet on a number that is committed before the other side says yes or no to a line.

1. Terms.    I show them with their SHA-256: what the number is (param claim), the line (is and
             than: "above 50"), and what the loser owes (stake). Both say "accept", or "accept
             HASH"; nothing counts before. One "decline" and there is no bet.
2. Number.   The first to join holds the number, and commits to it without knowing the call:
             number 57      sealed to me, to=["bot:<my id>"]: I publish the commitment and keep the
                            number, which the server that runs me could read
             commit HASH    of the holder's own making, then nobody else can know it
             Either way it is sha256(str(number) + salt), the salt 32 hex digits in small letters.
3. Call.     The other side, who cannot know the number, says "yes" (it is above 50) or "no".
4. Opening.  After the param delay (0 seconds) I open what I keep; of an own commitment the holder
             says "open 57 SALT". Whoever is right wins, and the loser owes the stake.

A number is whole; count in cents where it is not. Until a number is committed, whoever concedes,
leaves or is silent for the param seconds (a day; null: no clock) makes no bet; from then on whoever
does so loses it, and so does a holder who does not open. "rematch" from both starts over, with the
other one as the holder. What is sealed to me comes out with the seed of my dice, at the end or
after a week: if a call may take longer than that, commit with a hash.

I move no money and make nobody pay: the record says who owes whom what, and proves it. I use no
network, so that a bet runs and verifies everywhere; a bet on what a public source will say, for a
stake as well, is PriceBot's.
"""

import re

from referee import Game, commit, digest, listed, samples, whole, words

MANIFEST = {
    "name": "BetBot",
    "version": "1.0",
    "summary": "A bet on a committed number: one side holds it, the other calls yes or no.",
    "label": "bet",
    "seats": ["alice", "bob"],
    "min_seats": 2,
    "max_seats": 2,
    "params": {
        "type": "object",
        "properties": {
            "claim": {
                "type": ["string", "null"],
                "minLength": 1,
                "maxLength": 1000,
                "default": None,
                "description": "what the number is; null: any number that its holder thinks of",
            },
            "is": {
                "type": "string",
                "enum": ["above", "below", "equals"],
                "default": "above",
                "description": "how the number is held against than",
            },
            "than": {
                "type": "integer",
                "minimum": -1000000000000,
                "maximum": 1000000000000,
                "default": 50,
                "description": "the line that the other side says yes or no to",
            },
            "stake": {
                "type": ["string", "null"],
                "minLength": 1,
                "maxLength": 1000,
                "default": None,
                "description": "what the loser owes, in words; null: nothing but the honour",
            },
            "delay": {
                "type": "number",
                "minimum": 0,
                "maximum": 31536000,
                "default": 0,
                "description": "seconds from the call to the opening",
            },
            "seconds": {
                "type": ["number", "null"],
                "exclusiveMinimum": 0,
                "maximum": 31536000,
                "default": 86400,
                "description": "time for each step; null: no clock",
            },
        },
        "additionalProperties": False,
    },
    "moves": [
        "accept",
        "decline",
        'number N, sealed with to=["bot:bet"]',
        "commit HASH",
        "yes",
        "no",
        "open N SALT",
        "concede",
        "rematch",
        {"type": "move", "game": "bet", "action": "accept", "value": "HASH"},
        {"type": "move", "game": "bet", "action": "number", "value": 57},
        {"type": "move", "game": "bet", "action": "open", "value": "57 SALT"},
    ],
    "show": [
        {"panel": "text", "of": "text", "in": "terms", "title": "Terms"},
        {"panel": "hash", "of": "commitment_hash", "open": {"text": "number", "salt": "salt"}},
        {"panel": "table", "of": "owed", "title": "Owed"},
    ],
}

#: The steps, each with its moves.
STEPS = {
    "terms": ["accept", "decline"],
    "number": ["number", "commit"],
    "call": ["yes", "no"],
    "wait": [],
    "open": ["open"],
}


class BetBot(Game):
    manifest = MANIFEST
    game = noun = "bet"
    verbs = {"accept": "accept", "number": "number", "commit": "commit"}
    moves = tuple(move for moves in STEPS.values() for move in moves)
    gives_up = "concede"
    together = "kept"  # the holder's number, if it is sealed to me

    def check(self):
        self.line = f"{self.params['is']} {self.params['than']}"
        self.stake = self.params["stake"] or "nothing but the honour"

    # Reading a move

    def read(self, body):
        parts = words(body)
        if len(parts) == 3 and parts[0] == "open":
            return "open", f"{parts[1]} {parts[2]}"
        return super().read(body)

    def bare(self, word):
        return word if word in ("accept", "decline", "yes", "no") else None

    def must_seal(self, move):
        return move == "number"

    def illegal(self, player, move, value):
        state = self.state
        if move not in STEPS[state["step"]]:
            now = listed(STEPS[state["step"]], "or") or "nothing until the number is opened"
            return f"{move}: not now; now: {now}"
        if player in state["accepted"] and state["step"] == "terms":
            return f"you have accepted; waiting for {self.other(player)}"
        if move == "accept" and value not in (None, "accept", state["terms"]):
            return f'these terms have another hash: "accept {state["terms"]}"'
        if move == "number" and whole(value) is None:
            return "a number is whole and has at most 15 digits"
        if move == "commit" and not re.fullmatch("[0-9a-f]{64}", str(value).lower()):
            return "commit takes 64 hex digits: sha256(str(number) + salt), the salt 32 hex digits"
        if move == "open" and self.opening(value) is None:
            return "this does not open the commitment: open NUMBER SALT, the salt 32 hex digits"
        return None

    def opening(self, value):
        """(number, salt) in "57 SALT" if they open the commitment, else None."""
        parts = str(value).lower().split()
        number = whole(parts[0]) if len(parts) == 2 else None
        if number is None or not re.fullmatch("[0-9a-f]{32}", parts[1]):
            return None
        return (number, parts[1]) if digest(str(number), parts[1]) == self.state["hash"] else None

    # The steps

    def begin(self, players):
        holder, caller = players
        text = (
            f"The number: {self.params['claim'] or 'any that ' + holder + ' thinks of'}. {holder}"
            f" commits to it; then {caller} says yes or no: is it {self.line}? Whoever is wrong"
            f" owes the other: {self.stake}."
        )
        terms = digest(text, "")
        self.deal(players, step="terms", accepted=[], terms=terms, hash=None, kept={})
        self.say({"type": "terms", "text": text, "hash": terms, "holder": holder, "caller": caller})
        self.ask(players, STEPS["terms"])

    def play(self, player, move, value):
        if move == "accept":
            self.accept(player)
        elif move == "decline":
            self.out(player, "declined")
        elif move == "commit":
            self.committed(str(value).lower())
        elif move == "number":
            self.state["kept"] = {player: whole(value)}
            self.state["salt"], hashed = commit(str(whole(value)))
            self.committed(hashed)
        elif move == "open":
            self.settle(*self.opening(value))
        else:
            self.call(player, move)

    def accept(self, player):
        players, than = self.state["players"], self.params["than"]
        self.state["accepted"].append(player)
        self.say({"type": "accepted", "player": player, "hash": self.state["terms"]})
        if len(self.state["accepted"]) < 2:
            self.ask([self.other(player)], STEPS["terms"], go_on=True)
            return
        self.state["step"] = "number"
        numbers = [f"number {number}" for number in samples(than - 2, than + 2)]
        also = "number N with any whole number; or commit HASH, in public"
        self.ask(players[0], self.sealing(numbers, also=also))

    def committed(self, hashed):
        self.state |= {"step": "call", "hash": hashed}
        self.say({"type": "commitment", "commitment_hash": hashed})
        self.ask(self.state["players"][1], STEPS["call"])

    def call(self, player, move):
        self.state |= {"step": "wait", "call": move, "turn": None}
        self.say({"type": "call", "player": player, "call": move, "line": self.line})
        if self.params["delay"]:
            self.ctx.set_turn([])
            self.ctx.set_timer("open", self.params["delay"])
        else:
            self.due()

    def on_timer(self, name):
        super().on_timer(name)
        playing = self.state["phase"] == "playing"
        if name == "open" and playing and self.state["step"] == "wait":
            self.due()
            self.save()

    def due(self):
        """Open the number, or have its holder do so."""
        for number in self.state["kept"].values():
            self.settle(number, self.state["salt"])
            return
        self.state["step"] = "open"
        self.ask(self.state["players"][0], "open NUMBER SALT")

    def settle(self, number, salt):
        than, (holder, caller) = self.params["than"], self.state["players"]
        true = {"above": number > than, "below": number < than, "equals": number == than}
        fits = true[self.params["is"]]
        self.reveal(number, salt)
        self.owe(
            holder if fits == (self.state["call"] == "yes") else caller,
            f"{number} is {'' if fits else 'not '}{self.line}",
        )

    # The end

    def late(self):
        accepted = self.state["accepted"]
        silent = [one for one in self.state["players"] if one not in accepted]
        self.out(self.state["turn"] or listed(silent), "ran out of time")

    def out(self, player, how):
        if self.state["hash"] is None:
            self.finish([], f"no bet: {player} {how}")
            return
        for number in self.state["kept"].values():
            self.reveal(number, self.state["salt"])
        self.owe(player, f"{player} {how}")

    def reveal(self, number, salt):
        self.say({"type": "reveal", "number": number, "salt": salt, "hash": self.state["hash"]})

    def owe(self, loser, reason):
        winner = self.other(loser)
        self.say({"type": "owed", "owed": {"by": loser, "to": winner, "stake": self.stake}})
        self.finish([winner], f"{reason}: {loser} owes {winner} the stake")

    def rules(self):
        return (
            'A bet on a number. Both "accept" the terms, or one says "decline". The holder says'
            f' "number N", sealed: to=["{self.me}"], or "commit HASH" of sha256(number + salt) with'
            f' 32 hex digits of salt; the other says "yes" or "no": is it {self.line}? Then it is'
            ' opened (after "commit": "open N SALT"), and whoever is wrong owes the stake:'
            f' {self.stake}. I record it and move nothing. "concede" gives up, "rematch" after the'
            " end bets again with sides swapped." + self.timed("Each step within %g seconds.")
        )
