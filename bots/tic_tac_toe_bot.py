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

from referee import Game, points

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
    "show": [
        {"panel": "grid", "of": "board", "width": 3},
    ],
}

LINES = ["123", "456", "789", "147", "258", "369", "159", "357"]


class TicTacToeBot(Game):
    manifest = MANIFEST
    game = "tic-tac-toe"
    verbs = {"mark": "mark", "move": "mark", "play": "mark"}
    names = ("1 to 9",)

    def begin(self, players):
        self.deal(players, board=[""] * 9)  # the first is X
        self.say({"type": "start", "X": players[0], "O": players[1]} | self.picture())
        self.ask(players[0], self.free())

    def bare(self, word):
        return "mark" if word.isdecimal() and len(word) <= 3 else None

    def illegal(self, player, move, value):
        if isinstance(value, bool) or str(value) not in list("123456789"):
            return "a square is a number from 1 to 9"
        if str(value) not in self.free():
            return f"square {value} is taken; free: {' '.join(self.free())}"
        return None

    def play(self, player, move, value):
        letter, square = "XO"[self.state["players"].index(player)], int(value)
        self.state["board"][square - 1] = letter
        mark = {"type": "mark", "player": player, "mark": letter, "square": square}
        self.say(mark | self.picture())
        row = self.row_of(letter)
        if row:
            self.finish([player], f"{letter} in a row: {'-'.join(row)}")
        elif not self.free():
            self.finish([], "draw, the board is full")
        else:
            self.ask(self.other(player), self.free())

    def row_of(self, letter):
        board = self.state["board"]
        rows = [row for row in LINES if all(board[int(at) - 1] == letter for at in row)]
        return rows[0] if rows else None

    def free(self):
        return [str(at + 1) for at, letter in enumerate(self.state["board"]) if not letter]

    def scores(self, winners):
        return points(self.state["players"], winners)

    def picture(self):
        """The board as a list and as text; a free square shows its number."""
        board = self.state["board"]
        shown = [letter or str(at + 1) for at, letter in enumerate(board)]
        text = "\n".join(" ".join(shown[at : at + 3]) for at in (0, 3, 6))
        return {"board": board, "text": text}

    def rules(self):
        return (
            "Squares 1 2 3 / 4 5 6 / 7 8 9. In your turn say the number of a free square; three in"
            ' a row win. The first to join is X and begins. "resign" gives up, "rematch" after the'
            " end plays again with sides swapped." + self.timed("Each move within %g seconds.")
        )
