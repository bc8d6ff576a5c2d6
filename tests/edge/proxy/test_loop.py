"""Nothing of the proxy blocks the event loop: the database and authlib run on threads."""

from __future__ import annotations

from pathlib import Path

from blockbuster import blockbuster_ctx

from mcp_multiplayer.edge.pages import layout, static_files
from tests.edge.harness import WEB_URI, fields, lab, wish_for


async def test_a_whole_sign_in_never_blocks(tmp_path: Path) -> None:
    layout._environment.cache_clear()  # as in a process that has shown no page yet
    static_files.files.cache_clear()
    static_files.prefix.cache_clear()
    async with lab(tmp_path) as it, it.browser() as browser:
        with blockbuster_ctx():
            client = await it.register(redirect_uris=[WEB_URI])
            await it.http.get(static_files.prefix() + "style.css")
            form = fields((await browser.get(wish_for(client))).text)
            await browser.post("/oauth/authorize", data=form | {"choice": "new"})
            token = await it.sign_in(client, browser)
            await it.refresh(client, token["refresh_token"])
            await it.call(token["access_token"])
            data = {"token": token["access_token"], "client_id": client["client_id"]}
            await it.http.post("/revoke", data=data)
