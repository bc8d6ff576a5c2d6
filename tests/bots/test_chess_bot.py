"""Games of ChessBot as scripts, and its rules against python-chess, move for move."""

import io
import random
from typing import Any

import chess
import chess.pgn
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_multiplayer.sandbox.call import Failed, HookCall
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.transcript.names import HOOKS
from mcp_multiplayer.workshop.table import Plain, Runner, Table, source_of
from tests.sample import sample

SOURCE = source_of("chess_bot.py")
RULES = Plain().space(SOURCE)
KIWIPETE = "r3k2r/p1ppqpb1/bn2pnp1/3PN3/1p2P3/2N2Q1p/PPPBBPPP/R3K2R w KQkq - 0 1"
WIDEST = "R6R/3Q4/1Q4Q1/4Q3/2Q4Q/Q4Q2/pp1Q4/kBNN1KB1 w - - 0 1"  # 218 legal moves
OPERA = (
    "e4 e5 Nf3 d6 d4 Bg4 dxe5 Bxf3 Qxf3 dxe5 Bc4 Nf6 Qb3 Qe7 Nc3 c6 Bg5 b5 Nxb5 cxb5 Bxb5+ Nbd7"
    " O-O-O Rd8 Rxd7 Rxd7 Rd1 Qe6 Bxd7+ Nxd7 Qb8+ Nxb8 Rd8#"
)
#: Where random play soon meets castling, promotion, passing pawns, bare kings and stalemate.
PLACES = [
    None,
    KIWIPETE,
    "4k3/P6P/8/8/8/8/p6p/4K3 w - - 0 1",
    "8/2p5/3p4/KP5r/1R3p1k/8/4P1P1/8 w - - 0 1",
    "4k3/8/8/2b5/8/8/8/3NK3 b - - 0 1",
    "r3k2r/8/8/8/8/8/8/R3K2R b KQkq - 90 60",
    "8/8/4k3/8/8/4KR2/8/8 w - - 0 1",
    "2b1k1b1/8/8/8/8/8/8/2B1K3 w - - 0 1",
]
WHY = {
    chess.Termination.CHECKMATE: "checkmate",
    chess.Termination.STALEMATE: "stalemate",
    chess.Termination.INSUFFICIENT_MATERIAL: "insufficient material",
    chess.Termination.SEVENTYFIVE_MOVES: "seventy-five moves without capture or pawn move",
    chess.Termination.FIVEFOLD_REPETITION: "fivefold repetition",
}
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def new(runner: Runner, fen: str | None = None, **params: Any) -> Table:
    table = Table(runner, SOURCE, params if fen is None else {"fen": fen, **params})
    await table.begin("alice", "bob")
    return table


@pytest_asyncio.fixture(loop_scope="module")
async def table(pool: Pool) -> Table:
    return await new(pool)


async def play(table: Table, moves: str) -> None:
    for move in moves.split():
        await table.say(table.mover, move)


def ended(table: Table) -> tuple[list[str], str]:
    assert table.end is not None and table.turn is None
    return table.end["winners"], table.end["reason"]


# --- The rules, against python-chess ----------------------------------------------------------


def perft(position: Any, depth: int) -> int:
    """How many ways the game can go on: the usual check of a move generator."""
    moves = position.legal()
    return len(moves) if depth == 1 else sum(perft(position.make(m), depth - 1) for m in moves)


@pytest.mark.parametrize(
    ("fen", "depth", "count"),
    [
        (chess.STARTING_FEN, 3, 8902),
        (KIWIPETE, 2, 2039),
        ("8/2p5/3p4/KP5r/1R3p1k/8/4P1P1/8 w - - 0 1", 3, 2812),
        ("r3k2r/Pppp1ppp/1b3nbN/nP6/BBP1P3/q4N2/Pp1P2PP/R2Q1RK1 w kq - 0 1", 2, 264),
        ("rnbq1k1r/pp1Pbppp/2p5/8/2B5/8/PPP1NnPP/RNBQK2R w KQ - 1 8", 2, 1486),
        (WIDEST, 1, 218),
        pytest.param(chess.STARTING_FEN, 4, 197_281, marks=pytest.mark.long),
        pytest.param(KIWIPETE, 3, 97_862, marks=pytest.mark.long),
        pytest.param(
            "rnbq1k1r/pp1Pbppp/2p5/8/2B5/8/PPP1NnPP/RNBQK2R w KQ - 1 8",
            3,
            62_379,
            marks=pytest.mark.long,
        ),
    ],
)
async def test_moves_are_as_many_as_is_known(fen: str, depth: int, count: int) -> None:
    assert perft(RULES["read_fen"](fen), depth) == count


@pytest.mark.parametrize(
    "fen",
    [
        "8/4P3/4k3/8/8/8/8/4K3 w - - 0 1",  # the promoted piece checks through where it came from
        "4r3/3P4/2k5/8/8/8/8/4K3 w - - 0 1",  # so when it captures
        "4k3/8/8/8/4N3/8/6B1/4R1K1 w - - 0 1",  # checks that are discovered, and double ones
        "5k2/8/8/8/8/8/8/4K2R w K - 0 1",  # castling checks
        "8/8/8/1k1pP2R/8/8/8/4K3 w - d6 0 1",  # two pawns leave a row
        "4k3/8/8/3pP3/8/8/4r3/K3Q3 w - d6 0 1",
        "4k3/8/8/8/1b1r4/2N5/3P4/4K2R w K - 0 1",  # pinned on a diagonal, and on a file
        "4k3/4r3/8/8/8/5n2/4P3/4K3 w - - 0 1",  # in check from a knight, with a pinned pawn
        "3rk3/8/8/8/8/8/8/R2K4 w - - 0 1",
        "4k3/8/8/2pP4/1K5r/8/8/8 w - c6 0 1",  # in check, a capture in passing helps
        "R6R/3Q4/1Q4Q1/4Q3/2Q4Q/Q4Q2/pp1Q4/kBNN1KB1 w - - 0 1",
        "r3k2r/p1ppqpb1/bn2pnp1/3PN3/1p2P3/2N2Q1p/PPPBBPPP/R3K2R b KQkq - 0 1",
    ],
)
async def test_every_move_of_a_position_is_known_and_written_as_by_python_chess(fen: str) -> None:
    position, board = RULES["read_fen"](fen), chess.Board(fen)
    legal = position.legal()
    assert sorted(position.san(legal, legal)) == sorted(map(board.san, board.legal_moves))


@pytest.mark.parametrize("pieces", ["", "Bb", "Bbb", "BBr", "Nq", "Nn", "NB", "Bq", "BP"])
async def test_what_cannot_mate_is_judged_as_by_python_chess(pieces: str) -> None:
    rng = random.Random(pieces)
    for _ in range(40):
        board = chess.Board(None)
        for square, piece in zip(
            rng.sample(range(64), len(pieces) + 2), "Kk" + pieces, strict=True
        ):
            board.set_piece_at(square, chess.Piece.from_symbol(piece))
        blank = " " * 20 + "".join(f" {row} " for row in str(board).replace(" ", "").split("\n"))
        for white in (True, False):
            found = RULES["cannot_mate"](blank + " " * 20, white)
            assert found == board.has_insufficient_material(white), board.fen()


async def compared(runner: Runner, seed: int, most: int = 10_000) -> Table:
    """A random game of which every list of moves, position and claim is compared."""
    rng = random.Random(seed)
    fen = PLACES[seed % len(PLACES)]
    table, board = await new(runner, fen), chess.Board(fen or chess.STARTING_FEN)
    for _ in range(most):
        if table.turn is None:
            break
        moves = {board.san(move): move for move in board.legal_moves}
        may_claim = board.is_repetition(3) or board.halfmove_clock >= 100
        assert set(table.expect) == moves.keys() | ({"draw"} if may_claim else set())
        assert table.mover == ("alice" if board.turn else "bob")
        san = rng.choice(sorted(moves))
        way = rng.choice([san, moves[san].uci(), san.rstrip("+#"), san.replace("=", "")])
        said = (await table.say(table.mover, way))[0]
        board.push(moves[san])
        assert (said["san"], said["uci"]) == (san, moves[san].uci())
        assert said["fen"] == board.fen(en_passant="legal")
        for white in (True, False):
            blank = RULES["read_fen"](said["fen"]).board
            assert RULES["cannot_mate"](blank, white) == board.has_insufficient_material(white)
    outcome = board.outcome()
    if outcome is None:
        assert table.end is None
        return table
    winner = {True: ["alice"], False: ["bob"], None: []}[outcome.winner]
    assert ended(table) == (winner, WHY[outcome.termination])
    (result,) = table.said("result")
    assert result["result"] == outcome.result()
    reread(result["pgn"], board)
    return table


def reread(pgn: str, board: chess.Board) -> None:
    """The posted PGN is read by somebody else's program as the same game."""
    game = chess.pgn.read_game(io.StringIO(pgn))
    assert game is not None and not game.errors
    assert game.end().board().move_stack == board.move_stack
    assert game.end().board().fen() == board.fen()
    assert game.headers["Result"] == board.result()
    assert max(map(len, pgn.splitlines())) <= 80


@pytest.mark.parametrize("seed", range(8))
async def test_a_random_game_is_judged_as_by_python_chess(seed: int) -> None:
    await compared(Plain(), seed)


@pytest.mark.long
async def test_a_thousand_random_games_are_judged_as_by_python_chess() -> None:
    for seed in range(8, 1008):
        await compared(Plain(), seed)


@pytest.mark.parametrize("seed", sample([0, 2], ()))
async def test_a_random_game_goes_the_same_in_the_sandbox(pool: Pool, seed: int) -> None:
    inside, outside = await compared(pool, seed, 40), await compared(Plain(), seed, 40)
    assert (inside.state, inside.turn) == (outside.state, outside.turn)


@pytest.mark.long
async def test_whole_random_games_are_played_in_the_sandbox(pool: Pool) -> None:
    for seed in range(100, 108):
        await compared(pool, seed)


# --- A game -----------------------------------------------------------------------------------


async def test_it_is_announced_with_its_manifest_and_hooks(pool: Pool) -> None:
    report = await pool.inspect(SOURCE)
    assert report.class_name == "ChessBot" and set(report.hooks) == set(HOOKS) - {"on_join"}
    assert report.manifest is not None and report.manifest["label"] == "chess"
    assert not report.dice and not report.network


async def test_what_its_panels_draw_is_what_it_posts() -> None:
    table = await new(Plain(), clock=60)
    (said,) = await table.say("alice", "e4")
    board, clock = RULES["MANIFEST"]["show"]
    assert said[board["of"]].startswith("rnbqkbnr/") and said[board["last"]] == "e2e4"
    assert said[clock["of"]] == {"alice": 60, "bob": 60}


async def test_the_first_who_joined_has_white_and_is_told_every_legal_move(table: Table) -> None:
    (start,) = table.said("start")
    assert (start["white"], start["black"], start["fen"]) == ("alice", "bob", chess.STARTING_FEN)
    assert start["board"].splitlines()[::8] == ["8 r n b q k b n r", "  a b c d e f g h"]
    assert table.mover == "alice" and len(table.expect) == 20 and "Nf3" in table.expect
    (said,) = await table.say("alice", "e4")
    assert said["fen"] == "rnbqkbnr/pppppppp/8/8/4P3/8/PPPP1PPP/RNBQKBNR b KQkq - 0 1"
    assert said["board"].splitlines()[4] == "4 . . . . P . . ."
    assert (said["player"], said["color"], said["number"]) == ("alice", "white", 1)
    assert table.mover == "bob"


async def test_a_famous_game_is_played_to_mate_and_posted_as_pgn(table: Table) -> None:
    await play(table, OPERA)
    assert ended(table) == (["alice"], "checkmate")
    assert table.end == {
        "winners": ["alice"],
        "reason": "checkmate",
        "scores": {"alice": 1, "bob": 0},
    }
    pgn = table.said("result")[0]["pgn"]
    assert pgn.startswith('[Event "MCP Multiplayer"]\n') and pgn.endswith("Rd8# 1-0\n")
    assert '[White "alice"]\n[Black "bob"]\n[Result "1-0"]' in pgn
    assert '[Date "2027.01.15"]' in pgn
    board = chess.Board()
    for san in OPERA.split():
        board.push_san(san)
    reread(pgn, board)


@pytest.mark.parametrize(
    "move",
    [
        *(
            "Nf3",
            "nf3",
            "g1f3",
            "Ngf3",
            "Ng1-f3",
            "N1f3",
            "1. Nf3",
            "1.Nf3",
            "move Nf3!",
            "Nf3 draw",
        ),
        {"type": "move", "game": "chess", "action": "move", "value": "Nf3"},
        {"type": "move", "game": "chess", "action": "move", "value": "g1f3", "draw": True},
    ],
)
async def test_a_move_may_be_written_in_several_ways(move: Any) -> None:
    table = await new(Plain())
    (said,) = await table.say("alice", move)
    assert (said["san"], said["uci"]) == ("Nf3", "g1f3")


@pytest.mark.parametrize(
    ("fen", "texts", "san"),
    [
        (KIWIPETE, ["O-O-O", "0-0-0", "o-o-o", "e1c1"], "O-O-O"),
        ("8/P6k/8/8/8/8/8/K7 w - - 0 1", ["a8=N", "a8n", "a7a8n", "A7A8N", "a8=n."], "a8=N"),
        (
            "4k3/8/8/3pP3/8/8/8/4K3 w - d6 0 1",
            ["exd6", "exd6e.p.", "exd6 e.p.", "e5d6", "ed6", "e5xd6", "E5D6", "E5-D6"],
            "exd6",
        ),
        ("k7/8/8/8/8/8/8/KR5R w - - 0 1", ["Rbd1", "Rb1d1", "b1d1"], "Rbd1"),
        ("7k/8/8/R7/8/8/8/RK6 w - - 0 1", ["R1a3", "Ra1a3", "a1a3"], "R1a3"),
    ],
)
async def test_special_moves_in_words(fen: str, texts: list[str], san: str) -> None:
    for text in texts:
        table = await new(Plain(), fen)
        assert (await table.say("alice", text))[0]["san"] == san


async def test_what_is_no_legal_move_changes_nothing_and_says_why(table: Table) -> None:
    assert await table.refused("bob", "e5") == "not your turn, it is alice"
    assert await table.refused("carol", "e4") == "not a player of this game"
    for text in ("e5", "Ke2", "O-O", "e2e5", "bxc3", "Nf9", "move z", "e4=Q", "h1h9", "a1-a9"):
        assert "illegal move" in await table.refused("alice", text)
    for value in (None, 5, ["e4"], {"a": 1}, "", "²", "e" * 10_000):
        move = {"type": "move", "game": "chess", "action": "move", "value": value}
        assert "illegal move" in await table.refused("alice", move)
    move = {"type": "move", "game": "chess", "action": "castle"}
    assert "the moves are one like Nf3, draw" in await table.refused("alice", move)
    assert "still going on" in await table.refused("alice", "rematch")
    for word in ("decline", "accept"):
        assert "no draw is offered" in await table.refused("alice", word)
    for chat in ("hello", "I open with e4", "", {"x": 1}, {"text": 5}, "good luck"):
        assert await table.say("alice", chat) == []
    (answer,) = await table.say("bob", "!help")
    assert "SAN" not in answer["text"] and "Nf3 or g1f3" in answer["text"]


async def test_what_could_mean_two_moves_is_asked_back(pool: Pool) -> None:
    table = await new(pool, "k7/8/8/8/8/8/8/KR5R w - - 0 1")
    assert await table.refused("alice", "Rd1") == "Rd1 is ambiguous: Rbd1 or Rhd1"
    table = await new(pool, "8/P6k/8/8/8/8/8/K7 w - - 0 1")
    assert "ambiguous: a8=Q or a8=R or" in await table.refused("alice", "a8")


async def test_a_move_before_the_start_is_refused(pool: Pool) -> None:
    early = Table(pool, SOURCE, players=["alice"])
    assert await early.refused("alice", "e4") == "the game has not started"
    await early.call("on_start")
    assert early.end == {"winners": [], "reason": "this game takes two players"}


async def test_the_list_of_moves_is_bounded_and_one_not_listed_is_legal(pool: Pool) -> None:
    table = await new(pool, WIDEST)
    assert len(table.expect) == 120
    board = chess.Board(WIDEST)
    rest = [m for m in board.legal_moves if board.san(m) not in table.expect]
    assert len(rest) == 98
    assert (await table.say("alice", rest[-1].uci()))[0]["uci"] == rest[-1].uci()


# --- Draws ------------------------------------------------------------------------------------

SHUFFLE = "Nf3 Nf6 Ng1 Ng8"


async def test_a_third_repetition_may_be_claimed_and_a_fifth_ends_the_game(table: Table) -> None:
    await play(table, SHUFFLE)
    assert "draw" not in table.expect
    await play(table, "Nf3 Nf6 Ng1")
    claimed = Table(table.runner, SOURCE, state=dict(table.state), players=table.players)
    claimed.turn = table.turn
    await claimed.say("bob", "Ng8 draw")  # with the move that brings it about
    assert ended(claimed) == ([], "threefold repetition, claimed by bob")
    await play(table, "Ng8")
    assert table.expect[-1] == "draw"
    await play(table, f"{SHUFFLE} Nf3 Nf6 Ng1")
    assert table.end is None
    await play(table, "Ng8")
    assert ended(table) == ([], "fivefold repetition")


async def test_only_who_is_to_move_claims(table: Table) -> None:
    await play(table, f"{SHUFFLE} {SHUFFLE}")
    (offer,) = await table.say("bob", "draw")
    assert offer["type"] == "draw_offer" and table.end is None
    await table.say("alice", "draw")
    assert ended(table) == ([], "draw by agreement")
    again = await new(Plain())
    await play(again, f"{SHUFFLE} {SHUFFLE}")
    await again.say("alice", "claim draw")
    assert ended(again) == ([], "threefold repetition, claimed by alice")


async def test_positions_with_other_rights_are_not_repeated() -> None:
    table = await new(Plain(), "r3k2r/8/8/8/8/8/8/R3K2R w KQkq - 0 1")
    await play(table, "Rb1 Rb8 Ra1 Ra8" + " Rb1 Rb8 Ra1 Ra8")
    assert "draw" not in table.expect  # twice with the rights that are left, once with all
    await play(table, "Rb1 Rb8 Ra1 Ra8")
    assert "draw" in table.expect


@pytest.mark.parametrize(
    ("half", "reason"), [(98, "fifty"), (148, "seventy-five moves without capture or pawn move")]
)
async def test_fifty_moves_are_claimed_and_seventy_five_end_the_game(
    half: int, reason: str
) -> None:
    table = await new(Plain(), f"4k3/8/8/8/8/8/4P3/R3K3 w - - {half} 90")
    await play(table, "Ra2")
    assert "draw" not in table.expect if half == 98 else "draw" in table.expect
    await play(table, "Kd8")
    if half == 98:
        assert "draw" in table.expect and table.end is None
        await table.say("alice", "draw")
    assert ended(table)[0] == [] and ended(table)[1].startswith(reason)


async def test_mate_goes_before_seventy_five_moves() -> None:
    table = await new(Plain(), "k7/8/1K6/8/8/8/8/7R w - - 149 90")
    await play(table, "Rh8")
    assert ended(table) == (["alice"], "checkmate")


@pytest.mark.parametrize(
    ("fen", "move", "reason"),
    [
        ("k7/8/8/8/8/8/8/1K1Q4 w - - 0 1", "Qd7", None),
        ("k7/8/8/8/8/8/8/1Q5K w - - 0 1", "Qb6", "stalemate"),
        ("k7/8/8/8/8/8/8/Kr6 w - - 0 1", "Kxb1", "insufficient material"),
    ],
)
async def test_a_game_nobody_can_win_is_drawn(fen: str, move: str, reason: str | None) -> None:
    table = await new(Plain(), fen)
    await play(table, move)
    if reason is None:
        assert table.end is None
    else:
        assert ended(table) == ([], reason)
        assert table.end is not None and table.end["scores"] == {"alice": 0.5, "bob": 0.5}
        assert table.said("result")[0]["result"] == "1/2-1/2"


async def test_a_draw_is_offered_once_a_move_and_refused_by_moving(table: Table) -> None:
    (offer,) = await table.say("alice", "draw")
    assert "bob may answer draw" in offer["text"]
    assert await table.refused("alice", "draw") == "your offer stands"
    await play(table, "e4")
    assert table.expect[-1] == "draw"
    await play(table, "e5")
    assert "draw" not in table.expect
    assert "no draw is offered" in await table.refused("bob", "accept")
    (moved,) = await table.say("alice", "Nf3 draw")
    assert moved["offers"] == "draw" and table.expect[-1] == "draw"
    assert (await table.say("bob", "decline"))[0]["type"] == "decline"
    assert "in this position" in await table.refused("alice", "draw")
    await table.say("bob", "draw")
    await table.say("alice", {"type": "move", "game": "chess", "action": "accept"})
    assert ended(table) == ([], "draw by agreement")


async def test_an_offer_out_of_turn_is_listed_for_who_is_to_move_until_it_is_gone() -> None:
    table = await new(Plain(), seconds=60, clock=300)
    without = table.expect
    table.now += 25
    await table.say("bob", "Draw?")
    assert table.movers == ["alice"] and table.expect == [*without, "draw"]
    assert table.seconds == pytest.approx(35)  # the clock goes on
    table.now += 5
    await table.say("alice", "decline")
    assert table.movers == ["alice"] and table.expect == without
    assert table.seconds == pytest.approx(30)
    await play(table, "e4")
    assert table.state["bank"]["alice"] == pytest.approx(270)


async def test_an_offer_to_who_is_not_to_move_leaves_the_list_as_it_is(table: Table) -> None:
    before = table.expect
    await table.say("alice", "draw")
    await table.say("bob", "decline")
    assert table.movers == ["alice"] and table.expect == before


# --- Time, leaving, again ---------------------------------------------------------------------


async def test_each_move_has_its_time_and_who_exceeds_it_loses(pool: Pool) -> None:
    table = await new(pool, seconds=60)
    assert table.seconds == 60
    table.now += 59
    await play(table, "e4")
    assert table.seconds == 60
    await table.late()
    assert ended(table) == (["alice"], "bob ran out of time")
    assert '[Termination "time forfeit"]' in table.said("result")[0]["pgn"]
    assert await table.call("on_timer", "turn") == []


async def test_a_clock_counts_the_time_of_all_moves() -> None:
    table = await new(Plain(), clock=300, increment=2, seconds=200)
    assert table.seconds == 200 and table.said("start")[0]["clock"] == {"alice": 300, "bob": 300}
    table.now += 150
    await play(table, "e4")
    assert table.seconds == 200
    table.now += 10
    (said,) = await table.say("bob", "e5")
    assert said["clock"] == {"alice": 152, "bob": 292}
    assert table.state["bank"] == {"alice": 152, "bob": 292} and table.seconds == 152
    assert await table.refused("alice", "Ke3")
    await table.late()
    assert ended(table) == (["bob"], "alice ran out of time")
    assert '[TimeControl "300+2"]' in table.said("result")[0]["pgn"]


async def test_a_late_move_does_not_count_even_if_no_timer_has_said_so() -> None:
    table = await new(Plain(), seconds=60)
    table.now += 61
    await table.say("alice", "e4")
    assert ended(table) == (["bob"], "alice ran out of time")


async def test_time_is_no_win_for_a_side_that_could_never_mate() -> None:
    table = await new(Plain(), "k7/8/8/8/8/8/p7/1K6 w - - 0 1", seconds=60)
    await play(table, "Kc1")
    await table.late()
    assert ended(table) == ([], "bob ran out of time, but alice cannot mate")


@pytest.mark.parametrize("how", ["resign", "concede", "leave"])
async def test_the_other_wins_when_one_resigns_or_leaves(table: Table, how: str) -> None:
    await (table.leave("bob") if how == "leave" else table.say("bob", how))
    assert ended(table) == (["alice"], "bob left" if how == "leave" else "bob resigned")
    assert "rematch" in await table.refused("alice", "e4")
    if how == "leave":
        assert await table.refused("alice", "rematch") == "bob has left"


async def test_a_rematch_begins_when_both_have_asked_and_swaps_the_sides(pool: Pool) -> None:
    table = await new(pool, clock=60)
    await play(table, "f3 e5 g4 Qh4")
    assert ended(table) == (["bob"], "checkmate")
    await table.say("alice", "rematch")
    assert "waiting for bob" in await table.refused("alice", "rematch")
    await table.say("bob", "rematch")
    start = table.said("start")[-1]
    assert (start["white"], start["black"], table.mover) == ("bob", "alice", "bob")
    assert table.seconds == 60 and table.state["moves"] == ""
    await table.say("alice", "resign")
    assert '[Round "2"]\n[White "bob"]' in table.said("result")[-1]["pgn"]
    assert ended(table) == (["bob"], "alice resigned")


async def test_black_may_be_the_first_to_move() -> None:
    table = await new(Plain(), "4k3/4p3/8/8/8/8/8/4K2R b K - 3 20")
    assert table.mover == "bob"
    await play(table, "e5 O-O Kd7")
    await table.say("alice", "resign")
    pgn = table.said("result")[0]["pgn"]
    assert '[FEN "4k3/4p3/8/8/8/8/8/4K2R b K - 3 20"]' in pgn
    assert pgn.endswith("20... e5 21. O-O Kd7 0-1\n")


async def test_the_longest_games_still_end(table: Table) -> None:
    table.state["moves"] = " ".join(["Qa1xb2+"] * 17_700)
    await play(table, "e4")
    await table.say("alice", "resign")
    assert ended(table) == (["bob"], "alice resigned")
    assert "pgn" not in table.said("result")[0]


@pytest.mark.parametrize(
    "params",
    [
        {"clock": 0},
        *({"fen": fen} for fen in ("x", "8/8/8/8/8/8/8/8 w - - 0 1", "K7/8/8/8/8/8/8/k6P w - -")),
        *({"fen": fen} for fen in ("K6k/8/8/8/8/8/8/7R w - - 0 1", "k7/8/8/8/8/8/8/7K x - -")),
        *({"fen": fen} for fen in ("k7/8/8/8/8/8/8/7K w - - 0 1", "kQK5/8/8/8/8/8/8/8 b - -")),
        *({"fen": fen} for fen in ("k8/8/8/8/8/8/8/7K w - -", "k6R/8/K7/8/8/8/8/8 b - - 0 1")),
    ],
)
async def test_params_that_make_no_game_are_refused(pool: Pool, params: dict[str, Any]) -> None:
    result = await pool.run(HookCall(SOURCE, "on_init", params=params))
    assert isinstance(result, Failed) and result.error == "ValueError"


STEP = st.tuples(
    st.sampled_from(["mover", "mover", "mover", "alice", "bob", "carol"]),
    st.integers(0, 300)
    | st.sampled_from(["draw", "accept", "decline", "rematch", "e9", "O-O", "hello", "!help"])
    | st.sampled_from(["resign", "leave", "late"]),
)


async def any_game(runner: Runner, fen: str | None, steps: list[tuple[str, Any]]) -> None:
    """Whatever is said, the position stays the one of the moves, and the game ends."""
    table = await new(runner, fen, seconds=60, clock=600)
    for who, move in steps:
        player = table.mover if who == "mover" and table.turn else who
        if player not in table.players and player != "carol":
            continue  # the room lets only members speak
        if move == "leave":
            await (table.say(player, "hi") if player == "carol" else table.leave(player))
        elif move == "late":
            await (table.late() if table.turn else table.call("on_timer", "turn"))
        elif isinstance(move, str):
            await table.say(player, move)
        elif table.turn is not None:
            table.now += move / 20
            await table.say(player, table.expect[move % len(table.expect)])
    same_position(table, fen)
    while table.turn is not None:
        await table.say(table.mover, table.expect[-1])
    same_position(table, fen)
    assert ended(table)[1]


def same_position(table: Table, fen: str | None) -> None:
    board = chess.Board(fen or chess.STARTING_FEN)
    for san in table.state["moves"].split():
        board.push_san(san)
    assert table.state["fen"] == board.fen(en_passant="legal")
    if table.end is None or "time" not in table.end["reason"]:
        return
    late = table.end["reason"].split()[0]
    may_win = not board.has_insufficient_material(not board.turn)
    others = [player for player in ("alice", "bob") if player != late]
    assert table.end["winners"] == (others if may_win else [])


@settings(max_examples=2, suppress_health_check=list(HealthCheck))
@given(fen=st.sampled_from(PLACES[2:5]), steps=st.lists(STEP, max_size=8))
async def test_every_game_ends_by_its_rules(
    pool: Pool, fen: str | None, steps: list[tuple[str, Any]]
) -> None:
    await any_game(pool, fen, [*steps, ("mover", "resign")])  # not hundreds of moves in here


@settings(max_examples=20, suppress_health_check=list(HealthCheck))
@given(fen=st.sampled_from(PLACES), steps=st.lists(STEP, max_size=30))
async def test_many_games_end_by_their_rules(fen: str | None, steps: list[tuple[str, Any]]) -> None:
    await any_game(Plain(), fen, steps)


@pytest.mark.long
@settings(max_examples=1000, suppress_health_check=list(HealthCheck))
@given(fen=st.sampled_from(PLACES), steps=st.lists(STEP, max_size=60))
async def test_a_thousand_games_end_by_their_rules(
    fen: str | None, steps: list[tuple[str, Any]]
) -> None:
    await any_game(Plain(), fen, steps)
