"""Honest servers whose hooks come to something else here: nobody is accused.

A hook that asks where objects lie, or a Python that matches a pattern otherwise, is no fraud. The
records here are what an honest server would have written where the coin fell on its other side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from mcp_multiplayer.sandbox.call import Effect, Failed, HookCall, HookResult, SourceReport
from mcp_multiplayer.sandbox.host import forkserver
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.verifier import replay
from mcp_multiplayer.verifier.executor import Executor
from mcp_multiplayer.verifier.replay import ELSEWHERE, TIMES, Replayer
from tests.verifier.games import Bundle, Table, codes, reforge, states, verify, violations

pytestmark = pytest.mark.asyncio(loop_scope="module")

REFEREE = """
import json
class Card:
    pass
class Deck:
    pass
def first():
    pass
def second():
    pass
class UnsteadyBot:
    def on_message(self, message):
        self.ctx.post("bot", {"got": getattr(self, message["body"]["text"])()})
    def objects(self):
        one, other = object(), object()
        return [thing is one for thing in {one, other}]
    def classes(self):
        return [thing is Card for thing in {Card, Deck}]
    def functions(self):
        return [thing is first for thing in {first, second}]
    def methods(self):
        return [thing == self.objects for thing in {self.objects, self.classes}]
    def address(self):
        return repr(object())[-5:]
    def formatted(self):
        return format(object())[-5:] + "{}".format(first)[-5:]
    def library(self):
        return repr(json.loads)[-5:]
    def steady(self):
        return [True, False]
"""
#: Two processes of one zygote mostly agree where objects lie. Where they do not, each record may
#: happen to be what its own process comes to: throw again.
COINS = 8
#: What the coin's other side would have been, by what a player says.
OTHER: dict[str, Any] = {
    **dict.fromkeys(("objects", "classes", "functions", "methods"), list.__reversed__),
    **dict.fromkeys(("address", "formatted", "library"), lambda text: [text[1:] + text[0]]),
}


def other(honest: Bundle, word: str, value: Any = None) -> Bundle:
    """The record of the server where it came to something else."""
    forged = honest.copy()
    place = next(one["i"] for one in forged.of("msg") if one["m"]["b"]["text"] == word)
    del forged.entries[place + 2 :]
    body = forged.entries[place + 1]["out"][0]["b"]
    made = list(OTHER[word](body["got"])) if value is None else value
    body["got"] = made if isinstance(body["got"], list) else made[0]
    return reforge(forged)


@pytest.mark.parametrize("word", OTHER)
async def test_where_objects_lie_accuses_nobody(server: Table, jail: Executor, word: str) -> None:
    unsteady: list[Any] = []
    for _ in range(COINS):
        game = await (await server.open(code=REFEREE)).seated()
        await game.say("alice", word)
        both = [verify(file, jail) for file in (game.bundle(), other(game.bundle(), word))]
        assert not set().union(*map(violations, both)), [one.findings.found for one in both]
        if unsteady := [one for one in both if "I_NONDETERMINISTIC" in codes(one)]:
            break
    assert unsteady  # the one or the other is not what comes of it here
    rules = next(one for one in unsteady[0].verdicts if one.line == "RULES")
    assert rules.state == "NOT PROVEN" and "on_message of bot unsteady-bot" in rules.reason


async def test_elsewhere_classes_lie_elsewhere_from_each_other(jail: Executor) -> None:
    """They are too large for Python's own pools, and lie where the C library has room."""
    message = {"id": 1, "sender": "a", "kind": "user", "body": {"text": "classes"}, "ts": "t"}
    call = HookCall(REFEREE, "on_message", (message,), players=("a",))
    found: list[set[str]] = [set() for _ in ELSEWHERE]
    for place, one in enumerate(jail.others()):
        result: Any = one.run(call)
        found[place % len(ELSEWHERE)].add(str(result.said[0].body["got"]))
    assert {"[True, False]", "[False, True]"} in found


async def test_what_always_comes_to_the_same_still_accuses(server: Table, jail: Executor) -> None:
    game = await (await server.open(code=REFEREE)).seated()
    await game.say("alice", "steady")
    assert states(verify(game.bundle(), jail))["RULES"] == "PROVEN"
    checked = verify(other(game.bundle(), "steady", [False, True]), jail)
    assert violations(checked) == {"E_RUN_OUT"}


@dataclass
class Busy:
    """A machine on which ``ended`` of eight runs elsewhere are cut off."""

    jail: Executor
    ended: int
    cut: bool = False

    def run(self, call: HookCall, tape: Sequence[Effect] = ()) -> HookResult:
        return Failed("TimeLimit", killed=True) if self.cut else self.jail.run(call, tape)

    def inspect(self, source: str, library: str) -> SourceReport | str | None:
        return self.jail.inspect(source, library)

    def others(self) -> Iterator[Executor]:
        return (Busy(self.jail, 0, cut=number < self.ended) for number in range(8))


@pytest.mark.parametrize(
    ("ended", "found"), [(0, {"E_RUN_OUT"}), (2, {"E_RUN_OUT"}), (3, set()), (8, set())]
)
async def test_too_few_runs_that_came_to_an_end_accuse_nobody(
    server: Table, jail: Executor, ended: int, found: set[str]
) -> None:
    game = await (await server.open(code=REFEREE)).seated()
    await game.say("alice", "steady")
    checked = verify(other(game.bundle(), "steady", [False, True]), Busy(jail, ended))
    assert violations(checked) == found
    if not found:
        assert "I_TIME" in codes(checked)
        assert states(checked)["RULES"] == "NOT PROVEN"


async def test_a_silence_that_is_a_coin_accuses_nobody(server: Table, jail: Executor) -> None:
    """One player of two is greeted when a referee comes late, and which of them is chance."""
    late = """
class GreeterBot:
    def on_join(self, player):
        one, other = [object(), 1], [object(), 2]
        a, b = object(), object()
        if list({a, b})[0] is a:
            self.ctx.post("bot", {"text": "hello"})
"""
    for _ in range(4):
        game = await server.open(slots=("invite:alice:admin", "invite:bob"))
        await game.join("alice")
        await game.join("bob")
        bot_op = {"op": "attach_bot", "bot_code": late}
        await game.update("alice", bot_op, code=late)
        proposal = game.room.channel.proposal
        assert proposal is not None
        await game.table.channels.update_channel(
            "B", game.room.channel_id, _accept(proposal.terms), bots={}
        )
        checked = verify(game.bundle(), jail)
        assert not violations(checked), checked.findings.found


def _accept(terms: str) -> Any:
    from mcp_multiplayer.channel.ops import read_ops

    return read_ops([{"op": "accept_change", "terms": terms}])


async def test_a_bot_that_its_server_calls_unsteady_accuses_nobody_anywhere(
    server: Table, jail: Executor
) -> None:
    """A referee made to differ once in a thousand times differs in between, and the log says so."""
    game = await (await server.open(code=REFEREE)).seated()
    await game.say("alice", "steady")
    await game.say("alice", "objects")
    forged = game.bundle()
    first, second = forged.of("run")
    first["out"][0]["b"]["got"] = [False, True]
    assert violations(verify(reforge(forged.copy()), jail)) == {"E_RUN_OUT"}
    second |= {"res": "error:NonDeterministic", "out": []}
    checked = verify(reforge(forged), jail)
    assert not violations(checked) and "I_NONDETERMINISTIC" in codes(checked)


# --- another Python ----------------------------------------------------------------------------

ANOTHER = "cpython-3.11.99+00000000/mpx-1"


async def test_another_patch_version_that_agrees_is_proven(server: Table, jail: Executor) -> None:
    game = await (await server.open(code=REFEREE)).seated()
    await game.say("alice", "steady")
    forged = game.bundle()
    forged.of("attach")[0]["runtime"] = ANOTHER
    checked = verify(reforge(forged), jail)
    assert states(checked)["RULES"] == "PROVEN" and not violations(checked)


async def test_another_patch_version_that_differs_accuses_nobody(
    server: Table, jail: Executor
) -> None:
    game = await (await server.open(code=REFEREE)).seated()
    await game.say("alice", "steady")
    forged = game.bundle()
    forged.of("attach")[0]["runtime"] = ANOTHER
    forged.of("run")[0]["out"][0]["b"]["got"] = [False, True]
    checked = verify(reforge(forged), jail)
    assert not violations(checked) and "I_RUNTIME" in codes(checked)
    rules = next(one for one in checked.verdicts if one.line == "RULES")
    assert ANOTHER in rules.reason


@pytest.mark.parametrize(
    "said", [{"hooks": ["on_timer"]}, {"reach": {"network": True, "dice": True}}]
)
async def test_a_source_that_another_version_reads_otherwise_accuses_nobody(
    server: Table, jail: Executor, said: dict[str, Any]
) -> None:
    game = await (await server.open(code=REFEREE)).seated()
    for name, found in ((ANOTHER, set()), (None, {"E_HOOKS", "E_REACH"})):
        forged = game.bundle()
        forged.entries = forged.entries[: forged.of("attach")[0]["i"] + 1]
        forged.entries[-1] |= said | ({"runtime": name} if name else {})
        forged.entries[-1].pop("more", None)
        checked = verify(reforge(forged), jail)
        assert bool(violations(checked) & {"E_HOOKS", "E_REACH"}) == bool(found)


async def test_dice_that_another_version_draws_accuse_nobody_before_the_seed_is_out(
    server: Table, jail: Executor
) -> None:
    """That it draws, and the log says that it did not, comes of executing it as well."""
    draws = """
class DrawBot:
    def on_message(self, message):
        self.ctx.post("bot", {"n": self.ctx.random.randint(1, 6)})
"""
    game = await (await server.open(code=draws)).seated()
    await game.say("alice", "roll")
    for name, accused in ((ANOTHER, set()), (None, {"E_RUN_RNG"})):
        forged = game.bundle()
        run = forged.of("run")[0]
        run["rng"][2] = run["rng"][1]
        if name:
            forged.of("attach")[0]["runtime"] = name
        assert violations(verify(reforge(forged), jail)) == accused


# --- where it is executed again ----------------------------------------------------------------

SEES = """
import requests
from mcp_multiplayer.sandbox.worker import serve
def fits(megabytes):
    try:
        return len([bytearray(10 << 20) for _ in range(megabytes // 10)]) > 0
    except MemoryError:
        return False
def answer(request, code, **_):
    got = [[fits(300), fits(600)], requests.__file__, id(object())]
    return {"finished": {"said": [{"kind": "bot", "body": {"got": got}}], "state": None,
                         "turn": None, "end": None, "timers": {}, "prints": ""}}
serve.answer = answer
"""


async def test_it_is_executed_again_with_other_memory_paths_and_addresses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, last = forkserver.PROGRAM.strip().rsplit("\n", 1)
    monkeypatch.setattr(forkserver, "PROGRAM", "\n".join([first, SEES, last]))
    assert TIMES * len(ELSEWHERE) >= 20
    monkeypatch.setattr(replay, "TIMES", times := 3)
    call = HookCall("class A:\n def on_init(self): pass", "on_init")
    with Replayer() as replayer:
        found: list[Any] = []
        for one in replayer.others():
            result: Any = one.run(call)
            found.append(result.said[0].body["got"])
        here: Any = replayer.run(call)
        memory, path, _ = here.said[0].body["got"]
        directory = replayer._others[-1]._directory
        assert directory is not None and directory.exists()
    assert len(found) == times * len(ELSEWHERE)
    assert memory == [True, False]
    half, same, double = [False, False], [True, False], [True, True]
    assert [one[0] for one in found[: len(ELSEWHERE)]] == [
        *(half, half, same, same, same, same, double, double)
    ]
    assert {one[1] == path for one in found} == {True, False}
    assert len({one[2] for one in found}) > times
    assert not directory.exists()


#: Says what is loaded instead of running the hook.
LOADED = """
import sys
from mcp_multiplayer.sandbox.worker import serve
def loaded(request, code, **_):
    body = {"got": sorted(sys.modules)}
    return {"finished": {"said": [{"kind": "bot", "body": body}], "state": None,
                         "turn": None, "end": None, "timers": {}, "prints": ""}}
serve.answer = loaded
"""


async def test_the_servers_hooks_and_the_verifiers_find_the_same_modules_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    call = HookCall("class A:\n def on_init(self): pass", "on_init")
    first, last = forkserver.PROGRAM.strip().rsplit("\n", 1)
    monkeypatch.setattr(forkserver, "PROGRAM", "\n".join([first, LOADED, last]))
    async with Pool() as pool:
        there: Any = await pool.run(call)
    with Replayer() as replayer:
        here: Any = replayer.run(call)
    assert there.said[0].body["got"] == here.said[0].body["got"]


async def test_looking_again_takes_of_the_time_that_there_is() -> None:
    call = HookCall("class A:\n def on_init(self): pass", "on_init")
    with Replayer(total=60.0) as replayer:
        replayer.run(call)
        replayer._left = 1e-6
        with pytest.raises(replay.OutOfTime):
            for one in replayer.others():
                one.run(call)
