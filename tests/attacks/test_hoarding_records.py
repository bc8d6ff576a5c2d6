"""Somebody asks for large records and does not read them, until memory is full. Stopped by
edge/proxy/app.py."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mcp_multiplayer.edge.proxy import app
from mcp_multiplayer.edge.proxy.app import RECORDS_EACH, VERIFIER
from tests.edge.harness import Upstream, lab, serving


async def test_few_records_are_on_their_way_and_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "RECORD_SECONDS", 3.0)
    upstream = Upstream()
    async with serving(upstream) as port, lab(tmp_path, mcp_port=port) as it:
        asked = [
            asyncio.create_task(it.http.get("/watch_record?do=hang")) for _ in range(RECORDS_EACH)
        ]
        await upstream.waiting.wait()
        refused = await it.http.get("/transcript/record_x")
        while refused.status_code == 200:  # the second is still on its way to the proxy
            refused = await it.http.get("/transcript/record_x")
        assert (refused.status_code, refused.json()["error"]) == (429, "RATE_LIMITED")
        assert (await it.http.get(VERIFIER)).status_code == 200
        await asyncio.wait(asked, timeout=30)
        await asyncio.wait_for(upstream.left.wait(), 30)
        assert (await it.http.get("/transcript/record_x")).status_code == 200
        await asyncio.gather(*asked, return_exceptions=True)
