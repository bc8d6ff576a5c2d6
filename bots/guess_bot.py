"""GuessBot: guess my number, in turns; a wrong guess gets "high" or "low".

When everybody is here I choose a whole number and publish a commitment:
the SHA-256 of the number followed by a salt of 32 hex digits. At the end I
reveal number and salt, so anybody can check that I never changed my mind:
sha256(str(target) + salt) == commitment_hash.

Moves:   guess 42     or {"type": "move", "game": "guess", "action": "guess", "value": 42}
         concede      or {"type": "move", "game": "guess", "action": "concede"}
The first to join moves first. Something that is no whole number from low to
high is "invalid" and costs nothing. With the param guesses=N everybody has N
guesses; guesses=1 is a bet on a single number each. When all are used up
nobody wins. Conceding or leaving puts a player out; the last one left wins.
"""

import hashlib
import re
import secrets

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
        },
        "additionalProperties": False,
    },
    "moves": [
        "guess N",
        "concede",
        {"type": "move", "game": "guess", "action": "guess", "value": 42},
        {"type": "move", "game": "guess", "action": "concede"},
    ],
}

LARGEST = 10**15


def is_whole(value):
    return isinstance(value, int) and not isinstance(value, bool)


class GuessBot:
    def __init__(self, ctx, params):
        self.ctx = ctx
        low, high = params.get("low", 1), params.get("high", 100)
        guesses = params.get("guesses")
        if not is_whole(low) or not is_whole(high) or not -LARGEST <= low < high <= LARGEST:
            raise ValueError("low and high must be whole numbers, low below high")
        if guesses is not None and (not is_whole(guesses) or guesses < 1):
            raise ValueError("guesses must be a whole number from 1, or left out")
        self.low, self.high, self.guesses = low, high, guesses
        self.state = ctx.get_state() or {"phase": "open"}

    # What the room calls

    def on_init(self):
        self.say({"type": "prompt", "text": self.rules()})

    def on_start(self):
        if self.state["phase"] != "open" or not self.ctx.players:
            return
        target = self.ctx.random.randint(self.low, self.high)
        salt = secrets.token_hex(16)
        self.state = {
            "phase": "playing",
            "players": self.ctx.players,
            "standing": self.ctx.players,
            "used": {player: 0 for player in self.ctx.players},
            "turn": None,
            "target": target,
            "salt": salt,
            "hash": hashlib.sha256((str(target) + salt).encode()).hexdigest(),
        }
        self.say({"type": "commitment", "commitment_hash": self.state["hash"]})
        self.give_turn(self.ctx.players[0])
        self.save()

    def on_message(self, msg):
        player, body = msg["sender"], msg["body"]
        if str(body.get("text", "")).strip().lower() == "!help":
            self.say({"type": "help", "text": self.rules()})
            return
        action, value = self.read_move(body)
        if action is None or self.state["phase"] == "done":
            return
        reason = self.objection(player, action)
        if reason:
            self.say({"type": "violation", "player": player, "reason": reason})
        elif action == "concede":
            self.put_out(player)
        else:
            self.judge(player, value)

    def on_leave(self, player_id):
        if self.state["phase"] == "playing" and player_id in self.state["standing"]:
            self.put_out(player_id)

    # Reading a move

    def read_move(self, body):
        """(action, value), or (None, None) for chat."""
        if body.get("type") == "move" and body.get("game") == "guess":
            return str(body.get("action")), body.get("value")
        words = str(body.get("text", "")).lower().split()
        if words == ["concede"]:
            return "concede", None
        if len(words) == 2 and words[0] == "guess":
            number = re.fullmatch("[+-]?[0-9]{1,15}", words[1])
            return "guess", int(words[1]) if number else words[1]
        return None, None

    def objection(self, player, action):
        """Why this player may not do this now, or nothing."""
        if action not in ("guess", "concede"):
            return "the moves are guess and concede"
        if self.state["phase"] == "open":
            return "the game has not started"
        if player not in self.state["players"]:
            return "not a player of this game"
        if player not in self.state["standing"]:
            return "out of the game"
        if action == "guess" and player != self.state["turn"]:
            return "not your turn, it is " + str(self.state["turn"])
        return None

    # What a move does

    def judge(self, player, value):
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        verdict = {"type": "judge", "player": player, "guess": value, "result": "invalid"}
        if not is_whole(value):
            verdict["guess"] = str(value)[:40]
        elif self.low <= value <= self.high:
            target = self.state["target"]
            verdict["result"] = (
                "correct" if value == target else "high" if value > target else "low"
            )
            self.state["used"][player] += 1
        self.say(verdict)
        if verdict["result"] == "correct":
            count = sum(self.state["used"].values())
            self.finish([player], "hit %d in %d guesses" % (value, count))
        elif verdict["result"] != "invalid":
            self.next_turn()
        self.save()

    def put_out(self, player):
        self.state["standing"].remove(player)
        self.say({"type": "concede", "player": player})
        if len(self.state["standing"]) <= 1:
            self.finish(self.state["standing"], player + " conceded")
        elif self.state["turn"] == player:
            self.next_turn()
        elif not any(self.may_guess(other) for other in self.state["standing"]):
            self.finish([], "all guesses are used up")
        self.save()

    def may_guess(self, player):
        if player not in self.state["standing"]:
            return False
        return self.guesses is None or self.state["used"][player] < self.guesses

    def next_turn(self):
        players = self.state["players"]
        at = players.index(self.state["turn"])
        for player in players[at + 1 :] + players[: at + 1]:
            if self.may_guess(player):
                self.give_turn(player)
                return
        self.finish([], "all guesses are used up")

    def give_turn(self, player):
        self.state["turn"] = player
        self.ctx.set_turn(player, expect="guess N, %d to %d" % (self.low, self.high))

    def finish(self, winners, reason):
        self.state["phase"] = "done"
        self.state["turn"] = None
        reveal = {"type": "reveal", "target": self.state["target"]}
        reveal["salt"], reveal["hash"] = self.state["salt"], self.state["hash"]
        self.say(reveal)
        self.ctx.end({"winners": winners, "reason": reason})

    # Words

    def rules(self):
        limit = "" if self.guesses is None else " Guesses each: %d." % self.guesses
        return (
            'I choose a whole number from %d to %d. In your turn say "guess N"; I answer high,'
            ' low or correct. "concede" gives up.%s My number is committed by a hash when the'
            " game starts and revealed at the end." % (self.low, self.high, limit)
        )

    def say(self, body):
        self.ctx.post("bot", body)

    def save(self):
        self.ctx.set_state(self.state)
