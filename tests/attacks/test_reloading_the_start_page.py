"""Somebody loads the start page again and again, for each of which the server looks at every room
that is listed. Stopped by edge/pages/public.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mcp_multiplayer.edge.pages import public
from mcp_multiplayer.edge.pages.website import Website
from tests.edge.harness import lab

ROOM = {
    "channel_id": "chn_x",
    "name": "Finale",
    "players": ["alice", "bob"],
    "referees": ["ChessBot"],
    "status": "playing",
}
HTML = {"Accept": "text/html"}


@pytest.mark.parametrize(("seconds", "times"), [(3600.0, 1), (0.0, 5)])
async def test_the_server_is_asked_for_rooms_once_in_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, times: int
) -> None:
    monkeypatch.setattr(public, "LIVE_SECONDS", seconds)
    asked: list[str] = []

    async def ask(path: str, query: dict[str, str]) -> tuple[int, Any]:
        asked.append(path)
        return (200, {"rooms": [ROOM]}) if path == public.LISTED_ROOMS else (503, None)

    async with lab(tmp_path) as it:
        monkeypatch.setattr(it.app._parts.website, "_pages", Website(it.settings, ask)._pages)
        pages = [(await it.http.get("/", headers=HTML)).text for _ in range(5)]
        assert all("Finale" in page for page in pages)
        assert asked.count(public.LISTED_ROOMS) == times
