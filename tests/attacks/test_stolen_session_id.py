"""Somebody sends another account's MCP session id, or the same one after a restart. It means
nothing: the server keeps no session, and nothing but the token says who calls.

Stopped by edge/proxy/headers.py (not passed on, in either direction) and edge/api/app.py
(stateless in both eras).
"""

from __future__ import annotations

import pytest

from mcp_multiplayer.demo.pair import Pair
from tests.players import Mode, rest, wire

pytestmark = pytest.mark.servers

MODES: list[Mode] = ["legacy", "2026-07-28"]
INITIALIZE = (
    '"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"wire","version":"1"}'
)


@pytest.mark.parametrize("mode", MODES)
async def test_another_accounts_session_id_opens_nothing(pair: Pair, mode: Mode) -> None:
    async with wire(pair.base, "alice", "legacy") as alice, wire(pair.base, "bob", mode) as bob:
        alice.more = {"Mcp-Session-Id": "0123456789abcdef0123456789abcdef"}
        opened = await alice.request("initialize", INITIALIZE, {})
        assert opened.status_code == 200
        session = opened.headers.get("mcp-session-id", alice.more["Mcp-Session-Id"])
        alice.more = {"Mcp-Session-Id": session}
        made = await alice.call("create_channel", bot_preset="GuessBot", join_as="alice")

        bob.more = alice.more
        assert (await bob.call("list_channels"))["channels"] == []
        refused = await bob.refusal("post_message", channel_id=made["channel_id"], body="mine")
        assert refused.code == "NOT_MEMBER"

        ended = await bob.http.delete("/mcp", headers={**bob.header, **bob.more})
        assert ended.status_code in (200, 204, 405)
        mine = (await alice.call("list_channels"))["channels"]
        assert [room["channel_id"] for room in mine] == [made["channel_id"]]


async def test_an_old_session_id_keeps_nobody_out(pair: Pair) -> None:
    """404 "session not found" is what clients got from servers that keep sessions."""
    async with wire(pair.base, "alice", "legacy") as alice:
        made = await alice.call("create_channel", bot_preset="GuessBot", join_as="alice")
        for session in ("from-before-the-restart", "x" * 300, "null"):
            alice.more = {"Mcp-Session-Id": session}
            await alice.call("post_message", channel_id=made["channel_id"], body="still me")


async def test_rest_takes_no_notice_of_a_session_id_either(pair: Pair) -> None:
    async with rest(pair.base, "alice") as alice, rest(pair.base, "bob") as bob:
        made = await alice.call("create_channel", bot_preset="GuessBot", join_as="alice")
        answer = await bob.http.get(
            "/who",
            params={"channel_id": made["channel_id"]},
            headers={**bob.header, "Mcp-Session-Id": "alice"},
        )
        assert (answer.status_code, answer.json()["error"]) == (403, "NOT_MEMBER")


async def test_two_people_behind_one_connection_are_two(pair: Pair) -> None:
    """A hosted vendor's pool sends many users' requests down one connection."""
    async with wire(pair.base, "alice", "legacy") as alice, wire(pair.base, "bob", "legacy") as bob:
        bob.http, mine = alice.http, bob.http
        made = await alice.call("create_channel", bot_preset="GuessBot", join_as="alice")
        assert (await bob.call("list_channels"))["channels"] == []
        refused = await bob.refusal("get_channel_info", channel_id=made["channel_id"])
        assert refused.code == "NOT_MEMBER"
        bob.http = mine
