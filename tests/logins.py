"""Accounts made as a script would make them, from whatever address: for tests that need many.
``address`` is what X-Forwarded-For says, so the pair needs TRUSTED_PROXIES=127.0.0.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from tests.edge.harness import VERIFIER, choices, fields, returned, wish_for
from tests.players import Rest, to

LOOPBACK = "http://127.0.0.1/callback"
VENDOR = "https://claude.ai/api/mcp/auth_callback"
#: What a client's redirect URI is; none for client credentials.
WAYS = {"client credentials": None, "loopback": LOOPBACK, "a vendor's callback": VENDOR}


async def log_in(base: str, way: str, address: str, cookies: httpx.Cookies | None = None) -> Rest:
    """A player with an account: a fresh one, or the one that a browser with ``cookies`` holds."""
    http = to(base)
    http.headers["X-Forwarded-For"] = address
    http.cookies = cookies or httpx.Cookies()
    uri = WAYS[way]
    wish: dict[str, Any] = {"client_name": way, "grant_types": ["client_credentials"]}
    if uri:
        wish = {"client_name": way, "redirect_uris": [uri]}
    client = (await http.post("/register", json=wish)).json()
    form = {"grant_type": "client_credentials"}
    if uri:
        form = {
            "grant_type": "authorization_code",
            "code": await _consent(http, client),
            "redirect_uri": uri,
            "code_verifier": VERIFIER,
        }
    login = (client["client_id"], client["client_secret"])
    tokens = (await http.post("/token", data=form, auth=login)).json()
    return Rest(http, client, tokens["access_token"])


async def _consent(http: httpx.AsyncClient, client: Mapping[str, Any]) -> str:
    answer = await http.get(wish_for(dict(client)))
    if answer.status_code == 200:  # this browser holds an account: the first button is that one
        form = fields(answer.text) | {"choice": choices(answer.text)[0]}
        answer = await http.post("/oauth/authorize", data=form)
    return returned(answer)["code"]
