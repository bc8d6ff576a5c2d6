"""Somebody keeps an open stream of events after its token was revoked, or its browser forgotten.
Stopped by edge/proxy/app.py."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from mcp_multiplayer.edge.proxy import app
from tests.edge.harness import BASE, Lab, Upstream, lab, serving

PATIENCE = 20.0


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "STILL_SECONDS", 0.02)


@asynccontextmanager
async def reading(it: Lab, upstream: Upstream, headers: dict[str, str]) -> AsyncIterator[None]:
    """A stream that does not end by itself, and is still open after some looks."""
    stream = asyncio.create_task(it.http.get("/events?do=hang", headers=headers))
    await asyncio.wait_for(upstream.waiting.wait(), PATIENCE)
    await asyncio.sleep(0.3)
    assert not stream.done() and not upstream.left.is_set()
    yield
    await asyncio.wait_for(upstream.left.wait(), PATIENCE)
    await asyncio.wait([stream], timeout=PATIENCE)
    stream.cancel()


async def test_a_revoked_token_reads_no_further(tmp_path: Path) -> None:
    upstream = Upstream()
    async with serving(upstream) as port, lab(tmp_path, mcp_port=port) as it:
        client = await it.register()
        token = (await it.sign_in(client))["access_token"]
        async with reading(it, upstream, {"Authorization": f"Bearer {token}"}):
            form = {"token": token, "client_id": client["client_id"]}
            assert (await it.http.post("/revoke", data=form)).status_code == 200


async def test_an_expired_token_reads_no_further(tmp_path: Path) -> None:
    upstream = Upstream()
    async with serving(upstream) as port, lab(tmp_path, mcp_port=port) as it:
        token = (await it.sign_in(await it.register()))["access_token"]
        async with reading(it, upstream, {"Authorization": f"Bearer {token}"}):
            it.clock.at += 2 * 3600


async def test_a_forgotten_browser_reads_no_further(tmp_path: Path) -> None:
    upstream = Upstream()
    async with serving(upstream) as port, lab(tmp_path, mcp_port=port) as it:
        own = {"Sec-Fetch-Site": "same-origin", "Origin": BASE}
        answer = await it.http.post("/session", headers={**own, "X-Mpx-Web": ""}, json={})
        async with reading(it, upstream, {**own, "X-Mpx-Web": answer.json()["tag"]}):
            with sqlite3.connect(tmp_path / "oauth.db") as database:
                database.execute("DELETE FROM browsers")


async def test_other_waits_end_by_themselves_and_are_not_looked_after(tmp_path: Path) -> None:
    upstream = Upstream()
    async with serving(upstream) as port, lab(tmp_path, mcp_port=port) as it:
        token = (await it.sign_in(await it.register()))["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        wait = asyncio.create_task(it.http.get("/sync_messages?do=hang", headers=headers))
        await asyncio.wait_for(upstream.waiting.wait(), PATIENCE)
        it.clock.at += 2 * 3600
        await asyncio.sleep(0.2)
        assert not wait.done() and not upstream.left.is_set()
        wait.cancel()
        with pytest.raises((asyncio.CancelledError, httpx.HTTPError)):
            await wait
