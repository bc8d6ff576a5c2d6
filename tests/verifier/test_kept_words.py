"""Rooms whose referee keeps what it hears: what stays closed, what consent opens, and a server that
opens too much or too little."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from mcp_multiplayer.errors import BadOp
from mcp_multiplayer.transcript.entries import b64u
from mcp_multiplayer.verifier.executor import Executor
from tests.verifier.games import (
    Bundle,
    Game,
    Table,
    codes,
    reforge,
    states,
    verify,
    violations,
    without,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: Adds up the prices that it is told, tells everybody its own so far, ends when told so.
KEEPS = """
MANIFEST = {"sealed": "kept", "label": "deal"}
class Deal:
    def __init__(self, ctx, params):
        self.ctx, self.s = ctx, ctx.get_state()
    def on_message(self, msg):
        text, who = msg["body"]["text"], msg["sender"]
        if text == "end":
            self.ctx.end({"winners": [], "reason": str(self.ctx.random.randint(1, 6))})
            return
        self.s[who] = self.s.get(who, 0) + int(text)
        self.ctx.set_state(self.s)
        self.ctx.post("bot", {"so far": self.s[who]}, to=[who])
"""
DEALS = """
    def on_start(self):
        self.ctx.set_state({"secret": self.ctx.random.randint(1, 100)})
        self.ctx.post("bot", {"card": self.ctx.random.randint(1, 52)}, to=["bob"])
"""
TO = ["bot:deal"]
OPEN = {"op": "open_sealed", "bot_id": "deal"}


async def ended(server: Table, *agree: str) -> Game:
    """A game in which both have named a price and that is over."""
    game = await (await server.open(code=KEEPS)).seated()
    await game.say("alice", "140", TO)
    await game.say("bob", "165", TO)
    await game.say("alice", "end")
    for who in agree:
        await game.update(who, OPEN)
    return game


def words(file: Bundle) -> set[str]:
    """The prices that stand in the record."""
    text = json.dumps(file.entries)
    return {price for price in ("140", "165") if f'"{price}"' in text}


@pytest.mark.parametrize("agree", [(), ("alice",), ("bob",)])
async def test_kept_words_stay_closed_and_hold_back_the_proof(
    server: Table, jail: Executor, agree: tuple[str, ...]
) -> None:
    file = (await ended(server, *agree)).bundle()
    assert file.of("reveal") and not file.of("disclose")
    assert not words(file) and "140" not in json.dumps(file.openings)
    checked = verify(file, jail)
    assert not violations(checked)
    assert states(checked)["RULES"] == "NOT PROVEN" and "I_PRIVATE_KEPT" in codes(checked)


async def test_words_that_all_agree_to_open_are_open_and_prove_the_rules(
    server: Table, jail: Executor
) -> None:
    game = await ended(server, "alice", "bob")
    for who in ("alice", "bob"):
        file = game.bundle(who)
        assert words(file) == {"140", "165"}
        checked = verify(file, jail)
        assert not violations(checked)
        assert states(checked)["RULES"] == "PROVEN", checked.findings.found


async def test_what_is_said_after_the_opening_is_closed_again(
    server: Table, jail: Executor
) -> None:
    game = await ended(server, "alice", "bob")
    await game.say("bob", "1000", TO)
    await game.say("alice", "end")
    file = game.bundle()
    assert words(file) == {"140", "165"} and '"1000"' not in json.dumps(file.entries)
    checked = verify(file, jail)
    assert not violations(checked) and states(checked)["RULES"] == "NOT PROVEN"
    await game.update("bob", OPEN)
    checked = verify(game.bundle(), jail)
    assert not violations(checked) and states(checked)["RULES"] == "PROVEN"


async def test_who_speaks_to_the_next_referee_opens_nothing_that_was_said_to_the_last(
    server: Table, jail: Executor
) -> None:
    slots = ("invite:alice:admin", "invite:bob")
    game = await (await server.open(code=KEEPS, slots=slots)).seated()
    await game.say("alice", "140", TO)
    await game.say("bob", "165", TO)
    await game.say("alice", "end")
    await game.update("alice", {"op": "yield_slot", "player_id": "bob"})
    await game.update("alice", {"op": "set_bot", "bot_id": "deal", "bot_code": "…"}, code=KEEPS)
    await game.say("alice", "1000", TO)
    await game.say("alice", "end")
    await game.update("alice", OPEN)
    file = game.bundle()
    assert not words(file) and '"1000"' in json.dumps(file.of("disclose"))
    assert not violations(verify(file, jail))


async def test_what_nobody_said_but_some_were_told_is_opened_by_them(
    server: Table, jail: Executor
) -> None:
    deals = KEEPS.replace("    def on_message", DEALS + "    def on_message")
    game = await (await server.open(code=deals)).seated()
    with pytest.raises(BadOp, match="dice"):
        await game.update("bob", OPEN)
    await game.say("alice", "end")
    assert states(verify(game.bundle(), jail))["RULES"] == "NOT PROVEN"
    await game.update("bob", OPEN)
    checked = verify(game.bundle(), jail)
    assert not violations(checked) and states(checked)["RULES"] == "PROVEN"


async def test_a_consent_stands_under_its_members_name(server: Table, jail: Executor) -> None:
    checked = verify((await ended(server, "alice", "bob")).bundle(), jail)
    assert "I_UNCONFIRMED" in codes(checked)
    confirmed = verify((await ended(server)).bundle(), jail, confirmed=("alice", "bob"))
    assert "I_UNCONFIRMED" not in codes(confirmed)


FORGERIES: dict[str, tuple[tuple[str, ...], str]] = {}
_MAKE: dict[str, Callable[[Bundle], None]] = {}


def forgery(code: str, *agree: str) -> Callable[[Callable[[Bundle], None]], Callable[..., None]]:
    """Something a server with its key may do to the record of a game in which these agreed."""

    def add(make: Callable[[Bundle], None]) -> Callable[[Bundle], None]:
        FORGERIES[make.__name__] = agree, code
        _MAKE[make.__name__] = make
        return make

    return add


@forgery("E_UNSEAL", "alice")
def it_is_opened_before_all_have_agreed(f: Bundle) -> None:
    f.of("unseal")[0]["key"] = b64u(bytes(32))


@forgery("E_UNSEAL", "alice", "bob")
def it_stays_closed_though_all_have_agreed(f: Bundle) -> None:
    del f.of("unseal")[-1]["key"]
    for entry in reversed(f.of("disclose")):
        without(f, entry["i"])


@forgery("E_UNSEAL", "alice", "bob")
def a_consent_is_left_out(f: Bundle) -> None:
    without(f, f.of("unseal")[0]["i"])


@forgery("E_UNSEAL", "alice")
def somebody_agrees_who_has_said_nothing(f: Bundle) -> None:
    bob = next(entry for entry in f.of("msg") if entry["m"]["s"] == "s1")
    at = bob["i"]
    del f.entries[at:]
    f.entries.append({"t": "unseal", "slot": "s1", "bot": "deal", "at": 1, "ts": bob["ts"]})


@forgery("E_DISCLOSE", "alice", "bob")
def another_word_is_opened(f: Bundle) -> None:
    f.of("disclose")[0]["body"] = {"text": "141"}


@forgery("E_DISCLOSE", "alice", "bob")
def a_word_is_left_out(f: Bundle) -> None:
    without(f, f.of("disclose")[0]["i"])


@forgery("E_DISCLOSE")
def a_word_is_opened_when_the_game_ends(f: Bundle) -> None:
    said = f.of("msg")[0]
    opened = {"t": "disclose", "entry": said["i"], "salt": b64u(bytes(16)), "body": {"text": "140"}}
    place = f.of("reveal")[0]["i"]
    f.entries.insert(place, opened | {"more": True})


@forgery("E_RUN_STATE", "alice", "bob")
def another_key_is_told(f: Bundle) -> None:
    f.of("unseal")[-1]["key"] = b64u(b"another key of thirty-two bytes!")


@forgery("E_RUN_STATE", "alice", "bob")
def the_referee_remembered_something_else(f: Bundle) -> None:
    runs = [run for run in f.of("run") if run["st"][0] != run["st"][1]]
    for run in f.entries[runs[-1]["i"] :]:
        if run["t"] == "run":
            run["st"] = [
                b64u(b"0" * 32) if st == runs[-1]["st"][1] else st for st in list(run["st"])
            ]


@pytest.mark.parametrize("name", FORGERIES)
async def test_a_server_that_opens_otherwise_is_caught(
    server: Table, jail: Executor, name: str
) -> None:
    agree, code = FORGERIES[name]
    file = (await ended(server, *agree)).bundle()
    assert not violations(verify(file, jail))
    forged = file.copy()
    _MAKE[name](forged)
    assert code in violations(verify(reforge(forged), jail))
