"""Referees that ask the network: repeated from the record, never called proven about the world."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from mcp_multiplayer.sandbox.hostcalls.egress import read_egress
from mcp_multiplayer.transcript.entries import b64u
from mcp_multiplayer.verifier.executor import Executor
from tests.sample import sample
from tests.sandbox.outside import listening
from tests.verifier.games import Bundle, Table, codes, reforge, states, table, verify, violations

pytestmark = pytest.mark.asyncio(loop_scope="module")

CODE = """
import requests
import socket

class NewsBot:
    def on_message(self, message):
        word = message["body"]["text"]
        if word == "raw":
            with socket.create_connection(("a.example", 80)) as line:
                line.sendall(b"GET / HTTP/1.0\\r\\nHost: a.example\\r\\n\\r\\n")
                self.ctx.set_state({"raw": len(line.recv(1000))})
            return
        if word == "end":
            return self.ctx.end({"winners": []})
        try:
            said = requests.get("http://a.example/" + word).json()
            requests.get("http://b.example/")
        except requests.ConnectionError as error:
            said = [said, type(error).__name__]
        self.ctx.post("bot", {"said": said})
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def online() -> AsyncIterator[Table]:
    async with listening(None) as server:
        egress = read_egress("none", "80", f"a.example:80=127.0.0.1:{server.port}")
        async with table(egress=egress, twice=True) as opened:
            yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def news(online: Table) -> Bundle:
    game = await (await online.open(code=CODE)).seated()
    for word in ("one", "two", "end"):
        await game.say("alice", word)
    return game.bundle()


def asked(record: Bundle) -> list[dict[str, Any]]:
    return [run for run in record.of("run") if "fx" in run]


async def test_what_was_answered_is_repeated_and_stays_the_servers_word(
    news: Bundle, jail: Executor
) -> None:
    assert len(asked(news)) == 2 and len(asked(news)[0]["fx"]) >= 2
    checked = verify(news, jail)
    assert states(checked)["RULES"] == "PROVEN", checked.findings.found
    assert states(checked)["OUTSIDE"] == "NOT PROVEN" and "I_FETCH" in codes(checked)


async def test_an_answer_that_is_missing_or_exchanged_is_noticed(
    news: Bundle, jail: Executor
) -> None:
    hash = asked(news)[0]["fx"][0]["r"]
    name = next(n for n in news.blobs if b64u(bytes.fromhex(n)) == hash)
    forged = news.copy()
    del forged.blobs[name]
    assert violations(verify(forged, jail)) == {"E_BLOB"}
    forged = news.copy()
    answer = forged.blobs[name].replace(b'"status":200', b'"status":404')
    assert answer != forged.blobs[name]
    other = forged.source(answer.decode())
    asked(forged)[0]["fx"][0]["r"] = b64u(bytes.fromhex(other.removeprefix("sha256:")))
    again = verify(reforge(forged), jail)
    assert states(again)["OUTSIDE"] == "NOT PROVEN"  # another answer is as good a word


@pytest.mark.parametrize("place", sample([0, 1], {1}))
async def test_another_question_is_noticed(news: Bundle, jail: Executor, place: int) -> None:
    forged = news.copy()
    asked(forged)[0]["fx"][place]["q"] = asked(forged)[1]["fx"][0]["q"]
    assert "E_RUN_FX" in violations(verify(reforge(forged), jail))


@pytest.mark.parametrize("more", [True, False])
async def test_one_question_more_or_less_is_noticed(
    news: Bundle, jail: Executor, more: bool
) -> None:
    forged = news.copy()
    effects = asked(forged)[0]["fx"]
    if more:
        effects.append(effects[0])
    else:
        effects.pop()
    assert "E_RUN_FX" in violations(verify(reforge(forged), jail))


async def test_a_connection_of_its_own_is_executed_again_like_any_question(
    online: Table, jail: Executor
) -> None:
    game = await (await online.open(code=CODE)).seated()
    for word in ("one", "raw", "two", "end"):
        await game.say("alice", word)
    checked = verify(game.bundle(), jail)
    assert not violations(checked), checked.findings.found
    assert states(checked)["RULES"] == "PROVEN"
