"""Somebody fills the registration with rubbish. Stopped by edge/auth/clients.py and
ratelimit.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mcp_multiplayer import oauth_proxy
from mcp_multiplayer.edge.auth import clients
from mcp_multiplayer.edge.auth.clients import UNUSED_DAYS
from mcp_multiplayer.edge.auth.endpoints import REGISTRATIONS_PER_HOUR
from mcp_multiplayer.edge.auth.server import ISSUES_PER_HOUR
from tests.edge.harness import LOOPBACK_URI, Clock, lab, wish_for


@pytest.mark.parametrize(
    "body",
    [
        "",
        "x",
        "[]",
        "null",
        '"x"',
        "{}",
        '{"redirect_uris": "https://x/"}',
        '{"redirect_uris": [1]}',
        '{"redirect_uris": [null]}',
        '{"client_name": 1, "redirect_uris": ["https://x.example/"]}',
        '{"redirect_uris": ["https://x.y/"], "token_endpoint_auth_method": "private_key_jwt"}',
        '{"redirect_uris": ["https://x.example/"], "response_types": ["token"]}',
        '{"redirect_uris": ["https://x.example/"], "grant_types": ["password"]}',
        '{"grant_types": ["client_credentials"], "token_endpoint_auth_method": "none"}',
        '{"grant_types": ["authorization_code"]}',
        '{"a":' * 5000,
        "\ud83d",
    ],
)
async def test_rubbish_is_a_400_in_the_terms_of_rfc_7591(tmp_path: Path, body: str) -> None:
    async with lab(tmp_path) as it:
        content = body.encode("utf-8", "surrogatepass")
        answer = await it.http.post("/register", content=content)
        if body == "{}":  # a script: a secret and nothing else
            assert answer.json()["grant_types"] == ["client_credentials"]
            return
        assert answer.status_code in (400, 413)
        assert answer.json()["error"] in ("invalid_redirect_uri", "invalid_client_metadata")


async def test_too_much_is_refused(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        many = [f"{LOOPBACK_URI}/{n}" for n in range(clients.MAX_REDIRECTS + 1)]
        answer = await it.http.post("/register", json={"redirect_uris": many})
        assert answer.json()["error"] == "invalid_redirect_uri"
        long = {"client_name": "x" * clients.MAX_BYTES, "redirect_uris": [LOOPBACK_URI]}
        assert (await it.http.post("/register", json=long)).status_code == 413
        client = await it.register(client_name="x" * 1000)
        assert len(client["client_name"]) == clients.MAX_NAME


async def test_an_address_can_register_so_often(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        for _ in range(REGISTRATIONS_PER_HOUR):
            assert (await it.http.post("/register", content=b"")).status_code == 400
        answer = await it.http.post("/register", json={"redirect_uris": [LOOPBACK_URI]})
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) > 0


async def test_what_never_got_a_token_is_forgotten_and_the_rest_kept(tmp_path: Path) -> None:
    clock = Clock()
    async with lab(tmp_path, clock=clock) as it, it.browser() as browser:
        used, unused = await it.register(), await it.register()
        token = await it.sign_in(used, browser)
        await it.browser().get(wish_for(unused))  # an account without a token
        clock.at += UNUSED_DAYS * 86400 + 1
        it.app._parts.sweep()
        assert (await it.http.get(wish_for(unused))).status_code == 400
        assert (await browser.get(wish_for(used))).status_code == 302
        assert (await it.refresh(used, token["refresh_token"])).status_code == 200


async def test_claude_gets_a_token_with_its_registration_only_where_the_operator_wants_it(
    tmp_path: Path,
) -> None:
    wish: dict[str, Any] = {"client_name": "Claude", "redirect_uris": [LOOPBACK_URI]}
    async with lab(tmp_path) as it:
        assert "access_token" not in await it.register(**wish)
    async with lab(tmp_path, claude_auto_token=True) as it:
        answer = await it.register(**wish)
        assert answer["token_type"] == "Bearer"
        assert answer["expires_in"] == 3600
        assert (await it.call(answer["access_token"])).status_code == 503  # past the gate
        assert "access_token" not in await it.register(**wish | {"client_name": "Other"})
    async with lab(tmp_path, claude_auto_token=True, access_passcode="word") as it:
        assert "access_token" not in await it.register(**wish)
        opened = {"Authorization": "Bearer word"}
        answer = (await it.http.post("/register", json=wish, headers=opened)).json()
        assert answer["access_token"].startswith("mpt_")


async def test_nobody_fills_the_disk_with_tokens(tmp_path: Path) -> None:
    clock = Clock()
    form = {"grant_type": "client_credentials"}
    async with lab(tmp_path, clock=clock, database_url="memory://") as it:
        answer = await it.http.post("/register", json={})
        auth = (answer.json()["client_id"], answer.json()["client_secret"])
        for _ in range(ISSUES_PER_HOUR):
            assert (await it.http.post("/token", data=form, auth=auth)).status_code == 200
        refused = await it.http.post("/token", data=form, auth=auth)
        assert refused.status_code == 429
        other = await it.register()
        token = await it.sign_in(other)
        assert (await it.refresh(other, token["refresh_token"])).status_code == 200
        clock.at += 3600
        assert (await it.http.post("/token", data=form, auth=auth)).status_code == 200


async def test_nor_with_refreshed_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oauth_proxy, "ISSUES_PER_HOUR", 3)
    clock = Clock()
    async with lab(tmp_path, clock=clock, database_url="memory://") as it:
        app = await it.register()
        token = (await it.sign_in(app))["refresh_token"]
        for _ in range(3):
            token = (await it.refresh(app, token)).json()["refresh_token"]
        assert (await it.refresh(app, token)).status_code == 429
        clock.at += 3600
        assert (await it.refresh(app, token)).status_code == 200  # the family lives on
