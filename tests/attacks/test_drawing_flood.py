"""Somebody has pictures drawn until no token is looked up. Stopped by edge/pages/qr.py."""

from __future__ import annotations

from pathlib import Path

from mcp_multiplayer.edge.pages.qr import PER_MINUTE, QR
from tests.edge.harness import lab


async def test_an_address_has_so_many_pictures_and_no_more(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        for _ in range(PER_MINUTE):
            answer = await it.http.post(QR, json={"text": "https://mp.example/join#inv_abc"})
            assert answer.headers["content-type"] == "image/svg+xml"
        refused = await it.http.post(QR, json={"text": "x"})
        assert (refused.status_code, refused.json()["error"]) == (429, "RATE_LIMITED")
        assert int(refused.headers["retry-after"]) >= 1
        it.clock.at += 60
        assert (await it.http.post(QR, json={"text": "x"})).status_code == 200
