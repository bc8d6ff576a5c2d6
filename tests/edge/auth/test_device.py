"""A device without a browser signs in by a code that its person types elsewhere (RFC 8628)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from mcp_multiplayer.edge.auth.clients import DEVICE_GRANT
from mcp_multiplayer.edge.auth.grants import DEVICE_SECONDS, GRACE_SECONDS, USER_CODE_LETTERS
from mcp_multiplayer.edge.auth.server import POLL_SECONDS
from tests.edge.auth.publisher import ADDRESS, document, new_key, published, signed, signing
from tests.edge.harness import BASE, Clock, Lab, choices, fields, lab

GRANTS = [DEVICE_GRANT, "refresh_token"]
DEVICE = {"grant_types": GRANTS, "redirect_uris": []}


async def asked(it: Lab, client: dict[str, Any], **more: str) -> dict[str, Any]:
    form = {"client_id": client["client_id"]} | more
    answer = await it.http.post("/device_authorization", data=form)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def polled(it: Lab, client: dict[str, Any], code: str, **more: str) -> httpx.Response:
    form = {"grant_type": DEVICE_GRANT, "device_code": code, "client_id": client["client_id"]}
    return await it.http.post("/token", data=form | more)


async def answered(
    browser: httpx.AsyncClient, user_code: str, choice: str = "", **more: str
) -> httpx.Response:
    """Type the code and choose what the page offers first, or ``choice``."""
    page = await browser.get("/device", params={"user_code": user_code})
    assert page.status_code == 200, page.text
    chosen = choice or next(iter(choices(page.text)), "")
    return await browser.post("/device", data=fields(page.text) | {"choice": chosen} | more)


async def test_the_person_types_the_code_and_the_device_gets_a_token(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        client = await it.register(**DEVICE)
        told = await asked(it, client)
        assert told["verification_uri"] == f"{BASE}/device"
        assert told["verification_uri_complete"] == f"{BASE}/device?user_code={told['user_code']}"
        assert (told["expires_in"], told["interval"]) == (DEVICE_SECONDS, POLL_SECONDS)
        assert set(told["user_code"]) <= {*USER_CODE_LETTERS, "-"}
        waiting = await polled(it, client, told["device_code"])
        assert (waiting.status_code, waiting.json()["error"]) == (400, "authorization_pending")
        done = await answered(it.browser(), told["user_code"])
        assert (done.status_code, "plays as player-" in done.text) == (200, True)
        token = (await polled(it, client, told["device_code"])).json()
        assert token["access_token"].startswith("mpt_")
        again = await it.refresh(client, token["refresh_token"])
        assert again.json()["access_token"] != token["access_token"]


async def test_the_code_may_be_typed_as_people_type(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        client = await it.register(**DEVICE)
        code = (await asked(it, client))["user_code"]
        page = await it.http.get("/device", params={"user_code": f" {code.lower()[:6]} {code[6:]}"})
        assert code in page.text


async def test_without_a_code_the_page_asks_for_it(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        page = await it.http.get("/device")
        assert (page.status_code, 'name="user_code"' in page.text) == (200, True)


async def test_the_browser_s_player_is_lent_to_the_device(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        browser, app = it.browser(), await it.register()
        mine = await it.sign_in(app, browser)
        client = await it.register(**DEVICE)
        told = await asked(it, client)
        await answered(browser, told["user_code"])
        token = (await polled(it, client, told["device_code"])).json()["access_token"]
        assert await sub(it, token) == await sub(it, mine["access_token"])


async def test_a_no_is_told_to_the_device(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        client = await it.register(**DEVICE)
        told = await asked(it, client)
        assert (await answered(it.browser(), told["user_code"], "deny")).status_code == 200
        refused = await polled(it, client, told["device_code"])
        assert (refused.status_code, refused.json()["error"]) == (400, "access_denied")


async def test_a_code_ends_after_ten_minutes(tmp_path: Path) -> None:
    clock = Clock()
    async with lab(tmp_path, clock=clock) as it:
        client = await it.register(**DEVICE)
        told = await asked(it, client)
        clock.at += DEVICE_SECONDS
        over = await polled(it, client, told["device_code"])
        assert (over.status_code, over.json()["error"]) == (400, "expired_token")
        page = await it.http.get("/device", params={"user_code": told["user_code"]})
        assert page.status_code == 400


async def test_who_asks_too_often_is_told_to_slow_down(tmp_path: Path) -> None:
    clock = Clock()
    async with lab(tmp_path, clock=clock) as it:
        client = await it.register(**DEVICE)
        code = (await asked(it, client))["device_code"]
        errors = [(await polled(it, client, code)).json()["error"] for _ in range(2)]
        clock.at += POLL_SECONDS
        errors.append((await polled(it, client, code)).json()["error"])
        assert errors == ["authorization_pending", "slow_down", "authorization_pending"]


async def test_a_restart_loses_no_device(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        client = await it.register(**DEVICE)
        told = await asked(it, client)
    async with lab(tmp_path) as it:
        await answered(it.browser(), told["user_code"])
    async with lab(tmp_path) as it:
        assert (await polled(it, client, told["device_code"])).status_code == 200


async def test_a_device_that_lost_the_answer_may_ask_once_more(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        client = await it.register(**DEVICE)
        told = await asked(it, client)
        await answered(it.browser(), told["user_code"])
        tokens = [(await polled(it, client, told["device_code"])).json() for _ in range(2)]
        for token in tokens:
            assert (await it.refresh(client, token["refresh_token"])).status_code == 200


async def test_an_answer_in_the_last_second_is_heard(tmp_path: Path) -> None:
    clock = Clock()
    async with lab(tmp_path, clock=clock) as it:
        client = await it.register(**DEVICE)
        told = await asked(it, client)
        clock.at += DEVICE_SECONDS - 1
        await answered(it.browser(), told["user_code"])
        clock.at += 2 * POLL_SECONDS
        assert (await polled(it, client, told["device_code"])).status_code == 200


async def test_a_device_code_works_once_and_later_ends_what_it_gave(tmp_path: Path) -> None:
    clock = Clock()
    async with lab(tmp_path, clock=clock) as it:
        client = await it.register(**DEVICE)
        told = await asked(it, client)
        await answered(it.browser(), told["user_code"])
        token = (await polled(it, client, told["device_code"])).json()["access_token"]
        clock.at += GRACE_SECONDS + 1
        again = await polled(it, client, told["device_code"])
        assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
        assert (await it.call(token)).status_code == 401


async def test_a_client_that_did_not_ask_for_it_gets_no_code(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        client = await it.register()
        answer = await it.http.post(
            "/device_authorization", data={"client_id": client["client_id"]}
        )
        assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({}, 401, "invalid_client"),
        ({"client_id": "cli_gone"}, 401, "invalid_client"),
        ({"resource": "https://other.example/mcp"}, 400, "invalid_target"),
    ],
)
async def test_what_does_not_fit_is_refused(
    tmp_path: Path, form: dict[str, str], status: int, error: str
) -> None:
    async with lab(tmp_path) as it:
        client = await it.register(**DEVICE)
        given = form if "resource" not in form else form | {"client_id": client["client_id"]}
        answer = await it.http.post("/device_authorization", data=given)
        assert (answer.status_code, answer.json()["error"]) == (status, error)
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("code", ["", "mpd_nothing"])
async def test_an_unknown_device_code_is_refused(tmp_path: Path, code: str) -> None:
    async with lab(tmp_path) as it:
        client = await it.register(**DEVICE)
        answer = await polled(it, client, code)
        wrong = "invalid_grant" if code else "invalid_request"
        assert (answer.status_code, answer.json()["error"]) == (400, wrong)


async def test_a_client_of_a_document_may_ask_and_sign(tmp_path: Path) -> None:
    key = new_key("one")
    async with published(tmp_path) as (it, there):
        there.publish(signing(key, grant_types=GRANTS))
        told = (await it.http.post("/device_authorization", data=signed(key, jti="1"))).json()
        await answered(it.browser(), told["user_code"])
        form = {"grant_type": DEVICE_GRANT, "device_code": told["device_code"]}
        token = await it.http.post("/token", data=form | signed(key, jti="2"))
        assert token.json()["refresh_token"]


async def test_a_document_that_cannot_be_read_is_a_refusal(tmp_path: Path) -> None:
    async with published(tmp_path) as (it, there):
        there.publish(document(client_id="https://api.example.com/other"))
        answer = await it.http.post("/device_authorization", data={"client_id": ADDRESS})
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_the_passcode_is_typed_in_the_browser(tmp_path: Path) -> None:
    async with lab(tmp_path, access_passcode="swordfish") as it:
        client = await it.register(**DEVICE)
        told = await asked(it, client)
        browser = it.browser()
        wrong = await answered(browser, told["user_code"], passcode="tuna")
        assert (wrong.status_code, "not the passcode" in wrong.text) == (403, True)
        page = await browser.post("/device", data=fields(wrong.text) | {"passcode": "swordfish"})
        assert choices(page.text)  # also of a browser without a player: never without a click
        chosen = {"choice": choices(page.text)[0]}
        await browser.post("/device", data=fields(page.text) | chosen)
        assert (await polled(it, client, told["device_code"])).status_code == 200


async def sub(it: Lab, token: str) -> str:
    """Whose token it is, by the database."""
    from mcp_multiplayer.edge.auth.database import digest, open_database

    store = open_database(it.settings)
    row = store.row(
        "SELECT sub FROM tokens JOIN grants USING (grant_id) WHERE hash=?", (digest(token),)
    )
    store.close()
    assert row is not None
    return str(row["sub"])
