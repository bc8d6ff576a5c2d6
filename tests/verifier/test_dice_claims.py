"""What DICE promises must hold: whom a commitment protects, and whose clock chose the dice."""

from __future__ import annotations

import pytest

from mcp_multiplayer.transcript import seeds
from mcp_multiplayer.verifier.executor import Executor
from tests.verifier.games import (
    ALICE,
    BOB,
    Game,
    Table,
    codes,
    reforge,
    states,
    verify,
    violations,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

DRAWER = """
import secrets

class DrawerBot:
    def on_init(self):
        self.ctx.post("bot", {"text": "welcome"})
    def on_start(self):
        self.ctx.set_state({"n": secrets.randbelow(100)})
    def on_message(self, message):
        if message["body"].get("text") == "over":
            self.ctx.end(self.ctx.get_state())
"""
WEEK = 7 * 86400


async def promised(server: Table) -> tuple[Game, str]:
    """A room of three in which bob and carol have committed and wait; and bob's words."""
    game = await server.open("GuessBot", slots=("invite:alice:admin", "invite:bob", "invite:carol"))
    origin = game.room.channel.origin
    ids = {slot.label: slot.id for slot in game.room.channel.slots}
    await game.join("alice", ALICE)
    for who in ("bob", "carol"):
        words = f"{who} hides 0123456789abcdef"
        await game.join(who, f"commit:{seeds.commit_member(origin, ids[who], words)}")
    return game, "bob hides 0123456789abcdef"


async def carol_comes_back(game: Game) -> None:
    """As somebody else, with words that suit the server, which knows bob's."""
    await game.leave("carol")
    made = await game.update("alice", {"op": "reissue_invite", "player_id": "carol"})
    code = made.invites["carol"].partition(".")[0]
    await game.table.channels.join_channel("D", code, entropy="ground after bob had spoken")


async def finish(game: Game) -> None:
    """All but one give up: a game that runs is not for its admin to close."""
    for who in ("alice", "bob"):
        await game.say(who, "concede")


async def test_where_all_have_committed_nothing_is_said_of_others(
    server: Table, jail: Executor
) -> None:
    game = await server.open("GuessBot")
    ids = {slot.label: slot.id for slot in game.room.channel.slots}
    for who, words in (("alice", ALICE), ("bob", BOB)):
        promise = seeds.commit_member(game.room.channel.origin, ids[who], words)
        await game.join(who, f"commit:{promise}")
    for who, words in (("alice", ALICE), ("bob", BOB)):
        await game.join(who, words)
    await game.say("bob", "concede")
    checked = verify(game.bundle(), jail)
    said = next(one.reason for one in checked.verdicts if one.line == "DICE")
    assert said.endswith("whatever all others and the server did together.")


@pytest.mark.parametrize("held_back", [False, True])
async def test_who_sits_down_after_bob_opened_takes_his_protection(
    server: Table, jail: Executor, held_back: bool
) -> None:
    """``held_back``: bob opened when all seats were taken, and the server wrote it down later."""
    game, words = await promised(server)
    if held_back:
        await carol_comes_back(game)
    await game.join("bob", words)
    if not held_back:
        await carol_comes_back(game)
    await finish(game)
    checked = verify(game.bundle(), jail)
    said = next(one.reason for one in checked.verdicts if one.line == "DICE")
    assert not violations(checked)
    assert "bob" not in said.partition("This holds")[2]


async def test_who_commits_and_opens_is_protected(server: Table, jail: Executor) -> None:
    game, words = await promised(server)
    await game.join("bob", words)
    await game.join("carol", "carol hides 0123456789abcdef")
    await finish(game)
    checked = verify(game.bundle(), jail)
    said = next(one.reason for one in checked.verdicts if one.line == "DICE")
    assert (states(checked)["DICE"], "This holds for bob and carol" in said) == ("PROVEN", True), (
        said
    )


@pytest.mark.parametrize("revealed", [False, True])
async def test_a_seed_that_came_out_by_age_was_for_the_clock_to_choose(
    server: Table, jail: Executor, revealed: bool
) -> None:
    """Bob's words are here; the server tries this seed and the next, and dates the join."""
    game = await server.open(code=DRAWER)
    server.clock.advance(WEEK)
    if revealed:
        await game.ring()
    await game.join("alice", ALICE)
    await game.join("bob", BOB)
    await game.say("alice", "over")
    checked = verify(game.bundle(), jail)
    assert "I_RNG_AGE" in codes(checked) and not violations(checked)
    assert states(checked)["DICE"] == "NOT PROVEN"


async def test_a_seed_is_not_old_when_it_is_first_used(server: Table, jail: Executor) -> None:
    """The epoch after a reveal by age begins with its first run, not with the last word."""
    game = await server.open(code=DRAWER)
    server.clock.advance(WEEK)
    await game.ring()
    await game.join("alice", ALICE)
    await game.join("bob", BOB)
    server.channels.lines.settle_soon(game.room)
    await server.channels.lines.finish()
    assert [one["epoch"] for one in game.bundle().of("reveal")] == [0]  # the number is secret


async def test_a_room_that_lost_entries_is_not_said_to_reveal_its_seed(
    server: Table, jail: Executor
) -> None:
    game = await (await server.open("GuessBot")).seated()
    await game.say("alice", "guess 1")
    lost = game.bundle()
    size, ts = len(lost.entries), lost.of("msg")[-1]["ts"]
    entry = {"t": "restored", "size": size + 5, "root": "A" * 43, "ts": ts}
    lost.entries.append(entry)
    rules = next(one for one in verify(reforge(lost), jail).verdicts if one.line == "RULES")
    assert (rules.state, rules.settle) == (
        "NOT PROVEN",
        "the head that was lost, if a member kept its note",
    )
