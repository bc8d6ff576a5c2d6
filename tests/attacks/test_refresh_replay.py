"""A thief uses a refresh token the client has used up. Stopped by edge/auth/grants.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_multiplayer.edge.auth.database import Database
from mcp_multiplayer.edge.auth.grants import GRACE_SECONDS, Grants, Pair, Spent
from tests.edge.harness import Clock, Upstream, lab, serving


async def test_reuse_after_the_grace_ends_the_whole_family(tmp_path: Path) -> None:
    clock = Clock()
    async with serving(Upstream()) as port, lab(tmp_path, clock=clock, mcp_port=port) as it:
        client = await it.register()
        first = await it.sign_in(client)
        second = (await it.refresh(client, first["refresh_token"])).json()
        assert (await it.call(second["access_token"])).status_code == 200
        clock.at += GRACE_SECONDS + 1
        stolen = await it.refresh(client, first["refresh_token"])
        assert (stolen.status_code, stolen.json()["error"]) == (400, "invalid_grant")
        assert (await it.call(second["access_token"])).status_code == 401
        assert (await it.refresh(client, second["refresh_token"])).status_code == 400


async def test_reuse_ends_no_other_family(tmp_path: Path) -> None:
    clock = Clock()
    async with lab(tmp_path, clock=clock) as it, it.browser() as browser:
        client = await it.register()
        first, other = await it.sign_in(client, browser), await it.sign_in(client, browser)
        await it.refresh(client, first["refresh_token"])
        clock.at += GRACE_SECONDS + 1
        assert (await it.refresh(client, first["refresh_token"])).status_code == 400
        assert (await it.refresh(client, other["refresh_token"])).status_code == 200


async def test_the_family_stays_dead_after_a_restart(tmp_path: Path) -> None:
    clock = Clock()
    async with lab(tmp_path, clock=clock) as it:
        client = await it.register()
        first = await it.sign_in(client)
        second = (await it.refresh(client, first["refresh_token"])).json()
        clock.at += GRACE_SECONDS + 1
        await it.refresh(client, first["refresh_token"])
    async with lab(tmp_path, clock=clock) as it:
        assert (await it.refresh(client, second["refresh_token"])).status_code == 400


async def test_an_access_token_is_no_refresh_token_and_the_reverse(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        client = await it.register()
        token = await it.sign_in(client)
        assert (await it.refresh(client, token["access_token"])).status_code == 400
        assert (await it.call(token["refresh_token"])).status_code == 401


def test_a_refresh_judged_before_the_family_ended_gets_nothing() -> None:
    """The race made certain: revocation, or the end of the grace, between look-up and issue."""
    clock = Clock()
    database = Database(":memory:")
    tokens = Grants(database, issuers=("i",), now=clock)
    tokens.issue(sub="acc_1", client_id="cli_1", issuer="i", pair=Pair("mpt_1", "mpr_1"))
    one = tokens.refresh("mpr_1", "cli_1")
    assert one
    tokens.rotate(one, Pair("mpt_2", "mpr_2"))
    late = tokens.refresh("mpr_1", "cli_1")
    assert late
    clock.at += GRACE_SECONDS + 1
    with pytest.raises(Spent):
        tokens.rotate(late, Pair("mpt_3", "mpr_3"))
    assert not [t for t in ("mpt_1", "mpt_2", "mpt_3") if tokens.bearer(t)]
    with pytest.raises(Spent):
        tokens.rotate(one, Pair("mpt_4", "mpr_4"))
    assert tokens.bearer("mpt_4") is None
    database.close()
