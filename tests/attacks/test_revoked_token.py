"""A thief goes on using a token that was revoked. Stopped by edge/proxy/authentication.py."""

from __future__ import annotations

import asyncio
import threading

import pytest

from mcp_multiplayer.edge.auth.grants import Bearer
from mcp_multiplayer.edge.proxy.authentication import MAX_AGE, Authentication, Denied
from tests.edge.harness import Clock

TOKEN = "mpt_" + "x" * 43
HEADER = [f"Bearer {TOKEN}"]


async def test_a_look_up_that_a_revocation_overtakes_is_not_remembered() -> None:
    asked, go = threading.Event(), threading.Event()
    alive = True

    def look_up(token: str) -> Bearer | None:
        found = Bearer("acc_1", "cli_1", "iss", 9e12, "", 0) if alive else None
        asked.set()
        assert go.wait(5)
        return found

    authentication = Authentication(look_up)
    call = asyncio.create_task(authentication.authenticate(HEADER, b""))
    assert await asyncio.to_thread(asked.wait, 5)
    alive = False  # the revocation commits after the look-up read the database …
    authentication.forget()  # … and clears the cache before the look-up returns
    go.set()
    assert (await call).sub == "acc_1"  # that request came before the revocation
    with pytest.raises(Denied):
        await authentication.authenticate(HEADER, b"")


async def test_another_process_is_believed_after_a_moment_at_most() -> None:
    clock = Clock()
    alive: list[Bearer | None] = [Bearer("acc_1", "cli_1", "iss", clock.at + 9999, "", 0)]
    authentication = Authentication(lambda token: alive[0], now=clock)
    await authentication.authenticate(HEADER, b"")
    alive[0] = None
    assert (await authentication.authenticate(HEADER, b"")).sub == "acc_1"
    clock.at += MAX_AGE
    with pytest.raises(Denied):
        await authentication.authenticate(HEADER, b"")


async def test_the_cache_does_not_outlive_the_token() -> None:
    clock = Clock()
    answers: list[Bearer | None] = [Bearer("acc_1", "cli_1", "iss", clock.at + 1, "", 0), None]
    authentication = Authentication(lambda token: answers.pop(0), now=clock)
    await authentication.authenticate(HEADER, b"")
    clock.at += 1
    with pytest.raises(Denied):
        await authentication.authenticate(HEADER, b"")


async def test_a_hit_asks_nobody() -> None:
    count = 0

    def look_up(token: str) -> Bearer:
        nonlocal count
        count += 1
        return Bearer("acc_1", "cli_1", "iss", 9e12, "", 0)

    authentication = Authentication(look_up)
    for _ in range(5):
        await authentication.authenticate(HEADER, b"")
    assert count == 1
