"""Another page presses the buttons of the consent page, or plants a cookie for it.
Stopped by edge/auth/authorize.py and edge/auth/grants.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from mcp_multiplayer.edge.auth.authorize import FORM_SECONDS
from tests.edge.harness import (
    BASE,
    WEB_URI,
    Clock,
    Lab,
    choices,
    fields,
    lab,
    returned,
    wish_for,
)


async def _page(it: Lab, browser: httpx.AsyncClient) -> tuple[dict[str, Any], dict[str, str]]:
    client = await it.register(redirect_uris=[WEB_URI])
    answer = await browser.get(wish_for(client))
    assert answer.status_code == 200
    return client, fields(answer.text)


async def test_our_own_form_works(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, it.browser() as browser:
        client, form = await _page(it, browser)
        answer = await browser.post(
            "/oauth/authorize", data=form | {"choice": "new"}, headers={"Origin": BASE}
        )
        assert answer.status_code == 303
        back = returned(answer)
        assert back["iss"] == BASE
        assert (await it.redeem(client, back["code"])).status_code == 200


async def test_a_form_without_this_browsers_token_is_refused(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, it.browser() as victim, it.browser() as attacker:
        _, form = await _page(it, victim)
        _, stolen = await _page(it, attacker)
        for csrf in ("", "x", "0.x", stolen["csrf"], form["csrf"][:-1], "9" * 40 + ".x", "١.x"):
            data = form | {"csrf": csrf, "choice": "new"}
            assert (await victim.post("/oauth/authorize", data=data)).status_code == 403
        async with it.browser() as cookieless:
            data = form | {"choice": "new"}
            assert (await cookieless.post("/oauth/authorize", data=data)).status_code == 403


async def test_a_token_is_good_for_the_wish_it_was_shown_with_only(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, it.browser() as victim:
        _, form = await _page(it, victim)
        evil = await it.register(redirect_uris=["https://evil.example/cb"])
        data = form | {"request": wish_for(evil).split("?")[1], "choice": "new"}
        assert (await victim.post("/oauth/authorize", data=data)).status_code == 403


async def test_a_form_of_another_origin_is_refused(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, it.browser() as victim:
        _, form = await _page(it, victim)
        for origin in ("https://evil.example", "null", "http://localhost:9999"):
            answer = await victim.post(
                "/oauth/authorize", data=form | {"choice": "new"}, headers={"Origin": origin}
            )
            assert answer.status_code == 403


async def test_a_form_expires(tmp_path: Path) -> None:
    clock = Clock()
    async with lab(tmp_path, clock=clock) as it, it.browser() as browser:
        _, form = await _page(it, browser)
        clock.at += FORM_SECONDS + 1
        answer = await browser.post("/oauth/authorize", data=form | {"choice": "new"})
        assert answer.status_code == 403


async def test_nobody_continues_as_an_account_the_browser_does_not_hold(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, it.browser() as victim, it.browser() as attacker:
        await it.sign_in(await it.register(), victim)
        client = await it.register(redirect_uris=[WEB_URI])
        sub = choices((await victim.get(wish_for(client))).text)[0]
        assert sub.startswith("acc_")
        form = fields((await attacker.get(wish_for(client))).text)
        answer = await attacker.post("/oauth/authorize", data=form | {"choice": sub})
        assert answer.status_code == 403


async def test_a_planted_cookie_never_becomes_a_session(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, it.browser() as victim, it.browser() as attacker:
        planted = "mpb_" + "x" * 43
        for browser in (victim, attacker):
            browser.cookies.set("mpx_browser", planted, domain="localhost.local", path="/")
        client = await it.register()
        answer = await victim.get(wish_for(client))
        assert answer.status_code == 302
        assert planted not in answer.headers["set-cookie"]
        # The attacker's copy of the cookie names no browser: he starts with an empty account.
        await it.sign_in(client, attacker)
        other = await it.register(redirect_uris=[WEB_URI])
        theirs = [choices((await b.get(wish_for(other))).text)[0] for b in (victim, attacker)]
        assert theirs[0] != theirs[1]


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        cookie = (await it.http.get(wish_for(await it.register()))).headers["set-cookie"]
        assert cookie.startswith("mpx_browser=mpb_")
        assert "HttpOnly" in cookie
        assert "samesite=lax" in cookie.lower()
    public = "https://mp.example"
    async with lab(tmp_path, public_url=public, base=public) as it:
        cookie = (await it.http.get(wish_for(await it.register()))).headers["set-cookie"]
        assert cookie.startswith("__Host-mpx_browser=")
        assert "Secure" in cookie
        assert "Path=/" in cookie
        assert "Domain" not in cookie
