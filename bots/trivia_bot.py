"""TriviaBot: a quiz; answers sealed and opened together, or the first right answer takes the point.

Moves:   A, B, C or D    or the answer itself, or "answer ..."; "pass" if you do not know
         or {"type": "move", "game": "trivia", "action": "answer", "value": "B"}
         resign     gives up
         rematch    after the end; a new quiz begins when all who are here have asked

When everybody is here I draw the questions and publish a commitment to each of them before the
first is asked: sha256(question + "\\n" + answer + "\\n" + salt), the salt 32 hex digits. I reveal
answer and salt when a question is over, those of questions not asked at the end. The salt also puts
the options in order.

mode="sealed": send your answer to me alone, post_message(body="B", to=["bot:<my id>"]). It is
final, and is shown when all have answered. An answer that others can read is void and costs
nothing: send it again, sealed. mode="first": answer in public; the first right answer takes the
point, a wrong one puts you out of that question. Each question is one point. Most points win; if
all have the same it is a draw. With the param seconds=N who has not answered within N seconds gets
no point. Leaving is resigning; the last one left wins.

What is hidden, and what is not: my source and the params are public. So everybody can read the
answers to the built-in questions below, and to questions given as params; nobody can know which of
them I draw. With set="numbers" I make the questions with the room's dice at the start, and their
answers stand nowhere: they have to be worked out.
"""

import datetime
import hashlib

from referee import Game, digest, is_a, option

MANIFEST = {
    "name": "TriviaBot",
    "version": "1.0",
    "summary": "A quiz with committed answers: sealed and opened together, or first right answer.",
    "label": "trivia",
    "seats": ["alice", "bob"],
    "min_seats": 2,
    "max_seats": 8,
    "params": {
        "type": "object",
        "properties": {
            "count": {
                "type": "integer",
                "minimum": 1,
                "maximum": 20,
                "default": 5,
                "description": "questions asked",
            },
            "mode": {
                "type": "string",
                "enum": ["sealed", "first"],
                "default": "sealed",
                "description": "answers opened together, or the first right one takes the point",
            },
            "set": {
                "type": "string",
                "enum": ["general", "numbers"],
                "default": "general",
                "description": "built-in questions, or sums made by the dice",
            },
            "questions": {
                "type": ["array", "null"],
                "minItems": 1,
                "maxItems": 200,
                "default": None,
                "description": "your own questions instead; everybody can read them",
                "items": {
                    "type": "object",
                    "properties": {
                        "question": {"type": "string", "minLength": 1, "maxLength": 300},
                        "answer": {"type": "string", "minLength": 1, "maxLength": 100},
                        "options": {
                            "type": "array",
                            "minItems": 2,
                            "maxItems": 6,
                            "items": {"type": "string"},
                            "description": "with the answer among them; none: answered in words",
                        },
                        "accept": {
                            "type": "array",
                            "maxItems": 20,
                            "items": {"type": "string"},
                            "description": "other spellings of an answer in words",
                        },
                    },
                    "required": ["question", "answer"],
                    "additionalProperties": False,
                },
            },
            "seconds": {
                "type": ["number", "null"],
                "exclusiveMinimum": 0,
                "maximum": 31536000,
                "default": None,
                "description": "time for each question; null: no clock",
            },
        },
        "additionalProperties": False,
    },
    "moves": [
        'A, B, C or D; sealed with to=["bot:trivia"] unless mode is first',
        "answer ...",
        "pass",
        "resign",
        "rematch",
        {"type": "move", "game": "trivia", "action": "answer", "value": "B"},
        {"type": "move", "game": "trivia", "action": "resign"},
    ],
    "show": [
        {"panel": "text", "of": "question"},
        {"panel": "table", "of": "options"},
        {"panel": "table", "of": "answers", "title": "Answers"},
        {"panel": "table", "of": "score", "title": "Score"},
    ],
}

LETTERS = "ABCDEF"
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]

#: question | answer | three wrong ones
GENERAL = """\
What is the chemical symbol of tungsten? | W | Tu | Tg | Wo
Which planet has the shortest day? | Jupiter | Saturn | Mercury | Earth
Which element has the atomic number 79? | Gold | Silver | Platinum | Mercury
How many bones does an adult human usually have? | 206 | 196 | 216 | 226
Which gas makes up most of the Earth's atmosphere? | Nitrogen | Oxygen | Argon | Carbon dioxide
Which particle carries the electromagnetic force? | Photon | Gluon | W boson | Electron
What is the SI unit of capacitance? | Farad | Henry | Weber | Tesla
Which organ makes insulin? | Pancreas | Liver | Spleen | Kidney
What is measured in parsecs? | Distance | Time | Brightness | Temperature
Which is the largest moon in the solar system? | Ganymede | Titan | Callisto | Io
Which metal is liquid at room temperature? | Mercury | Tin | Sodium | Lead
What does DNA store its code in? | Four bases | Three sugars | Twenty amino acids | Two lipids
In which year did the Berlin Wall fall? | 1989 | 1987 | 1991 | 1985
Who was the first woman to win a Nobel Prize? | Marie Curie | Lise Meitner | Bertha von Suttner | Selma Lagerlof
What ended the Thirty Years' War? | Peace of Westphalia | Treaty of Utrecht | Peace of Augsburg | Congress of Vienna
In which year did people first walk on the Moon? | 1969 | 1965 | 1971 | 1973
Which city was once called Byzantium? | Istanbul | Athens | Alexandria | Antioch
Who wrote "The Prince"? | Machiavelli | Erasmus | Montaigne | Thomas More
Which empire did Atahualpa rule? | Inca | Aztec | Maya | Olmec
In which year was Magna Carta sealed? | 1215 | 1066 | 1314 | 1415
Which ancient wonder stood in Rhodes? | The Colossus | The Lighthouse | The Mausoleum | The Hanging Gardens
Who led the first voyage that went around the world? | Magellan | Columbus | Vasco da Gama | Drake
What is the capital of Australia? | Canberra | Sydney | Melbourne | Perth
Which is the longest river in Europe? | Volga | Danube | Dnieper | Rhine
Which is the deepest lake in the world? | Baikal | Tanganyika | Superior | Titicaca
Which is the smallest country by area? | Vatican City | Monaco | San Marino | Nauru
Which strait lies between Asia and North America? | Bering Strait | Strait of Hormuz | Davis Strait | Cook Strait
What is the capital of Canada? | Ottawa | Toronto | Montreal | Vancouver
In which country is Mount Kilimanjaro? | Tanzania | Kenya | Uganda | Ethiopia
Which is the largest island? | Greenland | New Guinea | Borneo | Madagascar
Which river flows through Baghdad? | Tigris | Euphrates | Jordan | Nile
Which country is shaped like a boot? | Italy | Portugal | Norway | Chile
Who painted "The Night Watch"? | Rembrandt | Vermeer | Rubens | Frans Hals
Who composed "The Four Seasons"? | Vivaldi | Bach | Handel | Telemann
Who wrote "One Hundred Years of Solitude"? | Garcia Marquez | Borges | Vargas Llosa | Cortazar
In which city is the Prado? | Madrid | Lisbon | Barcelona | Rome
How many strings does a violin have? | 4 | 5 | 6 | 3
In which play does Prospero appear? | The Tempest | Macbeth | Twelfth Night | King Lear
Who wrote "Frankenstein"? | Mary Shelley | Bram Stoker | Emily Bronte | Edgar Allan Poe
How many lines has a sonnet? | 14 | 12 | 16 | 10
Who directed "Seven Samurai"? | Kurosawa | Ozu | Mizoguchi | Kobayashi
Which composer wrote nine symphonies and went deaf? | Beethoven | Mozart | Haydn | Brahms
Which is the smallest perfect number? | 6 | 8 | 12 | 28
What does the H in HTTP stand for? | Hypertext | High | Hyperlink | Host
How many edges has a cube? | 12 | 8 | 6 | 10
What do the inner angles of a hexagon add up to? | 720 degrees | 540 degrees | 900 degrees | 600 degrees
Who invented quicksort? | Tony Hoare | Edsger Dijkstra | Donald Knuth | Niklaus Wirth
How many prime numbers are below 20? | 8 | 7 | 9 | 10
Whose notes describe a program for the Analytical Engine? | Ada Lovelace | Alan Turing | George Boole | Grace Hopper
How many faces has a dodecahedron? | 12 | 10 | 20 | 8
Which is the largest living bird? | Ostrich | Emu | Albatross | Condor
How many hearts has an octopus? | 3 | 1 | 2 | 8
Which of these mammals lays eggs? | Platypus | Bat | Sloth | Armadillo
Which plant gives vanilla? | An orchid | A palm | A lily | A cactus
Which animal is the fastest on land? | Cheetah | Pronghorn | Lion | Ostrich
How many players has a rugby union side on the field? | 15 | 13 | 11 | 14
In which country were the first modern Olympic Games? | Greece | France | England | Italy
How many rings are on the Olympic flag? | 5 | 4 | 6 | 7
Which language has the most native speakers? | Mandarin | English | Spanish | Hindi
Which currency is used in Switzerland? | Franc | Euro | Krone | Mark
"""


def is_text(value, longest):
    return isinstance(value, str) and bool(value.strip()) and len(value) <= longest


def plain(text):
    """Case, outer punctuation and a leading article make no difference."""
    words = text.casefold().strip(" .,!?\"'").split()
    if len(words) > 1 and words[0] in ("a", "an", "the"):
        words = words[1:]
    return " ".join(words)


def checked(questions):
    """The questions of the params, or the reason why they are none."""
    if not isinstance(questions, list) or not 1 <= len(questions) <= 200:
        raise ValueError("questions must be a list of 1 to 200")
    for number, item in enumerate(questions):
        where = f"questions[{number}]"
        if not isinstance(item, dict) or not {"question", "answer"} <= set(item):
            raise ValueError(where + " must be an object with question and answer")
        if not is_text(item["question"], 300) or "\n" in item["question"]:
            raise ValueError(where + ".question must be one line of at most 300 characters")
        options, accept = item.get("options"), item.get("accept", [])
        lists = [[item["answer"]], accept, [] if options is None else options]
        if not all(isinstance(one, list) and len(one) <= 20 for one in lists):
            raise ValueError(where + ": options and accept must be short lists")
        if not all(is_text(text, 100) and "\n" not in text for one in lists for text in one):
            raise ValueError(where + ": answers must be one line of at most 100 characters")
        if options is not None:
            different = len({plain(text) for text in options}) == len(options)
            if not 2 <= len(options) <= 6 or not different or item["answer"] not in options:
                raise ValueError(where + ".options: 2 to 6 different ones, the answer among them")
    return questions


def built_in():
    rows = [[part.strip() for part in line.split("|")] for line in GENERAL.splitlines()]
    return [{"question": row[0], "answer": row[1], "options": row[1:]} for row in rows]


def made(numbers):
    """A sum from five random numbers. The answer's place among the options is random, too."""
    kind, place, x, y = numbers[0] % 4, numbers[1] % 4, numbers[2], numbers[3]
    offsets = [step - place for step in range(4)]
    if kind == 0:
        a, b = 23 + x % 77, 23 + y % 77
        question = f"What is {a} times {b}?"
        options = [str(a * b + 10 * step) for step in offsets]
    elif kind == 1:
        a, b = 10000 + x % 90000, 13 + y % 80
        question = f"What remains of {a} divided by {b}?"
        options = [str((a + step) % b) for step in offsets]
    elif kind == 2:
        a = 20000 + x % 40000
        question = f"What is {a} in hexadecimal?"
        options = [f"{a + 16 * step:X}" for step in offsets]
    else:
        day = datetime.date.fromordinal(693961 + x % 73049)  # 1901 to 2100
        question = f"Which day of the week is {day.isoformat()}?"
        options = [DAYS[(day.weekday() + step) % 7] for step in offsets]
    return {"question": question, "answer": options[place], "options": options}


class TriviaBot(Game):
    manifest = MANIFEST
    game = "trivia"
    moves = texts = ("answer",)
    names = ("an answer",)
    rotates = False
    together = "answers"

    def check(self):
        self.sealed, self.questions = self.params["mode"] == "sealed", self.params["questions"]
        if self.questions is not None and self.state["phase"] == "open":
            checked(self.questions)

    # Reading an answer

    def read(self, body):
        """(move, value), or (None, None) for talk. What is sent to me alone is an answer."""
        move, value = super().read(body)
        text = body.get("text")
        if move is not None or not isinstance(text, str) or not text.split():
            return move, value
        playing = self.state["phase"] == "playing"
        word = text.strip().lower().rstrip(" .!")
        known = playing and (word == "pass" or self.option_of(text) is not None)
        alone = self.msg.get("to") == [self.me]
        return ("answer", text.strip()) if alone or known else (None, None)

    def option_of(self, value):
        """The option that a letter or a text means, if any."""
        options = self.item()["options"]
        if options is None:
            return None
        same = [one for one in options if plain(one) == plain(str(value))]
        return same[0] if same else option(value, options)

    def answer_of(self, value):
        """The answer as it counts: an option, words, or "" for a pass. None: not an answer."""
        if is_a(value, "integer"):
            value = str(value)
        if not is_text(value, 100):
            return None
        if plain(value) == "pass":
            return ""
        return value.strip() if self.item()["options"] is None else self.option_of(value)

    def illegal(self, player, move, value):
        if self.answer_of(value) is not None:
            return None
        options = self.item()["options"]
        if options is None:
            return "an answer is a line of at most 100 characters"
        return f"answer {', '.join(LETTERS[: len(options)])}, or pass"

    # A quiz

    def begin(self, players):
        """Draw and commit. How often the dice are used depends on nothing that is secret."""
        items, asked = self.drawn(self.state.get("asked", []))
        for item in items:
            salt = "".join(f"{self.ctx.random.randrange(1 << 32):08x}" for _ in range(4))
            text = item["question"] + "\n" + item["answer"] + "\n" + salt
            item["salt"], item["hash"] = salt, hashlib.sha256(text.encode()).hexdigest()
            if item["options"] is not None:
                item["options"] = sorted(item["options"], key=lambda one: digest(one, salt))
        score = {player: 0 for player in players}
        self.deal(players, score=score, items=items, asked=asked, number=0)
        hashes = [item["hash"] for item in items]
        self.say({"type": "commitment", "questions": len(items), "commitment_hashes": hashes})
        self.pose()

    def drawn(self, asked):
        """(the questions of a quiz, the numbers of all that were drawn): none twice, if possible."""
        count = self.params["count"]
        if self.questions is None and self.params["set"] == "numbers":
            fives = [[self.ctx.random.randrange(1 << 32) for _ in range(5)] for _ in range(count)]
            return [made(five) | {"accept": []} for five in fives], []
        pool = built_in() if self.questions is None else self.questions
        count = min(count, len(pool))
        fresh = [at for at in range(len(pool)) if at not in asked]
        if len(fresh) < count:
            fresh, asked = list(range(len(pool))), []
        picked = self.ctx.random.sample(fresh, count)
        return [{"options": None, "accept": []} | pool[at] for at in picked], asked + picked

    def pose(self):
        state, item = self.state, self.item()
        posed = {"type": "question", "number": state["number"] + 1, "of": len(state["items"])}
        posed["question"] = item["question"]
        if item["options"] is not None:
            posed["options"] = dict(zip(LETTERS, item["options"], strict=False))
        self.say(posed)
        self.gather()

    def expects(self):
        options = self.item()["options"]
        bodies = ["answer ..."] if options is None else list(LETTERS[: len(options)])
        bodies.append("pass")
        return self.sealing(bodies) if self.sealed else bodies

    def play(self, player, move, value):
        answer = self.answer_of(value)
        right = self.is_right(answer)
        if self.sealed:
            self.say({"type": "answered", "player": player})
        elif not right:
            wrong = {"type": "wrong", "player": player}
            self.say(wrong if self.msg.get("to") else wrong | {"answer": answer or "pass"})
        if right and not self.sealed:
            self.state["answers"][player] = answer
            self.opened()
        else:
            self.take(player, answer)

    def is_right(self, answer):
        item = self.item()
        if item["options"] is not None:
            return answer == item["answer"]
        return plain(answer) in [plain(text) for text in [item["answer"], *item["accept"]]]

    def late(self):
        self.opened()

    def opened(self):
        """Show the answers, give the points, and pose the next question."""
        state, item = self.state, self.item()
        given = {one: state["answers"].get(one) for one in state["standing"]}
        correct = [one for one in given if given[one] is not None and self.is_right(given[one])]
        for player in correct:
            state["score"][player] += 1
        shown = {"type": "answer", "number": state["number"] + 1, "answer": item["answer"]}
        shown["answers"] = {one: text or "pass" for one, text in state["answers"].items()}
        shown |= {"correct": correct, "late": self.waiting() if self.sealed else []}
        self.say(shown | {"score": state["score"], "salt": item["salt"], "hash": item["hash"]})
        state["number"] += 1
        if state["number"] < len(state["items"]):
            self.pose()
        else:
            self.finish(self.best(), f"{len(state['items'])} questions are answered")

    def best(self):
        """Who has most points; nobody if all have the same."""
        standing, score = self.state["standing"], self.state["score"]
        most = max(score[player] for player in standing)
        found = [player for player in standing if score[player] == most]
        return [] if len(found) == len(standing) else found

    def finish(self, winners, reason):
        state = self.state
        rest = state["items"][state["number"] :]
        if rest:
            names = ("question", "answer", "salt", "hash")
            left = [{name: item[name] for name in names} for item in rest]
            self.say({"type": "reveal", "questions": left})
        state["items"], state["answers"] = [], {}
        super().finish(winners, reason)

    def scores(self, winners):
        return self.state["score"]

    def item(self):
        return self.state["items"][self.state["number"]]

    # Words

    def rules(self):
        how = (
            "Answer with a letter, in public; the first right answer takes the point, a wrong one"
            " puts you out of that question."
        )
        if self.sealed:
            how = (
                f'Answer with a letter, sealed: to=["{self.me}"]; all answers are opened together.'
            )
        is_public = "My source is public"
        if self.questions is not None:
            is_public = "My source and the params with your questions are public"
        known = f"{is_public}, so everybody can read the answers, but not which I shall ask."
        if self.questions is None and self.params["set"] == "numbers":
            known = "The questions are made by dice when the game starts; nobody can look them up."
        return (
            f"A quiz of up to {self.params['count']} questions, one point each. {how}"
            + self.timed("Time: %g seconds each.")
            + " Each question and answer is committed at the start by sha256(question + newline +"
            f" answer + newline + salt) and revealed afterwards. {known}"
            ' "pass" if you do not know, "resign" gives up, "rematch" after the end plays again.'
        )
