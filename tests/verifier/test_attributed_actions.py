"""What a server writes in a member's name besides messages is that member's to confirm."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_multiplayer.channel.events import Event
from mcp_multiplayer.transcript import merkle, proofs
from mcp_multiplayer.transcript.canonical_json import canonical
from mcp_multiplayer.verifier import attributed_actions, report
from mcp_multiplayer.verifier.executor import Executor
from mcp_multiplayer.verifier.findings import Findings
from tests.channel.table import Table as Room
from tests.channel.table import bot
from tests.verifier.games import ALICE, BOB, Bundle, Table, codes, states, verify

pytestmark = pytest.mark.asyncio(loop_scope="module")
BOTH = ["alice", "bob"]


def receipts(honest: Bundle) -> list[tuple[str, str]]:
    """One for every entry, as the server gives them to every member."""
    hashes = [merkle.leaf_hash(canonical(entry)) for entry in honest.entries]
    found = [(n, proofs.inclusion(hashes, n)) for n in range(len(hashes))]
    return [(str(n), proofs.tlog_proof(n, path, honest.checkpoint or "")) for n, path in found]


async def test_what_a_member_gave_to_the_dice_is_shown_and_wants_to_be_confirmed(
    server: Table, jail: Executor
) -> None:
    game = await (await server.open("GuessBot")).seated()
    await game.say("alice", "concede")
    checked = verify(game.bundle(), jail, confirmed=["alice"])
    assert states(checked)["WORDS"] == "NOT PROVEN"
    assert f' and gave to the dice: "{BOB}")' in report.text(checked)
    assert states(verify(game.bundle(), jail, confirmed=BOTH))["WORDS"] == "PROVEN"


async def test_another_value_than_a_member_gave_is_found_out(guess: Bundle, jail: Executor) -> None:
    gave = [("alice", ALICE), ("bob", BOB)]
    assert states(verify(guess, jail, gave=gave))["DICE"] == "PROVEN"
    swapped = verify(guess, jail, gave=[("bob", "what bob gave instead")])
    assert "E_GAVE" in codes(swapped) and states(swapped)["DICE"] == "VIOLATED"


async def test_what_a_member_gave_and_the_record_does_not_have_is_found_out(
    server: Table, jail: Executor
) -> None:
    game = await (await server.open("GuessBot")).seated(entropy=False)
    assert "E_GAVE" in codes(verify(game.bundle(), jail, gave=[("bob", BOB)]))


async def test_a_commitment_is_to_the_value_that_was_given(server: Table, jail: Executor) -> None:
    from mcp_multiplayer.transcript.seeds import commit_member

    game = await server.open("GuessBot")
    slots = {slot.label: slot.id for slot in game.room.channel.slots}
    origin = game.room.channel.origin
    await game.join("alice", "commit:" + commit_member(origin, slots["alice"], ALICE))
    await game.join("bob", BOB)
    await game.join("alice", ALICE)
    await game.say("alice", "concede")
    assert "E_GAVE" not in codes(verify(game.bundle(), jail, gave=[("alice", ALICE)]))
    assert "E_GAVE" in codes(verify(game.bundle(), jail, gave=[("alice", BOB)]))


async def test_receipts_confirm_nobodys_words_but_ones_own(guess: Bundle, jail: Executor) -> None:
    def words(**more: Any) -> str:
        return states(verify(guess, jail, receipts=receipts(guess), **more))["WORDS"]

    assert words() == words(me="alice") == words(confirmed=["alice"]) == "NOT PROVEN"
    assert words(me="alice", confirmed=["bob"]) == words(confirmed=BOTH) == "PROVEN"


async def test_leaving_and_agreeing_want_to_be_confirmed(server: Table, jail: Executor) -> None:
    game = await (await server.open("GuessBot")).seated(entropy=False)
    await game.leave("bob")
    did = report.data(verify(game.bundle(), jail))["done"]
    terms = game.bundle().of("join")[1]["terms"]
    shown = [one["text"] for one in did["bob"]]
    assert shown == [f"sat down on the terms {terms}", "left, or was asked to"]
    assert states(verify(game.bundle(), jail, confirmed=["alice"]))["WORDS"] == "NOT PROVEN"


async def test_of_two_values_that_a_member_gave_the_last_one_counts() -> None:
    """As when another referee came in between, whose seed the first value could not bind."""
    table = Room.of("bot:judge", "invite:alice", "invite:bob", bots=(bot(),))
    happened: list[Event] = [*table.join("A", "alice", entropy=ALICE)]
    happened += table.happen([bot("Late").attach("late", "s3", runtime="r", commit="c")])
    happened += table.join("A", "alice", entropy=BOB)
    found = []
    for value in (ALICE, BOB):
        findings = Findings()
        attributed_actions.check_gave("alice", value, happened, table.channel, findings)
        found.append([one.code for one in findings.found])
    assert found == [["E_GAVE"], []]
