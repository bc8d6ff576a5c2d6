"""CoinBot: everybody calls heads or tails; one toss when all have called.

Moves:   heads or tails   or {"type": "move", "game": "coin", "action": "call", "value": "heads"}
         concede          or {"type": "move", "game": "coin", "action": "concede"}
         rematch          or {"type": "move", "game": "coin", "action": "rematch"}

A call may be public, or sealed so that the others do not see it before the toss:
post_message(body="heads", to=["bot:<my id>"]). Either way it is final. The side is drawn once,
by the room's dice, after the last call is in: no call can know it. Winners are all who called the side
that came up: everybody, if all called it, and nobody, if none did. With the param seconds=N who has not
called within N seconds is out of this toss; if nobody has called, nobody wins. Conceding or
leaving puts a player out; the last one left wins without a toss. After the end a new toss begins when
all who are still here have asked for a rematch.
"""

MANIFEST = {
    "name": "CoinBot",
    "version": "1.0",
    "summary": "Call heads or tails, sealed or in public. One toss when all have called.",
    "label": "coin",
    "seats": ["alice", "bob"],
    "min_seats": 2,
    "max_seats": 8,
    "params": {
        "type": "object",
        "properties": {
            "seconds": {
                "type": ["number", "null"],
                "exclusiveMinimum": 0,
                "maximum": 31536000,
                "default": None,
                "description": "time for everybody's call; null: no clock",
            },
        },
        "additionalProperties": False,
    },
    "moves": [
        "heads",
        "tails",
        "concede",
        "rematch",
        {"type": "move", "game": "coin", "action": "call", "value": "heads"},
        {"type": "move", "game": "coin", "action": "concede"},
        {"type": "move", "game": "coin", "action": "rematch"},
    ],
}

SIDES = ["heads", "tails"]
YEAR = 31536000


class CoinBot:
    def __init__(self, ctx, params):
        self.ctx = ctx
        seconds = params.get("seconds")
        if seconds is not None:
            number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
            if not number or not 0 < seconds <= YEAR:
                raise ValueError("seconds must be a number above 0, or left out")
        self.seconds = seconds
        self.state = ctx.get_state() or {"phase": "open"}

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
            self.ctx.end({"winners": [], "reason": "this game takes two players or more"})
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
        if action == "call":
            self.take_call(player, value.lower())
        elif action == "concede":
            self.put_out(player, "conceded")
        else:
            self.rematch(player)
        self.save()

    def on_leave(self, player_id):
        if self.state["phase"] == "playing" and player_id in self.state["standing"]:
            self.put_out(player_id, "left")
            self.save()
        elif self.state["phase"] == "done":
            self.start_again()
            self.save()

    def on_timer(self, name):
        if name != "turn" or self.state["phase"] != "playing":
            return
        if self.state["calls"]:
            self.toss()
        else:
            self.finish([], "nobody called in time")
        self.save()

    # Reading a move

    def read_move(self, body):
        """(action, value), or (None, None) for chat."""
        if body.get("type") == "move" and body.get("game") == "coin":
            action = str(body.get("action"))
            return {"resign": "concede"}.get(action, action), body.get("value")
        words = str(body.get("text", "")).lower().replace(":", " ").rstrip(" .!").split()
        if len(words) == 2 and words[0] == "call":
            return "call", words[1]
        if len(words) != 1:
            return None, None
        if words[0] in ("resign", "concede"):
            return "concede", None
        if words[0] == "rematch":
            return "rematch", None
        if words[0] in SIDES:
            return "call", words[0]
        return None, None

    def objection(self, player, action, value):
        """Why this player may not do this now, or nothing."""
        phase = self.state["phase"]
        if action not in ("call", "concede", "rematch"):
            return "the moves are heads, tails, concede and rematch"
        if phase in ("open", "void"):
            return "the game has not started"
        if player not in self.state["players"]:
            return "not a player of this game"
        if action == "rematch":
            return self.no_rematch(player)
        if phase == "done":
            return 'the game is over; "rematch" asks for another'
        if player not in self.state["standing"]:
            return "out of the game"
        if action == "concede":
            return None
        if player in self.state["calls"]:
            return "you have called, and a call is final"
        if not isinstance(value, str) or value.lower() not in SIDES:
            return "call heads or tails"
        return None

    def no_rematch(self, player):
        if self.state["phase"] != "done":
            return "the game is still going on"
        if len(self.here()) < 2:
            return "the others have left"
        if player in self.state["rematch"]:
            return "you have asked; waiting for the others"
        return None

    # What a move does

    def begin(self, players):
        self.state = {
            "phase": "playing",
            "players": players,
            "standing": list(players),
            "calls": {},
            "deadline": None,
            "rematch": [],
        }
        if self.seconds is not None:
            self.state["deadline"] = self.ctx.now() + self.seconds
        self.give_turn(self.seconds)

    def take_call(self, player, side):
        self.state["calls"][player] = side
        self.say({"type": "called", "player": player})
        self.toss_or_wait()

    def put_out(self, player, how):
        self.state["standing"].remove(player)
        self.state["calls"].pop(player, None)
        self.say({"type": "concede", "player": player})
        if len(self.state["standing"]) == 1:
            self.finish(self.state["standing"], "%s %s" % (player, how))
        else:
            self.toss_or_wait()

    def toss_or_wait(self):
        if not self.waiting():
            self.toss()
            return
        left = None
        if self.state["deadline"] is not None:  # the clock goes on, it does not begin anew
            left = min(self.seconds, max(0.001, self.state["deadline"] - self.ctx.now()))
        self.give_turn(left)

    def toss(self):
        side = self.ctx.random.choice(SIDES)
        calls = self.state["calls"]
        winners = [player for player in self.state["standing"] if calls.get(player) == side]
        self.say({"type": "toss", "side": side, "calls": calls, "late": self.waiting()})
        self.finish(winners, "it was " + side)

    def rematch(self, player):
        self.state["rematch"].append(player)
        if not self.start_again():
            text = 'say "rematch" to toss again'
            self.say({"type": "rematch", "player": player, "text": text})

    def start_again(self):
        """Begin when all who are still here have asked. There are no sides to swap."""
        here = self.here()
        self.state["rematch"] = [player for player in self.state["rematch"] if player in here]
        if len(here) < 2 or len(self.state["rematch"]) < len(here):
            return False
        self.begin(here)
        return True

    def give_turn(self, seconds):
        self.ctx.set_turn(self.waiting(), seconds=seconds, expect=SIDES)

    def finish(self, winners, reason):
        self.state["phase"] = "done"
        scores = {player: int(player in winners) for player in self.state["players"]}
        self.ctx.end({"winners": winners, "reason": reason, "scores": scores})

    # Words

    def waiting(self):
        return [player for player in self.state["standing"] if player not in self.state["calls"]]

    def here(self):
        return [player for player in self.state["players"] if player in self.ctx.players]

    def rules(self):
        clock = "" if self.seconds is None else " Calls are due within %g seconds." % self.seconds
        return (
            'Call heads or tails, in public or sealed: to=["bot:%s"]. When all have called I toss'
            " once; who called the side wins, and all of them if several did.%s"
            ' "concede" gives up, "rematch" after the end tosses again.' % (self.ctx.bot_id, clock)
        )

    def say(self, body, to=None):
        self.ctx.post("bot", body, to=to)

    def save(self):
        self.ctx.set_state(self.state)
