"""A page frames one of ours, or gets its words executed there. Stopped by edge/pages/layout.py."""

from __future__ import annotations

import re
from pathlib import Path

from mcp_multiplayer.edge.auth.clients import DEVICE_GRANT
from tests.edge.harness import WEB_URI, Lab, lab, wish_for

EVIL = "</strong><script>alert(1)</script><img src=x onerror=alert(2)>"


async def device_link(it: Lab) -> str:
    """The address of the page that asks for a device."""
    client = await it.register(grant_types=[DEVICE_GRANT], redirect_uris=[])
    form = {"client_id": client["client_id"]}
    told = await it.http.post("/device_authorization", data=form)
    return str(told.json()["verification_uri_complete"])


async def test_no_page_may_be_framed_or_load_anything(tmp_path: Path) -> None:
    async with lab(tmp_path, access_passcode="word") as locked, lab(tmp_path / "b") as it:
        client = await it.register(redirect_uris=[WEB_URI])
        secret = await locked.register()
        pages = [
            await it.http.get(wish_for(client)),
            await it.http.get("/oauth/authorize"),
            await it.http.get("/join"),
            await it.http.get("/device"),
            await it.http.get("/device", params={"user_code": "BBBB-BBBB"}),
            await it.http.get(await device_link(it)),
            await it.http.get("/", headers={"Accept": "text/html"}),
            await it.http.get("/no/such/page", headers={"Accept": "text/html"}),
            await it.http.get("/mcp", headers={"Accept": "text/html"}),
            await locked.http.get(wish_for(secret)),
        ]
    for page in pages:
        assert page.headers["content-type"].startswith("text/html")
        policy = page.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "default-src 'none'" in policy
        assert "unsafe-inline" not in policy
        assert page.headers["x-frame-options"] == "DENY"
        # With no-referrer a browser would send `Origin: null` with our own form.
        assert page.headers["referrer-policy"] == "same-origin"
        assert not re.search(r'(src|href)="(https?:)?//', page.text)


async def test_a_clients_name_is_text(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        client = await it.register(client_name=EVIL + "\u202e\x00\n", redirect_uris=[WEB_URI])
        assert "\u202e" not in client["client_name"]
        page = (await it.http.get(wish_for(client, state=EVIL))).text
        assert "<script>" not in page
        assert page.count("<img") == 1  # the mark of ours
        assert "&lt;script&gt;" in page


async def test_the_page_names_where_the_code_goes_and_lets_it_go_there_only(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        client = await it.register(redirect_uris=[WEB_URI])
        page = await it.http.get(wish_for(client))
        assert "client.example" in page.text
        policy = page.headers["content-security-policy"]
        assert "form-action 'self' https://client.example;" in policy
