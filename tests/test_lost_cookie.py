"""Somebody's app signs in once more, in a browser without the cookie of before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_multiplayer.demo.pair import Pair
from tests.logins import log_in
from tests.sample import sample

pytestmark = pytest.mark.servers
HOME = "203.0.113.7"


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = Pair(tmp_path, TRUSTED_PROXIES="127.0.0.1")
    try:
        yield made.start()
    finally:
        made.stop()


WAYS = ["loopback", "a vendor's callback", "client credentials"]


@pytest.mark.parametrize("way", sample(WAYS, {"loopback"}))
async def test_a_sign_in_without_the_cookie_is_told_that_it_is_new(pair: Pair, way: str) -> None:
    before = await log_in(pair.base, way, HOME)
    room = await before.call("create_channel", join_as="alice")
    channel_id = room["channel_id"]
    after = await log_in(pair.base, way, HOME)
    refused = await after.refusal("post_message", channel_id=channel_id, body="guess 50")
    assert refused.code == "NOT_MEMBER"
    assert "This login is less than a minute old and holds no seat." in refused.text
    await after.call("join_channel", invite_code=room["rejoin_token"])
    await after.call("post_message", channel_id=channel_id, body="guess 50")
    for player in (before, after):
        await player.http.aclose()


async def test_with_the_cookie_the_same_seat_is_there(pair: Pair) -> None:
    before = await log_in(pair.base, "loopback", HOME)
    room = await before.call("create_channel", join_as="alice")
    after = await log_in(pair.base, "a vendor's callback", HOME, before.http.cookies)
    (found,) = (await after.call("list_channels"))["channels"]
    assert (found["channel_id"], found["seats"]) == (room["channel_id"], ["alice"])
    for player in (before, after):
        await player.http.aclose()
