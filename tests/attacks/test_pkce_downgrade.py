"""A thief of codes talks the server out of PKCE. Stopped by edge/auth/authorize.py and
edge/auth/server.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.edge.harness import BASE, VERIFIER, lab, returned, wish_for


@pytest.mark.parametrize(
    "wish",
    [
        {"code_challenge": "", "code_challenge_method": ""},
        {"code_challenge": ""},
        {"code_challenge_method": ""},
        {"code_challenge": VERIFIER, "code_challenge_method": "plain"},
        {"code_challenge_method": "s256"},
        {"code_challenge": "short"},
        {"code_challenge": '"><' + "x" * 43},
    ],
)
async def test_a_wish_without_a_strong_challenge_is_refused_with_iss(
    tmp_path: Path, wish: dict[str, str]
) -> None:
    async with lab(tmp_path) as it:
        answer = await it.http.get(wish_for(await it.register(), **wish))
        back = returned(answer)
        assert (back["error"], back["iss"], back["state"]) == ("invalid_request", BASE, "st4te")
        assert "code" not in back


@pytest.mark.parametrize("verifier", ["", "w" * 64, "v" * 63, "v", "ü" * 43])
@pytest.mark.parametrize("method", ["none", "client_secret_post"])
async def test_a_code_without_its_verifier_is_worth_nothing(
    tmp_path: Path, verifier: str, method: str
) -> None:
    async with lab(tmp_path) as it:
        client = await it.register(token_endpoint_auth_method=method)
        code = returned(await it.http.get(wish_for(client)))["code"]
        proof = {"client_secret": client.get("client_secret", "")}
        answer = await it.redeem(client, code, code_verifier=verifier, **proof)
        assert answer.status_code == 400
        assert answer.json()["error"] in ("invalid_request", "invalid_grant")
        assert (await it.redeem(client, code, **proof)).status_code == 200


async def test_a_client_with_a_secret_cannot_leave_it_out(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        client = await it.register(token_endpoint_auth_method="client_secret_basic")
        code = returned(await it.http.get(wish_for(client)))["code"]
        answer = await it.redeem(client, code)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
