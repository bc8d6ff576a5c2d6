"""A stranger has this server fetch what only it can reach, or hammer others through it.

Whoever sends a browser here names the address of a client's document, and so decides where the
server connects. On the other end, whoever answers may take his time or send without end.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mcp_multiplayer import oauth_proxy
from mcp_multiplayer.edge.auth import client_documents
from mcp_multiplayer.edge.auth.client_documents import (
    FETCHES_AT_ONCE,
    FETCHES_PER_HOUR,
    OF_ONE_NETWORK,
    RETRY_SECONDS,
    GuardedFetch,
    Unreachable,
)
from mcp_multiplayer.edge.auth.clients import MAX_BYTES
from mcp_multiplayer.sandbox.hostcalls.dialer import Dialer
from mcp_multiplayer.sandbox.hostcalls.egress import Egress
from tests.edge.auth.publisher import (
    ADDRESS,
    APP,
    HOST,
    document,
    new_key,
    published,
    redeemed,
    signed,
    signing,
)
from tests.edge.harness import Clock, returned, wish_for


@pytest.fixture
def within() -> Iterator[socket.socket]:
    """Something that only this machine can reach; it does not have port 443, so a name is led to
    it below."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        yield listener


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "0.0.0.0",
        "10.0.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "2130706433.example",
        "0x7f.0.0.1",
    ],
)
async def test_an_address_within_is_not_connected_to(host: str) -> None:
    async def nowhere(name: str) -> list[str]:
        return ["127.0.0.1"]

    dialer = Dialer(Egress(everywhere=True, ports=frozenset({443})), resolver=nowhere)
    with pytest.raises(Unreachable, match="cannot be reached"):
        await GuardedFetch(dialer)(f"https://{host}/client.json")
    dialer.close()


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.1.2.3", "fd00::1", "64:ff9b::7f00:1"]
)
async def test_a_name_that_leads_within_is_not_connected_to(
    address: str, within: socket.socket
) -> None:
    port = within.getsockname()[1]

    async def leads(name: str) -> list[str]:
        return [address]

    dialer = Dialer(Egress(everywhere=True, ports=frozenset({443, port})), resolver=leads)
    with pytest.raises(Unreachable, match="cannot be reached"):
        await GuardedFetch(dialer)(f"https://client.example:{port}/client.json")
    dialer.close()
    with pytest.raises(BlockingIOError):  # nobody has knocked
        within.accept()


async def test_another_port_than_that_of_https_is_not_connected_to(within: socket.socket) -> None:
    with pytest.raises(Unreachable, match="cannot be reached"):
        await GuardedFetch()(f"https://192.0.2.1:{within.getsockname()[1]}/client.json")


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    async with published(tmp_path) as (it, there):
        there.publish(b"", status=302, lines="Location: https://api.example.com/other.json")
        there.publish(document(), path="/other.json")
        assert (await it.http.get(wish_for(APP))).status_code == 503
        assert there.asked == ["/app/client.json"]


async def test_a_token_request_of_an_unknown_client_fetches_nothing(tmp_path: Path) -> None:
    async with published(tmp_path) as (it, there):
        answer = await it.redeem(APP, "mpc_x")
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        basic = await it.http.post(
            "/token", data={"grant_type": "client_credentials"}, auth=(ADDRESS.split("://")[1], "x")
        )
        assert basic.status_code == 401
        assert there.connections == 0


async def test_one_network_has_only_so_many_fetched_and_others_go_on(tmp_path: Path) -> None:
    async with published(tmp_path, trusted_proxies="127.0.0.1") as (it, there):
        for number in range(FETCHES_PER_HOUR + 5):
            other = f"https://{HOST}/app/{number}.json"
            there.publish(document(client_id=other), path=f"/app/{number}.json")
            answer = await it.browser().get(
                wish_for(APP, client_id=other), headers={"X-Forwarded-For": "192.0.2.7"}
            )
            assert answer.status_code == (302 if number < FETCHES_PER_HOUR else 429)
        assert there.connections == FETCHES_PER_HOUR
        answer = await it.browser().get(wish_for(APP), headers={"X-Forwarded-For": "198.51.100.7"})
        assert answer.status_code == 302


async def test_a_crowd_at_one_address_is_one_fetch(tmp_path: Path) -> None:
    async with published(tmp_path) as (it, there):
        there.go.clear()
        crowd = [asyncio.create_task(it.browser().get(wish_for(APP))) for _ in range(20)]
        await there.knocked()
        there.go.set()
        assert {answer.status_code for answer in await asyncio.gather(*crowd)} == {302}
        assert there.connections == 1


async def test_who_leaves_while_it_is_fetched_takes_nobody_along(tmp_path: Path) -> None:
    async with published(tmp_path) as (it, there):
        there.go.clear()
        first = asyncio.create_task(it.browser().get(wish_for(APP)))
        await there.knocked()
        second = asyncio.create_task(it.browser().get(wish_for(APP)))
        await asyncio.sleep(0)
        first.cancel()
        there.go.set()
        assert (await second).status_code == 302


async def test_slow_servers_of_one_network_keep_nobody_else_waiting(tmp_path: Path) -> None:
    async with published(tmp_path, trusted_proxies="127.0.0.1") as (it, there):
        there.go.clear()

        def from_network(number: int, client_id: str) -> Any:
            headers = {"X-Forwarded-For": f"192.0.2.{number}"}
            return it.browser().get(wish_for(APP, client_id=client_id), headers=headers)

        slow = [
            asyncio.create_task(from_network(1, f"https://{HOST}/slow/{number}.json"))
            for number in range(OF_ONE_NETWORK)
        ]
        await there.knocked(OF_ONE_NETWORK)
        refused = await from_network(1, ADDRESS)
        assert (refused.status_code, "too many others" in refused.text) == (503, True)
        assert len(there.asked) == OF_ONE_NETWORK
        other = asyncio.create_task(from_network(2, ADDRESS))
        await there.knocked()
        there.go.set()
        assert (await other).status_code == 302
        await asyncio.gather(*slow)


async def test_all_networks_together_have_only_so_many_fetched_at_once(tmp_path: Path) -> None:
    """And whoever is refused by that may try again at once."""
    async with published(tmp_path, trusted_proxies="127.0.0.1") as (it, there):
        there.go.clear()

        def from_network(number: int) -> Any:
            headers = {"X-Forwarded-For": f"192.0.2.{number}"}
            other = f"https://{HOST}/slow/{number}.json"
            return it.browser().get(wish_for(APP, client_id=other), headers=headers)

        slow = [asyncio.create_task(from_network(number)) for number in range(FETCHES_AT_ONCE)]
        await there.knocked(FETCHES_AT_ONCE)
        assert (await it.browser().get(wish_for(APP))).status_code == 503
        there.go.set()
        await asyncio.gather(*slow)
        assert (await it.browser().get(wish_for(APP))).status_code == 302


async def test_forged_signatures_of_a_known_client_cause_few_fetches(tmp_path: Path) -> None:
    """Nobody has proven anything when its keys are asked for again."""
    clock = Clock()
    async with published(tmp_path, clock=clock) as (it, there):
        there.publish(signing(new_key("one")))
        await redeemed(it, **signed(new_key("one")))
        form = {"grant_type": "refresh_token", "refresh_token": "mpr_x"}
        for number in range(FETCHES_PER_HOUR + 20):
            clock.at += 1
            if number % 2:
                there.publish(b"", status=503)
            forged = signed(new_key(f"no{number}"), jti=str(number))
            assert (await it.http.post("/token", data=form | forged)).status_code == 401
        assert len(there.asked) <= 1 + (FETCHES_PER_HOUR + 20) // RETRY_SECONDS + 1


async def test_one_client_s_assertions_do_not_fill_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oauth_proxy, "ASSERTIONS_PER_HOUR", 3)
    key = new_key("one")
    async with published(tmp_path) as (it, there):
        there.publish(signing(key))
        await it.browser().get(wish_for(APP))
        form = {"token": "mpt_x"}
        answers = [
            await it.http.post("/revoke", data=form | signed(key, jti=str(number)))
            for number in range(5)
        ]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]


async def test_a_server_that_never_answers_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_documents, "FETCH_SECONDS", 0.05)
    async with published(tmp_path) as (it, there):
        there.go.clear()
        answer = await it.http.get(wish_for(APP))
        assert (answer.status_code, "no whole answer" in answer.text) == (503, True)


async def test_an_endless_document_is_cut(tmp_path: Path) -> None:
    async with published(tmp_path) as (it, there):
        there.publish(b" " * (MAX_BYTES + 1))
        answer = await it.http.get(wish_for(APP))
        assert (answer.status_code, "cannot be reached" in answer.text) == (503, True)


async def test_a_document_of_another_app_does_not_take_over_its_accounts(tmp_path: Path) -> None:
    """What was approved for one address is asked again for another that says the same."""
    async with published(tmp_path) as (it, there):
        await it.sign_in(APP)
        thief = f"https://{HOST}/thief/client.json"
        there.publish(document(client_id=thief), path="/thief/client.json")
        answer = await it.http.get(wish_for(APP, client_id=thief))
        assert (answer.status_code, "location" in answer.headers) == (200, False)
        code = returned(await it.browser().get(wish_for(APP)))["code"]
        stolen = await it.redeem(APP, code, client_id=thief)
        assert (stolen.status_code, stolen.json()["error"]) == (400, "invalid_grant")
