"""Somebody without a token tries every door. Stopped by edge/proxy/app.py and authentication.py."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from mcp_multiplayer.edge.api.operations.table import TABLE
from mcp_multiplayer.edge.proxy.app import INVITE_CARDS_PER_MINUTE
from tests.edge.harness import BASE, Upstream, lab, serving

#: What a token opens, by how it is asked.
DOORS = [
    *((method, path) for path in ("/", "/mcp", "/mcp/") for method in ("GET", "POST", "DELETE")),
    *((entry.method, f"/{path}") for entry in TABLE for path in (entry.name, *entry.routes)),
]
NOWHERE = ["/a/b", "/healthz/x", BASE + "//mcp", "/%2e%2e/mcp", "/a%2fb", "/.env", "/mcp/x"]
METHODS = ["GET", "POST", "DELETE", "OPTIONS", "PUT", "PATCH", "HEAD", "TRACE"]
BASIC = "Basic " + base64.b64encode(b"cli_x:mps_x").decode()
WORTHLESS = [{}, {"Authorization": ""}, {"Authorization": BASIC}] + [
    {"Authorization": f"Bearer {token}"} for token in ("", "x", "mpt_" + "x" * 43)
]


@pytest.mark.parametrize("header", WORTHLESS, ids=str)
async def test_nothing_reaches_the_server_without_a_token(
    tmp_path: Path, header: dict[str, str]
) -> None:
    upstream = Upstream()
    async with serving(upstream) as port, lab(tmp_path, mcp_port=port) as it:
        for door in DOORS:
            answer = await it.http.request(*door, headers=header)
            assert answer.status_code == 401, door
            assert "resource_metadata=" in answer.headers["www-authenticate"]
        for path in {*NOWHERE, *(path for _, path in DOORS)}:
            for method in METHODS:
                answer = await it.http.request(method, path, headers=header)
                assert answer.status_code in (204, 401, 404, 405), (method, path)
        assert not upstream.seen


async def test_a_valid_token_opens_what_there_is_and_nothing_else(tmp_path: Path) -> None:
    upstream = Upstream()
    async with serving(upstream) as port, lab(tmp_path, mcp_port=port) as it:
        token = (await it.sign_in(await it.register()))["access_token"]
        bearer = {"Authorization": f"Bearer {token}"}
        for path in (*NOWHERE, "/no_such_operation", "/x" * 40):
            assert (await it.call(token, path)).status_code == 404
        for method in ("PUT", "PATCH", "TRACE"):
            assert (await it.http.request(method, "/mcp", headers=bearer)).status_code == 405
        assert not upstream.seen


@pytest.mark.parametrize("header", ["Bearer {0} x", "Bearer  {0}x", "bearer{0}", "Token {0}"])
async def test_a_token_in_a_crooked_header_is_none(tmp_path: Path, header: str) -> None:
    async with lab(tmp_path) as it:
        token = (await it.sign_in(await it.register()))["access_token"]
        answer = await it.http.post("/mcp", headers={"Authorization": header.format(token)})
        assert answer.status_code == 401


async def test_two_authorization_headers_are_refused(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        token = (await it.sign_in(await it.register()))["access_token"]
        twice = [("Authorization", f"Bearer {token}")] * 2
        assert (await it.http.post("/mcp", headers=twice)).status_code == 400


async def test_invite_codes_cannot_be_tried_for_ever(tmp_path: Path) -> None:
    async with serving(Upstream()) as port, lab(tmp_path, mcp_port=port) as it:
        for _ in range(INVITE_CARDS_PER_MINUTE):
            assert (await it.http.post("/invite_card", json={})).status_code == 200
        answer = await it.http.post("/invite_card", json={})
        assert (answer.status_code, answer.json()["error"]) == (429, "RATE_LIMITED")
        assert int(answer.headers["retry-after"]) > 0


async def test_a_person_at_the_root_gets_a_page_and_a_program_does_not(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        page = await it.http.get("/", headers={"Accept": "text/html,*/*"})
        assert page.status_code == 200
        assert "claude mcp add --transport http multiplayer http://localhost:8100/mcp" in page.text
        for accept in ("text/event-stream", "application/json, text/event-stream", "*/*"):
            assert (await it.http.get("/", headers={"Accept": accept})).status_code == 401
