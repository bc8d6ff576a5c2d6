"""A page of another site asks with the cookie that the browser sends along. Stopped by
edge/auth/browser_session.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from mcp_multiplayer.edge.auth.endpoints import AUTHORIZATIONS_PER_HOUR
from mcp_multiplayer.edge.proxy.app import _MCP, PRIVATE
from tests.edge.harness import BASE, Lab, Upstream, lab, serving

OWN = {"Sec-Fetch-Site": "same-origin", "Origin": BASE, "Content-Type": "application/json"}
#: What a request from elsewhere says of where it comes from.
ELSEWHERE: list[dict[str, str]] = [
    {},
    *({"Sec-Fetch-Site": site} for site in ("cross-site", "same-site", "none", "", "SAME-ORIGIN")),
    *({"Origin": origin} for origin in ("null", "http://evil.example", "http://localhost:6274")),
    {"Origin": "http://localhost:8100.evil.example"},
    {"Origin": "http://127.0.0.1:8100"},  # ours by another name, of whose pages this is no cookie
    {"Referer": "http://evil.example/http://localhost:8100/"},
    {"Referer": "http://localhost:8100@evil.example/"},
    {"Sec-Fetch-Site": "cross-site", "Origin": BASE, "Referer": BASE + "/room/x"},
]
ROUTES = sorted((method, path) for path, methods in PRIVATE.items() for method in methods)


async def player(it: Lab) -> tuple[httpx.AsyncClient, str]:
    """A browser that plays here, and the tag of its player."""
    browser = it.browser()
    answer = await browser.post("/session", headers=OWN | {"X-Mpx-Web": ""}, json={})
    assert answer.status_code == 200, answer.text
    return browser, answer.json()["tag"]


async def test_a_page_of_ours_reaches_every_operation_and_never_mcp(tmp_path: Path) -> None:
    upstream = Upstream()
    async with serving(upstream) as port, lab(tmp_path, mcp_port=port) as it:
        browser, tag = await player(it)
        for method, path in ROUTES:
            answer = await browser.request(method, path, headers=OWN | {"X-Mpx-Web": tag})
            assert answer.status_code == (401 if path in _MCP else 200), (method, path)
            if path not in _MCP:
                assert "Cookie" in answer.headers["vary"]
                assert "access-control-allow-origin" not in answer.headers
        assert {seen["path"] for seen in upstream.seen} == {
            path for _, path in ROUTES if path not in _MCP
        }
        assert not any("cookie" in seen["headers"] for seen in upstream.seen)


@pytest.mark.parametrize("said", ELSEWHERE, ids=str)
async def test_no_route_is_usable_from_elsewhere(tmp_path: Path, said: dict[str, str]) -> None:
    upstream = Upstream()
    async with serving(upstream) as port, lab(tmp_path, mcp_port=port) as it:
        browser, tag = await player(it)
        for method, path in ROUTES:
            headers = {"Content-Type": "application/json", "X-Mpx-Web": tag} | said
            answer = await browser.request(method, path, headers=headers)
            assert answer.status_code in (401, 403), (method, path)
        for method in ("GET", "POST"):
            answer = await browser.request(
                method,
                "/session",
                headers={"Content-Type": "application/json", "X-Mpx-Web": tag} | said,
            )
            assert answer.status_code == 403
        assert not upstream.seen


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "a/b;c"])
async def test_what_a_form_can_send_is_refused(tmp_path: Path, kind: str) -> None:
    upstream = Upstream()
    async with serving(upstream) as port, lab(tmp_path, mcp_port=port) as it:
        browser, tag = await player(it)
        headers = OWN | {"X-Mpx-Web": tag, "Content-Type": kind}
        answer = await browser.post("/post_message", headers=headers, content=b"{}")
        assert answer.status_code == 403
        assert not upstream.seen


async def test_the_cookie_alone_opens_nothing(tmp_path: Path) -> None:
    upstream = Upstream()
    async with serving(upstream) as port, lab(tmp_path, mcp_port=port) as it:
        browser, _ = await player(it)
        for method, path in ROUTES:
            if path != "/events":  # without an account it is for whoever watches
                assert (await browser.request(method, path, headers=OWN)).status_code == 401
        assert not upstream.seen


async def test_a_tag_of_another_browsers_player_opens_nothing(tmp_path: Path) -> None:
    async with serving(Upstream()) as port, lab(tmp_path, mcp_port=port) as it:
        _, alice = await player(it)
        bob, own = await player(it)
        for tag in (alice, "", own[:-1], own + "0", "*", own.upper()):
            answer = await bob.get("/list_channels", headers=OWN | {"X-Mpx-Web": tag})
            assert answer.status_code == 401, tag


async def test_cookie_and_token_together_are_refused(tmp_path: Path) -> None:
    async with serving(Upstream()) as port, lab(tmp_path, mcp_port=port) as it:
        token = (await it.sign_in(await it.register()))["access_token"]
        browser, tag = await player(it)
        both = OWN | {"X-Mpx-Web": tag, "Authorization": f"Bearer {token}"}
        assert (await browser.get("/list_channels", headers=both)).status_code == 400


async def test_a_preflight_is_never_told_that_the_header_may_be_sent(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        for origin in ("http://localhost:6274", "http://127.0.0.1:6274"):
            asked: dict[str, Any] = {
                "Origin": origin,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "content-type, x-mpx-web",
            }
            answer = await it.http.options("/post_message", headers=asked)
            assert "x-mpx-web" not in answer.headers["access-control-allow-headers"].lower()
            assert "access-control-allow-credentials" not in answer.headers


async def test_a_planted_cookie_does_not_become_a_session(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        browser = it.browser()
        planted = "mpb_" + "a" * 43
        browser.cookies.set("mpx_browser", planted)
        answer = await browser.post("/session", headers=OWN | {"X-Mpx-Web": ""}, json={})
        assert answer.cookies["mpx_browser"] != planted


async def test_a_passcode_is_asked_for_here_as_well(tmp_path: Path) -> None:
    async with lab(tmp_path, access_passcode="open sesame") as it:
        browser = it.browser()
        ask = OWN | {"X-Mpx-Web": ""}
        assert (await browser.get("/session", headers=ask)).json() == {
            "accounts": [],
            "passcode": True,
        }
        for wrong in ({}, {"passcode": "x"}):
            answer = await browser.post("/session", headers=ask, json=wrong)
            assert answer.status_code == 403
            assert "set-cookie" not in answer.headers
        answer = await browser.post("/session", headers=ask, json={"passcode": "open sesame"})
        assert answer.status_code == 200
        assert (await browser.get("/session", headers=ask)).json()["passcode"] is False


async def test_with_the_pages_off_there_is_no_such_way(tmp_path: Path) -> None:
    upstream = Upstream()
    async with serving(upstream) as port, lab(tmp_path, mcp_port=port) as it:
        browser, tag = await player(it)
        cookie = dict(browser.cookies)
    async with serving(upstream) as port, lab(tmp_path, mcp_port=port, web="off") as it:
        browser = it.browser()
        browser.cookies.update(cookie)
        headers = OWN | {"X-Mpx-Web": tag}
        assert (await browser.get("/list_channels", headers=headers)).status_code == 401
        assert (await browser.get("/session", headers=headers)).status_code == 404
        assert not upstream.seen


@pytest.mark.parametrize(
    "body", [b"[]", b"{", b'{"account": 5}', b"[" * 4000, b"\xff", b"9" * 5000]
)
async def test_odd_bodies_are_refused(tmp_path: Path, body: bytes) -> None:
    async with lab(tmp_path) as it:
        answer = await it.http.post("/session", headers=OWN | {"X-Mpx-Web": ""}, content=body)
        assert answer.status_code in (400, 413)


async def test_a_page_of_another_site_does_not_use_up_the_networks_share(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        simple = {"Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain"}
        for _ in range(AUTHORIZATIONS_PER_HOUR + 1):
            assert (
                await it.http.post("/session", headers=simple, content=b"{}")
            ).status_code == 401
        await player(it)
        for _ in range(AUTHORIZATIONS_PER_HOUR - 1):
            await it.http.post("/session", headers=OWN | {"X-Mpx-Web": ""}, content=b"[]")
        answer = await it.http.post("/session", headers=OWN | {"X-Mpx-Web": ""}, json={})
        assert (answer.status_code, answer.json()["error"]) == (429, "RATE_LIMITED")
