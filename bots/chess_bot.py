"""ChessBot: chess by the full rules; the referee knows every legal move and lists them.

Moves:   e4, Nf3, exd5, O-O, e8=Q (SAN), or e2e4, e7e8q (UCI)
         or {"type": "move", "game": "chess", "action": "move", "value": "e4"}
         draw      claims a draw if you may, accepts one that is offered, or offers one
         e4 draw   moves and, with the new position, claims or offers a draw; {..., "draw": true}
         decline   refuses an offer; so does moving, and the offer is gone
         resign    gives up
         rematch   after the end; when both have asked, a new game begins with sides swapped
         (or {"type": "move", "game": "chess", "action": "draw"}, and so on)

The first to join has White, which is a small advantage; a rematch swaps the sides.

Draws: stalemate; no material to mate with; five times the same position; 75 moves each without
capture or pawn move; agreement. A player may claim one in his turn when the position stands for
the third time or after 50 moves each without capture or pawn move. Positions are the same
when the same side is to move, with the same rights to castle and to capture en passant.

Time: the params seconds=N (for each move) and clock=N (for all moves of a player; increment=N is
added after each) may be combined. Out of time loses, but is a draw if the opponent could never mate.
Leaving is resigning. A win scores 1, a draw 0.5. The param fen starts from another position.
A move that is illegal, or out of turn, changes nothing. At the end I post the game as PGN.
"""

import hashlib
import re
import time

MANIFEST = {
    "name": "ChessBot",
    "version": "1.0",
    "summary": "Chess by the full rules, with draw offers, claims and clocks. Moves in SAN or UCI.",
    "label": "chess",
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
                "description": "time for each move; null: no limit",
            },
            "clock": {
                "type": ["number", "null"],
                "exclusiveMinimum": 0,
                "maximum": 31536000,
                "default": None,
                "description": "seconds each player has for the whole game; null: no clock",
            },
            "increment": {
                "type": "number",
                "minimum": 0,
                "maximum": 86400,
                "default": 0,
                "description": "seconds added to the clock after each move",
            },
            "fen": {
                "type": ["string", "null"],
                "maxLength": 100,
                "default": None,
                "description": "the position to start from; null: the usual one",
            },
        },
        "additionalProperties": False,
    },
    "moves": [
        "a move in SAN or UCI, such as Nf3 or g1f3",
        "the same with an offer: Nf3 draw",
        "draw",
        "decline",
        "resign",
        "rematch",
        {"type": "move", "game": "chess", "action": "move", "value": "Nf3", "draw": False},
        {"type": "move", "game": "chess", "action": "draw"},
        {"type": "move", "game": "chess", "action": "decline"},
        {"type": "move", "game": "chess", "action": "resign"},
        {"type": "move", "game": "chess", "action": "rematch"},
    ],
}

# --- The rules of chess -----------------------------------------------------------------------
#
# A board is a list of 120 characters, ten to a row, with a border of blanks: a8 is 21, h8 28,
# a1 91, h1 98. White's pieces are PNBRQK, Black's pnbrqk, an empty square is a dot. A move is
# (from, to, promotion), where promotion is "" or one of "qrbn"; castling is a move of the king.

START = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1"
FILES = "abcdefgh"
KNIGHT = (-21, -19, -12, -8, 8, 12, 19, 21)
DIAGONAL = (-11, -9, 9, 11)
STRAIGHT = (-10, -1, 1, 10)
KING = DIAGONAL + STRAIGHT
STEPS = {"n": KNIGHT, "b": DIAGONAL, "r": STRAIGHT, "q": KING, "k": KING}
#: The rights to castle that are gone once something moves from or to a square.
RIGHTS = {95: "KQ", 98: "K", 91: "Q", 25: "kq", 28: "k", 21: "q"}
#: What must stand where for a right to castle.
CASTLES = {"K": (95, 98, "KR"), "Q": (95, 91, "KR"), "k": (25, 28, "kr"), "q": (25, 21, "kr")}


def index_of(name):
    return 21 + FILES.index(name[0]) + 10 * (8 - int(name[1]))


def name_of(at):
    return FILES[at % 10 - 1] + str(10 - at // 10)


def attacked(board, at, by_white):
    """Whether White (or Black) attacks a square."""
    if by_white:
        knight, king, pawn, diagonal, straight, back = "N", "K", "P", "BQ", "RQ", at + 10
    else:
        knight, king, pawn, diagonal, straight, back = "n", "k", "p", "bq", "rq", at - 10
    if board[back - 1] == pawn or board[back + 1] == pawn:
        return True
    for step in KNIGHT:
        if board[at + step] == knight:
            return True
    for step in DIAGONAL:
        to = at + step
        if board[to] == king:
            return True
        while board[to] == ".":
            to = to + step
        if board[to] in diagonal:
            return True
    for step in STRAIGHT:
        to = at + step
        if board[to] == king:
            return True
        while board[to] == ".":
            to = to + step
        if board[to] in straight:
            return True
    return False


def cannot_mate(board, white):
    """Whether no sequence of moves at all lets White (or Black) give mate."""
    pieces = [piece for piece in board if piece.isalpha()]
    own = "".join(piece for piece in pieces if piece.isupper() == white).lower()
    their = "".join(piece for piece in pieces if piece.isupper() != white).lower()
    if any(piece in own for piece in "pqr"):
        return False
    if "n" in own:
        return len(own) == 2 and not any(piece in their for piece in "pnbr")
    if "b" in own:
        colors = {(at // 10 + at) % 2 for at, piece in enumerate(board) if piece in "Bb"}
        return len(colors) == 1 and not any(piece in "pn" for piece in own + their)
    return True


class Position:
    """A position with everything the rules ask of its past but repetition."""

    def __init__(self, board, white, castling, passing, half, full):
        self.board = board
        self.white = white  # White is to move
        self.castling = castling  # some of "KQkq"
        self.passing = passing  # where a pawn may be captured in passing now, or 0
        self.half = half  # moves of either side since a capture or a pawn move
        self.full = full  # number of the move

    # Reading and writing

    def fen(self):
        rows = []
        for start in range(21, 99, 10):
            row = "".join(self.board[start : start + 8])
            for run in range(8, 0, -1):
                row = row.replace("." * run, str(run))
            rows.append(row)
        side = "w" if self.white else "b"
        passing = name_of(self.passing) if self.passing else "-"
        fields = ("/".join(rows), side, self.castling or "-", passing, self.half, self.full)
        return "%s %s %s %s %d %d" % fields

    def key(self):
        """The same for positions that count as repeated."""
        same = " ".join(self.fen().split()[:4])
        return hashlib.sha256(same.encode()).hexdigest()[:20]

    def picture(self):
        rows = [
            "%d %s" % (8 - n, " ".join(self.board[21 + 10 * n : 29 + 10 * n])) for n in range(8)
        ]
        return "\n".join(rows + ["  " + " ".join(FILES)])

    # Moves

    def pseudo(self):
        """Moves by the way the pieces go; the own king may be left in check."""
        board, white, moves = self.board, self.white, []
        for at in range(21, 99):
            piece = board[at]
            if not piece.isalpha() or piece.isupper() != white:
                continue
            kind = piece.lower()
            if kind == "p":
                self.pawn_moves(at, moves)
                continue
            slides = kind in "brq"
            for step in STEPS[kind]:
                to = at + step
                while board[to] == ".":
                    moves.append((at, to, ""))
                    if not slides:
                        break
                    to = to + step
                else:
                    taken = board[to]
                    if taken != " " and taken.isupper() != white:
                        moves.append((at, to, ""))
        self.castling_moves(moves)
        return moves

    def pawn_moves(self, at, moves):
        board, white, passing = self.board, self.white, self.passing
        ahead, home, last = (-10, 8, 2) if white else (10, 3, 9)
        targets = []
        if board[at + ahead] == ".":
            targets.append(at + ahead)
            if at // 10 == home and board[at + 2 * ahead] == ".":
                targets.append(at + 2 * ahead)
        for to in (at + ahead - 1, at + ahead + 1):
            taken = board[to]
            if to == passing or (taken.isalpha() and taken.isupper() != white):
                targets.append(to)
        for to in targets:
            for promotion in "qrbn" if to // 10 == last else [""]:
                moves.append((at, to, promotion))

    def castling_moves(self, moves):
        board, white, castling = self.board, self.white, self.castling
        king = 95 if white else 25
        rights = "".join(right for right in castling if right.isupper() == white)
        if not rights or attacked(board, king, not white):
            return
        if rights[0] in "Kk" and board[king + 1] == "." and board[king + 2] == ".":
            if not attacked(board, king + 1, not white):
                moves.append((king, king + 2, ""))
        if rights[-1] in "Qq" and board[king - 1] == "." and board[king - 2] == ".":
            if board[king - 3] == "." and not attacked(board, king - 1, not white):
                moves.append((king, king - 2, ""))

    def moved(self, move):
        """The board after a move."""
        at, to, promotion = move
        board = list(self.board)
        piece = board[at]
        board[at] = "."
        board[to] = piece
        if piece in "Pp":
            if promotion:
                board[to] = promotion.upper() if self.white else promotion
            if to == self.passing:
                board[to + (10 if self.white else -10)] = "."
        elif piece in "Kk" and abs(to - at) == 2:
            corner = to + 1 if to > at else to - 2
            board[(at + to) // 2] = board[corner]
            board[corner] = "."
        return board

    def leaves_safe(self, move, king):
        """Whether the own king, which stands on ``king`` now, is not attacked after a move."""
        at, to, promotion = move
        return not attacked(self.moved(move), to if at == king else king, not self.white)

    def legal(self, first=False):
        """All legal moves; with ``first`` one is enough."""
        king = self.board.index("K" if self.white else "k")
        moves = []
        for move in self.pseudo():
            if self.leaves_safe(move, king):
                moves.append(move)
                if first:
                    break
        return moves

    def make(self, move):
        """The position after a legal move."""
        at, to, promotion = move
        board, gone = self.moved(move), RIGHTS.get(at, "") + RIGHTS.get(to, "")
        pawn = self.board[at] in "Pp"
        after = Position(
            board,
            not self.white,
            "".join(right for right in self.castling if right not in gone),
            0,
            0 if pawn or self.board[to] != "." else self.half + 1,
            self.full if self.white else self.full + 1,
        )
        if pawn and abs(to - at) == 20:
            after.let_pass((at + to) // 2)
        return after

    def let_pass(self, square):
        """Note where a pawn may be captured in passing, if there is a legal move that does it."""
        ahead, pawn, king = (-10, "P", "K") if self.white else (10, "p", "k")
        self.passing = square
        for at in (square - ahead - 1, square - ahead + 1):
            if self.board[at] == pawn:
                if self.leaves_safe((at, square, ""), self.board.index(king)):
                    return
        self.passing = 0

    def in_check(self):
        king = self.board.index("K" if self.white else "k")
        return attacked(self.board, king, not self.white)

    # Moves in words

    def san(self, move, legal):
        """A legal move as it is written down; ``legal`` are all legal moves."""
        at, to, promotion = move
        piece = self.board[at].upper()
        takes = "x" if self.board[to] != "." else ""
        if piece == "K" and abs(to - at) == 2:
            text = "O-O" if to > at else "O-O-O"
        elif piece == "P":
            text = name_of(to)
            if at % 10 != to % 10:
                text = name_of(at)[0] + "x" + text
            if promotion:
                text = text + "=" + promotion.upper()
        else:
            text = piece + self.which(move, legal) + takes + name_of(to)
        if attacked(self.moved(move), self.board.index("k" if self.white else "K"), self.white):
            text = text + ("+" if self.make(move).legal(first=True) else "#")
        return text

    def which(self, move, legal):
        """What tells a piece from others of its kind that could go to the same square."""
        at, to, promotion = move
        others = [
            other[0] for other in legal
            if other[1] == to and other[0] != at and self.board[other[0]] == self.board[at]
        ]
        if not others:
            return ""
        same_file = any(other % 10 == at % 10 for other in others)
        same_rank = any(other // 10 == at // 10 for other in others)
        name = name_of(at)
        return (name[0] if same_rank or not same_file else "") + (name[1] if same_file else "")

    def meant(self, text, legal):
        """The legal moves that SAN or UCI text may mean: one if it is a move."""
        text = re.sub("(e\\.?p\\.?)?[+#!?.]*$", "", text)
        if re.fullmatch("([A-H][1-8]-?)?[A-H][1-8](=?[QRBN])?", text):
            text = text.lower()  # no piece: its letter would stand before a small one
        if re.fullmatch("[Oo0]-[Oo0](-[Oo0])?", text):
            king = 95 if self.white else 25
            steps = -2 if len(text) == 5 else 2
            castles = [move for move in legal if move[0] == king and move[1] == king + steps]
            return [move for move in castles if self.board[king] in "Kk"]
        uci = re.fullmatch("([a-h][1-8])-?([a-h][1-8])=?([qrbnQRBN]?)", text)
        if uci:
            wanted = (index_of(uci.group(1)), index_of(uci.group(2)))
            found = [move for move in legal if move[:2] == wanted]
            return [move for move in found if uci.group(3).lower() in move[2]]
        san = re.fullmatch("([KQRBNkqrn]?)([a-h]?)([1-8]?)[x:-]?([a-h][1-8])=?([QRBNqrbn]?)", text)
        if not san:
            return []
        kind, to = san.group(1).lower() or "p", index_of(san.group(4))
        found = []
        for move in legal:
            at, name = move[0], name_of(move[0])
            if move[1] != to or self.board[at].lower() != kind:
                continue
            if kind == "k" and abs(to - at) == 2:
                continue  # castling is O-O
            if kind == "p" and not san.group(2) and at % 10 != to % 10:
                continue  # a capture names its file
            if san.group(2) in name and san.group(3) in name and san.group(5).lower() in move[2]:
                found.append(move)
        return found


def read_fen(text):
    """The position of a FEN, or ValueError."""
    parts = text.split()
    if not 4 <= len(parts) <= 6:
        raise ValueError("fen: a position has four to six fields")
    rows = [re.sub("[1-8]", lambda run: "." * int(run.group()), row) for row in parts[0].split("/")]
    if len(rows) != 8 or not all(re.fullmatch("[PNBRQKpnbrqk.]{8}", row) for row in rows):
        raise ValueError("fen: a board has eight rows of eight squares")
    board = list(" " * 20 + "".join(" " + row + " " for row in rows) + " " * 20)
    if parts[1] not in ("w", "b") or not re.fullmatch("-|[a-h][36]", parts[3]):
        raise ValueError("fen: the side to move is w or b, the square to pass such as e3, or -")
    counts = parts[4:] + ["0", "1"][len(parts) - 4 :]
    if not all(re.fullmatch("[0-9]{1,4}", count) for count in counts):
        raise ValueError("fen: the last two fields are whole numbers")
    if board.count("K") != 1 or board.count("k") != 1:
        raise ValueError("fen: each side has one king")
    if any(board[at] in "Pp" for row in (20, 90) for at in range(row + 1, row + 9)):
        raise ValueError("fen: a pawn cannot stand on the first or last row")
    castling = ""
    for right, places in CASTLES.items():
        if right in parts[2] and board[places[0]] + board[places[1]] == places[2]:
            castling = castling + right
    white = parts[1] == "w"
    position = Position(board, white, castling, 0, min(int(counts[0]), 149), max(1, int(counts[1])))
    if attacked(board, board.index("k" if white else "K"), white):
        raise ValueError("fen: the side that is not to move is in check")
    if parts[3] != "-":
        square = index_of(parts[3])
        ahead = -10 if white else 10
        came = (board[square], board[square + ahead], board[square - ahead])
        if square // 10 == (4 if white else 7) and came == (".", ".", "p" if white else "P"):
            position.let_pass(square)
    return position


def outcome(position, legal, repeated):
    """(is it a draw, why) if the game is over by itself, or None."""
    if not legal and position.in_check():
        return (False, "checkmate")
    if cannot_mate(position.board, True) and cannot_mate(position.board, False):
        return (True, "insufficient material")
    if not legal:
        return (True, "stalemate")
    if position.half >= 150:
        return (True, "seventy-five moves without capture or pawn move")
    if repeated >= 5:
        return (True, "fivefold repetition")
    return None


def claim(position, repeated):
    """Why the player who is to move may claim a draw, or None."""
    if repeated >= 3:
        return "threefold repetition"
    if position.half >= 100:
        return "fifty moves without capture or pawn move"
    return None


# --- The referee ------------------------------------------------------------------------------

ACTIONS = ("move", "draw", "accept", "decline", "resign", "rematch")
WORDS = {
    "draw": "draw", "offer draw": "draw", "claim draw": "draw", "claim": "draw",
    "accept": "accept", "accept draw": "accept", "decline": "decline", "decline draw": "decline",
    "resign": "resign", "concede": "resign", "rematch": "rematch",
}
YEAR = 31536000
#: No more moves are listed; a legal move that is not on the list is legal all the same.
LISTED = 120
#: A longer PGN is not posted: the moves are in the room's record.
LONGEST_PGN = 30000


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


class ChessBot:
    def __init__(self, ctx, params):
        self.ctx = ctx
        self.seconds, self.clock = params.get("seconds"), params.get("clock")
        for name, value in (("seconds", self.seconds), ("clock", self.clock)):
            if value is not None and (not is_number(value) or not 0 < value <= YEAR):
                raise ValueError(name + " must be a number above 0, or left out")
        self.increment = params.get("increment", 0)
        if not is_number(self.increment) or not 0 <= self.increment <= 86400:
            raise ValueError("increment must be a number from 0 to 86400")
        self.fen = params.get("fen") or START
        self.state = ctx.get_state() or {"phase": "open"}

    # What the room calls

    def on_init(self):
        if not isinstance(self.fen, str) or len(self.fen) > 100:
            raise ValueError("fen must be a text")
        position = read_fen(self.fen)
        if outcome(position, position.legal(), 1):
            raise ValueError("fen: in this position the game is over")
        self.say({"type": "prompt", "text": self.rules()})

    def on_start(self):
        if self.state["phase"] != "open":
            return
        players = self.ctx.players[:2]
        if len(players) == 2:
            self.begin(players, 1)
        else:
            self.state["phase"] = "void"
            self.ctx.end({"winners": [], "reason": "this game takes two players"})
        self.save()

    def on_message(self, msg):
        player, body = msg["sender"], msg["body"]
        if str(body.get("text", "")).strip().lower() == "!help":
            self.say({"type": "help", "text": self.rules()})
            return
        action, value, offers = self.read_move(body)
        if action is None:
            return
        reason = self.objection(player, action)
        if reason is None and action == "move":
            reason = self.move(player, value, offers)
        elif reason is None:
            reason = self.other_action(player, action)
        if reason:
            self.say({"type": "violation", "player": player, "reason": reason})
        else:
            self.save()

    def on_leave(self, player_id):
        if self.state["phase"] == "playing" and player_id in self.state["players"]:
            self.finish(self.other(player_id), player_id + " left", "abandoned")
            self.save()
        elif player_id in self.state.get("rematch", []):
            self.state["rematch"].remove(player_id)
            self.save()

    def on_timer(self, name):
        if name == "turn" and self.state["phase"] == "playing":
            self.flag(self.position())
            self.save()

    # Reading a move

    def read_move(self, body):
        """(action, value, offers a draw); the action is None for chat."""
        if body.get("type") == "move" and body.get("game") == "chess":
            action = str(body.get("action"))
            value = str(body.get("value"))[:20]
            return {"concede": "resign"}.get(action, action), value, body.get("draw") is True
        text = re.sub("^[0-9]+\\.+", "", str(body.get("text", ""))[:200].strip()).strip()
        action = text.lower().rstrip(" .!?")
        if action in WORDS:
            return WORDS[action], None, False
        words = [word for word in text.split() if word not in ("e.p.", "ep")]
        named = len(words) > 1 and words[0].lower() in ("move", "play")
        if named:
            words = words[1:]
        offers = len(words) == 2 and words[1].lower() in ("draw", "draw?", "(=)")
        if offers:
            words = words[:1]
        if len(words) == 1 and len(words[0]) <= 20:
            if named or re.search("[a-hA-H][0-9]|[Oo0]-[Oo0]", words[0]):
                return "move", words[0], offers
        return None, None, False

    def objection(self, player, action):
        """Why this player may not do this now, whatever the position, or nothing."""
        phase = self.state["phase"]
        if action not in ACTIONS:
            return "the actions are " + ", ".join(ACTIONS)
        if phase in ("open", "void"):
            return "the game has not started"
        if player not in self.state["players"]:
            return "not a player of this game"
        if action == "rematch":
            return self.no_rematch(player)
        if phase == "done":
            return 'the game is over; "rematch" asks for another'
        if action == "move" and player != self.state["turn"]:
            return "not your turn, it is " + self.state["turn"]
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

    def move(self, player, text, offers):
        """Make a move; the answer is why not, or nothing."""
        position = self.position()
        if self.limit() is not None and self.used() >= self.limit():
            self.flag(position)  # the move is late, though no timer has said so yet
            return None
        legal = position.legal()
        found = position.meant(text, legal)
        if len(found) > 1:
            names = " or ".join(position.san(move, legal) for move in found[:4])
            return "%s is ambiguous: %s" % (text, names)
        if not found:
            return "illegal move: %s. The turn's expect lists the legal moves" % text
        if offers and self.state["offer"] == self.other(player):
            return self.draw(player)
        self.play(player, position, found[0], position.san(found[0], legal), offers)
        return None

    def play(self, player, position, move, san, offers):
        after = position.make(move)
        repeated = self.count(after)
        self.state["fen"] = after.fen()
        self.state["moves"] = (self.state["moves"] + " " + san).strip()
        self.state["ply"] += 1
        if self.state["clocks"] is not None:
            left = max(0.001, self.state["clocks"][player] - self.used())
            self.state["clocks"][player] = round(left + self.increment, 3)
        if self.state["offer"] != player:
            self.state["offer"] = None  # who moves declines
        legal = after.legal()
        over = outcome(after, legal, repeated)
        claimed = claim(after, repeated) if offers and not over else None
        if offers and not over and not claimed:
            self.state["offer"], self.state["offered"][player] = player, self.state["ply"]
        said = {
            "type": "move",
            "player": player,
            "color": "white" if position.white else "black",
            "number": position.full,
            "san": san,
            "uci": name_of(move[0]) + name_of(move[1]) + move[2],
        }
        if self.state["offer"] == player:
            said["offers"] = "draw"
        self.say(said | self.picture(after))
        if over:
            self.finish(None if over[0] else player, over[1])
        elif claimed:
            self.finish(None, "%s, claimed by %s" % (claimed, player))
        else:
            self.give_turn(after, legal, repeated)

    def count(self, position):
        """How often this position has now been on the board."""
        if position.half == 0:  # none of the earlier ones can come back
            self.state["seen"] = {}
        key = position.key()
        self.state["seen"][key] = self.state["seen"].get(key, 0) + 1
        return self.state["seen"][key]

    def other_action(self, player, action):
        if action == "resign":
            self.finish(self.other(player), player + " resigned")
        elif action == "rematch":
            self.rematch(player)
        elif action == "draw":
            return self.draw(player)
        elif self.state["offer"] != self.other(player):
            return "no draw is offered to you"
        elif action == "accept":
            return self.draw(player)
        else:
            self.state["offer"] = None
            self.say({"type": "decline", "player": player})
            self.ask_again(player)
        return None

    def draw(self, player):
        """Accept, claim or offer a draw; the answer is why not, or nothing."""
        if self.state["offer"] == self.other(player):
            self.finish(None, "draw by agreement")
            return None
        position = self.position()
        claimed = claim(position, self.state["seen"][position.key()])
        if player == self.state["turn"] and claimed:
            self.finish(None, "%s, claimed by %s" % (claimed, player))
        elif self.state["offer"] == player:
            return "your offer stands"
        elif self.state["offered"].get(player) == self.state["ply"]:
            return "you have offered a draw in this position"
        else:
            self.state["offer"], self.state["offered"][player] = player, self.state["ply"]
            answer = "%s may answer draw or decline; moving declines" % self.other(player)
            self.say({"type": "draw_offer", "player": player, "text": answer})
            self.ask_again(self.other(player))
        return None

    def begin(self, players, game):
        position = read_fen(self.fen)
        self.state = {
            "phase": "playing",
            "players": players,  # White, Black
            "game": game,
            "date": time.strftime("%Y.%m.%d", time.gmtime(int(self.ctx.now()))),
            "fen": position.fen(),
            "moves": "",
            "ply": 0,
            "seen": {position.key(): 1},
            "turn": None,
            "since": None,
            "clocks": None if self.clock is None else {player: self.clock for player in players},
            "offer": None,
            "offered": {},
            "rematch": [],
        }
        start = {"type": "start", "white": players[0], "black": players[1]}
        self.say(start | self.picture(position))
        self.give_turn(position, position.legal(), 1)

    def rematch(self, player):
        self.state["rematch"].append(player)
        if len(self.state["rematch"]) == 2:
            self.begin(self.state["players"][::-1], self.state["game"] + 1)
        else:
            asked = '%s, say "rematch" to play again with sides swapped' % self.other(player)
            self.say({"type": "rematch", "player": player, "text": asked})

    def give_turn(self, position, legal, repeated):
        player = self.state["players"][0 if position.white else 1]
        self.state["turn"], self.state["since"] = player, self.ctx.now()
        self.ask(position, legal, repeated, self.limit())

    def ask_again(self, player):
        """List anew what an offer has changed, if it is this player's turn; the clock goes on."""
        if player == self.state["turn"]:
            position, left = self.position(), self.limit()
            left = None if left is None else max(0.001, left - self.used())
            self.ask(position, position.legal(), self.state["seen"][position.key()], left)

    def ask(self, position, legal, repeated, left):
        player = self.state["turn"]
        expect = [position.san(move, legal) for move in legal[:LISTED]]
        if claim(position, repeated) or self.state["offer"] == self.other(player):
            expect.append("draw")
        self.ctx.set_turn(player, seconds=left, expect=expect)

    def finish(self, winner, reason, termination="normal"):
        self.state["phase"] = "done"
        white, black = self.state["players"]
        result = {white: "1-0", black: "0-1"}.get(winner, "1/2-1/2")
        said = {"type": "result", "result": result, "reason": reason}
        pgn = self.pgn(result, termination)
        if len(pgn) <= LONGEST_PGN:
            said["pgn"] = pgn
        self.say(said)
        scores = {player: 0.5 for player in self.state["players"]}
        if winner is not None:
            scores = {player: int(player == winner) for player in self.state["players"]}
        winners = [] if winner is None else [winner]
        self.ctx.end({"winners": winners, "reason": reason, "scores": scores})

    # Time

    def used(self):
        return max(0, self.ctx.now() - self.state["since"])

    def limit(self):
        """Seconds that the player who is to move had when the turn began, or None."""
        limits = [] if self.seconds is None else [self.seconds]
        if self.state["clocks"] is not None:
            limits.append(self.state["clocks"][self.state["turn"]])
        return min(limits + [YEAR]) if limits else None

    def flag(self, position):
        late = self.state["turn"]
        reason = late + " ran out of time"
        if cannot_mate(position.board, not position.white):
            self.finish(None, "%s, but %s cannot mate" % (reason, self.other(late)), "time forfeit")
        else:
            self.finish(self.other(late), reason, "time forfeit")

    # Words

    def position(self):
        return read_fen(self.state["fen"])

    def other(self, player):
        white, black = self.state["players"]
        return black if player == white else white

    def picture(self, position):
        shown = {"fen": position.fen(), "board": position.picture()}
        if self.state["clocks"] is not None:
            clocks = self.state["clocks"]
            shown["clock"] = {player: round(clocks[player], 1) for player in clocks}
        return shown

    def pgn(self, result, termination):
        control = "-"
        if self.clock is not None:
            control = "%g+%g" % (self.clock, self.increment)
        tags = [
            ("Event", "MCP Multiplayer"), ("Site", "?"), ("Date", self.state["date"]),
            ("Round", str(self.state["game"])), ("White", self.state["players"][0]),
            ("Black", self.state["players"][1]), ("Result", result),
            ("TimeControl", control), ("Termination", termination),
        ]
        start = read_fen(self.fen)
        if start.fen() != START:
            tags = tags + [("SetUp", "1"), ("FEN", start.fen())]
        lines = []
        for tag in tags:
            value = tag[1].replace("\\", "\\\\").replace('"', '\\"')
            lines.append('[%s "%s"]' % (tag[0], value))
        return "\n".join(lines + [""] + self.movetext(start, result)) + "\n"

    def movetext(self, start, result):
        number, white, words = start.full, start.white, []
        for san in self.state["moves"].split():
            if white or not words:
                words.append("%d%s" % (number, "." if white else "..."))
            words.append(san)
            number, white = number + (not white), not white
        lines, line = [], ""
        for word in words + [result]:
            if len(line) + len(word) >= 79:
                lines.append(line)
                line = word
            else:
                line = (line + " " + word).strip()
        return lines + [line]

    def rules(self):
        time_limit = "" if self.seconds is None else " Each move within %g seconds." % self.seconds
        if self.clock is not None:
            time_limit += " Each player has %g seconds" % self.clock
            time_limit += " and %g more after each move." % self.increment
        return (
            "Chess. The first to join has White. In your turn say a move: Nf3 or g1f3, O-O,"
            " e8=Q; the turn lists the legal ones. \"draw\" claims, accepts or offers a draw,"
            ' also after a move: "Nf3 draw"; "decline", "resign"; "rematch" after the end swaps'
            " sides.%s" % time_limit
        )

    def say(self, body):
        self.ctx.post("bot", body)

    def save(self):
        self.ctx.set_state(self.state)
