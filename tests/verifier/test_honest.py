"""Nobody is accused of an honest game, and each line says PROVEN only where it may."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_multiplayer.transcript.seeds import commit_member
from mcp_multiplayer.verifier.executor import Executor
from tests.harness import BOTS_DIR
from tests.sample import sample
from tests.verifier.games import (
    ALICE,
    BOB,
    Bundle,
    Game,
    Table,
    codes,
    states,
    verify,
    violations,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

GAMES: dict[str, list[tuple[str, str, list[str] | None]]] = {
    "GuessBot": [("alice", "guess 50", None), ("bob", "hm", None), ("bob", "concede", None)],
    "CoinBot": [("alice", "heads", None), ("bob", "tails", ["bot:coin"])],
    "RockPaperScissorsBot": [
        ("alice", "rock", ["bot:rps"]),
        ("bob", "paper", ["bot:rps"]),
        ("bob", "rock", None),
        ("alice", "resign", None),
    ],
    "TicTacToeBot": [
        *[("alice", "5", None), ("bob", "1", None), ("alice", "2", None), ("bob", "3", None)],
        *[("alice", "8", None), ("alice", "rematch", None), ("bob", "rematch", None)],
        *[("bob", "5", None), ("alice", "resign", None)],
    ],
    "ConnectFourBot": [
        *[("alice", "4", None), ("bob", "3", None), ("alice", "4", None), ("bob", "3", None)],
        *[("alice", "4", None), ("bob", "3", None), ("alice", "4", None)],
    ],
    "AuctionBot": [("alice", "bid 40", ["bot:auction"]), ("bob", "bid 40", ["bot:auction"])],
    "BetBot": [
        *[("alice", "accept", None), ("bob", "accept", None), ("alice", "number 57", ["bot:bet"])],
        ("bob", "no", None),
    ],
    "BlackjackBot": [
        *[("alice", "bet 10", None), ("bob", "bet 10", ["bot:dealer"]), ("alice", "stand", None)],
        *[("bob", "hit", None), ("bob", "stand", None), ("alice", "hit", None)],
        ("alice", "resign", None),
    ],
    "JudgeBot": [
        *[("alice", "propose bob sings", None), ("bob", "cancel", None)],
        ("alice", "cancel", None),
    ],
    "TriviaBot": [
        *[("alice", "A", ["bot:trivia"]), ("bob", "B", ["bot:trivia"]), ("bob", "resign", None)],
    ],
    "WordBot": [("alice", "e", None), ("bob", "a", None), ("bob", "resign", None)],
    "PriceBot": [("alice", "price", None), ("bob", "concede", None)],
    "TLSBot": [("alice", "check a.example", None), ("alice", "done", None), ("bob", "done", None)],
    "ChessBot": [
        *[("alice", "e4", None), ("bob", "e5", None), ("alice", "Bc4", None), ("bob", "Nc6", None)],
        *[("alice", "Qh5", None), ("bob", "Nf6", None), ("alice", "Qxf7#", None)],
    ],
}


def heads(honest: Bundle) -> list[str]:
    size, root = len(honest.entries), honest.roots()[-1]
    return [f"{label}: {size} {root}" for label in ("alice", "bob")]


async def played(game: Game, moves: list[tuple[str, str, list[str] | None]]) -> Game:
    for who, move, to in moves:
        await game.say(who, move, to)
    return game


@pytest.mark.parametrize("preset", sample(GAMES, {"CoinBot", "GuessBot", "JudgeBot", "TLSBot"}))
async def test_an_honest_game_is_proven(server: Table, jail: Executor, preset: str) -> None:
    game = await played(await (await server.open(preset)).seated(), GAMES[preset])
    honest = game.bundle()
    alone = verify(honest, jail)
    assert states(alone)["RULES"] == states(alone)["RECORD"] == "PROVEN", alone.findings.found
    assert states(alone)["SAME FOR ALL"] == states(alone)["WORDS"] == "NOT PROVEN"
    assert alone.exit_code == 2
    assert game.room.channel.status == "ended"
    both = verify(honest, jail, lines=heads(honest), confirmed=["alice", "bob"])
    assert {line: state for line, state in states(both).items() if state != "PROVEN"} == {
        "OUTSIDE": "NOT PROVEN"
    }, both.findings.found
    assert both.exit_code == 0


async def test_a_game_that_goes_on_is_checked_as_far_as_it_went(
    server: Table, jail: Executor
) -> None:
    game = await played(await (await server.open("GuessBot")).seated(), GAMES["GuessBot"][:2])
    checked = verify(game.bundle(), jail)
    assert not violations(checked)
    assert {"I_LIVE", "I_SEED", "I_RNG_SEED"} <= codes(checked)
    assert states(checked)["DICE"] == "NOT PROVEN"


async def test_what_a_player_whispers_to_a_referee_opens_with_the_seed(
    server: Table, jail: Executor
) -> None:
    game = await played(
        await (await server.open("RockPaperScissorsBot")).seated(),
        GAMES["RockPaperScissorsBot"][:2],
    )
    for who in ("alice", "bob"):
        checked = verify(game.bundle(who), jail)
        assert not violations(checked) and "I_PRIVATE" in codes(checked)
    await game.say("alice", "resign")
    assert states(verify(game.bundle("bob"), jail))["RULES"] == "PROVEN"


async def test_without_the_private_words_of_a_running_game_its_rules_wait_and_nobody_is_accused(
    server: Table, jail: Executor
) -> None:
    game = await played(
        await (await server.open("RockPaperScissorsBot")).seated(),
        GAMES["RockPaperScissorsBot"][:1],
    )
    own = verify(game.bundle(private=True), jail)
    assert game.bundle(private=True).openings and "I_PRIVATE" not in codes(own)
    checked = verify(game.bundle(), jail)
    assert not game.bundle().openings and not violations(checked)
    assert {"I_LIVE", "I_PRIVATE"} <= codes(checked)
    assert states(checked)["RULES"] == "NOT PROVEN"


async def test_words_that_a_referee_keeps_are_said_to_be_kept(
    server: Table, jail: Executor
) -> None:
    game = await (await server.open("MemoryExchangeBot")).seated()
    for who, move in (
        *[("alice", "opt in"), ("bob", "opt in"), ("alice", "ask what is it"), ("bob", "answer x")],
        *[("alice", "release"), ("bob", "release"), ("bob", "opt out")],
    ):
        sealed = move.startswith(("ask", "answer"))
        await game.say(who, move, ["bot:memory"] if sealed else None)
    for who in ("alice", "bob"):
        checked = verify(game.bundle(who), jail)
        assert not violations(checked), checked.findings.found
        assert "I_PRIVATE_KEPT" in codes(checked) and states(checked)["RULES"] == "NOT PROVEN"
        assert not game.bundle(who).of("disclose")


async def test_clocks_that_run_out_are_part_of_the_game(server: Table, jail: Executor) -> None:
    game = await (await server.open("CoinBot", params={"seconds": 30})).seated()
    await game.say("alice", "heads")
    await game.ring()
    honest = game.bundle()
    assert honest.of("tick")
    assert states(verify(honest, jail))["RULES"] == "PROVEN"


async def test_a_seed_comes_out_with_nobody_there(server: Table, jail: Executor) -> None:
    game = await (await server.open("GuessBot")).seated()
    await game.ring()
    await game.say("alice", "guess 5")
    await game.say("bob", "concede")
    honest = game.bundle()
    epochs = [reveal["epoch"] for reveal in honest.of("reveal")]
    assert epochs == list(range(len(epochs))) and len(epochs) > 1
    checked = verify(honest, jail)
    assert states(checked)["RULES"] == states(checked)["DICE"] == "PROVEN", checked.findings.found


async def test_a_change_that_all_accept_is_no_cheat(server: Table, jail: Executor) -> None:
    game = await (await server.open("CoinBot", slots=("invite:alice:admin", "invite:bob"))).seated()
    code = (BOTS_DIR / "guess_bot.py").read_text()
    for op in (
        {"op": "attach_bot", "bot_code": code},
        {"op": "set_admin", "player_id": "bob", "admin": True},
        {"op": "set_bot", "bot_id": "coin", "bot_code": code},
    ):
        await game.update("alice", op, code=code if "bot_code" in op else None)
        await game.say("bob", "let me think")
        assert game.room.channel.proposal
        terms = game.room.channel.proposal.terms
        await game.update("bob", {"op": "accept_change", "terms": terms})
    await game.leave("alice")
    await game.update(
        "bob", {"op": "reissue_invite", "player_id": "alice"}, {"op": "rename", "name": "alone"}
    )
    await game.update("bob", {"op": "remove_bot", "bot_id": "coin"}, {"op": "close"})
    checked = verify(game.bundle("bob"), jail)
    assert not violations(checked), checked.findings.found
    assert "I_CONSENT" in codes(checked), "only bob knows that it was he who took the coin away"
    checked = verify(game.bundle("bob"), jail, confirmed=["bob"])
    assert states(checked)["RECORD"] == "PROVEN"


async def test_who_gives_no_entropy_has_no_say(server: Table, jail: Executor) -> None:
    game = await server.open("CoinBot")
    await game.join("alice", ALICE)
    await game.join("bob")
    await played(game, GAMES["CoinBot"])
    checked = verify(game.bundle(), jail)
    assert codes(checked) & {"I_RNG_SILENT", "I_RNG_SERVER"} == {"I_RNG_SILENT"}
    assert states(checked)["DICE"] == "NOT PROVEN"


async def test_words_that_came_with_the_seed_bind_nobody(server: Table, jail: Executor) -> None:
    game = await server.open("CoinBot", slots=("invite:alice",), join_as="alice", entropy=ALICE)
    await game.say("alice", "heads")
    checked = verify(game.bundle(), jail)
    drew = any(run["rng"][2] > 0 for run in game.bundle().of("run"))
    assert ("I_RNG_SERVER" in codes(checked)) is drew
    assert not violations(checked)


@pytest.mark.parametrize("opens", [True, False])
async def test_a_commitment_is_opened_or_left_behind(
    server: Table, jail: Executor, opens: bool
) -> None:
    game = await server.open("CoinBot")
    promise = commit_member(game.room.channel.origin, "s0", ALICE)
    await game.join("alice", f"commit:{promise}")
    await game.join("bob", BOB)
    if opens:
        await game.join("alice", ALICE)
    else:
        await game.ring()
    await played(game, GAMES["CoinBot"])
    checked = verify(game.bundle(), jail)
    assert not violations(checked), checked.findings.found
    assert states(checked)["DICE"] == ("PROVEN" if opens else "NOT PROVEN")
    if opens:
        (dice,) = [one for one in checked.verdicts if one.line == "DICE"]
        assert "alice, who committed before opening" in dice.reason


MANY = """
import random

class ManyBot:
    def on_init(self):
        self.ctx.post("bot", {"early": random.random()})

    def on_join(self, player):
        self.ctx.set_state({"seen": self.ctx.players})

    def on_start(self):
        for player in self.ctx.players:
            self.ctx.post("deal", {"n": 1}, private={"card": random.randint(1, 52)}, to=[player])
        self.ctx.post("note", {"whole": "secret"}, to=[self.ctx.players[0]])
        self.ctx.set_timer("late", 30)

    def on_message(self, message):
        word = message["body"].get("text")
        if word == "fail":
            raise ValueError("as asked")
        if word == "end":
            self.ctx.end({"winners": [], "reason": random.choice(["a", "b", "c"])})
        if word == "turn":
            self.ctx.set_turn([message["sender"]], seconds=60, expect={"text": "end"})

    def on_timer(self, name):
        self.ctx.post("bot", {"rang": name, "at": self.ctx.now()})

    def on_leave(self, player):
        self.ctx.post("bot", {"left": player})
"""


async def test_everything_that_a_referee_can_do_is_repeated(server: Table, jail: Executor) -> None:
    game = await (await server.open(code=MANY)).seated()
    for who, word in (("alice", "fail"), ("bob", "turn"), ("bob", "nothing")):
        await game.say(who, word)
    await game.ring()
    await game.ring()
    await game.say("alice", "end")
    await game.say("alice", "turn")
    await game.leave("bob")
    await game.say("alice", "end")
    for who in ("alice", "bob"):
        checked = verify(game.bundle(who), jail)
        assert states(checked)["RULES"] == "PROVEN", checked.findings.found
        assert "I_RNG_EARLY" in codes(checked) and states(checked)["DICE"] == "NOT PROVEN"


async def test_without_execution_nothing_of_the_referee_is_proven(
    guess: Bundle, jail: Executor
) -> None:
    checked = verify(guess, execute=False)
    assert not violations(checked)
    assert (states(checked)["RULES"], states(checked)["DICE"]) == ("NOT PROVEN", "NOT PROVEN")
    assert states(checked)["RECORD"] == "PROVEN"


async def test_a_room_without_a_referee_has_a_record_too(server: Table, jail: Executor) -> None:
    game = await (await server.open()).seated()
    await game.say("alice", "hello")
    await game.say("bob", "psst", to=["alice"])
    await game.update("alice", {"op": "close"}) if game.room.channel.shared is False else None
    await game.leave("bob")
    checked = verify(game.bundle(private=True), jail)
    assert not violations(checked)
    assert states(checked)["RULES"] == states(checked)["DICE"] == "PROVEN"
    said: dict[str, Any] = {who: [m.body for m in ms] for who, ms in checked.walked.said.items()}
    assert said == {"alice": [{"text": "hello"}], "bob": [{"text": "psst"}]}
