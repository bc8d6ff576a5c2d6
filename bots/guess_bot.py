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
}

LARGEST = 10**15
YEAR = 31536000


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
        seconds = params.get("seconds")
        if seconds is not None:
            number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
            if not number or not 0 < seconds <= YEAR:
                raise ValueError("seconds must be a number above 0, or left out")
        self.low, self.high, self.guesses, self.seconds = low, high, guesses, seconds
        self.state = ctx.get_state() or {"phase": "open"}

    # What the room calls

    def on_init(self):
        self.say({"type": "prompt", "text": self.rules()})

    def on_start(self):
        if self.state["phase"] == "open" and self.ctx.players:
            self.begin(self.ctx.players)
            self.save()

    def on_message(self, msg):
        player, body = msg["sender"], msg["body"]
        if str(body.get("text", "")).strip().lower() == "!help":
            self.say({"type": "help", "text": self.rules()})
            return
        action, value = self.read_move(body)
        if action is None:
            return
        reason = self.objection(player, action)
        if reason:
            self.say({"type": "violation", "player": player, "reason": reason})
        elif action == "concede":
            self.put_out(player, "conceded")
        elif action == "rematch":
            self.rematch(player)
        else:
            self.judge(player, value)

    def on_leave(self, player_id):
        if self.state["phase"] == "playing" and player_id in self.state["standing"]:
            self.put_out(player_id, "left")
        elif self.state["phase"] == "done":
            self.start_again()
            self.save()

    def on_timer(self, name):
        if name == "turn" and self.state["phase"] == "playing":
            self.put_out(self.state["turn"], "ran out of time")

    # Reading a move

    def read_move(self, body):
        """(action, value), or (None, None) for chat."""
        if body.get("type") == "move" and body.get("game") == "guess":
            action = str(body.get("action"))
            return {"resign": "concede"}.get(action, action), body.get("value")
        words = str(body.get("text", "")).lower().replace(":", " ").rstrip(" .!").split()
        if words in (["concede"], ["resign"]):
            return "concede", None
        if words == ["rematch"]:
            return "rematch", None
        if len(words) == 2 and words[0] == "guess":
            return "guess", words[1]
        return None, None

    def objection(self, player, action):
        """Why this player may not do this now, or nothing."""
        if action not in ("guess", "concede", "rematch"):
            return "the moves are guess, concede and rematch"
        if self.state["phase"] == "open":
            return "the game has not started"
        if player not in self.state["players"]:
            return "not a player of this game"
        if action == "rematch":
            return self.no_rematch(player)
        if self.state["phase"] == "done":
            return 'the game is over; "rematch" asks for another'
        if player not in self.state["standing"]:
            return "out of the game"
        if action == "guess" and player != self.state["turn"]:
            return "not your turn, it is " + str(self.state["turn"])
        return None

    def no_rematch(self, player):
        if self.state["phase"] != "done":
            return "the game is still going on"
        if len(self.here()) < min(2, len(self.state["players"])):
            return "the others have left"
        if player in self.state["rematch"]:
            return "you have asked; waiting for the others"
        return None

    # What a move does

    def begin(self, players):
        """Choose a number and commit to it; the first of the players moves first."""
        target = self.ctx.random.randint(self.low, self.high)
        salt = secrets.token_hex(16)
        self.state = {
            "phase": "playing",
            "players": players,
            "standing": list(players),
            "used": {player: 0 for player in players},
            "turn": None,
            "target": target,
            "salt": salt,
            "hash": hashlib.sha256((str(target) + salt).encode()).hexdigest(),
            "rematch": [],
        }
        self.say({"type": "commitment", "commitment_hash": self.state["hash"]})
        self.give_turn(players[0])

    def judge(self, player, value):
        if isinstance(value, str) and re.fullmatch("[+-]?[0-9]{1,15}", value):
            value = int(value)
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

    def put_out(self, player, how):
        self.state["standing"].remove(player)
        self.say({"type": "concede", "player": player, "text": how})
        if len(self.state["standing"]) <= 1:
            self.finish(self.state["standing"], player + " " + how)
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
        expect = "guess N, %d to %d" % (self.low, self.high)
        self.ctx.set_turn(player, seconds=self.seconds, expect=expect)

    def finish(self, winners, reason):
        self.state["phase"] = "done"
        self.state["turn"] = None
        reveal = {"type": "reveal", "target": self.state["target"]}
        reveal["salt"], reveal["hash"] = self.state["salt"], self.state["hash"]
        self.say(reveal)
        self.ctx.end({"winners": winners, "reason": reason})

    def rematch(self, player):
        self.state["rematch"].append(player)
        if not self.start_again():
            text = 'say "rematch" to play again'
            self.say({"type": "rematch", "player": player, "text": text})
        self.save()

    def start_again(self):
        """Begin when all who are still here have asked; the next of them moves first."""
        here = self.here()
        self.state["rematch"] = [player for player in self.state["rematch"] if player in here]
        few = len(here) < min(2, len(self.state["players"]))
        if not here or few or len(self.state["rematch"]) < len(here):
            return False
        self.begin(here[1:] + here[:1])
        return True

    def here(self):
        return [player for player in self.state["players"] if player in self.ctx.players]

    # Words

    def rules(self):
        limit = "" if self.guesses is None else " Guesses each: %d." % self.guesses
        if self.seconds is not None:
            limit += " Time: %g seconds each." % self.seconds
        return (
            'I choose a whole number from %d to %d. In your turn say "guess N"; I answer high,'
            ' low or correct. "concede" gives up.%s My number is committed by a hash when the'
            ' game starts and revealed at the end. "rematch" after it plays again.'
            % (self.low, self.high, limit)
        )

    def say(self, body):
        self.ctx.post("bot", body)

    def save(self):
        self.ctx.set_state(self.state)
