"""Heads, receipts and invites that members kept, each off by the least that matters."""

from __future__ import annotations

import pytest

from mcp_multiplayer.transcript import checkpoint, merkle, proofs
from mcp_multiplayer.transcript.canonical_json import canonical
from mcp_multiplayer.verifier.executor import Executor
from mcp_multiplayer.verifier.heads import PROOF
from mcp_multiplayer.verifier.report import data, text
from tests.verifier.games import KEY, Bundle, Table, codes, states, verify, violations

pytestmark = pytest.mark.asyncio(loop_scope="module")


def receipt(game: Bundle, index: int, shown_as: int) -> str:
    """The proof that entry ``index`` is in the head, given out as that of another."""
    hashes = [merkle.leaf_hash(canonical(entry)) for entry in game.entries]
    return proofs.tlog_proof(shown_as, proofs.inclusion(hashes, index), game.checkpoint or "")


async def test_24_characters_of_a_root_are_enough_and_23_are_a_hint(guess: Bundle) -> None:
    size, root = len(guess.entries), guess.roots()[-1]
    enough = verify(guess, lines=[f"bob: {size} {root[:PROOF]}"], execute=False)
    assert enough.heads and enough.heads.seen == {"bob": size}
    hint = verify(guess, lines=[f"bob: {size} {root[: PROOF - 1]}"], execute=False)
    assert hint.heads and hint.heads.seen == {}
    assert "I_LINE_SHORT" in codes(hint) - codes(enough)


async def test_of_several_lines_the_latest_counts_in_whatever_order(guess: Bundle) -> None:
    size, roots = len(guess.entries), guess.roots()
    lines = [f"bob: {n} {roots[n]}" for n in (5, size, 7)]
    checked = verify(guess, lines=lines, execute=False)
    assert checked.heads and checked.heads.seen == {"bob": size}


async def test_a_receipt_of_one_entry_confirms_no_other(guess: Bundle) -> None:
    first, second = (entry["i"] for entry in guess.of("msg")[:2])
    good = verify(guess, receipts=[("mine", receipt(guess, first, first))], execute=False)
    assert good.heads and good.heads.kept == {first}
    bad = verify(guess, receipts=[("mine", receipt(guess, first, second))], execute=False)
    assert bad.heads and bad.heads.kept == set()
    assert "I_ARGUMENT" in codes(bad) and not violations(bad)


async def test_the_report_says_what_a_receipt_is_of(guess: Bundle, jail: Executor) -> None:
    index = guess.of("msg")[1]["i"]
    checked = verify(guess, jail, receipts=[("mine", receipt(guess, index, index))])
    (found,) = data(checked)["receipts"]
    (message,) = found["messages"]
    assert (found["receipt"], found["entry"], message["sender"]) == ("mine", index, "bob")
    assert f"mine: entry {index}, message {message['id']} of bob" in text(checked)


async def test_a_receipts_name_is_no_members(server: Table) -> None:
    """A receipt called x counted as what a member called receipt-x had seen."""
    game = await server.open(slots=("invite:alice", "invite:receipt-x"))
    await game.join("alice")
    await server.channels.join_channel("B", game.invites["receipt-x"].partition(".")[0])
    await game.say("alice", "hello")
    file = game.bundle()
    last = len(file.entries) - 1
    checked = verify(file, receipts=[("x", receipt(file, last, last))], me="alice")
    assert checked.heads and checked.heads.seen == {} and checked.heads.kept == {last}
    assert states(checked)["SAME FOR ALL"] == "NOT PROVEN"
    assert "what receipt-x saw" in text(checked)


async def test_an_invite_that_this_room_never_made_is_found_out_without_its_head(
    guess: Bundle,
) -> None:
    assert "E_INVITE" in violations(verify(guess, invites=["inv_" + "a" * 24], execute=False))


async def test_a_head_that_names_another_room_says_nothing_of_this_one(guess: Bundle) -> None:
    origin, size = guess.entries[0]["origin"], len(guess.entries)
    text = checkpoint.checkpoint("mp.example/c/chn_other", size, bytes(32))
    signed = checkpoint.signed(text, origin, KEY.public, KEY.sign)  # under this room's name
    checked = verify(guess, heads=[("bob", signed)], execute=False)
    assert "I_ARGUMENT" in codes(checked) and not violations(checked)
