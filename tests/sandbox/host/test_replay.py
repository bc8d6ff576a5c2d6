# ruff: noqa: E501 the rows are read as a table
"""A hook that runs again gets the same answers and does the same, or is found out."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import pytest_asyncio

from mcp_multiplayer.sandbox.call import Effect, Failed, HookCall, Limits
from mcp_multiplayer.sandbox.host.determinism_check import Twice, run_twice
from mcp_multiplayer.sandbox.host.fair_queue import Owner
from mcp_multiplayer.sandbox.host.forkserver import ELSEWHERE
from mcp_multiplayer.sandbox.host.pool import Pool
from mcp_multiplayer.sandbox.hostcalls.broker import Broker
from mcp_multiplayer.sandbox.hostcalls.cassette import Recording
from mcp_multiplayer.sandbox.hostcalls.egress import read_egress
from tests.sandbox.outside import Server, bot, got, listening

pytestmark = pytest.mark.asyncio(loop_scope="module")
LIMITS = Limits(hook_seconds=3.0)


@dataclass
class World:
    first: Pool
    second: Pool
    server: Server

    async def twice(self, *body: str) -> Twice:
        return await run_twice(self.first, self.second, call(*body))


def call(*body: str) -> HookCall:
    return HookCall(bot(*body), "on_init", key=b"s" * 32, now=1_800_000_000.0)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    async with listening(None) as server:
        egress = read_egress("none", "80", f"a.example:80=127.0.0.1:{server.port}")
        first = Pool(limits=LIMITS, broker=Broker(egress, limits=LIMITS), spares=1)
        second = Pool(limits=LIMITS, spares=1, surroundings=ELSEWHERE)  # reaches nothing at all
        async with first, second:
            yield World(first, second, server)


SAME = {
    "plain": "got = 1 + 1",
    "four libraries": (
        "s = requests.Session()\ngot = [s.get('http://a.example/redirect?/1').json(), s.post('http://a.example/2', json={'x': [1]}).json()]\n"
        "got.append(json.loads(urllib.request.urlopen('http://a.example/3').read()))\ngot.append(urllib3.request('GET', 'http://a.example/4').json())\n"
        "c = http.client.HTTPConnection('a.example')\nc.request('GET', '/5')\ngot.append(json.loads(c.getresponse().read()))"
    ),
    "a form with a boundary": "got = requests.post('http://a.example/', files={'f': ('n', b'data')}).json()",
    "digest and elapsed": "r = requests.get('http://a.example/', auth=requests.auth.HTTPDigestAuth('u', 'p'))\ngot = [r.json(), str(r.elapsed)]",
    "look-ups": "got = socket.getaddrinfo('a.example', 80)[0][4][0]",
    "a refused connection": "try:\n    requests.get('http://b.example/')\nexcept requests.ConnectionError as e:\n    got = str(type(e))",
    "dice, time and files": (
        "import time, uuid, secrets, datetime\nopen('a', 'w').write('x')\n"
        "got = [random.random(), str(uuid.uuid4()), secrets.token_hex(4), time.time(), str(datetime.datetime.now()), open('a').read()]"
    ),
    "an error": "requests.get('http://a.example/')\n1 / 0",
    "a request that failed": "requests.get('http://a.example/garbled')",
    "sorted sets": "got = sorted({'b', 'a', 'c'})",
}


@pytest.mark.parametrize("name", SAME)
async def test_an_honest_hook_repeats_itself_without_the_network(world: World, name: str) -> None:
    before = len(world.server.requests)
    seen = await world.twice(*SAME[name].split("\n"))
    assert seen.seen == "same", seen
    fetched = [
        e for e in seen.result.effects if e.kind == "fetch" and b"b.example" not in e.request
    ]
    assert len(world.server.requests) - before == len(fetched)  # asked once, not twice


DIFFERENT = {
    "the order of a set": "got = list({str(i) for i in range(40)})",
    "a set in a request": "requests.get('http://a.example/', params={str(i): i for i in {str(i) for i in range(40)}})",
    "a hash": "got = hash('abc') % 1000003",
}


@pytest.mark.parametrize("name", DIFFERENT)
async def test_what_depends_on_the_process_is_found_out(world: World, name: str) -> None:
    seen = await world.twice(DIFFERENT[name])
    assert seen.seen == "different" and isinstance(seen.result, Failed)
    assert seen.result.error == "NonDeterministic"


async def test_who_needs_no_network_repeats_itself_at_once(world: World) -> None:
    source = "class Bot:\n    def on_init(self):\n        self.ctx.post('bot', {})"
    for body, seen in (
        ("{'n': 1}", "same"),
        ("str(list({str(i) for i in range(40)}))", "different"),
    ):
        hook = HookCall(source.format(body), "on_init")
        found = await run_twice(world.first, world.second, hook, owner=Owner("alice"))
        assert found.seen == seen, found


async def test_the_second_run_does_not_wait_for_the_first_to_end(world: World) -> None:
    """It is answered as soon as the first is, which goes on meanwhile."""
    recording = Recording()
    lines = "got = requests.get('http://a.example/x').json()['target']\n"
    live = asyncio.create_task(
        world.first.run(call(*(lines + "while True:\n    pass").split("\n")), recording=recording)
    )
    again: Any = await world.second.run(call(lines), tape=recording)
    assert got(again) == "/x" and not live.done()
    live.cancel()


SPOKEN = "s = socket.create_connection(('a.example', 80))\ns.sendall(b'GET /%s HTTP/1.1\\r\\nHost: a.example\\r\\n\\r\\n')\n"


async def test_what_goes_over_a_connection_of_its_own_is_repeated(world: World) -> None:
    before = world.server.connections
    seen = await world.twice(*(SPOKEN % "x" + "got = s.recv(9999).decode()\ns.close()").split("\n"))
    assert seen.seen == "same" and "GET" in got(seen.result)
    kinds = [effect.kind for effect in seen.result.effects]
    assert kinds == ["connect", "send", "receive", "shut"]
    assert world.server.connections == before + 1


async def test_a_hook_that_was_killed_says_nothing_about_the_bot(world: World) -> None:
    assert (await world.twice("x = 'a' * 10 ** 12")).seen == "killed"


async def test_a_replay_gives_exactly_what_was_recorded(world: World) -> None:
    lines = "got = requests.get('http://a.example/x').json()['target']"
    (effect,) = (await world.first.run(call(lines))).effects
    answer = json.loads(effect.response)
    answer["body"], answer["headers"] = "eyJ0YXJnZXQiOiAiZm9yZ2VkIn0=", []
    forged = replace(effect, response=json.dumps(answer).encode())
    result: Any = await world.second.run(call(lines), tape=[forged])
    assert got(result) == "forged" and result.effects == (forged,)


async def test_other_questions_than_the_recorded_ones_are_an_error(world: World) -> None:
    lines = "requests.get('http://a.example/x')"
    (effect,) = (await world.first.run(call(lines))).effects
    other = (await world.first.run(call("requests.get('http://a.example/y')"))).effects
    raw = (await world.first.run(call("socket.create_connection(('a.example', 80))"))).effects
    for tape, words in (
        (other, "it asked GET http://a.example/x where GET http://a.example/y was recorded"),
        ((), "it asked for more than was recorded: GET http://a.example/x"),
        ((effect, effect), "it did not repeat GET http://a.example/x"),
        (raw, "where connect a.example was recorded"),
    ):
        result: Any = await world.second.run(call(lines), tape=tape)
        assert (result.error, result.killed) == ("NonDeterministic", False) and words in result.text


async def test_another_word_over_a_connection_is_noticed(world: World) -> None:
    tape = (await world.first.run(call(*(SPOKEN % "x" + "s.recv(9)").split("\n")))).effects
    result: Any = await world.second.run(call(*(SPOKEN % "y" + "s.recv(9)").split("\n")), tape=tape)
    assert result.error == "NonDeterministic" and "it asked send" in result.text


def effect(text: str) -> Effect:
    return Effect("fetch", b"q" + text.encode(), b"r")


async def test_hashes_are_of_the_bytes() -> None:
    empty = Effect("fetch", b"", b"")
    assert empty.q == empty.r == "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
    assert effect("a").q != effect("b").q and effect("a").r == effect("b").r
