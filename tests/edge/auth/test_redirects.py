"""Which addresses are one, and which are this machine's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mcp_multiplayer.edge.auth.redirects import is_known, is_loopback, matches
from tests.edge.harness import fields, lab, returned, wish_for

REGISTERED = "http://127.0.0.1/callback"


@pytest.mark.parametrize("asked", [REGISTERED, "http://127.0.0.1:7/callback"])
def test_a_program_on_this_machine_may_listen_on_any_port(asked: str) -> None:
    assert matches(REGISTERED, asked)


@pytest.mark.parametrize(
    "asked",
    [
        "http://127.0.0.1:7/other",
        "http://localhost:7/callback",
        "http://127.0.0.1:7/call\nback",  # urlsplit drops the line end, a browser may not
        "http://someone@127.0.0.1:7/callback",
        "http://127.0.0.1:x/callback",
        "https://127.0.0.1:7/callback",
    ],
)
def test_but_nothing_else_may_differ(asked: str) -> None:
    assert not matches(REGISTERED, asked)


@pytest.mark.parametrize("uri", ["http://someone@localhost/cb", "http://localhost@evil.example/cb"])
def test_an_address_that_disguises_its_host_is_not_this_machines(uri: str) -> None:
    assert not is_loopback(uri)
    assert not is_known(uri)


PRIVATE = [
    "com.example.app:/oauth2redirect",
    "com.example.app:/oauth2redirect?from=browser",
    "com.example.app://oauth2redirect",
    "com.example-2.app:/",
    "Com.Example.App:/cb",
    "warp://mcp/oauth2callback",
]


@pytest.mark.parametrize("uri", PRIVATE)
async def test_an_app_with_a_private_use_scheme_signs_in_with_a_click(
    tmp_path: Path, uri: str
) -> None:
    """RFC 8252 §7.1. Nobody has to be on a list to register."""
    async with lab(tmp_path) as it, it.browser() as browser:
        client = await it.register(redirect_uris=[uri])
        assert client["redirect_uris"] == [uri]
        page = await browser.get(wish_for(client))
        scheme = uri.partition(":")[0].lower()
        assert f"{scheme}: links" in page.text
        # Chromium holds the redirect after a form to form-action, too.
        policy = page.headers["content-security-policy"]
        assert re.search(r"form-action ([^;]*)", policy)[1].split() == ["'self'", f"{scheme}:"]  # type: ignore[index]
        answer = await browser.post("/oauth/authorize", data=fields(page.text) | {"choice": "new"})
        assert answer.status_code == 303
        begun = answer.headers["location"].partition("code=")[0]
        assert begun.rstrip("?&").casefold() == uri.casefold()
        assert (await it.redeem(client, returned(answer)["code"])).status_code == 200
        again = await browser.get(wish_for(client))  # it was approved here before
        assert again.status_code == 302


@pytest.mark.parametrize(
    "asked",
    [
        "com.example.app:/other",
        "com.example.app:/oauth2redirect/x",
        "com.example.other:/oauth2redirect",
    ],
)
async def test_a_private_use_address_is_compared_as_a_whole(tmp_path: Path, asked: str) -> None:
    async with lab(tmp_path) as it:
        client = await it.register(redirect_uris=[PRIVATE[0]])
        answer = await it.http.get(wish_for(client, redirect_uri=asked))
        assert (answer.status_code, "location" in answer.headers) == (400, False)
