"""What a person is asked when signing in, and what follows from the answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from mcp_multiplayer.edge.auth.authorize import MAX_QUERY
from tests.edge.harness import BASE, WEB_URI, Clock, Lab, choices, fields, lab, returned, wish_for


async def _choose(
    it: Lab, browser: httpx.AsyncClient, client: dict[str, Any], choice: str
) -> httpx.Response:
    form = fields((await browser.get(wish_for(client))).text)
    return await browser.post("/oauth/authorize", data=form | {"choice": choice})


async def _sub(it: Lab, client: dict[str, Any], answer: httpx.Response) -> str:
    token = (await it.redeem(client, returned(answer)["code"])).json()["access_token"]
    return (await it.app._parts.authentication._bearer(token)).sub


async def test_a_second_app_is_asked_for_even_if_it_is_a_known_one(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, it.browser() as browser:
        first, second = await it.register(), await it.register(client_name="Second")
        sub = await _sub(it, first, await browser.get(wish_for(first)))
        page = await browser.get(wish_for(second))
        assert page.status_code == 200
        assert "Second" in page.text
        assert "Continue as player-" in page.text
        assert choices(page.text) == [sub, "new", "deny"]
        answer = await _choose(it, browser, second, sub)
        assert await _sub(it, second, answer) == sub
        # From now on neither needs a click.
        for client in (first, second):
            assert await _sub(it, client, await browser.get(wish_for(client))) == sub


async def test_a_new_separate_player_is_found_again_by_its_app(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, it.browser() as browser:
        first, second = await it.register(), await it.register()
        one = await _sub(it, first, await browser.get(wish_for(first)))
        two = await _sub(it, second, await _choose(it, browser, second, "new"))
        assert one != two
        assert await _sub(it, first, await browser.get(wish_for(first))) == one
        assert await _sub(it, second, await browser.get(wish_for(second))) == two
        third = await it.register()
        assert choices((await browser.get(wish_for(third))).text) == [two, one, "new", "deny"]


async def test_an_app_approved_for_two_players_is_asked_about_again(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, it.browser() as browser:
        other = await it.register(redirect_uris=[WEB_URI])
        app = await it.register(redirect_uris=[WEB_URI])
        one = await _sub(it, other, await _choose(it, browser, other, "new"))
        form = fields((await browser.get(wish_for(app))).text)
        await _sub(it, app, await _choose(it, browser, app, one))
        assert (await browser.get(wish_for(app))).status_code == 302
        # The page was open in a second tab.
        answer = await browser.post("/oauth/authorize", data=form | {"choice": "new"})
        two = await _sub(it, app, answer)
        assert choices((await browser.get(wish_for(app))).text) == [two, one, "new", "deny"]


async def test_a_wish_that_is_too_long_is_not_read(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, it.browser() as browser:
        client = await it.register(redirect_uris=[WEB_URI])
        room = MAX_QUERY - len(wish_for(client).partition("?")[2]) - len("&x=")
        assert (await browser.get(f"{wish_for(client)}&x={'a' * room}")).status_code == 200
        answer = await browser.get(f"{wish_for(client)}&x={'a' * (room + 1)}")
        assert (answer.status_code, "too long" in answer.text) == (400, True)


async def test_cancel_tells_the_client(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, it.browser() as browser:
        client = await it.register(redirect_uris=[WEB_URI])
        back = returned(await _choose(it, browser, client, "deny"))
        assert (back["error"], back["iss"], back["state"]) == ("access_denied", BASE, "st4te")


async def test_an_approval_counts_for_the_address_it_was_given_for(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, it.browser() as browser:
        client = await it.register(redirect_uris=[WEB_URI, "https://client.example/other"])
        await _choose(it, browser, client, "new")
        assert (await browser.get(wish_for(client))).status_code == 302
        elsewhere = wish_for(client, redirect_uri="https://client.example/other")
        assert (await browser.get(elsewhere)).status_code == 200


async def test_a_browser_without_a_player_is_told_how_an_old_one_is_found(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, it.browser() as browser:
        client = await it.register(redirect_uris=[WEB_URI])
        assert "rejoin token" in (await browser.get(wish_for(client))).text
        await _choose(it, browser, client, "new")
        other = await it.register(redirect_uris=[WEB_URI])
        assert "rejoin token" not in (await browser.get(wish_for(other))).text


async def test_the_page_says_how_old_each_player_is(tmp_path: Path) -> None:
    """An empty one that was made by mistake is younger than the one that holds the seats."""
    clock = Clock()
    async with lab(tmp_path, clock=clock) as it, it.browser() as browser:
        first = await it.register()
        await browser.get(wish_for(first))
        clock.at += 86_400
        second = await it.register(redirect_uris=[WEB_URI])
        await _choose(it, browser, second, "new")
        page = (await browser.get(wish_for(await it.register()))).text
        assert page.count("made on 15 January 2027, 08:00 UTC") == 1
        assert page.count("made on 16 January 2027, 08:00 UTC") == 1
