"""What each address answers to whom: 404 where nothing is, 401 only where a token would help, HEAD
wherever GET is (RFC 9110 §9.3.2), 405 with Allow for any other method (§15.5.6)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from mcp_multiplayer.edge.api.operations.table import TABLE
from mcp_multiplayer.edge.proxy.app import EVENTS, INVITE_CARD, PRIVATE, VERIFIER
from mcp_multiplayer.oauth_proxy import create_app
from tests.edge.api.house import open_house
from tests.edge.harness import BASE, Lab, Upstream, lab, serving, settings_for

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
JSON = {"Accept": "application/json"}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
PRM = "/.well-known/oauth-protected-resource"
NOWHERE = [
    "/.well-known/oauth-authorization-server/mcp",
    "/.well-known/openid-configuration/mcp",
    "/.well-known/mcp/server-card.json",
    "/.well-known/security.txt",
    PRM + "/",
    PRM + "/list_bots",
    "/mcp/.well-known/openid-configuration",
    "/sse",
    "/mpc",
    "/list_bots/",
    "/mcp//",
    BASE + "//mcp",
    "/apple-touch-icon.png",
    "/wp-login.php",
    "/transcript/",
    "/transcript/a/b",
    "/%00",
    "/inv_secretinvite",
]


@dataclass
class Town:
    """A proxy before a server that takes everything, and a token for it."""

    it: Lab
    upstream: Upstream
    bearer: dict[str, str]

    async def ask(self, method: str, path: str, **headers: str) -> httpx.Response:
        return await self.it.http.request(method, path, headers=headers)


@asynccontextmanager
async def town(data: Path, **settings: Any) -> AsyncIterator[Town]:
    upstream = Upstream()
    async with serving(upstream) as port, lab(data, mcp_port=port, **settings) as it:
        token = (await it.sign_in(await it.register()))["access_token"]
        yield Town(it, upstream, {"Authorization": f"Bearer {token}"})


def known(it: Lab) -> dict[str, set[str]]:
    """Every address of the proxy with its methods, from its own tables."""
    found: dict[str, set[str]] = {path: set(methods) for path, methods in PRIVATE.items()}
    for method, path in it.app._parts.public:
        found.setdefault(path, set()).add(method)
    for path in ("/", "/join", "/healthz", VERIFIER, "/transcript/ticket.mac"):
        found.setdefault(path, set()).add("GET")
    found[INVITE_CARD] = {"POST"}
    return found


@pytest.mark.parametrize("path", NOWHERE)
async def test_nothing_is_there_for_anybody_token_or_not(tmp_path: Path, path: str) -> None:
    async with town(tmp_path) as it:
        for who in ({}, {"Authorization": "Bearer x"}, it.bearer):
            for method in METHODS:
                answer = await it.ask(method, path, **who)
                preflight = method == "OPTIONS" and "/.well-known/" in path[:13]
                assert answer.status_code == (204 if preflight else 404), (method, who)
                assert "www-authenticate" not in answer.headers
        program = await it.ask("GET", path, **JSON)
        assert set(program.json()) == {"error", "message", "hint"}
        assert not it.upstream.seen


@pytest.mark.parametrize("path", NOWHERE)
async def test_a_mistyped_address_in_a_browser_is_a_page_with_a_way_home(
    tmp_path: Path, path: str
) -> None:
    async with town(tmp_path) as it:
        page = await it.ask("GET", path, **HTML)
        assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert 'href="/">What this server is' in page.text
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        assert (await it.ask("GET", "/", **HTML)).status_code == 200


@pytest.mark.parametrize("path", ["/mcp", "/mcp/", "/list_bots", "/who"])
async def test_a_browser_at_an_address_for_agents_gets_a_page_too(
    tmp_path: Path, path: str
) -> None:
    async with town(tmp_path) as it:
        page = await it.ask("GET", path, **HTML)
        assert (page.status_code, page.headers["content-type"]) == (401, "text/html; charset=utf-8")
        assert "resource_metadata=" in page.headers["www-authenticate"]
        assert 'href="/">What this server is' in page.text


async def test_a_browser_under_another_name_is_led_to_ours(tmp_path: Path) -> None:
    async with town(tmp_path) as it:
        page = await it.ask("GET", "/", Host="evil.example", **HTML)
        assert page.status_code == 421
        assert f'href="{BASE}/">What this server is' in page.text
        assert 'href="/games"' not in page.text


async def test_every_address_answers_every_method_sanely(tmp_path: Path) -> None:
    """The whole table: a method that is not there is 405 with what there is, no answer is 500, and
    what is private asks for a token before anything else."""
    async with town(tmp_path) as it:
        for path, has in known(it.it).items():
            for method in METHODS:
                asked = "GET" if method == "HEAD" else method
                bare = await it.ask(method, path, **JSON)
                full = await it.ask(method, path, **JSON, **it.bearer)
                transport = path.rstrip("/") in ("", "/mcp") and asked in ("GET", "DELETE")
                if path == EVENTS and asked == "GET":  # anybody may watch what is listed
                    assert bare.status_code == full.status_code == 200
                elif transport or (path in PRIVATE and asked in PRIVATE[path]):
                    assert bare.status_code == 401, (method, path)
                    assert full.status_code == 200, (method, path)
                elif method == "OPTIONS":
                    assert bare.status_code == full.status_code == 204, path
                elif asked in has:
                    assert bare.status_code < 500 and bare.status_code not in (404, 405), path
                    assert "resource_metadata" not in bare.headers.get("www-authenticate", "")
                else:
                    for answer in (bare, full):
                        assert answer.status_code == 405, (method, path)
                        allowed = set(answer.headers["allow"].split(", "))
                        assert allowed == has | {"OPTIONS"} | ({"HEAD"} if "GET" in has else set())


async def test_head_is_get_without_its_body(tmp_path: Path) -> None:
    async with town(tmp_path) as it:
        for path, has in known(it.it).items():
            if "GET" not in has or path == "/oauth/authorize":
                continue
            for accept in (HTML, JSON):
                headers = accept | (it.bearer if path in PRIVATE and path != "/" else {})
                got = await it.ask("GET", path, **headers)
                head = await it.ask("HEAD", path, **headers)
                assert head.status_code == got.status_code, path
                assert head.content == b"" and got.content, path
                assert dict(head.headers) == dict(got.headers), path


async def test_head_over_a_real_connection_leaves_it_usable(tmp_path: Path) -> None:
    async with town(tmp_path) as it:
        port = it.it.settings.mcp_port
        app = create_app(settings_for(tmp_path, mcp_port=port))
        async with (
            serving(app) as outer,
            httpx.AsyncClient(base_url=f"http://localhost:{outer}", headers=it.bearer) as http,
        ):
            for path in ("/healthz", "/favicon.svg", "/nothing", "/list_bots", PRM):
                head, got = await http.head(path), await http.get(path)
                assert (head.status_code, head.content) == (got.status_code, b"")
                assert got.content
                assert head.headers["content-type"] == got.headers["content-type"]


async def test_the_server_itself_answers_head_wherever_it_answers_get(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        signed = house.statement(house.account())
        for path in ["/healthz", *(f"/{one.name}" for one in TABLE if one.method == "GET")]:
            got = await house.http.get(path, headers=signed)
            head = await house.http.head(path, headers=signed)
            assert (head.status_code, head.content) == (got.status_code, b""), path
            assert head.headers["content-type"] == got.headers["content-type"]


@pytest.mark.parametrize("path", ["/mcp", "/list_bots", "/nothing", PRM])
@pytest.mark.parametrize("accept", [None, "*/*", "application/*", "text/event-stream"])
async def test_no_route_but_mcp_minds_what_is_accepted(
    tmp_path: Path, path: str, accept: str | None
) -> None:
    """The proxy never answers 406; what the server says is its own."""
    async with town(tmp_path) as it:
        request = it.it.http.build_request("GET", path, headers=it.bearer)
        del request.headers["accept"]
        if accept is not None:
            request.headers["accept"] = accept
        answer = await it.it.http.send(request)
        assert answer.status_code == (404 if path == "/nothing" else 200)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/favicon.svg", "image/svg+xml"),
        ("/favicon.ico", "image/svg+xml"),
        ("/robots.txt", "text/plain; charset=utf-8"),
        ("/sitemap.xml", "application/xml"),
    ],
)
async def test_what_browsers_and_crawlers_ask_for_is_there(
    tmp_path: Path, path: str, kind: str
) -> None:
    async with town(tmp_path) as it:
        answer = await it.ask("GET", path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert '<link rel="icon" href="/favicon.svg">' in (await it.ask("GET", "/join")).text


async def test_the_word_of_an_app_directory_is_there_where_it_was_set(tmp_path: Path) -> None:
    path = "/.well-known/openai-apps-challenge"
    async with town(tmp_path / "without") as it:
        assert (await it.ask("GET", path)).status_code == 404
    async with town(tmp_path / "with", openai_apps_challenge="w0rd") as it:
        answer = await it.ask("GET", path)
        assert (answer.status_code, answer.text) == (200, "w0rd")


async def test_a_page_elsewhere_may_see_that_metadata_is_not_there(tmp_path: Path) -> None:
    """A client in a browser tries several addresses: one that it may not even read ends its search
    with an error of the network."""
    asked = {"Origin": "https://any.example", "Access-Control-Request-Method": "GET"}
    path = "/.well-known/oauth-authorization-server/mcp"
    async with town(tmp_path) as it:
        assert (await it.ask("OPTIONS", path, **asked)).status_code == 204
        answer = await it.ask("GET", path, Origin="https://any.example")
        assert answer.status_code == 404
        assert answer.headers["access-control-allow-origin"] == "*"
