# ruff: noqa: E501 the rows are read as a table
"""A referee that is executed again by the verifier does what it did on the server."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import tempfile
import zipfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mcp_multiplayer.sandbox.call import Effect, Failed, Finished, HookCall, HookResult, Limits
from mcp_multiplayer.sandbox.host import forkserver
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.sandbox.hostcalls.broker import Broker
from mcp_multiplayer.sandbox.hostcalls.egress import read_egress
from mcp_multiplayer.verifier.replay import CannotReplay, NoWall, OutOfTime, Replayer
from mcp_multiplayer.workshop.table import Runner, Table, source_of
from tests.sample import sample
from tests.sandbox.host.test_replay import DIFFERENT, SAME
from tests.sandbox.language.test_grammar import ORDINARY
from tests.sandbox.outside import Server, bot, got, listening

pytestmark = pytest.mark.asyncio(loop_scope="module")
LIMITS = Limits(hook_seconds=5.0)
ENDLESS = Limits(hook_seconds=5.0, fuel=0)


@dataclass
class World:
    """The server's sandbox with a network, one without, and the verifier."""

    live: Pool
    again: Pool
    replayer: Replayer
    server: Server

    async def run(self, call: HookCall) -> HookResult:
        """What came of it on the server, after it has come of it in all three."""
        result = await self.live.run(call)
        repeated = await self.again.run(call, tape=result.effects)
        assert shown(self.replayer.run(call, result.effects)) == shown(repeated) == shown(result)
        return result


def shown(result: HookResult) -> HookResult:
    return replace(result, prints="")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    async with listening(None) as server:
        egress = read_egress("none", "80", f"a.example:80=127.0.0.1:{server.port}")
        live = Pool(limits=LIMITS, broker=Broker(egress, limits=LIMITS), spares=1)
        async with live, Pool(limits=LIMITS, spares=1) as again:
            with Replayer(LIMITS) as replayer:
                yield World(live, again, replayer, server)


@pytest.fixture(scope="module")
def replayer() -> Iterator[Replayer]:
    with Replayer(LIMITS) as made:
        yield made


def call(*body: str, **more: Any) -> HookCall:
    return HookCall(
        bot(*"\n".join(body).split("\n")), "on_init", key=b"s" * 32, now=1_800_000_000.0, **more
    )


# The shipped referees


async def table(runner: Runner, file: str, **params: Any) -> Table:
    made = Table(runner, source_of(file), params)
    await made.begin("alice", "bob")
    return made


@pytest.mark.long
async def test_chess_is_played_again(world: World) -> None:
    game = await table(world, "chess_bot.py", seconds=60)
    for move in ("f3", "nonsense", "e5", "g4", "Qh4#"):
        await game.say(game.mover, move)
    assert game.end is not None and game.end["winners"] == [game.players[1]]


async def test_tic_tac_toe_is_played_again(world: World) -> None:
    game = await table(world, "tic_tac_toe_bot.py", seconds=60)
    for square in ("1", "4", "1", "2", "5", "3"):
        await game.say(game.mover, square)
    assert game.end is not None


async def test_rock_paper_scissors_is_played_again(world: World) -> None:
    game = await table(world, "rock_paper_scissors_bot.py")
    for sender, word in (("alice", "rock"), ("bob", "paper"), ("alice", "paper"), ("carol", "x")):
        await game.say(sender, word, to=True)
    await game.leave("bob")
    assert game.posts


async def test_coins_are_tossed_again(world: World) -> None:
    game = await table(world, "coin_bot.py")
    for sender, word in (("alice", "heads"), ("bob", "tails"), ("alice", "flip"), ("bob", "heads")):
        await game.say(sender, word)
    assert game.posts


async def test_a_number_is_guessed_again(world: World) -> None:
    game = await table(world, "guess_bot.py")
    for number in ("50", "25", "75", "no number", "12"):
        await game.say(game.movers[0] if game.movers else "alice", number)
    assert game.draws > 0 and game.posts


# Results of every kind


@pytest.mark.parametrize("name", SAME)
async def test_what_repeats_itself_on_the_server_does_so_here(world: World, name: str) -> None:
    await world.run(call(*SAME[name].split("\n")))


@pytest.mark.parametrize("name", DIFFERENT)
async def test_strings_hash_as_on_the_server(world: World, name: str) -> None:
    await world.run(call(*DIFFERENT[name].split("\n")))


@pytest.mark.parametrize("name", ORDINARY)
async def test_ordinary_python_does_the_same(world: World, name: str) -> None:
    await world.run(
        call(
            *(
                line.strip("\n")[8:]
                for line in ORDINARY[name][0].split("\n")
                if line.strip() and not line.strip().startswith("return")
            )
        )
    )


#: The deepest pair of lists that can still be compared. From Python 3.12 on this is another limit
#: than that of calls, and counted from the process's first C function.
DEEP_VALUE = """
a, b = [[]], [[]]
for n in range(12000):
    a.append([a[-1]])
    b.append([b[-1]])
low, high = 0, 12000
while low < high:
    middle = (low + high + 1) // 2
    try:
        a[middle] == b[middle]
        low = middle
    except RecursionError:
        high = middle - 1
self.ctx.post('bot', str(low))
""".strip()

BROKEN = {
    "a loop without end": ("while True:\n    pass", "FuelLimit"),
    "a loop without end that catches everything": (
        "while True:\n    try:\n        f = lambda: f()\n        f()\n    except Exception:\n        pass",
        "FuelLimit",
    ),
    "an error": ("x = 1\n\n1 / 0", "ZeroDivisionError"),
    "an error of an author": ("x = msg['player']", "NameError"),
    "an error in a library": ("json.loads('{')", "JSONDecodeError"),
    "an error that was caught": (
        "try:\n    self.ctx.post('', {})\nexcept ValueError as e:\n    self.ctx.post('bot', str(e))",
        "",
    ),
    "a recursion without end": ("def f(n):\n    return f(n + 1)\nf(0)", "RecursionError"),
    "how deep a call can be": (
        "deep = [0]\ndef f():\n    deep[0] += 1\n    f()\ntry:\n    f()\nexcept RecursionError:\n    got = deep[0]",
        "",
    ),
    "a value that is too deep": (
        "x = []\nfor n in range(50000):\n    x = [x]\ngot = json.dumps(x)",
        "RecursionError",
    ),
    "how deep a value can be": (DEEP_VALUE, ""),
    "a weak reference to a circle": (
        "import weakref\nclass C:\n    pass\nseen = []\nrefs = []\nfor n in range(3000):\n    c = C()\n    c.c = c\n    refs.append(weakref.ref(c))\n    seen.append(refs[0]() is None)\ngot = seen.count(True)",
        "",
    ),
    "too many posts": ("for n in range(300):\n    self.ctx.post('bot', {'n': n})", "OutputLimit"),
    "too long posts": ("self.ctx.post('bot', 'x' * 60000)", "OutputLimit"),
    "too large a state": ("self.ctx.set_state({'x': 'y' * 300000})", "StateLimit"),
    "a state that is none": ("self.ctx.set_state({1: 2})", "BadValue"),
    "an import that is none": ("import os", "BotRejected"),
    "a syntax error": ("x = = 1", "BotRejected"),
    "a private name": ("self.ctx._state", "BotRejected"),
    "dice before an error": ("random.random()\n1 / 0", "ZeroDivisionError"),
    "prints": ("print('x' * 100000)\n1 / 0", "ZeroDivisionError"),
    "a file outside": ("open('../x', 'w')", "PermissionError"),
    "a file that is not there": ("open('x')", "FileNotFoundError"),
    "files": (
        "open('d/a', 'w').write('x' * 9)\nopen('d/a', 'a').write('y')\ngot = open('d/a').read()",
        "",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_what_fails_fails_the_same(world: World, name: str) -> None:
    body, error = BROKEN[name]
    result = await world.run(call(*body.split("\n")))
    assert (result.error if isinstance(result, Failed) else "") == error, result


SOURCES = {
    "a text": "The one who says the highest number wins.",
    "no hook of that name": "class Quiet:\n    def on_join(self, p):\n        1 / 0",
    "no hook, and forbidden words": "import os\nclass Quiet:\n    pass",
    "an error at the top": "x = 1 / 0\nclass Broken:\n    def on_init(self):\n        pass",
    "no class, forbidden words": "import os",
    "brackets": "class A:\n    def on_init(self):\n        return " + "(" * 150 + ")" * 150,
    "a long sum": "class A:\n    def on_init(self):\n        return " + "+".join("1" * 9000),
    "many signs": "class A:\n    def on_init(self):\n        return " + "-" * 40000 + "1",
    "many attributes": "class A:\n    def on_init(self):\n        return self" + ".a" * 20000,
    "deep blocks": "class A:\n    def on_init(self):\n"
    + "".join(" " * (8 + n) + "if 1:\n" for n in range(90))
    + " " * 98
    + "pass",
    "a null": "class A:\n    x = '\0'",
    "half of a pair": "class A:\n    def on_init(self):\n        self.ctx.post('bot', '\ud800')",
    "other characters": "class A:\n    def on_init(self):\n        é = 'ß\U0001f600'\n        self.ctx.post('bot', é)",
}


@pytest.mark.parametrize("name", SOURCES)
async def test_sources_of_every_kind_are_read_alike(world: World, name: str) -> None:
    await world.run(HookCall(SOURCES[name], "on_init", players=("alice",)))


async def test_a_call_that_is_too_large_is_refused_as_on_the_server(world: World) -> None:
    result = await world.run(call("got = 1", state={"x": "y" * (9 << 20)}))
    assert isinstance(result, Failed) and result.error == "StateLimit"


# The record


async def test_other_answers_than_the_recorded_ones_are_an_error(world: World) -> None:
    lines = "requests.get('http://a.example/x')"
    effect, other, raw = [
        (await world.live.run(call(line))).effects[0]
        for line in (
            lines,
            lines.replace("/x", "/y"),
            "socket.create_connection(('a.example', 80))",
        )
    ]
    for tape, words in (
        ((other,), "it asked GET http://a.example/x where GET http://a.example/y was recorded"),
        ((), "it asked for more than was recorded: GET http://a.example/x"),
        ((effect, effect), "it did not repeat GET http://a.example/x"),
        ((raw,), "where connect a.example was recorded"),
    ):
        result = world.replayer.run(call(lines), tape)
        assert isinstance(result, Failed) and words in result.text
        assert (result.error, result.killed) == ("NonDeterministic", False)
        assert result == await world.again.run(call(lines), tape=tape)


@pytest.mark.parametrize("blob", [b"", b"[]", b"\xff", b"{", b"[" * 100000, b'{"status": []}'])
async def test_a_record_that_a_stranger_wrote_harms_nobody(world: World, blob: bytes) -> None:
    lines = "requests.get('http://a.example/x')"
    (effect,) = (await world.live.run(call(lines))).effects
    for forged in (
        replace(effect, response=blob),
        replace(effect, request=blob),
        Effect("connect", blob, blob),
    ):
        result = world.replayer.run(call(lines), [forged])
        assert isinstance(result, Failed), result


async def test_an_answer_that_is_too_long_for_a_hook_harms_nobody(world: World) -> None:
    lines = "requests.get('http://a.example/x')"
    (effect,) = (await world.live.run(call(lines))).effects
    answer = json.loads(effect.response) | {"body": "A" * (10 << 20)}
    forged = replace(effect, response=json.dumps(answer).encode())
    result = world.replayer.run(call(lines), [forged])
    assert isinstance(result, Failed) and result.killed


# A process for each hook


async def test_nothing_is_left_of_one_hook_for_the_next(replayer: Replayer) -> None:
    lines = (
        "import json, random, requests, urllib3\nbefore = [getattr(json, 'left', 0), open('a', 'a').tell()]\n"
        "try:\n    json.left = 1\nexcept Exception:\n    pass\n"
        "open('a', 'w').write('x')\nCount.n += 1\ngot = [before, Count.n]"
    )
    source = bot(*lines.split("\n")) + "\nclass Count:\n    n = 0\n"
    results = [replayer.run(HookCall(source, "on_init", key=b"s" * 32)) for _ in range(4)]
    assert [got(result) for result in results] == [[[0, 0], 1]] * 4


async def test_a_hook_is_given_so_many_seconds_here_whatever_it_had_there() -> None:
    with Replayer(Limits(hook_seconds=0.001), seconds=20.0) as replayer:
        assert isinstance(replayer.run(call("got = sum(range(300000))")), Finished)
    with Replayer(ENDLESS, seconds=0.2) as replayer:
        result = replayer.run(call("while True:\n    pass"))
        assert isinstance(result, Failed) and (result.error, result.killed) == ("TimeLimit", True)
        assert isinstance(replayer.run(call("got = 1")), Finished)


async def test_all_hooks_together_have_so_many_seconds() -> None:
    with Replayer(ENDLESS, total=0.5) as replayer:
        with pytest.raises(OutOfTime):
            replayer.run(call("while True:\n    pass"))
        with pytest.raises(OutOfTime):
            replayer.run(call("got = 1"))


async def test_files_are_below_a_directory_that_is_gone_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Replayer(dataclasses.replace(LIMITS, workspace=1 << 20)) as replayer:
        assert got(replayer.run(call("open('a', 'w').write('x')\ngot = 1"))) == 1
        full = "for n in range(9):\n    f = open(f'a{n}', 'w')\n    f.write('x' * 500000)\n    f.flush()\nwhile True:\n    pass"
        result = replayer.run(call(*full.split("\n")))
        assert isinstance(result, Failed) and result.error == "WorkspaceLimit", result
    assert os.listdir(tmp_path) == []


# Where it runs


async def test_it_says_what_stands_between(replayer: Replayer) -> None:
    assert replayer.walls.startswith("seccomp, Landlock, ") and replayer.walls.endswith("limits")


#: Machines whose kernel filters nothing, as the hooks' parent finds them.
WITHOUT = {
    "no seccomp": (
        "from mcp_multiplayer.sandbox.jail import seccomp",
        "seccomp.fault = lambda: 'seccomp: none'",
    ),
    "a filter that lets everything through": (
        "from mcp_multiplayer.sandbox.jail import seccomp",
        "seccomp.install = lambda *_: None",
    ),
}


@pytest.mark.parametrize("name", WITHOUT)
async def test_without_a_wall_nothing_is_read_and_nothing_executed(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(forkserver, "PROGRAM", lost(*WITHOUT[name]))
    replayer = Replayer(LIMITS)
    for ask in (
        lambda: replayer.walls,
        lambda: replayer.run(call("got = 1")),
        lambda: replayer.inspect(call("got = 1").source),
    ):
        with pytest.raises(NoWall):
            ask()
    replayer.close()


async def test_a_system_without_seccomp_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(
        forkserver.ForkServer,
        "_spawn",
        lambda *_: pytest.fail("a process was started"),
    )
    with pytest.raises(NoWall, match="darwin"):
        Replayer(LIMITS).__enter__()


def lost(*lines: str) -> str:
    """The program of the hooks' parent, with something changed before it begins."""
    *first, last = forkserver.PROGRAM.strip().split("\n")
    return "\n".join([*first[:-1], "import os", *lines, first[-1], last])


async def test_a_machine_that_starts_no_process_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for program in (lost("os._exit(1)"), lost("raise SystemExit")):
        monkeypatch.setattr(forkserver, "PROGRAM", program)
        with pytest.raises(CannotReplay, match="does not start"):
            Replayer(LIMITS).__enter__()
    monkeypatch.setattr(sys, "executable", "/nonexistent")
    with pytest.raises(CannotReplay, match="does not start"):
        Replayer(LIMITS).__enter__()


HARM = ["os.kill(os.getpid(), 9)", "os._exit(0)", "('x' * 9, b'')"]


@pytest.mark.parametrize("harm", sample(HARM, {HARM[0]}))
async def test_a_source_that_harms_its_compiler_harms_nobody_else(
    harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil = f"from mcp_multiplayer.sandbox.worker import serve\nreal = serve.compile_source\nserve.compile_source = lambda text, *more: {harm} if 'bad' in text else real(text, *more)"
    monkeypatch.setattr(forkserver, "PROGRAM", lost(spoil))
    with Replayer(LIMITS) as replayer:
        for lines, fails in (("bad = got = 1", True), ("good = got = 1", False)) * 2:
            result = replayer.run(call(lines))
            assert isinstance(result, Failed) == fails, result
            assert (replayer.inspect(call(lines).source) is None) == fails


async def test_it_runs_from_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[2]
    packed = tmp_path / "verifier.pyz"
    with zipfile.ZipFile(packed, "w") as file:
        for path in (root / "mcp_multiplayer").rglob("*.py"):
            file.write(path, path.relative_to(root))
    others = [
        path
        for path in sys.path
        if path and Path(path) != root and not (Path(path) / "mcp_multiplayer").exists()
    ]
    monkeypatch.setattr(sys, "path", [str(packed), *others])
    with Replayer(LIMITS) as replayer:
        assert got(replayer.run(call("got = 1"))) == 1
