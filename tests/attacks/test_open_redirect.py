"""A stranger uses our name to send people, or codes, to his page. Stopped by
edge/auth/redirects.py, edge/auth/authorize.py and edge/auth/clients.py."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.edge.harness import BASE, LOOPBACK_URI, WEB_URI, lab, returned, wish_for


@pytest.mark.parametrize(
    "uri",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
        "blob:https://x/1",
        "https://client.example/cb#fragment",
        "https://claude.ai@evil.example/cb",
        "http://localhost@evil.example/",
        "https://evil.example\\@claude.ai/cb",
        "https://client.example/cb\r\nSet-Cookie: x=1",
        "https://client.example/ cb",
        "https://clіent.example/cb",
        "https://client.example/" + "x" * 2000,
        "https://client.example:port/",
    ],
)
async def test_a_hostile_redirect_uri_condemns_the_registration(tmp_path: Path, uri: str) -> None:
    async with lab(tmp_path) as it:
        answer = await it.http.post("/register", json={"redirect_uris": [WEB_URI, uri]})
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_redirect_uri")


@pytest.mark.parametrize(
    "strange",
    [
        "http://client.example/cb",
        "https://*.example/cb",
        "example:/cb",  # RFC 8252 §8.4: no period, so anybody's
        "mailto:somebody@client.example",
        "intent://client.example/cb",
        "client.example:8080/cb",
        "localhost:8080/cb",
        "com.example.app:cb",
        "com.example.app:",
        "com.example.app://",
        "com.example.app:///cb",
        "com..app:/cb",
        "com.example.:/cb",
        "cursor:",
    ],
)
async def test_an_address_of_no_use_is_left_out_but_not_alone(tmp_path: Path, strange: str) -> None:
    async with lab(tmp_path) as it:
        cursor = "cursor://anysphere.cursor-mcp/oauth/callback"
        client = await it.register(redirect_uris=[strange, cursor, WEB_URI])
        assert client["redirect_uris"] == [cursor, WEB_URI]
        answer = await it.http.post("/register", json={"redirect_uris": [strange]})
        assert answer.json()["error"] == "invalid_redirect_uri"


@pytest.mark.parametrize(
    "asked",
    [
        "https://evil.example/cb",
        "https://client.example/cb/",
        "https://client.example/cb?x=1",
        "https://client.example/cb/../evil",
        "https://client.example.evil.example/cb",
        "http://client.example/cb",
        "https://client.example:444/cb",
        "http://127.0.0.1:1/callback#x",
        "http://127.0.0.1:1@evil.example/callback",
        "http://127.0.0.1.evil.example/callback",
        '"><script>alert(1)</script>',
        "//evil.example",
    ],
)
async def test_nobody_is_redirected_to_an_unregistered_address(tmp_path: Path, asked: str) -> None:
    async with lab(tmp_path) as it:
        client = await it.register(redirect_uris=[WEB_URI, LOOPBACK_URI])
        for wish in ({}, {"code_challenge": ""}, {"response_type": "token"}):
            answer = await it.http.get(wish_for(client, redirect_uri=asked, **wish))
            assert answer.status_code == 400
            assert "location" not in answer.headers
            assert "<script>alert" not in answer.text


async def test_an_unknown_client_redirects_nobody(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        answer = await it.http.get(
            wish_for({"client_id": '"><b>', "redirect_uris": [LOOPBACK_URI]})
        )
        assert answer.status_code == 400


@pytest.mark.parametrize(
    "wish",
    [
        {"response_type": "token"},
        {"response_type": 'x"y'},
        {"response_type": ""},
        {"code_challenge": ""},
        {"resource": "https://evil.example"},
    ],
)
async def test_a_broken_wish_is_no_automatic_redirect_to_a_stranger(
    tmp_path: Path, wish: dict[str, str]
) -> None:
    """RFC 9700 §4.11.2. Known addresses get their error at once, with iss (RFC 9207)."""
    async with lab(tmp_path) as it:
        for uri in (WEB_URI, "com.example.app:/cb"):
            stranger = await it.register(redirect_uris=[uri])
            answer = await it.http.get(wish_for(stranger, **wish))
            assert answer.status_code == 400
            assert "location" not in answer.headers
            assert f'href="{uri}?error=' in answer.text
        known = await it.register()
        back = returned(await it.http.get(wish_for(known, **wish)))
        assert back["error"]
        assert back["iss"] == BASE


@pytest.mark.parametrize(
    ("uri", "shown"), [(WEB_URI, "client.example"), ("com.example.app:/cb", "com.example.app:")]
)
async def test_a_stranger_gets_no_code_without_a_click(
    tmp_path: Path, uri: str, shown: str
) -> None:
    async with lab(tmp_path) as it:
        client = await it.register(client_name="Claude", redirect_uris=[uri])
        answer = await it.http.get(wish_for(client))
        assert answer.status_code == 200
        assert shown in answer.text


@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "state", "code_challenge", "scope"])
async def test_a_parameter_twice_is_refused(tmp_path: Path, name: str) -> None:
    async with lab(tmp_path) as it:
        wish = wish_for(await it.register(), scope="mcp")
        answer = await it.http.get(wish + "&" + urlencode({name: "https://evil.example"}))
        assert answer.status_code == 400
        assert "location" not in answer.headers
