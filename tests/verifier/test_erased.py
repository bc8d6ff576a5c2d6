"""Records in which the operator has erased words: what is still proven, what is not, and a server
that erases otherwise than it says."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from mcp_multiplayer.channel.events import TYPES
from mcp_multiplayer.storage.base import Append, Row
from mcp_multiplayer.storage.base import Table as Rows
from mcp_multiplayer.storage.commits import to_future
from mcp_multiplayer.transcript.entries import b64u
from mcp_multiplayer.verifier.executor import Executor
from mcp_multiplayer.verifier.findings import DICE, RECORD, RULES, WORDS
from tests.verifier.games import Bundle, Game, Table, codes, reforge, states, verify, violations

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: Counts what it hears, repeats it, and tells the sender a card.
COUNTS = """
MANIFEST = {"label": "count"}
class Count:
    def __init__(self, ctx, params):
        self.ctx, self.s = ctx, ctx.get_state()
    def on_message(self, msg):
        self.s["n"] = self.s.get("n", 0) + 1
        self.ctx.set_state(self.s)
        text = msg["body"]["text"]
        if text == "end":
            self.ctx.end({"winners": ["bob"], "reason": "rude words"})
            return
        self.ctx.post("bot", {"heard": text})
        self.ctx.post("bot", {"card": self.ctx.random.randint(1, 52)}, to=[msg["sender"]])
        self.ctx.set_turn(["bob"], expect=text)
"""
SECRET = ["bot:count"]


async def played(server: Table) -> Game:
    game = await (await server.open(code=COUNTS)).seated()
    await game.say("alice", {"text": "hello"})
    await game.say("bob", {"text": "rude words"})
    await game.say("alice", {"text": "between us"}, ["bob"])
    await game.say("bob", {"text": "sealed and rude"}, SECRET)
    return game


def place(file: Bundle, kind: str, number: int = -1) -> int:
    """Index of one of the entries of a type: the last, if no other is asked for."""
    found: int = file.of(kind)[number]["i"]
    return found


async def ended(server: Table, *kinds: tuple[str, int]) -> tuple[Bundle, list[int]]:
    """A game that is over and of which these entries were erased, with all their bytes."""
    game = await played(server)
    await game.say("bob", {"text": "end"})
    before = game.bundle()
    indices = [place(before, *kind) for kind in kinds]
    await game.erase(*indices)
    return game.bundle(), indices


RUDE = ("msg", 1)


async def test_words_that_are_erased_take_the_proof_of_what_heard_them_and_no_other(
    server: Table, jail: Executor
) -> None:
    file, indices = await ended(server, RUDE)
    whole = states(verify(file, jail))
    checked = verify(file.copy().without_words(*indices), jail)
    assert not violations(checked)
    assert "I_ERASED" in codes(checked)
    # Whether a hook drew what it says is known by executing it, so the dice go with the rules.
    assert states(checked) == {**whole, RULES: "NOT PROVEN", DICE: "NOT PROVEN"}
    assert (whole[RULES], whole[RECORD], whole[DICE]) == ("PROVEN",) * 3


async def test_words_that_no_referee_heard_take_no_proof(server: Table, jail: Executor) -> None:
    file, indices = await ended(server, ("msg", 2))
    assert "to" in file.entries[indices[0]]["m"]
    checked = verify(file.copy().without_words(*indices), jail)
    assert states(checked) == states(verify(file, jail))


async def test_a_referee_s_erased_words_are_still_held_against_its_source(
    server: Table, jail: Executor
) -> None:
    file, indices = await ended(server, ("run", -1), ("run", 1))
    bare = file.copy().without_words(*indices)
    assert b"rude words" not in bare.lines[indices[0]] + bare.lines[indices[1]]  # type: ignore[index]
    checked = verify(bare, jail)
    assert states(checked) == states(verify(file, jail))
    assert states(checked)[RULES] == "PROVEN"


async def test_words_that_a_reveal_has_opened_can_be_erased(server: Table, jail: Executor) -> None:
    file, indices = await ended(server, ("disclose", 0))
    checked = verify(file.copy().without_words(*indices), jail)
    assert not violations(checked)
    assert (states(checked)[RECORD], states(checked)[RULES]) == ("PROVEN", "NOT PROVEN")
    assert "I_ERASED" in codes(checked)


async def test_sealed_words_that_are_erased_in_time_are_never_opened(
    server: Table, jail: Executor
) -> None:
    game = await played(server)
    number = place(game.bundle(), "msg")
    await game.erase(number)
    (message,) = [one.id for one in game.room.messages_after(0, 99) if one.entry == number]
    store, channel_id = game.table.channels.store, game.room.channel_id
    key = next(name for name, _ in store.scan(Rows.PRIVATE, channel_id) if int(name) == message)
    gone = [Row(Rows.PRIVATE, channel_id, key, None)]  # what opens it goes with the words
    await to_future(store.append(Append(channel_id, 0, b"", (), gone, unconditional=True)))
    await game.say("bob", {"text": "end"})
    file = game.bundle()
    assert not file.of("disclose")
    checked = verify(file.without_words(number), jail)
    assert not violations(checked)
    assert (states(checked)[RECORD], states(checked)[RULES]) == ("PROVEN", "NOT PROVEN")
    assert "I_ERASED" in codes(checked)


async def test_whoever_has_the_words_still_proves_all(server: Table, jail: Executor) -> None:
    file, _ = await ended(server, RUDE, ("run", 1), ("run", -1))
    found = states(verify(file, jail, confirmed=["alice", "bob"]))
    assert (found[RULES], found[RECORD], found[DICE], found[WORDS]) == ("PROVEN",) * 4


async def test_the_report_says_how_many_entries_were_erased(server: Table, jail: Executor) -> None:
    file, indices = await ended(server, RUDE, ("run", 1))
    checked = verify(file.without_words(*indices), jail)
    (record,) = [one.reason for one in checked.verdicts if one.line == RECORD]
    assert "2 entries that the operator has erased" in record


async def test_what_was_shown_before_it_was_erased_accuses_nobody(
    server: Table, jail: Executor
) -> None:
    game = await played(server)
    shown = [
        {"id": one.id, "entry": one.entry, "sender": one.sender, "body": dict(one.body)}
        for one in game.room.messages_after(0, 99)
    ]
    index = place(game.bundle(), *RUDE)
    await game.erase(index)
    file = game.bundle().without_words(index)
    assert "E_SHOWN" not in codes(verify(file, jail, saw=[("alice", json.dumps(shown))]))
    (rude,) = [one for one in shown if one["entry"] == index]
    rude["sender"] = "alice"
    assert "E_SHOWN" in codes(verify(file, jail, saw=[("alice", json.dumps(shown))]))


# --- a server that lies --------------------------------------------------------------------

_MAKE: dict[str, tuple[str, Callable[[Bundle, dict[str, Any]], None]]] = {}
Forge = Callable[[Bundle, dict[str, Any]], None]


def forgery(code: str) -> Callable[[Forge], Forge]:
    def add(make: Forge) -> Forge:
        _MAKE[make.__name__] = code, make
        return make

    return add


@forgery("E_MSG")
def the_words_are_said_to_be_another_s(f: Bundle, left: dict[str, Any]) -> None:
    left["m"]["s"] = "s0"


@forgery("E_MSG")
def a_message_is_said_to_be_of_a_seat_that_has_not_said_so_much(
    f: Bundle, left: dict[str, Any]
) -> None:
    left["m"]["c"] = 7


@forgery("E_TS")
def the_time_is_said_to_be_earlier(f: Bundle, left: dict[str, Any]) -> None:
    left["ts"] = 1


@forgery("E_TS")
def the_time_is_said_to_be_later(f: Bundle, left: dict[str, Any]) -> None:
    left["ts"] += 10**9


@forgery("E_FIELDS")
def the_words_are_not_gone(f: Bundle, left: dict[str, Any]) -> None:
    left["m"]["b"] = {"text": "polite words"}


@forgery("E_FIELDS")
def somebody_is_said_to_have_left(f: Bundle, left: dict[str, Any]) -> None:
    left.pop("m")
    left.update(t="leave", slot="s1")


@forgery("E_MSG")
def the_words_are_said_to_have_been_for_nobody_who_is_here(f: Bundle, left: dict[str, Any]) -> None:
    left["m"].pop("b")
    left["m"].update(d=b64u(bytes(32)), to=["zoe"])


@forgery("E_RUN_EXTRA")
def the_words_are_said_to_have_been_for_another_player(f: Bundle, left: dict[str, Any]) -> None:
    left["m"].pop("b")
    left["m"].update(d=b64u(bytes(32)), to=["alice"])


@forgery("E_ERASE")
def nobody_asked_for_it(f: Bundle, left: dict[str, Any]) -> None:
    f.of("ask")[0]["ops"] = [{"op": "erase", "entry": 1}]


@forgery("E_ASK")
def a_member_asked_for_it(f: Bundle, left: dict[str, Any]) -> None:
    ask = f.of("ask")[0]
    ask.pop("by")
    ask["who"] = f.entries[0]["creator"]


@pytest.mark.parametrize("name", _MAKE)
async def test_a_server_that_says_something_else_is_left_is_caught(
    server: Table, jail: Executor, name: str
) -> None:
    code, make = _MAKE[name]
    file, (index,) = await ended(server, RUDE)
    left = file.of("erase")[0]["left"]
    make(file, left)
    assert code in violations(verify(reforge(file).without_words(index), jail))


async def test_whoever_has_the_words_sees_what_was_changed_in_what_is_left(
    server: Table, jail: Executor
) -> None:
    file, _ = await ended(server, ("run", -1))
    file.of("erase")[0]["left"]["now"] += 1
    assert violations(verify(reforge(file), jail)) == {"E_ERASE"}


async def test_an_entry_is_not_erased_twice_into_different_things(
    server: Table, jail: Executor
) -> None:
    game = await played(server)
    await game.say("bob", {"text": "end"})
    index = place(game.bundle(), *RUDE)
    await game.erase(index)
    await game.erase(index)
    file = game.bundle()
    assert not violations(verify(file.copy().without_words(index), jail))
    file.of("erase")[1]["left"]["m"]["k"] = "move"
    assert violations(verify(reforge(file).without_words(index), jail)) == {"E_ERASE"}


async def test_an_end_by_a_run_is_not_erased_into_none(server: Table, jail: Executor) -> None:
    file, (index,) = await ended(server, ("run", -1))
    file.of("erase")[0]["left"].pop("end")
    assert violations(verify(reforge(file).without_words(index), jail))


async def test_dice_are_not_erased_from_a_run(server: Table, jail: Executor) -> None:
    file, (index,) = await ended(server, ("run", 1))
    left = file.of("erase")[0]["left"]
    left["rng"][2] += 1
    assert "E_RUN_RNG" in violations(verify(reforge(file).without_words(index), jail))


async def test_words_that_are_gone_without_a_word_end_what_can_be_judged(
    server: Table, jail: Executor
) -> None:
    file, _ = await ended(server, RUDE)
    other = place(file, "msg", 0)
    checked = verify(file.without_words(other), jail)
    assert "I_MISSING" in codes(checked)
    assert not violations(checked)
    assert "PROVEN" not in {states(checked)[line] for line in (RULES, RECORD, DICE, WORDS)}


@pytest.mark.parametrize("kind", sorted({"genesis", "attach", "join"} & TYPES.keys()))
async def test_what_shapes_a_room_is_not_passed_off_as_words(
    server: Table, jail: Executor, kind: str
) -> None:
    """In place of an entry that shapes the room, a server claims a message."""
    file, _ = await ended(server, RUDE)
    index = place(file, kind, 0)
    file.of("erase")[0]["entry"] = index
    file.of("ask")[0]["ops"][0]["entry"] = index
    assert violations(verify(reforge(file).without_words(index), jail))
