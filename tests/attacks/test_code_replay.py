"""A thief presents a code that was already redeemed. Stopped by edge/auth/grants.py."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mcp_multiplayer.edge.auth.clients import Clients
from mcp_multiplayer.edge.auth.database import Database
from mcp_multiplayer.edge.auth.grants import AuthorizationRequest, Grants, Pair, Spent
from tests.edge.harness import LOOPBACK_URI, Upstream, lab, returned, serving, wish_for


async def test_a_replayed_code_ends_what_was_issued_from_it(tmp_path: Path) -> None:
    async with serving(Upstream()) as port, lab(tmp_path, mcp_port=port) as it:
        client = await it.register()
        code = returned(await it.http.get(wish_for(client)))["code"]
        token = (await it.redeem(client, code)).json()
        assert (await it.call(token["access_token"])).status_code == 200
        replay = await it.redeem(client, code)
        assert (replay.status_code, replay.json()["error"]) == (400, "invalid_grant")
        assert (await it.call(token["access_token"])).status_code == 401
        assert (await it.refresh(client, token["refresh_token"])).status_code == 400


async def test_a_race_of_two_redemptions_leaves_at_most_one_answer_and_no_live_token(
    tmp_path: Path,
) -> None:
    async with serving(Upstream()) as port, lab(tmp_path, mcp_port=port) as it:
        client = await it.register()
        code = returned(await it.http.get(wish_for(client)))["code"]
        answers = await asyncio.gather(*(it.redeem(client, code) for _ in range(8)))
        won = [answer.json() for answer in answers if answer.status_code == 200]
        assert len(won) <= 1
        for token in won:
            assert (await it.call(token["access_token"])).status_code == 401


async def test_a_code_is_worth_nothing_to_another_client_and_that_burns_nothing(
    tmp_path: Path,
) -> None:
    async with lab(tmp_path) as it:
        client, thief = await it.register(), await it.register()
        code = returned(await it.http.get(wish_for(client)))["code"]
        assert (await it.redeem(thief, code)).json()["error"] == "invalid_grant"
        assert (await it.redeem(client, code)).status_code == 200
        assert (await it.redeem(thief, code)).json()["error"] == "invalid_grant"


async def test_a_code_is_bound_to_its_redirect_uri(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        client = await it.register()
        code = returned(await it.http.get(wish_for(client)))["code"]
        elsewhere = "http://127.0.0.1:99/callback"
        answer = await it.redeem(client, code, redirect_uri=elsewhere)
        assert answer.json()["error"] == "invalid_grant"


def test_both_of_two_redemptions_that_were_judged_at_once_end_with_nothing() -> None:
    """The race made certain: both saw a fresh code before either consumed it."""
    ended: list[bool] = []
    database = Database(":memory:")
    tokens = Grants(database, issuers=("i",), on_revoked=lambda: ended.append(True))
    client, _ = Clients(database).add(
        name="", redirect_uris=(LOOPBACK_URI,), grant_types=(), auth_method="none"
    )
    asked = AuthorizationRequest("i", client, LOOPBACK_URI, "", "", "c")
    code, client_id = tokens.approve(asked).code, client.client_id
    first, second = tokens.code(code, client_id), tokens.code(code, client_id)
    assert first
    assert second
    tokens.redeem(first, Pair("mpt_1", "mpr_1"))
    assert tokens.bearer("mpt_1")
    with pytest.raises(Spent):
        tokens.redeem(second, Pair("mpt_2", "mpr_2"))
    assert ended
    for token in ("mpt_1", "mpt_2"):
        assert tokens.bearer(token) is None
    assert tokens.refresh("mpr_1", client_id) is None
    database.close()
