"""An approval is one write: whoever dies in the middle of it leaves nothing, and whoever only asks
or says no never wrote anything."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest

from tests.edge.harness import LOOPBACK_URI, WEB_URI, Lab, fields, lab, returned, wish_for

ROOT = Path(__file__).parents[3]
#: What an approval writes to.
ALWAYS = ("holdings", "approvals", "grants", "codes")
TABLES = ("accounts", "browsers", *ALWAYS)
WORD = "correct horse"
Act = Callable[[], Awaitable[httpx.Response]]


class Crash(Exception):
    """The process ends here."""


class Mortal(sqlite3.Connection):
    """A connection that ends its process, or raises, after so many statements."""

    left = -1
    seen: ClassVar[list[str]] = []
    end: Callable[[], None]

    def execute(self, statement: str, *arguments: Any) -> sqlite3.Cursor:
        done = super().execute(statement, *arguments)
        if _sweeps():
            return done
        Mortal.seen.append(statement)
        Mortal.left -= 1
        if Mortal.left == 0:
            Mortal.end()
        return done


def _sweeps() -> bool:
    """Whether the statement is the sweep's, which runs at its own time beside all others."""
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_code.co_name == "sweep":
            return True
    return False


def _raise() -> None:
    raise Crash


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _counts(data: Path) -> dict[str, int]:
    database = sqlite3.connect(data / "oauth.db", factory=sqlite3.Connection)
    found = {
        table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES
    }
    database.close()
    return found


def _dump(data: Path) -> str:
    database = sqlite3.connect(data / "oauth.db", factory=sqlite3.Connection)
    found = "\n".join(database.iterdump())
    database.close()
    return found


# The ways to a yes. Each prepares, and returns what says it.


async def first_sign_in(it: Lab, browser: httpx.AsyncClient) -> tuple[dict[str, Any], Act]:
    client = await it.register()
    return client, lambda: browser.get(wish_for(client))


async def new_player(it: Lab, browser: httpx.AsyncClient) -> tuple[dict[str, Any], Act]:
    client = await it.register(redirect_uris=[WEB_URI])
    form = fields((await browser.get(wish_for(client))).text) | {"choice": "new"}
    return client, lambda: browser.post("/oauth/authorize", data=form)


async def second_app(it: Lab, browser: httpx.AsyncClient) -> tuple[dict[str, Any], Act]:
    await it.sign_in(await it.register(), browser)
    return await new_player(it, browser)


async def passcode(it: Lab, browser: httpx.AsyncClient) -> tuple[dict[str, Any], Act]:
    client = await it.register()
    form = fields((await browser.get(wish_for(client))).text) | {"passcode": WORD}
    return client, lambda: browser.post("/oauth/authorize", data=form)


WAYS = [first_sign_in, new_player, second_app, passcode]


async def approve(data: Path, way: Any, *, after: int) -> bool:
    """Say yes and end after so many statements of it; whether the client got its tokens."""
    settings: dict[str, Any] = {"access_passcode": WORD} if way is passcode else {}
    async with lab(data, **settings) as it, it.browser() as browser:
        client, act = await way(it, browser)
        before = _counts(data)
        Mortal.left = after
        try:
            answer = await act()
        except Crash:
            after_crash = _counts(data)
            # The next one is not hindered.
            other = await it.register(redirect_uris=[LOOPBACK_URI])
            assert (await it.browser().get(wish_for(other))).status_code in (200, 302)
            assert after_crash == before or all(
                after_crash[table] > before[table] for table in ALWAYS
            )
            return False
        Mortal.left = -1
        return (await it.redeem(client, returned(answer)["code"])).status_code == 200


@pytest.fixture(autouse=True)
def mortal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Mortal))
    monkeypatch.setattr(Mortal, "left", -1)
    monkeypatch.setattr(Mortal, "seen", [])
    monkeypatch.setattr(Mortal, "end", staticmethod(_raise), raising=False)


@pytest.mark.parametrize("way", WAYS)
async def test_an_error_between_any_two_statements_of_an_approval_undoes_all(
    tmp_path: Path, way: Any
) -> None:
    for after in range(1, 40):
        data = tmp_path / str(after)
        if await approve(data, way, after=after):
            assert after > len(TABLES)
            return
    pytest.fail("an approval has no end")


#: Each sign-in in a process of its own, forked off one that has imported everything.
_KILLED = """
import asyncio, os, sqlite3, sys
from functools import partial
from pathlib import Path
from tests.edge.auth import test_crash
sqlite3.connect = partial(sqlite3.connect, factory=test_crash.Mortal)
test_crash.Mortal.end = staticmethod(test_crash._kill)
way = getattr(test_crash, sys.argv[2])
for after in range(1, 40):
    pid = os.fork()
    if not pid:
        data = Path(sys.argv[1]) / str(after)
        os._exit(0 if asyncio.run(test_crash.approve(data, way, after=after)) else 1)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != -9:
        break
"""


@pytest.mark.servers
@pytest.mark.parametrize("way", WAYS)
def test_a_process_killed_within_an_approval_leaves_all_of_it_or_nothing(
    tmp_path: Path, way: Any
) -> None:
    command = [sys.executable, "-c", _KILLED, str(tmp_path), way.__name__]
    subprocess.run(command, cwd=ROOT, check=True)
    runs = sorted(tmp_path.iterdir(), key=lambda path: int(path.name))
    found = [_counts(data) for data in runs]
    assert len(found) > len(TABLES)
    before, after = found[0], found[-1]
    assert before != after
    assert all(one in (before, after) for one in found)


async def test_whoever_asks_says_no_or_goes_away_leaves_nothing(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, it.browser() as browser:
        await it.sign_in(await it.register(), browser)
        client = await it.register(redirect_uris=[WEB_URI])
        before = _dump(tmp_path)
        Mortal.seen.clear()
        form = fields((await browser.get(wish_for(client))).text)
        stranger = await it.browser().get(wish_for(client))
        assert "Continue as a new player" in stranger.text
        denied = await browser.post("/oauth/authorize", data=form | {"choice": "deny"})
        assert returned(denied)["error"] == "access_denied"
        assert (await browser.post("/oauth/authorize", data=form | {"choice": "x"})).is_error
        assert (await browser.post("/oauth/authorize", data=form | {"csrf": "x"})).is_error
        assert (await browser.get(wish_for(client, code_challenge=""))).is_error
        assert _dump(tmp_path) == before
        assert all(one.lstrip().startswith("SELECT") for one in Mortal.seen)


async def test_of_a_passcode_that_opened_only_that_is_remembered(tmp_path: Path) -> None:
    async with lab(tmp_path, access_passcode=WORD) as it, it.browser() as browser:
        client = await it.register(redirect_uris=[WEB_URI])
        before = _dump(tmp_path)
        form = fields((await browser.get(wish_for(client))).text)
        assert (await browser.post("/oauth/authorize", data=form | {"passcode": "x"})).is_error
        assert _dump(tmp_path) == before
        page = await browser.post("/oauth/authorize", data=form | {"passcode": WORD})
        assert "Continue as a new player" in page.text
        assert {table for table, count in _counts(tmp_path).items() if count} == {"browsers"}
