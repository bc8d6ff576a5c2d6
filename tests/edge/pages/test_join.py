"""The page behind an invite link."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import subprocess
from pathlib import Path
from typing import Any

from mcp_multiplayer.edge.pages.join import join_page
from tests import npm
from tests.edge.api.house import open_house
from tests.edge.harness import lab

#: What the page's script needs of a browser: elements by id, the address, one route to ask.
BROWSER = """
const { script, link, status, card } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const shown = {}, asked = [];
const element = () => ({
  textContent: "", hidden: null, children: [],
  append(child) { this.children.push(child); }, addEventListener() {},
});
globalThis.document = {
  getElementById: (id) => (shown[id] ??= element()), createElement: element,
};
globalThis.location = new URL(link);
globalThis.fetch = async (path, request) => {
  asked.push([path, JSON.parse(request.body)]);
  return { ok: status === 200, status, json: async () => card };
};
new Function(script)();
process.on("exit", () => console.log(JSON.stringify({ shown, asked })));
"""


def opened(link: str, status: int, card: dict[str, Any]) -> dict[str, Any]:
    """What the page shows, and asks, when a browser opens ``link``."""
    page = bytes(join_page("http://localhost:8100").body).decode()
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.S)
    done = subprocess.run(
        [npm.NODE, "-e", BROWSER],
        input=json.dumps({"script": script, "link": link, "status": status, "card": card}),
        capture_output=True,
        text=True,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told


async def test_an_invite_link_as_rooms_make_them_shows_its_room(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        room = await house.room(house.account(), bot_preset="GuessBot", join_as="alice")
        link, code = room["invite_links"]["bob"], room["invites"][0]
        answer = await house.http.post("/invite_card", json={"invite_code": code})
    told = await asyncio.to_thread(opened, link, answer.status_code, answer.json())
    assert told["asked"] == [["/invite_card", {"invite_code": code}]]
    shown = told["shown"]
    assert (shown["invited"]["hidden"], shown["nocode"]["hidden"]) == (False, True)
    assert link in shown["prompt"]["textContent"]
    assert (shown["seat"]["textContent"], shown["card"]["hidden"]) == ("bob", False)
    assert "GuessBot" in shown["bots"]["children"][0]["textContent"]


def test_a_dead_invite_is_said_to_be_dead() -> None:
    refusal = {"message": "this invite has been used", "hint": "Ask for a fresh one."}
    shown = opened("http://localhost:8100/join#inv_" + "a" * 24, 409, refusal)["shown"]
    assert shown["title"]["textContent"] == "This invite cannot be used"
    assert "this invite has been used. Ask for a fresh one." in shown["told"]["textContent"]
    assert shown["use"]["hidden"] is True


def test_an_address_without_a_code_asks_nothing() -> None:
    for tail in ("", "#", "#inv_", "#rejoin_" + "a" * 43, "#inv_" + "a" * 24 + "/../x"):
        assert opened("http://localhost:8100/join" + tail, 200, {})["asked"] == []


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
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
        assert (await it.http.get("/invite_card")).status_code == 405
