"""Referees that do all that a referee can, good and bad, when a player tells them to."""

from __future__ import annotations

WILD = """
import datetime
import random
import secrets
import time
import uuid


class WildBot:
    def __init__(self, ctx, params):
        self.ctx = ctx
        self.state = ctx.get_state() or {"heard": 0, "seen": []}

    def on_init(self):
        self.ctx.post("bot", {"hello": self.ctx.params if hasattr(self.ctx, "params") else {}})

    def on_join(self, player):
        self.state["seen"].append(player)
        self.ctx.set_state(self.state)

    def on_start(self):
        for player in self.ctx.players:
            card = {"card": random.randint(1, 52), "suit": random.choice("CDHS")}
            self.ctx.post("deal", {"n": 1}, private=card, to=[player])
        self.ctx.post("note", {"whole": secrets.token_hex(4)}, to=[self.ctx.players[0]])
        self.ctx.set_timer("late", 30)

    def on_message(self, message):
        text = message["body"].get("text") or ""
        self.state["heard"] += 1
        self.ctx.set_state(self.state)
        self.bad(text)
        self.good(text, message)
        self.more(text, message)

    def bad(self, text):
        if text == "fail":
            self.ctx.post("bot", {"text": "never said"})
            raise ValueError("as asked")
        if text == "key":
            return {}["no such key"]
        if text == "spin":
            while True:
                self.state["heard"] += 1
        if text == "slow":
            sum(range(10**12))
        if text == "flood":
            for i in range(4000):
                self.ctx.post("bot", {"i": i, "x": "x" * 100})
        if text == "large":
            self.ctx.set_state({"x": "x" * 400000})
        if text == "order":
            self.ctx.post("bot", {"order": list({"a", "b", "c", "d", "e", "f", "g", "h"})})
        if text == "deep":
            self.bad(text)

    def good(self, text, message):
        if text == "draw":
            self.ctx.post("bot", {"drew": [random.random(), random.randint(1, 6)]})
        if text == "shuffle":
            deck = list(range(20))
            random.shuffle(deck)
            self.ctx.post("bot", {"deck": deck, "id": str(uuid.uuid4()), "t": time.time()})
        if text == "clock":
            self.ctx.post("bot", {"now": self.ctx.now(), "d": datetime.datetime.now().isoformat()})
        if text == "float":
            self.ctx.post("bot", {"x": [0.1 + 0.2, 1e-9, 1.0, 123456.789, -0.0]})
        if text == "tell":
            self.ctx.post("bot", {"to": 1}, to=[message["sender"]])
        if text == "open":
            self.ctx.post("bot", {"n": 2}, private={"v": random.random()}, to=[message["sender"]])
        if text == "sealed":
            self.ctx.post("bot", {"heard": message["body"], "from": message["sender"]})

    def more(self, text, message):
        if text == "timer":
            self.ctx.set_timer("again", 5)
            self.ctx.set_timer("late", 60)
        if text == "stop":
            self.ctx.cancel_timer("late")
        if text == "turn":
            self.ctx.set_turn([message["sender"]], seconds=60, expect={"text": "end"})
        if text == "free":
            self.ctx.set_turn([])
        if text == "end":
            words = random.choice(["a", "b", "c"])
            self.ctx.end({"winners": [message["sender"]], "reason": words})
        if text == "forget":
            self.ctx.set_state({})
        if text == "random end":
            if random.random() < 0.5:
                self.ctx.end({"winners": [], "reason": "chance"})

    def on_timer(self, name):
        self.ctx.post("bot", {"rang": name, "at": self.ctx.now(), "drew": random.random()})
        if name == "turn":
            self.ctx.set_turn([])

    def on_leave(self, player):
        self.ctx.post("bot", {"left": player, "here": self.ctx.players})
"""

#: The same, and it asks the internet.
NETTED = WILD.replace("import random\n", "import random\nimport requests\n").replace(
    "    def on_timer",
    """        if text == "fetch":
            answer = requests.get("http://api.example.com/x?n=%d" % self.state["heard"]).json()
            self.ctx.post("bot", {"target": answer["target"]})
        if text == "secure":
            answer = requests.post("https://api.example.com/y", json={"a": random.random()})
            self.ctx.post("bot", {"status": answer.status_code, "said": answer.json()["body"]})
        if text == "gone":
            answer = requests.get("http://api.example.com/status?503")
            self.ctx.post("bot", {"status": answer.status_code})
        if text == "nowhere":
            requests.get("http://nowhere.example.com/")
        if text == "caught":
            try:
                requests.get("http://127.0.0.1:9/")
            except requests.RequestException as error:
                self.ctx.post("bot", {"caught": type(error).__name__})

    def on_timer""",
    1,
)

WORDS = (
    *(
        "fail",
        "key",
        "spin",
        "slow",
        "flood",
        "large",
        "order",
        "deep",
        "draw",
        "draw",
        "shuffle",
        "clock",
    ),
    *("float", "tell", "open", "sealed", "sealed", "timer", "stop", "turn", "free", "end", "end"),
    *("forget", "random end", "fetch", "fetch", "secure", "gone", "nowhere", "caught", "nothing"),
)
