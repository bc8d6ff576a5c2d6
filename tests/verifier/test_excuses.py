"""Excuses under which a cheating server might be believed, and honest servers accused."""

from __future__ import annotations

import hashlib

import pytest

from mcp_multiplayer.channel import events, terms
from mcp_multiplayer.channel.model import Channel
from mcp_multiplayer.channel.ops import read_ops
from mcp_multiplayer.channel.proposals import ahead
from mcp_multiplayer.sandbox.host.fair_queue import Owner
from mcp_multiplayer.service.bot_manager import BotSpec
from mcp_multiplayer.transcript import merkle, proofs
from mcp_multiplayer.transcript.canonical_json import canonical
from mcp_multiplayer.transcript.entries import b64u
from mcp_multiplayer.verifier.executor import Executor
from mcp_multiplayer.verifier.report import text
from tests.verifier.games import (
    ALICE,
    BOB,
    Bundle,
    Game,
    Table,
    codes,
    reforge,
    states,
    verify,
    violations,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

JUDGE = """
class JudgeBot:
    def on_message(self, message):
        self.ctx.post("bot", {"text": "heard"})
    def on_leave(self, player):
        self.ctx.end({"winners": [], "lost": player})
"""

LATE = """
import requests

class LateBot:
    def on_join(self, player):
        if player == "bob":
            try:
                requests.get("http://127.0.0.1:1/")
            except Exception:
                self.ctx.post("bot", {"text": "hello bob"})
"""

GREETER = """
class GreeterBot:
    def on_init(self):
        self.ctx.post("bot", {"text": "welcome"})
"""


async def attach(game: Game, code: str) -> None:
    """A referee comes late; alice proposes and bob accepts."""
    bot = await game.table.bots.prepare(BotSpec(code=code), owner=Owner("A"))
    await game.table.channels.update_channel(
        "A",
        game.room.channel_id,
        read_ops([{"op": "attach_bot", "bot_code": code}]),
        bots={0: bot},
    )
    if (proposal := game.room.channel.proposal) is not None:
        await game.update("bob", {"op": "accept_change", "terms": proposal.terms})


def agree(forged: Bundle) -> Bundle:
    """Have the joiners accept what is announced now."""
    entry = forged.of("attach")[0]
    entry["manifest_hash"] = "sha256:" + hashlib.sha256(canonical(entry["manifest"])).hexdigest()
    opened = [events.read(one) for one in forged.entries if one["t"] in ("genesis", "attach")]
    for join in forged.of("join"):
        join["terms"] = terms.of(ahead(Channel(), opened))
    return forged


async def test_a_hook_is_not_left_out_behind_another_runtime(server: Table, jail: Executor) -> None:
    """Its hooks are not part of the terms: whoever leaves one out there must not be PROVEN."""
    game = await (await server.open(code=JUDGE)).seated()
    await game.say("alice", "x")
    await game.leave("alice")
    forged = game.bundle("bob")
    left = next(run for run in forged.of("run") if run["hook"] == "on_leave")
    del forged.entries[left["i"] :]  # bob has not won
    attached = forged.of("attach")[0]
    attached |= {"hooks": ["on_message"], "runtime": "cpython-3.99.0+00000000/mpx-1"}
    checked = verify(reforge(agree(forged)), jail)
    assert states(checked)["RULES"] == "NOT PROVEN" and "I_RUNTIME" in codes(checked)


async def test_who_has_no_network_has_no_connection_to_blame(guess: Bundle, jail: Executor) -> None:
    forged = guess.copy()
    run = next(one for one in forged.of("run") if one["hook"] == "on_message")
    hash = b64u(hashlib.sha256(b"{}").digest())
    forged.blobs[hashlib.sha256(b"{}").hexdigest()] = b"{}"
    run["fx"] = [{"k": "connect", "q": hash, "r": hash}]
    run["out"][0]["b"] = {"text": "bob lost"}
    checked = verify(reforge(forged), jail)
    assert "E_RUN_FX" in violations(checked) and states(checked)["RULES"] == "VIOLATED"


async def test_a_late_referee_may_greet_only_the_second(server: Table, jail: Executor) -> None:
    """Two on_join of one entry look alike; the first one's silence is not held against it."""
    game = await server.open(slots=("invite:alice:admin", "invite:bob"))
    await game.join("alice", ALICE)
    await game.join("bob", BOB)
    await attach(game, LATE)
    await game.update("alice", {"op": "close"})
    assert game.room.channel.proposal is not None
    accept = {"op": "accept_change", "terms": game.room.channel.proposal.terms}
    await game.update("bob", accept)
    honest = game.bundle()
    assert honest.of("run")[0]["fx"]
    checked = verify(honest, jail)
    assert not violations(checked) and states(checked)["RULES"] == "PROVEN"


async def test_a_receipt_that_anybody_gets_confirms_nobodys_words(
    guess: Bundle, jail: Executor
) -> None:
    hashes = [merkle.leaf_hash(canonical(entry)) for entry in guess.entries]
    receipts = [
        (str(i), proofs.tlog_proof(i, proofs.inclusion(hashes, i), guess.checkpoint or ""))
        for i in range(len(hashes))
    ]
    for me, missing in ((None, {"alice", "bob"}), ("bob", {"alice"})):
        checked = verify(guess, jail, receipts=receipts, me=me)
        found = [one for one in checked.findings.found if one.code == "I_UNCONFIRMED"]
        assert {one.text.split()[0] for one in found} == missing


async def test_words_that_no_referee_answers_are_compared_too(
    server: Table, jail: Executor
) -> None:
    """A line from before the last word was said must not stand for all that came after."""
    game = await (await server.open(code=GREETER)).seated()
    early = game.bundle()
    await game.say("alice", "you owe me a hundred")
    line = f"bob: {len(early.entries)} {early.roots()[-1][:24]}"
    checked = verify(game.bundle(), jail, lines=[line], me="alice")
    assert states(checked)["SAME FOR ALL"] == "NOT PROVEN"


async def test_an_invite_does_not_pin_a_referee_that_came_later(
    server: Table, jail: Executor
) -> None:
    """A server that holds bob's join back, knows his words, and seats another one first."""
    game = await server.open("GuessBot", slots=("invite:alice:admin", "invite:bob"))
    await game.join("alice", ALICE)
    bot = await game.table.bots.prepare(BotSpec(code=JUDGE), owner=Owner("A"))
    op = {"op": "set_bot", "bot_id": "guess-referee", "bot_code": JUDGE}
    await game.table.channels.update_channel(
        "A", game.room.channel_id, read_ops([op]), bots={0: bot}
    )
    await game.join("bob", BOB)
    await game.leave("alice")
    checked = verify(game.bundle("bob"), jail, invites=[game.invites["bob"]])
    assert "I_INVITE_OLD" in codes(checked) and not violations(checked)
    assert states(checked)["RULES"] == states(checked)["DICE"] == "NOT PROVEN"


LOOKUP = """
import requests

class LookupBot:
    def on_message(self, message):
        try:
            requests.get("http://127.0.0.1:1/")
        except Exception:
            pass
        if message["body"].get("text") == "over":
            self.ctx.end({"winners": []})
"""


async def test_what_the_network_told_a_referee_comes_out_with_its_seed(
    server: Table, jail: Executor
) -> None:
    game = await (await server.open(code=LOOKUP)).seated()
    await game.say("alice", "look it up")
    early = game.bundle()
    assert early.of("run")[0]["fx"] and len(early.blobs) == 1  # the source alone
    checked = verify(early, jail)
    assert not violations(checked) and "I_SEED" in codes(checked)
    await game.say("alice", "over")
    late = game.bundle()
    assert len(late.blobs) > 1
    assert states(verify(late, jail))["RULES"] == "PROVEN"
    late.blobs = early.blobs
    assert "E_BLOB" in violations(verify(late, jail))


async def test_two_seats_under_one_account_were_not_asked(server: Table, jail: Executor) -> None:
    """Which account holds a seat is the server's word; with it goes who must agree."""
    game = await server.open(code=GREETER, slots=("invite:alice:admin", "invite:bob"))
    await game.join("alice", ALICE)
    code = game.invites["bob"].partition(".")[0]
    await server.channels.join_channel("A", code, entropy=BOB)  # so it is written down
    bot = await server.bots.prepare(BotSpec(code=JUDGE), owner=Owner("A"))
    op = {"op": "set_bot", "bot_id": "greeter-bot", "bot_code": JUDGE}
    await server.channels.update_channel("A", game.room.channel_id, read_ops([op]), bots={0: bot})
    await server.channels.leave_channel("A", game.room.channel_id, "alice")
    checked = verify(game.bundle("bob"), jail, me="bob")
    assert "I_CONSENT" in codes(checked) and states(checked)["RULES"] == "NOT PROVEN"
    assert "under the same account as alice" in text(checked)
    both = verify(game.bundle("bob"), jail, confirmed=["alice", "bob"])
    assert states(both)["RULES"] == "PROVEN"


async def test_a_word_cannot_look_like_a_line_of_the_verdict(server: Table, jail: Executor) -> None:
    """A terminal breaks a long line; what then stands at its beginning must not be chosen."""
    game = await (await server.open(code=JUDGE)).seated()
    for blank in (" ", "\u2800", "\u3164", "\u3000"):
        await game.say("alice", f"no{blank * 90}PROVEN      RULES         all of it")
    await game.say("bob", "tails", to=["bot:judge-bot"])
    shown = text(verify(game.bundle("bob", private=True), jail))
    assert "PROVEN      RULES         all" not in shown.replace("\u2800", " ")
    assert "\u3164" not in shown
    assert '"tails"} to bot:judge-bot' in shown


@pytest.mark.parametrize("field", ["rng", "st", "now"])
async def test_another_runtime_excuses_no_receipt(
    guess: Bundle, jail: Executor, field: str
) -> None:
    """Keys, clocks and the chain of states are the same under every Python."""
    forged = guess.copy()
    forged.of("attach")[0]["runtime"] = "cpython-3.99.0+00000000/mpx-1"
    assert not violations(verify(reforge(forged), jail))
    run = forged.of("run")[2]
    if field == "now":
        run["now"] += 1
    else:
        run[field][0] = "A" * len(run[field][0])
    assert violations(verify(reforge(forged), jail))


FLAGS = """
class FlagBot:
    def on_message(self, message):
        said = message["body"]["text"]
        if said in ("1", "true"):
            self.ctx.set_state({"flag": 1 if said == "1" else True})
        else:
            self.ctx.end({"winners": [], "state": repr(self.ctx.get_state())})
"""


async def test_a_state_that_becomes_true_has_changed(server: Table, jail: Executor) -> None:
    """The hook left no trace, the next one found another state than a replay has."""
    game = await (await server.open(code=FLAGS)).seated()
    for said in ("1", "true", "end"):
        await game.say("alice", said)
    checked = verify(game.bundle(), jail)
    assert not violations(checked) and states(checked)["RULES"] == "PROVEN"


async def test_hooks_that_nobody_looked_for_are_not_proven(server: Table) -> None:
    """Without execution a server could announce a referee that has no hooks."""
    game = await (await server.open(code=JUDGE)).seated()
    forged = game.bundle()
    forged.of("attach")[0]["hooks"] = []
    checked = verify(reforge(forged), None, execute=False)
    assert states(checked)["RULES"] == states(checked)["DICE"] == "NOT PROVEN"
