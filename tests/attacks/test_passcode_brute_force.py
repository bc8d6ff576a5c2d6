"""Somebody guesses the passcode. Stopped by edge/auth/passcode.py."""

from __future__ import annotations

from pathlib import Path

import httpx

from mcp_multiplayer.edge.auth import passcode
from mcp_multiplayer.edge.auth.passcode import Guesses
from mcp_multiplayer.edge.proxy.address import network
from tests.edge.harness import WEB_URI, Clock, Lab, choices, fields, lab, returned, wish_for

WORD = "correct horse"


async def _try(it: Lab, browser: httpx.AsyncClient, wish: str, word: str) -> httpx.Response:
    form = fields((await browser.get(wish)).text)
    return await browser.post("/oauth/authorize", data=form | {"passcode": word})


async def test_nothing_is_approved_before_the_passcode(tmp_path: Path) -> None:
    async with lab(tmp_path, access_passcode=WORD) as it, it.browser() as browser:
        client = await it.register()
        wish = wish_for(client)
        page = await browser.get(wish)
        assert page.status_code == 200
        assert 'name="passcode"' in page.text
        form = fields(page.text)
        for data in ({"choice": "new"}, {"choice": "new", "passcode": ""}, {"passcode": "wrong"}):
            answer = await browser.post("/oauth/authorize", data=form | data)
            assert answer.status_code in (403, 429)
            assert "location" not in answer.headers


async def test_the_right_word_lets_a_browser_in_for_good(tmp_path: Path) -> None:
    async with lab(tmp_path, access_passcode=WORD) as it, it.browser() as browser:
        client = await it.register()
        answer = await _try(it, browser, wish_for(client), WORD)
        assert answer.status_code == 303
        assert (await it.redeem(client, returned(answer)["code"])).status_code == 200
        assert (await browser.get(wish_for(client))).status_code == 302
        other = await it.register(redirect_uris=[WEB_URI])
        assert choices((await browser.get(wish_for(other))).text)


async def test_a_stranger_behind_the_passcode_still_needs_a_click(tmp_path: Path) -> None:
    async with lab(tmp_path, access_passcode=WORD) as it, it.browser() as browser:
        client = await it.register(redirect_uris=[WEB_URI])
        page = await _try(it, browser, wish_for(client), WORD)
        assert page.status_code == 200
        assert choices(page.text) == ["new", "deny"]
        form = fields(page.text) | {"choice": "new"}
        answer = await browser.post("/oauth/authorize", data=form)
        assert (await it.redeem(client, returned(answer)["code"])).status_code == 200


async def test_wrong_words_wait_longer_each_time_and_the_right_one_waits_too(
    tmp_path: Path,
) -> None:
    clock = Clock()
    async with lab(tmp_path, clock=clock, access_passcode=WORD) as it, it.browser() as browser:
        wish = wish_for(await it.register())
        waits = []
        for _ in range(6):
            answer = await _try(it, browser, wish, "wrong")
            waits.append(int(answer.headers.get("retry-after", 0)))
            clock.at += waits[-1]
        assert waits == [0, 0, 3, 5, 9, 17]
        await _try(it, browser, wish, "wrong")
        early = await _try(it, browser, wish, WORD)
        assert early.status_code == 429
        clock.at += int(early.headers["retry-after"])
        assert (await _try(it, browser, wish, WORD)).status_code == 303


async def test_registration_is_no_way_around(tmp_path: Path) -> None:
    clock = Clock()
    async with lab(tmp_path, clock=clock, access_passcode=WORD) as it:
        wish = {"grant_types": ["client_credentials"]}

        async def register(word: str) -> httpx.Response:
            headers = {"Authorization": f"Bearer {word}"} if word else {}
            return await it.http.post("/register", json=wish, headers=headers)

        assert (await register("")).status_code == 401
        assert [(await register("wrong")).status_code for _ in range(3)] == [401, 401, 429]
        assert (await register(WORD)).status_code == 429
        clock.at += 10
        assert (await register(WORD)).status_code == 201


async def test_credentials_of_a_client_let_in_by_nobody_are_refused(tmp_path: Path) -> None:
    form = {"grant_type": "client_credentials"}
    wish = {
        "grant_types": ["client_credentials"],
        "token_endpoint_auth_method": "client_secret_basic",
    }
    async with lab(tmp_path) as it:
        client = await it.register(**wish, redirect_uris=[])
        auth = (client["client_id"], client["client_secret"])
        early = (await it.http.post("/token", data=form, auth=auth)).json()
        person = await it.register()
        signed_in = await it.sign_in(person)
    async with lab(tmp_path, access_passcode=WORD) as it:
        answer = await it.http.post("/token", data=form, auth=auth)
        assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")
        # A lock that is put in later shuts out those who came before it.
        assert (await it.call(early["access_token"])).status_code == 401
        assert (await it.refresh(person, signed_in["refresh_token"])).status_code == 400
        dropped = await it.register(
            grant_types=["authorization_code", "client_credentials"],
            token_endpoint_auth_method="client_secret_basic",
        )
        assert "client_credentials" not in dropped["grant_types"]


async def test_a_new_passcode_asks_again(tmp_path: Path) -> None:
    async with lab(tmp_path, access_passcode=WORD) as it, it.browser() as browser:
        client = await it.register()
        await _try(it, browser, wish_for(client), WORD)
        jar = httpx.Cookies(browser.cookies)
    async with lab(tmp_path, access_passcode="another") as it, it.browser() as browser:
        browser.cookies = jar
        assert 'name="passcode"' in (await browser.get(wish_for(client))).text


def test_many_addresses_together_are_bounded() -> None:
    clock = Clock()
    guesses = Guesses(now=clock)
    asked = 0

    def wrong() -> bool:
        nonlocal asked
        asked += 1
        return False

    for number in range(1000):
        guesses.attempt(f"10.0.{number // 256}.{number % 256}", wrong)
    assert asked == passcode.GUESSES_PER_MINUTE
    opened, wait = guesses.attempt("192.0.2.1", lambda: True)
    assert not opened
    clock.at += wait
    assert guesses.attempt("192.0.2.1", lambda: True) == (True, 0.0)


def test_an_ipv6_user_is_one_address() -> None:
    assert network("2001:db8::1") == network("2001:db8::ffff") != network("2001:db8:0:1::1")
    assert network("::ffff:192.0.2.1") == network("192.0.2.1")
