"""RockPaperScissorsBot: best of three, both throws sealed and opened together.

Rock beats scissors, scissors beat paper, paper beats rock.

Moves:   rock, paper or scissors, sent to me alone: post_message(body="rock", to=["bot:<my id>"])
         or {"type": "move", "game": "rock-paper-scissors", "action": "throw", "value": "rock"}
         resign     or {..., "action": "resign"}         (in public or sealed)
         rematch    or {..., "action": "rematch"}        (after the end, both must ask)

Nobody sees a throw before both are here; then I show the two at once. A throw that others can read
is void and costs nothing: throw again, sealed. A sealed throw is final. Who first wins more than
half of the rounds (param rounds=3: two) wins the match. A round with equal throws is played
again; should a match ever take ten times as many throws as it has rounds, it ends and the score decides.
With the param seconds=N who has not thrown within N seconds loses the round to the one who has;
if neither has, the match ends and whoever leads wins. Leaving is resigning.
"""

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
        "rock, paper or scissors, sealed with to=[\"bot:rps\"]",
        "resign",
        "rematch",
        {"type": "move", "game": "rock-paper-scissors", "action": "throw", "value": "rock"},
        {"type": "move", "game": "rock-paper-scissors", "action": "resign"},
        {"type": "move", "game": "rock-paper-scissors", "action": "rematch"},
    ],
}

GAME = "rock-paper-scissors"
YEAR = 31536000
BEATS = {"rock": "scissors", "scissors": "paper", "paper": "rock"}


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


class RockPaperScissorsBot:
    def __init__(self, ctx, params):
        self.ctx = ctx
        rounds, seconds = params.get("rounds", 3), params.get("seconds")
        if not is_number(rounds) or rounds not in range(1, 100):
            raise ValueError("rounds must be a whole number from 1 to 99")
        if seconds is not None and (not is_number(seconds) or not 0 < seconds <= YEAR):
            raise ValueError("seconds must be a number above 0, or left out")
        self.rounds, self.seconds = int(rounds), seconds
        self.me = "bot:" + ctx.bot_id
        self.state = ctx.get_state() or {"phase": "open"}

    # What the room calls

    def on_init(self):
        self.say({"type": "prompt", "text": self.rules()})

    def on_start(self):
        if self.state["phase"] != "open":
            return
        players = self.ctx.players[:2]
        if len(players) == 2:
            self.begin(players)
        else:
            self.state["phase"] = "void"
            self.ctx.end({"winners": [], "reason": "this game takes two players"})
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
        if action == "throw":
            self.throw(player, value.lower())
        elif action == "resign":
            self.finish(self.other(player), player + " resigned")
        else:
            self.rematch(player)
        self.save()

    def on_leave(self, player_id):
        if self.state["phase"] == "playing" and player_id in self.state["players"]:
            self.finish(self.other(player_id), player_id + " left")
            self.save()
        elif player_id in self.state.get("rematch", []):
            self.state["rematch"].remove(player_id)
            self.save()

    def on_timer(self, name):
        if name != "turn" or self.state["phase"] != "playing":
            return
        if self.state["throws"]:
            self.open_throws()
        else:
            self.say({"type": "round", "number": self.state["round"], "throws": {}, "winner": None})
            self.finish(self.leader(), "nobody threw in time")
        self.save()

    # Reading a move

    def read_move(self, body):
        """(action, value), or (None, None) for chat."""
        if body.get("type") == "move" and body.get("game") == GAME:
            action = str(body.get("action"))
            return {"concede": "resign"}.get(action, action), body.get("value")
        words = str(body.get("text", "")).lower().rstrip(" .!").split()
        if len(words) == 2 and words[0] in ("throw", "play", "move"):
            return "throw", words[1]
        if len(words) != 1:
            return None, None
        if words[0] in ("resign", "concede"):
            return "resign", None
        if words[0] == "rematch":
            return "rematch", None
        if words[0] in BEATS:
            return "throw", words[0]
        return None, None

    def objection(self, player, action, value, to):
        """Why this player may not do this now, or nothing."""
        phase = self.state["phase"]
        if action not in ("throw", "resign", "rematch"):
            return "the moves are rock, paper, scissors, resign and rematch"
        if phase in ("open", "void"):
            return "the game has not started"
        if player not in self.state["players"]:
            return "not a player of this game"
        if action == "rematch":
            return self.no_rematch(player)
        if phase == "done":
            return 'the game is over; "rematch" asks for another'
        if action == "resign":
            return None
        if player in self.state["throws"]:
            return "you have thrown, and a throw is final; waiting for " + self.other(player)
        if to != [self.me]:
            return (
                "void: others could read it, so it does not count. Throw again, sealed:"
                ' to=["%s"]' % self.me
            )
        if not isinstance(value, str) or value.lower() not in BEATS:
            return "throw rock, paper or scissors"
        return None

    def no_rematch(self, player):
        if self.state["phase"] != "done":
            return "the game is still going on"
        if self.other(player) not in self.ctx.players:
            return self.other(player) + " has left"
        if player in self.state["rematch"]:
            return "you have asked; waiting for " + self.other(player)
        return None

    # What a move does

    def begin(self, players):
        self.state = {
            "phase": "playing",
            "players": players,
            "score": {player: 0 for player in players},
            "round": 0,
            "throws": {},
            "deadline": None,
            "rematch": [],
        }
        self.next_round()

    def next_round(self):
        self.state["round"] += 1
        self.state["throws"] = {}
        self.state["deadline"] = None if self.seconds is None else self.ctx.now() + self.seconds
        self.give_turn(self.state["players"], self.seconds)

    def throw(self, player, value):
        self.state["throws"][player] = value
        if len(self.state["throws"]) == 2:
            self.open_throws()
            return
        self.say({"type": "thrown", "player": player, "round": self.state["round"]})
        left = None
        if self.state["deadline"] is not None:  # the round's clock goes on, it does not begin anew
            left = min(self.seconds, max(0.001, self.state["deadline"] - self.ctx.now()))
        self.give_turn([self.other(player)], left)

    def open_throws(self):
        """Show both at once; a player who has not thrown loses to the one who has."""
        throws, winner = self.state["throws"], None
        first, second = self.state["players"]
        if len(throws) == 1:
            winner = list(throws)[0]
        elif BEATS[throws[first]] == throws[second]:
            winner = first
        elif BEATS[throws[second]] == throws[first]:
            winner = second
        if winner is not None:
            self.state["score"][winner] += 1
        shown = {"type": "round", "number": self.state["round"], "throws": throws}
        if len(throws) == 1:
            shown["late"] = self.other(winner)
        self.say(shown | {"winner": winner, "score": self.state["score"]})
        self.after_round()

    def after_round(self):
        score, leader = self.state["score"], self.leader()
        if leader is not None and score[leader] > self.rounds // 2:
            other = score[self.other(leader)]
            self.finish(leader, "%d to %d in a best of %d" % (score[leader], other, self.rounds))
        elif self.state["round"] >= 10 * self.rounds:
            self.finish(leader, "%d rounds are played" % self.state["round"])
        else:
            self.next_round()

    def rematch(self, player):
        self.state["rematch"].append(player)
        if len(self.state["rematch"]) == 2:
            self.begin(self.state["players"][::-1])
        else:
            asked = '%s, say "rematch" to play again' % self.other(player)
            self.say({"type": "rematch", "player": player, "text": asked})

    def give_turn(self, players, seconds):
        expect = {"body": ["rock", "paper", "scissors"], "to": [self.me]}
        self.ctx.set_turn(players, seconds=seconds, expect=expect)

    def finish(self, winner, reason):
        self.state["phase"], self.state["throws"] = "done", {}
        winners = [] if winner is None else [winner]
        self.ctx.end({"winners": winners, "reason": reason, "scores": self.state["score"]})

    # Words

    def other(self, player):
        first, second = self.state["players"]
        return second if player == first else first

    def leader(self):
        first, second = self.state["players"]
        score = self.state["score"]
        if score[first] == score[second]:
            return None
        return first if score[first] > score[second] else second

    def rules(self):
        clock = "" if self.seconds is None else " Each throw within %g seconds." % self.seconds
        return (
            'Throw rock, paper or scissors, sealed: to=["%s"]; a public throw is void. I open both'
            " together. Best of %d: %d won rounds win, equal throws are repeated.%s"
            ' "resign" gives up, "rematch" after the end plays again.'
            % (self.me, self.rounds, self.rounds // 2 + 1, clock)
        )

    def say(self, body, to=None):
        self.ctx.post("bot", body, to=to)

    def save(self):
        self.ctx.set_state(self.state)
