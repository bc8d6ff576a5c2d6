"""The page behind an invite link."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from tests.edge.harness import lab


async def test_it_is_the_same_for_every_invite_and_runs_its_own_script_only(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        page = await it.http.get("/join")
        assert page.status_code == 200
        assert page.text == (await it.http.get("/join")).text
        scripts = re.findall(r"<script>(.*?)</script>", page.text, re.S)
        assert len(scripts) == 1
        digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
        policy = page.headers["content-security-policy"]
        assert f"script-src 'sha256-{digest}'" in policy
        assert "connect-src 'self'" in policy


async def test_strangers_names_are_set_as_text(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        script = (await it.http.get("/join")).text
        for danger in ("innerHTML", "insertAdjacentHTML", "document.write", "eval(", "outerHTML"):
            assert danger not in script


async def test_it_tells_what_to_say_and_works_without_a_script(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        page = (await it.http.get("/join")).text
        assert "Join this room with the MCP Multiplayer connector" in page
        assert "inspect_invite" in page
        assert "<noscript>" in page
        assert "http://localhost:8100/mcp" in page


async def test_other_methods_are_not_there(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        answer = await it.http.post("/join")
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
        assert (await it.http.get("/invite_card")).status_code == 405
