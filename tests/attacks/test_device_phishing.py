"""Somebody starts a sign-in on his device and has another person's browser say yes (RFC 8628 §5.4),
or guesses the code of a device to lend it a player that he watches (§5.1)."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_multiplayer.edge.auth import device
from mcp_multiplayer.edge.auth.device import TRIES_PER_HOUR
from mcp_multiplayer.edge.auth.endpoints import DEVICES_PER_HOUR
from tests.edge.auth.test_device import DEVICE, answered, asked, polled
from tests.edge.harness import choices, fields, lab


async def test_a_link_alone_approves_nothing(tmp_path: Path) -> None:
    """Not even for a client and a person who have done it before."""
    async with lab(tmp_path) as it:
        client, browser = await it.register(**DEVICE), it.browser()
        for _ in range(2):
            told = await asked(it, client)
            page = await browser.get(told["verification_uri_complete"])
            assert choices(page.text)
            waiting = await polled(it, client, told["device_code"])
            assert waiting.json()["error"] == "authorization_pending"
            await answered(browser, told["user_code"])


async def test_the_page_says_whose_device_it_is_not(tmp_path: Path) -> None:
    async with lab(tmp_path, trusted_proxies="127.0.0.1") as it:
        client = await it.register(**DEVICE, client_name="Free coins")
        for sender, elsewhere in (("192.0.2.7", True), ("198.51.100.7", False)):
            form = {"client_id": client["client_id"]}
            told = (
                await it.http.post(
                    "/device_authorization", data=form, headers={"X-Forwarded-For": sender}
                )
            ).json()
            page = await it.browser().get(
                told["verification_uri_complete"], headers={"X-Forwarded-For": "198.51.100.7"}
            )
            assert told["user_code"] in page.text
            assert "Free coins" in page.text
            assert ("from another network than yours" in page.text) is elsewhere


async def test_another_page_cannot_press_the_button(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        client, browser = await it.register(**DEVICE), it.browser()
        told = await asked(it, client)
        page = await browser.get(told["verification_uri_complete"])
        form = fields(page.text) | {"choice": "new"}
        foreign = await browser.post(
            "/device", data=form, headers={"Origin": "https://evil.example"}
        )
        assert foreign.status_code == 403
        for csrf in ("", "1.abc"):
            assert (await browser.post("/device", data=form | {"csrf": csrf})).status_code == 403
        stranger = await it.browser().post("/device", data=form)
        assert stranger.status_code == 403
        assert page.headers["x-frame-options"] == "DENY"


async def test_a_form_for_one_device_does_not_approve_another(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        client, browser = await it.register(**DEVICE), it.browser()
        mine, other = await asked(it, client), await asked(it, client)
        page = await browser.get(mine["verification_uri_complete"])
        form = fields(page.text) | {"request": f"user_code={other['user_code']}", "choice": "new"}
        assert (await browser.post("/device", data=form)).status_code == 403


async def test_a_form_of_a_sign_in_does_not_approve_a_device(tmp_path: Path) -> None:
    """The same browser, the same key of the form: what was asked differs."""
    async with lab(tmp_path) as it:
        client, browser = await it.register(**DEVICE), it.browser()
        told = await asked(it, client)
        page = await browser.get(told["verification_uri_complete"])
        form = fields(page.text) | {"choice": "new"}
        assert (await browser.post("/oauth/authorize", data=form)).status_code == 400


async def test_codes_cannot_be_tried_one_after_another(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        client = await it.register(**DEVICE)
        told = await asked(it, client)
        browser = it.browser()
        for _ in range(TRIES_PER_HOUR):
            guess = await browser.get("/device", params={"user_code": "BBBB-BBBB"})
            assert guess.status_code == 400
        right = await browser.get("/device", params={"user_code": told["user_code"]})
        assert (right.status_code, "Too many codes" in right.text) == (429, True)


async def test_codes_cannot_be_tried_from_many_networks_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "WRONG_PER_MINUTE", 5)
    async with lab(tmp_path, trusted_proxies="127.0.0.1") as it:
        client = await it.register(**DEVICE)
        told = await asked(it, client)
        for _ in range(6):  # what is right does not count
            assert (await it.http.get(told["verification_uri_complete"])).status_code == 200
        seen = [
            await it.http.get(
                "/device",
                params={"user_code": "BBBB-BBBB"},
                headers={"X-Forwarded-For": f"2001:db8:{number}::1"},
            )
            for number in range(6)
        ]
        assert [answer.status_code for answer in seen] == [400] * 5 + [429]
        assert (await it.http.get(told["verification_uri_complete"])).status_code == 429


async def test_one_network_has_only_so_many_codes_made(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        client = await it.register(**DEVICE)
        for _ in range(DEVICES_PER_HOUR):
            await asked(it, client)
        form = {"client_id": client["client_id"]}
        answer = await it.http.post("/device_authorization", data=form)
        assert (answer.status_code, int(answer.headers["retry-after"]) > 0) == (429, True)


@pytest.mark.parametrize("answer", ["new", "deny"])
async def test_what_was_answered_cannot_be_answered_again(tmp_path: Path, answer: str) -> None:
    async with lab(tmp_path) as it:
        client = await it.register(**DEVICE)
        told = await asked(it, client)
        browser = it.browser()
        page = await browser.get(told["verification_uri_complete"])
        await answered(it.browser(), told["user_code"], answer)
        late = await browser.post("/device", data=fields(page.text) | {"choice": "new"})
        assert late.status_code == 400


async def test_another_client_s_device_code_is_worth_nothing(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        client, thief = await it.register(**DEVICE), await it.register(**DEVICE)
        told = await asked(it, client)
        await answered(it.browser(), told["user_code"])
        stolen = await polled(it, thief, told["device_code"])
        assert (stolen.status_code, stolen.json()["error"]) == (400, "invalid_grant")
        assert (await polled(it, client, told["device_code"])).status_code == 200
