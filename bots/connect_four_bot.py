"""ConnectFourBot: discs fall into seven columns of six; four in a line win, a full board is a draw.

Moves:   4  or  drop 4   or {"type": "move", "game": "connect-four", "action": "drop", "value": 4}
         resign          or {..., "action": "resign"}
         rematch         or {..., "action": "rematch"}     (after the end, both must ask)

The columns are numbered 1 to 7 from the left; a disc falls to the lowest free place of its column.
Four of a player's discs side by side, above each other or on a diagonal win. The first to join
plays X and moves first, which is an advantage: with perfect play the first player wins (Allen and
Allis, 1988). So a rematch, which begins when both have asked, swaps the sides. A full column, one
that does not exist or a move out of turn changes nothing. Leaving is resigning. With the param
seconds=N who thinks longer than N seconds about one move loses. A win scores 1, a draw 0.5.
"""

from referee import Game, points

MANIFEST = {
    "name": "ConnectFourBot",
    "version": "1.0",
    "summary": "Connect four: say the number of a column, 1 to 7. Four discs in a line win.",
    "label": "connect-four",
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
        "1 to 7",
        "resign",
        "rematch",
        {"type": "move", "game": "connect-four", "action": "drop", "value": 4},
        {"type": "move", "game": "connect-four", "action": "resign"},
        {"type": "move", "game": "connect-four", "action": "rematch"},
    ],
    "show": [
        {"panel": "grid", "of": "board", "width": 7},
    ],
}

WIDTH, HEIGHT = 7, 6
#: To the right, down, and down to either side.
DIRECTIONS = [(1, 0), (0, 1), (1, 1), (-1, 1)]


class ConnectFourBot(Game):
    manifest = MANIFEST
    game = "connect-four"
    verbs = {"drop": "drop", "move": "drop", "play": "drop"}
    names = ("1 to 7",)

    def begin(self, players):
        self.deal(players, board=[""] * (WIDTH * HEIGHT))  # rows from the top; the first is X
        self.say({"type": "start", "X": players[0], "O": players[1]} | self.picture())
        self.ask(players[0], self.free())

    def bare(self, word):
        return "drop" if word.isdecimal() and len(word) <= 3 else None

    def illegal(self, player, move, value):
        if isinstance(value, bool) or str(value) not in list("1234567"):
            return "a column is a number from 1 to 7"
        if str(value) not in self.free():
            return f"column {value} is full; free: {' '.join(self.free())}"
        return None

    def play(self, player, move, value):
        board, column = self.state["board"], int(value)
        letter = "XO"[self.state["players"].index(player)]
        at = [place for place in range(column - 1, len(board), WIDTH) if not board[place]][-1]
        board[at] = letter
        row = HEIGHT - at // WIDTH
        dropped = {"type": "drop", "player": player, "disc": letter, "column": column, "row": row}
        self.say(dropped | self.picture())
        if self.four(at):
            self.finish([player], f"four {letter} in a line")
        elif not self.free():
            self.finish([], "draw, the board is full")
        else:
            self.ask(self.other(player), self.free())

    def four(self, at):
        """Whether a line of four goes through this place."""
        return any(
            1 + self.run(at, across, down) + self.run(at, -across, -down) >= 4
            for across, down in DIRECTIONS
        )

    def run(self, at, across, down):
        """How many of the same discs follow this place in a direction."""
        board, letter, count = self.state["board"], self.state["board"][at], 0
        column, row = at % WIDTH + across, at // WIDTH + down
        while 0 <= column < WIDTH and 0 <= row < HEIGHT and board[row * WIDTH + column] == letter:
            count, column, row = count + 1, column + across, row + down
        return count

    def free(self):
        return [str(at + 1) for at in range(WIDTH) if not self.state["board"][at]]

    def scores(self, winners):
        return points(self.state["players"], winners)

    def picture(self):
        """The board as a list and as text, from the top; a free place is a point in the text."""
        board = self.state["board"]
        shown = [letter or "." for letter in board]
        rows = [" ".join(shown[at : at + WIDTH]) for at in range(0, len(board), WIDTH)]
        return {"board": board, "text": "\n".join([*rows, "1 2 3 4 5 6 7"])}

    def rules(self):
        return (
            "Seven columns of six places. In your turn say the number of a column, 1 to 7, and your"
            " disc falls to its lowest free place; four in a line, also on a diagonal, win. The"
            ' first to join is X and begins. "resign" gives up, "rematch" after the end plays again'
            " with sides swapped." + self.timed("Each move within %g seconds.")
        )
