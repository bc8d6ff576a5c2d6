"""The way through our own code: one post that a referee answers, and one sign-in.

    python -m benchmarks.path               a table of both
    python -m benchmarks.path --json FILE   also as JSON
    python -m benchmarks.path --files       also which files, with their functions and calls
    python -m benchmarks.path --moves       also who calls whom in another file, most often first

Driven through the real pair of processes. Counted are our files, their functions, calls of them,
and moves: calls that come from another file of ours, with or without a library in between.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import json
import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from benchmarks import rooms
from benchmarks.eras import Session
from benchmarks.servers import ROOT, Pair, pair

SECONDS = 10.0
#: Seconds in which both use next to no processor time, `IDLE`, when what came before has nothing
#: more to do: presets are compiled, workers are gone, marks are written down.
SETTLED = 3.0
IDLE = 0.03
REDIRECT = "http://127.0.0.1:1/callback"
Json = dict[str, Any]


@contextmanager
def traced(directory: Path) -> Iterator[None]:
    """Processes that start within note their calls (`benchmarks/traced/sitecustomize.py`)."""
    before = {name: os.environ.get(name) for name in ("PYTHONPATH", "TRACED")}
    os.environ |= {"PYTHONPATH": str(ROOT / "benchmarks" / "traced"), "TRACED": str(directory)}
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


async def settled(ours: Pair) -> None:
    """Wait until both have nothing to do, a minute at most."""
    for _ in range(20):
        used = ours.cpu()
        await asyncio.sleep(SETTLED)
        if ours.cpu() - used < IDLE:
            return


async def noted(ours: Pair, directory: Path, act: Callable[[], Awaitable[Any]]) -> Json:
    """What both processes ran while ``act`` was under way."""
    pids = (ours.proxy.pid, ours.server.pid)
    for pid in pids:
        os.kill(pid, signal.SIGUSR1)
    await asyncio.sleep(0.2)  # both have heard it
    await act()
    for pid in pids:
        os.kill(pid, signal.SIGUSR2)
    calls: list[list[str]] = []
    for pid in pids:
        found = directory / f"{pid}.json"
        until = time.monotonic() + SECONDS
        while not found.exists():
            if time.monotonic() > until:
                raise RuntimeError(f"process {pid} tells nothing")
            await asyncio.sleep(0.01)
        calls += json.loads(found.read_text())
        found.unlink()
    return told(calls)


def told(calls: list[list[str]]) -> Json:
    """The counts of these calls, and the calls by file and function."""
    by: dict[str, Counter[str]] = {}
    moves: Counter[str] = Counter()
    for file, function, above, caller in calls:
        by.setdefault(file, Counter())[function] += 1
        if above not in ("", file):
            moves[f"{above}: {caller} -> {file}: {function}"] += 1
    return {
        "files": len(by),
        "functions": sum(map(len, by.values())),
        "calls": len(calls),
        "moves": moves.total(),
        "by file": {file: dict(by[file]) for file in sorted(by)},
        "by move": dict(moves.most_common()),
    }


async def post(ours: Pair, directory: Path) -> Json:
    """A member guesses, and the answer that she gets has the referee's."""
    (token,) = await rooms.tokens(ours.port, 1)
    member = await Session.open(ours.port, "modern", token)
    wish: Json = {"slots": ["bot:referee", "invite:alice"], "join_as": "alice"}
    wish["bot_preset"] = "GuessBot"
    wish["bot_params"] = {"high": 10**15}  # none of the guesses ends the game
    room = (await member.data("create_channel", wish))["channel_id"]

    async def guess(number: int) -> None:
        body = {"channel_id": room, "body": f"guess {number}", "wait_ms": 5000}
        answer = await member.data("post_message", body)
        assert len(answer["messages"]) > 1, answer

    for number in (1, 2, 3):  # what is made at the first time only is not the way
        await guess(number)
    await settled(ours)
    found = await noted(ours, directory, lambda: guess(4))
    member.close()
    return found


async def sign_in(ours: Pair, directory: Path) -> Json:
    """A person's browser says yes to a new client, which gets its tokens."""
    base = f"http://127.0.0.1:{ours.port}"
    async with httpx.AsyncClient(base_url=base, timeout=SECONDS) as browser:

        async def whole() -> None:
            await _sign_in(browser)

        await whole()
        await settled(ours)
        browser.cookies.clear()
        return await noted(ours, directory, whole)


async def _sign_in(browser: httpx.AsyncClient) -> None:
    wish = {
        "client_name": "path",
        "redirect_uris": [REDIRECT],
        "token_endpoint_auth_method": "none",
    }
    client = (await browser.post("/register", json=wish)).json()["client_id"]
    verifier = base64.urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode()
    challenge = hashlib.sha256(verifier.encode()).digest()
    asked = {
        "response_type": "code",
        "client_id": client,
        "redirect_uri": REDIRECT,
        "state": "s",
        "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    page = await browser.get("/oauth/authorize", params=asked)
    if page.status_code == 200:
        raise RuntimeError(f"a page that asks: {page.text[:2000]}")
    code = parse_qs(urlsplit(page.headers["location"]).query)["code"][0]
    grant = {
        "grant_type": "authorization_code",
        "code": code,
        "client_id": client,
        "redirect_uri": REDIRECT,
        "code_verifier": verifier,
    }
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await browser.post("/token", content=urlencode(grant), headers=form)
    assert "access_token" in answer.json(), answer.text


async def measure() -> Json:
    """Both ways."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with traced(directory), pair(directory) as ours:
            return {"post": await post(ours, directory), "sign_in": await sign_in(ours, directory)}


def main() -> None:
    made = argparse.ArgumentParser(prog="python -m benchmarks.path")
    made.add_argument("--json", type=Path, help="where to write all of it")
    made.add_argument("--files", action="store_true", help="print each file with its functions")
    made.add_argument("--moves", action="store_true", help="print each move, most often first")
    options = made.parse_args()
    found = asyncio.run(measure())
    for name, way in found.items():
        counts = ", ".join(f"{way[key]} {key}" for key in ("files", "functions", "calls", "moves"))
        print(f"{name}: {counts}")
        for file, functions in way["by file"].items() if options.files else ():
            print(f"  {file}: " + ", ".join(f"{n} {function}" for function, n in functions.items()))
        for move, times in way["by move"].items() if options.moves else ():
            print(f"  {times:3} {move}")
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
