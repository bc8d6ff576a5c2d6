"""TriviaBot: a quiz; answers sealed and opened together, or the first right answer takes the point.

Moves:   A, B, C or D    or the answer itself, or "answer ..."; "pass" if you do not know
         or {"type": "move", "game": "trivia", "action": "answer", "value": "B"}
         resign     gives up
         rematch    after the end; a new quiz begins when all who are here have asked

When everybody is here I draw the questions and publish a commitment to each of them before the first is
asked: sha256(question + "\\n" + answer + "\\n" + salt), the salt 32 hex digits. I reveal answer and salt
when a question is over, those of questions not asked at the end. The salt also puts the options in order.

mode="sealed": send your answer to me alone, post_message(body="B", to=["bot:<my id>"]). It is final, and is
shown when all have answered. An answer that others can read is void and costs nothing: send it again,
sealed. mode="first": answer in public; the first right answer takes the point, a wrong one
puts you out of that question. Each question is one point. Most points win; if all have the
same it is a draw. With the param seconds=N who has not answered within N seconds gets no point.
Leaving is resigning; the last one left wins.

What is hidden, and what is not: my source and the params are public. So everybody can read the answers to
the built-in questions below, and to questions given as params; nobody can know which of them I
draw. With set="numbers" I make the questions with the room's dice at the start, and their answers
stand nowhere: they have to be worked out.
"""

import datetime
import hashlib

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
                "type": "integer", "minimum": 1, "maximum": 20, "default": 5,
                "description": "questions asked",
            },
            "mode": {
                "type": "string", "enum": ["sealed", "first"], "default": "sealed",
                "description": "answers opened together, or the first right one takes the point",
            },
            "set": {
                "type": "string", "enum": ["general", "numbers"], "default": "general",
                "description": "built-in questions, or sums made by the dice",
            },
            "questions": {
                "type": ["array", "null"], "minItems": 1, "maxItems": 200, "default": None,
                "description": "your own questions instead; everybody can read them",
                "items": {
                    "type": "object",
                    "properties": {
                        "question": {"type": "string", "minLength": 1, "maxLength": 300},
                        "answer": {"type": "string", "minLength": 1, "maxLength": 100},
                        "options": {
                            "type": "array", "minItems": 2, "maxItems": 6,
                            "items": {"type": "string"},
                            "description": "with the answer among them; none: answered in words",
                        },
                        "accept": {
                            "type": "array", "maxItems": 20, "items": {"type": "string"},
                            "description": "other spellings of an answer in words",
                        },
                    },
                    "required": ["question", "answer"],
                    "additionalProperties": False,
                },
            },
            "seconds": {
                "type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 31536000, "default": None,
                "description": "time for each question; null: no clock",
            },
        },
        "additionalProperties": False,
    },
    "moves": [
        "A, B, C or D; sealed with to=[\"bot:trivia\"] unless mode is first",
        "answer ...", "pass", "resign", "rematch",
        {"type": "move", "game": "trivia", "action": "answer", "value": "B"},
        {"type": "move", "game": "trivia", "action": "resign"},
    ],
}

YEAR = 31536000
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


def is_whole(value, low, high):
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def is_text(value, longest):
    return isinstance(value, str) and 0 < len(value.strip()) and len(value) <= longest


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
        where = "questions[%d]" % number
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
        question = "What is %d times %d?" % (a, b)
        options = [str(a * b + 10 * step) for step in offsets]
    elif kind == 1:
        a, b = 10000 + x % 90000, 13 + y % 80
        question = "What remains of %d divided by %d?" % (a, b)
        options = [str((a + step) % b) for step in offsets]
    elif kind == 2:
        a = 20000 + x % 40000
        question = "What is %d in hexadecimal?" % a
        options = ["%X" % (a + 16 * step) for step in offsets]
    else:
        day = datetime.date.fromordinal(693961 + x % 73049)  # 1901 to 2100
        question = "Which day of the week is %s?" % day.isoformat()
        options = [DAYS[(day.weekday() + step) % 7] for step in offsets]
    return {"question": question, "answer": options[place], "options": options}


class TriviaBot:
    def __init__(self, ctx, params):
        self.ctx = ctx
        self.count, self.mode = params.get("count", 5), params.get("mode", "sealed")
        self.set, self.questions = params.get("set", "general"), params.get("questions")
        self.seconds = params.get("seconds")
        if not is_whole(self.count, 1, 20) or self.mode not in ("sealed", "first"):
            raise ValueError('count is a whole number from 1 to 20, mode "sealed" or "first"')
        if self.set not in ("general", "numbers"):
            raise ValueError('set is "general" or "numbers"')
        if self.seconds is not None:
            number = isinstance(self.seconds, (int, float)) and not isinstance(self.seconds, bool)
            if not number or not 0 < self.seconds <= YEAR:
                raise ValueError("seconds must be a number above 0, or left out")
        self.sealed, self.me = self.mode == "sealed", "bot:" + ctx.bot_id
        self.state = ctx.get_state() or {"phase": "open"}
        if self.questions is not None and self.state["phase"] == "open":
            checked(self.questions)

    # What the room calls

    def on_init(self):
        self.say({"type": "prompt", "text": self.rules()})

    def on_start(self):
        if self.state["phase"] != "open":
            return
        if len(self.ctx.players) >= 2:
            self.begin(self.ctx.players, [])
        else:
            self.state["phase"] = "void"
            self.ctx.end({"winners": [], "reason": "this game takes two players or more"})
        self.save()

    def on_message(self, msg):
        player, body, to = msg["sender"], msg["body"], msg.get("to")
        if str(body.get("text", "")).strip().lower() == "!help":
            self.say({"type": "help", "text": self.rules()})
            return
        action, value = self.read_move(body, to == [self.me])
        if action is None:
            return
        reason = self.objection(player, action, value, to)
        if reason:
            # A sealed attempt is answered in private: the answer is about its content.
            to = [player] if to and player in self.ctx.players else None
            self.say({"type": "violation", "player": player, "reason": reason}, to)
            return
        if action == "answer":
            self.take(player, self.answer_of(value), to)
        elif action == "resign":
            self.put_out(player, "resigned")
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
        if name == "turn" and self.state["phase"] == "playing":
            self.open_question()
            self.save()

    # Reading a move

    def read_move(self, body, alone):
        """(action, value), or (None, None) for chat. What is sent to me alone is an answer."""
        if body.get("type") == "move" and body.get("game") == "trivia":
            action = str(body.get("action"))
            return {"concede": "resign"}.get(action, action), body.get("value")
        text = body.get("text")
        if not isinstance(text, str) or not text.split():
            return None, None
        word = text.strip().lower().rstrip(" .!")
        if word in ("resign", "concede", "rematch"):
            return ("rematch" if word == "rematch" else "resign"), None
        if text.split()[0].lower() in ("answer", "answer:"):
            return "answer", text.strip()[6:].lstrip(" :").strip()
        playing = self.state["phase"] == "playing"
        known = playing and (word == "pass" or self.option_of(text) is not None)
        return ("answer", text.strip()) if alone or known else (None, None)

    def option_of(self, value):
        """The option that a letter or a text means, if any."""
        options = self.item()["options"]
        if options is None:
            return None
        same = [one for one in options if plain(one) == plain(str(value))]
        if same:
            return same[0]
        letter = str(value).strip(" ().:!").upper()
        known = len(letter) == 1 and letter in LETTERS[: len(options)]
        return options[LETTERS.index(letter)] if known else None

    def answer_of(self, value):
        """The answer as it counts: an option, words, or "" for a pass. None: not an answer."""
        if is_whole(value, -(10**15), 10**15):
            value = str(value)
        if not is_text(value, 100):
            return None
        if plain(value) == "pass":
            return ""
        return value.strip() if self.item()["options"] is None else self.option_of(value)

    def objection(self, player, action, value, to):
        """Why this player may not do this now, or nothing."""
        phase = self.state["phase"]
        if action not in ("answer", "resign", "rematch"):
            return "the moves are an answer, resign and rematch"
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
        return None if action == "resign" else self.no_answer(player, value, to)

    def no_rematch(self, player):
        if self.state["phase"] != "done":
            return "the game is still going on"
        if len(self.here()) < 2:
            return "the others have left"
        if player in self.state["rematch"]:
            return "you have asked; waiting for the others"
        return None

    def no_answer(self, player, value, to):
        if player in self.state["answers"]:
            return "you have answered, and an answer is final; wait for the others"
        if self.sealed and to != [self.me]:
            return (
                "void: others could read it, so it does not count. Answer again, sealed:"
                ' to=["%s"]' % self.me
            )
        if self.answer_of(value) is None:
            options = self.item()["options"]
            if options is None:
                return "an answer is a line of at most 100 characters"
            return "answer %s, or pass" % ", ".join(LETTERS[: len(options)])
        return None

    # What a move does

    def begin(self, players, asked):
        """Draw and commit. How often the dice are used depends on nothing that is secret."""
        items, asked = self.drawn(asked)
        for item in items:
            salt = "".join("%08x" % self.ctx.random.randrange(1 << 32) for _ in range(4))
            text = item["question"] + "\n" + item["answer"] + "\n" + salt
            item["salt"], item["hash"] = salt, hashlib.sha256(text.encode()).hexdigest()
            if item["options"] is not None:
                item["options"].sort(key=lambda one: hashlib.sha256((salt + one).encode()).digest())
        self.state = {
            "phase": "playing",
            "players": players,
            "standing": list(players),
            "score": {player: 0 for player in players},
            "items": items,
            "asked": asked,
            "number": 0,
            "rematch": [],
        }
        hashes = [item["hash"] for item in items]
        self.say({"type": "commitment", "questions": len(items), "commitment_hashes": hashes})
        self.ask()

    def drawn(self, asked):
        """(the questions of a quiz, the numbers of all that were drawn): none twice, if possible."""
        if self.questions is None and self.set == "numbers":
            fives = [
                [self.ctx.random.randrange(1 << 32) for _ in range(5)] for _ in range(self.count)
            ]
            return [made(five) | {"accept": []} for five in fives], []
        pool = built_in() if self.questions is None else self.questions
        count = min(self.count, len(pool))
        fresh = [at for at in range(len(pool)) if at not in asked]
        if len(fresh) < count:
            fresh, asked = list(range(len(pool))), []
        picked = self.ctx.random.sample(fresh, count)
        items = []
        for at in picked:
            options = pool[at].get("options")
            items.append({
                "question": pool[at]["question"],
                "answer": pool[at]["answer"],
                "options": None if options is None else list(options),
                "accept": pool[at].get("accept", []),
            })
        return items, asked + picked

    def ask(self):
        state, item = self.state, self.item()
        state["answers"], state["deadline"] = {}, None
        if self.seconds is not None:
            state["deadline"] = self.ctx.now() + self.seconds
        asked = {"type": "question", "number": state["number"] + 1, "of": len(state["items"])}
        asked["question"] = item["question"]
        if item["options"] is not None:
            asked["options"] = dict(zip(LETTERS, item["options"]))
        self.say(asked)
        self.give_turn()

    def take(self, player, answer, to):
        self.state["answers"][player] = answer
        right = self.is_right(answer)
        if self.sealed:
            self.say({"type": "answered", "player": player})
        elif not right:
            wrong = {"type": "wrong", "player": player}
            self.say(wrong if to else wrong | {"answer": answer or "pass"})
        if self.waiting() and (self.sealed or not right):
            self.give_turn()
        else:
            self.open_question()

    def is_right(self, answer):
        item = self.item()
        if item["options"] is not None:
            return answer == item["answer"]
        return plain(answer) in [plain(text) for text in [item["answer"]] + item["accept"]]

    def open_question(self):
        state, item = self.state, self.item()
        answers = state["answers"]
        correct = [one for one in state["standing"] if one in answers and self.is_right(answers[one])]
        for player in correct:
            state["score"][player] += 1
        shown = {player: answer or "pass" for player, answer in answers.items()}
        self.say({
            "type": "answer", "number": state["number"] + 1, "answer": item["answer"],
            "answers": shown, "correct": correct, "late": self.waiting() if self.sealed else [],
            "score": state["score"], "salt": item["salt"], "hash": item["hash"],
        })
        state["number"] += 1
        if state["number"] < len(state["items"]):
            self.ask()
        else:
            self.finish("%d questions are answered" % len(state["items"]))

    def put_out(self, player, how):
        self.state["standing"].remove(player)
        self.state["answers"].pop(player, None)
        self.say({"type": "resign", "player": player, "text": how})
        if len(self.state["standing"]) == 1:
            self.finish("%s %s" % (player, how), self.state["standing"])
        elif self.waiting():
            self.give_turn()
        else:
            self.open_question()

    def give_turn(self):
        """The clock of a question goes on, it does not begin anew with each answer."""
        options, left = self.item()["options"], None
        if self.state["deadline"] is not None:
            left = max(0.001, round(self.state["deadline"] - self.ctx.now(), 3))
        bodies = ["answer ..."] if options is None else list(LETTERS[: len(options)])
        bodies.append("pass")
        expect = {"body": bodies, "to": [self.me]} if self.sealed else bodies
        self.ctx.set_turn(self.waiting(), seconds=left, expect=expect)

    def finish(self, reason, winners=None):
        state, score = self.state, self.state["score"]
        rest = state["items"][state["number"] :]
        if rest:
            names = ("question", "answer", "salt", "hash")
            left = [{name: item[name] for name in names} for item in rest]
            self.say({"type": "reveal", "questions": left})
        if winners is None:
            best = max(score[player] for player in state["standing"])
            winners = [player for player in state["standing"] if score[player] == best]
            if len(winners) == len(state["standing"]):
                winners = []
        state["phase"], state["items"], state["answers"] = "done", [], {}
        self.ctx.end({"winners": winners, "reason": reason, "scores": score})

    def rematch(self, player):
        self.state["rematch"].append(player)
        if not self.start_again():
            self.say({"type": "rematch", "player": player, "text": 'say "rematch" to play again'})

    def start_again(self):
        """Begin when all who are still here have asked. There are no sides to swap."""
        here = self.here()
        self.state["rematch"] = [player for player in self.state["rematch"] if player in here]
        if len(here) < 2 or len(self.state["rematch"]) < len(here):
            return False
        self.begin(here, self.state["asked"])
        return True

    # Words

    def item(self):
        return self.state["items"][self.state["number"]]

    def waiting(self):
        return [one for one in self.state["standing"] if one not in self.state["answers"]]

    def here(self):
        return [player for player in self.state["players"] if player in self.ctx.players]

    def rules(self):
        how = (
            'Answer with a letter, sealed: to=["%s"]; all answers are opened together.' % self.me
            if self.sealed else
            "Answer with a letter, in public; the first right answer takes the point, a wrong one"
            " puts you out of that question."
        )
        known = (
            "My source%s public, so everybody can read the answers, but not which I shall ask."
            % (" is" if self.questions is None else " and the params with your questions are")
        )
        if self.questions is None and self.set == "numbers":
            known = "The questions are made by dice when the game starts; nobody can look them up."
        clock = "" if self.seconds is None else " Time: %g seconds each." % self.seconds
        return (
            "A quiz of up to %d questions, one point each. %s%s Each question and answer is"
            " committed at the start by sha256(question + newline + answer + newline + salt) and"
            ' revealed afterwards. %s "pass" if you do not know, "resign" gives up, "rematch" after'
            " the end plays again." % (self.count, how, clock, known)
        )

    def say(self, body, to=None):
        self.ctx.post("bot", body, to=to)

    def save(self):
        self.ctx.set_state(self.state)
