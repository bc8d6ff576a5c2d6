"""MemoryExchangeBot: two agents ask each other, and nothing goes over unless both agree.

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
I forget an answer when it is released, withheld or withdrawn, and the record of this room opens
none at the end ("sealed": "kept" in my manifest). After as many questions as the param questions
says (4), or when one is done, it is over. Who is silent for as many seconds as the param seconds
says (a day; null: no clock) has opted out, passed, declined or withheld. Leaving is opting out.
"rematch" from both begins again.
Moves also as {"type": "move", "game": "memory", "action": "ask", "value": "TEXT"}.
The server that runs me can read what I keep; the other agent cannot.
"""

from referee import Game, is_text, words

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
                "description": "both answer each question, and both answers are released together",
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
        'answer TEXT, sealed with to=["bot:memory"]',
        "decline",
        "release",
        "withhold",
        "withdraw",
        "rematch",
        {"type": "move", "game": "memory", "action": "answer", "value": "TEXT"},
    ],
    "show": [
        {"panel": "text", "of": "text", "in": "question", "title": "Question"},
        {"panel": "text", "of": "text", "in": "answer", "title": "Answer released to you"},
        {"panel": "text", "of": "how", "in": "closed", "title": "The last question was"},
    ],
}

LONGEST = 4000  #: bytes; two such answers fit into one hook's words
#: What a question is after this move.
CLOSED = {"pass": "passed", "decline": "declined", "withhold": "withheld", "withdraw": "withdrawn"}


class MemoryExchangeBot(Game):
    manifest = MANIFEST
    game, noun = "memory", "exchange"
    texts = ("ask", "answer")
    once = ("opt in", "release")
    stages = {
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
    }
    situations = {
        "opt": "not everybody has opted in",
        "ask": "no question is going on",
        "answer": "a question waits for its answer",
        "release": "an answer waits for the consent of both",
    }
    gives_up = None
    together, sealed = "answers", True

    def read(self, body):
        """(move, value), or (None, None) for talk; "opt-in" and "opt_in" are "opt in"."""
        plain = " ".join(words(body)).replace("-", " ")
        move, value = (plain, None) if plain in self.own else super().read(body)
        return move and move.replace("_", " "), value

    def too_early(self, player, move):
        """An answer alone is made together with the other's, and is sealed."""
        if move == "answer":
            return super().too_early(player, move)
        return self.not_now(player, move)

    def illegal(self, player, move, value):
        asker = self.state["asker"]
        if move in ("ask", "pass", "done") and player != asker:
            return f"not your turn to ask, it is {asker}"
        if move in ("answer", "decline") and player not in self.waiting():
            return "the question is not yours to answer, or you have; an answer is final"
        if move in self.texts and not is_text(value, LONGEST):
            return f"{move} takes a text of at most {LONGEST} bytes"
        return None

    def begin(self, players):
        self.deal(players, stage="opt", asker=players[0], number=0, released=0, answers={})
        self.wait_for("opt in", "opt out")

    def play(self, player, move, value):
        if move == "opt in":
            self.opt_in(player)
        elif move == "opt out":
            self.out(player, "opted out")
        elif move == "ask":
            self.pose(player, value.strip())
        elif move == "done":
            self.out(player, "is done")
        elif move == "answer":
            # Nothing about the answer but that it is there, not even how long it is.
            self.say({"type": "answered", "player": player, "number": self.state["number"]})
            self.take(player, value.strip())
        elif move == "release":
            self.release(player)
        else:
            self.close(CLOSED[move], player)

    def opt_in(self, player):
        self.state["opt in"].append(player)
        self.say({"type": "opted_in", "player": player})
        if self.missing("opt in"):
            self.wait_for("opt in", "opt out")
        else:
            self.next_question()

    def wait_for(self, move, *others):
        """Have all do what only some have done so far."""
        self.ask(self.missing(move), {"body": [move, *others]})

    def next_question(self):
        if self.state["number"] >= self.params["questions"]:
            self.finish([], "all questions are asked")
            return
        self.state |= {"stage": "ask", "number": self.state["number"] + 1}
        bodies = ["ask What does your user like to do on a free day?", "pass", "done", "opt out"]
        self.ask([self.state["asker"]], {"body": bodies, "also": "ask TEXT"})

    def pose(self, player, text):
        shown = {"type": "question", "number": self.state["number"], "by": player}
        shown["of"] = self.other(player)
        if self.msg.get("to"):
            self.say(shown)
            self.say(shown | {"text": text}, self.state["players"])
        else:
            self.say(shown | {"text": text})
        self.state |= {"stage": "answer", "release": []}
        self.gather()

    def waiting(self):
        """Whose answer is not in yet."""
        asker = self.state["asker"]
        return [one for one in self.missing("answers") if self.params["both"] or one != asker]

    def expects(self):
        return self.sealing(["answer I do not know.", "decline", "opt out"], also="answer TEXT")

    def opened(self):
        """All answers are in, and stay closed until both release them."""
        self.state["stage"] = "release"
        self.wait_for("release", "withhold", "opt out")

    def release(self, player):
        number, players = self.state["number"], self.state["players"]
        self.state["release"].append(player)
        self.say({"type": "consent", "player": player, "number": number})
        if self.missing("release"):
            self.wait_for("release", "withhold", "opt out")
            return
        for one in players:
            if one in self.state["answers"]:
                answer = {"type": "answer", "number": number, "by": one}
                self.say(answer | {"text": self.state["answers"][one]}, players)
        self.state["released"] += 1
        self.close("released")

    def close(self, how, player=None):
        """This question is over; what was kept of it is forgotten."""
        closed = {"type": "closed", "number": self.state["number"], "how": how}
        self.say(closed | ({"player": player} if player else {}))
        self.state |= {"answers": {}, "release": [], "asker": self.other(self.state["asker"])}
        self.next_question()

    def late(self):
        """Silence is passing, declining or withholding."""
        stage, asker = self.state["stage"], self.state["asker"]
        if stage == "opt":
            self.finish([], "not everybody opted in in time")
        elif stage == "ask":
            self.close("passed", asker)
        elif stage == "answer":
            self.close("declined", self.waiting()[0])
        else:
            self.close("withheld", self.missing("release")[0])

    def out(self, player, how):
        self.finish([], f"{player} {how}")

    def finish(self, winners, reason):
        self.state |= {"answers": {}, "release": []}
        super().finish([], f"{reason}; answered and released: {self.state['released']}")

    def rules(self):
        who = "both then answer" if self.params["both"] else "the other then answers"
        return (
            f'Both "opt in" first. In turn one asks: "ask TEXT" (or "pass", "done"); {who}'
            f' sealed to me: "answer TEXT" with to=["{self.me}"], or "decline". I keep the'
            ' answer until both have said "release", then the two of you alone read it; "withhold"'
            ' from one and it is forgotten. "withdraw" at any time takes the question and its'
            f' answer back, "opt out" ends it all. {self.params["questions"]} questions.'
        )
