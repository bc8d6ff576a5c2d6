"""A record is verified with the library that it holds, whatever the verifier's own tree has."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mcp_multiplayer.channel import terms
from mcp_multiplayer.storage.base import Row
from mcp_multiplayer.storage.base import Table as Rows
from mcp_multiplayer.verifier.executor import Executor
from mcp_multiplayer.workshop.table import own_library
from tests.verifier.games import Bundle, Table, codes, reforge, states, table, verify, violations

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.asyncio(loop_scope="module")

#: A library of another release: another word where ours says something else, one more draw.
OTHER = own_library().replace("the {self.noun} has not started", "not yet") + "\nRELEASE = 2\n"
OTHER = OTHER.replace('"ran out of time"', '"was late"').replace("token_hex(16)", "token_hex(9)")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def other_release() -> AsyncIterator[Table]:
    """A server whose library is not that of this tree."""
    async with table() as server:
        server.bots._library = OTHER
        yield server


async def played(server: Table) -> Bundle:
    """A game of GuessBot, whose number is committed to by the library."""
    game = await server.open("GuessBot", params={"seconds": 60})
    await game.join("alice", "alice says 9f3c2a71d5e84b06")
    await game.say("alice", "guess 3")  # refused: it has not started
    await game.join("bob", "bob says 7781 purple walrus")
    await game.say("alice", "guess 50")
    await game.ring()
    return game.bundle()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def record(server: Table) -> Bundle:
    return await played(server)


def named(one: Bundle) -> str:
    (attach,) = one.of("attach")
    name: str = attach["library"]
    return name.removeprefix("sha256:")


async def test_a_record_holds_the_library_and_is_proven_with_it(
    record: Bundle, jail: Executor
) -> None:
    assert record.blobs[named(record)].decode() == own_library()
    found = verify(record, jail)
    assert violations(found) == set() and states(found)["RULES"] == "PROVEN"


async def test_a_record_of_another_release_is_proven_with_the_library_of_that(
    other_release: Table, record: Bundle, jail: Executor
) -> None:
    older = await played(other_release)
    assert older.blobs[named(older)].decode() == OTHER
    assert "not yet" in str(older.entries) and "was late" in str(older.entries)
    assert "not yet" not in str(record.entries)
    found = verify(older, jail)
    assert violations(found) == set() and states(found)["RULES"] == "PROVEN"


async def test_a_later_release_proves_it_whose_library_presets_and_version_are_others(
    record: Bundle, tmp_path: Path
) -> None:
    later, file = tmp_path / "later", record.save(tmp_path / "record.zip")
    for name in ("mcp_multiplayer", "bots"):
        shutil.copytree(ROOT / name, later / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (later / "bots").glob("*.py"):
        path.write_text("raise SystemExit('of another release')\n")
    config = later / "mcp_multiplayer" / "config.py"
    config.write_text(re.sub('(?m)^VERSION = ".*"', 'VERSION = "99.0.0"', config.read_text()))
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "mcp_multiplayer.verifier", str(file), "--json"],
        cwd=later,
        capture_output=True,
        check=False,
    )
    found = {line["line"]: line["state"] for line in json.loads(done.stdout)["verdict"]}
    assert found["RULES"] == "PROVEN"
    assert "VIOLATED" not in found.values()


async def test_the_terms_name_it(server: Table, record: Bundle) -> None:
    game = await server.open("CoinBot")
    document = terms.document(game.room.channel)
    assert document["bots"][0]["library"] == f"sha256:{named(record)}"


async def test_without_the_library_nothing_is_executed(record: Bundle, jail: Executor) -> None:
    forged = record.copy()
    del forged.blobs[named(record)]
    found = verify(forged, jail)
    assert violations(found) == {"E_BLOB"} and states(found)["RULES"] != "PROVEN"


async def test_another_library_than_was_accepted_is_found_out(
    record: Bundle, jail: Executor
) -> None:
    forged = record.copy()
    forged.of("attach")[0]["library"] = forged.source(OTHER)
    found = verify(reforge(forged), jail)
    assert violations(found) == {"E_TERMS"}


async def test_another_library_than_it_was_played_with_is_found_out(
    server: Table, record: Bundle, jail: Executor
) -> None:
    """The server names one and runs another."""
    game = await server.open("GuessBot")
    place, name = game.room.channel_id, f"sha256:{named(record)}"
    await server.channels._write_rows(game.room, [Row(Rows.BLOB, place, name, OTHER.encode())])
    server.bots._texts.clear()  # as it would be after a restart
    await game.join("alice", "alice says 9f3c2a71d5e84b06")
    await game.say("alice", "guess 3")
    await game.join("bob", "bob says 7781 purple walrus")
    await game.say("alice", "concede")
    forged = game.bundle()
    forged.blobs[named(record)] = own_library().encode()
    found = verify(forged, jail)
    assert "E_RUN_OUT" in violations(found) and states(found)["RULES"] == "VIOLATED"


async def test_a_library_that_cannot_be_one_is_found_out(record: Bundle, jail: Executor) -> None:
    forged = record.copy()
    forged.of("attach")[0]["library"] = forged.source("class (")
    assert "E_SOURCE" in violations(verify(reforge(forged), jail))


async def test_a_source_that_imports_one_must_name_it(record: Bundle, jail: Executor) -> None:
    forged = record.copy()
    del forged.of("attach")[0]["library"]
    assert "E_SOURCE" in violations(verify(reforge(forged), jail))


async def test_a_source_that_imports_none_must_not_name_one(server: Table, jail: Executor) -> None:
    code = "class Bot:\n    def on_message(self, msg): pass"
    forged = (await (await server.open(code=code)).seated()).bundle()
    assert "library" not in forged.of("attach")[0]
    forged.of("attach")[0]["library"] = forged.source(own_library())
    assert "E_SOURCE" in violations(verify(reforge(forged), jail))


async def test_hooks_of_the_library_are_the_hooks_of_the_bot(
    record: Bundle, jail: Executor
) -> None:
    (attach,) = record.of("attach")
    assert attach["hooks"] == ["on_init", "on_start", "on_message", "on_leave", "on_timer"]
    forged = record.copy()
    forged.of("attach")[0]["hooks"].remove("on_timer")
    assert "E_HOOKS" in codes(verify(reforge(forged), jail))
