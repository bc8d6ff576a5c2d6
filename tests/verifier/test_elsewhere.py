"""Honest games on another patch version of Python, as another user, from another place, with less
memory: nobody is accused, and what can be proven is. No forgery gets through there either.

"Long" are three hundred games and the whole corpus; a few of each are always verified.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mcp_multiplayer.verifier import build
from tests.verifier import stranger
from tests.verifier.forging import ATTACKS
from tests.verifier.games import Bundle
from tests.verifier.matches import World, world
from tests.verifier.records import KINDS, games, opened
from tests.verifier.test_tamper_corpus import NAMED  # and with it the whole list of attacks

pytestmark = pytest.mark.asyncio(loop_scope="module")

GAMES, PARTS = 300, 5
PROVEN = 290
#: Kibibytes of address space, less than a hook has on the server.
MEMORY = 400_000
PYTHONS = ("/usr/bin/python3", "/usr/local/bin/python3", "/usr/bin/python3.11")
VERSIONED = """
import re
class PatternBot:
    def on_message(self, message):
        self.ctx.post("bot", {"end": re.match("(?:ab?c)++", "aca").end()})
"""


def another_python() -> str:
    """One of another version, that everybody may start."""
    ours = f"{sys.version_info[:3]}"
    for path in map(Path, PYTHONS):
        real = path.resolve()
        if not path.exists() or not all(one.stat().st_mode & stat.S_IXOTH for one in real.parents):
            continue
        code = "import sys; print(sys.version_info[:3], sys.version_info >= (3, 11))"
        done = subprocess.run([path, "-I", "-c", code], capture_output=True, text=True, check=False)
        if done.stdout.endswith("True\n") and not done.stdout.startswith(ours):
            return str(path)
    pytest.skip("there is no Python here of another version")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with world(tmp_path_factory.mktemp("tls")) as made:
        yield made


class Abroad:
    """Another machine, as far as one can be had here."""

    def __init__(self, place: Path) -> None:
        self.python = another_python()
        self.place = place
        self.libraries = place / "elsewhere" / "lib"
        (place / "verifier.pyz").write_bytes(build.build())
        with zipfile.ZipFile(place / "verifier.pyz") as packed:
            packed.extractall(self.libraries)
        compile_ = [self.python, "-I", "-S", "-m", "compileall", "-q", str(self.libraries)]
        subprocess.run(compile_, check=True)
        shutil.copy(str(stranger.__file__), place)

    def verify(self, files: dict[str, Bundle]) -> dict[str, dict[str, Any]]:
        """What is said of each file there, by name."""
        directory = Path(tempfile.mkdtemp(dir=self.place))
        for name, file in files.items():
            file.save(directory / f"{name}.zip").chmod(0o644)
        directory.chmod(0o777)
        who: dict[str, Any] = {"user": 65534, "group": 65534, "extra_groups": []}
        command = [self.python, "-I", "-S", str(self.place / "stranger.py")]
        line = f'ulimit -v {MEMORY}; exec "$@"'
        done = subprocess.run(
            ["sh", "-c", line, "sh", *command, str(self.libraries), str(directory)],
            cwd=directory,
            env={"TMPDIR": str(directory), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            check=False,
            **(who if os.geteuid() == 0 else {}),
        )
        assert done.returncode == 0, done.stderr.decode()
        found = [json.loads(line) for line in done.stdout.splitlines()]
        assert {one["name"] for one in found} == files.keys()
        return {one["name"]: one for one in found}


@pytest.fixture(scope="module")
def abroad() -> Iterator[Abroad]:
    """Not below tmp_path: another pytest that starts meanwhile closes that to other users."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Abroad(Path(name))


def judged(said: dict[str, dict[str, Any]]) -> int:
    """Nobody is accused; how many are proven."""
    accused = {
        name: one["found"]
        for name, one in said.items()
        if "VIOLATED" in one["states"].values()
        or any(code.startswith("E_") for code, *_ in one["found"])
    }
    assert accused == {}
    return sum(one["states"]["RULES"] == "PROVEN" for one in said.values())


async def test_honest_games_are_proven_elsewhere(house: World, abroad: Abroad) -> None:
    files = await games(house, range(2))
    said = await asyncio.to_thread(abroad.verify, files)
    unproven = [one for one in said.values() if one["states"]["RULES"] != "PROVEN"]
    assert judged(said) == len(files), unproven
    assert all(one["executed"] for one in said.values())


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
async def test_three_hundred_games_are_proven_elsewhere(
    house: World, abroad: Abroad, part: int
) -> None:
    count = GAMES // PARTS
    files = await games(house, range(1000 + part * count, 1000 + (part + 1) * count))
    said = await asyncio.to_thread(abroad.verify, files)
    assert judged(said) >= PROVEN // PARTS


def forged(honest: dict[str, list[Bundle]], names: Sequence[str]) -> dict[str, Bundle]:
    return {
        name: NAMED[name].on(honest[NAMED[name].kind][0], random.Random(name)) for name in names
    }


def held(said: dict[str, dict[str, Any]]) -> None:
    """Not one is proven; what does not depend on the Python is still a violation."""
    for name, one in said.items():
        assert one["states"][NAMED[name].line] != "PROVEN", (name, one)
    bad = {name for name, one in said.items() if "VIOLATED" in one["states"].values()}
    excused = {name for name in said.keys() - bad if NAMED[name].state == "VIOLATED"}
    for name in excused:
        assert "I_RUNTIME" in {code for code, *_ in said[name]["found"]}, (name, said[name])


async def test_forgeries_are_not_proven_elsewhere(house: World, abroad: Abroad) -> None:
    some = random.Random(1).sample([one.name for one in ATTACKS if one.kind != "wild"], 6)
    kinds = {NAMED[name].kind for name in some}
    honest = {kind: [await KINDS[kind](house, random.Random(kind))] for kind in kinds}
    held(await asyncio.to_thread(abroad.verify, forged(honest, some)))


@pytest.mark.long
async def test_no_forgery_of_the_corpus_is_proven_elsewhere(house: World, abroad: Abroad) -> None:
    honest = {kind: [await play(house, random.Random(kind))] for kind, play in KINDS.items()}
    held(await asyncio.to_thread(abroad.verify, forged(honest, [*NAMED])))


async def test_a_pattern_that_matches_otherwise_there_accuses_nobody(
    house: World, abroad: Abroad
) -> None:
    """Python 3.11.2 finds 3 where 3.11.7 finds 2."""
    game = await opened(house, random.Random(1), code=VERSIONED)
    for who in ("alice", "bob"):
        await game.sit(who, None)
    await game.speak("alice", "match")
    (said,) = (await asyncio.to_thread(abroad.verify, {"game": game.bundle()})).values()
    assert judged({"game": said}) == ("I_RUNTIME" not in {code for code, *_ in said["found"]})
