"""An operator may write the address as people do: browsers' form of it is compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.edge.harness import fields, lab, wish_for

OWN = "https://mp.example"
WRITTEN = [
    "https://mp.example",
    "https://Mp.Example",
    "HTTPS://mp.example:443/",
    "https://ⓜp.example.",
]


@pytest.mark.parametrize("written", WRITTEN)
async def test_our_own_pages_may_ask_however_the_operator_wrote_the_address(
    tmp_path: Path, written: str
) -> None:
    async with lab(tmp_path, base=OWN, public_url=written) as it:
        told = (await it.http.get("/.well-known/oauth-authorization-server")).json()
        assert told["issuer"] == OWN
        client = await it.register(redirect_uris=["https://client.example/cb"])
        page = await it.http.get(wish_for(client))
        form = {**fields(page.text), "choice": "new"}
        for origin, foreign in ((OWN, False), ("https://other.example", True)):
            sent = {"Origin": origin}
            answers = [
                await it.http.post("/oauth/authorize", data=form, headers=sent),
                await it.http.post("/invite_card", json={"invite_code": "inv_x"}, headers=sent),
                await it.http.post("/list_bots", headers=sent),
            ]
            assert [answer.status_code == 403 for answer in answers] == [foreign] * 3


@pytest.mark.parametrize(
    "host", ["mp.example", "MP.Example:443", "mp.example.", "Mp.example.:8100"]
)
async def test_the_host_header_may_be_written_in_any_way(tmp_path: Path, host: str) -> None:
    async with lab(tmp_path, base=OWN, public_url="https://mp.example") as it:
        assert (await it.http.post("/mcp", headers={"Host": host})).status_code == 401


@pytest.mark.parametrize(
    ("resource", "status"),
    [
        ("https://Mp.Example/mcp", 200),
        ("https://mp.example:443/", 200),
        ("https://mp.example.", 200),
        ("https://mp.example:8443/mcp", 400),
        ("http://mp.example/mcp", 400),
        ("https://u@mp.example/mcp", 400),
    ],
)
async def test_a_resource_is_compared_as_an_address(
    tmp_path: Path, resource: str, status: int
) -> None:
    async with lab(tmp_path, base=OWN, public_url="https://Mp.Example") as it:
        client = await it.register(
            grant_types=["client_credentials"], token_endpoint_auth_method="client_secret_post"
        )
        form = {
            "grant_type": "client_credentials",
            "client_id": client["client_id"],
            "client_secret": client["client_secret"],
            "resource": resource,
        }
        assert (await it.http.post("/token", data=form)).status_code == status
