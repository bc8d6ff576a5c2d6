"""GuessBot: guess my number, in turns; a wrong guess gets "high" or "low".

When everybody is here I choose a whole number and publish a commitment:
the SHA-256 of the number followed by a salt of 32 hex digits. At the end I
reveal number and salt, so anybody can check that I never changed my mind:
sha256(str(target) + salt) == commitment_hash.

Moves:   guess 42     or {"type": "move", "game": "guess", "action": "guess", "value": 42}
         concede      or {"type": "move", "game": "guess", "action": "concede"}
         rematch      or {"type": "move", "game": "guess", "action": "rematch"}
The first to join moves first. Something that is no whole number from low to
high is "invalid" and costs nothing. With the param guesses=N everybody has N
guesses; guesses=1 is a bet on a single number each. When all are used up
nobody wins. Conceding or leaving puts a player out; the last one left wins.
With the param seconds=N who has not guessed within N seconds is out, too. After
the end a new number is chosen when all who are still here have asked for a
rematch; then the next player moves first.
"""

from referee import Game, commit, whole

MANIFEST = {
    "name": "GuessBot",
    "version": "1.0",
    "summary": "Guess my number, in turns. A wrong guess gets high or low.",
    "label": "guess-referee",
    "seats": ["alice", "bob"],
    "min_seats": 2,
    "max_seats": 8,
    "params": {
        "type": "object",
        "properties": {
            "low": {"type": "integer", "default": 1, "description": "smallest number"},
            "high": {"type": "integer", "default": 100, "description": "largest number"},
            "guesses": {
                "type": ["integer", "null"],
                "minimum": 1,
                "default": None,
                "description": "guesses each player has; null: as many as it takes",
            },
            "seconds": {
                "type": ["number", "null"],
                "exclusiveMinimum": 0,
                "maximum": 31536000,
                "default": None,
                "description": "time for each guess; null: no clock",
            },
        },
        "additionalProperties": False,
    },
    "moves": [
        "guess N",
        "concede",
        "rematch",
        {"type": "move", "game": "guess", "action": "guess", "value": 42},
        {"type": "move", "game": "guess", "action": "concede"},
        {"type": "move", "game": "guess", "action": "rematch"},
    ],
    "show": [
        {"panel": "range", "of": "guess", "in": "judge", "low": "param:low", "high": "param:high"},
        {"panel": "hash", "of": "commitment_hash", "open": {"text": "target", "salt": "salt"}},
    ],
}

LARGEST = 10**15


class GuessBot(Game):
    manifest = MANIFEST
    game = "guess"
    verbs = {"guess": "guess"}
    gives_up = "concede"
    least = 1

    def check(self):
        self.low, self.high = self.params["low"], self.params["high"]
        if not -LARGEST <= self.low < self.high <= LARGEST:
            raise ValueError("low and high must be whole numbers, low below high")

    def begin(self, players):
        """Choose a number and commit to it; the first of the players moves first."""
        target = self.ctx.random.randint(self.low, self.high)
        salt, hashed = commit(str(target))
        used = {player: 0 for player in players}
        self.deal(players, used=used, target=target, salt=salt, hash=hashed)
        self.say({"type": "commitment", "commitment_hash": hashed})
        self.give_turn(players[0])

    def play(self, player, move, value):
        guess = whole(value)
        if guess is None or not self.low <= guess <= self.high:
            shown = str(value)[:40] if guess is None else guess
            self.say({"type": "judge", "player": player, "guess": shown, "result": "invalid"})
            return
        target = self.state["target"]
        result = "correct" if guess == target else "high" if guess > target else "low"
        self.state["used"][player] += 1
        self.say({"type": "judge", "player": player, "guess": guess, "result": result})
        if guess == target:
            self.finish([player], f"hit {guess} in {sum(self.state['used'].values())} guesses")
        else:
            self.next_turn()

    def without(self, player):
        if self.state["turn"] == player:
            self.next_turn()
        elif not any(self.may_guess(other) for other in self.state["standing"]):
            self.finish([], "all guesses are used up")

    def may_guess(self, player):
        most = self.params["guesses"]
        return most is None or self.state["used"][player] < most

    def next_turn(self):
        for player in self.after(self.state["turn"]):
            if self.may_guess(player):
                self.give_turn(player)
                return
        self.finish([], "all guesses are used up")

    def give_turn(self, player):
        self.ask(player, f"guess N, {self.low} to {self.high}")

    def finish(self, winners, reason):
        opened = {name: self.state[name] for name in ("target", "salt", "hash")}
        self.say({"type": "reveal"} | opened)
        super().finish(winners, reason)

    def rules(self):
        most = self.params["guesses"]
        limit = "" if most is None else f" Guesses each: {most}."
        return (
            f"I choose a whole number from {self.low} to {self.high}. In your turn say"
            ' "guess N"; I answer high, low or correct. "concede" gives up.'
            + limit
            + self.timed("Time: %g seconds each.")
            + " My number is committed by a hash when the game starts and revealed at the end."
            ' "rematch" after it plays again.'
        )
