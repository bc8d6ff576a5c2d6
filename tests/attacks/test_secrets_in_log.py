"""Somebody who reads the log looks for a token. Stopped by logging nothing secret, and by
keeping libraries at WARNING (edge/serve.py)."""

from __future__ import annotations

import io
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_multiplayer.edge.serve import configure_logging
from tests.edge.harness import VERIFIER, Upstream, lab, returned, serving, wish_for

ROOT = Path(__file__).parents[2]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    configure_logging("DEBUG")
    stream = io.StringIO()
    for handler in root.handlers:
        assert isinstance(handler, logging.StreamHandler)
        handler.setStream(stream)
    yield stream
    root.handlers, root.level = handlers, level
    for name in ("mcp_multiplayer",):
        logging.getLogger(name).setLevel(logging.NOTSET)


async def test_a_whole_visit_at_debug_leaves_no_secret(tmp_path: Path, log: io.StringIO) -> None:
    secrets = [VERIFIER, "st4te", "inv_secretinvite", "hunter2", "argument-value", "body-value"]
    async with (
        serving(Upstream()) as port,
        lab(tmp_path, mcp_port=port, access_passcode="hunter2") as it,
    ):
        client = (
            await it.http.post(
                "/register",
                json={"redirect_uris": ["http://127.0.0.1/cb"]},
                headers={"Authorization": "Bearer hunter2"},
            )
        ).json()
        page = await it.http.get(wish_for(client))
        form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.text))
        form["request"] = wish_for(client).split("?")[1]
        answer = await it.http.post("/oauth/authorize", data=form | {"passcode": "hunter2"})
        code = returned(answer)["code"]
        proof = {"client_secret": client["client_secret"]}
        token = (await it.redeem(client, code, **proof)).json()
        await it.redeem(client, "mpc_wrong", **proof)
        asked = "/post_message?a=argument-value"
        assert (await it.call(token["access_token"], asked)).status_code == 200
        await it.call(token["access_token"], "/mcp", content=b"body-value")
        await it.call(token["access_token"], "/inv_secretinvite/x")
        await it.http.get("/inv_secretinvite")
        await it.call("mpt_" + "x" * 43, "/mcp")
        secrets += [code, *token.values(), client["client_secret"], it.http.cookies["mpx_browser"]]
        await it.redeem(client, code, **proof)
    told = log.getvalue()
    assert "POST rest/post_message 200" in told
    assert "POST mcp 200" in told
    assert "POST /token 400" in told
    assert "presented" in told or "refused" in told or "approved" in told
    found = [text for text in secrets if isinstance(text, str) and len(text) > 4 and text in told]
    assert not [text for text in found if text != "Bearer"]
    assert "mpt_" not in told


LOUD = """
import logging
from mcp_multiplayer.edge.serve import configure_logging
configure_logging("DEBUG")
names = ("authlib", "authlib.oauth2.rfc6749.grants", "httpx", "uvicorn", "aiohttp.client", "mcp")
print([name for name in names if logging.getLogger(name).isEnabledFor(logging.INFO)])
"""


def test_libraries_stay_quiet() -> None:
    # A process of its own: a client library's login page has made uvicorn loud in this one.
    done = subprocess.run(
        [sys.executable, "-c", LOUD], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"
