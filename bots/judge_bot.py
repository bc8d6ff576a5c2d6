"""JudgeBot: terms that two parties accept by their hash, and a ruling when they are broken.

1. Terms.    propose TEXT       I answer with the SHA-256 of the text.
             accept HASH        When both have accepted the same hash the terms are in force.
                                Another proposal voids what was accepted before. One "cancel"
                                ends the talks.
2. In force. fulfilled          "the other side has kept the terms": when both say so they are kept.
             deliver TEXT       Hands over a text that the terms name by its hash (below). Sealed
                                to me, only the other party gets to read it.
             cancel             When both say so the terms are dissolved.
             claim TEXT         "the other side has broken the terms". One claim each; "drop"
                                takes it back.
3. A claim.  admit | deny TEXT  The other side answers. Then both may bring "evidence TEXT", as
             evidence | rest    many pieces as the param evidence says, until both rest.
4. Ruling, by the first of these rules that applies:
   a  The claim is admitted, or not answered in time, or the other side leaves: for the claimant.
   b  Evidence or delivery shows a text that the terms name as proof against the other side: for
      the claimant.
   c  The other side owes a text, it is due (at the end of the term, if there is one) and has not
      been delivered: for the claimant.
   d  There is an arbiter (param arbiter="carol": the player of that name, who is no party): it
      says "rule alice", "rule bob" or "rule nobody", with reasons. An arbiter who is silent or has
      left: nobody.
   e  Otherwise the claim is not proved: for the other side.

Lines of the terms that I understand, all else is for the parties and the arbiter:
   duty: bob sha256:<64 hex digits>     bob owes a text with this hash
   proof: bob sha256:<64 hex digits>    whoever shows a text with this hash has proved that bob
                                        broke the terms
Accept a line only if you know who can know its text: whoever wrote a proof against you may have the
text already.

Each step may take as many seconds as the param seconds says (a day; null: no clock); without
agreement in that time there are no terms. With the param term=N the terms end N seconds after they
came in force: if then one side alone owes a text the other wins, if both do nobody does, and
otherwise the terms are kept. Who leaves terms that are in force loses, unless the other side has
said "fulfilled". "rematch" from both starts over.
All moves also as {"type": "move", "game": "judge", "action": "claim", "value": "TEXT"}.
"""

import re

from referee import Game, digest, is_text

MANIFEST = {
    "name": "JudgeBot",
    "version": "1.0",
    "summary": "Terms accepted by hash, claims and evidence, a ruling by code or by an arbiter.",
    "label": "judge",
    "seats": ["alice", "bob"],
    "min_seats": 2,
    "max_seats": 3,
    "params": {
        "type": "object",
        "properties": {
            "terms": {
                "type": ["string", "null"],
                "minLength": 1,
                "maxLength": 8000,
                "default": None,
                "description": "the first proposal; null: the parties propose",
            },
            "arbiter": {
                "type": ["string", "null"],
                "default": None,
                "description": "player id of the third seat, who rules what the code cannot",
            },
            "evidence": {
                "type": "integer",
                "minimum": 0,
                "maximum": 20,
                "default": 3,
                "description": "pieces of evidence each side may bring",
            },
            "term": {
                "type": ["number", "null"],
                "exclusiveMinimum": 0,
                "maximum": 31536000,
                "default": None,
                "description": "seconds the terms are in force; null: until somebody ends them",
            },
            "seconds": {
                "type": ["number", "null"],
                "exclusiveMinimum": 0,
                "maximum": 31536000,
                "default": 86400,
                "description": "time for each step of talks and claim; null: no clock",
            },
        },
        "additionalProperties": False,
    },
    "moves": [
        "propose TEXT",
        "accept HASH",
        "fulfilled",
        "deliver TEXT",
        "cancel",
        "claim TEXT",
        "drop",
        "admit",
        "deny TEXT",
        "evidence TEXT",
        "rest",
        "rule alice REASONS",
        "rematch",
        {"type": "move", "game": "judge", "action": "accept", "value": "HASH"},
    ],
    "show": [
        {"panel": "text", "of": "text", "in": "terms", "title": "Terms"},
        {"panel": "text", "of": "hash", "in": "terms", "title": "Their SHA-256"},
        {"panel": "table", "of": "duties", "in": "terms", "title": "Texts owed"},
        {"panel": "text", "of": "text", "in": "claim", "title": "Claim"},
        {"panel": "text", "of": "text", "in": "denied", "title": "Answer"},
        {"panel": "text", "of": "text", "in": "ruling", "title": "Ruling"},
    ],
}

LONGEST = 8000  #: bytes of a text; what repeats it must fit into one hook's words
#: Each move with the stages in which it may be made.
STAGES = {
    "propose": ("terms",),
    "accept": ("terms",),
    "fulfilled": ("force",),
    "deliver": ("force", "answer", "evidence"),
    "cancel": ("terms", "force"),
    "claim": ("force",),
    "drop": ("answer", "evidence"),
    "admit": ("answer", "evidence"),
    "deny": ("answer",),
    "evidence": ("evidence",),
    "rest": ("evidence",),
    "rule": ("ruling",),
}
LINE = re.compile(r"^[ \t]*(duty|proof):[ \t]*(\S+)[ \t]+sha256:([0-9a-f]{64})\s*?$", re.MULTILINE)


def sha256(text):
    return digest(text, "")


def named(kind, text):
    """The [name, hash] of the lines of this kind."""
    return [[name, found] for one, name, found in LINE.findall(text) if one == kind]


class JudgeBot(Game):
    manifest = MANIFEST
    game, noun, role = "judge", "case", "party"
    texts = ("propose", "accept", "deliver", "claim", "deny", "evidence", "rule")
    once = ("accept", "fulfilled", "cancel", "rest")
    stages = STAGES
    situations = {
        "terms": "there are no terms in force yet",
        "force": "the terms are in force and there is no claim",
        "answer": "a claim waits for its answer",
        "evidence": "a claim waits for evidence",
        "ruling": "a claim waits for the arbiter",
    }
    gives_up = None
    rotates = False

    def check(self):
        self.arbiter, terms = self.params["arbiter"], self.params["terms"]
        if terms is not None and not is_text(terms, LONGEST):
            raise ValueError(f"terms must be a text of at most {LONGEST} bytes, or null")

    def on_start(self):
        parties = [one for one in self.ctx.players if one != self.arbiter]
        if self.state["phase"] != "open":
            return
        if self.arbiter not in (None, *self.ctx.players):
            self.void(f"the arbiter {self.arbiter[:40]} has no seat here")
        elif len(parties) != 2:
            self.void(f"terms are between two parties, here are {len(parties)}")
        else:
            self.begin(parties)
        self.save()

    def on_leave(self, player_id):
        playing = self.state["phase"] == "playing"
        if playing and player_id == self.arbiter and self.state["stage"] == "ruling":
            self.finish([], "the arbiter left without a ruling")
        super().on_leave(player_id)

    # Who may do what

    def objection(self, player, move, value):
        if player == self.arbiter and self.state["phase"] == "playing" and move in self.own:
            return self.not_now(player, move) or self.illegal(player, move, value)
        return super().objection(player, move, value)

    def illegal(self, player, move, value):
        sealed = self.msg.get("to") is not None
        if (player == self.arbiter) != (move == "rule"):
            return "the arbiter rules, the parties do the rest"
        if sealed and not (move == "deliver" and self.msg["to"] == [self.me]):
            return f'say it in public: only a delivery may be sealed, to=["{self.me}"]'
        bare = move == "accept" or (move == "deny" and value is None)
        if move in self.texts and not bare and not is_text(value, LONGEST):
            return f"{move} takes a text of at most {LONGEST} bytes"
        if move in ("propose", "accept"):
            return self.unfit(value) if move == "propose" else self.no_accept(value)
        if move == "deliver" and not self.owed(player, value) and not self.proves(value):
            return f"no duty of yours waits for a text with the hash sha256:{sha256(value)}"
        if move == "rule" and self.ruled(value) not in [*self.state["players"], "nobody"]:
            return "rule {}, {} or nobody".format(*self.state["players"])
        return self.no_claim(player, move)

    def unfit(self, text):
        """Why these cannot be terms, or None."""
        for kind, name, _ in LINE.findall(text):
            if name not in self.state["players"]:
                return f"a line says {kind}: {name[:40]}, who is no party"
        return None

    def no_accept(self, value):
        if self.state["hash"] is None:
            return 'there is no proposal yet: "propose TEXT"'
        if str(value).strip().lower().removeprefix("sha256:") != self.state["hash"]:
            return f'that is another hash; to accept the proposal: "accept {self.state["hash"]}"'
        return None

    def no_claim(self, player, move):
        state = self.state
        if move == "claim" and player in state["fulfilled"]:
            return "you have said that the terms are kept"
        if move == "claim" and player in state["claimed"]:
            return "one claim each, and you have made yours"
        if move == "drop" and player != state["claimant"]:
            return "it is not your claim"
        if move in ("admit", "deny") and player == state["claimant"]:
            return "it is your claim; the other side answers"
        return "you have rested" if move == "evidence" and player in state["rest"] else None

    # Terms

    def begin(self, parties):
        lists = {name: [] for name in ("duties", "proofs", "claimed", "proved")}
        self.deal(parties, stage="terms", hash=None, claimant=None, due=None, **lists)
        terms = (self.params["terms"] or "").strip()
        if not terms:
            example = "propose {0} writes a poem about rain; then {1} says fulfilled."
            bodies = [example.format(*parties), "cancel"]
            self.ask(parties, {"body": bodies, "also": "propose TEXT"})
        elif self.unfit(terms):
            self.void(f"the terms do not fit: {self.unfit(terms)}")
        else:
            self.propose(None, terms)

    def play(self, player, move, value):
        does = {
            "propose": self.propose,
            "accept": self.accept,
            "deliver": self.deliver,
            "claim": self.claim,
            "evidence": self.evidence,
            "rule": self.rule,
        }
        if move in does:
            does[move](player, value)
        elif move in ("fulfilled", "cancel"):
            self.agree_to_end(player, move)
        elif move == "drop":
            self.say({"type": "dropped", "player": player})
            self.in_force()
        elif move == "admit":
            self.ruling(self.state["claimant"], "a", f"{player} admits it")
        elif move == "deny":
            self.say({"type": "denied", "player": player, "text": value or ""})
            self.hear()
        else:
            self.state["rest"].append(player)
            self.say({"type": "rests", "player": player})
            self.hear()

    def propose(self, player, value):
        text = value.strip()
        lines = {"duties": named("duty", text), "proofs": named("proof", text)}
        self.state |= {"hash": sha256(text), "accept": []} | lines
        terms = {"type": "terms", "by": player, "hash": self.state["hash"], "text": text}
        self.say(terms | lines)
        self.ask_to_accept()

    def ask_to_accept(self):
        bodies = [f"accept {self.state['hash']}", "cancel"]
        also = "propose TEXT for other terms"
        self.ask(self.missing("accept"), {"body": bodies, "also": also})

    def accept(self, player, value):
        state, term = self.state, self.params["term"]
        state["accept"].append(player)
        self.say({"type": "accepted", "player": player, "hash": state["hash"]})
        if self.missing("accept"):
            self.ask_to_accept()
            return
        state["due"] = None if term is None else self.ctx.now() + term
        self.say({"type": "in_force", "hash": state["hash"], "seconds": term})
        self.in_force()

    # Terms in force

    def in_force(self):
        """Wait for what the parties say of terms that are in force."""
        state = self.state
        state |= {"stage": "force", "claimant": None, "rest": []}
        movers = [one for one in self.missing("fulfilled") if one not in state["cancel"]]
        if not movers:  # one would cancel what the other says is kept
            movers, state["cancel"] = self.missing("fulfilled"), []
        bodies = ["fulfilled", "cancel"]
        if not set(movers) & set(state["claimed"]):
            bodies.insert(1, "claim The terms were not kept.")
        left = None  # of the term, which goes on after a claim and does not begin anew
        if state["due"] is not None:
            left = min(self.params["term"], max(0.001, state["due"] - self.ctx.now()))
        expect = {"body": bodies, "also": "claim TEXT, deliver TEXT"}
        self.ctx.set_turn(movers, seconds=left, expect=expect)

    def agree_to_end(self, player, how):
        state = self.state
        self.say({"type": how, "player": player})
        if state["stage"] == "terms":
            self.finish([], f"{player} ended the talks")
            return
        if how == "fulfilled":
            state["cancel"] = [one for one in state["cancel"] if one != player]
        state[how].append(player)
        if self.missing(how):
            self.in_force()
        elif how == "fulfilled":
            self.finish(state["players"], "both say that the terms are kept")
        else:
            self.finish([], "both cancel the terms")

    def deliver(self, player, text):
        other, sealed = self.other(player), self.msg.get("to") is not None
        if sealed and other in self.ctx.players:
            self.say({"type": "delivery", "player": player, "text": text}, [other])
        self.say({"type": "delivered", "player": player, "hash": sha256(text), "sealed": sealed})
        if self.owed(player, text):
            self.state["duties"].remove([player, sha256(text)])
        self.state["proved"] += self.proves(text)

    def late(self):
        stage = self.state["stage"]
        if stage == "terms":
            self.finish([], "no agreement in time")
        elif stage == "force":
            self.term_is_over()
        elif stage == "answer":
            self.ruling(self.state["claimant"], "a", "no answer to the claim in time")
        elif stage == "evidence":
            self.judge()
        else:
            self.finish([], "the arbiter did not rule in time")

    def term_is_over(self):
        parties = self.state["players"]
        late = [one for one in parties if self.owes(one)]
        if len(late) == 1:
            self.ruling(self.other(late[0]), "c", f"{late[0]} did not deliver in time")
        elif late:
            self.finish([], "the time is over and neither delivered")
        else:
            self.finish(parties, "the time is over and nobody claims: the terms are kept")

    def out(self, player, how):
        """Who leaves terms that are in force loses."""
        other, stage = self.other(player), self.state["stage"]
        if stage == "terms":
            self.finish([], f"{player} {how} before there was an agreement")
        elif stage == "force" and other in self.state["fulfilled"]:
            self.finish(self.state["players"], f"the terms are kept; {player} {how}")
        else:
            self.ruling(other, "a", f"{player} {how}")

    # A claim

    def claim(self, player, text):
        brought = {party: 0 for party in self.state["players"]}
        self.state |= {"stage": "answer", "claimant": player, "cancel": [], "brought": brought}
        self.state["claimed"].append(player)
        other = self.other(player)
        self.say({"type": "claim", "player": player, "against": other, "text": text})
        bodies = ["admit", "deny The terms were kept."]
        self.ask([other], {"body": bodies, "also": "deliver TEXT"})

    def evidence(self, player, text):
        self.state["brought"][player] += 1
        number, against = self.state["brought"][player], self.proves(text)
        self.state["proved"] += against
        shown = {"type": "evidence", "player": player, "number": number}
        self.say(shown | {"hash": sha256(text), "proves_against": against})
        self.hear()

    def hear(self):
        """Wait for evidence, or judge when there can be no more."""
        self.state["stage"] = "evidence"
        for party in self.missing("rest"):
            if self.state["brought"][party] >= self.params["evidence"]:
                self.state["rest"].append(party)
        if self.missing("rest"):
            bodies = ["rest", "evidence It stands above in this room."]
            also = "evidence TEXT, deliver TEXT"
            self.ask(self.missing("rest"), {"body": bodies, "also": also})
        else:
            self.judge()

    def judge(self):
        """Rules b to e: the evidence is in."""
        claimant, due = self.state["claimant"], self.state["due"]
        other = self.other(claimant)
        if other in self.state["proved"]:
            self.ruling(claimant, "b", "a text is shown that proves it")
        elif self.owes(other) and (due is None or self.ctx.now() >= due):
            self.ruling(claimant, "c", f"{other} has not delivered")
        elif self.arbiter is None:
            self.ruling(other, "e", "the claim is not proved")
        elif self.arbiter not in self.ctx.players:
            self.finish([], "the arbiter left without a ruling")
        else:
            self.state["stage"] = "ruling"
            bodies = [f"rule {name}" for name in [*self.state["players"], "nobody"]]
            self.ask([self.arbiter], {"body": bodies, "also": "reasons after the name"})

    def rule(self, arbiter, value):
        name, words = self.ruled(value), (value.split(None, 1)[1:] or ["no reasons given"])[0]
        if name == "nobody":
            self.say({"type": "ruling", "for": None, "rule": "d", "text": words})
            self.finish([], "the arbiter rules for nobody")
        else:
            self.ruling(name, "d", words)

    def ruling(self, winner, rule, words):
        self.say({"type": "ruling", "for": winner, "rule": rule, "text": words})
        reason = f"the arbiter rules for {winner}" if rule == "d" else words
        self.finish([winner], f"{reason} (rule {rule})")

    def owed(self, player, text):
        """Whether this text fulfils a duty of the player."""
        return [player, sha256(text)] in self.state["duties"]

    def owes(self, player):
        return any(name == player for name, _ in self.state["duties"])

    def proves(self, text):
        """Against whom this text is a proof by the terms."""
        return [name for name, found in self.state["proofs"] if found == sha256(text)]

    def ruled(self, value):
        """The name in "alice because ...", without a comma or colon after it."""
        return value.split()[0].rstrip(",.:;")

    def rules(self):
        who = "the claim is not proved then"
        if self.arbiter is not None:
            who = f'{self.arbiter[:40]} decides then: "rule NAME REASONS"'
        return (
            '"propose TEXT"; I answer with its hash, and when both "accept HASH" the terms are in'
            ' force. Then "fulfilled" from both ends it well, "cancel" from both dissolves them,'
            ' and "claim TEXT" says the other broke them: "admit" or "deny TEXT", then "evidence'
            f' TEXT" ({self.params["evidence"]} pieces each) and "rest". I rule for the claimant if'
            " it is admitted, unanswered, proved by a text whose hash the terms name (line proof:"
            " NAME sha256:HEX) or a text is owed (line duty: NAME sha256:HEX, handed over with"
            f' "deliver TEXT") and is due; {who}. Leaving loses.'
        )
