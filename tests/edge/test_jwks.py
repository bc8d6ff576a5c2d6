"""The public halves of the log keys, as everybody finds them at the proxy."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_multiplayer.edge.auth.metadata import JWKS
from mcp_multiplayer.edge.jwks import VKEYS
from mcp_multiplayer.service.log_keys import LogKeys, rotate
from mcp_multiplayer.transcript.checkpoint import open_note
from tests.edge.harness import lab

ORIGIN = "mp.example/c/chn_7q2"


async def test_before_the_first_start_of_a_server_there_are_none(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        assert (await it.http.get(JWKS)).json() == {"keys": []}
        answer = await it.http.get(VKEYS, params={"origin": ORIGIN})
        assert (answer.status_code, answer.text) == (200, "")


async def test_everybody_finds_the_keys_newest_first_also_after_a_rotation(tmp_path: Path) -> None:
    directory = tmp_path / "keys"
    async with lab(tmp_path) as it:
        first = LogKeys.load(directory)
        assert (await it.http.get(JWKS)).json() == first.jwks()
        rotate(directory)
        assert (await it.http.get(JWKS)).json() == first.jwks()
        second = LogKeys.load(directory)
        assert (await it.http.get(JWKS)).json() == second.jwks()
        assert len(second.keys) == 2
        answer = await it.http.get(VKEYS, params={"origin": ORIGIN})
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        vkeys = answer.text.splitlines()
        assert vkeys == second.vkeys(ORIGIN)
        note = second.checkpoint(vkeys[0], ORIGIN, 1, bytes(32))
        assert open_note(note, vkeys).signers == (vkeys[0],)


async def test_no_private_half_is_told(tmp_path: Path) -> None:
    LogKeys.load(tmp_path / "keys")
    async with lab(tmp_path) as it:
        assert all("d" not in key for key in (await it.http.get(JWKS)).json()["keys"])


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "mp.example",
        "mp.example/c/",
        "mp.example/c/7q2",
        "mp.example/x/chn_7q2",
        "/c/chn_7q2",
        "mp.example/c/chn_7q2\n",
        "mp.example/c/chn_7q2+x",
        "a b/c/chn_7q2",
        "https://mp.example/c/chn_7q2",
        "x" * 256 + "/c/chn_7q2",
        "mp.example/c/chn_" + "x" * 65,
    ],
)
async def test_an_origin_of_another_form_is_refused(tmp_path: Path, origin: str) -> None:
    async with lab(tmp_path) as it:
        answer = await it.http.get(VKEYS, params={"origin": origin})
        assert answer.status_code == 400
        assert "<host>/c/<channel id>" in answer.text
        assert answer.headers["cache-control"] == "no-store"


async def test_a_page_anywhere_may_read_them(tmp_path: Path) -> None:
    asked = {"Origin": "https://any.example", "Access-Control-Request-Method": "GET"}
    async with lab(tmp_path) as it:
        for path in (JWKS, f"{VKEYS}?origin={ORIGIN}"):
            answer = await it.http.get(path, headers={"Origin": "https://any.example"})
            assert answer.headers["access-control-allow-origin"] == "*"
            assert (await it.http.options(path, headers=asked)).status_code == 204


async def test_nothing_can_be_sent_there(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        assert (await it.http.post(VKEYS)).status_code == 405
