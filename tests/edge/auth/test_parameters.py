"""A parameter without a value is as good as none, and one may not be there twice, at every endpoint
(RFC 6749 §3.1, §3.2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.edge.harness import VERIFIER, WEB_URI, Lab, lab, returned, wish_for

#: What a client may leave out; each is tried without a value.
OPTIONAL = ("scope", "resource", "client_secret", "redirect_uri", "token_type_hint", "state", "x")


def redeeming(client: dict[str, Any], code: str) -> list[tuple[str, str]]:
    return [
        ("grant_type", "authorization_code"),
        ("client_id", client["client_id"]),
        ("code", code),
        ("redirect_uri", client["redirect_uris"][0]),
        ("code_verifier", VERIFIER),
    ]


async def post(it: Lab, path: str, form: list[tuple[str, str]]) -> Any:
    """POST a form as it stands, names without values and names that stand twice too."""
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return await it.http.post(path, content=urlencode(form), headers=kind)


@pytest.mark.parametrize("name", ["resource", "scope", "state", "prompt", "nonce", "audience"])
async def test_an_empty_parameter_of_a_sign_in_counts_as_left_out(
    tmp_path: Path, name: str
) -> None:
    async with lab(tmp_path) as it:
        client = await it.register()
        address = wish_for(client, state="") + f"&{name}="
        answer = await it.http.get(address)
        assert answer.status_code == 302, answer.text
        assert set(returned(answer)) == {"code", "iss"}


async def test_an_empty_redirect_uri_is_the_only_one_there_is(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        client = await it.register()
        answer = await it.http.get(wish_for(client, redirect_uri="") + "&redirect_uri=")
        code = returned(answer)["code"]
        redeemed = [p for p in redeeming(client, code) if p[0] != "redirect_uri"]
        token = await post(it, "/token", [*redeemed, ("redirect_uri", "")])
        assert token.status_code == 200, token.text


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("code_challenge", "invalid_request"),
        ("code_challenge_method", "invalid_request"),
        ("response_type", "unsupported_response_type"),
    ],
)
async def test_what_a_sign_in_needs_is_missing_when_it_is_empty(
    tmp_path: Path, name: str, error: str
) -> None:
    async with lab(tmp_path) as it:
        client = await it.register()
        missing = await it.http.get(wish_for(client, **{name: ""}))
        empty = await it.http.get(wish_for(client, **{name: ""}) + f"&{name}=")
        assert returned(empty) == returned(missing)
        assert returned(empty)["error"] == error


@pytest.mark.parametrize("name", OPTIONAL)
async def test_an_empty_parameter_of_a_token_request_counts_as_left_out(
    tmp_path: Path, name: str
) -> None:
    async with lab(tmp_path) as it:
        client = await it.register()
        code = returned(await it.http.get(wish_for(client)))["code"]
        form = redeeming(client, code) + ([(name, "")] if name != "redirect_uri" else [])
        token = await post(it, "/token", form)
        assert token.status_code == 200, token.text
        renewing = [
            ("grant_type", "refresh_token"),
            ("client_id", client["client_id"]),
            ("refresh_token", token.json()["refresh_token"]),
            (name, ""),
        ]
        fresh = await post(it, "/token", renewing)
        assert fresh.status_code == 200, fresh.text
        ending = [("client_id", client["client_id"]), ("token", fresh.json()["access_token"])]
        assert (await post(it, "/revoke", [*ending, (name, "")])).status_code == 200
        assert (await it.call(fresh.json()["access_token"])).status_code == 401


async def test_client_credentials_take_an_empty_scope_and_resource(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        client = await it.register(
            grant_types=["client_credentials"],
            redirect_uris=[],
            token_endpoint_auth_method="client_secret_post",
        )
        form = [
            ("grant_type", "client_credentials"),
            ("client_id", client["client_id"]),
            ("client_secret", client["client_secret"]),
            ("scope", ""),
            ("resource", ""),
        ]
        assert (await post(it, "/token", form)).status_code == 200


@pytest.mark.parametrize("path", ["/token", "/revoke"])
@pytest.mark.parametrize("second", ["again", ""])
async def test_a_parameter_that_stands_twice_is_refused(
    tmp_path: Path, path: str, second: str
) -> None:
    async with lab(tmp_path) as it:
        client = await it.register()
        form = [("client_id", client["client_id"]), ("token", "mpt_x"), ("token", second)]
        answer = await post(it, path, form)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("second", ["again", ""])
async def test_a_sign_in_with_a_parameter_twice_goes_nowhere(tmp_path: Path, second: str) -> None:
    async with lab(tmp_path) as it:
        client = await it.register(redirect_uris=[WEB_URI])
        answer = await it.http.get(wish_for(client) + f"&state={second}")
        assert answer.status_code == 400
        assert "location" not in answer.headers


async def test_several_resources_are_one_wish(tmp_path: Path) -> None:
    ours = "&resource=http%3A%2F%2Flocalhost%3A8100%2Fmcp"
    async with lab(tmp_path) as it:
        client = await it.register()
        assert "code" in returned(await it.http.get(wish_for(client) + ours + "&resource=" + ours))
        foreign = await it.http.get(wish_for(client) + ours + "&resource=https%3A%2F%2Fx.example")
        assert returned(foreign)["error"] == "invalid_target"
