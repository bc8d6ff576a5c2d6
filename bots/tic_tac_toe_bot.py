"""TicTacToeBot: three marks in a row win; nine marks without a row are a draw.

The squares are numbered like this:

    1 2 3
    4 5 6
    7 8 9

Moves:   5            or {"type": "move", "game": "tic-tac-toe", "action": "mark", "value": 5}
         resign       or {"type": "move", "game": "tic-tac-toe", "action": "resign"}
         rematch      or {"type": "move", "game": "tic-tac-toe", "action": "rematch"}

The first to join plays X and moves first. That is an advantage against a careless player;
between careful ones the game is a draw, and a rematch, which begins when both have asked,
swaps the sides. A taken square, a square that does not exist or a move out of turn changes nothing.
Leaving is resigning. With the param seconds=N a player who thinks longer than N seconds about
one move loses. A win scores 1, a draw 0.5.
"""

import re

MANIFEST = {
    "name": "TicTacToeBot",
    "version": "1.0",
    "summary": "Tic-tac-toe: say the number of a square, 1 to 9. Three in a row win.",
    "label": "tic-tac-toe",
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
                "description": "time for each move; null: no clock",
            },
        },
        "additionalProperties": False,
    },
    "moves": [
        "1 to 9",
        "resign",
        "rematch",
        {"type": "move", "game": "tic-tac-toe", "action": "mark", "value": 5},
        {"type": "move", "game": "tic-tac-toe", "action": "resign"},
        {"type": "move", "game": "tic-tac-toe", "action": "rematch"},
    ],
}

GAME = "tic-tac-toe"
YEAR = 31536000
LINES = [
    [0, 1, 2], [3, 4, 5], [6, 7, 8],
    [0, 3, 6], [1, 4, 7], [2, 5, 8],
    [0, 4, 8], [2, 4, 6],
]


class TicTacToeBot:
    def __init__(self, ctx, params):
        self.ctx = ctx
        seconds = params.get("seconds")
        if seconds is not None:
            number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
            if not number or not 0 < seconds <= YEAR:
                raise ValueError("seconds must be a number above 0, or left out")
        self.seconds = seconds
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
            self.ctx.end({"winners": [], "reason": "this game takes two players"})
        self.save()

    def on_message(self, msg):
        player, body = msg["sender"], msg["body"]
        if str(body.get("text", "")).strip().lower() == "!help":
            self.say({"type": "help", "text": self.rules()})
            return
        action, value = self.read_move(body)
        if action is None:
            return
        reason = self.objection(player, action, value)
        if reason:
            self.say({"type": "violation", "player": player, "reason": reason})
            return
        if action == "mark":
            self.mark(player, int(value))
        elif action == "resign":
            self.finish(self.other(player), player + " resigned")
        else:
            self.rematch(player)
        self.save()

    def on_leave(self, player_id):
        if self.state["phase"] == "playing" and player_id in self.state["players"]:
            self.finish(self.other(player_id), player_id + " left")
            self.save()
        elif player_id in self.state.get("rematch", []):
            self.state["rematch"].remove(player_id)
            self.save()

    def on_timer(self, name):
        if name == "turn" and self.state["phase"] == "playing":
            late = self.state["turn"]
            self.finish(self.other(late), late + " ran out of time")
            self.save()

    # Reading a move

    def read_move(self, body):
        """(action, value), or (None, None) for chat."""
        if body.get("type") == "move" and body.get("game") == GAME:
            action = str(body.get("action"))
            return {"concede": "resign"}.get(action, action), body.get("value")
        words = str(body.get("text", "")).lower().rstrip(" .!").split()
        if len(words) == 2 and words[0] in ("mark", "move", "play"):
            return "mark", words[1]
        if len(words) != 1:
            return None, None
        if words[0] in ("resign", "concede"):
            return "resign", None
        if words[0] == "rematch":
            return "rematch", None
        if re.fullmatch("[0-9]{1,3}", words[0]):
            return "mark", words[0]
        return None, None

    def objection(self, player, action, value):
        """Why this player may not do this now, or nothing."""
        phase = self.state["phase"]
        if action not in ("mark", "resign", "rematch"):
            return "the moves are 1 to 9, resign and rematch"
        if phase in ("open", "void"):
            return "the game has not started"
        if player not in self.state["players"]:
            return "not a player of this game"
        if action == "rematch":
            return self.no_rematch(player)
        if phase == "done":
            return 'the game is over; "rematch" asks for another'
        if action == "resign":
            return None
        if player != self.state["turn"]:
            return "not your turn, it is " + self.state["turn"]
        if isinstance(value, bool) or str(value) not in list("123456789"):
            return "a square is a number from 1 to 9"
        if self.state["board"][int(value) - 1]:
            return "square %s is taken; free: %s" % (value, " ".join(self.free()))
        return None

    def no_rematch(self, player):
        if self.state["phase"] != "done":
            return "the game is still going on"
        if self.other(player) not in self.ctx.players:
            return self.other(player) + " has left"
        if player in self.state["rematch"]:
            return "you have asked; waiting for " + self.other(player)
        return None

    # What a move does

    def begin(self, players):
        self.state = {
            "phase": "playing",
            "players": players,  # X, O
            "board": [""] * 9,
            "turn": players[0],
            "rematch": [],
        }
        self.say({"type": "start", "X": players[0], "O": players[1]} | self.picture())
        self.give_turn(players[0])

    def mark(self, player, square):
        letter = "XO"[self.state["players"].index(player)]
        self.state["board"][square - 1] = letter
        self.say({"type": "mark", "player": player, "mark": letter, "square": square} | self.picture())
        row = self.row_of(letter)
        if row:
            self.finish(player, "%s in a row: %s" % (letter, row))
        elif not self.free():
            self.finish(None, "draw, the board is full")
        else:
            self.give_turn(self.other(player))

    def row_of(self, letter):
        for line in LINES:
            if all(self.state["board"][at] == letter for at in line):
                return "-".join(str(at + 1) for at in line)
        return None

    def rematch(self, player):
        self.state["rematch"].append(player)
        if len(self.state["rematch"]) == 2:
            self.begin(self.state["players"][::-1])
        else:
            asked = '%s, say "rematch" to play again with sides swapped' % self.other(player)
            self.say({"type": "rematch", "player": player, "text": asked})

    def give_turn(self, player):
        self.state["turn"] = player
        self.ctx.set_turn(player, seconds=self.seconds, expect=self.free())

    def finish(self, winner, reason):
        self.state["phase"], self.state["turn"] = "done", None
        scores = {player: 0.5 for player in self.state["players"]}
        if winner is not None:
            scores = {player: int(player == winner) for player in self.state["players"]}
        winners = [] if winner is None else [winner]
        self.ctx.end({"winners": winners, "reason": reason, "scores": scores})

    # Words

    def other(self, player):
        first, second = self.state["players"]
        return second if player == first else first

    def free(self):
        return [str(at + 1) for at, letter in enumerate(self.state["board"]) if not letter]

    def picture(self):
        """The board as a list and as text; a free square shows its number."""
        board = self.state["board"]
        shown = [letter or str(at + 1) for at, letter in enumerate(board)]
        text = "\n".join(" ".join(shown[at : at + 3]) for at in (0, 3, 6))
        return {"board": board, "text": text}

    def rules(self):
        clock = "" if self.seconds is None else " Each move within %g seconds." % self.seconds
        return (
            "Squares 1 2 3 / 4 5 6 / 7 8 9. In your turn say the number of a free square; three in"
            ' a row win. The first to join is X and begins. "resign" gives up, "rematch" after the'
            " end plays again with sides swapped.%s" % clock
        )

    def say(self, body):
        self.ctx.post("bot", body)

    def save(self):
        self.ctx.set_state(self.state)
