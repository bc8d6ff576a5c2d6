"""Moves as people write them: in capitals, with a colon, with a point at the end."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_multiplayer.workshop.table import Plain, Table, source_of

#: A first move of each game, and how else it may be written.
SAME = {
    "guess_bot.py": ("guess 7", ["Guess 7", " GUESS  7 ", "guess: 7", "guess 7!", "guess 7."]),
    "tic_tac_toe_bot.py": ("5", [" 5 ", "5.", "5!", "Mark 5.", "PLAY 5"]),
    "rock_paper_scissors_bot.py": ("rock", ["Rock", "ROCK!", " rock. ", "Throw rock!"]),
    "coin_bot.py": ("heads", ["Heads!", "HEADS", "call heads.", "Call: heads"]),
    "auction_bot.py": ("bid 40", ["Bid 40", "BID  40 ", "bid: 40", "bid 40!", "bid 040"]),
    "word_bot.py": ("e", ["E", " e ", "e.", "(e)", "Guess e", "guess: E!", "letter e"]),
    "connect_four_bot.py": ("4", [" 4 ", "4.", "4!", "Drop 4.", "DROP: 4", "move 4"]),
    "deal_bot.py": ("limit 40", ["Limit 40", "LIMIT  40", "limit: 40", "limit 40!", "limit 040"]),
    "bet_bot.py": ("accept", ["Accept", "ACCEPT!", " accept. "]),
    "blackjack_bot.py": ("bet 10", ["Bet 10", "bet: 10", "BET  10!", "bet 10."]),
    "trivia_bot.py": ("B", ["b", "B.", "(B)", "b)", "Answer: B", "answer B!", "B:"]),
    "memory_exchange_bot.py": ("opt in", ["Opt in", "opt-in", "OPT  IN!", "opt in."]),
    "judge_bot.py": ("propose x", ["Propose x", "PROPOSE  x", "propose: x"]),
    "chess_bot.py": ("e4", ["e4", "E4", "e4!", "e2e4", "E2E4", "1. e4", "e4.", "move e4", "e2-e4"]),
    "tls_bot.py": ("done", ["Done", "DONE.", "done!"]),
    "price_bot.py": ("guess 5", ["Guess 5", "guess: 5", "guess 5.", "GUESS  5!", "guess 5.0"]),
}
SEALED = {"rock_paper_scissors_bot.py", "auction_bot.py", "trivia_bot.py", "price_bot.py"}
SEALED |= {"deal_bot.py"}
PARAMS: dict[str, dict[str, Any]] = {"price_bot.py": {"url": "http://127.0.0.1:1/", "delay": 0}}


async def after(name: str, *texts: str) -> tuple[Any, ...]:
    """Where a game stands in which alice has said this."""
    table = Table(Plain(), source_of(name), PARAMS.get(name, {}))
    await table.begin("alice", "bob")
    before = table.state
    for text in texts:
        said = await table.say("alice", text, to=True if name in SEALED else None)
    assert table.state != before, said
    drawn = {"salt", "hash"}  # `Plain` does not govern the module secrets
    state = {key: value for key, value in table.state.items() if key not in drawn}
    return state, table.turn, table.end, [one["type"] for one in said]


@pytest.mark.parametrize("name", SAME)
async def test_a_move_in_other_letters_is_the_same_move(name: str) -> None:
    plain, others = SAME[name]
    wanted = await after(name, plain)
    for text in others:
        assert await after(name, text) == wanted, text


@pytest.mark.parametrize(
    ("name", "before", "word"),
    [
        ("guess_bot.py", [], "concede"),
        ("tic_tac_toe_bot.py", ["5"], "resign"),
        ("rock_paper_scissors_bot.py", [], "resign"),
        ("blackjack_bot.py", ["bet 10"], "resign"),
        ("trivia_bot.py", [], "resign"),
        ("chess_bot.py", ["e4"], "resign"),
        ("chess_bot.py", ["e4"], "draw"),
        ("judge_bot.py", ["propose x"], "cancel"),
        ("deal_bot.py", [], "cancel"),
        ("word_bot.py", ["e"], "resign"),
        ("connect_four_bot.py", ["4"], "resign"),
        ("bet_bot.py", ["accept"], "decline"),
    ],
)
async def test_so_is_giving_up(name: str, before: list[str], word: str) -> None:
    wanted = await after(name, *before, word)
    for text in (word.title(), f" {word}. ", f"{word}!"):
        assert await after(name, *before, text) == wanted


@pytest.mark.parametrize("name", SAME)
@pytest.mark.parametrize("chat", ["...", "!", " . ", "", ":", "ep", "e.p."])
async def test_points_alone_are_no_move_and_break_nothing(name: str, chat: str) -> None:
    table = Table(Plain(), source_of(name), PARAMS.get(name, {}))
    await table.begin("alice", "bob")
    before = (table.state, table.turn)
    await table.say("alice", chat)
    assert (table.state, table.turn) == before
