"""Whoever reads a source page by page and does as the text says comes to its hash."""

from __future__ import annotations

import hashlib
import re

import pytest

from tests.edge.api.house import House

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHORT = "class Mute:\n    def on_join(self, player):\n        pass"
LONG = SHORT + "\n" + "".join(f"# line {number} of a long source\n" for number in range(900))


@pytest.mark.parametrize("source", [SHORT, f"{SHORT}\n", f"{SHORT}\n\n", LONG, LONG.rstrip()])
async def test_a_source_hashes_to_its_hash_as_it_is_printed(house: House, source: str) -> None:
    host = house.account()
    room = await house.room(host, bot_code=source, join_as="alice")
    asked = {"channel_id": room["channel_id"], "bot_id": room["bots"][0]["bot_id"]}
    pages, line, mark = [], 1, ""
    while line:
        said = await house.tool(host, "get_bot_code", **asked, from_line=line)
        between = re.search(r"(?s)(---sha256:\w+)\n(.*)\1\n(.*)", said.text)
        assert between is not None
        assert "line feed before the" in between[3]
        mark = between[1].removeprefix("---")
        pages.append(between[2])
        more = re.search(r"from_line=(\d+)", said.lines[-1])
        line = int(more[1]) if more else 0
    whole = "".join(pages).removesuffix("\n")
    assert f"sha256:{hashlib.sha256(whole.encode()).hexdigest()}" == mark
    assert (len(pages) > 1) == (len(source) > 10_000)
