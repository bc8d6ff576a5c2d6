"""A client that never registered: its id is the address of what it publishes about itself."""

from __future__ import annotations

import base64
import hmac
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import OctKey, RSAKey

from mcp_multiplayer.edge.auth import client_documents
from mcp_multiplayer.edge.auth.client_documents import (
    FRESH_SECONDS,
    MAX_FRESH,
    MIN_FRESH,
    RETRY_SECONDS,
    STALE_SECONDS,
    fresh_for,
)
from mcp_multiplayer.edge.auth.clients import MAX_BYTES, UNUSED_DAYS, Client, Clients
from mcp_multiplayer.edge.auth.database import open_database
from tests.edge.auth.publisher import (
    ADDRESS,
    APP,
    KEYS,
    document,
    new_key,
    public,
    published,
    redeemed,
    signed,
    signing,
)
from tests.edge.harness import (
    LOOPBACK_URI,
    WEB_URI,
    Clock,
    choices,
    fields,
    lab,
    settings_for,
    wish_for,
)


async def test_such_a_client_signs_in_refreshes_and_registers_nothing(tmp_path: Path) -> None:
    async with published(tmp_path) as (it, there):
        first = await it.sign_in(APP)
        second = (await it.refresh(APP, first["refresh_token"])).json()
        assert second["access_token"].startswith("mpt_")
        assert there.asked == ["/app/client.json"]


async def test_the_page_names_who_publishes_it_and_where_the_code_goes(tmp_path: Path) -> None:
    async with published(tmp_path) as (it, there):
        there.publish(document(redirect_uris=[WEB_URI]))
        page = (
            await it.http.get(wish_for({"client_id": ADDRESS, "redirect_uris": [WEB_URI]}))
        ).text
        assert "Test app" in page
        assert "api.example.com" in page
        assert "client.example" in page
        assert "Any program on this computer" not in page


async def test_a_client_of_this_computer_is_said_to_be_unproven(tmp_path: Path) -> None:
    async with published(tmp_path) as (it, _):
        await it.sign_in(APP)  # the second sign-in of a browser with an account asks
        other = APP | {"redirect_uris": ["http://127.0.0.1/other"]}
        there = document(redirect_uris=[LOOPBACK_URI, "http://127.0.0.1/other"])
        _.publish(there)
        it.clock.at += FRESH_SECONDS + 1
        page = (await it.http.get(wish_for(other))).text
        assert "Any program on this computer can claim to be it" in page


async def test_an_address_that_the_document_does_not_have_is_refused(tmp_path: Path) -> None:
    async with published(tmp_path) as (it, _):
        answer = await it.http.get(wish_for({"client_id": ADDRESS, "redirect_uris": [WEB_URI]}))
        assert answer.status_code == 400
        assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (document(client_id="https://api.example.com/app/other.json"), "another address"),
        (document(client_id=None), "client_id is missing"),
        (document(client_name=None), "client_name is missing"),
        (document(client_secret="x"), "client_secret is missing or of the wrong kind"),
        (b"[]", "missing or of the wrong kind"),
        (b"<html>", "missing or of the wrong kind"),
        (document(redirect_uris=None), "redirect_uris is missing"),
        (document(redirect_uris=[]), "redirect_uris is missing"),
        (document(redirect_uris=["javascript:alert(1)"]), "run code"),
        (document(redirect_uris=["http://far.example/cb"]), "redirect_uris must be"),
        (document(grant_types=["client_credentials"]), "authorization_code"),
        (document(response_types=["token"]), "response_types"),
        (document(token_endpoint_auth_method="client_secret_post"), "private_key_jwt"),
        (document(token_endpoint_auth_method="private_key_jwt"), "jwks"),
        (
            document(token_endpoint_auth_method="private_key_jwt", jwks_uri="http://x.example/k"),
            "jwks",
        ),
        (document(token_endpoint_auth_method="private_key_jwt", jwks={"keys": []}), "Key Set"),
        (document(token_endpoint_auth_method="private_key_jwt", jwks={"keys": [5]}), "Key Set"),
        (
            document(
                token_endpoint_auth_method="private_key_jwt",
                jwks={"keys": [OctKey.generate_key(256).as_dict()]},
            ),
            "secret",
        ),
        (
            document(
                token_endpoint_auth_method="private_key_jwt",
                jwks={"keys": [new_key("x").as_dict(private=True)]},
            ),
            "secret",
        ),
        (
            document(
                token_endpoint_auth_method="private_key_jwt",
                jwks={"keys": [{"kty": "RSA", "e": "AQAB", "n": "_" * 170}]},
            ),
            "2048",
        ),
    ],
)
async def test_a_document_that_does_not_fit_is_said_to_whom_it_concerns(
    tmp_path: Path, said: Any, words: str
) -> None:
    async with published(tmp_path) as (it, there):
        there.publish(said)
        answer = await it.http.get(wish_for(APP))
        assert answer.status_code == 400
        assert words in answer.text
        assert "location" not in answer.headers


@pytest.mark.parametrize(
    "client_id",
    [
        "https://api.example.com",
        "https://api.example.com/",
        "https://api.example.com/a/../client.json",
        "https://api.example.com/a/%2e%2e/client.json",
        "https://me@api.example.com/client.json",
        "https://api.example.com/client.json#x",
        "https://api.example.com/client.json?x=1",
        "https://localhost/client.json",
        "https://[::1]/client.json",
        "https://api.example.com:99999/client.json",
        "https://api.example.com:8443/client.json",
        f"https://api.example.com/{'x' * 600}",
    ],
)
async def test_an_address_that_no_document_can_have_is_not_asked(
    tmp_path: Path, client_id: str
) -> None:
    async with published(tmp_path) as (it, there):
        answer = await it.http.get(wish_for(APP, client_id=client_id))
        assert answer.status_code == 400
        assert "https" in answer.text
        assert there.connections == 0


async def test_an_id_of_http_is_just_an_unknown_one(tmp_path: Path) -> None:
    async with published(tmp_path) as (it, there):
        answer = await it.http.get(
            wish_for(APP, client_id="http://api.example.com/app/client.json")
        )
        assert (answer.status_code, there.connections) == (400, 0)


async def test_it_is_read_again_when_it_is_not_fresh_and_counts_at_once(tmp_path: Path) -> None:
    clock = Clock()
    async with published(tmp_path, clock=clock) as (it, there):
        there.publish(document(), lines="Cache-Control: max-age=600")
        await it.sign_in(APP, it.browser())
        clock.at += 599
        await it.sign_in(APP, it.browser())
        assert len(there.asked) == 1
        clock.at += 2
        there.publish(document(redirect_uris=["http://127.0.0.1/new"]))
        answer = await it.browser().get(wish_for(APP))
        assert (answer.status_code, len(there.asked)) == (400, 2)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("", FRESH_SECONDS),
        ("public, max-age=900", 900),
        ('max-age="900"', 900),
        ("max-age=1", MIN_FRESH),
        ("no-store", MIN_FRESH),
        ("no-cache, max-age=900", MIN_FRESH),
        ("max-age=999999999", MAX_FRESH),
        ("max-age=-5", FRESH_SECONDS),
    ],
)
def test_how_long_it_is_kept(said: str, seconds: int) -> None:
    assert fresh_for(said) == seconds


@pytest.mark.parametrize("status", [403, 429, 500, 503, 302])
async def test_one_that_cannot_be_reached_any_more_is_used_for_a_week(
    tmp_path: Path, status: int
) -> None:
    clock = Clock()
    async with published(tmp_path, clock=clock) as (it, there):
        await it.sign_in(APP, it.browser())
        there.publish(b"", status=status)
        clock.at += STALE_SECONDS - 1
        await it.sign_in(APP, it.browser())
        clock.at += RETRY_SECONDS + 2
        answer = await it.browser().get(wish_for(APP))
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert f"answers {status}" in answer.text


@pytest.mark.parametrize("status", [404, 410])
async def test_one_that_is_gone_is_used_no_more(tmp_path: Path, status: int) -> None:
    clock = Clock()
    async with published(tmp_path, clock=clock) as (it, there):
        await it.sign_in(APP, it.browser())
        there.publish(b"", status=status)
        clock.at += FRESH_SECONDS + 1
        assert (await it.browser().get(wish_for(APP))).status_code == 400


async def test_one_that_could_not_be_read_is_asked_for_again_after_a_minute(tmp_path: Path) -> None:
    clock = Clock()
    async with published(tmp_path, clock=clock) as (it, there):
        there.publish(b"", status=404)
        for _ in range(3):
            assert (await it.http.get(wish_for(APP))).status_code in (400, 503)
        assert len(there.asked) == 1
        there.publish(document())
        clock.at += RETRY_SECONDS + 1
        await it.sign_in(APP)


async def test_a_restart_forgets_no_client_of_a_document(tmp_path: Path) -> None:
    async with published(tmp_path) as (it, _):
        first = await it.sign_in(APP)
    async with lab(tmp_path) as it:
        assert (await it.refresh(APP, first["refresh_token"])).status_code == 200
        await it.sign_in(APP, it.browser())


@pytest.mark.parametrize("client_id", list(client_documents.CARRIED))
async def test_a_server_without_a_way_out_knows_a_few_products(
    tmp_path: Path, client_id: str
) -> None:
    _, uris = client_documents.CARRIED[client_id]
    async with lab(tmp_path) as it:
        for uri in uris:
            await it.sign_in({"client_id": client_id, "redirect_uris": [uri]}, it.browser())


async def test_a_setting_turns_documents_off(tmp_path: Path) -> None:
    async with published(tmp_path, client_id_metadata_documents=False) as (it, there):
        answer = await it.http.get("/.well-known/oauth-authorization-server")
        assert answer.json()["client_id_metadata_document_supported"] is False
        assert (await it.http.get(wish_for(APP))).status_code == 400
        assert there.connections == 0


async def test_the_setting_turns_off_those_that_were_known_too(tmp_path: Path) -> None:
    async with published(tmp_path) as (it, _):
        first = await it.sign_in(APP)
    async with lab(tmp_path, client_id_metadata_documents=False) as it:
        assert (await it.http.get(wish_for(APP))).status_code == 400
        assert (await it.refresh(APP, first["refresh_token"])).status_code == 401
        told = (await it.http.get("/.well-known/oauth-authorization-server")).json()
        assert "private_key_jwt" not in told["token_endpoint_auth_methods_supported"]


async def test_a_document_that_was_gone_does_not_come_back_without_its_server(
    tmp_path: Path,
) -> None:
    clock = Clock()
    async with published(tmp_path, clock=clock) as (it, there):
        await it.sign_in(APP, it.browser())
        for status, answered in ((404, 400), (503, 503)):
            there.publish(b"", status=status)
            clock.at += FRESH_SECONDS + 1
            assert (await it.browser().get(wish_for(APP))).status_code == answered
        there.publish(document())
        clock.at += RETRY_SECONDS + 1
        await it.sign_in(APP, it.browser())


async def test_a_program_on_this_machine_is_asked_about_each_time(tmp_path: Path) -> None:
    """Everybody knows the id, so any program here could be it (RFC 8252 §8.6)."""
    async with published(tmp_path) as (it, _):
        await it.sign_in(APP)
        answer = await it.http.get(wish_for(APP))
        assert (answer.status_code, "location" in answer.headers) == (200, False)


async def test_an_app_on_https_is_asked_about_once(tmp_path: Path) -> None:
    async with published(tmp_path) as (it, there):
        there.publish(document(redirect_uris=[WEB_URI]))
        app = {"client_id": ADDRESS, "redirect_uris": [WEB_URI]}
        page = await it.http.get(wish_for(app))
        form = fields(page.text) | {"choice": choices(page.text)[0]}
        assert (await it.http.post("/oauth/authorize", data=form)).status_code == 303
        assert (await it.http.get(wish_for(app))).status_code == 302


async def test_a_document_that_nobody_uses_is_forgotten(tmp_path: Path) -> None:
    clock = Clock()
    clients = Clients(database := open_database(settings_for(tmp_path)), now=clock)
    clients.keep(
        replace(Client.of_document(ADDRESS, name="x", redirect_uris=()), read_at=clock.at),
        fresh_until=clock.at,
    )
    clock.at += UNUSED_DAYS * 86400 + 1
    assert (clients.sweep(), clients.find(ADDRESS)) == (1, None)
    database.close()


# --- clients that sign (private_key_jwt)


#: Claims nested beyond what a reader follows, and a name that is no text.
DEEP = (
    "eyJhbGciOiJFUzI1NiJ9." + base64.urlsafe_b64encode(b"[" * 11_000).decode().rstrip("=") + ".eA"
)
HALF = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiAiXHVkODAwIn0.eA"


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


async def test_a_client_with_a_key_proves_itself_by_it_and_by_nothing_else(tmp_path: Path) -> None:
    key = new_key("one")
    async with published(tmp_path) as (it, there):
        there.publish(signing(key))
        told = (await redeemed(it, **signed(key))).json()
        assert told["refresh_token"]
        form = {"grant_type": "refresh_token", "refresh_token": told["refresh_token"]}
        again = await it.http.post("/token", data=form | signed(key, jti="twice"))
        assert again.status_code == 200
        for proof in ({"client_id": ADDRESS}, {"client_id": ADDRESS, "client_secret": "x"}):
            answer = await it.http.post(
                "/token", data=form | proof | {"refresh_token": again.json()["refresh_token"]}
            )
            assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(
    ("why", "changed"),
    [
        ("another audience", {"aud": "https://other.example/token"}),
        ("no audience", {"aud": None}),
        ("expired", {"exp": 1_000_000_000}),
        ("good for a year", {"exp": 4_000_000_000}),
        ("no end", {"exp": None}),
        ("no id", {"jti": None}),
        ("an id that is no text", {"jti": 5}),
        ("an id without end", {"jti": "x" * 5000}),
        ("signed for another client", {"sub": "https://api.example.com/app/other.json"}),
        ("signed by another client", {"iss": "https://api.example.com/app/other.json"}),
        ("an unnamed client", {"sub": None}),
        ("a client that is no text", {"sub": ["x"]}),
    ],
)
async def test_a_signature_for_something_else_proves_nothing(
    tmp_path: Path, why: str, changed: dict[str, Any]
) -> None:
    key = new_key("one")
    async with published(tmp_path) as (it, there):
        there.publish(signing(key))
        answer = await redeemed(it, **signed(key, **changed))
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client"), why


@pytest.mark.parametrize("audience", ["http://localhost:8100", ["http://localhost:8100/token"]])
async def test_the_issuer_and_a_list_are_audiences_too(tmp_path: Path, audience: Any) -> None:
    key = new_key("one")
    async with published(tmp_path) as (it, there):
        there.publish(signing(key))
        assert (await redeemed(it, **signed(key, aud=audience))).status_code == 200


async def test_an_assertion_works_once_also_after_a_restart(tmp_path: Path) -> None:
    clock = Clock(time.time())  # the one that authlib reads
    key = new_key("one")
    async with published(tmp_path, clock=clock) as (it, there):
        there.publish(signing(key))
        proof = signed(key)
        assert (await redeemed(it, **proof)).status_code == 200
        assert (await redeemed(it, **proof)).status_code == 401
    async with lab(tmp_path, clock=clock) as it:
        assert (await redeemed(it, **proof)).status_code == 401


async def test_a_stranger_s_key_under_the_same_name_proves_nothing(tmp_path: Path) -> None:
    async with published(tmp_path) as (it, there):
        there.publish(signing(new_key("one")))
        assert (await redeemed(it, **signed(new_key("one")))).status_code == 401


async def test_the_public_key_is_no_secret_to_sign_with(tmp_path: Path) -> None:
    key = RSAKey.generate_key(2048, {"kid": "one"})
    async with published(tmp_path) as (it, there):
        there.publish(signing(key))
        good = signed(key, alg="PS256", jti="1")
        _, claims, _ = good["client_assertion"].split(".")
        head = base64url(b'{"alg":"HS256","kid":"one"}')
        pem = hmac.digest(key.as_pem(private=False), f"{head}.{claims}".encode(), "sha256")
        forged = good | {"client_assertion": f"{head}.{claims}.{base64url(pem)}"}
        assert (await redeemed(it, **forged)).status_code == 401
        assert (await redeemed(it, **signed(key, alg="PS256"))).status_code == 200


async def test_keys_at_an_address_of_their_own_may_change(tmp_path: Path) -> None:
    clock = Clock()
    old, new = new_key("old"), new_key("new")
    async with published(tmp_path, clock=clock) as (it, there):
        there.publish(document(token_endpoint_auth_method="private_key_jwt", jwks_uri=KEYS))
        there.publish(public(old), path="/app/keys.json")
        assert (await redeemed(it, **signed(old))).status_code == 200
        there.publish(public(new), path="/app/keys.json")
        clock.at += RETRY_SECONDS + 1
        assert (await redeemed(it, **signed(new, jti="2"))).status_code == 200
        assert (await redeemed(it, **signed(old, jti="3"))).status_code == 401
        assert there.asked == ["/app/client.json", "/app/keys.json"] * 2


async def test_a_key_that_is_withdrawn_is_good_no_longer_than_the_document_is_fresh(
    tmp_path: Path,
) -> None:
    clock = Clock()
    old, new = new_key("old"), new_key("new")
    async with published(tmp_path, clock=clock) as (it, there):
        there.publish(signing(old))
        first = (await redeemed(it, **signed(old, jti="1"))).json()
        there.publish(signing(new))
        clock.at += FRESH_SECONDS + 1
        form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
        stolen = await it.http.post("/token", data=form | signed(old, jti="2"))
        assert (stolen.status_code, stolen.json()["error"]) == (401, "invalid_client")
        assert (await it.http.post("/token", data=form | signed(new, jti="3"))).status_code == 200


async def test_who_signs_for_another_client_than_is_named_is_refused(tmp_path: Path) -> None:
    key = new_key("one")
    async with published(tmp_path) as (it, there):
        other = await it.register()
        token = (await it.sign_in(other))["refresh_token"]
        there.publish(signing(key))
        assert (await redeemed(it, **signed(key, jti="1"))).status_code == 200
        for proof in (signed(key, jti="2"), signed(new_key("no"), jti="3")):
            answer = await it.refresh(other, token, **proof)
            assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(
    "token",
    ["", "x", "a.b.c", "e30.e30.", json.dumps({}), "eyJhbGciOiJub25lIn0.e30.", "ä.ö.ü", DEEP, HALF],
)
async def test_what_is_no_assertion_is_a_refusal_not_a_fault(tmp_path: Path, token: str) -> None:
    async with published(tmp_path) as (it, _):
        answer = await it.http.post(
            "/token",
            data={
                "grant_type": "refresh_token",
                "refresh_token": "mpr_x",
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                "client_assertion": token,
            },
        )
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_keys_nested_too_deeply_do_not_fit(tmp_path: Path) -> None:
    async with published(tmp_path) as (it, there):
        there.publish(document(token_endpoint_auth_method="private_key_jwt", jwks_uri=KEYS))
        there.publish(b"[" * 16_000, path="/app/keys.json")
        assert (await it.http.get(wish_for(APP))).status_code == 400


async def test_a_document_as_long_as_a_registration_may_be_is_read(tmp_path: Path) -> None:
    async with published(tmp_path) as (it, there):
        body = json.dumps(document()).encode()
        there.publish(body.ljust(MAX_BYTES))
        await it.sign_in(APP)
