"""A token in a URL would end up in logs and histories. Stopped by edge/proxy/authentication.py."""

from __future__ import annotations

from pathlib import Path

from tests.edge.harness import Upstream, lab, serving


async def test_a_token_in_the_query_is_refused_with_and_without_a_header(tmp_path: Path) -> None:
    upstream = Upstream()
    async with serving(upstream) as port, lab(tmp_path, mcp_port=port) as it:
        token = (await it.sign_in(await it.register()))["access_token"]
        address = f"/mcp?access_token={token}"
        for answer in (await it.http.post(address), await it.call(token, address)):
            assert answer.status_code == 400
            assert 'error="invalid_request"' in answer.headers["www-authenticate"]
        assert not upstream.seen
