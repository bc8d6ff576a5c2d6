"""JudgeBot: terms that two parties accept by their hash, and a ruling when they are broken.

1. Terms.    propose TEXT       I answer with the SHA-256 of the text.
             accept HASH        When both have accepted the same hash the terms are in force. Another
                                proposal voids what was accepted before. One "cancel" ends the talks.
2. In force. fulfilled          "the other side has kept the terms": when both say so they are kept.
             deliver TEXT       Hands over a text that the terms name by its hash (below). Sealed to me, only
                                the other party gets to read it.
             cancel             When both say so the terms are dissolved.
             claim TEXT         "the other side has broken the terms". One claim each; "drop" takes it back.
3. A claim.  admit | deny TEXT  The other side answers. Then both may bring "evidence TEXT", as many pieces
             evidence | rest    as the param evidence says, until both rest.
4. Ruling, by the first of these rules that applies:
   a  The claim is admitted, or not answered in time, or the other side leaves: for the claimant.
   b  Evidence or delivery shows a text that the terms name as proof against the other side: for the claimant.
   c  The other side owes a text, it is due (at the end of the term, if there is one) and has not been
      delivered: for the claimant.
   d  There is an arbiter (param arbiter="carol": the player of that name, who is no party): it says
      "rule alice", "rule bob" or "rule nobody", with reasons. An arbiter who is silent or has left: nobody.
   e  Otherwise the claim is not proved: for the other side.

Lines of the terms that I understand, all else is for the parties and the arbiter:
   duty: bob sha256:<64 hex digits>     bob owes a text with this hash
   proof: bob sha256:<64 hex digits>    whoever shows a text with this hash has proved that bob broke the terms
Accept a line only if you know who can know its text: whoever wrote a proof against you may have the text already.

Each step may take as many seconds as the param seconds says (a day; null: no clock); without agreement in
that time there are no terms. With the param term=N the terms end N seconds after they came in force: if
then one side alone owes a text the other wins, if both do nobody does, and otherwise the terms are kept. Who leaves terms
that are in force loses, unless the other side has said "fulfilled". "rematch" from both starts over.
All moves also as {"type": "move", "game": "judge", "action": "claim", "value": "TEXT"}.
"""

import hashlib
import re

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
}

GAME = "judge"
YEAR = 31536000
LONGEST = 8000  #: bytes of a text; what repeats it must fit into one hook's words
#: Each move with the phases in which it may be made.
PHASES = {
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
    "rematch": ("done",),
}
WITH_TEXT = ("propose", "accept", "deliver", "claim", "deny", "evidence", "rule")
NEEDS_TEXT = ("propose", "deliver", "claim", "evidence", "rule")
NOW = {
    "open": "nothing has started",
    "void": "nothing has started",
    "terms": "there are no terms in force yet",
    "force": "the terms are in force and there is no claim",
    "answer": "a claim waits for its answer",
    "evidence": "a claim waits for evidence",
    "ruling": "a claim waits for the arbiter",
    "done": 'it is over; "rematch" starts anew',
}
LINE = re.compile(r"^[ \t]*(duty|proof):[ \t]*(\S+)[ \t]+sha256:([0-9a-f]{64})\s*?$", re.MULTILINE)


def digest(text):
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def clock(value, name):
    if value is not None:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not 0 < value <= YEAR:
            raise ValueError(name + " must be a number above 0, or null")
    return value


class JudgeBot:
    def __init__(self, ctx, params):
        self.ctx = ctx
        self.me = "bot:" + ctx.bot_id
        self.terms, self.arbiter = params.get("terms"), params.get("arbiter")
        self.pieces = params.get("evidence", 3)
        self.seconds = clock(params.get("seconds", 86400), "seconds")
        self.term = clock(params.get("term"), "term")
        if self.terms is not None and not self.is_text(self.terms):
            raise ValueError("terms must be a text of at most %d bytes, or left out" % LONGEST)
        if self.arbiter is not None and not isinstance(self.arbiter, str):
            raise ValueError("arbiter must be a player id, or left out")
        if isinstance(self.pieces, bool) or self.pieces not in range(21):
            raise ValueError("evidence must be a whole number from 0 to 20")
        self.state = ctx.get_state() or {"phase": "open"}

    # What the room calls

    def on_init(self):
        self.say({"type": "prompt", "text": self.rules()})

    def on_start(self):
        if self.state["phase"] != "open":
            return
        parties = [player for player in self.ctx.players if player != self.arbiter]
        if self.arbiter is not None and self.arbiter not in self.ctx.players:
            self.void("the arbiter %s has no seat here" % self.arbiter[:40])
        elif len(parties) != 2:
            self.void("terms are between two parties, here are %d" % len(parties))
        else:
            self.begin(parties)
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
            to = [player] if msg.get("to") and player in self.ctx.players else None
            self.say({"type": "violation", "player": player, "reason": reason}, to)
            return
        self.act(player, action, value, msg.get("to"))
        self.save()

    def on_leave(self, player_id):
        phase = self.state["phase"]
        if phase in ("open", "void"):
            return
        if phase == "done":
            self.state["rematch"] = [one for one in self.state["rematch"] if one != player_id]
        elif player_id == self.arbiter:
            if phase == "ruling":
                self.finish([], "the arbiter left without a ruling")
        elif player_id not in self.state["players"]:
            return
        elif phase == "terms":
            self.finish([], "%s left before there was an agreement" % player_id)
        elif phase == "force" and self.other(player_id) in self.state["fulfilled"]:
            self.finish(self.state["players"], "the terms are kept; %s left" % player_id)
        else:
            self.ruling(self.other(player_id), "a", "%s left" % player_id)
        self.save()

    def on_timer(self, name):
        if name != "turn":
            return
        phase = self.state["phase"]
        if phase == "terms":
            self.finish([], "no agreement in time")
        elif phase == "force":
            self.term_is_over()
        elif phase == "answer":
            self.ruling(self.state["claimant"], "a", "no answer to the claim in time")
        elif phase == "evidence":
            self.judge()
        elif phase == "ruling":
            self.finish([], "the arbiter did not rule in time")
        self.save()

    # Reading a move

    def is_text(self, value):
        if not isinstance(value, str) or not value.strip():
            return False
        return len(value.encode("utf-8", "surrogatepass")) <= LONGEST

    def read_move(self, body):
        """(action, value), or (None, None) for chat."""
        if body.get("type") == "move" and body.get("game") == GAME:
            return str(body.get("action")), body.get("value")
        parts = str(body.get("text", "")).strip().split(None, 1)
        action = parts[0].lower().rstrip(":.!") if parts else ""
        if action in PHASES and len(parts) == 1:
            return action, None
        if action in WITH_TEXT and len(parts) == 2:
            return action, parts[1]
        return None, None

    def objection(self, player, action, value, to):
        """Why this player may not do this now, or nothing."""
        if action not in PHASES:
            return "the moves are " + ", ".join(PHASES)
        phase = self.state["phase"]
        if phase in ("open", "void"):
            return NOW[phase]
        if player != self.arbiter and player not in self.state["players"]:
            return "not a party here"
        if phase not in PHASES[action]:
            return "%s: not now, %s" % (action, NOW[phase])
        if (player == self.arbiter) != (action == "rule"):
            return "the arbiter rules, the parties do the rest"
        if to is not None and not (action == "deliver" and to == [self.me]):
            return "say it in public: only a delivery may be sealed, to=[\"%s\"]" % self.me
        if action in NEEDS_TEXT and not self.is_text(value):
            return "%s takes a text of at most %d bytes" % (action, LONGEST)
        if action == "deny" and value is not None and not self.is_text(value):
            return "deny takes a text of at most %d bytes, or nothing" % LONGEST
        return self.detail(player, action, value)

    def detail(self, player, action, value):
        state = self.state
        if action == "propose":
            return self.unfit(value)
        if action == "accept":
            return self.no_accept(player, value)
        if action == "deliver" and self.owed(player, value) is None and not self.proves(value):
            return "no duty of yours waits for a text with the hash sha256:" + digest(value)
        if action in ("fulfilled", "claim") and player in state["fulfilled"]:
            return "you have said that the terms are kept"
        if action == "claim" and player in state["claimed"]:
            return "one claim each, and you have made yours"
        if action == "cancel" and player in state["cancel"]:
            return "you have said so; waiting for " + self.other(player)
        if action == "drop" and player != state["claimant"]:
            return "it is not your claim"
        if action in ("admit", "deny") and player == state["claimant"]:
            return "it is your claim; the other side answers"
        if action in ("evidence", "rest") and player in state["rested"]:
            return "you have rested"
        if action == "rule" and self.ruled(value) not in state["players"] + ["nobody"]:
            return "rule %s, %s or nobody" % tuple(state["players"])
        if action == "rematch":
            if self.other(player) not in self.ctx.players:
                return self.other(player) + " has left"
            if player in state["rematch"]:
                return "you have asked; waiting for " + self.other(player)
        return None

    def unfit(self, text):
        """Why these cannot be terms, or nothing."""
        for kind, name, _ in LINE.findall(text):
            if name not in self.state["players"]:
                return "a line says %s: %s, who is no party" % (kind, name[:40])
        return None

    def no_accept(self, player, value):
        if self.state["hash"] is None:
            return 'there is no proposal yet: "propose TEXT"'
        said = str(value).strip().lower().removeprefix("sha256:")
        if said != self.state["hash"]:
            return 'that is another hash; to accept the proposal: "accept %s"' % self.state["hash"]
        if player in self.state["accepted"]:
            return "you have accepted; waiting for " + self.other(player)
        return None

    # What a move does

    def act(self, player, action, value, to):
        if action == "propose":
            self.propose(player, value.strip())
        elif action == "accept":
            self.accept(player)
        elif action == "deliver":
            self.deliver(player, value, to)
        elif action in ("fulfilled", "cancel"):
            self.agree_to_end(player, action)
        elif action == "claim":
            self.claim(player, value)
        elif action == "drop":
            self.say({"type": "dropped", "player": player})
            self.in_force()
        elif action == "admit":
            self.ruling(self.state["claimant"], "a", "%s admits it" % player)
        elif action == "deny":
            self.say({"type": "denied", "player": player, "text": value or ""})
            self.hear()
        elif action in ("evidence", "rest"):
            self.evidence(player, value if action == "evidence" else None)
        elif action == "rule":
            self.rule(value)
        else:
            self.rematch(player)

    def begin(self, parties):
        self.state = {
            "phase": "terms",
            "players": parties,
            "hash": None,
            "accepted": [],
            "duties": [],
            "proofs": [],
            "fulfilled": [],
            "cancel": [],
            "claimed": [],
            "claimant": None,
            "proved": [],
            "brought": {party: 0 for party in parties},
            "rested": [],
            "deadline": None,
            "rematch": [],
        }
        if self.terms is not None and self.unfit(self.terms.strip()):
            self.void("the terms do not fit: " + self.unfit(self.terms.strip()))
        elif self.terms is not None:
            self.propose(None, self.terms.strip())
        else:
            example = "propose %s writes a poem about rain; then %s says fulfilled." % tuple(parties)
            self.turn(parties, [example, "cancel"], self.seconds, "propose TEXT")

    def propose(self, player, text):
        self.state["hash"], self.state["accepted"] = digest(text), []
        self.state["duties"] = [[n, h] for kind, n, h in LINE.findall(text) if kind == "duty"]
        self.state["proofs"] = [[n, h] for kind, n, h in LINE.findall(text) if kind == "proof"]
        shown = {"type": "terms", "by": player, "hash": self.state["hash"], "text": text}
        self.say(shown | {"duties": self.state["duties"], "proofs": self.state["proofs"]})
        self.ask_to_accept()

    def ask_to_accept(self):
        missing = [one for one in self.state["players"] if one not in self.state["accepted"]]
        bodies = ["accept " + self.state["hash"], "cancel"]
        self.turn(missing, bodies, self.seconds, "propose TEXT for other terms")

    def accept(self, player):
        self.state["accepted"].append(player)
        self.say({"type": "accepted", "player": player, "hash": self.state["hash"]})
        if len(self.state["accepted"]) < 2:
            self.ask_to_accept()
            return
        if self.term is not None:
            self.state["deadline"] = self.ctx.now() + self.term
        self.say({"type": "in_force", "hash": self.state["hash"], "seconds": self.term})
        self.in_force()

    def in_force(self):
        """Wait for what the parties say of terms that are in force."""
        state = self.state
        state["phase"], state["claimant"], state["rested"] = "force", None, []
        waiting = [one for one in state["players"] if one not in state["fulfilled"]]
        movers = [one for one in waiting if one not in state["cancel"]]
        if not movers:  # one would cancel what the other says is kept
            movers, state["cancel"] = waiting, []
        bodies = ["fulfilled"]
        if not set(movers) & set(state["claimed"]):
            bodies.append("claim The terms were not kept.")
        left = None
        if state["deadline"] is not None:  # the term goes on, it does not begin anew
            left = min(self.term, max(0.001, state["deadline"] - self.ctx.now()))
        self.turn(movers, bodies + ["cancel"], left, "claim TEXT, deliver TEXT")

    def term_is_over(self):
        late = [one for one in self.state["players"] if self.debts(one)]
        if len(late) == 1:
            self.ruling(self.other(late[0]), "c", "%s did not deliver in time" % late[0])
        elif late:
            self.finish([], "the time is over and neither delivered")
        else:
            self.finish(self.state["players"], "the time is over and nobody claims: the terms are kept")

    def agree_to_end(self, player, how):
        self.say({"type": how, "player": player})
        if how == "cancel" and self.state["phase"] == "terms":
            self.finish([], "%s ended the talks" % player)
            return
        if how == "fulfilled":
            self.state["cancel"] = [one for one in self.state["cancel"] if one != player]
        self.state[how].append(player)
        if len(self.state[how]) < 2:
            self.in_force()
        elif how == "fulfilled":
            self.finish(self.state["players"], "both say that the terms are kept")
        else:
            self.finish([], "both cancel the terms")

    def deliver(self, player, text, to):
        found, owed = digest(text), self.owed(player, text)
        sealed = to == [self.me]
        if sealed and self.other(player) in self.ctx.players:
            self.say({"type": "delivery", "player": player, "text": text}, [self.other(player)])
        self.say({"type": "delivered", "player": player, "hash": found, "sealed": sealed})
        if owed is not None:
            self.state["duties"].remove(owed)
        self.state["proved"] += self.proves(text)

    def claim(self, player, text):
        state = self.state
        state["phase"], state["claimant"], state["cancel"] = "answer", player, []
        state["claimed"].append(player)
        state["brought"] = {party: 0 for party in state["players"]}
        other = self.other(player)
        self.say({"type": "claim", "player": player, "against": other, "text": text})
        self.turn([other], ["admit", "deny The terms were kept."], self.seconds, "deliver TEXT")

    def hear(self):
        """Wait for evidence, or judge when there can be no more."""
        state = self.state
        if state["phase"] != "evidence":
            state["phase"], state["rested"] = "evidence", []
        for party in state["players"]:
            if state["brought"][party] >= self.pieces and party not in state["rested"]:
                state["rested"].append(party)
        open_to = [one for one in state["players"] if one not in state["rested"]]
        if open_to:
            bodies = ["rest", "evidence It stands above in this room."]
            self.turn(open_to, bodies, self.seconds, "evidence TEXT, deliver TEXT")
        else:
            self.judge()

    def evidence(self, player, text):
        if text is None:
            self.state["rested"].append(player)
            self.say({"type": "rests", "player": player})
        else:
            self.state["brought"][player] += 1
            shown = {"type": "evidence", "player": player, "number": self.state["brought"][player]}
            against = self.proves(text)
            self.state["proved"] += against
            self.say(shown | {"hash": digest(text), "proves_against": against})
        self.hear()

    def judge(self):
        """Rules b to e: the evidence is in."""
        claimant = self.state["claimant"]
        other = self.other(claimant)
        if other in self.state["proved"]:
            self.ruling(claimant, "b", "a text is shown that proves it")
        elif self.debts(other) and self.due():
            self.ruling(claimant, "c", "%s has not delivered" % other)
        elif self.arbiter is None:
            self.ruling(other, "e", "the claim is not proved")
        elif self.arbiter not in self.ctx.players:
            self.finish([], "the arbiter left without a ruling")
        else:
            self.state["phase"] = "ruling"
            bodies = ["rule " + name for name in self.state["players"] + ["nobody"]]
            self.turn([self.arbiter], bodies, self.seconds, "reasons after the name")

    def rule(self, value):
        name = self.ruled(value)
        reasons = value.strip().split(None, 1)[1:]
        words = reasons[0] if reasons else "no reasons given"
        if name == "nobody":
            self.say({"type": "ruling", "for": None, "rule": "d", "text": words})
            self.finish([], "the arbiter rules for nobody")
        else:
            self.ruling(name, "d", words)

    def ruling(self, winner, rule, words):
        self.say({"type": "ruling", "for": winner, "rule": rule, "text": words})
        reason = "the arbiter rules for " + winner if rule == "d" else words
        self.finish([winner], "%s (rule %s)" % (reason, rule))

    def rematch(self, player):
        self.state["rematch"].append(player)
        if len(self.state["rematch"]) == 2:
            self.begin(self.state["players"])
        else:
            asked = '%s, say "rematch" for new terms' % self.other(player)
            self.say({"type": "rematch", "player": player, "text": asked})

    def finish(self, winners, reason):
        self.state["phase"] = "done"
        self.ctx.end({"winners": winners, "reason": reason})

    def void(self, reason):
        self.state["phase"] = "void"
        self.ctx.end({"winners": [], "reason": reason})

    # What the terms say

    def owed(self, player, text):
        """The duty that this text fulfils, or nothing."""
        duty = [player, digest(text)]
        return duty if duty in self.state["duties"] else None

    def debts(self, player):
        return [hashed for name, hashed in self.state["duties"] if name == player]

    def due(self):
        deadline = self.state["deadline"]
        return deadline is None or self.ctx.now() >= deadline

    def proves(self, text):
        """Against whom this text is a proof by the terms."""
        found = digest(text)
        return [name for name, hashed in self.state["proofs"] if hashed == found]

    def ruled(self, value):
        """The name in "alice because ...", without a comma or colon after it."""
        return value.strip().split(None, 1)[0].rstrip(",.:;")

    # Words

    def other(self, player):
        first, second = self.state["players"]
        return second if player == first else first

    def turn(self, players, bodies, seconds, also):
        expect = {"body": bodies, "also": also}
        self.ctx.set_turn(players, seconds=seconds, expect=expect)

    def rules(self):
        who = "the claim is not proved then"
        if self.arbiter is not None:
            who = '%s decides then: "rule NAME REASONS"' % self.arbiter[:40]
        return (
            '"propose TEXT"; I answer with its hash, and when both "accept HASH" the terms are in force.'
            ' Then "fulfilled" from both ends it well, "cancel" from both dissolves them, and "claim TEXT"'
            ' says the other broke them: "admit" or "deny TEXT", then "evidence TEXT" (%d pieces each) and'
            ' "rest". I rule for the claimant when it is admitted, unanswered, proved by a text whose hash'
            " the terms name (line proof: NAME sha256:HEX) or a text is owed (line duty: NAME sha256:HEX,"
            ' handed over with "deliver TEXT") and is due; %s. Leaving loses.' % (self.pieces, who)
        )

    def say(self, body, to=None):
        self.ctx.post("bot", body, to=to)

    def save(self):
        self.ctx.set_state(self.state)
