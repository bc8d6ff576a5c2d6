"""Which network an account is counted under: of the browser that consented, or, with client
credentials, of the registration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from mcp_multiplayer.edge.auth.grants import Bearer
from tests.edge.harness import LOOPBACK_URI, Lab, lab, returned, wish_for

HERE, THERE = "203.0.113.7", "198.51.100.9"


def at(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address}


async def bearer(it: Lab, tokens: httpx.Response) -> Bearer:
    return await it.app._parts.authentication._bearer(tokens.json()["access_token"])


def trusting(tmp_path: Path, **values: Any) -> Any:
    return lab(tmp_path, trusted_proxies="127.0.0.1", **values)


async def consented(it: Lab, address: str, **wish: Any) -> Bearer:
    """Registered and redeemed from elsewhere, as a hosted client does."""
    client = await it.register(**wish)
    async with it.browser() as browser:
        code = returned(await browser.get(wish_for(client), headers=at(address)))["code"]
    return await bearer(it, await it.redeem(client, code))


async def service(it: Lab, address: str) -> Bearer:
    wish = {"grant_types": ["client_credentials"]}
    client = (await it.http.post("/register", json=wish, headers=at(address))).json()
    login = (client["client_id"], client["client_secret"])
    form = {"grant_type": "client_credentials"}
    return await bearer(it, await it.http.post("/token", data=form, auth=login, headers=at(THERE)))


async def test_the_network_is_the_browsers_and_of_a_script_its_registrations(
    tmp_path: Path,
) -> None:
    vendor = {"redirect_uris": ["https://claude.ai/api/mcp/auth_callback"]}
    async with trusting(tmp_path) as it:
        made = [await consented(it, HERE), await consented(it, HERE, **vendor)]
        made.append(await service(it, HERE))
        assert len({one.network for one in made}) == 1
        assert len({one.sub for one in made}) == 3
        assert (await consented(it, THERE)).network != made[0].network
        assert (await service(it, THERE)).network != made[0].network


async def test_a_refreshed_token_stays_where_it_was_consented_to(tmp_path: Path) -> None:
    async with trusting(tmp_path) as it, it.browser() as browser:
        client = await it.register()
        code = returned(await browser.get(wish_for(client), headers=at(HERE)))["code"]
        first = await it.redeem(client, code)
        again = await it.refresh(client, first.json()["refresh_token"])
        assert (await bearer(it, again)).network == (await bearer(it, first)).network


async def test_a_token_that_comes_with_the_registration_has_its_network(tmp_path: Path) -> None:
    async with trusting(tmp_path, claude_auto_token=True) as it:
        wish = {"client_name": "Claude", "redirect_uris": [LOOPBACK_URI]}
        answer = await it.http.post("/register", json=wish, headers=at(HERE))
        assert (await bearer(it, answer)).network == (await service(it, HERE)).network


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:203.0.113.7", HERE, True),
        (HERE, "203.0.113.8", False),
    ],
)
async def test_a_subscriber_is_one_network(
    tmp_path: Path, one: str, other: str, same: bool
) -> None:
    """An IPv6 subscriber has a /64 at least, so its addresses count as one."""
    async with trusting(tmp_path) as it:
        assert ((await service(it, one)).network == (await service(it, other)).network) == same


async def test_no_address_is_kept(tmp_path: Path) -> None:
    async with trusting(tmp_path) as it:
        one, script = await consented(it, HERE), await service(it, HERE)
        assert one.network == script.network
        kept = _kept(tmp_path)
        assert one.network.encode() in kept
        assert HERE.encode() not in kept


def _kept(directory: Path) -> bytes:
    return b"".join(file.read_bytes() for file in directory.glob("oauth.db*"))


async def test_a_bearer_knows_when_its_account_was_made(tmp_path: Path) -> None:
    async with trusting(tmp_path) as it:
        one, script = await consented(it, HERE), await service(it, HERE)
        assert one.born == script.born == int(it.clock.at)
        it.clock.at += 90
        async with it.browser() as browser:
            first = await it.register()
            await it.sign_in(first, browser)
            it.clock.at += 3600
            late = await it.sign_in(first, browser)
        found = await it.app._parts.authentication._bearer(late["access_token"])
        assert it.clock.at - found.born == 3600
