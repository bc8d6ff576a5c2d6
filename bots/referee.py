"""referee: what referees share, so that each of them is only its rules.

A source that begins a line with `import referee` or `from referee import Game` is handed this text
as it stands. It runs as the source does: in the same process of one hook, under the same
restrictions, every loop and call a tick. Its SHA-256 is part of what players accept when they join
(`library`, beside the referee's own `code_hash`), and the record of a room holds the text itself.

A referee is a class that inherits from `Game` and says

    manifest = MANIFEST     whose params with their defaults become self.params
    game = "coin"           the name of the game in {"type": "move", "game": "coin", ...}
    verbs = {"call": "call"}    words that take one more word -> the move that they mean
    gives_up = "concede"    what giving up is called; "resign" and "concede" both mean it
    begin(players)          deal and ask for the first move
    illegal(player, move, value)    why this player may not do that now, or None
    play(player, move, value)       do it, then ask for the next move or finish

and whatever else differs from what stands here. `Game` greets with the rules, answers !help, waits
until all are seated, reads moves, says why one is refused (in private, when it was tried in
private), runs the clock, lets players give up, leave and ask for a rematch, and keeps the state.
Moves that are made together (`together`) wait until all are in and are then opened at once; with
`sealed` one that others can read is void. The functions at the top need no class.

The state is one object, `self.state`, kept after every hook that changes it. Of its fields `phase`
("open", "playing", "done", or "void" where nothing could begin), `players`, `standing` (who is
still in it), `turn`, `deadline`, `rematch`, `bank` and `since` are those of `Game`; all others are
yours, and so is `stage` where a game has `stages`.
"""

import datetime
import hashlib
import json
import re
import secrets

#: What a manifest's params may be; a whole number is no truth value, as it is in Python.
TYPES = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "array": list,
    "object": dict,
    "null": type(None),
}
GIVING_UP = ("resign", "concede")
YEAR = 31536000  #: no clock of a room is longer


# --- reading ---------------------------------------------------------------------------------


def said(body):
    """The body of a message; of a text that is a JSON object, that object."""
    text = body.get("text")
    if isinstance(text, str) and text.strip().startswith("{"):
        try:
            found = json.loads(text)
        except ValueError:
            return body
        return found if isinstance(found, dict) else body
    return body


def words(body):
    """The words of a body in small letters: "Guess: 42!" is guess, 42; "(B)" is b."""
    return str(body.get("text", "")).lower().replace(":", " ").strip(" .!()").split()


def command(body):
    """(the first word in small letters, the rest as it stands): "Ask: Who?" is ask, "Who?"."""
    first, rest = [*str(body.get("text", "")).split(None, 1), "", ""][:2]
    return first.lower().strip(" .:!()"), rest.strip()


def whole(value):
    """The whole number that is meant by 42, 42.0, "42" or "+42"; None for anything else."""
    if isinstance(value, str) and re.fullmatch("[+-]?[0-9]{1,15}", value):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def option(value, options):
    """The one of these texts that is meant by itself or by its letter: "b" and "(B)" are the
    second; None where none is."""
    folded = str(value).strip().casefold()
    for one in options:
        if one.strip().casefold() == folded:
            return one
    letter = folded.strip(" ().:!")
    at = "abcdefghijklmnopqrstuvwxyz".find(letter) if len(letter) == 1 else -1
    return options[at] if 0 <= at < len(options) else None


def is_text(value, most):
    """Whether this is a text, not blank, of at most so many bytes."""
    return isinstance(value, str) and bool(value.strip()) and len(value.encode()) <= most


def samples(low, high):
    """Up to five whole numbers from low to high, evenly apart: for an ``expect`` in which all of
    them would be too many."""
    return sorted({low + (high - low) * quarter // 4 for quarter in range(5)})


def listed(names, last="and"):
    """a, b and c"""
    names = list(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}" if len(names) > 1 else "".join(names)


def utc(seconds):
    """2027-01-15T08:00:00Z; strftime would write early years otherwise on other machines."""
    return datetime.datetime.fromtimestamp(int(seconds), datetime.UTC).isoformat()[:19] + "Z"


# --- params ----------------------------------------------------------------------------------


def is_a(value, kind):
    """Whether a value is of this type of JSON schema."""
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, TYPES[kind])


def wrong(value, rule):
    """What a value lacks of what a param's rule asks for, or None."""
    kinds = rule.get("type", list(TYPES))
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if not any(is_a(value, kind) for kind in kinds):
        return f"must be {listed(kinds, 'or')}"
    if "enum" in rule and value not in rule["enum"]:
        return f"must be {listed(map(str, rule['enum']), 'or')}"
    if is_a(value, "number"):
        if value < rule.get("minimum", value):
            return f"must be at least {rule['minimum']}"
        if value > rule.get("maximum", value):
            return f"must be at most {rule['maximum']}"
        if "exclusiveMinimum" in rule and value <= rule["exclusiveMinimum"]:
            return f"must be above {rule['exclusiveMinimum']}"
    if isinstance(value, str):
        return wrong_text(value, rule)
    return wrong_list(value, rule) if isinstance(value, list) else None


def wrong_text(value, rule):
    """The same of a text."""
    if len(value) < rule.get("minLength", 0):
        return f"must have at least {rule['minLength']} characters"
    if len(value) > rule.get("maxLength", len(value)):
        return f"must have at most {rule['maxLength']} characters"
    if not re.search(rule.get("pattern", ""), value):
        return f"must be as {rule['pattern']}"
    return None


def wrong_list(value, rule):
    """The same of a list and of what is in it."""
    if len(value) < rule.get("minItems", 0):
        return f"must have {rule['minItems']} or more"
    if len(value) > rule.get("maxItems", len(value)):
        return f"must have {rule['maxItems']} or fewer"
    faults = [wrong(one, rule.get("items", {})) for one in value]
    return next((f"has one that {fault}" for fault in faults if fault), None)


def filled(params, manifest):
    """The params with the manifest's defaults for those that are not given; ValueError for one that
    is not as its rule says."""
    rules = manifest.get("params", {}).get("properties", {})
    found = dict(params)
    for name, rule in rules.items():
        found.setdefault(name, rule.get("default"))
        if name in params or "default" in rule:
            fault = wrong(found[name], rule)
            if fault:
                raise ValueError(f"{name} {fault}")
    return found


# --- secrets and scores ----------------------------------------------------------------------


def digest(text, salt):
    """The SHA-256 of a text followed by its salt, in hex: what a commitment publishes."""
    return hashlib.sha256((text + salt).encode()).hexdigest()


def commit(text):
    """(salt, digest): publish the digest now; text and salt, when it is time, open it."""
    salt = secrets.token_hex(16)
    return salt, digest(text, salt)


def points(players, winners):
    """1 for each who won and 0 for the others; a half for each in a draw."""
    return {one: int(one in winners) if winners else 0.5 for one in players}


# --- the game --------------------------------------------------------------------------------


class Game:
    """A game in which players move in turn or together; see the top of this text."""

    manifest = {}
    game = ""
    noun, role = "game", "player"  #: what it is called when something is refused
    verbs = {}
    texts = ()  #: moves that take all that follows them as it stands
    stages = {}  #: moves -> the stages of the game in which they may be made
    situations = {}  #: stages -> what is going on then, as a refusal says it
    once = ()  #: moves that wait for the others': a list of the state of this name has who made it
    moves = ()  #: left out, those of `stages` or `verbs`
    names = ()  #: the moves as a player is told them; left out, `moves`
    gives_up = "resign"  #: None: nobody can
    least = None  #: players that it takes; left out, the manifest's min_seats, else 2
    rotates = True  #: in a rematch the next player begins
    together = ""  #: the field of the state where moves wait that are made together
    sealed = False  #: those count only if nobody else can read them
    choices = ()  #: what those may be, as players are told: a list, or a text ("bid N, 1 to 9")
    team = False  #: all play together: who is left goes on alone

    def __init__(self, ctx, params):
        self.ctx, self.me, self.msg = ctx, "bot:" + ctx.bot_id, {}
        self.params = filled(params, self.manifest)
        self.seconds = self.params.get("seconds")
        self.fewest = self.least or self.manifest.get("min_seats", 2)
        self.pair = self.manifest.get("max_seats") == 2
        self.own = list(self.moves or self.stages or dict.fromkeys(self.verbs.values()))
        self.state = ctx.get_state() or {"phase": "open"}
        self.check()

    # What a referee says of itself

    def check(self):
        """Raise ValueError for params that make no game together."""

    def begin(self, players):
        """Deal: `self.deal(players, …)`, then `self.ask(…)` or `self.gather()`."""
        raise NotImplementedError("a Game needs begin(self, players)")

    def bare(self, word):
        """The move that is meant by one word alone, such as heads or 5; None: it is talk."""
        more = (*self.verbs.values(), *self.texts)  # these take another word
        return word if word in self.own and word not in more else None

    def illegal(self, player, move, value):
        """Why this player may not do this now, or None."""
        return None

    def play(self, player, move, value):
        """Do what is not illegal."""
        raise NotImplementedError("a Game needs play(self, player, move, value)")

    def opened(self):
        """All moves that are made together are in: `self.state[self.together]`."""

    def without(self, player):
        """Go on after a player who is out: if it was that player's turn, the next one is asked the
        same."""
        if self.together:
            self.open_or_wait()
        elif self.state["turn"] == player:
            self.ask(self.after(player)[0], self.state["expect"])

    def expects(self):
        """What those who move together are told that they may say."""
        bodies = self.choices if isinstance(self.choices, str) else list(self.choices)
        return self.sealing(bodies) if self.sealed else bodies

    def must_seal(self, move):
        """Whether a move that others can read is void."""
        return self.sealed

    def late(self):
        """The turn's time is up: who was to move is out of it. Of several who were, those who have
        not moved; if nobody has, nobody wins."""
        late, standing = [self.state["turn"]], self.state["standing"]
        if late == [None]:
            late = self.waiting() if self.together else standing
        if len(late) == len(standing) > 1:
            self.finish([], "nobody moved in time")
            return
        for player in late:
            if self.state["phase"] == "playing":
                self.out(player, "ran out of time")

    def too_few(self):
        """Why nothing begins."""
        return f"this {self.noun} takes {'two players' if self.pair else 'two players or more'}"

    def scores(self, winners):
        """What the result says of each player; None: nothing."""
        return None

    def rules(self):
        """What !help answers."""
        moves = [one for one in self.manifest.get("moves", []) if isinstance(one, str)]
        moves = moves or self.told()
        return f"{self.manifest.get('summary', '')} Moves: {', '.join(moves)}.".strip() + (
            self.timed("Each move within %g seconds.")
        )

    # What the room calls

    def on_init(self):
        self.say({"type": "prompt", "text": self.rules()})

    def on_start(self):
        players = self.ctx.players[:2] if self.pair else self.ctx.players
        if self.state["phase"] != "open" or not players:
            return
        if len(players) >= self.fewest:
            self.begin(players)
        else:
            self.void(self.too_few())
        self.save()

    def on_message(self, msg):
        player, self.msg = msg["sender"], msg
        body = said(msg["body"])
        if str(body.get("text", "")).strip().lower() == "!help":
            self.say({"type": "help", "text": self.rules()})
            return
        move, value = self.read(body)
        if move is None:
            return
        reason = self.objection(player, move, value)
        if reason:
            self.refuse(player, reason)
            return
        if move in self.own:
            self.play(player, move, value)
        elif move == "rematch":
            self.rematch(player)
        else:
            self.out(player, "conceded" if move == "concede" else move + "ed")
        self.save()

    def on_leave(self, player_id):
        if self.state["phase"] == "playing" and player_id in self.state["standing"]:
            self.out(player_id, "left")
            self.save()
        elif self.state["phase"] == "done":
            self.start_again()
            self.save()

    def on_timer(self, name):
        if name == "turn" and self.state["phase"] == "playing":
            self.late()
            self.save()

    # Reading a move and judging whether it may be made

    def read(self, body):
        """(move, value), or (None, None) for talk."""
        parts, (first, rest) = words(body), command(body)
        move, value = None, parts[-1] if parts else None
        if body.get("type") == "move" and body.get("game") == self.game:
            move, value = str(body.get("action")), body.get("value")
        elif first in self.texts:
            move, value = first, rest or None
        elif len(parts) == 1:
            control = value in (*GIVING_UP, self.gives_up, "rematch")
            move = value if control else self.bare(value)
            value = None if move == value else value
        elif len(parts) == 2:
            move = self.verbs.get(parts[0])
        return (self.gives_up or move if move in GIVING_UP else move), value

    def objection(self, player, move, value):
        """Why this player may not do this now, whatever the game is; then why not in this one."""
        phase = self.state["phase"]
        if move not in [*self.own, self.gives_up, "rematch"]:
            return f"the moves are {listed(self.told())}"
        if phase in ("open", "void"):
            return f"the {self.noun} has not started"
        if player not in self.state["players"]:
            return f"not a {self.role} of this {self.noun}"
        if move == "rematch":
            return self.no_rematch(player)
        if phase == "done":
            return f'the {self.noun} is over; "rematch" asks for another'
        if player not in self.state["standing"]:
            return f"out of the {self.noun}"
        if move not in self.own:
            return None
        return self.too_early(player, move) or self.illegal(player, move, value)

    def told(self):
        """The moves as players are told them."""
        choices = [self.choices] if isinstance(self.choices, str) else self.choices
        all_of_them = [*(self.names or choices or self.own), self.gives_up, "rematch"]
        return [one for one in dict.fromkeys(all_of_them) if one]

    def too_early(self, player, move):
        """Why it is not for this player to move, or not so, or None."""
        if self.state["turn"] not in (None, player):
            return f"not your turn, it is {self.state['turn']}"
        early = self.not_now(player, move)
        if early or not self.together:
            return early
        if player in self.state[self.together]:
            others = listed(self.waiting())
            return f"your {move} is final" + (others and f"; waiting for {others}")
        if self.must_seal(move) and self.msg.get("to") != [self.me]:
            return (
                "void: others could read it, so it does not count."
                f' {move.capitalize()} again, sealed: to=["{self.me}"]'
            )
        return None

    def not_now(self, player, move):
        """Why this is no move of the stage that the game is in, or no more, or None."""
        if self.stages and self.state["stage"] not in self.stages[move]:
            return f"{move}: not now, {self.situations[self.state['stage']]}"
        if move in self.once and player in self.state[move]:
            return f"you have said so; waiting for {listed(self.missing(move))}"
        return None

    # Turns

    def deal(self, players, **fields):
        """A new game of these players, with fields of the state of your own."""
        self.state = {
            "phase": "playing",
            "players": players,
            "standing": list(players),
            "turn": None,
            "deadline": None,
            "rematch": [],
        }
        self.state |= {move: [] for move in self.once} | fields

    def ask(self, players, expect, go_on=False):
        """Have one player, or several, move. ``go_on``: the clock does not begin anew."""
        if not go_on:
            self.pay()
        several = [players] if isinstance(players, str) else players
        self.state["turn"] = players if isinstance(players, str) else None
        if not self.pair:
            self.state["expect"] = expect
        self.ctx.set_turn(several, seconds=self.clock(players, go_on), expect=expect)

    def sealing(self, bodies, **more):
        """What to expect of players who are to say one of these sealed."""
        return {"body": bodies, "to": [self.me]} | more

    def after(self, player):
        """The players who are still in it, from the one who follows this one to this one."""
        players = self.state["players"]
        at = players.index(player) + 1
        return [one for one in players[at:] + players[:at] if one in self.state["standing"]]

    def other(self, player):
        """The opponent in a game of two."""
        players = self.state["players"]
        return players[players.index(player) - 1]

    # Clocks

    def clock(self, players, go_on):
        """The seconds of the turn that begins, or of the one that goes on; None: no clock."""
        now, limits = self.ctx.now(), [] if self.seconds is None else [self.seconds]
        if isinstance(players, str) and "bank" in self.state:
            limits.append(min(YEAR, max(0.001, self.state["bank"][players])))
        if not limits:
            self.state["deadline"] = None
            return None
        if go_on and self.state["deadline"] is not None:
            return min([*limits, max(0.001, self.state["deadline"] - now)])
        self.state |= {"since": now, "deadline": now + min(limits)}
        return min(limits)

    def bank(self, seconds, increment=0):
        """Give each player so many seconds for the whole game, and some more for each move; the
        seconds of a turn, if there are any, bound each of them besides."""
        self.state["bank"] = {one: seconds for one in self.state["players"]}
        self.state["increment"] = increment

    def pay(self):
        """End a turn: take from the bank what it has lasted. `ask` does it, too."""
        player, self.state["turn"] = self.state["turn"], None
        if player is not None and "bank" in self.state:
            used = max(0, self.ctx.now() - self.state["since"])
            left = max(0, self.state["bank"][player] - used)
            self.state["bank"][player] = round(left + self.state["increment"], 3)

    def timed(self, text):
        """A sentence about the seconds of a turn, for the rules; without a clock nothing."""
        return "" if self.seconds is None else " " + text % self.seconds

    # Moves made together

    def gather(self):
        """Have all who are still in it move, none of them knowing the others' moves."""
        self.state[self.together] = {}
        self.ask(self.waiting(), self.expects())

    def take(self, player, value):
        """Keep a move until all are in."""
        self.state[self.together][player] = value
        self.open_or_wait()

    def open_or_wait(self):
        """Open all moves, or have the others go on."""
        if self.waiting():
            self.ask(self.waiting(), self.expects(), go_on=True)
        else:
            self.opened()

    def waiting(self):
        """Who has not moved yet."""
        return self.missing(self.together)

    def missing(self, name):
        """Those still in it whom this list of the state does not hold."""
        return [one for one in self.state["standing"] if one not in self.state[name]]

    # Ending and beginning again

    def out(self, player, how):
        """A player is out of it; the last one left wins, unless all play together."""
        self.state["standing"].remove(player)
        self.state.get(self.together, {}).pop(player, None)
        if not self.pair:
            self.say({"type": self.gives_up, "player": player, "text": how})
        if len(self.state["standing"]) > (not self.team):
            self.without(player)
        else:
            self.finish(self.state["standing"], f"{player} {how}")

    def finish(self, winners, reason):
        """Say who has won."""
        winners = list(winners)
        self.state |= {"phase": "done", "turn": None, "deadline": None}
        result = {"winners": winners, "reason": reason}
        scores = self.scores(winners)
        self.ctx.end(result if scores is None else result | {"scores": scores})

    def void(self, reason):
        """Say why nothing begins."""
        self.state["phase"] = "void"
        self.ctx.end({"winners": [], "reason": reason})

    def no_rematch(self, player):
        """Why this player may not ask for a rematch now, or None."""
        if self.state["phase"] != "done":
            return f"the {self.noun} is still going on"
        if not self.enough():
            return f"{self.other(player)} has left" if self.pair else "the others have left"
        if player in self.state["rematch"]:
            return f"you have asked; waiting for {listed(self.not_asking())}"
        return None

    def rematch(self, player):
        """A player asks for a rematch."""
        self.state["rematch"].append(player)
        if not self.start_again():
            text = f'{listed(self.not_asking())}, say "rematch" to play again'
            self.say({"type": "rematch", "player": player, "text": text})

    def start_again(self):
        """Begin when all who are still here have asked."""
        here = self.here()
        self.state["rematch"] = [one for one in self.state["rematch"] if one in here]
        if not here or not self.enough() or self.not_asking():
            return False
        self.begin(here[1:] + here[:1] if self.rotates else here)
        return True

    def here(self):
        """The players of this game who still have a seat."""
        return [one for one in self.state["players"] if one in self.ctx.players]

    def enough(self):
        """Whether those still here can play again: a pair, one of a team, who played alone."""
        return len(self.here()) >= min(1 if self.team else 2, len(self.state["players"]))

    def not_asking(self):
        """Those of them who have not asked for a rematch."""
        return [one for one in self.here() if one not in self.state["rematch"]]

    # Words

    def say(self, body, to=None):
        """Post a message to all, or to some alone."""
        self.ctx.post("bot", body, to=to)

    def refuse(self, player, reason):
        """Say why a move does not count; what was tried in private is answered in private, for the
        answer is about its content."""
        alone = self.msg.get("to") and player in self.ctx.players
        body = {"type": "violation", "player": player, "reason": reason}
        self.say(body, [player] if alone else None)

    def save(self):
        """Keep the state."""
        self.ctx.set_state(self.state)
