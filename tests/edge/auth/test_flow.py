"""A client signs in and out: what an honest one sees."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from mcp_multiplayer.edge.auth import grants
from tests.edge.harness import (
    BASE,
    LOOPBACK_URI,
    WEB_URI,
    Clock,
    Upstream,
    lab,
    returned,
    serving,
    wish_for,
)


async def test_a_first_sign_in_of_a_known_client_needs_no_click(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        client = await it.register()
        answer = await it.http.get(wish_for(client))
        assert answer.status_code == 302
        back = returned(answer)
        assert back["state"] == "st4te"
        assert back["iss"] == BASE
        token = (await it.redeem(client, back["code"])).json()
        assert token["token_type"] == "Bearer"
        assert token["expires_in"] == 3600
        assert token["access_token"].startswith("mpt_")
        assert len(token["access_token"]) == 47
        assert token["refresh_token"].startswith("mpr_")


async def test_token_answers_are_not_cached(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        client = await it.register()
        back = returned(await it.http.get(wish_for(client)))
        answer = await it.redeem(client, back["code"])
        assert answer.headers["cache-control"] == "no-store"
        refused = await it.redeem(client, "mpc_nothing")
        assert refused.headers["cache-control"] == "no-store"


async def test_unknown_client_is_401_invalid_client(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        client = {"client_id": "cli_gone", "redirect_uris": [LOOPBACK_URI]}
        for answer in (await it.redeem(client, "mpc_x"), await it.refresh(client, "mpr_x")):
            assert answer.status_code == 401
            assert answer.json()["error"] == "invalid_client"
        basic = await it.http.post(
            "/token", data={"grant_type": "client_credentials"}, auth=("cli_gone", "secret")
        )
        assert (basic.status_code, basic.json()["error"]) == (401, "invalid_client")
        assert "www-authenticate" in basic.headers


@pytest.mark.parametrize("header", ["Basic", "Basic ", "Basic !!!", "Basic /////w==", "Nonsense x"])
async def test_malformed_client_credentials_are_a_refusal_not_a_fault(
    tmp_path: Path, header: str
) -> None:
    async with lab(tmp_path) as it:
        answer = await it.http.post(
            "/token",
            data={"grant_type": "client_credentials"},
            headers={"Authorization": header},
        )
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_two_registrations_of_one_client_are_both_usable(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        one, two = await it.register(), await it.register()
        assert one["client_id"] != two["client_id"]
        for client in (two, one):
            assert (await it.sign_in(client, it.browser()))["access_token"]


async def test_client_credentials_are_an_account_of_their_own(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        wish = {"grant_types": ["client_credentials"], "redirect_uris": []}
        client = await it.register(**wish, token_endpoint_auth_method="client_secret_basic")
        other = await it.register(**wish, token_endpoint_auth_method="client_secret_post")
        subs = []
        form = {"grant_type": "client_credentials"}
        for _ in range(2):
            answer = await it.http.post(
                "/token", data=form, auth=(client["client_id"], client["client_secret"])
            )
            assert "refresh_token" not in answer.json()
            subs.append(await _sub(it, answer.json()["access_token"]))
        posted = form | {"client_id": other["client_id"], "client_secret": other["client_secret"]}
        answer = await it.http.post("/token", data=posted)
        subs.append(await _sub(it, answer.json()["access_token"]))
        assert subs[0] == subs[1] != subs[2]
        assert all(sub.startswith("svc_") for sub in subs)
        wrong = await it.http.post("/token", data=form, auth=(client["client_id"], "mps_wrong"))
        assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")


async def test_refresh_rotates_and_keeps_the_account(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        client = await it.register()
        first = await it.sign_in(client)
        second = (await it.refresh(client, first["refresh_token"])).json()
        assert second["refresh_token"] != first["refresh_token"]
        assert await _sub(it, first["access_token"]) == await _sub(it, second["access_token"])


async def test_parallel_refresh_within_the_grace_gives_both_a_working_pair(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        client = await it.register()
        first = await it.sign_in(client)
        answers = await asyncio.gather(
            *(it.refresh(client, first["refresh_token"]) for _ in range(4))
        )
        pairs = [answer.json() for answer in answers]
        assert len({pair["access_token"] for pair in pairs}) == 4
        for pair in pairs:
            assert (await _sub(it, pair["access_token"])).startswith("acc_")
            assert (await it.refresh(client, pair["refresh_token"])).status_code == 200


@pytest.mark.parametrize(
    ("settings", "access", "refresh"),
    [({}, 3600, 90 * 86400), ({"access_token_seconds": 90, "refresh_days": 1}, 90, 86400)],
)
async def test_access_tokens_and_codes_end_by_time(
    tmp_path: Path, settings: dict[str, Any], access: int, refresh: int
) -> None:
    clock = Clock()
    async with lab(tmp_path, clock=clock, **settings) as it:
        client = await it.register()
        token = await it.sign_in(client)
        assert token["expires_in"] == access
        back = returned(await it.http.get(wish_for(client)))
        clock.at += grants.CODE_SECONDS
        assert (await it.redeem(client, back["code"])).json()["error"] == "invalid_grant"
        clock.at += access - grants.CODE_SECONDS - 1
        assert (await it.call(token["access_token"])).status_code != 401
        clock.at += 1
        assert (await it.call(token["access_token"])).status_code == 401
        assert (await it.refresh(client, token["refresh_token"])).status_code == 200
        clock.at += refresh
        answer = await it.refresh(client, token["refresh_token"])
        assert answer.json()["error"] == "invalid_grant"


async def test_revoking_either_token_signs_out_at_once(tmp_path: Path) -> None:
    async with serving(Upstream()) as port, lab(tmp_path, mcp_port=port) as it:
        client = await it.register()
        for kind in ("access_token", "refresh_token"):
            token = await it.sign_in(client)
            assert (await it.call(token["access_token"])).status_code == 200  # and is now cached
            form = {"token": token[kind], "client_id": client["client_id"]}
            assert (await it.http.post("/revoke", data=form)).status_code == 200
            assert (await it.call(token["access_token"])).status_code == 401
            assert (await it.refresh(client, token["refresh_token"])).status_code == 400
        unknown = {"token": "mpt_unknown", "client_id": client["client_id"]}
        assert (await it.http.post("/revoke", data=unknown)).status_code == 200


async def test_another_client_cannot_revoke_or_refresh(tmp_path: Path) -> None:
    async with serving(Upstream()) as port, lab(tmp_path, mcp_port=port) as it:
        client, other = await it.register(), await it.register()
        token = await it.sign_in(client)
        form = {"token": token["access_token"], "client_id": other["client_id"]}
        assert (await it.http.post("/revoke", data=form)).status_code == 400
        assert (await it.refresh(other, token["refresh_token"])).json()["error"] == "invalid_grant"
        assert (await it.call(token["access_token"])).status_code == 200


@pytest.mark.parametrize(
    ("resource", "accepted"),
    [
        ("", True),
        (BASE, True),
        (BASE + "/", True),
        (BASE + "/mcp", True),
        (BASE + "/mcp/", True),
        ("HTTP://LOCALHOST:8100/mcp", True),
        ("http://127.0.0.1:8100/mcp", True),
        ("http://[::1]:8100", True),
        (BASE + "/mcp?via=chatgpt", True),
        ("https://localhost:8100/mcp", False),
        ("http://localhost:8101/mcp", False),
        (BASE + "/other", False),
        (BASE + "/mcp#x", False),
        ("http://localhost:8100@evil.example/mcp", False),
        ("http://localhost:99999/mcp", False),
        ("https://evil.example", False),
    ],
)
async def test_resource_is_this_server_in_any_spelling(
    tmp_path: Path, resource: str, accepted: bool
) -> None:
    async with lab(tmp_path) as it:
        client = await it.register()
        back = returned(await it.http.get(wish_for(client, resource=resource)))
        assert ("code" in back) == accepted
        assert accepted or (back["error"], back["iss"]) == ("invalid_target", BASE)
        code = returned(await it.http.get(wish_for(client)))["code"]
        answer = await it.redeem(client, code, resource=resource)
        assert answer.status_code == (200 if accepted else 400)
        assert accepted or answer.json()["error"] == "invalid_target"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
async def test_every_loopback_name_is_an_issuer_and_its_tokens_serve_all(
    tmp_path: Path, host: str
) -> None:
    base = f"http://{host}:8100"
    async with serving(Upstream()) as port, lab(tmp_path, base=base, mcp_port=port) as it:
        issuer = (await it.http.get("/.well-known/oauth-authorization-server")).json()["issuer"]
        assert issuer == base
        client = await it.register()
        assert returned(await it.http.get(wish_for(client)))["iss"] == base
        token = await it.sign_in(client)
        for other in ("localhost", "127.0.0.1", "[::1]"):
            headers = {"Authorization": f"Bearer {token['access_token']}"}
            async with it.browser(f"http://{other}:8100") as program:
                assert (await program.post("/mcp", headers=headers)).status_code == 200


async def test_a_token_of_another_issuer_is_refused(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        client = await it.register()
        token = await it.sign_in(client)
    moved = "https://mp.example"
    async with lab(tmp_path, public_url=moved, base=moved) as it:
        answer = await it.call(token["access_token"])
        assert answer.status_code == 401
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
        assert (await it.refresh(client, token["refresh_token"])).status_code == 400


async def test_everything_survives_a_restart(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, it.browser() as browser:
        client = await it.register()
        token = await it.sign_in(client, browser)
        jar = httpx.Cookies(browser.cookies)
        code = returned(await browser.get(wish_for(client)))["code"]
        sub = await _sub(it, token["access_token"])
    async with serving(Upstream()) as port, lab(tmp_path, mcp_port=port) as it:
        assert (await it.call(token["access_token"])).status_code == 200
        assert (await it.refresh(client, token["refresh_token"])).status_code == 200
        assert (await it.redeem(client, code)).status_code == 200
        async with it.browser() as browser:
            browser.cookies = jar
            again = await it.sign_in(client, browser)  # approved before: no click
        assert await _sub(it, again["access_token"]) == sub


async def test_the_database_holds_no_secret_in_clear(tmp_path: Path) -> None:
    async with lab(tmp_path, access_passcode="open sesame") as it:
        wish = {"grant_types": ["client_credentials"], "redirect_uris": []}
        answer = await it.http.post(
            "/register", json=wish, headers={"Authorization": "Bearer open sesame"}
        )
        client = answer.json()
        auth = (client["client_id"], client["client_secret"])
        token = await it.http.post("/token", data={"grant_type": "client_credentials"}, auth=auth)
        secrets = [client["client_secret"], token.json()["access_token"], "open sesame"]
    stored = b"".join(path.read_bytes() for path in _files(tmp_path))
    assert len(stored) > 4096
    assert not [secret for secret in secrets if secret.encode() in stored]
    assert (tmp_path / "oauth.db").stat().st_mode & 0o077 == 0


async def test_memory_database_keeps_nothing(tmp_path: Path) -> None:
    async with lab(tmp_path, database_url="memory://") as it:
        client = await it.register()
        assert await it.sign_in(client)
    assert not (tmp_path / "oauth.db").exists()


@pytest.mark.parametrize(
    ("registered", "asked", "accepted"),
    [
        ("http://127.0.0.1/callback", "http://127.0.0.1:49152/callback", True),
        ("http://localhost/callback", "http://localhost:3118/callback", True),
        ("http://[::1]:5/callback", "http://[::1]:6/callback", True),
        ("http://127.0.0.1/", "http://127.0.0.1:33418", True),
        ("http://127.0.0.1/callback", "http://127.0.0.1:1/other", False),
        ("http://127.0.0.1/callback", "http://localhost:1/callback", False),
        ("http://127.0.0.1/callback", "https://127.0.0.1:1/callback", False),
        ("http://127.0.0.1/callback", "http://127.0.0.1:1/callback?x=1", False),
        ("https://claude.ai/api/mcp/auth_callback", "", True),
        ("https://claude.com/api/mcp/auth_callback", "", True),
        ("https://chatgpt.com/connector_platform_oauth_redirect", "", True),
        ("https://chatgpt.com/connector/oauth/abc-1", "", True),
        ("https://vscode.dev/redirect", "", True),
        ("https://insiders.vscode.dev/redirect", "", True),
        ("https://www.cursor.com/agents/mcp/oauth/callback", "", True),
        ("cursor://anysphere.cursor-mcp/oauth/callback", "", True),
        (
            "https://claude.ai/api/mcp/auth_callback",
            "https://claude.ai:1/api/mcp/auth_callback",
            False,
        ),
    ],
)
async def test_redirects_of_real_clients(
    tmp_path: Path, registered: str, asked: str, accepted: bool
) -> None:
    async with lab(tmp_path) as it:
        client = await it.register(redirect_uris=[registered])
        answer = await it.http.get(wish_for(client, redirect_uri=asked or registered))
        assert answer.status_code == (302 if accepted else 400)
        if accepted:
            sent = urlsplit(answer.headers["location"])
            assert sent._replace(query="").geturl() == (asked or registered)


async def test_a_wish_without_redirect_uri_uses_the_only_one(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        client = await it.register()
        back = returned(await it.http.get(wish_for(client, redirect_uri="")))
        assert (await it.redeem(client, back["code"], redirect_uri="")).status_code == 200
        two = await it.register(redirect_uris=[LOOPBACK_URI, WEB_URI])
        assert (await it.http.get(wish_for(two, redirect_uri=""))).status_code == 400


def _files(data: Path) -> list[Path]:
    return sorted(data.glob("oauth.db*"))


async def _sub(it: object, token: str) -> str:
    bearer = await it.app._parts.authentication._bearer(token)  # type: ignore[attr-defined]
    return str(bearer.sub)
