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
added after each) may be combined. Out of time loses, but is a draw if the opponent could never
mate. Leaving is resigning. A win scores 1, a draw 0.5. The param fen starts from another position.
A move that is illegal, or out of turn, changes nothing. At the end I post the game as PGN.
"""

import re
import time

from referee import Game, digest, points

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
    "show": [
        {"panel": "chess", "of": "fen", "last": "uci"},
        {"panel": "table", "of": "clock", "title": "Seconds left"},
    ],
}

# --- The rules of chess -----------------------------------------------------------------------
#
# A board is a text of 120 characters, ten to a row, with a border of blanks: a8 is 21, h8 28, a1
# 91, h1 98. White's pieces are PNBRQK, Black's pnbrqk, an empty square is a dot. A move is (piece,
# from, to, what stands there, promotion), where promotion is "" or one of "qrbn"; castling is a
# move of the king. What a piece sees in one direction is a slice of the board: the sandbox checks
# each index and each attribute that is read, so one slice costs less than a square after the other.

START = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1"
FEN = "([1-8PNBRQKpnbrqk/]+) ([wb]) ([^ ]+) (-|[a-h][36])(?: ([0-9]{1,4}))?(?: ([0-9]{1,4}))?"
FILES = "abcdefgh"
NAMES = {
    21 + 10 * y + x: file + rank
    for y, rank in enumerate("87654321")
    for x, file in enumerate(FILES)
}
PIECES = ("pnbrqk", "PNBRQK")  #: Black's and White's
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


def attacked(board, at, white):
    """Whether White (or Black) attacks a square."""
    pawn, knight, bishop, rook, queen, king = PIECES[white]
    back = at + 10 if white else at - 10
    if pawn in board[back - 1 : back + 2 : 2] or board.index(king) - at in KING:
        return True
    if knight in board[at - 21 : at + 22] and knight in [board[at + step] for step in KNIGHT]:
        return True
    for steps, slider in ((STRAIGHT, rook), (DIAGONAL, bishop)):
        for step in steps:
            if board[at + step :: step].lstrip(".")[0] in (slider, queen):
                return True
    return False


def sight(board, at):
    """(the squares that a queen or a knight sees from a square, those whose piece shields it from
    one behind): no other move to the former, or from the latter, changes who attacks it."""
    seen, shields = {at + step for step in KNIGHT}, set()
    for step in KING:
        line = board[at + step :: step]
        rest = line.lstrip(".")
        end = at + step * (len(line) - len(rest) + 1)
        seen.update(range(at + step, end + step, step))
        if rest[1:].lstrip(".")[:1] in ("QqRr" if step in STRAIGHT else "QqBb"):
            shields.add(end)
    return seen, shields


def cannot_mate(board, white):
    """Whether no sequence of moves at all lets White (or Black) give mate."""
    pawn, knight, bishop, rook, queen, _ = PIECES[white]
    if pawn in board or rook in board or queen in board:
        return False
    rest = "".join(piece for piece in board if piece.isalpha() and piece not in "Kk")
    if knight in rest:
        own, their = PIECES[white], PIECES[not white]
        return rest.count(knight) == 1 and not any(one in rest for one in own[2] + their[:4])
    if bishop in rest:
        colors = {(at // 10 + at) % 2 for at, piece in enumerate(board) if piece in "Bb"}
        return len(colors) == 1 and not any(one in rest for one in "PpNn")
    return True


def is_castling(move):
    piece, at, to, _, _ = move
    return piece in "Kk" and abs(to - at) == 2


class Position:
    """A position with everything the rules ask of its past but repetition."""

    def __init__(self, board, white, castling, passing, half, full):
        self.board = board
        self.white = white  # White is to move
        self.castling = castling  # some of "KQkq"
        self.passing = passing  # where a pawn may be captured in passing now, or 0
        self.half = half  # moves of either side since a capture or a pawn move
        self.full = full  # number of the move
        self.own, self.their = PIECES[white], PIECES[not white]
        self.king, self.enemy = board.index(self.own[5]), board.index(self.their[5])

    def fen(self):
        rows = "/".join(self.board[at : at + 8] for at in range(21, 99, 10))
        rows = re.sub("[.]+", lambda run: str(len(run.group())), rows)
        side, passing = "w" if self.white else "b", NAMES.get(self.passing, "-")
        return f"{rows} {side} {self.castling or '-'} {passing} {self.half} {self.full}"

    def picture(self):
        rows = [f"{8 - n} " + " ".join(self.board[21 + 10 * n : 29 + 10 * n]) for n in range(8)]
        return "\n".join([*rows, "  " + " ".join(FILES)])

    # Moves

    def pseudo(self):
        """Moves by the way the pieces go; the own king may be left in check."""
        board, their, moves = self.board, self.their, []
        add, pieces = moves.append, self.own[1:]
        for at, piece in enumerate(board):
            if piece not in pieces:
                continue
            for step in STEPS[piece.lower()]:
                to = at
                for there in board[at + step :: step]:
                    to = to + step
                    if there == "." or there in their:
                        add((piece, at, to, there, ""))
                    if there != "." or piece in "NnKk":
                        break
        return moves + self.pawn_moves() + self.castling_moves()

    def pawn_moves(self):
        board, their, passing, pawn = self.board, self.their, self.passing, self.own[0]
        ahead, home, last = (-10, 8, 2) if self.white else (10, 3, 9)
        moves = []
        for at in [at for at, piece in enumerate(board) if piece == pawn]:
            front = at + ahead
            left, there, right = board[front - 1 : front + 2]
            targets = [(front, there)] if there == "." else []
            if targets and at // 10 == home and board[front + ahead] == ".":
                targets.append((front + ahead, "."))
            for to, taken in ((front - 1, left), (front + 1, right)):
                if to == passing or taken in their:
                    targets.append((to, taken))
            for to, taken in targets:
                for promotion in "qrbn" if to // 10 == last else [""]:
                    moves.append((pawn, at, to, taken, promotion))
        return moves

    def castling_moves(self):
        """The king goes two squares over free ones, and leaves and passes none that is attacked."""
        king, moves = self.king, []
        for right, step, free in ((self.own[5], 1, 2), (self.own[4], -1, 3)):
            if right not in self.castling or self.board[king + step :: step][:free] != "." * free:
                continue
            if not any(attacked(self.board, at, not self.white) for at in (king, king + step)):
                moves.append((self.own[5], king, king + 2 * step, ".", ""))
        return moves

    def moved(self, move):
        """The board after a move."""
        piece, at, to, _, promotion = move
        board = list(self.board)
        board[at], board[to] = ".", piece
        if promotion:
            board[to] = promotion.upper() if self.white else promotion
        if to == self.passing and piece == self.own[0]:
            board[to + (10 if self.white else -10)] = "."
        if is_castling(move):
            corner = to + 1 if to > at else to - 2
            board[(at + to) // 2], board[corner] = board[corner], "."
        return "".join(board)

    def is_safe(self, move):
        """Whether the own king is not attacked after a move."""
        _, at, to, _, _ = move
        return not attacked(self.moved(move), to if at == self.king else self.king, not self.white)

    def legal(self):
        """All legal moves. In check only the king moves, or something to where it is seen from;
        else only the king, what shields it and a capture in passing may open it to attack."""
        king, passing, checked = self.king, self.passing, self.in_check()
        seen, shields = sight(self.board, king)
        moves = []
        for move in self.pseudo():
            _, at, to, _, _ = move
            risky = at == king or to == passing or (to in seen if checked else at in shields)
            if self.is_safe(move) if risky else not checked:
                moves.append(move)
        return moves

    def make(self, move):
        """The position after a legal move."""
        piece, at, to, taken, _ = move
        gone = RIGHTS.get(at, "") + RIGHTS.get(to, "")
        castling = "".join(right for right in self.castling if right not in gone)
        half = 0 if piece == self.own[0] or taken != "." else self.half + 1
        full = self.full if self.white else self.full + 1
        after = Position(self.moved(move), not self.white, castling, 0, half, full)
        if piece == self.own[0] and abs(to - at) == 20:
            after.let_pass((at + to) // 2)
        return after

    def let_pass(self, square):
        """Note where a pawn may be captured in passing, if there is a legal move that does it."""
        back, pawn = square + 10 if self.white else square - 10, self.own[0]
        self.passing = square
        pawns = [at for at in (back - 1, back + 1) if self.board[at] == pawn]
        if not any(self.is_safe((pawn, at, square, ".", "")) for at in pawns):
            self.passing = 0

    def in_check(self):
        return attacked(self.board, self.king, not self.white)

    # Moves in words

    def san(self, moves, legal):
        """Some legal moves as they are written down; ``legal`` are all there are."""
        passing, (seen, shields) = self.passing, sight(self.board, self.enemy)
        count = [(piece, to) for piece, _, to, _, _ in legal].count
        words = []
        for move in moves:
            piece, at, to, _, promotion = move
            word = plain(move)
            if piece not in "KkPp" and count((piece, to)) > 1:
                rivals = [one[1] for one in legal if one[2] == to and one[0] == piece]
                word = word[0] + apart(at, rivals) + word[1:]
            moves_more = promotion or to == passing or is_castling(move)
            if to in seen or at in shields or moves_more:
                word = word + self.suffix(move)
            words.append(word)
        return words

    def suffix(self, move):
        """+ if a move gives check, # if it mates."""
        if not attacked(self.moved(move), self.enemy, self.white):
            return ""
        return "+" if self.make(move).legal() else "#"

    def meant(self, text, legal):
        """The legal moves that SAN or UCI text may mean: one if it is a move."""
        text = re.sub("(e\\.?p\\.?)?[+#!?.]*$", "", text)
        if re.fullmatch("([A-H][1-8]-?)?[A-H][1-8](=?[QRBN])?", text):
            text = text.lower()  # no piece: its letter would stand before a small one
        if re.fullmatch("[Oo0]-[Oo0](-[Oo0])?", text):
            to = self.king + (2 if len(text) == 3 else -2)
            return [move for move in legal if is_castling(move) and move[2] == to]
        written = "([KQRBNkqrn]?)([a-h]?)([1-8]?)[x:-]?([a-h][1-8])=?([QRBNqrbn]?)"
        found = re.fullmatch(written, text)
        if not found:
            return []
        kind, file, rank, name, promotion = found.groups()
        target, promotion = index_of(name), promotion.lower()
        kind = kind or ("" if file and rank else "p")  # UCI names both squares, and no piece
        same_file = kind == "p" and not file  # a pawn's capture names its file
        found = []
        for move in legal:
            piece, at, to, _, promoted = move
            if to != target or kind.lower() not in piece.lower() or promotion not in promoted:
                continue
            if file not in NAMES[at] or rank not in NAMES[at]:
                continue
            castles = kind in ("K", "k") and is_castling(move)  # it is O-O
            if not castles and not (same_file and at % 10 != to % 10):
                found.append(move)
        return found


def plain(move):
    """A move as it is written if nothing else could go there."""
    piece, at, to, taken, promotion = move
    name = NAMES[to]
    if is_castling(move):
        return "O-O" if to > at else "O-O-O"
    if piece in "Pp":
        name = name if at % 10 == to % 10 else NAMES[at][0] + "x" + name
        return name + "=" + promotion.upper() if promotion else name
    return piece.upper() + ("" if taken == "." else "x") + name


def apart(at, rivals):
    """What tells a piece from others of its kind that could go to the same square."""
    file, rank = NAMES[at]
    others = [NAMES[other] for other in rivals if other != at]
    if not any(file in other for other in others):
        return file
    return rank if not any(rank in other for other in others) else file + rank


def key_of(fen):
    """The same for positions that count as repeated."""
    return digest(" ".join(fen.split()[:4]), "")[:20]


def read_fen(text):
    """The position of a FEN, or ValueError."""
    found = re.fullmatch(FEN, " ".join(text.split()))
    squares, side, rights, passing, half, full = found.groups() if found else [""] * 6
    rows = re.sub("[1-8]", lambda run: "." * int(run.group()), squares).split("/")
    if [len(row) for row in rows] != [8] * 8:
        raise ValueError("fen must have eight rows of eight squares and the fields of " + START)
    if re.search("[Pp]", rows[0] + rows[7]):
        raise ValueError("fen: a pawn cannot stand on the first or last row")
    board = " " * 20 + "".join(f" {row} " for row in rows) + " " * 20
    if board.count("K") != 1 or board.count("k") != 1:
        raise ValueError("fen: each side has one king")
    castling = "".join(
        right
        for right, (king, rook, pieces) in CASTLES.items()
        if right in rights and board[king] + board[rook] == pieces
    )
    half, full = min(int(half or 0), 149), max(1, int(full or 1))
    position = Position(board, side == "w", castling, 0, half, full)
    if attacked(board, position.enemy, position.white):
        raise ValueError("fen: the side that is not to move is in check")
    if passing != "-":
        square, back = index_of(passing), 10 if position.white else -10
        came = board[square + back] + board[square] + board[square - back]
        if came == position.their[0] + ".." and passing[1] == ("6" if position.white else "3"):
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

WORDS = {word: word for word in ("draw", "accept", "decline", "resign", "rematch")} | {
    "offer draw": "draw",
    "claim draw": "draw",
    "claim": "draw",
    "accept draw": "accept",
    "decline draw": "decline",
    "concede": "resign",
}
#: A move in a text: its number, "move" or "play", the move, "e.p.", an offer of a draw.
SAID = "(?:[0-9]+[.]+ *)?((?:move|play) +)?([^ ]{1,20}?)(?: +e[.]?p[.]?)?( +(?:draw[?]?|[(]=[)]))?"
#: No more moves are listed; a legal move that is not on the list is legal all the same.
LISTED = 120
#: A longer PGN is not posted: the moves are in the room's record.
LONGEST_PGN = 30000


class ChessBot(Game):
    manifest = MANIFEST
    game = "chess"
    moves = ("move", "draw", "accept", "decline")
    names = ("one like Nf3", "draw", "accept", "decline")
    known = None  #: (the position, its legal moves), read once in a hook
    ending = "normal"  #: what PGN calls Termination

    def check(self):
        if self.state["phase"] == "open":
            position = self.first()
            if outcome(position, position.legal(), 1):
                raise ValueError("fen: in this position the game is over")

    def first(self):
        return read_fen(self.params["fen"] or START)

    def now(self):
        """(the position, its legal moves)"""
        if self.known is None:
            position = read_fen(self.state["fen"])
            self.known = position, position.legal()
        return self.known

    # Reading a move and judging it

    def read(self, body):
        if body.get("type") == "move" and body.get("game") == self.game:
            move, value = super().read(body)
            return move, (str(value)[:20], body.get("draw") is True)
        text = str(body.get("text", ""))[:200].strip()
        word = text.lower().rstrip(" .!?")
        if word in WORDS:
            return WORDS[word], None
        found = re.fullmatch(SAID, text, re.IGNORECASE)
        if found and (found[1] or re.search("[a-hA-H][0-9]|[Oo0]-[Oo0]", found[2])):
            return "move", (found[2], found[3] is not None)
        return None, None

    def too_early(self, player, move):
        return super().too_early(player, move) if move == "move" else None

    def illegal(self, player, move, value):
        offer = self.state["offer"]
        if move == "move":
            return None if self.is_late() else self.unclear(value[0])
        if offer == self.other(player):
            return None
        if move != "draw":
            return "no draw is offered to you"
        if self.claimed(player):
            return None
        if offer == player:
            return "your offer stands"
        if self.state["offered"].get(player) == self.state["ply"]:
            return "you have offered a draw in this position"
        return None

    def unclear(self, text):
        """Why a text means no one legal move, or None."""
        position, legal = self.now()
        self.found = position.meant(text, legal)
        if not self.found:
            return f"illegal move: {text}. The turn's expect lists the legal moves"
        if len(self.found) > 1:
            return f"{text} is ambiguous: {' or '.join(position.san(self.found[:4], legal))}"
        return None

    def claimed(self, player):
        """Why this player may claim a draw now, or None."""
        position, _ = self.now()
        return claim(position, self.state["times"]) if player == self.state["turn"] else None

    def is_late(self):
        """Whether the turn's time is up, though no timer has said so."""
        deadline = self.state["deadline"]
        return deadline is not None and self.ctx.now() >= deadline

    # A game

    def begin(self, players):
        """The first of the players has White."""
        position, game = self.first(), self.state.get("game", 0) + 1
        date = time.strftime("%Y.%m.%d", time.gmtime(int(self.ctx.now())))
        self.deal(players, game=game, date=date, moves="", ply=0, seen={}, offer=None, offered={})
        if self.params["clock"] is not None:
            self.bank(self.params["clock"], self.params["increment"])
        self.put(position)
        start = {"type": "start", "white": players[0], "black": players[1]}
        self.say(start | self.picture(position))
        self.ask_move(players[not position.white])

    def put(self, position):
        """A position comes onto the board; it is counted how often it has been there."""
        if position.half == 0:  # none of the earlier ones can come back
            self.state["seen"] = {}
        fen, seen = position.fen(), self.state["seen"]
        key = key_of(fen)
        seen[key] = seen.get(key, 0) + 1
        self.state |= {"fen": fen, "times": seen[key]}
        self.known = position, position.legal()

    def ask_move(self, player, go_on=False):
        position, legal = self.now()
        expect = position.san(legal[:LISTED], legal)
        if claim(position, self.state["times"]) or self.state["offer"] == self.other(player):
            expect.append("draw")
        self.ask(player, expect, go_on)

    def ask_again(self, player):
        """List anew what an offer has changed, if it is this player's turn; the clock goes on."""
        if player == self.state["turn"]:
            self.ask_move(player, go_on=True)

    def play(self, player, move, value):
        other = self.other(player)
        agrees = self.state["offer"] == other and (move != "move" or value[1])
        if move == "move" and self.is_late():
            self.late()
        elif move == "decline":
            self.state["offer"] = None
            self.say({"type": "decline", "player": player})
            self.ask_again(player)
        elif agrees:
            self.finish([], "draw by agreement")
        elif move == "move":
            self.make(player, self.found[0], value[1])
        elif self.claimed(player):
            self.finish([], f"{self.claimed(player)}, claimed by {player}")
        else:
            self.offer(player)
            text = f"{other} may answer draw or decline; moving declines"
            self.say({"type": "draw_offer", "player": player, "text": text})
            self.ask_again(other)

    def offer(self, player):
        self.state["offer"], self.state["offered"][player] = player, self.state["ply"]

    def make(self, player, move, offers):
        before, legal = self.now()
        (san,), after = before.san([move], legal), before.make(move)
        self.put(after)
        self.pay()
        self.state["moves"] = f"{self.state['moves']} {san}".strip()
        self.state["ply"] += 1
        if self.state["offer"] != player:
            self.state["offer"] = None  # who moves declines
        over = outcome(after, self.now()[1], self.state["times"])
        claimed = claim(after, self.state["times"]) if offers and not over else None
        if offers and not over and not claimed:
            self.offer(player)
        said = {"type": "move", "player": player, "number": before.full, "san": san}
        said["color"] = "white" if before.white else "black"
        said["uci"] = NAMES[move[1]] + NAMES[move[2]] + move[4]
        if self.state["offer"] == player:
            said["offers"] = "draw"
        self.say(said | self.picture(after))
        if over:
            self.finish([] if over[0] else [player], over[1])
        elif claimed:
            self.finish([], f"{claimed}, claimed by {player}")
        else:
            self.ask_move(self.other(player))

    def picture(self, position):
        shown = {"fen": self.state["fen"], "board": position.picture()}
        bank = self.state.get("bank")
        return shown | ({"clock": {one: round(bank[one], 1) for one in bank}} if bank else {})

    # The end

    def late(self):
        late, position = self.state["turn"], read_fen(self.state["fen"])
        if cannot_mate(position.board, not position.white):
            self.ending = "time forfeit"
            self.finish([], f"{late} ran out of time, but {self.other(late)} cannot mate")
        else:
            super().late()

    def out(self, player, how):
        endings = {"left": "abandoned", "ran out of time": "time forfeit"}
        self.ending = endings.get(how, "normal")
        super().out(player, how)

    def finish(self, winners, reason):
        white, black = self.state["players"]
        result = {(white,): "1-0", (black,): "0-1"}.get(tuple(winners), "1/2-1/2")
        said, pgn = {"type": "result", "result": result, "reason": reason}, self.pgn(result)
        self.say(said | ({"pgn": pgn} if len(pgn) <= LONGEST_PGN else {}))
        super().finish(winners, reason)

    def scores(self, winners):
        return points(self.state["players"], winners)

    def pgn(self, result):
        clock, start = self.params["clock"], self.first()
        tags = {
            "Event": "MCP Multiplayer",
            "Site": "?",
            "Date": self.state["date"],
            "Round": str(self.state["game"]),
            "White": self.state["players"][0],
            "Black": self.state["players"][1],
            "Result": result,
            "TimeControl": "-" if clock is None else f"{clock:g}+{self.params['increment']:g}",
            "Termination": self.ending,
        }
        if start.fen() != START:
            tags |= {"SetUp": "1", "FEN": start.fen()}
        quoted = {name: re.sub('(["\\\\])', r"\\\1", value) for name, value in tags.items()}
        lines = [f'[{name} "{value}"]' for name, value in quoted.items()]
        text = " ".join([*self.numbered(start), result])
        return "\n".join([*lines, "", *re.findall("[^ ].{0,77}(?= |$)", text)]) + "\n"

    def numbered(self, start):
        """The moves, with the numbers that PGN puts before White's and before the first."""
        number, white, words = start.full, start.white, []
        for san in self.state["moves"].split():
            if white or not words:
                words.append(f"{number}{'.' if white else '...'}")
            words.append(san)
            number, white = number + (not white), not white
        return words

    def rules(self):
        clock, more = self.params["clock"], self.params["increment"]
        return (
            "Chess. The first to join has White. In your turn say a move: Nf3 or g1f3, O-O,"
            ' e8=Q; the turn lists the legal ones. "draw" claims, accepts or offers a draw,'
            ' also after a move: "Nf3 draw"; "decline", "resign"; "rematch" after the end swaps'
            " sides."
            + self.timed("Each move within %g seconds.")
            + ("" if clock is None else f" Each player has {clock:g} seconds and {more:g} more")
            + ("" if clock is None else " after each move.")
        )
