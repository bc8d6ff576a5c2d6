"""A client writes down itself who it is. Stopped by edge/proxy/headers.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_multiplayer.edge import identity
from mcp_multiplayer.service import key_files
from tests.edge.harness import Upstream, lab, serving


@pytest.mark.parametrize("name", ["mpx-caller", "Mpx-Caller", "MPX_CALLER", "mpx-anything"])
async def test_the_server_sees_one_statement_and_it_is_ours(tmp_path: Path, name: str) -> None:
    upstream = Upstream()
    async with serving(upstream) as port, lab(tmp_path, mcp_port=port) as it:
        token = (await it.sign_in(await it.register()))["access_token"]
        forged = identity.Signer(b"x" * 32).sign(identity.Caller("acc_victim", "http://x"))
        assert (await it.call(token, headers={name: forged})).status_code == 200
        seen = upstream.seen[-1]["headers"]
        assert [k for k in seen if k.replace("_", "-").startswith("mpx-")] == ["mpx-caller"]
        checker = identity.Checker(key_files.load(tmp_path / "keys", "caller"))
        assert checker.check(seen["mpx-caller"]).account != "acc_victim"


async def test_the_unauthenticated_route_carries_no_statement_at_all(tmp_path: Path) -> None:
    upstream = Upstream()
    async with serving(upstream) as port, lab(tmp_path, mcp_port=port) as it:
        headers = {"mpx-caller": "forged", "Authorization": "Bearer x", "Cookie": "a=b"}
        answer = await it.http.post(
            "/invite_card?x=1", json={"invite_code": "inv_x"}, headers=headers
        )
        assert answer.status_code == 200
        seen = upstream.seen[-1]
        assert (seen["path"], seen["query"]) == ("/invite_card", "")
        assert not {"mpx-caller", "authorization", "cookie"} & seen["headers"].keys()
