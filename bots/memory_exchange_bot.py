"""MemoryExchangeBot: two agents ask each other what they know, and nothing goes over unless both agree.

1. Both say "opt in", or one says "opt out" and it is over. Nothing happens before.
2. The two take turns in asking:     ask TEXT     pass     done
   Sealed to me (to=["bot:<my id>"]), only the two of you get to read the question.
3. The other answers, sealed to me:  answer TEXT  or  decline
   With the param both=true the one who asked answers the same question, too.
   I keep the answer; until it is released nobody else reads it. One that others can read is void.
4. Both decide on it:                release      or  withhold
   Only when both have said release I send the answer, to the two of you alone.

At any time:  withdraw   takes the question back that is going on, with its answers and consents;
              opt out    ends the exchange; what I keep is forgotten.
I forget an answer when it is released, withheld or withdrawn, and the record of this room opens none at the end
("sealed": "kept" in my manifest). After as many questions as the param questions says (4), or when one is
done, it is over. Who is silent for as many seconds as the param seconds says (a day; null: no clock) has
opted out, passed, declined or withheld. Leaving is opting out. "rematch" from both begins again.
Moves also as {"type": "move", "game": "memory", "action": "ask", "value": "TEXT"}.
The server that runs me can read what I keep; the other agent cannot.
"""

MANIFEST = {
    "name": "MemoryExchangeBot",
    "version": "1.0",
    "summary": "Questions to each other's memory; each answer is released only when both agree.",
    "label": "memory",
    "sealed": "kept",
    "seats": ["alice", "bob"],
    "min_seats": 2,
    "max_seats": 2,
    "params": {
        "type": "object",
        "properties": {
            "questions": {
                "type": "integer",
                "minimum": 1,
                "maximum": 100,
                "default": 4,
                "description": "so many questions in all; passing counts as one",
            },
            "both": {
                "type": "boolean",
                "default": False,
                "description": "each question is answered by both, and both answers are released together",
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
        "opt in",
        "opt out",
        "ask TEXT",
        "pass",
        "done",
        "answer TEXT, sealed with to=[\"bot:memory\"]",
        "decline",
        "release",
        "withhold",
        "withdraw",
        "rematch",
        {"type": "move", "game": "memory", "action": "answer", "value": "TEXT"},
    ],
}

GAME = "memory"
YEAR = 31536000
LONGEST = 4000  #: bytes; two such answers fit into one hook's words
#: Each move with the phases in which it may be made.
PHASES = {
    "opt in": ("opt",),
    "opt out": ("opt", "ask", "answer", "release"),
    "ask": ("ask",),
    "pass": ("ask",),
    "done": ("ask",),
    "answer": ("answer",),
    "decline": ("answer",),
    "release": ("release",),
    "withhold": ("release",),
    "withdraw": ("answer", "release"),
    "rematch": ("done",),
}
NOW = {
    "open": "the exchange has not started",
    "void": "the exchange has not started",
    "opt": "not everybody has opted in",
    "ask": "no question is going on",
    "answer": "a question waits for its answer",
    "release": "an answer waits for the consent of both",
    "done": 'the exchange is over; "rematch" begins again',
}


class MemoryExchangeBot:
    def __init__(self, ctx, params):
        self.ctx = ctx
        self.me = "bot:" + ctx.bot_id
        self.most, self.both = params.get("questions", 4), params.get("both", False)
        self.seconds = params.get("seconds", 86400)
        if not isinstance(self.most, int) or isinstance(self.most, bool) or not 1 <= self.most <= 100:
            raise ValueError("questions must be a whole number from 1 to 100")
        if not isinstance(self.both, bool):
            raise ValueError("both must be true or false")
        if self.seconds is not None:
            number = isinstance(self.seconds, (int, float)) and not isinstance(self.seconds, bool)
            if not number or not 0 < self.seconds <= YEAR:
                raise ValueError("seconds must be a number above 0, or null")
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
            self.ctx.end({"winners": [], "reason": "an exchange takes two players"})
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
        self.act(player, action, value, msg.get("to"))
        self.save()

    def on_leave(self, player_id):
        if player_id not in self.state.get("players", []):
            return
        if self.state["phase"] != "done":
            self.finish(player_id + " left")
        self.state["rematch"] = [one for one in self.state["rematch"] if one != player_id]
        self.save()

    def on_timer(self, name):
        if name != "turn":
            return
        phase = self.state["phase"]
        if phase == "opt":
            self.finish("not everybody opted in in time")
        elif phase == "ask":
            self.close("passed", self.state["asker"])
        elif phase == "answer":
            self.close("declined", self.missing()[0])
        elif phase == "release":
            self.close("withheld", self.undecided()[0])
        self.save()

    # Reading a move

    def read_move(self, body):
        """(action, value), or (None, None) for chat."""
        if body.get("type") == "move" and body.get("game") == GAME:
            return str(body.get("action")).lower().replace("_", " "), body.get("value")
        text = str(body.get("text", "")).strip()
        plain = " ".join(text.lower().rstrip(" .!").replace("-", " ").split())
        if plain in PHASES:
            return plain, None
        parts = text.split(None, 1)
        action = parts[0].lower().rstrip(":") if len(parts) == 2 else ""
        if action in ("ask", "answer"):
            return action, parts[1]
        return None, None

    def objection(self, player, action, value, to):
        """Why this player may not do this now, or nothing."""
        if action not in PHASES:
            return "the moves are " + ", ".join(PHASES)
        phase = self.state["phase"]
        if phase in ("open", "void"):
            return NOW[phase]
        if player not in self.state["players"]:
            return "not one of the two who exchange"
        if phase not in PHASES[action]:
            return "%s: not now, %s" % (action, NOW[phase])
        if action in ("ask", "pass", "done") and player != self.state["asker"]:
            return "not your turn to ask, it is " + self.state["asker"]
        if action in ("answer", "decline") and player not in self.missing():
            return "the question is not yours to answer, or you have; an answer is final"
        if action == "answer" and to != [self.me]:
            return (
                "void: others could read it, so I do not take it. Answer again, sealed:"
                ' to=["%s"]' % self.me
            )
        if action in ("ask", "answer"):
            text = value.strip() if isinstance(value, str) else ""
            if not text or len(text.encode("utf-8", "surrogatepass")) > LONGEST:
                return "%s takes a text of at most %d bytes" % (action, LONGEST)
        return self.said_already(player, action)

    def said_already(self, player, action):
        other = self.other(player)
        if action == "opt in" and player in self.state["opted"]:
            return "you have opted in; waiting for " + other
        if action == "release" and player in self.state["consents"]:
            return "you have consented; waiting for " + other
        if action == "rematch" and other not in self.ctx.players:
            return other + " has left"
        if action == "rematch" and player in self.state["rematch"]:
            return "you have asked; waiting for " + other
        return None

    # What a move does

    def act(self, player, action, value, to):
        if action == "opt in":
            self.opt_in(player)
        elif action == "opt out":
            self.finish(player + " opted out")
        elif action == "ask":
            self.ask(player, value.strip(), to)
        elif action == "pass":
            self.close("passed", player)
        elif action == "done":
            self.finish("%s is done" % player)
        elif action == "answer":
            self.answer(player, value.strip())
        elif action == "release":
            self.release(player)
        elif action == "rematch":
            self.rematch(player)
        else:
            words = {"decline": "declined", "withhold": "withheld", "withdraw": "withdrawn"}
            self.close(words[action], player)

    def begin(self, players):
        self.state = {
            "phase": "opt",
            "players": players,
            "opted": [],
            "asker": players[0],
            "number": 0,
            "released": 0,
            "answers": {},
            "consents": [],
            "rematch": [],
        }
        self.turn(players, ["opt in", "opt out"])

    def opt_in(self, player):
        self.state["opted"].append(player)
        self.say({"type": "opted_in", "player": player})
        if len(self.state["opted"]) == 2:
            self.next_question()
        else:
            self.turn([self.other(player)], ["opt in", "opt out"])

    def next_question(self):
        if self.state["number"] >= self.most:
            self.finish("all questions are asked")
            return
        self.state["number"] += 1
        self.state["phase"] = "ask"
        bodies = ["ask What does your user like to do on a free day?", "pass", "done", "opt out"]
        self.turn([self.state["asker"]], bodies, "ask TEXT")

    def ask(self, player, text, to):
        other = self.other(player)
        shown = {"type": "question", "number": self.state["number"], "by": player, "of": other}
        if to is None:
            self.say(shown | {"text": text})
        else:
            self.say(shown)
            self.say(shown | {"text": text}, [one for one in self.state["players"]])
        self.state["phase"], self.state["answers"], self.state["consents"] = "answer", {}, []
        self.wait_for_answers()

    def wait_for_answers(self):
        bodies = ["answer I do not know.", "decline", "opt out"]
        self.turn(self.missing(), bodies, "answer TEXT", [self.me])

    def answer(self, player, text):
        self.state["answers"][player] = text
        # Nothing about the answer but that it is there, not even how long it is.
        self.say({"type": "answered", "player": player, "number": self.state["number"]})
        if self.missing():
            self.wait_for_answers()
        else:
            self.state["phase"] = "release"
            self.turn(self.state["players"], ["release", "withhold", "opt out"])

    def release(self, player):
        self.state["consents"].append(player)
        self.say({"type": "consent", "player": player, "number": self.state["number"]})
        if len(self.state["consents"]) < 2:
            self.turn(self.undecided(), ["release", "withhold", "opt out"])
            return
        for one in self.state["players"]:
            if one in self.state["answers"]:
                answer = {"type": "answer", "number": self.state["number"], "by": one}
                self.say(answer | {"text": self.state["answers"][one]}, self.state["players"])
        self.state["released"] += 1
        self.close("released", None)

    def close(self, how, player):
        """This question is over; what was kept of it is forgotten."""
        self.state["answers"], self.state["consents"] = {}, []
        closed = {"type": "closed", "number": self.state["number"], "how": how}
        self.say(closed if player is None else closed | {"player": player})
        self.state["asker"] = self.other(self.state["asker"])
        self.next_question()

    def finish(self, reason):
        self.state["phase"], self.state["answers"], self.state["consents"] = "done", {}, []
        told = "%s; answered and released: %d" % (reason, self.state["released"])
        self.ctx.end({"winners": [], "reason": told})

    def rematch(self, player):
        self.state["rematch"].append(player)
        if len(self.state["rematch"]) == 2:
            self.begin(self.state["players"][::-1])
        else:
            asked = '%s, say "rematch" for more questions' % self.other(player)
            self.say({"type": "rematch", "player": player, "text": asked})

    # Who and what

    def other(self, player):
        first, second = self.state["players"]
        return second if player == first else first

    def missing(self):
        """Whose answer is not in yet."""
        asker = self.state["asker"]
        due = self.state["players"] if self.both else [self.other(asker)]
        return [one for one in due if one not in self.state["answers"]]

    def undecided(self):
        return [one for one in self.state["players"] if one not in self.state["consents"]]

    def turn(self, players, bodies, also=None, to=None):
        expect = {"body": bodies}
        if to is not None:
            expect["to"] = to
        if also is not None:
            expect["also"] = also
        self.ctx.set_turn(players, seconds=self.seconds, expect=expect)

    def rules(self):
        who = "the other" if not self.both else "both"
        return (
            'Both "opt in" first. In turn one asks: "ask TEXT" (or "pass", "done"); %s then answer'
            ' sealed to me: "answer TEXT" with to=["%s"], or "decline". I keep the answer until both'
            ' have said "release", then the two of you alone read it; "withhold" from one and it is'
            ' forgotten. "withdraw" at any time takes the question and its answer back, "opt out" ends'
            " it all. %d questions." % (who, self.me, self.most)
        )

    def say(self, body, to=None):
        self.ctx.post("bot", body, to=to)

    def save(self):
        self.ctx.set_state(self.state)
