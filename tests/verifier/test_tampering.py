"""Every cheat here is caught, under its code: a part of the corpus, to prove that checks can fail.

The first part needs no key; in the second the server itself numbers, chains and signs again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mcp_multiplayer.transcript import merkle, proofs
from mcp_multiplayer.transcript.canonical_json import canonical
from mcp_multiplayer.transcript.entries import b64u
from mcp_multiplayer.verifier.executor import Executor
from tests.sample import sample
from tests.verifier.games import (
    BOB,
    Bundle,
    Table,
    codes,
    inserted,
    reforge,
    signed,
    states,
    verify,
    violations,
    without,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

Cheat = Callable[[Bundle], Any]


def caught(forged: Bundle, jail: Executor, code: str, line: str, **wishes: Any) -> None:
    checked = verify(forged, jail, **wishes)
    assert code in violations(checked), [
        (one.code, one.entry, one.text) for one in checked.findings.found
    ]
    assert states(checked)[line] == "VIOLATED"
    assert checked.exit_code == 1


# --- without the key -------------------------------------------------------------------------


def _lines(forged: Bundle) -> list[bytes]:
    forged.lines = [canonical(entry) for entry in forged.entries]
    return forged.lines


def _replace(place: int, old: bytes, new: bytes) -> Cheat:
    def cheat(forged: Bundle) -> None:
        lines = _lines(forged)
        assert old in lines[place]
        lines[place] = lines[place].replace(old, new, 1)

    return cheat


def _swap(forged: Bundle) -> None:
    lines = _lines(forged)
    lines[3], lines[4] = lines[4], lines[3]


def _twice(forged: Bundle) -> None:
    lines = _lines(forged)
    lines.insert(3, lines[3])


def _cut(forged: Bundle) -> None:
    _lines(forged).pop()


def _appended(forged: Bundle) -> None:
    last = merkle.leaf_hash(_lines(forged)[-1])
    entry = {"i": len(forged.entries), "t": "rename", "name": "x", "p": b64u(last)}
    _lines(forged).append(canonical({**entry, "ts": 1_900_000_000_000}))


def _signature(forged: Bundle) -> None:
    assert forged.checkpoint
    head, mark, signature = forged.checkpoint.rpartition(" ")
    forged.checkpoint = head + mark + signature[:20] + ("B" if signature[20] == "A" else "A")
    forged.checkpoint += signature[21:]


def _blob(forged: Bundle) -> None:
    name = next(iter(forged.blobs))
    forged.blobs[name] += b"\n"


@pytest.mark.parametrize(
    ("cheat", "code"),
    [
        (_replace(4, b"purple", b"violet"), "E_PREV"),
        (_replace(4, b'"t":"join"', b'"t": "join"'), "E_CANONICAL"),
        (_replace(4, b'{"', b'{"i":4,"'), "E_JSON"),
        (_replace(4, b'"i":4', b'"i":NaN'), "E_JSON"),
        (_replace(4, b"purple", b"pur\\ud800ple"), "E_JSON"),
        (_replace(4, b"purple", b"pur\xffple"), "E_JSON"),
        (_replace(4, b'"i":4', b'"i":' + b"[" * 9000), "E_JSON"),
        (_swap, "E_INDEX"),
        (_twice, "E_INDEX"),
        (_cut, "E_CHECKPOINT"),
        (_appended, "E_CHECKPOINT"),
        (_signature, "E_SIGNATURE"),
        (_blob, "E_BLOB"),
    ],
)
async def test_who_has_no_key_changes_nothing(
    guess: Bundle, jail: Executor, cheat: Cheat, code: str
) -> None:
    forged = guess.copy()
    cheat(forged)
    caught(forged, jail, code, "RECORD")


async def test_a_head_of_another_room_signs_nothing(
    guess: Bundle, coin: Bundle, jail: Executor
) -> None:
    forged = guess.copy()
    forged.checkpoint = coin.checkpoint
    caught(forged, jail, "E_SIGNATURE", "RECORD")


async def test_a_private_word_cannot_be_opened_to_another(coin: Bundle, jail: Executor) -> None:
    forged = coin.copy()
    assert forged.openings
    forged.openings[0]["opening"][""][1] = {"text": "heads"}
    caught(forged, jail, "E_OPENING", "RECORD")


# --- with the key: runs ------------------------------------------------------------------------


def _first(forged: Bundle, kind: str, **fields: Any) -> dict[str, Any]:
    return next(
        entry
        for entry in forged.of(kind)
        if all(entry.get(name) == value for name, value in fields.items())
    )


def _answer(forged: Bundle) -> dict[str, Any]:
    """The run that answers the first guess."""
    return _first(forged, "run", hook="on_message")


def _flip(forged: Bundle) -> None:
    body = _answer(forged)["out"][0]["b"]
    assert body["result"] in ("high", "low")
    body["result"] = "low" if body["result"] == "high" else "high"


def _speak(forged: Bundle) -> None:
    _answer(forged)["out"].append({"k": "bot", "b": {"text": "bob cheats"}})


def _hush(forged: Bundle) -> None:
    _answer(forged)["out"].pop()


def _turn(forged: Bundle) -> None:
    _answer(forged)["turn"]["players"] = ["alice"]


def _winner(forged: Bundle) -> None:
    end = next(run["end"] for run in forged.of("run") if "end" in run)
    end["winners"] = ["alice"]


def _skip(forged: Bundle) -> None:
    without(forged, _answer(forged)["i"])


def _invent(forged: Bundle) -> None:
    run = dict(_answer(forged))
    inserted(forged, run["i"] + 1, run)


def _rebind(forged: Bundle) -> None:
    _answer(forged)["on"] -= 1


def _feign(forged: Bundle) -> None:
    run = _answer(forged)
    run |= {"res": "error:ValueError", "line": 7, "out": []}
    run["st"][1] = run["st"][0]
    del run["turn"]


def _clock(forged: Bundle) -> None:
    _answer(forged)["now"] += 1


def _skip_draw(forged: Bundle) -> None:
    for run in forged.of("run"):
        run["rng"][2] += run["rng"][2] > 0


def _other_dice(forged: Bundle) -> None:
    for run in forged.of("run"):
        run["rng"][0] = "A" * 12


def _state(forged: Bundle) -> None:
    runs = forged.of("run")
    runs[2]["st"][1] = runs[3]["st"][0] = "A" * 43


def _unlinked(forged: Bundle) -> None:
    forged.of("run")[3]["st"][0] = "A" * 43


def _asked(forged: Bundle) -> None:
    digest = next(iter(forged.blobs))
    hash = b64u(bytes.fromhex(digest))
    _answer(forged)["fx"] = [{"k": "fetch", "q": hash, "r": hash}]


@pytest.mark.parametrize(
    ("cheat", "code", "line"),
    sample(
        [
            (_flip, "E_RUN_OUT", "RULES"),
            (_speak, "E_RUN_OUT", "RULES"),
            (_hush, "E_RUN_OUT", "RULES"),
            (_turn, "E_RUN_OUT", "RULES"),
            (_winner, "E_RUN_OUT", "RULES"),
            (_skip, "E_RUN_SKIPPED", "RULES"),
            (_invent, "E_RUN_EXTRA", "RULES"),
            (_rebind, "E_RUN_SKIPPED", "RULES"),
            (_feign, "E_RUN_RES", "RULES"),
            (_clock, "E_RUN_NOW", "RULES"),
            (_skip_draw, "E_RUN_RNG", "DICE"),
            (_other_dice, "E_RUN_RNG", "DICE"),
            (_state, "E_RUN_STATE", "RULES"),
            (_unlinked, "E_RUN_STATE", "RULES"),
            (_asked, "E_RUN_FX", "RULES"),
        ],
        {
            (_flip, "E_RUN_OUT", "RULES"),
            (_skip, "E_RUN_SKIPPED", "RULES"),
            (_invent, "E_RUN_EXTRA", "RULES"),
            (_feign, "E_RUN_RES", "RULES"),
            (_skip_draw, "E_RUN_RNG", "DICE"),
            (_state, "E_RUN_STATE", "RULES"),
        },
    ),
)
async def test_a_server_cannot_lie_about_a_run(
    guess: Bundle, jail: Executor, cheat: Cheat, code: str, line: str
) -> None:
    forged = guess.copy()
    cheat(forged)
    caught(reforge(forged), jail, code, line)


ONE = """
class OneBot:
    def on_message(self, message):
        self.ctx.post("bot", {"n": 1})
        self.ctx.end({"winners": []})
"""


async def test_true_is_not_one(server: Table, jail: Executor) -> None:
    """To Python they are equal; to everybody else they are two words."""
    game = await (await server.open(code=ONE)).seated()
    await game.say("alice", "go")
    forged = game.bundle()
    assert not violations(verify(forged, jail))
    forged.of("run")[0]["out"][0]["b"]["n"] = True
    caught(reforge(forged), jail, "E_RUN_OUT", "RULES")


async def test_a_server_cannot_run_other_code_than_announced(guess: Bundle, jail: Executor) -> None:
    forged = guess.copy()
    attach = forged.of("attach")[0]
    source = forged.blobs.pop(forged.code)
    text = source.decode().replace('"high"', '"hoch"')
    attach["code_hash"] = forged.source(text)
    caught(reforge(forged), jail, "E_TERMS", "RECORD")  # the joiners accepted the other hash


# --- with the key: seeds and entropy -----------------------------------------------------------


async def test_a_seed_that_was_not_committed_to_is_none(guess: Bundle, jail: Executor) -> None:
    forged = guess.copy()
    forged.of("reveal")[0]["seed"] = "A" * 43
    caught(reforge(forged), jail, "E_SEED", "DICE")


async def test_a_word_of_a_member_cannot_be_exchanged(guess: Bundle, jail: Executor) -> None:
    forged = guess.copy()
    _first(forged, "join", entropy=BOB)["entropy"] = "bob says 7781 green walrus"
    caught(reforge(forged), jail, "E_RUN_RNG", "DICE")


async def test_nothing_is_added_to_the_dice_after_the_beginning(
    guess: Bundle, jail: Executor
) -> None:
    forged = guess.copy()
    late = forged.of("msg")[-1]
    entry = {"t": "entropy", "slot": "s0", "value": "x" * 20, "ts": late["ts"]}
    inserted(forged, late["i"], entry)
    caught(reforge(forged), jail, "E_ENTROPY", "DICE")


async def test_a_seed_does_not_come_out_early(guess: Bundle, jail: Executor) -> None:
    """Each seed that is out begins another series of dice: a server could choose when."""
    forged = guess.copy()
    reveal = forged.entries.pop()
    del forged.entries[-1]["more"]
    inserted(forged, forged.of("msg")[1]["i"], reveal)
    caught(reforge(forged), jail, "E_REVEAL", "RECORD")


async def test_a_seed_that_is_withheld_proves_nothing(guess: Bundle, jail: Executor) -> None:
    forged = guess.copy()
    forged.entries.pop()
    del forged.entries[-1]["more"]
    checked = verify(reforge(forged), jail)
    assert states(checked)["DICE"] != "PROVEN" and states(checked)["RULES"] != "PROVEN"


# --- with the key: the rules of rooms ------------------------------------------------------------


def _stranger(forged: Bundle) -> None:
    forged.of("msg")[0]["m"]["s"] = "s2"


def _counter(forged: Bundle) -> None:
    forged.of("msg")[1]["m"]["c"] += 1


def _kind(forged: Bundle) -> None:
    forged.of("msg")[1]["m"]["k"] = "system"


def _extra(forged: Bundle) -> None:
    forged.of("msg")[1]["note"] = "grind"


def _unknown(forged: Bundle) -> None:
    forged.of("msg")[1]["t"] = "gift"


def _terms(forged: Bundle) -> None:
    forged.of("join")[0]["terms"] = "sha256:" + "0" * 64


def _second_join(forged: Bundle) -> None:
    join = forged.of("join")[1]
    inserted(forged, join["i"] + 2, {**join, "who": "A" * 16})


def _bot_of_the_server(forged: Bundle) -> None:
    attach = {**forged.of("attach")[0], "bot": "mole", "slot": "s9"}
    message = forged.of("msg")[0]
    inserted(forged, message["i"], {**attach, "ts": message["ts"]})


def _unasked_tick(forged: Bundle) -> None:
    message = forged.of("msg")[0]
    bot = forged.of("attach")[0]["bot"]
    inserted(forged, message["i"], {"t": "tick", "bot": bot, "name": "turn", "ts": message["ts"]})


def _admin(forged: Bundle) -> None:
    message = forged.of("msg")[0]
    inserted(forged, message["i"], {"t": "admin", "slot": "s1", "on": True, "ts": message["ts"]})


def _back_in_time(forged: Bundle) -> None:
    forged.of("msg")[-1]["ts"] = forged.of("msg")[0]["ts"] - 1


def _no_more(forged: Bundle) -> None:
    del forged.entries[-2]["more"]


@pytest.mark.parametrize(
    ("cheat", "code"),
    [
        (_stranger, "E_MSG"),
        (_counter, "E_MSG"),
        (_kind, "E_FIELDS"),
        (_extra, "E_FIELDS"),
        (_unknown, "E_TYPE"),
        (_terms, "E_TERMS"),
        (_second_join, "E_JOIN"),
        (_bot_of_the_server, "E_ATTACH"),
        (_unasked_tick, "E_TICK"),
        (_admin, "E_ADMIN"),
        (_back_in_time, "E_TS"),
        (_no_more, "E_RUN"),
    ],
)
async def test_a_server_cannot_break_the_rules_of_the_room(
    guess: Bundle, jail: Executor, cheat: Cheat, code: str
) -> None:
    forged = guess.copy()
    cheat(forged)
    caught(reforge(forged), jail, code, "RECORD")


@pytest.mark.parametrize("cheat", ["body", "missing", "twice"])
async def test_a_disclosure_opens_what_was_sealed(coin: Bundle, jail: Executor, cheat: str) -> None:
    forged = coin.copy()
    (disclose,) = forged.of("disclose")
    if cheat == "body":
        disclose["body"] = {"text": "heads"}
    elif cheat == "missing":
        without(forged, disclose["i"])
    else:
        inserted(forged, disclose["i"], dict(disclose))
    caught(reforge(forged), jail, "E_DISCLOSE", "RECORD")


# --- two logs ----------------------------------------------------------------------------


def _rewritten(honest: Bundle) -> Bundle:
    """Another word under alice's name, which the referee does not care about."""
    forged = honest.copy()
    said = next(m for m in forged.of("msg") if m["m"]["b"] == {"text": "hello there"})
    said["m"]["b"] = {"text": "I give up!"}
    return reforge(forged)


async def test_a_line_that_bob_kept_shows_two_logs(guess: Bundle, jail: Executor) -> None:
    line = f"bob: {len(guess.entries)} {guess.roots()[-1][:24]}…"
    forged = _rewritten(guess)
    assert not violations(verify(forged, jail))  # from the file alone nobody can tell
    caught(forged, jail, "E_FORK", "SAME FOR ALL", lines=[line])


async def test_a_note_that_bob_kept_shows_two_logs(guess: Bundle, jail: Executor) -> None:
    kept = guess.checkpoint
    assert kept
    caught(_rewritten(guess), jail, "E_FORK", "SAME FOR ALL", heads=[("bob", kept)])


async def test_a_receipt_shows_that_a_word_was_exchanged(guess: Bundle, jail: Executor) -> None:
    hashes = [merkle.leaf_hash(canonical(entry)) for entry in guess.entries]
    index = guess.of("msg")[2]["i"]
    proof = proofs.tlog_proof(index, proofs.inclusion(hashes, index), guess.checkpoint or "")
    honest = verify(guess, jail, receipts=[("mine", proof)])
    assert not violations(honest) and honest.heads and honest.heads.kept == {index}
    caught(_rewritten(guess), jail, "E_FORK", "SAME FOR ALL", receipts=[("mine", proof)])


async def test_an_invite_pins_the_beginning(server: Table, jail: Executor) -> None:
    game = await (await server.open("GuessBot")).seated()
    await game.say("bob", "concede")
    honest = game.bundle()
    invite = f"https://mp.example/join#{game.invites['bob']}"
    assert not violations(verify(honest, jail, invites=[invite]))
    forged = honest.copy()
    forged.entries[0]["nonce"] = "0" * 32
    caught(reforge(forged), jail, "E_INVITE", "RECORD", invites=[invite])


async def test_what_is_nothing_to_compare_with_accuses_nobody(
    guess: Bundle, coin: Bundle, jail: Executor
) -> None:
    origin = guess.entries[0]["origin"]
    ahead = signed(origin, 1000, bytes(32))
    checked = verify(
        guess,
        jail,
        lines=["bob saw it", f"bob: 7 {guess.roots()[7][:8]}"],
        heads=[("bob", "no note"), ("bob", coin.checkpoint or ""), ("bob", ahead)],
        receipts=[("x", "no receipt")],
        invites=["nothing"],
    )
    assert not violations(checked)
    assert {"I_ARGUMENT", "I_LINE_SHORT", "I_LINE_AHEAD"} <= codes(checked)


async def test_a_truncated_game_is_not_called_whole(guess: Bundle, jail: Executor) -> None:
    forged = guess.copy()
    del forged.entries[forged.of("msg")[1]["i"] :]
    checked = verify(reforge(forged), jail)
    assert states(checked)["RECORD"] == "NOT PROVEN" and "I_LIVE" in codes(checked)


async def test_the_forger_forges_well(guess: Bundle) -> None:
    """Chained and signed again without a change, the record is what it was."""
    assert reforge(guess.copy()).members() == guess.members()
