"""A web page points its own name at this machine, or asks across origins.
Stopped by edge/proxy/origins.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.edge.harness import BASE, Upstream, lab, serving, wish_for

FOREIGN_HOSTS = [
    "evil.example",
    "evil.example:8100",
    "localhost.evil.example:8100",
    "127.0.0.1.evil.example",
    "192.168.1.5:8100",
    "[::2]:8100",
    "[::1].evil.example",
    "localhost@evil.example",
    "",
]


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
async def test_a_foreign_host_is_misdirected_everywhere(tmp_path: Path, host: str) -> None:
    async with lab(tmp_path) as it:
        token = (await it.sign_in(await it.register()))["access_token"]
        headers = {"Host": host, "Authorization": f"Bearer {token}"}
        for path in ("/mcp", "/", "/list_bots", "/token", "/register", "/invite_card"):
            assert (await it.http.post(path, headers=headers)).status_code == 421
        wish = wish_for(await it.register())
        for path in (wish, "/join", "/.well-known/oauth-authorization-server"):
            assert (await it.http.get(path, headers=headers)).status_code == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8100", "127.0.0.1:9000", "[::1]:8100"])
async def test_our_own_names_are_good_on_any_port(tmp_path: Path, host: str) -> None:
    async with lab(tmp_path) as it:
        answer = await it.http.post("/mcp", headers={"Host": host})
        assert answer.status_code == 401


async def test_the_public_name_is_ours(tmp_path: Path) -> None:
    async with lab(tmp_path, public_url="https://mp.example") as it:
        for host, status in (("mp.example", 401), ("MP.example:443", 401), ("www.mp.example", 421)):
            assert (await it.http.post("/mcp", headers={"Host": host})).status_code == status


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://localhost.evil.example",
        "null",
        "http://192.168.1.5:8100",
        "file://",
        "http://[::1",
        "chrome-extension://localhost",
    ],
)
async def test_a_page_of_another_site_may_not_ask(tmp_path: Path, origin: str) -> None:
    upstream = Upstream()
    async with serving(upstream) as port, lab(tmp_path, mcp_port=port) as it:
        token = (await it.sign_in(await it.register()))["access_token"]
        for path in ("/mcp", "/list_bots", "/invite_card"):
            answer = await it.call(token, path, headers={"Origin": origin})
            assert answer.status_code == 403
            assert "access-control-allow-origin" not in answer.headers
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        assert (await it.http.options("/mcp", headers=asked)).status_code == 403
        assert not upstream.seen


@pytest.mark.parametrize("origin", [BASE, "http://127.0.0.1:8100", "http://127.0.0.1:6274"])
async def test_our_pages_and_the_inspector_on_this_machine_may(tmp_path: Path, origin: str) -> None:
    async with serving(Upstream()) as port, lab(tmp_path, mcp_port=port) as it:
        token = (await it.sign_in(await it.register()))["access_token"]
        asked = {
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization, Mcp-Param-X, mcp-method, x-evil",
        }
        preflight = await it.http.options("/mcp", headers=asked)
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-origin"] == origin
        allowed = preflight.headers["access-control-allow-headers"]
        assert allowed == "authorization, Mcp-Param-X, mcp-method"
        assert "access-control-allow-credentials" not in preflight.headers
        for answer in (
            await it.call(token, headers={"Origin": origin}),
            await it.http.post("/mcp", headers={"Origin": origin}),
        ):
            assert answer.headers["access-control-allow-origin"] == origin
            assert "WWW-Authenticate" in answer.headers["access-control-expose-headers"]
