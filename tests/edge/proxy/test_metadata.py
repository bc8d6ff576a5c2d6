"""What clients discover before they have a token."""

from __future__ import annotations

from pathlib import Path

import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata  # type: ignore[import-untyped]

from tests.edge.harness import BASE, lab

PRM = "/.well-known/oauth-protected-resource"
DOCUMENTS = [
    PRM,
    PRM + "/mcp",
    PRM + "/mcp/",
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
    "/.well-known/jwks.json",
]


@pytest.mark.parametrize("path", DOCUMENTS)
async def test_documents_are_open_to_everyone_and_every_page(tmp_path: Path, path: str) -> None:
    async with lab(tmp_path) as it:
        answer = await it.http.get(path, headers={"Origin": "https://any.example"})
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["access-control-allow-origin"] == "*"
        asked = {"Origin": "https://any.example", "Access-Control-Request-Method": "GET"}
        assert (await it.http.options(path, headers=asked)).status_code == 204


async def test_both_names_give_one_valid_document(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        one, two = [(await it.http.get(path)).json() for path in DOCUMENTS[3:5]]
        assert one == two
        AuthorizationServerMetadata(one).validate()
        assert one["issuer"] == BASE
        assert one["code_challenge_methods_supported"] == ["S256"]
        assert one["authorization_response_iss_parameter_supported"] is True
        assert one["client_id_metadata_document_supported"] is True
        # Claude names its document only where this stands beside the flag.
        assert "none" in one["token_endpoint_auth_methods_supported"]
        assert "none" in one["token_endpoint_auth_methods_supported"]


async def test_a_public_address_is_the_same_string_everywhere(tmp_path: Path) -> None:
    public = "https://mp.example"
    async with lab(tmp_path, public_url=public + "/", base=public) as it:
        one = (await it.http.get(DOCUMENTS[3])).json()
        assert one["issuer"] == public
        assert all(v.startswith(public + "/") for k, v in one.items() if k.endswith("endpoint"))
        assert (await it.http.get(PRM)).json()["resource"] == public
        async with it.browser("http://127.0.0.1:8100") as inside:
            assert (await inside.get(DOCUMENTS[3])).json()["issuer"] == public


@pytest.mark.parametrize(
    ("path", "document", "resource"),
    [
        ("/", PRM, BASE),
        ("/mcp", PRM + "/mcp", BASE + "/mcp"),
        ("/mcp/", PRM + "/mcp/", BASE + "/mcp/"),
        ("/try_bot", PRM, BASE),
    ],
)
async def test_a_401_leads_to_the_document_of_what_was_asked(
    tmp_path: Path, path: str, document: str, resource: str
) -> None:
    async with lab(tmp_path) as it:
        answer = await it.http.post(path)
        assert answer.status_code == 401
        told = answer.headers["www-authenticate"]
        assert told.startswith("Bearer ")
        assert f'resource_metadata="{BASE}{document}"' in told
        assert 'scope="mcp"' in told
        assert "error" not in told
        assert (await it.http.get(document)).json()["resource"] == resource
        wrong = await it.call("mpt_" + "x" * 43, path)
        assert 'error="invalid_token"' in wrong.headers["www-authenticate"]
        assert wrong.json()["error"] == "UNAUTHORIZED"
