"""CoinBot: everybody calls heads or tails; one toss when all have called.

Moves:   heads or tails   or {"type": "move", "game": "coin", "action": "call", "value": "heads"}
         concede          or {"type": "move", "game": "coin", "action": "concede"}
         rematch          or {"type": "move", "game": "coin", "action": "rematch"}

A call may be public, or sealed so that the others do not see it before the toss:
post_message(body="heads", to=["bot:<my id>"]). Either way it is final. The side is drawn once, by
the room's dice, after the last call is in: no call can know it. Winners are all who called the side
that came up: everybody, if all called it, and nobody, if none did. With the param seconds=N who has
not called within N seconds is out of this toss; if nobody has called, nobody wins. Conceding or
leaving puts a player out; the last one left wins without a toss. After the end a new toss begins
when all who are still here have asked for a rematch.
"""

from referee import Game

MANIFEST = {
    "name": "CoinBot",
    "version": "1.0",
    "summary": "Call heads or tails, sealed or in public. One toss when all have called.",
    "label": "coin",
    "seats": ["alice", "bob"],
    "min_seats": 2,
    "max_seats": 8,
    "params": {
        "type": "object",
        "properties": {
            "seconds": {
                "type": ["number", "null"],
                "exclusiveMinimum": 0,
                "maximum": 31536000,
                "default": None,
                "description": "time for everybody's call; null: no clock",
            },
        },
        "additionalProperties": False,
    },
    "moves": [
        "heads",
        "tails",
        "concede",
        "rematch",
        {"type": "move", "game": "coin", "action": "call", "value": "heads"},
        {"type": "move", "game": "coin", "action": "concede"},
        {"type": "move", "game": "coin", "action": "rematch"},
    ],
    "show": [
        {"panel": "table", "of": "calls", "title": "Calls"},
        {"panel": "dice", "of": "side"},
    ],
}

SIDES = ("heads", "tails")


class CoinBot(Game):
    manifest = MANIFEST
    game = "coin"
    verbs = {"call": "call"}
    names = choices = SIDES
    gives_up = "concede"
    rotates = False
    together = "calls"

    def begin(self, players):
        self.deal(players)
        self.gather()

    def bare(self, word):
        return "call" if word in SIDES else None

    def illegal(self, player, move, value):
        known = isinstance(value, str) and value.lower() in SIDES
        return None if known else "call heads or tails"

    def play(self, player, move, value):
        self.say({"type": "called", "player": player})
        self.take(player, value.lower())

    def late(self):
        if self.state["calls"]:
            self.opened()
        else:
            self.finish([], "nobody called in time")

    def opened(self):
        """Toss. The side is drawn after the last call."""
        side, calls = self.ctx.random.choice(SIDES), self.state["calls"]
        self.say({"type": "toss", "side": side, "calls": calls, "late": self.waiting()})
        winners = [player for player in self.state["standing"] if calls.get(player) == side]
        self.finish(winners, "it was " + side)

    def scores(self, winners):
        return {player: int(player in winners) for player in self.state["players"]}

    def rules(self):
        return (
            f'Call heads or tails, in public or sealed: to=["{self.me}"]. When all have called I'
            " toss once; who called the side wins, and all of them if several did."
            + self.timed("Calls are due within %g seconds.")
            + ' "concede" gives up, "rematch" after the end tosses again.'
        )
